"""The one writer: many requests, one transaction, one fsync.

:class:`WriterCore` is plain and synchronous: offer jobs, then ``run_once`` drains, commits and
returns what to resolve.  :class:`WriterThread` runs it in a thread for an asyncio loop; a simulator
calls it directly.

If a job's ``work`` raises, only its own changes are undone; ``refused`` (when given) may then write
what is to be remembered of the refusal.  Nobody is answered before COMMIT has returned.

A savepoint copies every page that a job touches, a quarter of a sale's time, and most jobs that
fail do so before they write.  So a batch runs without savepoints at first; when a job fails that
has written, the batch is rolled back and runs again with one savepoint per job.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from hub import events
from hub.crashpoints import crashpoint
from hub.storage import sqlite
from hub.storage.errors import (
    NotStored,
    OutcomeUnknown,
    QueueFull,
    StorageError,
    StorageFull,
)
from hub.storage.rows import Tx
from hub.storage.sqlite import Connection

log = logging.getLogger(__name__)

Work = Callable[[Tx], Any]
BATCH_MAX = 256
QUEUE_LIMIT = 1000
BACKGROUND_LIMIT = 64
BATCHES_BEFORE_BACKGROUND = 4
CAREFUL_BATCHES = 32
"""How many batches keep savepoints after one of them was needed: clients that err, err again."""
ENDS_THE_BATCH = frozenset({sqlite.FULL, sqlite.IOERR, sqlite.CORRUPT, sqlite.NOTADB})
"""Result codes that are about the disk, not about one request."""


class Instants(Protocol):
    """What the writer asks of time, once per batch."""

    def wall_ms(self) -> int:
        """UTC milliseconds."""

    def budget_ms(self) -> int:
        """The hub's own monotonic milliseconds, going on across restarts."""


class Stopwatch(Protocol):
    """Told how long each transaction took; called in the writer's thread."""

    def now_s(self) -> float:
        """The instant that a transaction begins at."""

    def wrote(self, jobs: int, began_s: float) -> None:
        """It is on disk."""


@dataclass(slots=True, eq=False)
class Job:
    """Work for the writer; ``reply_to`` is whatever the caller resolves with the outcome."""

    work: Work
    reply_to: Any = None
    refused: Callable[[Tx, Exception], Any] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: ``value`` of its work, or ``error``; ``notices`` only after a commit."""

    job: Job
    value: Any = None
    error: Exception | None = None
    notices: tuple[object, ...] = ()


class _NeedsSavepoints(Exception):
    """A job of a batch without savepoints failed after it had written."""


@dataclass(slots=True)
class WriterCore:
    """Queues and the drain-and-commit step, without threads."""

    conn: Connection
    instants: Instants
    batch_max: int = BATCH_MAX
    queue_limit: int = QUEUE_LIMIT
    stopwatch: Stopwatch | None = None
    fatal: Exception | None = None
    full: bool = False
    batches: int = 0
    committed: int = 0
    _urgent: deque[Job] = field(default_factory=deque)
    _background: deque[Job] = field(default_factory=deque)
    _since_background: int = 0
    _careful: int = 0

    def offer(self, job: Job, *, background: bool = False) -> None:
        """Queue a job.  Errors: :class:`QueueFull` at the bound."""
        queue = self._background if background else self._urgent
        limit = BACKGROUND_LIMIT if background else self.queue_limit
        if len(queue) >= limit:
            raise QueueFull(f"{limit} jobs are waiting to be written")
        queue.append(job)

    @property
    def depth(self) -> int:
        """Jobs waiting, without background ones."""
        return len(self._urgent)

    @property
    def idle(self) -> bool:
        """True when nothing waits."""
        return not self._urgent and not self._background

    def run_once(self) -> list[Outcome]:
        """Take the waiting jobs (one batch) through one transaction; what became of each.

        Never raises: after a failure that nothing here can mend, ``fatal`` is set.
        """
        jobs = self._take()
        if not jobs:
            return []
        try:
            return self._commit(jobs)
        except Exception as error:
            failure = self._fail(error)
            return [Outcome(job, error=failure) for job in jobs]

    def checkpoint(self) -> None:
        """Move the log's pages into the file while nobody waits; never blocks readers."""
        try:
            crashpoint("writer.before-checkpoint")
            self.conn.execute("PRAGMA wal_checkpoint(PASSIVE)")
            crashpoint("writer.after-checkpoint")
        except sqlite.Error as error:
            if primary(error) not in (sqlite.FULL, sqlite.BUSY):
                self._fail(error)
            elif not self.full:
                self.full = primary(error) == sqlite.FULL
                log.warning("the log can't be moved into the database now: %s", error)

    def abandon(self, error: Exception) -> list[Outcome]:
        """Give up on everything that waits."""
        jobs = [*self._urgent, *self._background]
        self._urgent.clear()
        self._background.clear()
        return [Outcome(job, error=error) for job in jobs]

    def _take(self) -> list[Job]:
        urgent, background = self._urgent, self._background
        turn = not urgent or self._since_background >= BATCHES_BEFORE_BACKGROUND
        if background and turn:
            self._since_background = 0
            return [background.popleft()]
        self._since_background += 1
        return [urgent.popleft() for _ in range(min(len(urgent), self.batch_max))]

    def _commit(self, jobs: list[Job]) -> list[Outcome]:
        try:
            outcomes = self._attempt(jobs)
        except sqlite.Error as error:
            return self._after_failure(jobs, error)
        self.full = False
        return outcomes

    def _attempt(self, jobs: list[Job]) -> list[Outcome]:
        if self._careful == 0:
            try:
                return self._transact(jobs, self._run_plain)
            except _NeedsSavepoints:
                self._roll_back()
                crashpoint("writer.rolled-back")
                self._careful = CAREFUL_BATCHES
        self._careful -= 1
        return self._transact(jobs, self._run_apart)

    def _transact(self, jobs: list[Job], run: Callable[[Job, Tx], Outcome]) -> list[Outcome]:
        conn = self.conn
        now_ms, budget_ms = self.instants.wall_ms(), self.instants.budget_ms()
        began_s = self.stopwatch.now_s() if self.stopwatch is not None else 0.0
        conn.execute("BEGIN IMMEDIATE")
        outcomes = [run(job, Tx(conn, now_ms, budget_ms)) for job in jobs]
        crashpoint("writer.before-commit")
        conn.execute("COMMIT")
        crashpoint("writer.after-commit")
        self.batches += 1
        self.committed += len(outcomes)
        if self.stopwatch is not None:
            self.stopwatch.wrote(len(outcomes), began_s)
        return outcomes

    def _run_plain(self, job: Job, tx: Tx) -> Outcome:
        """Without a savepoint: whoever fails must not have written anything."""
        written = self.conn.total_changes
        try:
            value = job.work(tx)
        except Exception as error:
            self._still_clean(written, error)
            tx.notices.clear()
            if job.refused is None:
                return Outcome(job, error=error)
            try:
                value = job.refused(tx, error)
            except Exception as second:
                self._still_clean(written, second)
                return Outcome(job, error=second)
        return Outcome(job, value=value, notices=tuple(tx.notices))

    def _still_clean(self, written: int, error: Exception) -> None:
        self._check_goes_on(error)
        if self.conn.total_changes != written:
            raise _NeedsSavepoints from error

    def _run_apart(self, job: Job, tx: Tx) -> Outcome:
        """In a savepoint of its own."""
        conn = self.conn
        conn.execute("SAVEPOINT request")
        try:
            value = job.work(tx)
        except Exception as error:  # one bad request fails alone
            self._undo(tx, error)
            outcome = self._refuse(job, tx, error)
            conn.execute("RELEASE request")
            return outcome
        conn.execute("RELEASE request")
        crashpoint("writer.job-released")
        return Outcome(job, value=value, notices=tuple(tx.notices))

    def _refuse(self, job: Job, tx: Tx, error: Exception) -> Outcome:
        if job.refused is None:
            return Outcome(job, error=error)
        try:
            value = job.refused(tx, error)
        except Exception as second:  # what can't be remembered must not take the batch with it
            self._undo(tx, second)
            return Outcome(job, error=second)
        return Outcome(job, value=value, notices=tuple(tx.notices))

    def _undo(self, tx: Tx, error: Exception) -> None:
        """Take one request's changes back."""
        self._check_goes_on(error)
        self.conn.execute("ROLLBACK TO request")
        tx.notices.clear()

    def _check_goes_on(self, error: Exception) -> None:
        """What ends the whole batch is raised."""
        if not self.conn.in_transaction or primary(error) in ENDS_THE_BATCH:
            raise _as_sqlite_error(error) from error

    def _after_failure(self, jobs: list[Job], error: sqlite.Error) -> list[Outcome]:
        self._roll_back()
        failure = self._meaning(error)
        if isinstance(failure, StorageFull):
            return self._retry_singly(jobs)
        return [Outcome(job, error=failure) for job in jobs]

    def _retry_singly(self, jobs: list[Job]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for job in jobs:
            if self.fatal is not None:
                outcomes.append(Outcome(job, error=NotStored("not tried: the disk failed")))
                continue
            try:
                outcomes += self._attempt([job])
            except sqlite.Error as error:
                self._roll_back()
                outcomes.append(Outcome(job, error=self._meaning(error)))
        return outcomes

    def _meaning(self, error: sqlite.Error) -> StorageError:
        """What the failure of a whole batch means for those who wait."""
        match primary(error):
            case sqlite.FULL:
                self.full = True
                return StorageFull("the disk is full")
            case sqlite.BUSY:
                return NotStored("another process is writing")
            case _:
                return self._fail(error)

    def _fail(self, error: Exception) -> OutcomeUnknown:
        self.fatal = failure = OutcomeUnknown(f"writing failed: {error}")
        log.critical(
            "writing failed; the hub stops and recovers at its next start",
            exc_info=error,
            extra=events.WRITING_FAILED(),
        )
        return failure

    def _roll_back(self) -> None:
        if self.conn.in_transaction:
            self.conn.execute("ROLLBACK")


def primary(error: BaseException) -> int:
    """The SQLite result code behind an error."""
    return sqlite.primary_code(error)


def _as_sqlite_error(error: Exception) -> sqlite.Error:
    if isinstance(error, sqlite.Error):
        return error
    return sqlite.OperationalError(f"the transaction was ended by: {error}")
