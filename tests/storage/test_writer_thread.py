"""The writer's thread beside a loop: answers after COMMIT only, and none is ever forgotten."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from hub.storage import sqlite
from hub.storage.database import connect, connect_read_only
from hub.storage.errors import OutcomeUnknown, QueueFull, WriterStopped
from hub.storage.rows import Tx
from hub.storage.writer import WriterCore
from hub.storage.writer_thread import WriterThread
from tests.fakes import FakeClock
from tests.storage.test_group_commit import failing
from tests.support.gatebench import FakeInstants


class Desk:
    """A running writer and what it told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        conn = connect(path)
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("CREATE TABLE kept (n INTEGER PRIMARY KEY) STRICT")
        self.core = WriterCore(conn, FakeInstants(FakeClock()))
        self.notices: list[object] = []
        self.fatal: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self.writer = WriterThread(self.core, on_notices=self._note, on_fatal=self.fatal.set_result)

    def _note(self, notices: Sequence[object]) -> None:
        self.notices.extend(notices)

    def keep(self, n: int) -> asyncio.Future[int]:
        def work(tx: Tx) -> int:
            tx.notices.append(n)
            tx.run("INSERT INTO kept VALUES (?)", n)
            return n

        return self.writer.submit(work)

    def kept(self) -> list[int]:
        conn = connect_read_only(self.path)
        try:
            return [row[0] for row in conn.execute("SELECT n FROM kept ORDER BY n")]
        finally:
            conn.close()


class Gatekeeper:
    """Work that holds the writer until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def work(self, tx: Tx) -> None:
        self.begun.set()
        assert self.go_on.wait(20)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path / "w.db")
    yield desk
    await desk.writer.stop()


async def test_an_answer_means_that_others_can_read_it(desk: Desk) -> None:
    assert await desk.keep(1) == 1
    assert desk.kept() == [1]
    await asyncio.sleep(0)  # whoever waits goes on first
    assert desk.notices == [1]


async def test_many_requests_share_a_commit(desk: Desk) -> None:
    holder = Gatekeeper()
    held = desk.writer.submit(holder.work)
    await asyncio.to_thread(holder.begun.wait, 20)
    futures = [desk.keep(n) for n in range(100)]
    assert desk.writer.depth == 101
    before = desk.core.batches

    holder.go_on.set()
    await held
    assert await asyncio.gather(*futures) == list(range(100))

    assert desk.core.batches == before + 2
    assert desk.writer.depth == 0


async def test_a_caller_that_gave_up_is_still_served(desk: Desk) -> None:
    holder = Gatekeeper()
    held = desk.writer.submit(holder.work)
    given_up = desk.keep(1)
    given_up.cancel()

    holder.go_on.set()
    await held
    await desk.keep(2)

    assert desk.kept() == [1, 2]
    await asyncio.sleep(0)
    assert desk.notices == [1, 2]


async def test_a_full_queue_says_so_at_once(desk: Desk) -> None:
    desk.core.queue_limit = 3
    holder = Gatekeeper()
    held = desk.writer.submit(holder.work)
    await asyncio.to_thread(holder.begun.wait, 20)
    futures = [desk.keep(n) for n in range(3)]

    with pytest.raises(QueueFull):
        desk.keep(4)

    holder.go_on.set()
    await asyncio.gather(held, *futures)
    assert desk.kept() == [0, 1, 2]
    assert desk.writer.depth == 0


async def test_stopping_writes_what_was_taken_in(desk: Desk) -> None:
    holder = Gatekeeper()
    held = desk.writer.submit(holder.work)
    futures = [desk.keep(n) for n in range(10)]
    stopping = asyncio.ensure_future(desk.writer.stop())
    await asyncio.sleep(0)

    with pytest.raises(WriterStopped):
        desk.keep(99)
    holder.go_on.set()
    await stopping
    await asyncio.gather(held, *futures)

    assert desk.kept() == list(range(10))
    assert not desk.writer.alive


async def test_a_failing_disk_answers_everybody_and_calls_for_help(desk: Desk) -> None:
    failing(desk.core, "COMMIT", sqlite.IOERR)
    holder = Gatekeeper()
    held = desk.writer.submit(holder.work)
    futures = [held, *(desk.keep(n) for n in range(300))]

    holder.go_on.set()
    found = await asyncio.gather(*futures, return_exceptions=True)

    assert {type(one) for one in found} == {OutcomeUnknown}
    assert isinstance(await desk.fatal, OutcomeUnknown)
    with pytest.raises(WriterStopped):
        desk.keep(1000)
    assert not desk.writer.alive


async def test_a_failing_checkpoint_calls_for_help(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.storage.writer_thread.IDLE_CHECKPOINT_S", 0.01)
    failing(desk.core, "PRAGMA wal_checkpoint", sqlite.IOERR)
    await desk.keep(1)

    assert isinstance(await asyncio.wait_for(desk.fatal, 60), OutcomeUnknown)
    assert desk.kept() == [1]


async def test_a_reader_sees_committed_work_only(desk: Desk) -> None:
    class Halfway(Gatekeeper):
        def work(self, tx: Tx) -> None:
            tx.run("INSERT INTO kept VALUES (7)")
            super().work(tx)

    halfway = Halfway()
    written = desk.writer.submit(halfway.work)
    await asyncio.to_thread(halfway.begun.wait, 20)
    during = desk.kept()
    halfway.go_on.set()
    await written

    assert (during, desk.kept()) == ([], [7])
