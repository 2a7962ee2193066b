"""Many requests, one transaction: what fails, fails alone, and nobody is answered too early."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.storage import sqlite
from hub.storage.database import connect, connect_read_only
from hub.storage.errors import NotStored, OutcomeUnknown, QueueFull, StorageFull
from hub.storage.rows import Tx
from hub.storage.writer import (
    BACKGROUND_LIMIT,
    BATCHES_BEFORE_BACKGROUND,
    CAREFUL_BATCHES,
    Job,
    WriterCore,
)
from tests.fakes import FakeClock
from tests.support.gatebench import FakeInstants


class Refused(Exception):
    """A rule says no."""


@pytest.fixture
def core(tmp_path: Path) -> Iterator[WriterCore]:
    conn = connect(tmp_path / "w.db")
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("CREATE TABLE kept (name TEXT PRIMARY KEY, filling BLOB) STRICT")
    core = WriterCore(conn, FakeInstants(FakeClock()))
    yield core
    core.conn.close()


def keep(name: str, size: int = 0) -> Job:
    """A job that writes one row and leaves one notice."""

    def work(tx: Tx) -> str:
        tx.notices.append(f"{name} is kept")
        tx.run("INSERT INTO kept VALUES (?, zeroblob(?))", name, size)
        return name

    return Job(work)


def fail(name: str, error: Exception) -> Job:
    """A job that writes a row, leaves a notice, and then fails."""

    def work(tx: Tx) -> None:
        tx.run("INSERT INTO kept VALUES (?, NULL)", name)
        tx.notices.append(f"{name} is kept")
        raise error

    return Job(work)


def run(core: WriterCore, *jobs: Job) -> list[Any]:
    """Value or error of each job, in the order of the jobs."""
    for job in jobs:
        core.offer(job)
    outcomes = []
    while not core.idle:
        outcomes += core.run_once()
    found = {id(one.job): one.error or one.value for one in outcomes}
    assert len(found) == len(jobs)
    return [found[id(job)] for job in jobs]


def kept(core: WriterCore) -> list[str]:
    """What another connection sees."""
    path = core.conn.execute("PRAGMA database_list").fetchone()[2]
    conn = connect_read_only(Path(path))
    try:
        return [row[0] for row in conn.execute("SELECT name FROM kept ORDER BY name")]
    finally:
        conn.close()


def test_one_bad_request_fails_alone(core: WriterCore) -> None:
    error = Refused("no")

    found = run(core, keep("a"), fail("b", error), keep("c"))

    assert found == ["a", error, "c"]
    assert kept(core) == ["a", "c"]
    assert core.batches == 1


def test_a_broken_constraint_fails_its_request_only(core: WriterCore) -> None:
    run(core, keep("a"))

    found = run(core, keep("b"), keep("a"), keep("c"))

    assert isinstance(found[1], sqlite.IntegrityError)
    assert kept(core) == ["a", "b", "c"]
    assert core.fatal is None


def test_what_a_refusal_writes_survives_and_what_the_request_wrote_does_not(
    core: WriterCore,
) -> None:
    def remember(tx: Tx, error: Exception) -> str:
        tx.run("INSERT INTO kept VALUES ('refusal', NULL)")
        tx.notices.append("refused")
        return f"answered: {error}"

    job = fail("b", Refused("no"))
    job.refused = remember
    core.offer(job)
    (outcome,) = core.run_once()

    assert (outcome.value, outcome.error) == ("answered: no", None)
    assert outcome.notices == ("refused",)
    assert kept(core) == ["refusal"]


def test_a_refusal_that_breaks_a_constraint_takes_nothing_with_it(core: WriterCore) -> None:
    def remember(tx: Tx, error: Exception) -> None:
        tx.run("INSERT INTO kept VALUES ('half', NULL)")
        tx.run("INSERT INTO kept VALUES ('a', NULL)")

    job = fail("b", Refused("no"))
    job.refused = remember

    found = run(core, keep("a"), job, keep("c"))

    assert isinstance(found[1], sqlite.IntegrityError)
    assert kept(core) == ["a", "c"]
    assert core.fatal is None


def test_a_refusal_that_passes_the_error_on_takes_nothing_with_it(core: WriterCore) -> None:
    def pass_on(tx: Tx, error: Exception) -> None:
        raise error

    job = keep("a")
    job.refused = pass_on

    found = run(core, keep("a"), job, keep("c"))

    assert isinstance(found[1], sqlite.IntegrityError)
    assert kept(core) == ["a", "c"]
    assert core.fatal is None


def statements_of(core: WriterCore, *jobs: Job) -> tuple[list[Any], list[str]]:
    """What became of the jobs, and the first word of every statement that ran."""
    words: list[str] = []
    core.conn.set_trace_callback(lambda sql: words.append(sql.split()[0]))
    found = run(core, *jobs)
    core.conn.set_trace_callback(None)
    return found, words


def test_who_fails_before_writing_costs_the_batch_no_savepoints(core: WriterCore) -> None:
    error = Refused("no")

    def work(tx: Tx) -> None:
        tx.notices.append("never told")
        raise error

    def remember(tx: Tx, error: Exception) -> str:
        tx.run("INSERT INTO kept VALUES ('refusal', NULL)")
        return "answered"

    found, words = statements_of(core, keep("a"), Job(work), Job(work, None, remember), keep("b"))

    assert found == ["a", error, "answered", "b"]
    assert words == ["BEGIN", "INSERT", "INSERT", "INSERT", "COMMIT"]
    assert kept(core) == ["a", "b", "refusal"]


def test_who_fails_after_writing_has_the_batch_run_again_with_savepoints(core: WriterCore) -> None:
    error = Refused("no")

    found, words = statements_of(core, keep("a"), fail("b", error), keep("c"))

    assert found == ["a", error, "c"]
    assert words[:4] == ["BEGIN", "INSERT", "INSERT", "ROLLBACK"]
    assert words.count("SAVEPOINT") == words.count("RELEASE") == 3
    assert kept(core) == ["a", "c"]


def test_savepoints_are_kept_for_a_while_and_then_left_out_again(core: WriterCore) -> None:
    run(core, fail("a", Refused("no")))

    seen = [statements_of(core, keep(f"b{n}"))[1] for n in range(CAREFUL_BATCHES + 1)]

    assert [("SAVEPOINT" in words) for words in seen] == [True] * (CAREFUL_BATCHES - 1) + [
        False
    ] * 2


def test_notices_come_with_commits_only(core: WriterCore) -> None:
    for job in (keep("a"), fail("b", Refused("no"))):
        core.offer(job)

    notices = [one.notices for one in core.run_once()]

    assert notices == [("a is kept",), ()]


def test_all_of_a_batch_see_one_instant(core: WriterCore) -> None:
    found = run(core, *[Job(lambda tx: (tx.now_ms, tx.budget_ms)) for _ in range(3)])

    assert len(set(found)) == 1


def test_the_queue_has_a_bound(core: WriterCore) -> None:
    core.queue_limit = 2
    core.offer(keep("a"))
    core.offer(keep("b"))

    with pytest.raises(QueueFull):
        core.offer(keep("c"))
    for n in range(BACKGROUND_LIMIT):
        core.offer(keep(f"bg{n}"), background=True)
    with pytest.raises(QueueFull):
        core.offer(keep("more"), background=True)


def test_background_work_neither_starves_nor_delays(core: WriterCore) -> None:
    core.batch_max = 1
    core.offer(keep("slow 1"), background=True)
    core.offer(keep("slow 2"), background=True)
    for n in range(2 * BATCHES_BEFORE_BACKGROUND):
        core.offer(keep(f"{n}"))
    order = []
    while not core.idle:
        order += [one.value for one in core.run_once()]

    assert order.index("slow 1") == BATCHES_BEFORE_BACKGROUND
    assert order.index("slow 2") == 2 * BATCHES_BEFORE_BACKGROUND + 1
    assert order[0] == "0"


def fill(core: WriterCore) -> None:
    """Leave room for small rows only."""
    pages = core.conn.execute("PRAGMA page_count").fetchone()[0]
    core.conn.execute(f"PRAGMA max_page_count = {pages + 4}")


def test_on_a_full_disk_every_request_gets_its_own_chance(core: WriterCore) -> None:
    fill(core)

    found = run(core, keep("a"), keep("big", 100_000), keep("c"))

    assert found[0] == "a"
    assert isinstance(found[1], StorageFull)
    assert found[2] == "c"
    assert kept(core) == ["a", "c"]
    assert core.full
    assert core.fatal is None


def test_a_full_disk_that_was_emptied_is_noticed(core: WriterCore) -> None:
    fill(core)
    run(core, keep("big", 100_000))
    assert core.full

    core.conn.execute("PRAGMA max_page_count = 100000")

    assert run(core, keep("big", 100_000)) == ["big"]
    assert not core.full


class FailingConnection:
    """A connection whose disk fails at one statement."""

    def __init__(self, conn: sqlite.Connection, statement: str, code: int) -> None:
        self._conn = conn
        self._statement = statement
        self._code = code

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    def execute(self, sql: str, *params: Any) -> Any:
        if sql.startswith(self._statement):
            error = sqlite.OperationalError("disk I/O error")
            error.sqlite_errorcode = self._code
            raise error
        return self._conn.execute(sql, *params)


def failing(core: WriterCore, statement: str, code: int) -> None:
    core.conn = FailingConnection(core.conn, statement, code)  # type: ignore[assignment]


@pytest.mark.parametrize("statement", ["COMMIT", "INSERT", "BEGIN", "RELEASE", "ROLLBACK TO"])
def test_a_failing_disk_leaves_the_outcome_unknown_and_ends_the_writer(
    core: WriterCore, statement: str
) -> None:
    failing(core, statement, sqlite.IOERR)

    found = run(core, keep("a"), fail("b", Refused("no")))

    assert {type(one) for one in found} == {OutcomeUnknown}
    assert isinstance(core.fatal, OutcomeUnknown)


def test_a_disk_that_can_not_even_roll_back_ends_the_writer(core: WriterCore) -> None:
    failing(core, "COMMIT", sqlite.IOERR)
    failing(core, "ROLLBACK", sqlite.IOERR)

    found = run(core, keep("a"))

    assert isinstance(found[0], OutcomeUnknown)
    assert core.fatal is not None


def test_another_writer_means_not_stored(core: WriterCore) -> None:
    failing(core, "BEGIN", sqlite.BUSY)

    found = run(core, keep("a"))

    assert isinstance(found[0], NotStored)
    assert core.fatal is None


def test_a_damaged_page_ends_the_writer(core: WriterCore) -> None:
    failing(core, "INSERT", sqlite.CORRUPT)

    assert isinstance(run(core, keep("a"))[0], OutcomeUnknown)
    assert core.fatal is not None


@pytest.mark.parametrize(("code", "ends"), [(sqlite.FULL, False), (sqlite.IOERR, True)])
def test_a_checkpoint_that_fails_is_not_lost(core: WriterCore, code: int, ends: bool) -> None:
    failing(core, "PRAGMA wal_checkpoint", code)

    core.checkpoint()

    assert (core.fatal is not None) is ends
    assert core.full is not ends


def test_after_a_fault_of_the_full_disk_the_rest_is_not_tried(core: WriterCore) -> None:
    fill(core)
    core.offer(keep("big", 100_000))
    core.offer(keep("a"))
    core.offer(keep("b"))
    failing(core, "COMMIT", sqlite.IOERR)

    found = [one.error for one in core.run_once()]

    assert isinstance(found[0], StorageFull)
    assert isinstance(found[1], OutcomeUnknown)
    assert type(found[2]) is NotStored
