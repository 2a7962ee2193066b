"""One run: a shop's days with everything that goes wrong in them, then rest, then the reckoning."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from hub.storage.readers import LoopReader
from hub.storage.rows import Rows
from tests.simulation.kernel import Endless, Machine, World
from tests.simulation.shop.bank import CALM, WILD, Moods
from tests.simulation.shop.broker import BrokerMachine
from tests.simulation.shop.cardbox import CardWay
from tests.simulation.shop.cardchecks import CardChecker, caps_of
from tests.simulation.shop.cardloss import TOLD_AGAIN
from tests.simulation.shop.checkers import Checker
from tests.simulation.shop.customers import Customers
from tests.simulation.shop.debtors import Debtors
from tests.simulation.shop.disk import HubDisk
from tests.simulation.shop.forgotten import Forgotten
from tests.simulation.shop.giftcards import GiftCards, listening
from tests.simulation.shop.goods import PRICES
from tests.simulation.shop.history import History
from tests.simulation.shop.hub import HubConfig, HubMachine
from tests.simulation.shop.nemesis import Nemesis, Supervisor
from tests.simulation.shop.office import Office
from tests.simulation.shop.oms import OmsMachine
from tests.simulation.shop.page import Page
from tests.simulation.shop.paper import Paper
from tests.simulation.shop.plan import RARE_ABOVE, Plan
from tests.simulation.shop.processor import ProcessorMachine
from tests.simulation.shop.shelf import Shelf
from tests.simulation.shop.simwriter import Pace
from tests.simulation.shop.telling import Telling
from tests.simulation.shop.terminal import Slip, TerminalMachine
from tests.simulation.shop.till import TillMachine, demo_crew
from tests.simulation.shop.valuechecks import ValueChecker
from tests.simulation.shop.weather import DAY_S
from tests.support.faultdisk import FaultDisk

LOOK_S = 1_800.0
NEEDS_DISK = frozenset(
    {"disk error", "disk full", "hub without power", "hub dies at a crash point"}
)
LOOK_AGAIN_S = (90.0, 900.0)
"""After a restore, as whoever did it would: by then something was sold."""
REST_S = 12 * 3_600.0
REST_WITH_CARDS_S = 60 * 3_600.0
"""What was begun and never sold goes back after a day, and is looked after by people then."""
REST_LOOK_S = 30.0
SOFT_WITH_RETRIES = 0.5
"""Share of charges that are declined for now where that is waited for."""
DROPS = 0.5
"""Share of charges that a processor drops which can't tell of any, in later storms."""
HARD_WITH_LINKS = 0.5
"""Share of charges that are declined for good where customers may pay by links then."""
CAPS: tuple[dict[str, int], ...] = (
    {},
    {},
    {"store_cap_minor": 90_00, "terminal_cap_minor": 60_00, "payment_cap_minor": 40_00},
    {"terminal_cap_count": 3},
)
"""What the shop may risk on cards, drawn."""
QUIET: dict[str, Any] = {
    "digest_every_s": 21_600,
    "clock_every_s": 3_600.0,
    "care_every_s": 3_600.0,
    "disk_every_s": 3_600.0,
    "watch_every_s": 3_600.0,
    "state_every_s": 3_600.0,
    "busy_s": 300.0,
}
"""How a hub looks after itself where nothing but payments matters: days are to cost little."""
KEEPALIVE_S = 240.0
"""Longer than in a shop: quiet nights are to cost little."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended.  ``digest`` is the trace's."""

    plan: Plan
    violations: tuple[str, ...]
    counters: dict[str, int]
    digest: str
    virtual_days: float
    cpu_s: float
    trace: tuple[str, ...]


class Scenario:
    """See the module's text."""

    def __init__(
        self, plan: Plan, root: Path, *, echo: Callable[[str], None] | None = None
    ) -> None:
        self.plan = plan
        self.world = World(plan.seed, root, echo=echo)
        self.world.on_start_failed = self._start_failed
        self.history = History(self.world)
        self.till_names = [f"till-{number}" for number in range(1, plan.tills + 1)]
        self.paper = Paper(self)
        ways = dict(zip(self.till_names, plan.cards, strict=False))
        caps = self.world.random("caps").choice(CAPS)
        self.caps = caps_of(caps)
        self.terminals = {
            till: TerminalMachine(
                self.world,
                till.replace("till", "terminal"),
                keeps=plan.keeps,
                tips=plan.tips,
                surcharges=plan.surcharges,
            )
            for till, way in ways.items()
            if way != "alone"
        }
        self.office = Office(self)
        self.hub = HubMachine(self.world, self._hub_config(ways, caps), self.paper)
        self.disk = HubDisk(self.world, self.hub.start)
        self.oms = OmsMachine(self.world)
        self.broker = BrokerMachine(self.world, keepalive_s=KEEPALIVE_S)
        self.processor = ProcessorMachine(
            self.world, moods=self._moods(), drops=DROPS if plan.seed > RARE_ABOVE else 0.0
        )
        self.telling = Telling(self)
        self.tills = [self._till(name, ways) for name in self.till_names]
        self.gifts = GiftCards(self) if plan.gift_cards else None
        self.value = ValueChecker(self)
        self.debtors = Debtors(self) if plan.links else None
        self.supervisor = Supervisor(self)
        self.nemesis = Nemesis(self)
        self.forgotten = Forgotten(self)
        self.customers = Customers(self)
        self.checker = Checker(self)
        self.cards = CardChecker(self)
        self.page = Page(self)
        self.shelf = Shelf(self)
        self.hub.on_commit = self.shelf.look
        self.history.disk_fails = self._needs_disk()
        self.sent_commands: list[str] = []
        self._hub_copy: Path | None = None

    def _hub_config(self, ways: dict[str, str], caps: dict[str, int]) -> HubConfig:
        plan = self.plan
        payments: dict[str, Any] = dict(caps)
        if plan.tips:
            payments["tips"] = True
        if plan.surcharges:  # allowed: what isn't is shown to people, and nothing else comes of it
            payments["surcharge_max_percent"] = 5.0
        if plan.links:
            payments["link_at_once"] = self.world.random("links").random() < 0.6
        return HubConfig(
            **(QUIET if plan.storm else {}),
            unsent=self.office.unsent if plan.storm else None,
            anti_entropy=plan.anti_entropy,
            devices=tuple(self.till_names),
            batch_events=plan.batch_events,
            batch_max=plan.batch_max,
            print_receipts=plan.print_receipts,
            scarce=plan.scarce,
            pace=Pace(turn_s=(0.0001, plan.turn_s)),
            synced=self._needs_disk(),
            takes_cards=plan.takes_cards,
            gift_cards=plan.gift_cards,
            terminals={
                till: one.name for till, one in self.terminals.items() if ways[till] == "hub"
            },
            links=plan.links,
            overrides={"payments": payments} if plan.takes_cards else {},
        )

    def _moods(self) -> Moods:
        moods = WILD if self.plan.storm else CALM
        if self.plan.waits_for_retries:
            return replace(moods, soft=SOFT_WITH_RETRIES)
        return replace(moods, hard=HARD_WITH_LINKS) if self.plan.links else moods

    def _till(self, name: str, ways: dict[str, str]) -> TillMachine:
        plan = self.plan
        return TillMachine(
            self.world,
            self.history,
            name,
            sales_per_day=plan.sales_per_day / plan.tills,
            keepalive_s=KEEPALIVE_S,
            crew=demo_crew(by_card=plan.storm),
            cards=CardWay(
                ways.get(name, "alone"),
                self.terminals[name].name if name in self.terminals else "",
                plan.takes_cards,
                dawdles=plan.storm,
                tips=plan.tips,
                contacts=plan.links,
            ),
        )

    def run(self) -> Report:
        """Play it."""
        began_s = time.process_time()
        FaultDisk.seed_sqlite(self.plan.seed)
        heard = listening(self.world, self.gifts.purse) if self.gifts else nullcontext()
        try:
            with heard:
                self.world.run(self._main())
        except Endless as error:
            self.world.violations.append(str(error))
        self.world.violations += self._leftovers()
        return Report(
            plan=self.plan,
            violations=tuple(dict.fromkeys(self.world.violations)),
            counters=dict(sorted(self.world.counters.items())),
            digest=self.world.trace.digest,
            virtual_days=self.world.loop.time() / DAY_S,
            cpu_s=time.process_time() - began_s,
            trace=tuple(self.world.trace.last),
        )

    async def _main(self) -> None:
        self._switch_on()
        await self._opened()
        self.supervisor.watch()
        self.nemesis.start()
        senders = [self.world.loop.create_task(self._send_commands())]
        if self.plan.orders:
            senders.append(self.world.loop.create_task(self.customers.watch(), name="customers"))
        self.world.loop.create_task(self.paper.watch(), name="paper-watch")
        if self.gifts is not None:
            self.gifts.open()
        if self.debtors is not None:
            self.debtors.open()
        if self.plan.takes_cards:
            self.processor.on_outcome = self.office.learn
            self.processor.on_charge = self.cards.presented
            if self.plan.storm:
                self.processor.on_outcome = lambda _payment_id, _told: None
                self.telling.start()
            self.world.loop.create_task(self.office.watch(), name="office-watch")
        end_s = self.world.loop.time() + self.plan.days * DAY_S
        looks = 0
        while self.world.loop.time() < end_s and not self.world.violations:
            await asyncio.sleep(LOOK_S)
            looks += 1
            self.checker.during(whole=looks % 12 == 0)
            await self.page.look()
        for sender in senders:
            sender.cancel()
        await self.nemesis.stop()
        if not self.world.violations:
            await self._heal()
            if await self._rest():
                self.checker.after()
                await self.page.look()

    def _switch_on(self) -> None:
        starts = {
            "oms": self.oms.start,
            "processor": self.processor.start,
            "broker": self.broker.start,
            "hub": self.disk.start if self._needs_disk() else self.hub.start,
            **{one.name: one.start for one in self.terminals.values()},
            **{name: till.start for name, till in zip(self.till_names, self.tills, strict=True)},
        }
        for name, start in starts.items():
            machine = self.world.add(name, start)
            if name == "hub":
                machine.before_copy = self.disk.lose_power
            machine.boot()

    def slip_of(self, payment_id: str) -> Slip | None:
        """What a terminal's journal says of a payment."""
        found = (one.slip_of(payment_id) for one in self.terminals.values())
        return next((slip for slip in found if slip is not None), None)

    def terminal_tips(self) -> dict[str, int]:
        """Payment → what its terminal put on top: a tip, a surcharge."""
        found: dict[str, int] = {}
        for terminal in self.terminals.values():
            found |= terminal.on_top()
        return found

    def _needs_disk(self) -> bool:
        return not NEEDS_DISK.isdisjoint(self.plan.faults)

    async def _opened(self) -> None:
        """The shop opens when the hub has its catalogue and stock."""
        for _ in range(1000):
            await asyncio.sleep(1)
            if self.hub.is_furnished:
                return
        self.world.violated("the shop never opened though nothing was wrong")

    async def _send_commands(self) -> None:
        random = self.world.random("commands")
        while True:
            await asyncio.sleep(random.expovariate(60 / DAY_S))
            if random.random() < 0.4:
                self._change_a_price(random)
                continue
            key = f"probe-{len(self.sent_commands)}"
            if self.oms.queue_command("config.changed", {"key": key, "value": 1}):
                self.sent_commands.append(key)

    def _change_a_price(self, random: Random) -> None:
        sku = random.choice(list(PRICES))
        if self.oms.set_price(sku, PRICES[sku] + random.randint(-20, 20)):
            self.world.count("price changed by the cloud")

    # Healing -------------------------------------------------------------------------------------

    async def _heal(self) -> None:
        self.world.trace.note(self.world.loop.time(), "NEMESIS", "heals everything")
        self.world.network.heal()
        self.disk.mend()
        self.oms.heal()
        self.paper.mend()
        for machine in self.world.machines.values():
            machine.clock.offset_ms = 0
            if machine.process is None:
                machine.boot()
        for till in self.tills:
            till.close_shop()
        if self.gifts is not None:
            self.gifts.close()
        if self.debtors is not None:
            self.debtors.close()

    async def _rest(self) -> bool:
        """Wait until nothing is under way; it has to come to that by itself."""
        rest_s = REST_WITH_CARDS_S if self.plan.takes_cards else REST_S
        end_s = self.world.loop.time() + rest_s
        while self.world.loop.time() < end_s:
            await asyncio.sleep(REST_LOOK_S * (20 if self.plan.storm else 1))
            if not self._under_way():
                return True
        self.world.violated(f"it doesn't come to rest: {self._under_way()}")
        return False

    def _under_way(self) -> str:
        """What is still being done, in words."""
        down = [name for name, machine in self.world.machines.items() if not machine.up]
        if down:
            return f"{', '.join(down)} not up"
        for till in self.tills:
            if waiting := till.under_way():
                return waiting
        if self.plan.takes_cards and self.processor.owes_an_outcome():
            return "the processor owes an outcome"
        if self.plan.storm and self.telling.owes():
            return "the processor has something to tell"
        if self.gifts is not None and self.gifts.under_way():
            return "the issuer has something to say"
        if self.debtors is not None and self.debtors.under_way():
            return "customers' money is told of again"
        for terminal in self.terminals.values():
            if terminal.waits():
                return f"{terminal.name} has something to forward"
        return self.hub.under_way() or self.oms.under_way() or self._other_prices()

    def _other_prices(self) -> str:
        """What the hub still has to hear of prices, in words."""
        running = self.hub.running
        assert running is not None
        here: dict[str, int] = dict(
            running.rows.all(
                "SELECT p.sku, p.price_minor FROM prices p JOIN datasets d"
                " ON d.dataset = 'prices' AND d.generation = p.generation"
            )
        )
        there = (
            json.loads(row)
            for (row,) in self.oms.look("SELECT row FROM dataset_rows WHERE dataset = 'prices'")
        )
        differing = [row["sku"] for row in there if here.get(row["sku"]) != row["price_minor"]]
        return f"the hub has other prices than the cloud for {differing}" if differing else ""

    def _leftovers(self) -> list[str]:
        if self.world.violations:
            return []
        seen = self.history.payments_of(self.hub.read(_given_back_twice))
        if not self.plan.takes_cards:
            faults = [text for till in self.tills for text in till.faults(seen)]
            return faults + self.processor.faults(self.history, seen)
        seen = {*seen, *self.cards.loss.unknown()}
        voided = self.hub.read(_voided) if self.history.restored else ()
        faults = [text for till in self.tills for text in till.faults(seen, voided)]
        return faults + self.processor.faults(
            self.history, seen, self.cards.owed(), self.terminal_tips()
        )

    # What the nemesis needs ----------------------------------------------------------------------

    async def set_hub_back(
        self, after_s: float, *, first_s: float = 0.0, again: bool = False, quietly: bool = False
    ) -> None:
        """Take a copy of the hub's database after ``first_s``, and put it back later; ``again``:
        the last time's.  ``quietly``: as a disk's snapshot, of which the hub isn't told; it has to
        learn of it from the cloud, so that is done only if the cloud knows more than the copy."""
        await asyncio.sleep(first_s)
        if self._hub_copy is None or not again:
            self._hub_copy = await self.hub.backup()
        copy = self._hub_copy
        if copy is None:
            return
        await asyncio.sleep(after_s)
        self.supervisor.hold("hub")
        self.world.machine("hub").kill("to be restored")
        self.history.restored += 1
        self.cards.loss.put_back()
        with self.forgotten.put_back("hub"):
            self.hub.restore(copy, quietly=quietly and self._cloud_knows_more(copy))
        await asyncio.sleep(60)
        self.supervisor.release("hub")
        for pause_s in LOOK_AGAIN_S:
            await asyncio.sleep(pause_s)
            await self.page.look()

    def _cloud_knows_more(self, copy: Path) -> bool:
        if "oms restored" in self.plan.faults:
            return False  # it may forget that again before it is asked
        with LoopReader(copy / "hub.db") as rows:
            heads = {
                (uri, stream): head
                for uri, stream, head in rows.all(
                    "SELECT s.uri, t.stream, t.head_seq FROM streams t"
                    " JOIN sources s ON s.id = t.source"
                )
            }
        return any(
            seq > heads.get((source, stream), 0)
            for source, stream, seq in self.oms.look("SELECT source, stream, seq FROM placements")
        )

    async def set_oms_back(self, after_s: float) -> None:
        """Take a copy of the OMS's database, and put it back later."""
        copy = await self.oms.backup()
        if copy is None:
            return
        await asyncio.sleep(after_s)
        self.supervisor.hold("oms")
        self.world.machine("oms").kill("to be restored")
        with self.forgotten.put_back("oms"):
            self.oms.restore(copy)
        await asyncio.sleep(60)
        self.supervisor.release("oms")

    def _start_failed(self, machine: Machine, error: Exception) -> None:
        if machine.name == "hub" and self.disk.broken:
            self.world.count("start failed on a bad disk")
        else:
            self.world.violated(f"{machine.name} does not start: {error!r}")
        machine.kill("start failed")


def _given_back_twice(rows: Rows) -> set[str]:
    """Sales whose money the hub knows to have been given back before and after a restore."""
    return {
        row[0]
        for row in rows.all("SELECT subject FROM audit WHERE action = 'sale.given_back_twice'")
    }


def _voided(rows: Rows) -> set[str]:
    """With the payments of which the cloud told."""
    voided = rows.all("SELECT sale_id FROM sales WHERE state = 'voided'")
    told = rows.all(f"SELECT payment_id FROM payments p WHERE {TOLD_AGAIN}")
    return {row[0] for row in (*voided, *told)}
