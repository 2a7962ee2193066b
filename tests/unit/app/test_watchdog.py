"""What systemd hears from the hub: more time while it starts, then signs of life for as long as
loop, writer and broker answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hub.app import service
from hub.storage.errors import NotStored, QueueFull
from tests.fakes import FakeClock

Answer = Callable[[], asyncio.Future[None]]


def written() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


def not_written() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_exception(NotStored("another process is writing"))
    return future


def refused() -> asyncio.Future[None]:
    raise QueueFull("1000 jobs are waiting to be written")


def never_written() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


class World:
    """A hub that is looked at every few milliseconds; ``rounds`` counts the looks."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.rounds = 0
        self.signs = 0
        self.mode = "managed"
        self.connected = True
        self.clock = FakeClock()
        self.hub = cast(
            Any,
            SimpleNamespace(
                writer=SimpleNamespace(submit=self._submit),
                messaging=SimpleNamespace(status=self._status),
            ),
        )
        self.notifier = cast(Any, SimpleNamespace(watchdog=self._sign))

    def _submit(self, _work: Any) -> asyncio.Future[None]:
        self.rounds += 1
        return self.answers.pop(0)() if self.answers else written()

    def _status(self) -> Any:
        return SimpleNamespace(mode=self.mode, connected=self.connected)

    def _sign(self) -> None:
        self.signs += 1

    async def looks(self, count: int = 3) -> None:
        """Until the watchdog has looked so many times more."""
        until = self.rounds + count
        async with asyncio.timeout(60):
            while self.rounds < until:
                await asyncio.sleep(0.005)

    @contextlib.asynccontextmanager
    async def watched(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
        monkeypatch.setattr(service, "watchdog_interval_s", lambda: 0.01)
        task = asyncio.create_task(service._watchdog(self.hub, self.notifier, self.clock))
        try:
            yield
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_full_queue_or_a_foreign_lock_does_not_end_the_signs_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(refused, not_written)
    async with world.watched(monkeypatch):
        await world.looks(5)
    assert world.signs > 0


async def test_there_is_no_sign_of_life_while_the_writer_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(*[never_written] * 1000)
    async with world.watched(monkeypatch):
        await world.looks(4)
    assert world.signs == 0


async def test_a_broker_that_stays_away_ends_the_signs_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    async with world.watched(monkeypatch):
        await world.looks()
        world.connected = False
        await world.looks()
        before = world.signs
        await world.looks()
        assert world.signs > before, "the hub's own restart of the broker was not waited for"
        world.clock.advance(service.BROKER_PATIENCE_S)
        await world.looks()
        after = world.signs
        await world.looks(5)
        assert world.signs == after


async def test_a_broker_that_is_back_in_time_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    async with world.watched(monkeypatch):
        await world.looks()
        for connected in (False, True, False):
            world.connected = connected
            world.clock.advance(service.BROKER_PATIENCE_S * 0.6)
            await world.looks()
        before = world.signs
        await world.looks()
        assert world.signs > before


async def test_a_broker_of_somebody_else_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.mode, world.connected = "external", False
    async with world.watched(monkeypatch):
        await world.looks()
        world.clock.advance(service.BROKER_PATIENCE_S * 2)
        before = world.signs
        await world.looks()
        assert world.signs > before


async def test_a_start_that_takes_long_asks_for_more_time_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    enough = asyncio.Event()

    def extend(seconds: int) -> None:
        asked.append(seconds)
        if len(asked) == service.START_SIGNS_MAX:
            enough.set()

    monkeypatch.setattr(service, "START_SIGN_S", 0.001)
    async with service._more_time(cast(Any, SimpleNamespace(extend_timeout=extend))):
        async with asyncio.timeout(60):
            await enough.wait()
        await asyncio.sleep(0.01)
    assert asked == [service.START_MORE_S] * service.START_SIGNS_MAX
