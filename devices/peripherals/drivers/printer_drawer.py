"""A cash drawer on a receipt printer's connector (RJ12): kicked by the printer, sensed by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import ClassVar, Final, Protocol, runtime_checkable

from devices.peripherals.model import (
    Capabilities,
    CashDrawer,
    ConditionsAre,
    Connector,
    DrawerMoved,
    Ended,
    Gone,
    Identity,
    Misconfigured,
    Option,
    Outcome,
    Peripheral,
    POSPrinter,
    Told,
    Unreachable,
    World,
)

_SENSED_S: Final = 2.0


@runtime_checkable
class Senses(Protocol):
    """A printer that tells the level of the drawer's contact."""

    def watch_pin3(self, watcher: Callable[[bool], None]) -> None:
        """Have it told each time it is looked at; True: high."""

    async def look(self) -> object:
        """Look now.  Errors: :class:`Gone`."""


@runtime_checkable
class Linked(Protocol):
    """A printer that tells when it comes and goes."""

    async def until(self, *, connected: bool) -> None:
        """Returns as soon as it is connected, or isn't."""


class PrinterDrawer(CashDrawer):
    """Opened by its printer (``via``), on the configured pin only.

    Whether it is open is known where the drawer has a contact and ``sensor`` says which level
    means open; there is no contact if it isn't given.
    """

    key: ClassVar[str] = "printer-drawer"
    title: ClassVar[str] = "Cash drawer on a receipt printer"
    option_help: ClassVar[Mapping[str, str]] = {
        "pin": "2 or 5: of the printer's connector; 2 when it isn't given",
        "pulse_ms": "20 to 500: how long the magnet is on; 100 when it isn't given",
        "sensor": "open-high, open-low or none: which level of pin 3 means that it is open; none"
        " when it isn't given",
    }

    def __init__(
        self,
        connector: Connector,
        world: World,
        tell: Callable[[Told], None],
        options: Mapping[str, Option] | None = None,
    ) -> None:
        super().__init__(connector, world, tell, options)
        self._pin = _number(self.options, "pin", 2)
        if self._pin not in (2, 5):
            raise Misconfigured(f"pin is 2 or 5, not {self._pin}")
        self._pulse_ms = _number(self.options, "pulse_ms", 100)
        if not 20 <= self._pulse_ms <= 500:
            raise Misconfigured(f"pulse_ms is 20 to 500, not {self._pulse_ms}")
        sensor = self.options.get("sensor", "none")
        if sensor not in ("open-high", "open-low", "none"):
            raise Misconfigured(f"sensor is open-high, open-low or none, not {sensor!r}")
        self._open_level = None if sensor == "none" else sensor == "open-high"
        self._printer: POSPrinter | None = None
        self._moved = asyncio.Event()

    @property
    def capabilities(self) -> Capabilities:
        sensed = self._open_level is not None
        return Capabilities(frozenset({"status"}) if sensed else frozenset(), confirms=sensed)

    def hang_on(self, host: Peripheral) -> None:
        """See :class:`devices.peripherals.model.HangsOn`."""
        if not isinstance(host, POSPrinter):
            raise Misconfigured("a drawer hangs on a receipt printer: via has to name one")
        if self._open_level is not None:
            if not isinstance(host, Senses):
                raise Misconfigured(f"{host.key} can't sense a drawer: set sensor to none")
            host.watch_pin3(self._level)
        self._printer = host

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        """Ready while its printer is connected."""
        if self._printer is None:
            raise Unreachable("the drawer's printer isn't there: its via has to name one")
        linked = self._printer if isinstance(self._printer, Linked) else None
        if linked is not None:
            await linked.until(connected=True)
        ready(Identity())
        if isinstance(self._printer, Senses) and self._open_level is not None:
            with suppress(Gone):
                await self._printer.look()
        if linked is None:
            await asyncio.Event().wait()  # it comes and goes without telling
        else:
            await linked.until(connected=False)
        self.opened = None
        self.tell(ConditionsAre(frozenset()))
        raise Gone("the drawer's printer is gone")

    async def open(self) -> Ended:
        """Kick it.  ``confirmed``: the contact was seen to open."""
        printer = self._printer
        if printer is None:
            return Ended(Outcome.NOT_BEGUN, "the drawer's printer isn't there")
        ended = await printer.kick(self._pin, self._pulse_ms)
        if ended.outcome is not Outcome.PRINTED:
            return ended
        if self._open_level is None or not isinstance(printer, Senses):
            return Ended(Outcome.PRINTED)
        seen = await self._seen_open(printer)
        reason = "" if seen else "the pulse was sent, and the drawer wasn't seen to open"
        return Ended(Outcome.PRINTED, reason, confirmed=seen)

    async def _seen_open(self, printer: Senses) -> bool:
        with suppress(TimeoutError, Gone):
            async with asyncio.timeout(_SENSED_S):
                while not self.opened:
                    self._moved.clear()
                    await printer.look()
                    if not self.opened:
                        await asyncio.sleep(0.1)
        return bool(self.opened)

    def _level(self, high: bool) -> None:
        now = high is self._open_level
        if now is self.opened:
            return
        before, self.opened = self.opened, now
        self.tell(ConditionsAre(frozenset({"drawer-open"}) if now else frozenset()))
        if before is not None or now:
            self.tell(DrawerMoved(now))


def _number(options: Mapping[str, Option], name: str, default: int) -> int:
    value = options.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Misconfigured(f"{name} is a number, not {value!r}")
    return value


DRIVER = PrinterDrawer
