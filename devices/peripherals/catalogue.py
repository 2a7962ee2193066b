"""Which drivers there are, and one made from an entry of the settings.

A driver is a module in ``devices/peripherals/drivers`` that defines ``DRIVER`` (a class) or
``DRIVERS`` (several).  A driver ``some-key`` in ``some_key.py`` is imported alone; all of them only
when somebody asks what there is, for some bring large libraries.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from devices.peripherals import drivers
from devices.peripherals.lending import Ask, DeviceConnector
from devices.peripherals.model import (
    Category,
    Connector,
    Entry,
    HangsOn,
    Misconfigured,
    Peripheral,
    PeripheralError,
    Told,
    Unreachable,
    Wire,
    World,
)
from devices.peripherals.transports.address import EXAMPLES, Places, connector
from hub.contract.peripherals import DriverView

KINDS: Final[dict[Category, str]] = {
    Category.PRINTER: "printer",
    Category.DRAWER: "drawer",
    Category.SCANNER: "scanner",
    Category.SCALE: "scale",
    Category.DISPLAY: "display",
    Category.TERMINAL: "terminal",
}
"""UnifiedPOS's categories as the contract calls them."""
DEVICE_SCHEME: Final = "device:"
SIMULATED: Final = "simulated-"


@dataclass(frozen=True, slots=True)
class Nowhere:
    """Of what has no wire of its own: a simulated twin, or a drawer on a printer."""

    address: str = ""

    async def open(self) -> Wire:
        raise Unreachable(f"{self.address or 'it'} has no wire of its own")


class Catalogue:
    """``ask`` reaches a till that lends what hangs on it; None: there are none here.  ``training``:
    no real card terminal is driven, so that nobody pays for an exercise."""

    def __init__(
        self,
        world: World,
        *,
        places: Places | None = None,
        ask: Ask | None = None,
        training: bool = False,
    ) -> None:
        self._world = world
        self._training = training
        self._places = places
        self._ask = ask
        self._known: dict[str, type[Peripheral]] = {}
        self._complete = False

    def drivers(self) -> dict[str, type[Peripheral]]:
        """All of them by key.  Imports every driver: call it in a thread."""
        if not self._complete:
            for module in pkgutil.iter_modules(drivers.__path__):
                with suppress(PeripheralError):
                    self._take(module.name)
            self._complete = True
        return dict(sorted(self._known.items()))

    def prepare(self, keys: Iterable[str]) -> None:
        """Load these drivers, some of which bring large libraries: call it in a thread.  What can't
        be loaded is told when it is asked for."""
        for key in keys:
            with suppress(PeripheralError):
                self.driver(key)

    def driver(self, key: str) -> type[Peripheral]:
        """One driver.  Errors: :class:`Misconfigured` when there is none, with the nearest."""
        if key in self._known:
            return self._known[key]
        module = key.replace("-", "_")
        if importlib.util.find_spec(f"{drivers.__name__}.{module}") is not None:
            self._take(module)
        if key not in self._known and key not in self.drivers():
            near = difflib.get_close_matches(key, self._known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise Misconfigured(
                f"there is no driver {key!r}: {hint}`store-hub peripherals drivers` lists them"
            )
        return self._known[key]

    def views(self) -> tuple[DriverView, ...]:
        """All of them, as pages and shells show them.  Imports every driver."""
        return tuple(
            DriverView(
                key=key,
                title=one.title,
                kind=KINDS[one.category],
                options=dict(one.option_help),
                addresses=addresses_of(one),
            )
            for key, one in self.drivers().items()
        )

    def make(
        self,
        entry: Entry,
        tell: Callable[[Told], None],
        host: Callable[[str], Peripheral | None] = lambda _id: None,
    ) -> Peripheral:
        """The peripheral that an entry describes; it opens nothing yet.  ``host`` finds the one
        that it hangs on.  Errors: :class:`PeripheralError` with what to change."""
        driver = self.driver(entry.driver)
        real = not driver.key.startswith(SIMULATED)
        if self._training and driver.category is Category.TERMINAL and real:
            raise Misconfigured("a hub for training drives simulated card terminals only")
        made = driver(self._connector(driver, entry), self._world, tell, entry.options)
        if entry.via:
            below = host(entry.via)
            if below is None:
                raise Misconfigured(
                    f"via: {entry.via} isn't set up or can't be driven: see to that one first"
                )
            if not isinstance(made, HangsOn):
                raise Misconfigured(f"via: {entry.driver} can't hang on another peripheral")
            made.hang_on(below)
        return made

    def _connector(self, driver: type[Peripheral], entry: Entry) -> Connector:
        address = entry.address
        if address.startswith(DEVICE_SCHEME):
            if self._ask is None:
                raise Misconfigured("no till can lend anything here")
            return DeviceConnector.of(address, self._ask)
        if address:
            return connector(address, self._places)
        if entry.via:
            return Nowhere(f"via {entry.via}")
        if driver.key.startswith(SIMULATED):
            return Nowhere(driver.key)
        if not (examples := addresses_of(driver)):
            raise Misconfigured(f"{driver.key} needs via: the printer that it hangs on")
        raise Misconfigured(f"{driver.key} needs an address, e.g. {' or '.join(examples)}")

    def _take(self, module: str) -> None:
        try:
            found = importlib.import_module(f"{drivers.__name__}.{module}")
        except ImportError as error:
            raise Misconfigured(f"the driver {module} can't be loaded: {error}") from error
        given = getattr(found, "DRIVERS", None) or [getattr(found, "DRIVER", None)]
        for one in given:
            if one is not None:
                self._known[one.key] = one


def addresses_of(driver: type[Peripheral]) -> tuple[str, ...]:
    """An example of each kind of address that a driver takes."""
    schemes: tuple[str, ...]
    if driver.key.startswith(SIMULATED):
        return ()
    if driver.key.startswith("lent-"):
        return (f"{DEVICE_SCHEME}till-01",)
    match driver.category:
        case Category.DRAWER:
            return ()
        case Category.SCANNER:
            schemes = ("hid",) if driver.key.startswith("hid-") else ("serial",)
        case Category.SCALE:
            schemes = ("serial", "tcp")
        case Category.PRINTER:
            schemes = ("tcp", "usb", "usb-raw", "serial")
        case Category.DISPLAY:
            schemes = ("tcp", "usb", "serial")
        case Category.TERMINAL:
            return ("tcp://192.0.2.9:8443",)
    return tuple(EXAMPLES[one] for one in schemes)
