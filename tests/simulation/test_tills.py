"""Tills, broker and payment processor of the simulated shop, against a small hub."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.kernel import World
from tests.simulation.shop.broker import BrokerMachine
from tests.simulation.shop.history import History
from tests.simulation.shop.plainhub import CREW, PlainHub
from tests.simulation.shop.processor import ProcessorMachine
from tests.simulation.shop.till import TillMachine

pytestmark = pytest.mark.may_block  # on virtual time there is nobody to keep waiting
TILLS = ("till-1", "till-2", "till-3")
EVERYTHING = (*TILLS, "hub", "broker", "processor")


class Bench:
    """A shop without a cloud."""

    def __init__(self, root: Path, seed: int, *, sales_per_day: float = 200) -> None:
        self.world = World(seed, root)
        self.history = History(self.world)
        self.hub = PlainHub(self.world)
        self.broker = BrokerMachine(self.world)
        self.processor = ProcessorMachine(self.world, decline=0.1, late=0.1)
        self.tills = [
            TillMachine(self.world, self.history, name, sales_per_day=sales_per_day, crew=CREW)
            for name in TILLS
        ]
        self.world.add("hub", self.hub.start)
        self.world.add("broker", self.broker.start)
        self.world.add("processor", self.processor.start)
        for till in self.tills:
            self.world.add(till.name, till.start)
        self.random = self.world.random("bench")

    def boot(self) -> None:
        for machine in self.world.machines.values():
            machine.boot()

    async def kill(self, name: str) -> None:
        """Off, and on again some time later."""
        machine = self.world.machine(name)
        if machine.process is None:
            return
        machine.kill("test")
        await asyncio.sleep(self.random.choice((0.1, 5, 120)))
        machine.boot()

    def spoil(self) -> None:
        for source in EVERYTHING:
            for target in EVERYTHING:
                link = self.world.network.link(source, target)
                link.loss, link.duplicate, link.reorder = 0.1, 0.1, True
                link.delay_s = (0.001, 0.4)

    async def come_to_rest(self) -> None:
        """No faults and no customers any more: what is under way has to end by itself."""
        self.world.network.heal()
        self.broker.reply_loss = self.broker.twice = 0.0
        for till in self.tills:
            till.close_shop()
        for _ in range(600):
            await asyncio.sleep(60)
            if not any(till.under_way() for till in self.tills):
                return
        self.world.violated(f"no rest: {[till.under_way() for till in self.tills]}")

    def check(self) -> None:
        """Every promise."""
        faults = [text for till in self.tills for text in till.faults()]
        assert not self.world.violations + faults + self.processor.faults(self.history)
        assert self.hub.shop is None or self.sold() > 0

    def sold(self) -> int:
        return sum(
            asked.operation == "sale/commit" and asked.result is not None
            for asked in self.history.asked.values()
        )


async def bad_day(bench: Bench, hours: float) -> None:
    """Everything dies now and then, and much is lost."""
    bench.boot()
    bench.spoil()
    bench.broker.reply_loss, bench.broker.twice = 0.1, 0.1
    end_s = bench.world.loop.time() + hours * 3600
    while bench.world.loop.time() < end_s:
        await asyncio.sleep(bench.random.expovariate(1 / 600))
        await bench.kill(bench.random.choice(EVERYTHING))
    await bench.come_to_rest()


def play(root: Path, seed: int, hours: float = 4) -> Bench:
    bench = Bench(root, seed)
    bench.world.run(bad_day(bench, hours))
    return bench


def test_on_a_good_day_everything_is_answered_and_the_money_is_right(tmp_path: Path) -> None:
    bench = Bench(tmp_path, 1)

    async def day() -> None:
        bench.boot()
        await asyncio.sleep(6 * 3600)
        await bench.come_to_rest()

    bench.world.run(day())
    bench.check()
    assert bench.sold() > 100
    counters = bench.world.counters
    assert not counters["message lost"]
    wanted = (
        "weighed line",
        "split tender",
        "line discounted",
        "goods returned",
        "sale voided",
        "goods received",
        "stock counted",
        "suspended basket resumed elsewhere",
        "answered request repeated",
        "sale repeated by another till",
        "key reused",
        "sale id reused",
        "malformed request refused",
        "foreign topic refused",
        "fact told",
        "payment captured",
        "payment declined",
        "charge refunded",
    )
    assert not [name for name in wanted if not counters[name]]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_dies_or_is_lost_every_request_is_answered_once(tmp_path: Path, seed: int) -> None:
    bench = play(tmp_path, seed)
    bench.check()
    assert bench.world.counters["till repeated"]
    assert bench.world.counters["message lost"]


def test_one_seed_gives_one_day_in_every_process_under_every_hash_seed(tmp_path: Path) -> None:
    here = play(tmp_path / "here", 7, 2).world.trace.digest
    code = (
        "import sys, pathlib; from tests.simulation.test_tills import play;"
        "print(play(pathlib.Path(sys.argv[1]), 7, 2).world.trace.digest)"
    )
    for hash_seed in ("1", "2"):
        found = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / hash_seed)],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.strip() == here
