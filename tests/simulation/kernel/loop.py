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

STEPS_MAX = 5_000_000
THREAD_S = (0.00005, 0.004)
"""How long work in a thread takes until it is done, and again until the loop hears of it."""


class Endless(RuntimeError):
    """The run takes so many steps that it can't be expected to end."""


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
        self._timers: list[tuple[float, int, TimerHandle]] = []
        self._planned = 0
        self._lanes: dict[Owner | None, deque[Handle]] = {}
        self._busy_until_s: dict[int, float] = {}
        self._executors: list[Any] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self.steps = 0
        self.set_exception_handler(self._on_exception)
        self.faults: list[str] = []

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """Kept until the end: were the garbage collector to close what a dead process was doing,
        its ``finally`` would run."""
        task = super().create_task(coro, **options)
        self._tasks.append(task)
        return task

    def forget(self) -> None:
        """Let go of all tasks without a word about those that never ended."""
        for task in self._tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._tasks.clear()

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

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """In its owner's lane at once."""
        handle = Handle(callback, args, self, context)
        self._line_up(handle)
        return handle

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> TimerHandle:
        """Plan something for a virtual instant."""
        timer = TimerHandle(when, callback, args, self, context)
        self._planned += 1
        heapq.heappush(self._timers, (when, self._planned, timer))
        return timer

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> TimerHandle:
        """Plan something for later."""
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def _run_once(self) -> None:
        lanes = self._lanes
        if not lanes:
            self._pass_time()
        owner = next(iter(lanes)) if len(lanes) == 1 else self._random.choice(list(lanes))
        lane = lanes[owner]
        handle = lane.popleft()
        if not lane:
            del lanes[owner]
        if not handle._cancelled and (owner is None or owner.alive):
            self.steps += 1
            if self.steps > STEPS_MAX:
                raise Endless(f"more than {STEPS_MAX} steps: the run doesn't end")
            handle._run()

    def _line_up(self, handle: Handle) -> None:
        owner = handle._context.get(OWNER)  # type: ignore[attr-defined]
        lane = self._lanes.get(owner)
        if lane is None:
            self._lanes[owner] = deque((handle,))
        else:
            lane.append(handle)

    def _pass_time(self) -> None:
        """Go to the next instant for which something is planned, and make all of it ready."""
        timers = self._timers
        while timers:
            when_s, _, timer = heapq.heappop(timers)
            if timer._cancelled:
                continue
            owner = timer._context.get(OWNER)  # type: ignore[attr-defined]
            if owner is not None and not owner.alive:
                continue
            self._now_s = max(self._now_s, when_s)
            self._line_up(timer)
            while timers and timers[0][0] <= self._now_s:
                timer = heapq.heappop(timers)[2]
                if not timer._cancelled:
                    self._line_up(timer)
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
