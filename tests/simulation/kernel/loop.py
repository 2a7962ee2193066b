"""An event loop on virtual time whose every choice comes from a seed.

Time passes only when nothing is left to do.  Among the processes that have something to do, one is
drawn; inside a process the order is asyncio's own.  What code gives to threads is run in the loop,
some virtual time later.  What belongs to a dead process is never run again: no ``finally``, no
callback, as after ``kill -9``.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import Handle, TimerHandle
from collections import deque
from collections.abc import Callable
from contextvars import Context, ContextVar
from random import Random
from typing import Any, Protocol

STEPS_MAX = 50_000_000
THREAD_S = (0.00005, 0.004)
"""How long work in a thread takes until it is done, and again until the loop hears of it."""


class Killed(BaseException):
    """Raised at a crash point in the process that dies there."""


class Owner(Protocol):
    """What handles belong to."""

    @property
    def alive(self) -> bool:
        """False: its handles are never run."""


OWNER: ContextVar[Owner | None] = ContextVar("owner", default=None)


class VirtualLoop(asyncio.BaseEventLoop):
    """See the module's text.  ``steps`` counts handles run."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self._now_s = 0.0
        self._lanes: dict[Owner | None, deque[Handle]] = {}
        self._busy_until_s: dict[int, float] = {}
        self._executors: list[Any] = []
        self.steps = 0
        self.set_exception_handler(self._on_exception)
        self.faults: list[str] = []

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._now_s

    # What BaseEventLoop leaves to its children ---------------------------------------------------

    def _process_events(self, event_list: Any) -> None:
        raise NotImplementedError

    def _write_to_self(self) -> None:
        return

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        return self.call_soon(callback, *args, context=context)

    def _run_once(self) -> None:
        self._sort_ready()
        if not self._lanes:
            self._pass_time()
            self._sort_ready()
        owner = self._draw()
        lane = self._lanes[owner]
        handle = lane.popleft()
        if not lane:
            del self._lanes[owner]
        if not handle.cancelled() and (owner is None or owner.alive):
            self.steps += 1
            if self.steps > STEPS_MAX:
                raise RuntimeError(f"more than {STEPS_MAX} steps: the run doesn't end")
            handle._run()

    def _sort_ready(self) -> None:
        ready: deque[Handle] = self._ready  # type: ignore[attr-defined]
        while ready:
            handle = ready.popleft()
            owner = handle._context.get(OWNER)  # type: ignore[attr-defined]
            self._lanes.setdefault(owner, deque()).append(handle)

    def _draw(self) -> Owner | None:
        if len(self._lanes) == 1:
            return next(iter(self._lanes))
        return self._random.choice(list(self._lanes))

    def _pass_time(self) -> None:
        """Go to the next instant for which something is planned, and make all of it ready."""
        scheduled: list[TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        ready: deque[Handle] = self._ready  # type: ignore[attr-defined]
        while scheduled:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False  # type: ignore[attr-defined]
            if timer.cancelled():
                continue
            owner = timer._context.get(OWNER)  # type: ignore[attr-defined]
            if owner is not None and not owner.alive:
                continue
            self._now_s = max(self._now_s, timer.when())
            ready.append(timer)
            while scheduled and scheduled[0].when() <= self._now_s:
                timer = heapq.heappop(scheduled)
                timer._scheduled = False  # type: ignore[attr-defined]
                if not timer.cancelled():
                    ready.append(timer)
            return
        raise RuntimeError("nothing is left to happen, and the run is not over")

    # Threads -------------------------------------------------------------------------------------

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run ``func`` in the loop, later; an executor of one's own keeps its order."""
        future: asyncio.Future[Any] = self.create_future()
        start_s = self._now_s + self._random.uniform(*THREAD_S)
        if executor is not None:
            key = id(executor)
            if key not in self._busy_until_s:
                self._executors.append(executor)  # its id stays its own
            start_s = max(start_s, self._busy_until_s.get(key, 0.0) + 1e-6)
            self._busy_until_s[key] = start_s

        def work() -> None:
            try:
                outcome, error = func(*args), None
            except Exception as caught:
                outcome, error = None, caught
            self.call_later(self._random.uniform(*THREAD_S), tell, outcome, error)

        def tell(outcome: Any, error: Exception | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(outcome)

        self.call_at(start_s, work)
        return future

    # Faults --------------------------------------------------------------------------------------

    def _on_exception(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Killed):
            return
        self.faults.append(f"{context.get('message')}: {error!r}")
