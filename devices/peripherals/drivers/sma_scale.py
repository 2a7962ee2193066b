"""Scales that speak the protocol of the Scale Manufacturers Association (SCP-0499)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from devices.peripherals.model import (
    Connector,
    Gone,
    Identity,
    Option,
    PeripheralError,
    Scale,
    Told,
    Unfit,
    Unreachable,
    Weight,
    Wire,
    World,
)
from devices.peripherals.scanning.reading import choice, number
from devices.peripherals.weighing import sma
from devices.peripherals.weighing.reading import Nonsense, Reading
from devices.peripherals.weighing.watch import Watch

ANSWER_S: Final = 1.0
SILENCES_MAX: Final = 3
_FIELDS_MAX: Final = 12
_LEAVE_S: Final = 0.5


class Mode(StrEnum):
    """``repeat``: the scale sends the weight by itself; ``poll``: it is asked each time."""

    REPEAT = "repeat"
    POLL = "poll"


class SmaScale(Scale):
    """Reads the weight all the time; weights in kg, g, lb and oz become grams."""

    key = "sma-scale"
    title = "Scale, SMA protocol"
    option_help = {
        "mode": "repeat (the scale sends by itself) or poll (it is asked); repeat",
        "poll_ms": "with mode poll: how often it is asked, 100 to 5000 ms; 500",
    }

    def __init__(
        self,
        connector: Connector,
        world: World,
        tell: Callable[[Told], None],
        options: Mapping[str, Option] | None = None,
    ) -> None:
        super().__init__(connector, world, tell, options)
        self._mode = choice(self.options, "mode", Mode, Mode.REPEAT)
        self._poll_s = number(self.options, "poll_ms", 100, 5000, 500) / 1000
        self._watch = Watch(world.clock, tell)
        self._frames = sma.Frames()

    async def weigh(self, timeout_s: float) -> Weight:
        return await self._watch.at_rest(timeout_s)

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        wire = await self.connector.open()
        self._frames = sma.Frames()
        try:
            await wire.write(sma.ABORT)  # it may still repeat what another run has asked for
            identity = await self._identify(wire)
            first = await self._asked(wire, sma.ASK) or await self._asked(wire, sma.ASK)
            if first is None:
                raise Unreachable(
                    "The scale doesn't answer: switch it on, and give its line's settings in the"
                    " address, usually ?baud=9600."
                )
            if isinstance(first, Nonsense):
                raise Unfit(first.why)
            self._watch.opened()
            ready(identity)
            self._watch.take(first)
            await self._stay(wire)
        finally:
            self._watch.closed()
            await _leave(wire)

    async def _stay(self, wire: Wire) -> None:
        silences = 0
        command = sma.REPEAT if self._mode is Mode.REPEAT else sma.ASK
        while silences < SILENCES_MAX:
            reading = await self._asked(wire, command)
            if self._mode is Mode.REPEAT:
                command = b"" if reading is not None else sma.REPEAT
            silences = silences + 1 if reading is None else 0
            if reading is not None:
                self._watch.take(reading)
            if self._mode is Mode.POLL:
                await self._watch.pause(self._poll_s)
        raise Gone("The scale has stopped answering: check that it is switched on, and its cable.")

    async def _asked(self, wire: Wire, command: bytes) -> Reading | Nonsense | None:
        """The newest reading that comes within a second; an empty command only listens."""
        frames = await self._heard(wire, command)
        return sma.answer(frames[-1]) if frames else None

    async def _heard(self, wire: Wire, command: bytes) -> list[str]:
        try:
            async with asyncio.timeout(ANSWER_S):
                if command:
                    await wire.write(command)
                while True:
                    if found := self._frames.feed(await wire.read()):
                        return found
        except TimeoutError:
            return []

    async def _identify(self, wire: Wire) -> Identity:
        """What it says about itself; a scale of level 1 may say nothing."""
        said: dict[str, str] = {}
        command = sma.ABOUT
        for _ in range(_FIELDS_MAX):
            frames = await self._heard(wire, command)
            fields = [sma.about(frame) for frame in frames]
            if not fields or None in fields or ("END", "") in fields:
                break
            said.update(field for field in fields if field is not None)
            command = sma.MORE
        return Identity(
            said.get("MFG", ""), said.get("MOD", ""), said.get("REV", ""), said.get("SN", "")
        )


async def _leave(wire: Wire) -> None:
    """Ask it to stop repeating, if it still listens, and close."""
    try:
        with contextlib.suppress(PeripheralError, TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                await wire.write(sma.ABORT)
    finally:
        await wire.close()


DRIVER = SmaScale
