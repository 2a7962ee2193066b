"""Mettler Toledo scales: 8217, which is asked, and continuous output, which is listened to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from devices.peripherals.model import (
    Connector,
    Gone,
    Identity,
    Misconfigured,
    Option,
    Peripheral,
    Scale,
    Told,
    Unfit,
    Unreachable,
    Weight,
    Wire,
    World,
)
from devices.peripherals.scanning.reading import choice, number
from devices.peripherals.weighing import toledo
from devices.peripherals.weighing.reading import Nonsense, Reading, Unit
from devices.peripherals.weighing.watch import Watch

ANSWER_S: Final = 1.0
SILENCES_MAX: Final = 3
_LINE: Final = "Its line is usually ?baud=9600&bits=7&parity=e in the address."


class ToledoScale(Scale):
    """Asks for the weight a few times a second, and faster while somebody waits for one."""

    key = "toledo-scale"
    title = "Scale, Mettler Toledo 8217"
    option_help = {
        "unit": "what the scale is set to: kg or lb; kg",
        "poll_ms": "how often it is asked while nobody waits, 100 to 5000 ms; 500",
    }

    def __init__(
        self,
        connector: Connector,
        world: World,
        tell: Callable[[Told], None],
        options: Mapping[str, Option] | None = None,
    ) -> None:
        super().__init__(connector, world, tell, options)
        self._unit = choice(self.options, "unit", Unit, Unit.KG)
        if self._unit not in (Unit.KG, Unit.LB):
            raise Misconfigured(f"The option unit is kg or lb, not {self._unit!r}.")
        self._poll_s = number(self.options, "poll_ms", 100, 5000, 500) / 1000
        self._watch = Watch(world.clock, tell)
        self._frames = toledo.Frames()

    async def weigh(self, timeout_s: float) -> Weight:
        return await self._watch.at_rest(timeout_s)

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        wire = await self.connector.open()
        try:
            first = await self._ask(wire) or await self._ask(wire)
            if first is None:
                raise Unreachable(f"The scale doesn't answer: switch it on. {_LINE}")
            if isinstance(first, Nonsense):
                raise Unfit(f"{first.why} {_LINE}")
            self._watch.opened()
            ready(Identity(maker="Mettler Toledo", model="8217"))
            self._watch.take(first)
            await self._poll(wire)
        finally:
            self._watch.closed()
            await wire.close()

    async def _poll(self, wire: Wire) -> None:
        silences = 0
        while silences < SILENCES_MAX:
            await self._watch.pause(self._poll_s)
            reading = await self._ask(wire)
            silences = silences + 1 if reading is None else 0
            if reading is not None:
                self._watch.take(reading)
        raise Gone("The scale has stopped answering: check that it is switched on, and its cable.")

    async def _ask(self, wire: Wire) -> Reading | Nonsense | None:
        """Ask once; None without an answer in time."""
        self._frames.forget()
        try:
            async with asyncio.timeout(ANSWER_S):
                await wire.write(toledo.ASK)
                while True:
                    found = self._frames.feed(await wire.read())
                    if found:
                        return toledo.answer(found[-1], self._unit)
        except TimeoutError:
            return None


class ToledoContinuousScale(Scale):
    """Listens to what the scale sends all the time."""

    key = "toledo-continuous-scale"
    title = "Scale, Mettler Toledo continuous output"
    option_help = {"checksum": "whether a checksum follows each weight: true or false; false"}

    def __init__(
        self,
        connector: Connector,
        world: World,
        tell: Callable[[Told], None],
        options: Mapping[str, Option] | None = None,
    ) -> None:
        super().__init__(connector, world, tell, options)
        checked = self.options.get("checksum", False)
        if not isinstance(checked, bool):
            raise Misconfigured(f"The option checksum is true or false, not {checked!r}.")
        self._checked = checked
        self._watch = Watch(world.clock, tell)

    async def weigh(self, timeout_s: float) -> Weight:
        return await self._watch.at_rest(timeout_s)

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        wire = await self.connector.open()
        frames = toledo.Continuous(checked=self._checked)
        is_ready = False
        try:
            while True:
                for frame in await self._heard(wire, frames, is_ready=is_ready):
                    reading = toledo.continuous(frame)
                    if isinstance(reading, Nonsense) and not is_ready:
                        raise Unfit(reading.why)
                    if not is_ready:
                        is_ready = True
                        self._watch.opened()
                        ready(Identity(maker="Mettler Toledo"))
                    self._watch.take(reading)
        finally:
            self._watch.closed()
            await wire.close()

    async def _heard(self, wire: Wire, frames: toledo.Continuous, *, is_ready: bool) -> list[bytes]:
        try:
            async with asyncio.timeout(ANSWER_S * SILENCES_MAX):
                while True:
                    if found := frames.feed(await wire.read()):
                        return found
        except TimeoutError:
            if is_ready:
                raise Gone("The scale sends no weights any more: check its cable.") from None
            raise Unreachable(
                "The scale sends no weights: switch it on and set it to continuous output, or set"
                " the driver's option checksum as the scale is set."
            ) from None


DRIVERS: tuple[type[Peripheral], ...] = (ToledoScale, ToledoContinuousScale)
