"""The hub and the OMS as machines of the simulated world, with nothing going wrong but a kill."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hub.clock import SystemIds
from hub.contract.topics import Topics
from tests.fakes import SeededRandomness
from tests.simulation.kernel import Process, World
from tests.simulation.shop import goods
from tests.simulation.shop.hub import HubConfig, HubMachine
from tests.simulation.shop.messages import Connect, Publish
from tests.simulation.shop.oms import OmsMachine
from tests.support import laws

TILL = "till-1"
SKU = "FRU-000012"
TOPICS = Topics(goods.STORE)
pytestmark = pytest.mark.may_block  # a simulated world has one thread, and its files are its own

Day = Callable[["Shop"], Awaitable[None]]


class Shop:
    """A hub, an OMS, and a counter in the place of broker and tills."""

    def __init__(self, root: Path, seed: int = 1, **config: Any) -> None:
        self.world = World(seed, root)
        self.hub = HubMachine(self.world, HubConfig(**config))
        self.oms = OmsMachine(self.world)
        self.told: list[Publish] = []
        self.sessions = 0
        self.ids = SystemIds(_Clock(self.world), SeededRandomness(seed))
        self._counter: Process | None = None
        self._answers: dict[bytes, asyncio.Future[dict[str, Any]]] = {}
        for name, start in (
            ("oms", self.oms.start),
            ("broker", self._start_counter),
            ("hub", self.hub.start),
        ):
            self.world.add(name, start).boot()

    async def _start_counter(self, process: Process) -> None:
        self._counter = process
        process.receive = self._receive

    def _receive(self, _sender: str, message: Any) -> None:
        match message:
            case Connect():
                self.sessions += 1
            case Publish(topic=topic, payload=payload, correlation=correlation):
                self.told.append(message)
                if topic == TOPICS.reply(TILL) and correlation in self._answers:
                    self._answers.pop(correlation).set_result(json.loads(payload))

    async def ask(self, address: str, body: dict[str, Any], key: str | None = None) -> Any:
        """The result of a request of the till, sent until it is answered."""
        service, operation = address.split("/")
        assert self._counter is not None
        key = key or self.ids.uuid7()
        for _ in range(200):
            correlation = self.ids.uuid7().encode()
            answer = self._answers[correlation] = self.world.loop.create_future()
            topic = TOPICS.request(TILL, service, operation)
            text = json.dumps(body).encode()
            request = Publish(TILL, topic, text, correlation, key, 60)
            self.world.network.send(self._counter, "hub", request)
            try:
                async with asyncio.timeout(2):
                    found = await answer
            except TimeoutError:
                continue
            assert found["ok"], found
            return found["result"]
        raise AssertionError("the hub doesn't answer")

    async def sign_in(self) -> None:
        """The manager sells."""
        await self.ask("staff/sign-in", {"staff_id": "900", "pin": goods.PINS["900"]})

    def sale(self, qty: int = 1) -> dict[str, Any]:
        """A sale of cucumbers, paid in cash."""
        total_minor = goods.PRICES[SKU] * qty
        return {
            "sale_id": self.ids.uuid7(),
            "lines": [{"code": SKU, "qty": qty, "unit_price_minor": goods.PRICES[SKU]}],
            "total_minor": total_minor,
            "tenders": [{"kind": "cash", "amount_minor": total_minor}],
        }

    async def furnished(self) -> None:
        """The shop can open."""
        for _ in range(100):
            await asyncio.sleep(1)
            if self.hub.is_furnished:
                return
        raise AssertionError("no catalogue, staff or stock")

    async def at_rest(self) -> None:
        """Nothing is under way."""
        for _ in range(500):
            await asyncio.sleep(1)
            if not (self.hub.under_way() or self.oms.under_way()):
                return
        raise AssertionError(self.hub.under_way() or self.oms.under_way())

    def hub_levels(self) -> dict[str, int]:
        """What the hub has on the shelf."""
        rows = self.hub.read(
            lambda rows: rows.all(
                "SELECT k.sku, s.sellable FROM stock s JOIN skus k ON k.id = s.sku_id"
            )
        )
        return dict(rows)

    def oms_levels(self) -> dict[str, int]:
        """What the OMS has on the shelf."""
        return {sku: row["sellable"] for sku, row in self.oms.levels().items()}


class _Clock:
    def __init__(self, world: World) -> None:
        self._world = world

    def wall_ms(self) -> int:
        return 1_767_261_600_000 + int(self._world.loop.time() * 1000)

    def monotonic_s(self) -> float:
        return self._world.loop.time()


def played(shop: Shop, day: Day) -> Shop:
    """The shop after its day; nothing was violated."""

    async def main() -> None:
        await shop.furnished()
        await day(shop)

    shop.world.run(main())
    assert shop.world.violations == []
    return shop


def test_a_sale_reaches_hub_and_cloud_once(tmp_path: Path) -> None:
    async def day(shop: Shop) -> None:
        await shop.sign_in()
        sale, key = shop.sale(3), shop.ids.uuid7()
        first = await shop.ask("sale/commit", sale, key)
        assert first == await shop.ask("sale/commit", sale, key)
        await shop.at_rest()
        assert [row["sale_id"] for row in shop.oms.sales()] == [sale["sale_id"]]
        assert shop.oms_levels() == shop.hub_levels()
        assert shop.oms_levels()[SKU] == goods.OPENING_STOCK[SKU] - 3
        assert shop.oms.faults() == []
        assert shop.hub.read(laws.broken) == []

    shop = played(Shop(tmp_path), day)
    topics = {message.topic for message in shop.told}
    assert {TOPICS.hub_state, TOPICS.broadcast("stock"), TOPICS.reply(TILL)} <= topics


def test_a_killed_hub_goes_on_where_it_was(tmp_path: Path) -> None:
    async def day(shop: Shop) -> None:
        await shop.sign_in()
        sold = []
        for _ in range(8):
            sale = shop.sale()
            asking = asyncio.ensure_future(shop.ask("sale/commit", sale))
            await asyncio.sleep(0.003)
            shop.world.machine("hub").kill("test")
            await asyncio.sleep(1)
            shop.world.machine("hub").boot()
            await asking
            sold.append(sale["sale_id"])
        await shop.at_rest()
        assert sorted(row["sale_id"] for row in shop.oms.sales()) == sorted(sold)
        assert shop.oms_levels() == shop.hub_levels()
        assert shop.sessions == 9
        assert shop.hub.read(laws.broken) == []

    played(Shop(tmp_path), day)


def test_what_the_cloud_changes_and_asks_arrives(tmp_path: Path) -> None:
    async def day(shop: Shop) -> None:
        await shop.sign_in()
        assert shop.oms.set_price(SKU, 123)
        assert shop.oms.queue_command("config.changed", {"key": "probe", "value": 1})
        await shop.at_rest()
        await asyncio.sleep(5)
        look_up = await shop.ask("catalog/look-up", {"code": SKU})
        assert look_up["price_minor"] == 123
        noted = shop.hub.read(
            lambda rows: rows.all("SELECT subject FROM audit WHERE action LIKE 'cloud.command%'")
        )
        assert noted == shop.oms.look("SELECT id FROM commands WHERE type = 'config.changed'")

    played(Shop(tmp_path), day)


def test_a_hub_put_back_from_a_copy_gets_its_facts_back(tmp_path: Path) -> None:
    async def day(shop: Shop) -> None:
        await shop.sign_in()
        copy = await shop.hub.backup()
        assert copy is not None
        await shop.ask("sale/commit", shop.sale(2))
        await shop.at_rest()
        await shop.world.machine("hub").stop()
        shop.hub.restore(copy)
        shop.world.machine("hub").boot()
        await shop.at_rest()
        assert shop.hub_levels() == shop.oms_levels()
        assert shop.hub_levels()[SKU] == goods.OPENING_STOCK[SKU] - 2

    played(Shop(tmp_path), day)


def test_an_oms_put_back_from_a_copy_is_told_again(tmp_path: Path) -> None:
    async def day(shop: Shop) -> None:
        await shop.sign_in()
        copy = await shop.oms.backup()
        assert copy is not None
        await shop.ask("sale/commit", shop.sale(2))
        await shop.at_rest()
        shop.world.machine("oms").kill("test")
        shop.oms.restore(copy)
        assert shop.oms.sales() == []
        shop.world.machine("oms").boot()
        await asyncio.sleep(60)
        await shop.at_rest()
        assert len(shop.oms.sales()) == 1
        assert shop.hub_levels() == shop.oms_levels()

    played(Shop(tmp_path), day)


def test_every_misbehaviour_of_the_oms_is_survived(tmp_path: Path) -> None:
    async def day(shop: Shop) -> None:
        await shop.sign_in()
        oms = shop.oms
        oms.fail_odds = oms.lose_reply_odds = oms.slow_odds = oms.break_body_odds = 0.2
        for _ in range(30):
            await shop.ask("sale/commit", shop.sale())
            await asyncio.sleep(30)
        oms.heal()
        await shop.at_rest()
        assert len(oms.sales()) == 30
        assert oms.faults() == []
        assert shop.hub_levels() == shop.oms_levels()

    counters = played(Shop(tmp_path, batch_events=3), day).world.counters
    for what in ("oms 503", "oms 429", "oms reply lost", "oms slow", "oms body broken"):
        assert counters[what], what


def digest(root: Path, seed: int) -> str:
    """The trace of a short day with a kill."""

    async def day(shop: Shop) -> None:
        await shop.sign_in()
        shop.oms.fail_odds = 0.2
        for number in range(12):
            await shop.ask("sale/commit", shop.sale())
            if number % 4 == 3:
                shop.world.machine("hub").kill("test")
                shop.world.machine("hub").boot()
        await asyncio.sleep(600)
        shop.world.trace.note(0, "test", json.dumps(shop.hub_levels()))
        shop.world.trace.note(0, "test", json.dumps([str(one) for one in shop.told]))
        await shop.world.machine("hub").stop()

    return played(Shop(root, seed), day).world.trace.digest


def test_one_seed_is_one_day_under_every_hash_seed(tmp_path: Path) -> None:
    here = digest(tmp_path / "here", 5)
    code = (
        "import sys, pathlib; from tests.simulation.test_hub_machine import digest;"
        "print(digest(pathlib.Path(sys.argv[1]), 5))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "there")],
        env=os.environ | {"PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == here
