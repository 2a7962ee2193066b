"""What every driver is, in the terms of UnifiedPOS (Retail Peripheral Architecture 1.16).

A driver lives through one coroutine, :meth:`Peripheral.serve`: claim, ready, and at its end lost.
Who keeps it calls it again.  A driver tells what happens through ``tell`` and never blocks the
loop.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol, runtime_checkable

from hub.clock import Clock, Randomness
from hub.contract.conditions import Condition
from hub.documents.layout import Layout


class Category(StrEnum):
    """UnifiedPOS's device categories that the hub drives."""

    PRINTER = "POSPrinter"
    DRAWER = "CashDrawer"
    SCANNER = "Scanner"
    SCALE = "Scale"
    DISPLAY = "LineDisplay"
    TERMINAL = "PaymentTerminal"


class Phase(StrEnum):
    """``claiming``: being looked for; ``ready``: it works; ``lost``: it was there and is gone."""

    CLAIMING = "claiming"
    READY = "ready"
    LOST = "lost"


# Errors ------------------------------------------------------------------------------------------


class PeripheralError(Exception):
    """Base; the text tells a technician what is wrong and the next step."""


class Unreachable(PeripheralError):
    """It can't be opened: absent, switched off, in use, no permission."""


class Gone(PeripheralError):
    """It was open and the connection ended."""


class Unfit(PeripheralError):
    """It answers, and not as what the settings say it is; or it refuses what was asked of it."""


class Misconfigured(PeripheralError):
    """Its settings can't be meant so: an option that the driver doesn't know, or a value outside of
    what it takes.  Raised by constructors."""


# Ways to its bytes -------------------------------------------------------------------------------


class Wire(Protocol):
    """An open connection.  One reader and one writer at a time."""

    async def read(self, max_bytes: int = 4096) -> bytes:
        """At least one byte; waits for it.  Errors: :class:`Gone`."""

    async def write(self, data: bytes) -> None:
        """Returns when the kernel has taken all of it.  Errors: :class:`Gone`; some of it may have
        gone out."""

    async def close(self) -> None:
        """Never raises; safe to call twice."""


class Connector(Protocol):
    """Where a peripheral is, as its settings say; opens a wire each time it is asked."""

    @property
    def address(self) -> str:
        """As in the settings, e.g. ``tcp://192.0.2.7:9100``."""

    async def open(self) -> Wire:
        """Errors: :class:`Unreachable`, within the connector's own time-out."""


# What drivers tell -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Identity:
    """What a peripheral says of itself, as far as it does."""

    maker: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""


@dataclass(frozen=True, slots=True)
class ConditionsAre:
    """All that is the matter with it now; what isn't named doesn't hold."""

    conditions: frozenset[Condition]


@dataclass(frozen=True, slots=True)
class Scanned:
    """A code as read: without suffix and AIM identifier.  ``aim``: ISO/IEC 15424, e.g. ``]C1``;
    empty when the scanner sends none."""

    data: bytes
    aim: str = ""


@dataclass(frozen=True, slots=True)
class Misread:
    """Bytes that are no code (too long, broken off, not text)."""

    why: str
    length_bytes: int


@dataclass(frozen=True, slots=True)
class DrawerMoved:
    """The drawer's contact changed."""

    opened: bool


@dataclass(frozen=True, slots=True)
class Weight:
    """A reading of a scale.  ``grams`` is what it shows; only a ``stable`` one may be sold by."""

    grams: int
    stable: bool
    zero: bool = False
    overload: bool = False
    under_zero: bool = False


Told = ConditionsAre | Scanned | Misread | DrawerMoved | Weight


Option = str | int | bool
"""A value of a peripheral's settings."""


# The drivers -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class World:
    """What a driver gets from outside."""

    clock: Clock
    randomness: Randomness


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a driver can do with this peripheral; names are UnifiedPOS's where it has one
    (``CapRecPapercut`` becomes ``papercut``)."""

    names: frozenset[str] = frozenset()
    width_mm: int = 0
    confirms: bool = False
    """Printers: whether it tells that a job is on paper (``printed`` is then known, not hoped)."""


class Peripheral(ABC):
    """Base of all drivers.  Made from the settings' entry; opens nothing before :meth:`serve`."""

    key: ClassVar[str]
    """The driver's name in the settings, e.g. ``escpos-printer``."""
    title: ClassVar[str]
    category: ClassVar[Category]
    option_help: ClassVar[Mapping[str, str]] = {}
    """The options it knows: name → what it may be, and what it is when it isn't given."""

    def __init__(
        self,
        connector: Connector,
        world: World,
        tell: Callable[[Told], None],
        options: Mapping[str, Option] | None = None,
    ) -> None:
        """``options``: the entry's.  Errors: :class:`Misconfigured`."""
        self.connector = connector
        self.world = world
        self.tell = tell
        self.options: Mapping[str, Option] = dict(options or {})
        if strange := sorted(self.options.keys() - self.option_help.keys()):
            known = ", ".join(sorted(self.option_help)) or "none"
            raise Misconfigured(f"{self.key} knows no option {strange[0]!r}; it knows: {known}")

    @property
    def capabilities(self) -> Capabilities:
        """Known before it is ready, from the settings; none unless a driver says so."""
        return Capabilities()

    @abstractmethod
    async def serve(self, ready: Callable[[Identity], None]) -> None:
        """Open, identify, call ``ready`` once, and stay until the connection ends.

        Errors: :class:`Unreachable`, :class:`Gone`, :class:`Unfit`; it closes its wire on every
        way out, cancellation included.
        """


@runtime_checkable
class HangsOn(Protocol):
    """A driver that can reach its peripheral through another one (``Entry.via``): a drawer at a
    printer's connector, a display that is looped through a printer."""

    def hang_on(self, host: Peripheral) -> None:
        """Told once, before :meth:`Peripheral.serve`; its own connector is then never opened.
        Errors: :class:`Misconfigured` if nothing can hang on ``host``."""


class Outcome(StrEnum):
    """How sending a job ended.

    ``printed``: the printer said so, or it can't say and took every byte.  ``not-begun``: not one
    byte reached it, so it may be sent again.  ``unknown``: some of it may be on paper.
    ``refused``: it can't be printed there at all (nothing is on paper).
    """

    PRINTED = "printed"
    NOT_BEGUN = "not-begun"
    UNKNOWN = "unknown"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Ended:
    """``reason``: in words, empty when printed.  ``confirmed``: the printer itself said so."""

    outcome: Outcome
    reason: str = ""
    confirmed: bool = False


class POSPrinter(Peripheral):
    """A receipt or label printer; one job at a time (the caller sees to that)."""

    category = Category.PRINTER

    @abstractmethod
    async def print(self, layout: Layout) -> Ended:
        """Print one document and wait until it is known how that ended.

        While paper is missing or the cover is open it waits (the conditions are told); the caller
        bounds that by cancelling, after which the job counts as ``unknown``.  Raises nothing else.
        """

    @abstractmethod
    async def kick(self, connector_pin: int, pulse_ms: int) -> Ended:
        """Open the drawer that hangs on the printer (ESC p): pin 2 or 5."""


class CashDrawer(Peripheral):
    """A drawer, usually on a printer's connector."""

    category = Category.DRAWER
    opened: bool | None = None
    """None: nobody can tell."""

    @abstractmethod
    async def open(self) -> Ended:
        """Kick it."""


class Scanner(Peripheral):
    """Tells :class:`Scanned` and :class:`Misread`."""

    category = Category.SCANNER


class Scale(Peripheral):
    """Tells :class:`Weight` when it changes."""

    category = Category.SCALE

    @abstractmethod
    async def weigh(self, timeout_s: float) -> Weight:
        """The next stable reading.  Errors: :class:`Gone`, :class:`Unfit` (not stable in time,
        overload, under zero) with what to do."""


class LineDisplay(Peripheral):
    """A customer's display: two lines, usually of 20 characters."""

    category = Category.DISPLAY
    rows: int = 2
    columns: int = 20

    @abstractmethod
    async def show(self, lines: tuple[str, ...]) -> None:
        """Show these; longer ones are cut, missing ones are empty.  Errors: :class:`Gone`."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What a terminal is asked for.  ``payment_id`` is its transaction id towards the terminal, the
    same at every question about it; ``offline_allowed``: it may approve without the processor."""

    payment_id: str
    sale_id: str
    amount_minor: int
    currency: str
    offline_allowed: bool = False


class CardOutcome(StrEnum):
    """How a terminal's transaction ended.  ``not_done``: the terminal knows nothing of it, or proof
    that it was never asked; ``unknown``: it may have been carried out."""

    APPROVED = "approved"
    APPROVED_OFFLINE = "approved-offline"
    REFUSED = "refused"
    NOT_DONE = "not-done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CardAnswer:
    """What a terminal says; never a card number.  ``token`` is what the hub is to keep and present
    (an opaque token or P2PE blob), absent where the terminal keeps the payment itself; ``card``
    names the card (a payment account reference or a token), to count its uses.  ``tip_minor``: what
    the customer added at the terminal, on top of what it was asked for; ``surcharge_minor``: what
    the terminal did, for paying by this card."""

    outcome: CardOutcome
    reason: str = ""
    last4: str = ""
    scheme: str = ""
    approval_code: str = ""
    psp_ref: str = ""
    terminal_ref: str = ""
    captured: bool = False
    tip_minor: int = 0
    surcharge_minor: int = 0
    card: str = field(default="", repr=False)
    token: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class TerminalReport:
    """What a terminal says of itself: how many payments it stores and hasn't forwarded (None: it
    can't say), and whether it reaches its acquirer."""

    stored_count: int | None = None
    stored_minor: int | None = None
    online: bool | None = None


class PaymentTerminal(Peripheral):
    """A card terminal that the hub drives; one transaction at a time (the caller sees to that).

    Nothing here raises for what a transaction does: doubt is an answer.
    """

    category = Category.TERMINAL

    @abstractmethod
    async def sale(self, charge: Charge) -> CardAnswer:
        """Take a payment; waits for the customer.  Cancelling it leaves the outcome unknown."""

    @abstractmethod
    async def status(self, payment_id: str, asked_minor: int = 0) -> CardAnswer:
        """What became of a transaction (nexo: TransactionStatus); ``unknown`` when the terminal
        can't be asked, is still busy with it, or approved another amount than ``asked_minor`` (0:
        whatever it was), with or without what it had added."""

    @abstractmethod
    async def reverse(self, charge: Charge, terminal_ref: str, key: str) -> CardAnswer:
        """Take back a whole transaction: ``approved``: it is taken back; ``refused``: it can't be;
        ``not_done``: the terminal doesn't know it."""

    @abstractmethod
    async def refund(self, charge: Charge, terminal_ref: str, key: str) -> CardAnswer:
        """Give ``amount_minor`` back (nexo: Refund, referenced where ``terminal_ref`` is given)."""

    @abstractmethod
    async def cancel(self, payment_id: str) -> bool:
        """Ask to break off what the customer is doing (nexo: Abort); its outcome comes by
        :meth:`sale` all the same.  False: it couldn't be asked."""

    @abstractmethod
    async def diagnose(self) -> TerminalReport:
        """How it is (nexo: Diagnosis).  Errors: :class:`Gone`."""


# What the settings say ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One configured peripheral, from the settings or from the page."""

    id: str
    driver: str
    address: str
    name: str = ""
    serves: tuple[str, ...] = ()
    """Device ids of the tills it belongs to; empty: every till that has none of its own."""
    via: str = ""
    """The peripheral it hangs on: a drawer or display at a printer."""
    fallback: str = ""
    """Printers: who prints when this one can't."""
    options: dict[str, Option] = field(default_factory=dict)
    """The driver's own; each driver says which it knows."""
