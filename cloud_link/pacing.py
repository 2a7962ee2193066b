"""How often the OMS is asked: back-off, retry budget and circuit breaker of the whole link."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cloud_link.errors import OmsError, Refused, Transient
from hub import events
from hub.clock import Clock, Randomness
from hub.domain.schedule import Breaker, BreakerState, RetryBudget, backoff_s

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]
log = logging.getLogger(__name__)

CANCEL_AGAIN_S = 0.2


async def first_of(event: asyncio.Event, seconds: float, sleep: Sleep) -> bool:
    """Wait until ``event`` is set (True) or ``seconds`` have passed (False)."""
    if event.is_set():
        return True
    waiting = asyncio.ensure_future(event.wait())
    sleeping = asyncio.ensure_future(sleep(seconds))
    try:
        await asyncio.wait({waiting, sleeping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in (waiting, sleeping):
            one.cancel()
        await asyncio.gather(waiting, sleeping, return_exceptions=True)
    return event.is_set()


class Pacer:
    """Shared by all parts of one link.  ``on_answer`` is called after every answer and failure:
    with None, or with the failure."""

    def __init__(
        self,
        *,
        clock: Clock,
        randomness: Randomness,
        sleep: Sleep,
        base_s: float,
        cap_s: float,
        on_answer: Callable[[OmsError | None], None],
    ) -> None:
        self._clock = clock
        self._randomness = randomness
        self._sleep = sleep
        self._base_s = base_s
        self._cap_s = cap_s
        self._on_answer = on_answer
        self._breaker = Breaker()
        self._budget = RetryBudget()
        self._budget_at_s = clock.monotonic_s()
        self._moved = asyncio.Event()

    def uniform(self, low: float, high: float) -> float:
        """Jitter for periodic work."""
        return self._randomness.uniform(low, high)

    async def call(self, send: Callable[[bool], Awaitable[T]]) -> T:
        """Send until there is an answer; what couldn't be sent is tried again without end.

        ``send(probing)`` is told when it is the one probe of an open breaker: it should be quick.
        Errors: every :class:`OmsError` that is an answer.
        """
        attempt = 0
        while True:
            probing = await self._turn()
            if attempt == 0:
                self._budget = self._refilled().earned()
            try:
                value = await send(probing)
            except (Transient, Refused) as error:
                await self._after_failure(error, attempt)
                attempt += 1
            except OmsError:
                self._answered()
                raise
            except asyncio.CancelledError:
                if probing:  # its report will never come: let another one probe at once
                    self._breaker = self._breaker.failed(self._clock.monotonic_s(), 0.0)
                    self._moved.set()
                raise
            else:
                self._answered()
                return value

    async def _turn(self) -> bool:
        while True:
            now_s = self._clock.monotonic_s()
            self._breaker, allowed = self._breaker.ask(now_s)
            if allowed:
                return self._breaker.state is not BreakerState.CLOSED
            self._moved.clear()
            await first_of(self._moved, max(0.05, self._breaker.retry_at_s - now_s), self._sleep)

    def _answered(self) -> None:
        was = self._breaker.state
        self._breaker = self._breaker.succeeded()
        if was is not BreakerState.CLOSED and self._breaker.state is BreakerState.CLOSED:
            self._moved.set()
        self._on_answer(None)

    async def _after_failure(self, error: Transient | Refused, attempt: int) -> None:
        retry_after_s = error.retry_after_s if isinstance(error, Transient) else self._cap_s
        self._breaker = self._breaker.failed(
            self._clock.monotonic_s(), self._delay_s(self._breaker.trips + 1, retry_after_s)
        )
        self._moved.set()
        self._on_answer(error)
        level = logging.DEBUG if attempt else logging.INFO
        log.log(
            level,
            "the OMS gave no answer (attempt %d): %s",
            attempt + 1,
            error,
            extra=events.CLOUD_SILENT(attempt=attempt + 1),
        )
        await self._sleep(self._delay_s(attempt, retry_after_s))
        while (budget := self._refilled().spend()) is None:
            await self._sleep(max(0.05, self._budget.wait_s()))
        self._budget = budget

    def _delay_s(self, attempt: int, retry_after_s: float) -> float:
        def within(low: float, high: float) -> float:
            return self._randomness.uniform(low, min(self._cap_s, self._base_s * high))

        return backoff_s(attempt, within, retry_after_s)

    def _refilled(self) -> RetryBudget:
        now_s = self._clock.monotonic_s()
        self._budget = self._budget.elapsed(now_s - self._budget_at_s)
        self._budget_at_s = now_s
        return self._budget


async def cancelled(*tasks: asyncio.Task[None]) -> None:
    """End tasks and wait until they have ended.

    Asked more than once: on Python 3.11 a ``wait_for`` that is done at the very moment swallows a
    cancellation.
    """
    pending = list(tasks)  # ended in order: a set of objects has none
    interrupted = False
    while pending:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)
        except asyncio.CancelledError:
            interrupted = True  # we are being ended too, but not before these have
        pending = [task for task in pending if not task.done()]
    if interrupted:
        raise asyncio.CancelledError
