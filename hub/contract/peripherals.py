"""Printers, drawers, scanners, scales and displays that hang on the hub's own box."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from hub.contract.base import Command, DeviceId, InstantMs, Live, Outgoing

PERIPHERALS_MAX = 32
OPTIONS_MAX = 16
SERVES_MAX = 64
LINES_MAX = 4
LINE_CHARS = 40

DriverKey = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{2,39}$")]
PeripheralName = Annotated[str, Field(max_length=60)]
Address = Annotated[
    str,
    Field(
        max_length=200,
        pattern=r"^[!-~]*$",
        description="Where it is, e.g. `tcp://192.0.2.7:9100` or `usb://04b8:0e15`; empty where the"
        " driver needs none.",
    ),
]
OptionName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
OptionText = Annotated[str, Field(max_length=200)]
OptionNumber = Annotated[int, Field(ge=-1_000_000_000, le=1_000_000_000)]
Options = Annotated[
    dict[OptionName, bool | OptionNumber | OptionText],
    Field(max_length=OPTIONS_MAX, description="The driver's own; `peripheral/drivers` lists them."),
]
Serves = Annotated[
    tuple[DeviceId, ...],
    Field(
        max_length=SERVES_MAX,
        description="The tills it belongs to; empty: every till that has none of its own.",
    ),
]


class ListPeripherals(Live):
    """All peripherals of the hub and how they are, those of the settings first."""

    service: ClassVar[str] = "peripheral"
    operation: ClassVar[str] = "list"


class PeripheralView(Outgoing):
    """One peripheral.

    ``source``: `settings` or `page`.  ``phase``: `claiming` (being looked for), `ready`, `lost`
    (it was there and is gone) or `refused` (what is set about it can't be meant so).  ``reason``
    says why it isn't ready, and the next step.
    """

    id: str
    name: str
    kind: str = Field(description="printer, drawer, scanner, scale, display or terminal")
    driver: str
    address: str = ""
    serves: tuple[str, ...] = ()
    via: str = ""
    fallback: str = ""
    options: dict[str, bool | int | str] = Field(default_factory=dict)
    source: str
    shadows: bool = Field(
        default=False,
        description="The page has set one of this id too, which the settings' file overrules.",
    )
    phase: str
    reason: str = ""
    since_ms: InstantMs
    capabilities: tuple[str, ...] = ()
    width_mm: int = 0
    confirms: bool = Field(default=False, description="Printers: it tells what is on paper.")
    maker: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""
    conditions: tuple[str, ...] = ()
    opened: bool | None = Field(default=None, description="Drawers: whether it is open, if known.")


class PeripheralList(Outgoing):
    """A list of peripherals."""

    peripherals: tuple[PeripheralView, ...]


class ListDrivers(Live):
    """What the hub can drive, and what can be set about each."""

    service: ClassVar[str] = "peripheral"
    operation: ClassVar[str] = "drivers"


class DriverView(Outgoing):
    """A driver; ``options``: each with what it may be, and what it is when it isn't given.
    ``addresses``: an example of each kind of address it takes; none: it needs no address."""

    key: str
    title: str
    kind: str
    options: dict[str, str] = Field(default_factory=dict)
    addresses: tuple[str, ...] = ()


class DriverList(Outgoing):
    """A list of drivers."""

    drivers: tuple[DriverView, ...]


class ConfigurePeripheral(Command):
    """Set up a peripheral, or change what is set about it.  One that the settings' file names is
    changed there only."""

    service: ClassVar[str] = "peripheral"
    operation: ClassVar[str] = "configure"
    id: DeviceId
    driver: DriverKey
    address: Address = ""
    name: PeripheralName = ""
    serves: Serves = ()
    via: DeviceId | None = Field(
        default=None, description="The peripheral it hangs on: a drawer or display at a printer."
    )
    fallback: DeviceId | None = Field(
        default=None, description="Printers: who prints when this one can't."
    )
    options: Options = Field(default_factory=dict)


class RemovePeripheral(Command):
    """Drive a peripheral no longer, and forget what is set about it."""

    service: ClassVar[str] = "peripheral"
    operation: ClassVar[str] = "remove"
    id: DeviceId


class FindPeripherals(Live):
    """Look for printers and other peripherals at this box and in the shop's network; takes some
    seconds."""

    service: ClassVar[str] = "peripheral"
    operation: ClassVar[str] = "find"
    timeout_s: int = Field(default=8, ge=1, le=20)


class FoundPeripheral(Outgoing):
    """Something that was found.  ``known_as``: the id it is set up with already, else empty."""

    title: str
    driver: str
    address: str
    detail: str = ""
    known_as: str = ""


class FoundPeripherals(Outgoing):
    """What was found."""

    found: tuple[FoundPeripheral, ...]


class TryPeripheral(Live):
    """Try a peripheral: a display shows a greeting, a scale weighs, a scanner's next code is told.
    (For printers there is `print/test`, for drawers `drawer/open`.)"""

    service: ClassVar[str] = "peripheral"
    operation: ClassVar[str] = "try"
    id: DeviceId
    timeout_s: int = Field(default=15, ge=1, le=25)


class Tried(Outgoing):
    """What came of it, in words."""

    outcome: str


class ShowText(Live):
    """Show lines on the customer's display that belongs to the asking till."""

    service: ClassVar[str] = "display"
    operation: ClassVar[str] = "show"
    lines: tuple[Annotated[str, Field(max_length=LINE_CHARS)], ...] = Field(
        max_length=LINES_MAX, description="Longer ones are cut; missing ones are empty."
    )
    display_id: DeviceId | None = Field(
        default=None, description="Another display than the till's own."
    )


class PeripheralEvent(Outgoing):
    """On ``hub/dev/{id}/evt/{type}``: ``drawer-opened``, ``drawer-closed``, ``drawer-left-open``,
    ``weight`` (at rest, when it is another one).  A ``scan`` that came to nothing has its own
    shape.  Not kept: whoever isn't there doesn't hear of it."""

    at_ms: InstantMs
    data: dict[str, bool | int | str] = Field(default_factory=dict)


class Shown(Outgoing):
    """It stands there."""

    display_id: str


__all__ = [
    "PERIPHERALS_MAX",
    "ConfigurePeripheral",
    "DriverList",
    "DriverView",
    "FindPeripherals",
    "FoundPeripheral",
    "FoundPeripherals",
    "ListDrivers",
    "ListPeripherals",
    "PeripheralEvent",
    "PeripheralList",
    "PeripheralView",
    "RemovePeripheral",
    "ShowText",
    "Shown",
    "Tried",
    "TryPeripheral",
]
