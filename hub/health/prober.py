"""Keeps measurements at hand: each probe runs now and then, in a thread or within its time.

Whoever asks for ``latest`` never waits.  A probe that fails or takes too long leaves what it found
before, and is logged once until it works again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from hub.clock import Clock
from hub.health.facts import NOTHING_MEASURED, Measured

log = logging.getLogger(__name__)

TIME_MAX_S: Final = 25.0


@dataclass(frozen=True, slots=True)
class Probe:
    """``part`` is the field of :class:`Measured` that ``measure`` fills.  ``wanted``: whether it
    is worth looking now; when it isn't, what was found is forgotten."""

    part: str
    every_s: float
    measure: Callable[[], Awaitable[Any]]
    wanted: Callable[[], bool] = lambda: True


def in_thread(measure: Callable[[], Any]) -> Callable[[], Awaitable[Any]]:
    """A probe that blocks, as one that doesn't."""
    return lambda: asyncio.to_thread(measure)


class Prober:
    """``look`` runs what is due; call it every few seconds."""

    def __init__(self, clock: Clock, probes: Sequence[Probe]) -> None:
        self._clock = clock
        self._probes = tuple(probes)
        self._looked_s: dict[str, float] = {}
        self._failing: set[str] = set()
        self._running: set[str] = set()
        self._latest = NOTHING_MEASURED

    def latest(self) -> Measured:
        """What was found last."""
        return self._latest

    def replace_probe(self, part: str, measure: Callable[[], Awaitable[Any]]) -> None:
        """Measure ``part`` otherwise from now on; what was found stays until then."""
        self._probes = tuple(
            replace(one, measure=measure) if one.part == part else one for one in self._probes
        )

    async def look(self, part: str | None = None) -> None:
        """Run what is due, or ``part`` at once.  Errors: none of the probes'."""
        now_s = self._clock.monotonic_s()
        due = [
            one
            for one in self._probes
            if (part == one.part or (part is None and self._is_due(one, now_s)))
            and one.part not in self._running
        ]
        for probe in due:
            if not probe.wanted():
                self._forget(probe)
        await asyncio.gather(*(self._measure(one) for one in due if one.wanted()))

    def _is_due(self, probe: Probe, now_s: float) -> bool:
        looked_s = self._looked_s.get(probe.part)
        return looked_s is None or now_s - looked_s >= probe.every_s

    def _forget(self, probe: Probe) -> None:
        self._looked_s.pop(probe.part, None)
        empty = getattr(NOTHING_MEASURED, probe.part)
        if getattr(self._latest, probe.part) != empty:
            self._latest = replace(self._latest, **{probe.part: empty})

    async def _measure(self, probe: Probe) -> None:
        self._running.add(probe.part)
        self._looked_s[probe.part] = self._clock.monotonic_s()
        try:
            async with asyncio.timeout(TIME_MAX_S):
                found = await probe.measure()
        except Exception as error:
            if probe.part not in self._failing:
                self._failing.add(probe.part)
                log.warning("the box's %s can't be measured: %r", probe.part, error)
        else:
            self._failing.discard(probe.part)
            self._latest = replace(self._latest, **{probe.part: found})
        finally:
            self._running.discard(probe.part)
