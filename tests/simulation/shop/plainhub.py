"""A small hub for trying tills and broker alone: the real gate over a real database, run at once.

It has no cloud: what is written counts as safe, unless ``safe`` is False.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

from devices.tills.till import Person
from hub.contract.envelope import HubMode, HubState
from hub.contract.topics import FactTopic, RequestTopic, Topics
from tests.simulation.kernel import Process, World
from tests.simulation.shop.broker import STORE
from tests.simulation.shop.crew import Crew
from tests.simulation.shop.messages import Connect, Publish
from tests.support.gatebench import PIN
from tests.support.shop import Shop

BROKER = "broker"
REFRESH_S = 30.0
PIECES = ("tea", "rum", "jam", "oil", "salt")
CREW = Crew({"anna": PIN, "ben": PIN}, Person("mia", PIN), (*PIECES, "ham"))


class PlainHub:
    """Give :meth:`start` to :meth:`World.add` under the name ``hub``."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.topics = Topics(STORE)
        self.incarnation = 1
        self.safe = True
        self.shop: Shop | None = None

    async def start(self, process: Process) -> None:
        """One run."""
        hub = _Run(self, process)
        self.shop = hub.shop
        process.receive = hub.receive
        process.spawn(hub.announce())


class _Run:
    def __init__(self, machine: PlainHub, process: Process) -> None:
        self._machine = machine
        self._process = process
        self._facts: dict[str, int] = {}
        fresh = not (process.directory / "hub.db").exists()
        self.shop = Shop(process.directory, seed=process.number, furnish=fresh)
        self.shop.core.conn.execute("PRAGMA synchronous = OFF")
        process.at_death(self._close)
        self._set_clock()
        if fresh:
            for n, sku in enumerate(PIECES):
                self.shop.product(sku, 199 + 100 * n, stock=50 if n else 400)
            self.shop.product("ham", 1890, uom="kg", scale=3, stock=90_000)

    def _close(self) -> None:
        with suppress(Exception):
            self.shop.close()

    def _set_clock(self) -> None:
        clock = self.shop.clock
        behind_ms = self._process.clock.wall_ms() - clock.wall_ms()
        if behind_ms > 0:
            clock.advance(behind_ms / 1000)

    async def announce(self) -> None:
        """Be there, and say how it is."""
        while True:
            self._process.world.network.send(self._process, BROKER, Connect("hub"))
            self._tell_state()
            await asyncio.sleep(REFRESH_S)

    def _tell_state(self) -> None:
        seq = self.shop.value("SELECT coalesce(max(id), 0) FROM outbox")
        state = HubState(
            mode=HubMode.ONLINE,
            session=str(self._process.number),
            incarnation=str(self._machine.incarnation),
            epoch=1,
            seq=seq,
            safe_seq=seq if self._machine.safe else 0,
            time_ms=self._process.clock.wall_ms(),
        )
        self._send(self._machine.topics.hub_state, state.model_dump_json(), None, retain=True)

    def receive(self, _source: str, message: object) -> None:
        """Answer requests and facts."""
        if not isinstance(message, Publish):
            return
        self._set_clock()
        match self._machine.topics.parse(message.topic):
            case RequestTopic(device, service, operation) if not message.retain:
                reply = self.shop.ask(
                    device,
                    f"{service}/{operation}",
                    message.payload,
                    key=message.idk,
                    record=message.record,
                )
                self._send(self._machine.topics.reply(device), reply.text, message.correlation)
            case FactTopic(device, _):
                self._process.soon(self._take_fact, device, message)
            case _:
                pass

    def _take_fact(self, device: str, message: Publish) -> None:
        """In order per journal, as the contract has it."""
        fact = json.loads(message.payload)
        expected = self._facts.get(fact["journal_id"], 0) + 1
        if expected == 1:  # a hub that was started again takes up where the device stands
            expected = fact["evt_seq"]
        text = '{"ok":true,"seq":0,"result":{}}'
        if fact["evt_seq"] <= expected:
            self._facts[fact["journal_id"]] = max(expected, fact["evt_seq"])
            self._process.world.count("fact taken")
        else:
            return
        self._send(self._machine.topics.reply(device), text, message.correlation)

    def _send(
        self, topic: str, text: str, correlation: bytes | None, *, retain: bool = False
    ) -> None:
        message = Publish("hub", topic, text.encode(), correlation, retain=retain)
        self._process.world.network.send(self._process, BROKER, message)
