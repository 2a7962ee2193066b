"""Tills, broker and payment processor of the simulated shop, against a small hub."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hub.contract.topics import Topics
from tests.simulation.kernel import World
from tests.simulation.shop.bank import Charge, Moods
from tests.simulation.shop.broker import BrokerMachine
from tests.simulation.shop.history import History
from tests.simulation.shop.moneybox import MoneyBox
from tests.simulation.shop.plainhub import CREW, PlainHub
from tests.simulation.shop.processor import ProcessorMachine, money_faults
from tests.simulation.shop.till import TillMachine
from tests.simulation.shop.wallet import Job

# On virtual time there is nobody to keep waiting.
pytestmark = [pytest.mark.may_block, pytest.mark.usefixtures("_no_fsync")]
TILLS = ("till-1", "till-2", "till-3")
EVERYTHING = (*TILLS, "hub", "broker", "processor")


@pytest.fixture
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here cuts the power, and waiting for the disk would be most of its time."""
    monkeypatch.setattr(os, "fsync", lambda _handle: None)


class Bench:
    """A shop without a cloud."""

    def __init__(self, root: Path, seed: int, *, in_steps: bool = True) -> None:
        self.world = World(seed, root)
        crew = replace(CREW, in_steps=in_steps)
        self.history = History(self.world)
        self.hub = PlainHub(self.world)
        self.broker = BrokerMachine(self.world)
        self.processor = ProcessorMachine(self.world, moods=Moods(at_terminal=0.1), late=0.1)
        self.tills = [
            TillMachine(self.world, self.history, name, sales_per_day=200, crew=crew)
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

    async def come_to_rest(self, minutes: int = 600) -> None:
        """No faults and no customers any more: what is under way has to end by itself."""
        self.world.network.heal()
        self.broker.reply_loss = self.broker.twice = 0.0
        for till in self.tills:
            till.close_shop()
        for _ in range(minutes):
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
        "sale/commit repeated by another till",
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


@pytest.mark.parametrize("seed", range(3))
def test_whatever_dies_or_is_lost_every_request_is_answered_once(tmp_path: Path, seed: int) -> None:
    bench = play(tmp_path, seed)
    bench.check()
    assert bench.world.counters["till repeated"]
    assert bench.world.counters["message lost"]


@pytest.mark.parametrize("in_steps", [False, True])
def test_a_hub_put_back_to_an_older_copy_is_told_again_what_it_lost(
    tmp_path: Path, in_steps: bool
) -> None:
    bench = Bench(tmp_path, 1, in_steps=in_steps)
    bench.hub.safe = False

    async def day() -> None:
        bench.boot()
        await asyncio.sleep(3_600)
        machine = bench.world.machine("hub")
        shutil.copytree(
            machine.directory, tmp_path / "copy", ignore=shutil.ignore_patterns("*-shm")
        )
        await asyncio.sleep(1_800)
        machine.kill("to be put back")
        bench.history.restored += 1
        bench.hub.incarnation += 1
        machine.adopt(tmp_path / "copy")
        machine.boot()
        await asyncio.sleep(600)
        await bench.come_to_rest()
        assert bench.hub.shop is not None
        there = {row[0] for row in bench.hub.shop.all("SELECT sale_id FROM sales")}
        answered = {
            asked.body["sale_id"]
            for asked in bench.history.asked.values()
            if asked.operation == "sale/commit" and asked.result is not None
        }
        assert answered <= there

    bench.world.run(day())
    bench.check()
    assert bench.world.counters["request re-offered to a restored hub"]


def test_a_till_that_dies_is_told_lost_by_its_last_will(tmp_path: Path) -> None:
    bench = Bench(tmp_path, 1)
    states: list[str] = []

    async def day() -> None:
        bench.boot()
        await asyncio.sleep(60)
        assert bench.broker.connected == list(TILLS)
        hub = bench.world.machine("hub").process
        assert hub is not None
        hub.receive = lambda _source, message: states.append(f"{message.topic} {message.payload}")
        bench.world.machine("till-2").kill("test")
        await asyncio.sleep(600)

    bench.world.run(day())
    assert [one for one in states if "till-2/state" in one and "lost" in one]
    assert bench.broker.connected == ["till-1", "till-3"]


# What the checks have to notice -------------------------------------------------------------------


def violations_of(bench: Bench, hours: float = 3) -> str:
    async def day() -> None:
        bench.boot()
        await asyncio.sleep(hours * 3600)
        await bench.come_to_rest(minutes=10)

    bench.world.run(day())
    faults = [text for till in bench.tills for text in till.faults()]
    return "; ".join(bench.world.violations + faults + bench.processor.faults(bench.history))


def notices(folder: Path, sentences: set[str], hours: float = 3, late: float = 0.0) -> set[str]:
    """Which of these sentences are said in a few days, each of another seed."""
    said: set[str] = set()
    for seed in range(1, 13):
        bench = Bench(folder / str(seed), seed)
        bench.processor.late = late or bench.processor.late
        found = violations_of(bench, hours)
        said |= {one for one in sentences if one in found}
        if said == sentences:
            break
    return said


def test_a_hub_that_remembers_no_keys_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.storage.requests.find", lambda *_: None)
    monkeypatch.setattr("hub.storage.requests.store", lambda *_: None)
    wanted = {"told two things for one request", "key reused by till"}
    assert notices(tmp_path, wanted) == wanted


def test_a_reply_to_the_wrong_device_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Topics.reply

    def wrong(self: Topics, device: str) -> str:
        return right(self, "till-1" if device == "till-2" else device)

    bench = Bench(tmp_path, 1)
    monkeypatch.setattr(bench.hub, "topics", type("Wrong", (Topics,), {"reply": wrong})("367"))
    assert "till-1 was given the answer to a request of till-2" in violations_of(bench, 1)


def test_a_charge_without_its_sale_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forget(self: MoneyBox, job: Job) -> None:
        self.wallet.done(job)

    monkeypatch.setattr(MoneyBox, "_undo", forget)
    wanted = {"is kept, the sales say 0"}
    assert notices(tmp_path, wanted, hours=6, late=0.5) == wanted


def test_a_payment_taken_twice_is_noticed(tmp_path: Path) -> None:
    history = History(World(1, tmp_path))
    twice = Charge("p", 100, "reversed", charged=2)
    assert money_faults(history, [twice]) == ["payment p was charged 2 times"]


def test_one_seed_gives_one_day_in_every_process_under_every_hash_seed(tmp_path: Path) -> None:
    here = play(tmp_path / "here", 7, 0.7).world.trace.digest
    code = (
        "import sys, pathlib; from tests.simulation.test_tills import play;"
        "print(play(pathlib.Path(sys.argv[1]), 7, 0.7).world.trace.digest)"
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
