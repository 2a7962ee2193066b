"""A shop whose card terminals do what a test says, and know whose money they took; time and death
at will."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import Counter, deque
from collections.abc import Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from devices.peripherals.cards import Pace
from devices.peripherals.model import CardAnswer, CardOutcome, Charge, TerminalReport, World
from devices.peripherals.teller import Teller
from hub.service.shop import PaymentRules
from hub.service.shop import Shop as ShopFacts
from tests.fakes import START_WALL_MS, SeededRandomness
from tests.simulation.kernel.loop import OWNER, VirtualLoop
from tests.support.lives import FakeGate, Lifetime, Lives
from tests.support.paying import PayingShop, rules


@dataclass(frozen=True)
class Act:
    """What a terminal does with a sale: takes the money or not, and what it says about that."""

    says: CardOutcome | None = CardOutcome.APPROVED
    takes: bool = True
    before_s: float = 0.1
    after_s: float = 0.1
    token: bytes | None = None
    card: str = "card-1"


APPROVES = Act()
DECLINES = Act(CardOutcome.REFUSED, takes=False)
NOT_DONE = Act(CardOutcome.NOT_DONE, takes=False)
OFFLINE = Act(CardOutcome.APPROVED_OFFLINE)
OFFLINE_TO_HUB = Act(CardOutcome.APPROVED_OFFLINE, token=b"opaque-token")
SILENT = Act(CardOutcome.UNKNOWN)
LOST_BEFORE = Act(CardOutcome.UNKNOWN, takes=False)
FAILS = Act(None)
CUSTOMER = Act(before_s=60.0)
STANDS_STILL = Act(CardOutcome.APPROVED, takes=False, before_s=1e9)


@dataclass
class FakeTerminals:
    """``taken``: payment → minor units that the shop has; ``sales``: how often it was asked for."""

    down: set[str] = field(default_factory=set)
    acts: deque[Act] = field(default_factory=deque)
    usual: Act = APPROVES
    online: bool = True
    taken: dict[str, int] = field(default_factory=dict)
    offline: set[str] = field(default_factory=set)
    back: dict[str, tuple[str, int]] = field(default_factory=dict)
    sales: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    cancels: Counter[str] = field(default_factory=Counter)
    paying: dict[str, asyncio.Event] = field(default_factory=dict)
    at_work: Counter[str] = field(default_factory=Counter)
    most_at_work: int = 0

    def ready_terminals(self) -> Sequence[str]:
        return [one for one in ("terminal-1", "terminal-2") if one not in self.down]

    async def take_card(self, terminal_id: str, charge: Charge) -> CardAnswer:
        self.sales[charge.payment_id] += 1
        act = self.acts.popleft() if self.acts else self.usual
        self.paying[charge.payment_id] = given_up = asyncio.Event()
        self.at_work[terminal_id] += 1
        self.most_at_work = max(self.most_at_work, self.at_work[terminal_id])
        try:
            try:
                async with asyncio.timeout(act.before_s):
                    await given_up.wait()
                return CardAnswer(CardOutcome.REFUSED, "Aborted")
            except TimeoutError:
                pass
            if act.takes:
                self.taken[charge.payment_id] = charge.amount_minor
                if act.says is CardOutcome.APPROVED_OFFLINE:
                    self.offline.add(charge.payment_id)
            await asyncio.sleep(act.after_s)
        finally:
            self.paying.pop(charge.payment_id, None)
            self.at_work[terminal_id] -= 1
        if act.says is None:
            raise RuntimeError("the driver has a fault")
        return self._told(charge.payment_id, act)

    def _told(self, payment_id: str, act: Act) -> CardAnswer:
        assert act.says is not None
        if act.says not in (CardOutcome.APPROVED, CardOutcome.APPROVED_OFFLINE):
            return CardAnswer(act.says, "it said so")
        online = act.says is CardOutcome.APPROVED
        return CardAnswer(
            act.says,
            last4="4242",
            psp_ref=f"psp-{payment_id[-8:]}" if online else "",
            terminal_ref=f"ref-{payment_id[-8:]}",
            card=act.card,
            token=act.token,
        )

    async def card_status(
        self, terminal_id: str, payment_id: str, asked_minor: int = 0
    ) -> CardAnswer:
        self.asked[payment_id] += 1
        await asyncio.sleep(0.05)
        if terminal_id in self.down or payment_id in self.paying:
            return CardAnswer(CardOutcome.UNKNOWN, "it can't say")
        if payment_id not in self.taken:
            return CardAnswer(CardOutcome.NOT_DONE, "it knows nothing of it")
        if payment_id in self.offline and not self.online:
            return self._told(payment_id, OFFLINE)
        return self._told(payment_id, APPROVES)

    async def reverse_card(
        self, terminal_id: str, charge: Charge, terminal_ref: str, key: str
    ) -> CardAnswer:
        return self._back(charge.payment_id, key, self.taken.get(charge.payment_id, 0))

    async def refund_card(
        self, terminal_id: str, charge: Charge, terminal_ref: str, key: str
    ) -> CardAnswer:
        return self._back(charge.payment_id, key, charge.amount_minor)

    def _back(self, payment_id: str, key: str, amount_minor: int) -> CardAnswer:
        if key not in self.back:
            if not 0 < amount_minor <= self.taken.get(payment_id, 0):
                return CardAnswer(CardOutcome.NOT_DONE, "there is nothing of that")
            self.back[key] = (payment_id, amount_minor)
            self.taken[payment_id] -= amount_minor
        return CardAnswer(CardOutcome.APPROVED)

    async def report(self, terminal_id: str) -> TerminalReport | None:
        return TerminalReport(3, 1497) if terminal_id == "terminal-1" else None

    async def cancel_card(self, terminal_id: str, payment_id: str) -> bool:
        self.cancels[payment_id] += 1
        if payment_id in self.paying:
            self.paying[payment_id].set()
        return True


class CardGate(FakeGate):
    """With the shop's facts, for the vault."""

    @property
    def shop(self) -> ShopFacts:
        facts: ShopFacts = self._shop.gate.shop
        return facts


class CardShop(Lives):
    """A shop with a teller, on virtual time; ``die`` ends it as a power cut would."""

    def __init__(
        self,
        directory: Path,
        *,
        seed: int = 0,
        pace: Pace | None = None,
        payments: PaymentRules | None = None,
    ) -> None:
        self.loop = VirtualLoop(Random(seed))
        # No processor: terminals reverse and refund.
        self.shop = PayingShop(directory, seed=seed, payments=payments or rules(processor=False))
        clock: Any = self.shop.clock
        clock.monotonic_s = lambda: 1000.0 + self.loop.time()
        clock.wall_ms = lambda: START_WALL_MS + round(self.loop.time() * 1000)
        self.terminals = FakeTerminals()
        self.pace = pace or Pace()
        self.life = Lifetime()
        self.crash_at: tuple[str, int] = ("", 0)
        self.deaths = 0
        self._world = World(clock, SeededRandomness(seed))
        self._boot()

    def _boot(self) -> None:
        self.life = Lifetime()
        self.gate = CardGate(self.shop)
        self.teller = Teller(self.gate, self.terminals, self._world, self.pace)
        self.gate.listen = self.teller.notify
        context = copy_context()
        context.run(OWNER.set, self.life)
        self.loop.call_soon(self.teller.start, context=context)

    def die(self) -> None:
        """The process is gone; what it had committed, and what terminals did, stays."""
        self.life.alive = False
        self.deaths += 1
        self.terminals.at_work.clear()
        self.terminals.paying.clear()
        self.shop.restart()
        self._boot()

    def stop(self) -> None:
        """As the hub stops it."""
        self.loop.run_until_complete(self.teller.stop())

    def close(self) -> None:
        """Let go of everything."""
        self.life.alive = False
        said, sys.unraisablehook = sys.unraisablehook, lambda _what: None
        try:  # what died in the middle of something is ended by nobody but the collector
            self.loop.forget()
            self.loop.close()
            self.shop.close()
            gc.collect()
        finally:
            sys.unraisablehook = said

    def pay(self, amount_minor: int = 499, **changed: Any) -> Any:
        """A payment that was begun."""
        return self.shop.start(amount_minor, **changed)

    def state(self, payment: Any) -> str:
        """The payment's state now."""
        return self.shop.row(payment).state
