"""The broker as a machine: who may write where, last wills, what is retained, what gets lost.

Devices speak through a :mod:`stream <tests.simulation.shop.stream>`.  The hub sends plain
:class:`Publish` messages and is sent them; a :class:`Connect` of it begins a session.  What the
broker knows is in memory and gone when it dies.

The hub's socket is local: the operating system tells each side of the other's death at once.  The
hub's last will is ``hub/state`` with the mode ``away``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from random import Random

from hub.contract.topics import (
    CommandReplyTopic,
    FactTopic,
    MetaTopic,
    RequestTopic,
    StateTopic,
    Topics,
)
from tests.simulation.kernel import Process, World
from tests.simulation.shop.messages import Connect, Publish
from tests.simulation.shop.stream import (
    Ack,
    Body,
    Bye,
    Connection,
    Delivery,
    Hello,
    Packet,
    Ping,
    Segment,
    Stream,
    Welcome,
)

HUB = "hub"
NOBODY_LISTENS = 0x10
NOT_AUTHORISED = 0x87
RETAINED_MAX = 1000
KEEPALIVE_S = 120.0
STORE = "367"


class BrokerMachine:
    """Give :meth:`start` to :meth:`World.add` under the name ``broker``.

    ``reply_loss``: the share of replies that a full socket loses (QoS 0); ``twice``: the share of
    requests that reach the hub twice (QoS 1 promises no less).  Both may be changed at any time.
    """

    def __init__(
        self, world: World, store: str = STORE, *, keepalive_s: float = KEEPALIVE_S
    ) -> None:
        self.world = world
        self.topics = Topics(store)
        self.keepalive_s = keepalive_s
        self.reply_loss = 0.0
        self.twice = 0.0
        self.random = world.random("broker")
        self.now: Broker | None = None

    async def start(self, process: Process) -> None:
        """Bring the broker up, with nothing in memory."""
        self.now = Broker(self, process)

    @property
    def connected(self) -> list[str]:
        """The devices that are connected, sorted."""
        return sorted(self.now.clients) if self.now is not None else []


@dataclass(slots=True)
class _Client:
    name: str
    stream: Stream
    will: Publish | None = None


class Broker:
    """One run of the broker."""

    def __init__(self, machine: BrokerMachine, process: Process) -> None:
        self._machine = machine
        self._process = process
        self._world = machine.world
        self._topics = machine.topics
        self._random: Random = machine.random
        self._retained: dict[str, Publish] = {}
        self._newest: dict[str, Connection] = {}
        self._hub: Process | None = None
        self.clients: dict[str, _Client] = {}
        process.receive = self._receive
        process.at_death(self._died)
        process.later(machine.keepalive_s, self._sweep)

    # -- what comes in -------------------------------------------------------------------------

    def _receive(self, source: str, message: object) -> None:
        match message:
            case Connect() if source == HUB:
                self._hub_is_there()
            case Publish() if source == HUB:
                self._from_hub(message)
            case Segment():
                self._segment(source, message)
            case _:
                self._world.violated(f"the broker was sent {message!r} by {source}")

    def _segment(self, source: str, segment: Segment) -> None:
        client = self.clients.get(source)
        if client is not None and client.stream.connection == segment.connection:
            client.stream.heard(segment)
            return
        newest = self._newest.get(source, (0, 0))
        if isinstance(segment.body, Hello) and segment.number == 1 and segment.connection > newest:
            self._open(source, segment, segment.body)
        elif not segment.reset and segment.connection >= newest:
            reset = Segment(segment.connection, 0, reset="the broker knows no such connection")
            self._world.network.send(self._process, source, reset)

    def _open(self, source: str, segment: Segment, hello: Hello) -> None:
        if source in self.clients:
            self._world.count("connection taken over")
            self._lost(source, self.clients[source].stream.connection, "taken over", tell=True)
        connection = self._newest[source] = segment.connection
        stream = Stream(
            self._process,
            source,
            connection,
            lambda body: self._take(source, body),
            lambda why: self._lost(source, connection, why),
        )
        self.clients[source] = _Client(source, stream, replace(hello.will, sender=source))
        device = self._world.machine(source).process
        if device is not None:
            device.at_death(lambda: self._peer_died(source, connection))
        stream.heard(segment)

    def _take(self, source: str, body: Body) -> None:
        client = self.clients.get(source)
        if client is None:
            return
        match body:
            case Hello():
                client.stream.send(Welcome())
                for topic, kept in self._retained.items():
                    if topic == self._topics.hub_state:
                        client.stream.send(Delivery(replace(kept, retain=True)))
            case Packet(mid, publish):
                client.stream.send(Ack(mid, self._from_device(source, publish)))
            case Ping():
                client.stream.send(Ping(back=True))
            case Bye():
                del self.clients[source]
            case _:
                self._world.violated(f"{source} sent the broker {body!r}")

    # -- devices to hub ------------------------------------------------------------------------

    def _from_device(self, source: str, publish: Publish) -> int:
        """The reason code of its acknowledgement."""
        where = self._topics.parse(publish.topic)
        if where is None or where.device != source or publish.sender != source:
            self._world.count("foreign topic refused")
            return NOT_AUTHORISED
        match where:
            case StateTopic() | MetaTopic():
                if publish.retain:
                    self._keep(publish)
            case RequestTopic() | FactTopic() | CommandReplyTopic():
                pass
        if not self._to_hub(replace(publish, retain=False)):
            return NOBODY_LISTENS
        if isinstance(where, RequestTopic) and self._random.random() < self._machine.twice:
            self._world.count("request delivered twice")
            self._to_hub(replace(publish, retain=False))
        return 0

    def _to_hub(self, publish: Publish) -> bool:
        if self._hub is None or not self._hub.alive:
            return False
        self._world.network.send(self._process, HUB, publish)
        return True

    def _keep(self, publish: Publish) -> None:
        if publish.topic in self._retained or len(self._retained) < RETAINED_MAX:
            self._retained[publish.topic] = publish
        else:
            self._world.count("retained message dropped")

    # -- hub to devices ------------------------------------------------------------------------

    def _hub_is_there(self) -> None:
        """A new session of the hub is told what is retained."""
        process = self._world.machine(HUB).process
        if process is None or process is self._hub:
            return
        self._hub = process
        process.at_death(lambda: self._hub_died(process))
        for kept in list(self._retained.values()):
            if kept.sender != HUB:
                self._to_hub(replace(kept, retain=True))

    def _from_hub(self, publish: Publish) -> None:
        self._hub_is_there()
        topic = publish.topic
        if publish.retain:
            self._keep(publish)
        live = replace(publish, retain=False)
        if topic.startswith((f"{self._topics.prefix}/hub/", f"{self._topics.prefix}/bcast/")):
            for client in list(self.clients.values()):
                client.stream.send(Delivery(live))
            return
        device, _, rest = topic.removeprefix(f"{self._topics.prefix}/dev/").partition("/")
        if rest != "rep" and not rest.startswith("cmd/"):
            self._world.violated(f"the hub wrote to {topic}")
            return
        known = self.clients.get(device)
        if known is None:
            self._world.count("reply to a device that is away")
        elif rest == "rep" and self._random.random() < self._machine.reply_loss:
            self._world.count("reply lost by the broker")
        else:
            known.stream.send(Delivery(live))

    def _hub_died(self, process: Process) -> None:
        if self._process.alive and self._hub is process:
            self._process.soon(self._hub_will, process)

    def _hub_will(self, process: Process) -> None:
        if self._hub is not process:
            return
        self._hub = None
        self._world.count("hub's last will")
        state = self._retained.get(self._topics.hub_state)
        if state is not None:
            away = json.loads(state.payload) | {"mode": "away"}
            self._from_dead_hub(replace(state, payload=json.dumps(away).encode()))

    def _from_dead_hub(self, will: Publish) -> None:
        self._keep(will)
        for client in list(self.clients.values()):
            client.stream.send(Delivery(replace(will, retain=False)))

    # -- ends ----------------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Those who were silent for too long are lost."""
        limit_s = self._world.loop.time() - 1.5 * self._machine.keepalive_s
        for client in list(self.clients.values()):
            if client.stream.heard_s < limit_s:
                self._world.count("keep-alive missed")
                self._lost(client.name, client.stream.connection, "keep-alive", tell=True)
        self._process.later(self._machine.keepalive_s, self._sweep)

    def _lost(self, name: str, connection: Connection, why: str, *, tell: bool = False) -> None:
        client = self.clients.get(name)
        if client is None or client.stream.connection != connection:
            return
        del self.clients[name]
        self._process.note(f"lost {name}: {why}")
        if tell:
            client.stream.reset(why)
        if client.will is not None:
            self._world.count("device's last will")
            self._keep(client.will)
            self._to_hub(replace(client.will, retain=False))

    def _peer_died(self, name: str, connection: Connection) -> None:
        """The device's operating system says so, unless the whole box is gone."""
        link = self._world.network.link(name, self._process.name)
        if self._process.alive and link.up and self._random.random() < 0.7:
            self._process.soon(self._lost, name, connection, "closed")

    def _died(self) -> None:
        """The broker's operating system says so to whom it can reach."""
        for client in self.clients.values():
            device = self._world.machine(client.name).process
            link = self._world.network.link(self._process.name, client.name)
            if device is None or not device.alive or device.receive is None or not link.up:
                continue
            if self._random.random() < 0.7:
                reset = Segment(client.stream.connection, 0, reset="the broker died")
                device.soon(device.receive, self._process.name, reset)
            else:
                self._world.count("broker died silently")
