"""What is told after a commit.  A notice is a hint: whoever gets it reads the truth itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutboxGrew:
    """New events wait."""

    stream: str


@dataclass(frozen=True, slots=True)
class LevelsChanged:
    """Stock of these products changed."""

    skus: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """A device was paired, renamed or re-keyed."""

    device_id: str


@dataclass(frozen=True, slots=True)
class DeviceRevoked:
    """A device was shut out: cut its connection now."""

    device_id: str


@dataclass(frozen=True, slots=True)
class ApprovalChanged:
    """An approval was asked for or decided."""

    approval_id: str
    state: str
    permission: str
    device_id: str


@dataclass(frozen=True, slots=True)
class BasketChanged:
    """A basket was suspended, resumed or ended."""

    basket_id: str
    state: str
    owner: str


@dataclass(frozen=True, slots=True)
class ClockTrusted:
    """A technician says that the wall clock is right."""


@dataclass(frozen=True, slots=True)
class DatasetSwapped:
    """A dataset's new generation is in force, or changes were applied to it."""

    dataset: str
    label: str
    snapshot: bool


@dataclass(frozen=True, slots=True)
class HubChanged:
    """Incarnation, epoch, fence or clock trust changed: publish the hub's state again."""


@dataclass(frozen=True, slots=True)
class AckedMoved:
    """The cloud has acked more (or less): ``safe_seq`` may have moved."""


@dataclass(frozen=True, slots=True)
class SaleMade:
    """A sale, void or return was written."""


@dataclass(frozen=True, slots=True)
class PrintQueued:
    """A print job waits."""

    job_id: str


@dataclass(frozen=True, slots=True)
class PrintJobChanged:
    """A print job is in another state; an ambiguous one waits for a person's word."""

    job_id: str
    device_id: str
    kind: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class PaymentChanged:
    """A payment is in another state, or something is to be done about it."""

    payment_id: str
    sale_id: str
    device_id: str
    terminal_id: str
    state: str
    kind: str = "card"


@dataclass(frozen=True, slots=True)
class OrderMoved:
    """An online order came, changed or ended; ``short``: goods are missing for it."""

    order_id: str
    state: str
    short: bool


@dataclass(frozen=True, slots=True)
class LogLevelAsked:
    """Log from this level on for so long; the empty logger is all of them."""

    logger: str
    level: str
    for_s: int


@dataclass(frozen=True, slots=True)
class DrillChanged:
    """An outage drill began or is to end."""


@dataclass(frozen=True, slots=True)
class RemoteSettingsChanged:
    """The cloud changed a setting."""


@dataclass(frozen=True, slots=True)
class SupportAsked:
    """The cloud asks for a support bundle."""


@dataclass(frozen=True, slots=True)
class PeripheralsChanged:
    """The page set up or removed what hangs on the hub's box."""


Notice = (
    OutboxGrew
    | LevelsChanged
    | DeviceChanged
    | DeviceRevoked
    | ApprovalChanged
    | BasketChanged
    | DatasetSwapped
    | ClockTrusted
    | HubChanged
    | AckedMoved
    | SaleMade
    | PrintQueued
    | PrintJobChanged
    | PaymentChanged
    | OrderMoved
    | LogLevelAsked
    | DrillChanged
    | RemoteSettingsChanged
    | SupportAsked
    | PeripheralsChanged
)
