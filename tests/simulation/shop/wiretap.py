"""What passes between the tills and the broker, held against what was asked.

Ordinary requests go into the :class:`History`.  An attack (a key with another body, a sale's id for
another sale, nonsense) is announced first; its answer has to be the right refusal.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from hub.contract.basket import BasketView
from hub.contract.envelope import Reply
from hub.contract.topics import FactTopic, RequestTopic, Topics
from tests.simulation.kernel import World
from tests.simulation.shop.broker import STORE
from tests.simulation.shop.giftcards import Purse
from tests.simulation.shop.history import History
from tests.simulation.shop.wallet import Job

REMEMBERED = 60
IGNORED = (
    *("busy", "storage-full", "unavailable", "outcome-unknown", "hub-recovery", "expired"),
    "idempotency-expired",  # of a hub whose clock was set
)


@dataclass(slots=True)
class Board:
    """What people in the shop know whichever machine dies: baskets that wait, sales on receipts."""

    waiting: deque[tuple[str, BasketView]] = field(default_factory=lambda: deque(maxlen=20))
    sales: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    done: deque[tuple[str, Job]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """(device, what it asked and was told yes to)."""
    unwanted: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    """Sales that their customers bring back just now; ``come``: one of them is in the shop."""
    come: asyncio.Event = field(default_factory=asyncio.Event)
    slow: bool = False
    """Tills take their time before they give back."""
    purse: Purse | None = None
    """Gift cards, where customers have some."""


@dataclass(frozen=True, slots=True)
class Attack:
    """``codes``: how it has to be refused; ``restored``: how often the hub had been when it was
    told what makes this an attack."""

    name: str
    codes: tuple[str, ...]
    restored: int


_TAPS: WeakKeyDictionary[History, Wiretap] = WeakKeyDictionary()


class Wiretap:
    """One per world."""

    def __init__(self, world: World, history: History, store: str = STORE) -> None:
        self.world = world
        self.history = history
        self.board = Board()
        self.facts: dict[str, str] = {}
        """Token of each fact → device."""
        self._topics = Topics(store)
        self._announced: dict[tuple[str, str, str], Attack] = {}
        self._attacks: dict[str, Attack] = {}
        self._asked: dict[str, tuple[str, str | None]] = {}

    @staticmethod
    def of(world: World, history: History, store: str = STORE) -> Wiretap:
        """The world's own."""
        tap = _TAPS.get(history)
        if tap is None:
            tap = _TAPS[history] = Wiretap(world, history, store)
        return tap

    def attack(self, device: str, key: str, body: bytes, name: str, codes: Iterable[str]) -> None:
        """This request of the device is an attack."""
        found = Attack(name, tuple(codes), self.history.restored)
        self._announced[(device, key, body.decode("latin-1"))] = found

    def sent(
        self, device: str, topic: str, payload: bytes, key: str | None, correlation: str | None
    ) -> None:
        """A device publishes."""
        where = self._topics.parse(topic)
        if correlation is None or not isinstance(where, RequestTopic | FactTopic):
            return
        again = correlation in self._asked
        if again:
            self.world.count("till repeated")
        self._asked[correlation] = (device, key)
        if isinstance(where, FactTopic):
            return
        attack = self._announced.get((device, key or "", payload.decode("latin-1")))
        if attack is not None:
            self._attacks[correlation] = attack
            return
        if key is None:
            return
        if not again and (device, key) in self.history.asked:
            self.world.count("asked again under its key")
        operation = f"{where.service}/{where.operation}"
        self.history.ask(device, key, operation, json.loads(payload))

    def heard(self, device: str, topic: str, payload: bytes, correlation: str | None) -> None:
        """A device is delivered something."""
        if self.board.purse is not None:
            self._is_discreet(device, topic, payload.decode("latin-1"), self.board.purse)
        if not topic.startswith(self._topics.device(device) + "/"):
            if "/dev/" in topic:
                self.world.violated(f"{device} was delivered a message on {topic}")
            return
        if correlation is None or topic != self._topics.reply(device):
            return
        asked = self._asked.get(correlation)
        if asked is None:
            return
        if asked[0] != device:
            self.world.violated(f"{device} was given the answer to a request of {asked[0]}")
            return
        attack = self._attacks.get(correlation)
        if attack is not None:
            self._judge(device, attack, Reply.model_validate_json(payload))
        elif asked[1] is not None and (device, asked[1]) in self.history.asked:
            self.history.answer(device, asked[1], payload.decode())

    def _is_discreet(self, device: str, topic: str, text: str, purse: Purse) -> None:
        if any(secret in text for secret in purse.secrets):
            self.world.violated(f"{device} was delivered a card's number or PIN on {topic}")

    def _judge(self, device: str, attack: Attack, reply: Reply) -> None:
        code = "" if reply.problem is None else str(reply.problem.code)
        if code in IGNORED or self.history.restored != attack.restored:
            self.world.count("attack without a verdict")
        elif code in attack.codes:
            self.world.count(attack.name)
        else:
            self.world.violated(
                f"{attack.name} by {device} was answered {code or reply.result} instead of"
                f" {' or '.join(attack.codes)}"
            )
