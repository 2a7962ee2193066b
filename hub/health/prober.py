"""Keeps measurements at hand: each probe runs now and then, beside everything else.

Whoever asks for ``latest`` never waits.  A probe that fails leaves what it found before, and is
logged once until it works again.  One that doesn't come back (a disk that hangs keeps its thread)
is not started a second time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from hub.clock import Clock
from hub.health.facts import NOTHING_MEASURED, Measured

log = logging.getLogger(__name__)

TIME_MAX_S: Final = 15.0
THREADS: Final = 2


@dataclass(frozen=True, slots=True)
class Probe:
    """``part`` is the field of :class:`Measured` that ``measure`` fills; ``late`` what it is given
    when that takes too long (None: as it was).  ``blocking``: ``measure`` runs in a thread."""

    part: str
    every_s: float
    measure: Callable[[], Any]
    blocking: bool = False
    late: Any = None


class Prober:
    """``look`` runs what is due; call it every few seconds, and ``close`` at the end."""

    def __init__(
        self, clock: Clock, probes: Sequence[Probe], *, time_max_s: float = TIME_MAX_S
    ) -> None:
        self._clock = clock
        self._probes = {one.part: one for one in probes}
        self._time_max_s = time_max_s
        self._looked_s: dict[str, float] = {}
        self._failing: set[str] = set()
        self._running: dict[str, asyncio.Future[Any]] = {}
        self._latest = NOTHING_MEASURED
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="hub-probe")

    def latest(self) -> Measured:
        """What was found last."""
        return self._latest

    def replace_probe(self, part: str, measure: Callable[[], Awaitable[Any]]) -> None:
        """Measure ``part`` otherwise from now on; what was found stays until then."""
        probe = self._probes[part]
        self._probes[part] = replace(probe, measure=measure, blocking=False)

    async def look(self, part: str | None = None) -> None:
        """Run what is due, or ``part`` at once; what runs already is waited for.  Returns within
        15 s.  Errors: none of the probes'."""
        now_s = self._clock.monotonic_s()
        for probe in self._probes.values():
            asked = part == probe.part
            if probe.part in self._running or not (asked or (not part and self._due(probe, now_s))):
                continue
            self._looked_s[probe.part] = now_s
            running = asyncio.ensure_future(self._begun(probe))
            self._running[probe.part] = running
            running.add_done_callback(partial(self._ended, probe))
        waited = [one for name, one in self._running.items() if part in (None, name)]
        if waited:
            await asyncio.wait(waited, timeout=self._time_max_s)
        for name in [name for name, one in self._running.items() if one in waited]:
            self._is_late(self._probes[name])

    async def close(self) -> None:
        """End what runs; a thread that hangs is left to itself."""
        for running in list(self._running.values()):
            running.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begun(self, probe: Probe) -> Awaitable[Any]:
        if probe.blocking:
            return asyncio.get_running_loop().run_in_executor(self._threads, probe.measure)
        measuring: Awaitable[Any] = probe.measure()
        return measuring

    def _due(self, probe: Probe, now_s: float) -> bool:
        looked_s = self._looked_s.get(probe.part)
        return looked_s is None or now_s - looked_s >= probe.every_s

    def _ended(self, probe: Probe, done: asyncio.Future[Any]) -> None:
        self._running.pop(probe.part, None)
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            self._warn(probe, repr(error))
            return
        self._failing.discard(probe.part)
        self._latest = replace(self._latest, **{probe.part: done.result()})

    def _is_late(self, probe: Probe) -> None:
        self._warn(probe, f"it takes longer than {self._time_max_s:g} s")
        if probe.late is not None:
            self._latest = replace(self._latest, **{probe.part: probe.late})

    def _warn(self, probe: Probe, why: str) -> None:
        if probe.part not in self._failing:
            self._failing.add(probe.part)
            log.warning("the box's %s can't be measured: %s", probe.part, why)
