"""Connections between the broker and its clients: in order without gaps, or broken, as TCP.

What a link loses is asked for again when something later shows the gap; what it doubles or turns
around is put right.  A connection breaks when an end dies or is silent for too long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulation.kernel import Process
from tests.simulation.shop.messages import Publish

KEPT = 512
"""Segments an end keeps for being asked again, and holds back behind a gap."""
ASK_AGAIN_S = 1.0

Connection = tuple[int, int]
"""(boot of the client, its how-manieth connection): later ones compare greater."""


@dataclass(frozen=True, slots=True)
class Hello:
    """CONNECT with its SUBSCRIBE: ``will`` is published, retained, when the connection breaks."""

    will: Publish


@dataclass(frozen=True, slots=True)
class Welcome:
    """CONNACK and SUBACK."""


@dataclass(frozen=True, slots=True)
class Packet:
    """PUBLISH with QoS 1 from a client."""

    mid: int
    publish: Publish


@dataclass(frozen=True, slots=True)
class Ack:
    """PUBACK: ``reason`` 0, 0x10 (nobody has subscribed) or 0x87 (not allowed)."""

    mid: int
    reason: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """PUBLISH to a client; ``retain`` in it says that it was stored."""

    publish: Publish


@dataclass(frozen=True, slots=True)
class Ping:
    """PINGREQ, or PINGRESP with ``back``."""

    back: bool = False


@dataclass(frozen=True, slots=True)
class Bye:
    """DISCONNECT without a last will."""


Body = Hello | Welcome | Packet | Ack | Delivery | Ping | Bye


@dataclass(frozen=True, slots=True)
class Segment:
    """``number`` counts from 1 in each direction; 0 is a word of the connection itself: ``again``
    asks for everything from that number on, ``reset`` says that there is no such connection."""

    connection: Connection
    number: int
    body: Body | None = None
    again: int = 0
    reset: str = ""


@dataclass(slots=True)
class Stream:
    """One end.  ``take`` is given each body once and in order, ``broken`` the reason of a break."""

    process: Process
    peer: str
    connection: Connection
    take: Callable[[Body], None]
    broken: Callable[[str], None]
    heard_s: float = 0.0
    sent_s: float = 0.0
    _sent: int = 0
    _expected: int = 1
    _kept: deque[Segment] = field(default_factory=lambda: deque(maxlen=KEPT))
    _held: dict[int, Segment] = field(default_factory=dict)
    _asked: tuple[int, float] = (0, -ASK_AGAIN_S)

    def send(self, body: Body) -> None:
        """Send in order."""
        self._sent += 1
        self.sent_s = self.process.world.loop.time()
        segment = Segment(self.connection, self._sent, body)
        self._kept.append(segment)
        self._pass_on(segment)

    def reset(self, why: str) -> None:
        """Tell the other end that this one is over."""
        self._pass_on(Segment(self.connection, 0, reset=why))

    def heard(self, segment: Segment) -> None:
        """Take what the network brought for this connection."""
        self.heard_s = self.process.world.loop.time()
        if segment.reset:
            self.broken(segment.reset)
        elif segment.again:
            self._repeat(segment.again)
        elif segment.number == self._expected:
            self._advance(segment)
        elif segment.number > self._expected:
            self._hold(segment)

    def _advance(self, segment: Segment | None) -> None:
        while segment is not None:
            self._expected += 1
            assert segment.body is not None
            self.take(segment.body)
            segment = self._held.pop(self._expected, None)

    def _hold(self, segment: Segment) -> None:
        if len(self._held) >= KEPT:
            self.broken("too much is missing")
            return
        self._held[segment.number] = segment
        number, at_s = self._asked
        if number != self._expected or self.heard_s - at_s >= ASK_AGAIN_S:
            self._asked = (self._expected, self.heard_s)
            self._pass_on(Segment(self.connection, 0, again=self._expected))

    def _repeat(self, number: int) -> None:
        if self._kept and self._kept[0].number > number:
            self.broken("too far behind")
            return
        self.process.world.count("segment sent again")
        for segment in [one for one in self._kept if one.number >= number]:
            self._pass_on(segment)

    def _pass_on(self, segment: Segment) -> None:
        self.process.world.network.send(self.process, self.peer, segment)
