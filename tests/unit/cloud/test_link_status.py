"""What the link says of itself, whatever is done to the wall clock."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cloud_link.errors import Transient
from cloud_link.link import CloudLink
from cloud_link.parts import World
from hub.clock import SystemIds
from hub.config.models import Cloud
from tests.fakes import FakeClock, SeededRandomness

DAY_S = 86_400


class NoRows:
    """A database with nothing in it."""

    def one(self, _sql: str, *_params: Any) -> None:
        """No row."""

    def all(self, _sql: str, *_params: Any) -> list[Any]:
        return []


def test_a_clock_set_back_does_not_make_an_outage_shorter() -> None:
    clock, randomness = FakeClock(), SeededRandomness(1)
    gate = cast(Any, SimpleNamespace(rows=NoRows()))
    world = World(clock, SystemIds(clock, randomness), randomness)
    link = CloudLink(Cloud.model_validate({}), gate, world, machine_hash="00")
    link._answered(Transient("nobody there"))
    clock.advance(3_600)
    clock.jump_wall(-DAY_S)
    status = link.status()
    assert status.state == "down"
    assert clock.wall_ms() - status.since_ms == 3_600_000


class Parts:
    """What a link is made of, as far as its client is closed."""

    def __init__(self) -> None:
        self.closed = 0
        self.recovering = False
        self.datasets = SimpleNamespace(problems={}, progress="")
        self.client = cast(Any, SimpleNamespace(close=self._close))

    async def _close(self) -> None:
        self.closed += 1


class SlowLink(CloudLink):
    """Its sessions take their time to end."""

    def __init__(self) -> None:
        clock, randomness = FakeClock(), SeededRandomness(1)
        gate = cast(Any, SimpleNamespace(rows=NoRows()))
        world = World(clock, SystemIds(clock, randomness), randomness)
        url = Cloud.model_validate({"url": "https://oms.example"})
        super().__init__(url, gate, world, machine_hash="00")
        self.made: list[Parts] = []
        self.ending = asyncio.Event()
        self.may_end = asyncio.Event()
        self._begin(self._made())

    def _made(self) -> Any:
        self.made.append(Parts())
        return self.made[-1]

    async def _run(self, parts: Any) -> None:
        self._set("up", "")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ending.set()
            await self.may_end.wait()


async def test_a_link_released_while_it_is_being_cut_is_neither_closed_nor_said_to_be_cut() -> None:
    link = SlowLink()
    await asyncio.sleep(0)
    cutting = asyncio.create_task(link.hold("a drill"))
    await link.ending.wait()
    link.release()
    link.may_end.set()
    await cutting
    await asyncio.sleep(0)
    assert (link.status().state, link.status().detail) == ("up", "")
    assert [one.closed for one in link.made] == [1, 0]
    await link.stop()


async def test_whoever_is_interrupted_while_cutting_the_link_leaves_it_said_to_be_cut() -> None:
    link = SlowLink()
    await asyncio.sleep(0)
    cutting = asyncio.create_task(link.hold("a drill"))
    await link.ending.wait()
    cutting.cancel()
    link.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await cutting
    await link.hold("a drill")
    assert (link.status().state, link.status().detail) == ("down", "a drill")
    await link.stop()
