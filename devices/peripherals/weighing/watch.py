"""What a scale has shown lately, and who waits for it to come to rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from devices.peripherals.model import Gone, Unfit, Weight
from devices.peripherals.weighing.reading import Nonsense, Reading
from hub.clock import Clock

AGREEING: Final = 2
"""So many readings in a row must be the same: a digit can flip on a line that isn't checked."""
HURRY_S: Final = 0.05
"""Between two questions while somebody waits."""
TELL_EVERY_S: Final = 0.25
"""While it moves; what may be sold by is told at once."""


class Watch:
    """Takes readings; tells weights when they change; lets others wait for the next at rest."""

    def __init__(self, clock: Clock, tell: Callable[[Weight], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._told: Weight | None = None
        self._told_s = 0.0
        self._last: Reading | Nonsense | None = None
        self._times = 0
        self._moved = asyncio.Event()
        self._open = False
        self._waiting = 0
        self._asked = asyncio.Event()

    async def pause(self, poll_s: float) -> None:
        """Until the scale is to be asked again: nearly at once while somebody waits."""
        if self._waiting:
            await asyncio.sleep(HURRY_S)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(poll_s):
                await self._asked.wait()

    def opened(self) -> None:
        """The scale is there."""
        self._open = True

    def closed(self) -> None:
        """The scale is gone: who waits is told so."""
        self._open = False
        self._last, self._times, self._told = None, 0, None
        self._wake()

    def take(self, reading: Reading | Nonsense) -> None:
        """A reading."""
        self._times = self._times + 1 if reading == self._last else 1
        self._last = reading
        self._wake()
        if isinstance(reading, Nonsense):
            return
        weight = reading.weight(self._told.grams if self._told else 0)
        now_s = self._clock.monotonic_s()
        held_back = not weight.stable and now_s - self._told_s < TELL_EVERY_S
        calm = self._told is not None and _alike(weight, self._told)
        if weight != self._told and not (held_back and calm):
            self._told, self._told_s = weight, now_s
            self._tell(weight)

    async def at_rest(self, timeout_s: float) -> Weight:
        """The next weight that something may be sold by.  Errors: as :meth:`Scale.weigh`."""
        self._waiting += 1
        self._times = 0  # what was read before doesn't count
        self._asked.set()
        try:
            async with asyncio.timeout(timeout_s):
                return await self._next()
        except TimeoutError:
            raise Unfit(self._why()) from None
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._asked.clear()

    async def _next(self) -> Weight:
        while True:
            if not self._open:
                raise Gone("The scale isn't there: switch it on and check its cable.")
            last = self._last
            if isinstance(last, Reading) and last.sellable and self._times >= AGREEING:
                return last.weight(0)
            await self._moved.wait()

    def _why(self) -> str:
        match self._last:
            case Nonsense(why):
                return why
            case Reading(overload=True):
                return "More lies on the scale than it can weigh: take something off."
            case Reading(under_zero=True):
                return "The scale shows less than zero: empty it, and set it to zero."
            case None:
                return "The scale doesn't answer: check its cable and the settings of its line."
            case _:
                return "The scale doesn't come to rest: let go of what lies on it, and try again."

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


def _alike(one: Weight, other: Weight) -> bool:
    """Whether they differ in grams only."""
    flags = (one.stable, one.zero, one.overload, one.under_zero)
    return flags == (other.stable, other.zero, other.overload, other.under_zero)
