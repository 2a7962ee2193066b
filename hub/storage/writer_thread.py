"""Running the writer in its thread beside an asyncio loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from hub.storage.errors import WriterStopped
from hub.storage.rows import Tx
from hub.storage.writer import Job, Outcome, Work, WriterCore

log = logging.getLogger(__name__)

IDLE_CHECKPOINT_S = 2.0
Notices = Callable[[Sequence[object]], None]


class WriterThread:
    """Takes work from the loop, answers on the loop after COMMIT.

    ``on_notices`` is called on the loop with what committed requests left to be told, after those
    who wait for the requests themselves have gone on: an answer doesn't wait for what it starts;
    ``on_fatal`` when the disk failed in a way that only a restart can clear up.
    """

    def __init__(
        self,
        core: WriterCore,
        *,
        on_notices: Notices,
        on_fatal: Callable[[Exception], None],
    ) -> None:
        self._core = core
        self._on_notices = on_notices
        self._on_fatal = on_fatal
        self._loop = asyncio.get_running_loop()
        self._wake = threading.Condition()
        self._stopping = False
        self._depth = 0
        self._crowded = False
        self._waking = False
        self._thread = threading.Thread(target=self._run, name="hub-writer", daemon=False)
        self._thread.start()

    @property
    def depth(self) -> int:
        """Requests taken in and not yet answered."""
        return self._depth

    @property
    def full(self) -> bool:
        """True after a COMMIT found the disk full, until one succeeds."""
        return self._core.full

    @property
    def alive(self) -> bool:
        """True while the thread runs and can write."""
        return self._thread.is_alive() and self._core.fatal is None

    def submit(
        self,
        work: Work,
        *,
        refused: Callable[[Tx, Exception], Any] | None = None,
        background: bool = False,
    ) -> asyncio.Future[Any]:
        """A future for the work's value, resolved after COMMIT.

        Errors: :class:`~hub.storage.errors.QueueFull` and
        :class:`~hub.storage.errors.WriterStopped` at once; the future raises what the work
        raised, or a :class:`~hub.storage.errors.StorageError`.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        with self._wake:
            if self._stopping or self._core.fatal is not None:
                raise WriterStopped("the hub is stopping")
            self._core.offer(Job(work, future, refused), background=background)
            if not self._crowded:
                self._wake.notify()
        self._depth += 1
        if self._crowded and not self._waking:
            self._waking = True
            self._loop.call_soon(self._wake_up)
        return future

    def _wake_up(self) -> None:
        """Whoever was answered together asks again in the same turn of the loop: the writer is
        woken when all have, not by the first, so that they share a commit again.  One who is
        alone never waits for others."""
        self._waking = False
        with self._wake:
            self._wake.notify()

    async def stop(self) -> None:
        """Write what was taken in, then end the thread and close the connection."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        core = self._core
        try:
            while True:
                with self._wake:
                    idle = (
                        core.idle and not self._stopping and not self._wake.wait(IDLE_CHECKPOINT_S)
                    )
                    if core.idle and self._stopping:
                        return
                outcomes: list[Outcome] = []
                if idle:
                    core.checkpoint()
                else:
                    outcomes = core.run_once()
                if core.fatal is not None:
                    with self._wake:  # nothing is taken in between this and the thread's end
                        outcomes += core.abandon(core.fatal)
                if outcomes:
                    self._loop.call_soon_threadsafe(self._resolve, outcomes)
                if core.fatal is not None:
                    self._loop.call_soon_threadsafe(self._on_fatal, core.fatal)
                    return
        finally:
            core.conn.close()

    def _resolve(self, outcomes: list[Outcome]) -> None:
        self._depth -= len(outcomes)
        self._crowded = len(outcomes) > 1
        notices: list[object] = []
        for outcome in outcomes:
            notices.extend(outcome.notices)
            future: asyncio.Future[Any] = outcome.job.reply_to
            if future.done():
                continue  # the caller gave up; its idempotency key finds the result
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.value)
        if notices:  # the answers go out first
            self._loop.call_soon(self._on_notices, notices)
