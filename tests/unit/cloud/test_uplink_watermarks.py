"""What the cloud has taken is written down soon, seldom, and minding what was parked meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cloud_link.pacing import Pacer
from cloud_link.uplink import Uplink
from hub.clock import SystemClock, SystemRandomness
from hub.contract.oms import EventsReply
from hub.contract.oms_events import OUTBOX_PARKED
from hub.service.handlers.cloud import MarkAcked
from hub.service.handlers.parking import Unpark
from hub.service.outgoing import Limits
from hub.storage import hubrow, outbox
from hub.storage.errors import QueueFull
from hub.storage.rows import Tx
from tests.support.quickdb import open_quickly

LIMITS = Limits(2, 262_144)


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Tx]:
    conn = open_quickly(tmp_path / "hub.db")
    made = Tx(conn, 1_767_261_600_000, 0)
    hubrow.found(made, "367", "hub-test", "m" * 64, "f1")
    yield made
    conn.close()


class Room:
    """The sender between a queue of events and a cloud that takes everything."""

    def __init__(self, tx: Tx, before_mark: Callable[[], None] = lambda: None) -> None:
        self.rows = tx
        self.shop = SimpleNamespace(store="367")
        self.done: list[Any] = []
        self.requests = 0
        self.noted = asyncio.Event()
        self.clock = asyncio.Event()
        self._before_mark = before_mark
        pacer = Pacer(
            clock=SystemClock(),
            randomness=SystemRandomness(),
            sleep=self.sleep,
            base_s=1.0,
            cap_s=1.0,
            on_answer=lambda _: None,
        )
        self.uplink = Uplink(cast(Any, self), cast(Any, self), pacer, LIMITS, 0.0, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        await self.clock.wait()

    async def read(self, query: Callable[[Tx], Any]) -> Any:
        return query(self.rows)

    async def post(self, path: str, body: object, reply: type[EventsReply]) -> EventsReply:
        await asyncio.sleep(0)  # the marker's turn
        self.requests += 1
        (lane,) = outbox.heads(self.rows)
        upto = min(lane.head_seq, self.requests * LIMITS.events)
        acked = {lane.source_uri: {lane.stream: upto}}
        return EventsReply.model_validate({"acked": acked, "results": [], "oms_incarnation": "1"})

    async def internal(self, caller: object, command: Any) -> Any:
        if isinstance(command, MarkAcked):
            self._before_mark()
            for mark in command.marks:
                outbox.set_acked(self.rows, *mark)
        self.done.append(command)
        self.noted.set()
        return True

    def marks(self) -> list[int]:
        return [one.marks[0][2] for one in self.done if isinstance(one, MarkAcked)]

    @asynccontextmanager
    async def sending(self, events: int) -> AsyncIterator[None]:
        task = asyncio.create_task(self.uplink.run())
        async with asyncio.timeout(60):
            while self.uplink.sent_events < events or not self.marks():
                await asyncio.sleep(0)
            yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def write(tx: Tx, count: int) -> None:
    source, _ = hubrow.source_and_fence(tx)
    for number in range(1, count + 1):
        outbox.append(
            tx,
            source=source,
            stream="sales",
            event_id=f"event-{number}",
            type_="com.storehub.cash.moved.v1",
            aggregate=f"a{number}",
            data="{}",
        )


async def test_watermarks_of_many_batches_are_stored_in_one_write(tx: Tx) -> None:
    write(tx, 9)
    room = Room(tx)
    async with room.sending(9):
        assert room.requests == 5
        first = room.marks()
        assert first == [2]
        room.clock.set()
        while room.marks() == first:
            await asyncio.sleep(0)
        assert room.marks() == [2, 9]


async def test_a_watermark_that_could_not_be_stored_is_stored_later(tx: Tx) -> None:
    write(tx, 2)
    failures = [QueueFull("1000 jobs are waiting to be written")]

    def fail_once() -> None:
        room.clock.set()
        if failures:
            raise failures.pop()

    room = Room(tx, fail_once)
    async with room.sending(2):
        pass
    assert not failures
    assert room.marks() == [2]


async def test_no_watermark_is_stored_after_the_session_has_ended(tx: Tx) -> None:
    write(tx, 4)
    room, stalled = Room(tx), asyncio.Event()
    at_once = room.internal

    async def stalling(caller: object, command: Any) -> Any:
        await stalled.wait()
        return await at_once(caller, command)

    room.internal = stalling  # type: ignore[method-assign]
    task = asyncio.create_task(room.uplink.run())
    async with asyncio.timeout(60):
        while room.uplink.sent_events < 4:
            await asyncio.sleep(0)
        for _ in range(5):  # as `cancelled` does, every now and then
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        stalled.set()
        await asyncio.wait((task,))
    done = room.marks()
    assert done[-1] == 4
    for _ in range(20):
        await asyncio.sleep(0)
    assert room.marks() == done


async def test_the_last_watermark_is_stored_when_the_session_ends(tx: Tx) -> None:
    write(tx, 9)
    room = Room(tx)
    async with room.sending(9):
        pass
    assert room.marks() == [2, 9]
    (lane,) = outbox.heads(tx)
    assert lane.waiting == 0


async def test_an_event_parked_before_its_watermark_was_stored_is_put_back(tx: Tx) -> None:
    write(tx, 2)

    def park_the_second() -> None:
        row = outbox.get(tx, 2)
        assert row is not None
        outbox.park(tx, row, "marker", OUTBOX_PARKED, "{}", "by-hand: a test")

    room = Room(tx, park_the_second)
    async with room.sending(2):
        while not any(isinstance(one, Unpark) for one in room.done):
            await asyncio.sleep(0)
    assert [one for one in room.done if isinstance(one, Unpark)] == [Unpark(2)]
