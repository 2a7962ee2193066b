"""What the status page can say about discovery."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    STOPPED = "stopped"
    WAITING = "waiting"
    """No interface has an address yet: the box was started before its network."""
    CLAIMING = "claiming"
    """Asking the network whether our names are free."""
    ADVERTISING = "advertising"
    DEGRADED = "degraded"
    """Devices can't find the hub by name; ``reason`` says what to do.  Tried again by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryState:
    """One moment.

    ``instance`` is the name in use, perhaps ``Name (2)``; ``names`` are the full names of the
    services announced; ``host`` is the name the addresses are announced under (``x.local``).
    All are empty unless advertising; ``reason`` is empty when nothing is the matter.
    """

    status: Status
    reason: str = ""
    instance: str = ""
    host: str = ""
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
