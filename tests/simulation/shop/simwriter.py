"""The hub's writer and readers on virtual time, with the interleavings that threads would have.

The writer's turn comes some moments after a request was taken in, and its answers reach the loop
some moments after the commit, so that a hub can die in between.  While a reader is between two of
its statements, a batch that waits may be committed: that is what another thread could do there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from hub.storage.errors import WriterStopped
from hub.storage.readers import LoopReader
from hub.storage.rows import Row, Rows, Tx
from hub.storage.writer import Job, Outcome, Work, WriterCore
from tests.simulation.kernel import Process

IDLE_CHECKPOINT_S = 2.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Ranges of virtual seconds: until the writer takes a batch, and until the loop hears of it;
    ``interleave`` is the chance of a commit between two statements of a reader."""

    turn_s: tuple[float, float] = (0.0001, 0.004)
    answer_s: tuple[float, float] = (0.0001, 0.003)
    interleave: float = 0.1


class SimWriter:
    """What :class:`~hub.storage.writer_thread.WriterThread` is, without the thread.

    Everything that waits shares a batch.  One checkpoint follows two seconds after the last work.
    ``listeners`` are given the notices of what was committed, in order.
    """

    def __init__(
        self,
        process: Process,
        core: WriterCore,
        random: Random,
        pace: Pace,
        *,
        on_fatal: Callable[[Exception], None],
    ) -> None:
        self.core = core
        self.listeners: list[Callable[[Sequence[object]], None]] = []
        self._process = process
        self._random = random
        self._pace = pace
        self._on_fatal = on_fatal
        self._stopping = False
        self._due = False
        self._at_work = False
        self._deadline_s = 0.0
        self._checking = False
        self._drained = asyncio.Event()
        self.depth = 0
        self.alive = True
        self._answers_at_s = 0.0

    @property
    def full(self) -> bool:
        """True after a COMMIT found the disk full, until one succeeds."""
        return self.core.full

    def submit(
        self,
        work: Work,
        *,
        refused: Callable[[Tx, Exception], Any] | None = None,
        background: bool = False,
    ) -> asyncio.Future[Any]:
        """As the thread's: a future resolved after COMMIT."""
        future: asyncio.Future[Any] = self._process.world.loop.create_future()
        if self._stopping or self.core.fatal is not None:
            raise WriterStopped("the hub is stopping")
        self.core.offer(Job(work, future, refused), background=background)
        self.depth += 1
        self._plan()
        return future

    async def stop(self) -> None:
        """Write what was taken in, then close the connection."""
        self._stopping = True
        if not self.core.idle:
            self._plan()
            await self._drained.wait()
        self._end()

    def interleave(self) -> None:
        """Somewhere between two statements of a reader."""
        if self._due and not self._at_work and self._random.random() < self._pace.interleave:
            self._process.world.count("commit between two reads")
            self._batch()

    def _plan(self) -> None:
        if not self._due:
            self._due = True
            self._process.later(self._random.uniform(*self._pace.turn_s), self._turn)

    def _turn(self) -> None:
        self._due = False
        if self.alive:
            self._batch()

    def _batch(self) -> None:
        core = self.core
        self._at_work = True
        outcomes = core.run_once()
        self._at_work = False
        if len(outcomes) > 1:
            self._process.world.count("batch of several")
        if core.fatal is not None:
            outcomes += core.abandon(core.fatal)
        if outcomes:
            self._tell(self._resolve, outcomes)
        if core.fatal is not None:
            self._tell(self._on_fatal, core.fatal)
            self._end()
            return
        if not core.idle:
            self._plan()
            return
        self._check_later()
        if self._stopping:
            self._drained.set()

    def _tell(self, callback: Callable[..., None], *what: Any) -> None:
        """On the loop, later, in order."""
        now_s = self._process.world.loop.time()
        at_s = max(now_s + self._random.uniform(*self._pace.answer_s), self._answers_at_s + 1e-6)
        self._answers_at_s = at_s
        self._process.later(at_s - now_s, callback, *what)

    def _resolve(self, outcomes: list[Outcome]) -> None:
        self.depth -= len(outcomes)
        notices: list[object] = []
        for outcome in outcomes:
            notices.extend(outcome.notices)
            future: asyncio.Future[Any] = outcome.job.reply_to
            if future.done():
                continue
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.value)
        if notices:
            for listen in self.listeners:
                listen(notices)

    def _check_later(self) -> None:
        self._deadline_s = self._process.world.loop.time() + IDLE_CHECKPOINT_S
        if not self._checking:
            self._checking = True
            self._process.later(IDLE_CHECKPOINT_S, self._check)

    def _check(self) -> None:
        self._checking = False
        left_s = self._deadline_s - self._process.world.loop.time()
        if not self.alive or self._due:
            return
        if left_s > 1e-3:
            self._checking = True
            self._process.later(left_s, self._check)
            return
        self._at_work = True
        self.core.checkpoint()
        self._at_work = False
        if self.core.fatal is not None:
            self._tell(self._on_fatal, self.core.fatal)
            self._end()

    def _end(self) -> None:
        self.alive = False
        self._drained.set()
        self.core.conn.close()


class SimRows:
    """A reader beside the writer; see the module's text."""

    def __init__(self, path: Path, writer: SimWriter) -> None:
        self._reader = LoopReader(path)
        self._writer = writer

    @property
    def quiet(self) -> LoopReader:
        """For who only looks on: nothing is committed between two statements."""
        return self._reader

    def one(self, sql: str, *params: Any) -> Row | None:
        self._writer.interleave()
        return self._reader.one(sql, *params)

    def all(self, sql: str, *params: Any) -> list[Row]:
        self._writer.interleave()
        return self._reader.all(sql, *params)

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()


class SimReaders:
    """Longer reads: they begin later, and their results come later still."""

    def __init__(self, process: Process, path: Path, writer: SimWriter) -> None:
        self._loop = process.world.loop
        self._rows = SimRows(path, writer)

    async def read(self, query: Callable[[Rows], Any]) -> Any:
        """Run ``query`` as in a thread."""
        return await self._loop.run_in_executor(None, query, self._rows)

    def close(self) -> None:
        """Close the connection."""
        self._rows.close()
