"""What the checks look at: the status, and what probes measured; both are values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.contract.health import Level, WayStep
from hub.contract.local import HubStatus

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Disk:
    """Where the state lies.  ``sync_ms``: how long the disk takes to keep a few bytes, the median
    of the last looks; ``sync_error``: why it didn't.  ``life_used_percent``: wear, where the
    device tells it (in steps of ten)."""

    total_bytes: int = 0
    free_bytes: int = 0
    sync_ms: int | None = None
    sync_error: str = ""
    life_used_percent: int | None = None
    device: str = ""


@dataclass(frozen=True, slots=True)
class ClockSource:
    """Who sets the box's clock.  ``synchronised``: what the kernel says; ``by``: the program.
    ``off_cloud_ms``: the wall clock less the cloud's, when last compared."""

    synchronised: bool | None = None
    by: str = ""
    off_cloud_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """The box itself; None where it doesn't tell.  ``on_mains`` is False while a battery feeds
    it."""

    rss_bytes: int | None = None
    available_bytes: int | None = None
    total_bytes: int | None = None
    celsius: int | None = None
    on_mains: bool | None = None
    battery_percent: int | None = None
    under_voltage: bool | None = None


@dataclass(frozen=True, slots=True)
class Certificates:
    """Ends (UTC ms) of the issuing authority and of the revocation list."""

    authority_ends_at_ms: int | None = None
    crl_ends_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Backup:
    """The last copy of the state that is known of; ``made_at_ms`` None: none ever."""

    made_at_ms: int | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class Replica:
    """The copy that follows elsewhere.  ``synced_at_ms``: when all there was had last been sent;
    ``since_ms``: since when it is tried; ``error``: why it isn't sent just now.
    ``keys_escrowed``: whether the keys that are put by elsewhere are those in use."""

    target: str
    since_ms: int
    synced_at_ms: int | None = None
    error: str = ""
    restarts: int = 0
    series: int | None = None
    keys_escrowed: bool = True


@dataclass(frozen=True, slots=True)
class Measured:
    """What the probes found last; None: not looked at (yet), or this box doesn't offer it."""

    disk: Disk | None = None
    clock: ClockSource | None = None
    machine: Machine | None = None
    certificates: Certificates | None = None
    backup: Backup | None = None
    replica: Replica | None = None
    way: tuple[WayStep, ...] = ()


NOTHING_MEASURED = Measured()


@dataclass(frozen=True, slots=True)
class Limits:
    """From the settings: below ``free_low_bytes`` the page warns, below ``reserve_bytes`` nothing
    new is taken in."""

    free_low_bytes: int = 512 * MIB
    reserve_bytes: int = 16 * MIB


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a check may look at.  ``before`` is the level that each check found the last
    time; ``clock_doubt`` says why the wall clock isn't trusted."""

    status: HubStatus
    measured: Measured = NOTHING_MEASURED
    limits: Limits = Limits()
    server_certificate_ends_at_ms: int | None = None
    clock_doubt: str = ""
    sqlite_risky: bool = False
    before: Mapping[str, Level] = field(default_factory=dict)

    @property
    def now_ms(self) -> int:
        """The instant of the status."""
        return self.status.time_ms
