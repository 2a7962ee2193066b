"""A day of stored payments on virtual time: the real forwarder and book, a processor at its worst.

``python -m tests.flow.processors.forwarding_day --seconds 600`` plays days one after the other;
``--seed N --trials 1`` plays one again.  In a day requests and answers get lost, work is done long
after nobody awaits it any more, keys are forgotten, the database is busy, the link is held, the hub
dies in the middle; sales are voided meanwhile.  In the end the processor has each customer's money
once or not at all, and the book knows which.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from cloud_link.payments.forwarder import Forwarder, Tempo
from cloud_link.payments.processor import Effect
from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.exposure import Caps
from hub.domain.payments.states import FINAL, PaymentState
from hub.domain.payments.tokens import SealedToken
from hub.service.caller import Caller
from hub.service.payments.commands import (
    ExpirePayments,
    LearnOutcome,
    ProcessorSaid,
    RecoverPayments,
)
from tests.fakes import SeededRandomness
from tests.simulation.kernel import VirtualLoop
from tests.support.paying import PayingShop, rules

DAY_S: Final = 3600.0
DRAIN_S: Final = 20 * 3600.0
CAPS: Final = Caps(
    terminal_count=10_000, terminal_minor=10**7, store_minor=10**7, token_per_day=10_000
)
PRICE: Final = 499
HARD: Final = (DeclineCode.FRAUD, DeclineCode.STOLEN_OR_LOST)
SETTLED: Final = FINAL | {PaymentState.CAPTURED, PaymentState.RECOVERY, PaymentState.MANUAL}
REACHED: Final = (
    "charge",
    "capture",
    "refund",
    "answer lost",
    "request lost",
    "done after the time-out",
    "database busy",
    "held",
    "killed",
    "voided",
    "declined",
)


@dataclass
class Charge:
    """One authorisation at the processor."""

    ref: str
    key: str
    amount_minor: int
    state: str
    refunds: dict[str, int]

    @property
    def kept_minor(self) -> int:
        """What of the customer's money the shop has."""
        return self.amount_minor - sum(self.refunds.values()) if self.state == "captured" else 0


class Bank:
    """A processor that does what it should, over a line that doesn't."""

    name = "bank"
    timeout_s = 20.0

    def __init__(self, random: Random, seen: Counter[str], *, blind: bool = False) -> None:
        self._random = random
        self._seen = seen
        self._forgets = random.random() < 0.4 or blind
        self.blind = blind
        """It finds nothing again: then charging twice can't be helped, and has to be seen."""
        self.bad = 0.3
        self.charges: dict[str, list[Charge]] = {}
        self.late: list[Effect] = []
        self._count = 0

    # What it does --------------------------------------------------------------------------------

    def _charge(self, effect: Effect) -> ProcessorSaid:
        known = self.charges.setdefault(effect.payment_id, [])
        for one in known:
            if one.key == effect.key and not self._forgets:
                return self._told(one)
        self._count += 1
        token = (effect.token or b"").decode()
        state = "declined" if token.startswith(("hard", "soft")) else "approved"
        if token.startswith("soft") and len(known) >= 1:
            state = "approved"  # the account was topped up
        one = Charge(f"ref-{self._count}", effect.key, effect.amount_minor, state, {})
        known.append(one)
        self._seen["declined" if state == "declined" else "charge"] += 1
        return self._told(one, token)

    def _told(self, one: Charge, token: str = "") -> ProcessorSaid:
        code = HARD[0] if token.startswith("hard") else DeclineCode.INSUFFICIENT_FUNDS
        whole = one.state == "captured" and one.kept_minor == 0
        outcome: Any = "refunded" if whole else one.state
        return ProcessorSaid(outcome, psp_ref=one.ref, code=code)

    def _best(self, effect: Effect) -> Charge | None:
        found = self.charges.get(effect.payment_id, [])
        rank = ("captured", "approved", "reversed", "declined")
        mine = [one for one in found if one.state != "declined" or one.key == effect.key]
        return min(mine, key=lambda one: rank.index(one.state), default=None)

    def _look_up(self, effect: Effect) -> ProcessorSaid:
        one = None if self.blind else self._best(effect)
        return ProcessorSaid("not-found") if one is None else self._told(one)

    def _capture(self, effect: Effect) -> ProcessorSaid:
        one = self._best(effect)
        if one is None:
            return ProcessorSaid("not-found")
        if one.state == "approved":
            one.state = "captured"
            self._seen["capture"] += 1
        if one.state == "reversed":
            return ProcessorSaid("declined", "let go", psp_ref=one.ref)
        return ProcessorSaid("captured", psp_ref=one.ref)

    def _reverse(self, effect: Effect) -> ProcessorSaid:
        one = self._best(effect)
        if one is None:
            return ProcessorSaid("not-found")
        if one.state == "approved":
            one.state = "reversed"
            self._seen["reversal"] += 1
        return self._told(one)

    def _refund(self, effect: Effect) -> ProcessorSaid:
        one = self._best(effect)
        if one is None or one.state != "captured":
            return ProcessorSaid("declined", "there is nothing to give back")
        if effect.key in one.refunds and not self._forgets:
            return ProcessorSaid("refunded", psp_ref=one.ref)
        key = effect.key if effect.key not in one.refunds else f"{effect.key}+{self._count}"
        self._count += 1
        one.refunds[key] = effect.amount_minor
        self._seen["refund"] += 1
        assert one.kept_minor >= 0, f"{effect.payment_id}: more given back than was taken"
        return ProcessorSaid("refunded", psp_ref=one.ref)

    def _look_up_refund(self, effect: Effect) -> ProcessorSaid:
        one = self._best(effect)
        known = one is not None and effect.key in one.refunds
        return ProcessorSaid("refunded" if known else "not-found")

    # The line ------------------------------------------------------------------------------------

    async def _over(self, what: str, effect: Effect) -> ProcessorSaid:
        await asyncio.sleep(self._random.uniform(0.05, 2.0))
        do = getattr(self, f"_{what}")
        if self._random.random() >= self.bad:
            return self._known(do(effect))
        match self._random.choice(("refused", "request lost", "answer lost", "late")):
            case "refused":
                asks = what.startswith("look_up")
                return ProcessorSaid(
                    "unknown" if asks else "not-sent", "no connection", reached=False
                )
            case "request lost":
                self._seen["request lost"] += 1
                await asyncio.sleep(self.timeout_s)
            case "answer lost":
                self._seen["answer lost"] += 1
                do(effect)
                await asyncio.sleep(self._random.uniform(0.0, self.timeout_s))
            case "late" if not self._forgets and not what.startswith("look_up"):
                self._seen["done after the time-out"] += 1
                wait_s = self.timeout_s + self._random.uniform(0.0, 90.0)
                asyncio.get_running_loop().call_later(wait_s, self._late, do, what, effect)
                await asyncio.sleep(self.timeout_s)
        return ProcessorSaid("unknown", "no answer", reached=False)

    def _late(self, do: Any, what: str, effect: Effect) -> None:
        do(effect)
        if what == "charge":
            self.late.append(effect)

    def _known(self, said: ProcessorSaid) -> ProcessorSaid:
        return said

    async def charge(self, effect: Effect) -> ProcessorSaid:
        return await self._over("charge", effect)

    async def look_up(self, effect: Effect) -> ProcessorSaid:
        return await self._over("look_up", effect)

    async def capture(self, effect: Effect) -> ProcessorSaid:
        return await self._over("capture", effect)

    async def reverse(self, effect: Effect) -> ProcessorSaid:
        return await self._over("reverse", effect)

    async def refund(self, effect: Effect) -> ProcessorSaid:
        return await self._over("refund", effect)

    async def look_up_refund(self, effect: Effect) -> ProcessorSaid:
        return await self._over("look_up_refund", effect)

    async def close(self) -> None:
        return

    def tell_late(self, effect: Effect) -> ProcessorSaid:
        """What is told by itself of a charge that was carried out late."""
        return self._look_up(effect)


class Gate:
    """The shop's gate on virtual time; busy now and then, and gone once its hub is killed."""

    def __init__(self, day: Day) -> None:
        self._day = day
        self.gone = False

    async def internal(self, _caller: Caller, command: Any) -> Any:
        await asyncio.sleep(self._day.random.uniform(0.001, 0.02))
        if self.gone:
            await asyncio.get_running_loop().create_future()  # its process is dead
        if self._day.busy and self._day.random.random() < 0.2:
            self._day.seen["database busy"] += 1
            raise RuntimeError("the database is busy")
        return self._day.do(command)


class LoopClock:
    """The shop's own."""

    def __init__(self, day: Day) -> None:
        self._day = day

    def wall_ms(self) -> int:
        self._day.now()
        return self._day.shop.clock.wall_ms()

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()


class Day:
    """One day, told by its seed."""

    def __init__(self, directory: Path, seed: int, *, blind: bool = False) -> None:
        self.random = Random(seed)
        self.seen: Counter[str] = Counter()
        self.shop = PayingShop(directory, payments=rules(caps=CAPS))
        self.shop.stock_up("tea", 10_000)
        self.bank = Bank(self.random, self.seen, blind=blind)
        self.busy = True
        self.held = False
        self.sales: list[dict[str, Any]] = []
        self.unwanted: set[str] = set()
        self._at_s = 0.0
        self._gate = Gate(self)
        self._forwarder = self._made()

    def now(self) -> None:
        """Bring the shop's clocks to the loop's time."""
        at_s = asyncio.get_running_loop().time()
        self.shop.clock.advance(max(0.0, at_s - self._at_s))
        self._at_s = max(self._at_s, at_s)

    def do(self, command: Any) -> Any:
        """A command of the hub's machinery, now."""
        self.now()
        return self.shop.internal(command)

    def _made(self) -> Forwarder:
        def unseal(_payment_id: str, sealed: SealedToken) -> bytes:
            return sealed.sealed[::-1]

        tempo = Tempo(LoopClock(self), SeededRandomness(self.random.randrange(1 << 30)))
        return Forwarder(self._gate, self.bank, unseal, tempo, held=lambda: self.held)

    async def play(self) -> None:
        """Trade with everything going wrong, then wait until all is settled, and compare."""
        await self._forwarder.start()
        while asyncio.get_running_loop().time() < DAY_S:
            await asyncio.sleep(self.random.expovariate(1 / 40))
            await self._something()
        self.bank.bad, self.busy, self.held = 0.0, False, False
        self._forwarder.look()
        await self._drained()
        await self._forwarder.stop()
        self.compare()

    async def _something(self) -> None:
        self.now()
        match self.random.choice(("sell",) * 12 + ("void", "void", "hold", "kill", "late", "late")):
            case "sell":
                self._sell()
            case "void" if self.sales:
                self._void(self.random.choice(self.sales))
            case "hold":
                self.seen["held"] += 1
                self._hold(True)
                wait_s = self.random.uniform(1, 200)
                asyncio.get_running_loop().call_later(wait_s, self._hold, False)
            case "kill" if self.random.random() < 0.4:
                await self._killed()
            case "late":
                self._tell_late()
            case _:
                pass

    def _hold(self, held: bool) -> None:
        self.held = held
        self._forwarder.look()

    def _sell(self) -> None:
        token = self.random.choice(("tok_a", "tok_b", "tok_c", "hard", "soft"))
        payment = self.shop.stored(PRICE, token=f"{token}{len(self.sales)}")
        if payment["void_asked"]:  # beyond the card's own cap
            return
        self.sales.append(self.shop.sold(payment) | {"payment": payment})
        self._forwarder.notify(())
        self._forwarder.look()

    def _void(self, sale: dict[str, Any]) -> None:
        payment_id = sale["payment"]["payment_id"]
        if payment_id in self.unwanted:
            return
        approval = self.shop.approve("sale.void", {"sale_id": sale["sale_id"]})
        body = {"sale_id": sale["sale_id"], "reason": "rung up twice", "approval_id": approval}
        self.shop.ok("till-1", "sale/void", body)
        self.unwanted.add(payment_id)
        self.seen["voided"] += 1
        self._forwarder.look()

    async def _killed(self) -> None:
        """The process dies: what it was doing is never heard of again."""
        self.seen["killed"] += 1
        self._gate.gone = True
        old, self._gate = self._forwarder, Gate(self)
        self._forwarder = self._made()
        await asyncio.sleep(self.random.uniform(1, 60))
        self.do(RecoverPayments())
        await self._forwarder.start()
        del old

    def _tell_late(self) -> None:
        while self.bank.late:
            effect = self.bank.late.pop()
            said = self.bank.tell_late(effect)
            self.do(LearnOutcome(effect.payment_id, said, "cloud"))

    async def _drained(self) -> None:
        until_s = asyncio.get_running_loop().time() + DRAIN_S
        while not self._is_settled() and asyncio.get_running_loop().time() < until_s:
            await asyncio.sleep(300)
            self._tell_late()
            self.do(ExpirePayments())
            self._forwarder.look()

    def _is_settled(self) -> bool:
        states = {self.shop.row(sale["payment"]).state for sale in self.sales}
        unwanted = {self.shop.row(sale["payment"]).state for sale in self._voided()}
        return not self.bank.late and states <= SETTLED and PaymentState.CAPTURED not in unwanted

    def _voided(self) -> list[dict[str, Any]]:
        return [one for one in self.sales if one["payment"]["payment_id"] in self.unwanted]

    # Comparing -----------------------------------------------------------------------------------

    def compare(self) -> None:
        """Each customer has paid once or not at all, and the book says which."""
        for sale in self.sales:
            payment_id = sale["payment"]["payment_id"]
            row = self.shop.row(sale["payment"])
            charges = self.bank.charges.get(payment_id, [])
            live = [one for one in charges if one.state in ("approved", "captured")]
            story = f"{payment_id} is {row.state} ({row.reason}), at the bank: {charges}"
            assert len(live) <= 1, f"charged twice: {story}"
            kept = sum(one.kept_minor for one in live)
            held = sum(one.amount_minor for one in live if one.state == "approved")
            assert PaymentState(row.state) in SETTLED, f"not settled: {story}"
            assert held == 0, f"money is held for ever: {story}"
            self.seen[f"end: {row.state}"] += 1
            if row.state == PaymentState.MANUAL:
                continue
            wanted = PRICE if row.state == PaymentState.CAPTURED else 0
            assert kept == wanted, f"the bank has {kept}, the book {wanted}: {story}"
            if payment_id in self.unwanted:
                assert kept == 0, f"a voided sale's money stayed: {story}"


async def _bury() -> None:
    """End what dead processes left behind."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def play(seed: int, *, blind: bool = False) -> Counter[str]:
    """Play one day; what was seen.  Raises AssertionError for what isn't so.  ``blind``: with a
    processor that finds nothing again, which has to be found out."""
    directory = Path(tempfile.mkdtemp(prefix="sh-forward-"))
    loop = VirtualLoop(Random(seed))
    try:
        day = Day(directory, seed, blind=blind)
        try:
            loop.run_until_complete(day.play())
        finally:
            loop.run_until_complete(_bury())
        assert loop.faults == [], loop.faults
        return day.seen
    finally:
        loop.forget()
        loop.close()
        shutil.rmtree(directory, ignore_errors=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Days until the time is over; 1 when one failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1, help="of the first day")
    parser.add_argument("--trials", type=int, default=1 << 30, help="at most so many days")
    given = parser.parse_args(arguments)
    seen: Counter[str] = Counter()
    findings: list[dict[str, str]] = []
    began_s = told_s = time.monotonic()
    days = 0
    logging.disable(logging.CRITICAL)  # a bad line is its everyday

    def line(*, done: bool) -> dict[str, Any]:
        return {
            "kind": "forwarding",
            "trials": days,
            "unit": "days",
            "faults": dict(sorted(seen.items())),
            "violations": len(findings),
            "note": f"{seen['charge']} charges",
            "done": done,
        }

    while days < given.trials and time.monotonic() - began_s < given.seconds:
        seed = given.seed + days
        try:
            seen += play(seed)
        except AssertionError as error:
            replay = f"python -m tests.flow.processors.forwarding_day --seed {seed} --trials 1"
            findings.append({"what": str(error)[:500], "replay": replay})
        days += 1
        if time.monotonic() - told_s > 1.0:
            told_s = time.monotonic()
            print(json.dumps(line(done=False)), flush=True)
    logging.disable(logging.NOTSET)
    more = {"findings": findings[:20], "figures": {"days": days}, "must_fire": list(REACHED)}
    print(json.dumps(line(done=True) | more), flush=True)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
