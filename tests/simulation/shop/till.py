"""A virtual till as a machine: the real device kit with its journal, on the simulated network.

Its disk holds the journal and the wallet; killed at any moment, it goes on from there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection
from contextlib import suppress

from devices.kit import DeviceMeta, HubClient, KitError
from devices.kit.identity import Identity
from devices.kit.journal_state import Entry
from devices.kit.link import Greeting, Message
from devices.tills.till import Person
from tests.simulation.kernel import Process, World
from tests.simulation.shop import goods
from tests.simulation.shop.broker import KEEPALIVE_S, STORE
from tests.simulation.shop.cardbox import CardWay
from tests.simulation.shop.cardloss import OFF
from tests.simulation.shop.cashier import Cashier
from tests.simulation.shop.crew import Crew
from tests.simulation.shop.history import History
from tests.simulation.shop.kitlink import PairedStore, SimLink
from tests.simulation.shop.rogue import Rogue
from tests.simulation.shop.stream import Segment
from tests.simulation.shop.wiretap import Wiretap

DAY_S = 86_400.0
OPEN_S = 43_200.0
"""The shop is open for the first half of each day since the world's start."""
ROGUE = 0.3


def demo_crew(*, by_card: bool = False) -> Crew:
    """The staff and goods of the simulated shop."""
    people = {name: pin for name, pin in goods.PINS.items() if name != goods.MANAGER}
    manager = Person(goods.MANAGER, goods.PINS[goods.MANAGER])
    return Crew(people, manager, tuple(goods.PRICES), by_card=by_card)


class TillMachine:
    """Give :meth:`start` to :meth:`World.add` under ``name``.

    ``sales_per_day``: customers that come to this till between opening and closing.
    """

    def __init__(
        self,
        world: World,
        history: History,
        name: str,
        *,
        sales_per_day: float = 50.0,
        crew: Crew | None = None,
        store: str = STORE,
        keepalive_s: float = KEEPALIVE_S,
        cards: CardWay | None = None,
    ) -> None:
        self.world = world
        self.cards = cards
        self.history = history
        self.name = name
        self.store = store
        self.crew = crew or demo_crew()
        self.keepalive_s = keepalive_s
        self.sales_per_day = sales_per_day
        self.tap = Wiretap.of(world, history, store)
        self.closed = False
        self.now: Till | None = None

    async def start(self, process: Process) -> None:
        """One run."""
        self.now = None
        till = Till(self, process)
        await till.open()
        self.now = till

    def close_shop(self) -> None:
        """No more customers; what is under way is brought to its end."""
        self.closed = True

    def under_way(self) -> str:
        """What waits to be done, in words; empty at rest."""
        till = self.now
        if till is None or not till.process.alive:
            return f"{self.name} is not up"
        return till.under_way()

    def faults(self, seen: Collection[str] = (), voided: Collection[str] = ()) -> list[str]:
        """What a person would have to look at; ``seen``: payments that one looks at already;
        ``voided``: sales that are so in a hub that was put back, and payments that it was told of
        again."""
        if self.now is None:
            return [f"{self.name} never came up"]
        found = [
            f"{self.name}: {one.service}/{one.operation} {one.key} was accepted once and is"
            f" refused now: {one.doubt}"
            for one in self.now.hub.journal.entries
            if one.doubt is not None and not self._is_lost(one, seen, voided)
        ]
        return found + [
            f"{self.name}: {text}"
            for payment_id, text in self.now.cashier.money.faults
            if payment_id not in seen
        ]

    def _is_lost(self, one: Entry, seen: Collection[str], voided: Collection[str]) -> bool:
        """What a restored hub knows nothing of it can't be told more of: people compare the two.
        Nor is it a loss if what was offered again before the cloud told of it is refused: the
        repeat of another's void after its day, or what a terminal said of a payment."""
        if not self.history.restored:
            return False
        body = json.loads(one.body)
        if one.service == "payment":
            if one.operation == "give-up":  # what came of its payment is looked at elsewhere
                self.world.count(OFF + "a payment given up that a restored hub lets go by itself")
                return True
            told_later = body["payment_id"] in voided
            if told_later:
                self.world.count(OFF + "a report in doubt of what the cloud told later")
            return told_later or body["payment_id"] in seen
        if (one.service, one.operation) == ("sale", "void") and body["sale_id"] in voided:
            self.world.count(OFF + "a void in doubt that is so")
            return True
        return False


class Till:
    """One run of a till."""

    def __init__(self, machine: TillMachine, process: Process) -> None:
        self.machine = machine
        self.process = process
        self.world = machine.world
        self._connections = 0
        self._link: SimLink | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._serving = False
        self._offered_again = 0
        self.random = self.world.random(f"{process.name}/{process.number}/people")
        self.hub = HubClient(
            PairedStore(process.directory, machine.store, process.name),
            DeviceMeta(kind="till", model="simulated", firmware="1"),
            clock=process.clock,
            randomness=process.randomness,
            connect=self._connect,
        )
        process.receive = self._receive

    async def open(self) -> None:
        """Open the journal, connect, begin to work."""
        await self.hub.__aenter__()
        file = self.hub.journal._file
        self.process.at_death(file.close)
        self.cashier = Cashier(
            self.process,
            self.hub,
            self.machine.crew,
            self.machine.tap,
            self.random,
            self.machine.cards,
        )
        self._rogue = Rogue(self.cashier)
        self.hub.on_settled(lambda settled: self._settled(offered_again=settled.offered_again))
        for job in self.cashier.money.resume():
            self._tasks.append(self.process.spawn(_run(job), f"{self.machine.name}-left"))
        self._tasks.append(self.process.spawn(self._work(), f"{self.machine.name}-work"))

    def under_way(self) -> str:
        """See :meth:`TillMachine.under_way`."""
        name, journal = self.machine.name, self.hub.journal
        waiting = [entry for entry in journal.entries if entry.waits]
        if waiting:
            first = waiting[0]
            return f"{name} waits for {len(waiting)} answers: {first.service}/{first.operation}"
        if journal.facts(1):
            return f"{name} has facts that nobody took"
        if self.cashier.money.wallet.jobs:
            job = next(iter(self.cashier.money.wallet.jobs.values()))
            return f"{name} has money to see to: {job.address} {job.key}"
        return f"{name} serves a customer" if self._serving else ""

    def _settled(self, *, offered_again: bool) -> None:
        if offered_again:
            self.world.count("request re-offered to a restored hub")

    # -- the wire ------------------------------------------------------------------------------

    async def _connect(
        self, _identity: Identity, greeting: Greeting, on_message: Callable[[Message], None]
    ) -> SimLink:
        self._connections += 1
        if self._connections > 1:
            self.world.count("till reconnects")
        link = self._link = SimLink(
            self.process,
            (self.process.number, self._connections),
            greeting,
            on_message,
            self.machine.tap,
            self.machine.keepalive_s,
        )
        await link.open()
        return link

    def _receive(self, _source: str, message: object) -> None:
        if isinstance(message, Segment) and self._link is not None:
            self._link.heard(message)

    # -- the day -------------------------------------------------------------------------------

    async def _work(self) -> None:
        self._serving = True
        with suppress(KitError):
            await self.cashier.sign_in()
            await self.cashier.tidy_up()
        self._serving = False
        while await self._next_customer():
            self._serving = True
            if not self.machine.crew.by_card and self.random.random() < ROGUE:
                await self._rogue.misbehave()
            await self.cashier.serve()
            self._serving = False

    async def _next_customer(self) -> bool:
        """Wait for one; False when none will come."""
        pause_s = self.random.expovariate(self.machine.sales_per_day / OPEN_S)
        if self.machine.crew.by_card:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.cashier.board.come.wait(), pause_s)
                self.cashier.board.come.clear()
                return not self.machine.closed
        else:
            await asyncio.sleep(pause_s)
        into_day_s = self.world.loop.time() % DAY_S
        if into_day_s > OPEN_S:
            await asyncio.sleep(DAY_S - into_day_s)
        return not self.machine.closed


async def _run(job: object) -> None:
    await job  # type: ignore[misc]
