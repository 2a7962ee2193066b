"""A cloud whose changes lead nowhere is not asked without pause, and not believed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cloud_link.datasets import PAGES_PER_ROUND, DatasetSync
from hub.contract.oms_datasets import Change, Changes
from hub.service.handlers.datasets import SYNCED, ApplyChanges, Shaped

ROW = {"id": "one", "name": "One"}
Cloud = Callable[[str], Changes]


class Enough(Exception):
    """The link went to sleep: the round is over."""


class World:
    """A data set at cursor "a", a cloud with one page after another, and what became of it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.cursor = "a"
        self.asked = 0
        self.pauses: list[float] = []
        self.sync = DatasetSync(
            cast(Any, self),
            cast(Any, self),
            cast(Any, SimpleNamespace(call=self._call, uniform=lambda low, _high: low)),
            300.0,
            sleep=self._sleep,
        )
        self.storage_full = False

    async def _call(self, send: Callable[[bool], Any]) -> Any:
        return await send(False)

    async def get(self, path: str, _model: object, query: dict[str, Any]) -> Changes:
        if SYNCED[0] not in path:
            return Changes(changes=(), cursor=query["cursor"], more=False, oms_incarnation="o1")
        self.asked += 1
        assert self.asked <= 3 * PAGES_PER_ROUND, "it is asked without end"
        return self._cloud(query["cursor"])

    async def read(self, work: Callable[[Any], Any]) -> Any:
        if "shape_changes" in work.__code__.co_names:
            return Shaped(removed=(), written=(), bad=())
        return SimpleNamespace(cursor=self.cursor, generation=1)

    async def internal(self, _caller: object, command: object) -> Any:
        if isinstance(command, ApplyChanges) and command.dataset == SYNCED[0]:
            self.cursor = command.cursor

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        raise Enough


def page(cursor: str, *, more: bool = True, changes: tuple[Change, ...] = ()) -> Changes:
    return Changes(changes=changes, cursor=cursor, more=more, oms_incarnation="o1")


async def one_round(cloud: Cloud) -> World:
    world = World(cloud)
    await world.sync._one(SYNCED[0])
    return world


@pytest.mark.parametrize("changes", [(), (Change(op="upsert", row=ROW),)])
async def test_more_after_a_cursor_that_did_not_move_is_refused_at_once(
    changes: tuple[Change, ...],
) -> None:
    world = await one_round(lambda cursor: page(cursor, changes=changes))
    assert world.asked == 1
    assert "cursor" in world.sync.problems[SYNCED[0]]
    assert world.cursor == "a"


async def test_cursors_that_lead_round_in_a_circle_are_refused() -> None:
    world = await one_round(lambda cursor: page({"a": "b", "b": "c", "c": "b"}[cursor]))
    assert world.asked == 3
    assert "cursor" in world.sync.problems[SYNCED[0]]


async def test_a_cloud_without_an_end_is_asked_again_after_a_pause() -> None:
    numbers = itertools.count()
    world = World(lambda _: page(f"c{next(numbers)}"))
    with pytest.raises(Enough):
        await world.sync._one(SYNCED[0])
    assert world.asked == PAGES_PER_ROUND
    assert min(world.pauses) > 0


async def test_a_cloud_that_ends_is_believed() -> None:
    ends = {"a": page("b"), "b": page("c", more=False)}
    world = await one_round(lambda cursor: ends[cursor])
    assert (world.cursor, world.asked, world.sync.problems) == ("c", 2, {})
