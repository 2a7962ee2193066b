"""Who breaks things: each kind of fault strikes at seeded moments until the shop is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING

from hub.crashpoints import (
    CARD_CRASH_POINTS,
    FORWARD_CRASH_POINTS,
    HUB_CRASH_POINTS,
    PRINT_CRASH_POINTS,
    on_crashpoint,
)
from tests.simulation.kernel import Machine
from tests.simulation.kernel.network import current
from tests.simulation.shop.paper import Printer
from tests.simulation.shop.weather import CARD_ACTS, DAY_S, both, minutes
from tests.support.faultdisk import Fault

if TYPE_CHECKING:
    from tests.simulation.shop.scenario import Scenario

UNHEARD_S = 3_600.0


class Nemesis:
    """One run's faults.  ``stop`` ends them; what they bent, the scenario straightens.

    ``joined_s`` is when something that was cut was joined again for the last time."""

    def __init__(self, shop: Scenario) -> None:
        self.shop = shop
        self.world = shop.world
        self._tasks: list[asyncio.Task[None]] = []
        self.joined_s = 0.0
        self._crash_odds = 0.0
        self._crash_at = ""
        self._crash_random = shop.world.random("crash points")
        self._rare = shop.world.random("rare crash points")
        self._cards = shop.world.random("crash points of cards")

    def start(self) -> None:
        """Begin with the kinds of the plan."""
        for kind, per_day in self.shop.plan.faults.items():
            random = self.world.random(f"fault/{kind}")
            work = self._strike(kind, per_day, random)
            self._tasks.append(self.world.loop.create_task(work, name=f"nemesis-{kind}"))
        on_crashpoint(self._pass)

    async def stop(self) -> None:
        """No more faults."""
        on_crashpoint(None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _strike(self, kind: str, per_day: float, random: Random) -> None:
        act = ACTS[kind]
        while True:
            await asyncio.sleep(random.expovariate(per_day / DAY_S))
            self.world.count(f"fault: {kind}")
            self.world.trace.note(self.world.loop.time(), "NEMESIS", kind)
            await act(self, random)

    def _pass(self, name: str) -> None:
        process = current()
        if process is None or not process.alive or not self._crash_odds:
            return
        self.world.count(f"passed {name}")
        if self._crash_at and name != self._crash_at:
            return
        if self._crash_random.random() < self._crash_odds:
            self._crash_odds = 0.0
            self.world.count(f"died at {name}")
            power = self._crash_random.random() < 0.3
            process.machine.kill(f"crash point {name}", power=power)

    def arm_crash_points(self, random: Random) -> None:
        """From now on any crash point may be the last; or one, lest those that are passed with
        every write take all deaths."""
        points: tuple[str, ...] = PRINT_CRASH_POINTS if random.random() < 0.2 else HUB_CRASH_POINTS
        self._crash_at = random.choice(("", random.choice(points)))
        self._crash_odds = 0.4 if self._crash_at else 0.1
        if self.shop.plan.takes_cards and self._cards.random() < 0.4:
            points = (*CARD_CRASH_POINTS, *FORWARD_CRASH_POINTS)
            self._crash_at, self._crash_odds = self._cards.choice(points), 0.5

    def arm_one_of(self, rooms: tuple[str, ...]) -> None:
        """Often, where crash points are to be the last: one that is only passed after what comes
        now."""
        names = [name for name in HUB_CRASH_POINTS if name.partition(".")[0] in rooms]
        if "hub dies at a crash point" in self.shop.plan.faults and self._rare.random() < 0.6:
            self._crash_at, self._crash_odds = self._rare.choice(names), 0.6

    async def wait_for_an_answer(self, random: Random) -> None:
        """Until a till has just been told yes: that is when it hurts most."""
        answered = self.shop.history.answered
        for _ in range(900):
            await asyncio.sleep(1.0)
            if self.shop.history.answered != answered:
                self.world.count("struck right after an answer")
                await asyncio.sleep(random.uniform(0, 0.5))
                return

    async def kill(self, name: str, *, power: bool = False) -> None:
        """The supervisor starts it again."""
        machine = self.world.machine(name)
        if machine.process is not None:
            machine.kill("nemesis", power=power)

    async def cut(
        self, ways: list[tuple[str, str]], seconds: float, *, after_s: float = 0.0
    ) -> None:
        """Nothing passes for a while."""
        await asyncio.sleep(max(0.0, after_s))
        for way in ways:
            self.world.network.link(*way).up = False
        await asyncio.sleep(seconds)
        for way in ways:
            self.world.network.link(*way).up = True
        self.joined_s = self.world.loop.time()

    async def spoil(self, ways: list[tuple[str, str]], seconds: float, random: Random) -> None:
        """Much is lost, doubled, late or out of order for a while."""
        for way in ways:
            link = self.world.network.link(*way)
            link.loss, link.duplicate = random.uniform(0, 0.4), random.uniform(0, 0.3)
            link.delay_s = (0.001, random.choice((0.05, 0.5, 5.0)))
            link.reorder = random.random() < 0.7
        await asyncio.sleep(seconds)
        for way in ways:
            link = self.world.network.link(*way)
            link.loss = link.duplicate = 0.0
            link.delay_s, link.reorder = (0.001, 0.005), False


def _hours(random: Random) -> float:
    return random.choice((random.uniform(60, 600), random.uniform(600, 30_000)))


def _store_ways(nemesis: Nemesis, random: Random) -> list[tuple[str, str]]:
    tills = nemesis.shop.till_names
    everybody = [way for name in tills for way in both(name, "broker")]
    single = [both(name, "broker") for name in ("hub", *tills)]
    return random.choice([*single, everybody])


async def _killed(name: str, nemesis: Nemesis, *, power: bool = False) -> None:
    await nemesis.kill(name, power=power)


async def _kill_hub(nemesis: Nemesis, random: Random) -> None:
    if random.random() < 0.5:
        await nemesis.wait_for_an_answer(random)
    await nemesis.kill("hub")


async def _hub_without_power(nemesis: Nemesis, random: Random) -> None:
    """Between two writes, or in the middle of one."""
    shop, machine = nemesis.shop, nemesis.world.machine("hub")
    if random.random() < 0.5 and not shop.disk.broken:

        def off() -> None:
            nemesis.world.count("power fails in the middle of a write")
            nemesis.world.loop.call_soon(cut, context=nemesis.world.context)

        def cut() -> None:
            machine.kill("no power", power=True)

        shop.hub.when_fatal = off
        shop.disk.lose_touch(random)
        await asyncio.sleep(random.uniform(60, 1800))
        shop.hub.when_fatal = None
    else:
        if random.random() < 0.7:
            await nemesis.wait_for_an_answer(random)
        await nemesis.kill("hub", power=True)
    shop.disk.mend()


async def _restart_hub(nemesis: Nemesis, _random: Random) -> None:
    await nemesis.world.machine("hub").stop()


async def _crash_point(nemesis: Nemesis, random: Random) -> None:
    nemesis.arm_crash_points(random)


async def _restore_hub(nemesis: Nemesis, random: Random) -> None:
    """Often only the tills know what is lost: the cloud was cut off all the while.  Or only the
    cloud knows the last of it: the answers came to no till.  Or the hub doesn't know itself."""
    nemesis.arm_one_of(("recovery", "session"))
    shop, after_s = nemesis.shop, random.uniform(60, 20_000)
    again, quietly = random.random() < 0.4, random.random() < 0.6
    cloud = both("hub", "oms")
    how = random.random()
    if how < 0.4:
        nemesis.world.count("restored after the cloud was cut off")
        first_s, away_s = random.choice((0.0, 3_600.0)), random.uniform(0, 600)
        if first_s:
            away_s *= 6
        await asyncio.gather(
            shop.set_hub_back(after_s, first_s=first_s, again=again),
            nemesis.cut(cloud, first_s + after_s + away_s),
        )
    elif how < 0.6:
        nemesis.world.count("restored after answers were lost")
        deaf = [("broker", name) for name in shop.till_names]
        await asyncio.gather(
            shop.set_hub_back(after_s, again=again),
            nemesis.cut(deaf, UNHEARD_S, after_s=after_s - UNHEARD_S + 61),
            nemesis.cut(cloud, random.uniform(120, 900), after_s=after_s - 0.01),
        )
    else:
        alone_s = random.choice((0.0, 1_200.0))
        await asyncio.gather(
            shop.set_hub_back(after_s, again=again, quietly=quietly),
            nemesis.cut(cloud, alone_s, after_s=after_s + 1),
        )


async def _kill_broker(nemesis: Nemesis, _random: Random) -> None:
    await nemesis.kill("broker")


async def _kill_oms(nemesis: Nemesis, _random: Random) -> None:
    await nemesis.kill("oms")


async def _restore_oms(nemesis: Nemesis, random: Random) -> None:
    nemesis.arm_one_of(("datasets", "session"))
    await nemesis.shop.set_oms_back(random.uniform(60, 20_000))


async def _kill_till(nemesis: Nemesis, random: Random) -> None:
    await nemesis.kill(random.choice(nemesis.shop.till_names))


async def _kill_processor(nemesis: Nemesis, _random: Random) -> None:
    await nemesis.kill("processor")


async def _cut_cloud(nemesis: Nemesis, random: Random) -> None:
    await nemesis.cut(both("hub", "oms"), _hours(random))


async def _cut_cloud_one_way(nemesis: Nemesis, random: Random) -> None:
    await nemesis.cut([random.choice(both("hub", "oms"))], minutes(random))


async def _spoil_cloud(nemesis: Nemesis, random: Random) -> None:
    await nemesis.spoil(both("hub", "oms"), minutes(random), random)


async def _cut_store(nemesis: Nemesis, random: Random) -> None:
    ways = _store_ways(nemesis, random)
    if random.random() < 0.3:
        ways = ways[:1]
    await nemesis.cut(ways, minutes(random))


async def _spoil_store(nemesis: Nemesis, random: Random) -> None:
    await nemesis.spoil(_store_ways(nemesis, random), minutes(random), random)


async def _cut_processor(nemesis: Nemesis, random: Random) -> None:
    ways = [way for name in nemesis.shop.till_names for way in both(name, "processor")]
    await nemesis.cut(ways, minutes(random))


async def _set_clock(nemesis: Nemesis, random: Random) -> None:
    clock = nemesis.world.machine("hub").clock
    step_s = random.choice((-86_400, -3_600, -90, -2, 2, 90, 3_600, 86_400 * 3))
    clock.offset_ms += step_s * 1000
    await asyncio.sleep(minutes(random))
    clock.offset_ms -= step_s * 1000


async def _oms_fails(nemesis: Nemesis, random: Random) -> None:
    nemesis.shop.oms.fail_odds = random.uniform(0.2, 1.0)
    await asyncio.sleep(minutes(random))
    nemesis.shop.oms.fail_odds = 0.0


async def _oms_loses_answers(nemesis: Nemesis, random: Random) -> None:
    nemesis.shop.oms.lose_reply_odds = random.uniform(0.2, 0.9)
    nemesis.shop.oms.break_body_odds = random.choice((0.0, 0.3))
    nemesis.shop.oms.slow_odds = random.choice((0.0, 0.3))
    await asyncio.sleep(minutes(random))
    nemesis.shop.oms.heal()


async def _disk_error(nemesis: Nemesis, random: Random) -> None:
    nemesis.shop.disk.fail(Fault.EIO, random)
    await asyncio.sleep(random.uniform(1, 300))
    nemesis.shop.disk.mend()


async def _disk_full(nemesis: Nemesis, random: Random) -> None:
    nemesis.shop.disk.fail(Fault.ENOSPC, random)
    await asyncio.sleep(random.uniform(1, 1800))
    nemesis.shop.disk.mend()


async def _no_paper(nemesis: Nemesis, random: Random) -> None:
    await _stop_printer(nemesis, random, Printer.run_out)


async def _no_printer_power(nemesis: Nemesis, random: Random) -> None:
    await _stop_printer(nemesis, random, Printer.lose_power)


async def _stop_printer(nemesis: Nemesis, random: Random, stop: Callable[[Printer], None]) -> None:
    """Often in the middle of a receipt; sometimes all printers at once."""
    printers = list(nemesis.shop.paper.printers.values())
    chosen = printers if random.random() < 0.2 else [random.choice(printers)]
    if random.random() < 0.7:
        for _ in range(900):
            await asyncio.sleep(random.uniform(0.5, 1.5))
            if busy := [one for one in printers if one.prints]:
                chosen = busy
                break
    for printer in chosen:
        stop(printer)
    await asyncio.sleep(random.choice((5.0, 60.0, 900.0, 7_200.0)))
    nemesis.shop.paper.mend()


ACTS: dict[str, Callable[[Nemesis, Random], Awaitable[None]]] = {
    "hub killed": _kill_hub,
    "hub without power": _hub_without_power,
    "hub restarted": _restart_hub,
    "hub dies at a crash point": _crash_point,
    "hub restored": _restore_hub,
    "broker killed": _kill_broker,
    "oms killed": _kill_oms,
    "oms restored": _restore_oms,
    "till killed": _kill_till,
    "processor killed": _kill_processor,
    "cloud cut": _cut_cloud,
    "cloud cut one way": _cut_cloud_one_way,
    "cloud link bad": _spoil_cloud,
    "shop network cut": _cut_store,
    "shop network bad": _spoil_store,
    "processor cut": _cut_processor,
    "hub clock set": _set_clock,
    "oms fails": _oms_fails,
    "oms loses answers": _oms_loses_answers,
    "disk error": _disk_error,
    "disk full": _disk_full,
    "printer without paper": _no_paper,
    "printer without power": _no_printer_power,
    **CARD_ACTS,
}


class Supervisor:
    """Starts again what died, as systemd (or a person) does, after a seeded pause."""

    def __init__(self, shop: Scenario) -> None:
        self._shop = shop
        self._random = shop.world.random("supervisor")
        self._held: dict[str, int] = {}

    def watch(self) -> None:
        """From now on."""
        self._shop.world.on_death = self._died

    def hold(self, name: str) -> None:
        """Leave this machine off until :meth:`release`."""
        self._held[name] = self._held.get(name, 0) + 1

    def release(self, name: str) -> None:
        """Start it again."""
        self._held[name] -= 1
        self._boot(self._shop.world.machine(name))

    def _died(self, machine: Machine) -> None:
        pause_s = self._random.choice((0.5, 5.0, 60.0, 600.0))
        self._shop.world.loop.call_later(pause_s, self._boot, machine)

    def _boot(self, machine: Machine) -> None:
        if machine.process is None and not self._held.get(machine.name):
            machine.boot()
