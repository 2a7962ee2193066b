"""The link follows the drill's row: it is cut at once, comes back by itself, also when the hub was
ended meanwhile, the clock set, or nothing can be written down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hub.app.drill import AWAITED_MS, DrillDesk
from hub.contract.local import CloudStatus
from hub.contract.oms_events import DRILL_ENDED
from hub.contract.problems import Refusal
from hub.health.mending import ActionDesk
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Gate
from hub.service.notices import DrillChanged
from hub.storage import drillrows, outbox
from hub.storage.drillrows import DrillRow
from hub.storage.errors import StorageFull
from tests.support.shop import Shop

SHELL = Caller(CallerKind.CLI, "uid-0")
MINUTE_S = 60


class FakeLink:
    """Says whether requests may leave."""

    def __init__(self) -> None:
        self.state = "up"
        self.held = ""

    def status(self) -> CloudStatus:
        return CloudStatus(state="down" if self.held else self.state, since_ms=0)

    async def hold(self, why: str) -> None:
        self.held = why

    def release(self) -> None:
        self.held = ""


class Turns:
    """A sleep that ends when the test lets time pass."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []

    async def sleep(self, seconds: float) -> None:
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((self._shop.clock.monotonic_s() + seconds, done))
        await done

    async def settle(self) -> None:
        for _ in range(30):
            await asyncio.sleep(0)

    async def advance(self, seconds: int) -> None:
        """In steps of a second, so that whoever looks each second does."""
        for _ in range(seconds):
            await self.settle()
            self._shop.clock.advance(1)
            now_s = self._shop.clock.monotonic_s()
            due = [one for at_s, one in self._waiting if at_s <= now_s and not one.done()]
            self._waiting = [(at_s, one) for at_s, one in self._waiting if at_s > now_s]
            for one in due:
                one.set_result(None)
        await self.settle()


class World:
    """A shop, its link and desk; ``restart`` is a hub that was ended and started again."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.turns = Turns(shop)
        self.link = FakeLink()
        self.desk = self._made()

    def _made(self) -> DrillDesk:
        shop = self.shop
        return DrillDesk(shop.gate, self.link, clock=shop.clock, sleep=self.turns.sleep)

    async def restart(self, *, off_s: int = 0, set_s: int = 0) -> None:
        await self.desk.stop()
        self.shop.restart()
        self.shop.clock.jump_wall(off_s + set_s)  # the hub's own clock stands meanwhile
        self.link = FakeLink()
        self.link.state = "connecting"
        self.desk = self._made()
        await self.desk.start()
        self.link.state = "up"
        await self.turns.settle()

    async def begin(self, minutes: int) -> None:
        """As a person does; what the commit left to be told is told."""
        await self.desk.begin(SHELL, minutes)
        self.desk.notify([DrillChanged()])

    def now(self) -> tuple[int, int]:
        """The wall clock and the hub's own."""
        return self.shop.clock.wall_ms(), self.shop.gate.budget.budget_ms()

    @property
    def last(self) -> DrillRow:
        row = drillrows.last(self.shop.rows)
        assert row is not None
        return row

    def acked(self) -> None:
        for lane in outbox.heads(self.shop.rows):
            self.shop.run(
                "UPDATE streams SET acked_seq = head_seq WHERE source = ? AND stream = ?",
                lane.source,
                lane.stream,
            )


@asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[World]:
    shop = Shop(tmp_path)
    shop.product("tea", 499, stock=20)
    shop.sign_in("till-1")
    world = World(shop)
    await world.desk.start()
    try:
        yield world
    finally:
        await world.desk.stop()
        shop.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as made:
        yield made


async def test_the_link_is_cut_at_once_and_comes_back_by_itself(world: World) -> None:
    await world.begin(2)
    assert world.link.held
    world.shop.sell("till-1", "tea", 2, 499)
    await world.turns.advance(119)
    assert world.link.held
    await world.turns.advance(2)
    assert not world.link.held
    assert (world.last.how, world.last.sales, world.last.total_minor) == ("time", 1, 998)
    assert world.last.asked_by == "cli:uid-0"
    assert [one["minutes"] for one in world.shop.audited("drill.began")] == [2]
    assert [one["how"] for one in world.shop.audited("drill.ended")] == ["time"]


async def test_its_outcome_is_told_when_the_cloud_has_everything(world: World) -> None:
    await world.begin(1)
    world.shop.sell("till-1", "tea", 2, 499)
    await world.turns.advance(62)
    assert world.shop.events(DRILL_ENDED) == []
    await world.turns.advance(5)
    world.acked()
    await world.turns.advance(2)
    (told,) = world.shop.events(DRILL_ENDED)
    assert (told["sales"], told["devices_selling"], told["how"]) == (1, 1, "time")
    assert 5_000 <= told["caught_up_ms"] <= 8_000
    await world.turns.advance(5)
    assert len(world.shop.events(DRILL_ENDED)) == 1


async def test_a_cloud_that_never_gets_everything_is_told_of_as_well(world: World) -> None:
    await world.begin(1)
    world.shop.sell("till-1", "tea", 2, 499)
    await world.turns.advance(62)
    await world.turns.advance(AWAITED_MS // 1000)
    (told,) = world.shop.events(DRILL_ENDED)
    assert told["caught_up_ms"] is None
    assert world.last.told


async def test_a_person_ends_it(world: World) -> None:
    assert world.desk.why_not_end()
    await world.begin(10)
    assert not world.desk.why_not_end()
    assert await world.desk.end(SHELL)
    assert not world.link.held
    assert world.last.how == "person"
    assert not await world.desk.end(SHELL)


async def test_a_restart_neither_forgets_nor_prolongs_it(world: World) -> None:
    await world.begin(10)
    await world.turns.advance(3 * MINUTE_S)
    await world.restart(off_s=4 * MINUTE_S)
    assert world.link.held, "it goes on"
    await world.turns.advance(3 * MINUTE_S - 2)
    assert world.link.held
    await world.turns.advance(3)
    assert not world.link.held
    assert (world.last.how, world.last.ended_at_ms) == ("time", world.last.until_ms)


async def test_a_hub_that_was_off_for_longer_does_not_cut_the_link_again(world: World) -> None:
    await world.begin(10)
    await world.restart(off_s=11 * MINUTE_S)
    assert not world.link.held
    assert world.last.how == "time"


@pytest.mark.parametrize("step_s", [-86_400, -120, 60])
async def test_setting_the_clock_does_not_prolong_it(world: World, step_s: int) -> None:
    await world.begin(10)
    await world.turns.advance(60)
    world.shop.clock.jump_wall(step_s)
    await world.turns.advance(9 * MINUTE_S - max(step_s, 0) - 2)
    assert world.link.held
    await world.turns.advance(3)
    assert not world.link.held


async def test_a_clock_that_went_back_while_the_hub_was_off_ends_it(world: World) -> None:
    await world.begin(10)
    await world.turns.advance(60)
    await world.restart(off_s=60, set_s=-3600)
    assert not world.link.held
    assert world.last.how == "clock"


async def test_the_link_comes_back_although_the_end_cannot_be_written_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.begin(1)
    real = world.shop.gate.internal
    full = True

    async def internal(caller: Caller, command: Any) -> Any:
        if full:
            raise OSError("the disk is full")
        return await real(caller, command)

    monkeypatch.setattr(world.shop.gate, "internal", internal)
    await world.turns.advance(62)
    assert not world.link.held
    assert world.last.ended_at_ms is None
    full = False
    await world.turns.advance(6)
    assert world.last.how == "time"


async def test_a_hub_starts_although_the_end_of_a_drill_cannot_be_written_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.begin(10)
    real = Gate.internal
    full = True

    async def internal(self: Gate, caller: Caller, command: Any) -> Any:
        if full:
            raise StorageFull("the disk is full")
        return await real(self, caller, command)

    monkeypatch.setattr(Gate, "internal", internal)
    await world.restart(off_s=60, set_s=-3600)
    assert not world.link.held
    full = False
    await world.turns.advance(6)
    assert world.last.how == "clock"


async def test_a_person_has_the_link_back_although_that_cannot_be_written_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.begin(10)
    real = world.shop.gate.internal
    full = True

    async def internal(caller: Caller, command: Any) -> Any:
        if full:
            raise StorageFull("the disk is full")
        return await real(caller, command)

    monkeypatch.setattr(world.shop.gate, "internal", internal)
    end = next(one for one in world.desk.actions() if one.key == "drill.end")
    desk = ActionDesk(world.shop.gate, [end])
    assert (await desk.run(SHELL, "drill.end")).outcome == "done"
    await world.turns.advance(30)
    assert not world.link.held
    assert world.last.ended_at_ms is None
    full = False
    await world.turns.advance(6)
    assert (world.last.how, world.last.left_ms(*world.now()) > 0) == ("person", True)


async def test_what_the_cloud_asks_for_is_done_after_the_commit(world: World) -> None:
    """As by its command, which writes the row and says that something changed."""
    world.shop.tx(
        lambda tx: drillrows.begin(
            tx, drill_id="d-1", command_id="cmd-1", asked_by="cloud:it", length_ms=60_000
        )
    )
    world.desk.notify([DrillChanged()])
    await world.turns.settle()
    assert world.link.held


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (lambda world: setattr(world.link, "state", "down"), "isn't reached anyway"),
        (lambda world: setattr(world.link, "state", "unconfigured"), "No cloud is set up"),
        (lambda world: world.shop.run("UPDATE hub SET fence = 'restored'"), "put back"),
        (lambda world: world.shop.run("UPDATE hub SET fence = 'superseded'"), "Another box"),
    ],
)
async def test_it_is_refused_with_the_reason(
    world: World, prepare: Callable[[World], Any], why: str
) -> None:
    prepare(world)
    assert why in world.desk.why_not()
    with pytest.raises(Refusal, match=why) as refused:
        await world.desk.begin(SHELL, 10)
    assert refused.value.problem.code == "conflict"
    assert not world.link.held


async def test_another_one_is_refused_while_it_runs_and_for_ten_minutes(world: World) -> None:
    await world.begin(1)
    assert "running already" in world.desk.why_not()
    await world.turns.advance(62)
    assert "a moment ago" in world.desk.why_not()
    await world.turns.advance(10 * MINUTE_S)
    assert world.desk.why_not() == ""


@pytest.mark.parametrize("minutes", [0, 61, -1])
async def test_it_lasts_one_to_sixty_minutes(world: World, minutes: int) -> None:
    with pytest.raises(Refusal) as refused:
        await world.desk.begin(SHELL, minutes)
    assert refused.value.problem.code == "validation"
