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
from pathlib import Path
from random import Random
from typing import Any, Final

from cloud_link.payments.forwarder import Forwarder, Tempo
from hub.domain.payments.exposure import Caps
from hub.domain.payments.states import FINAL, PaymentState
from hub.domain.payments.tokens import SealedToken
from hub.service.caller import Caller
from hub.service.payments.commands import (
    ExpirePayments,
    LearnOutcome,
    RecoverPayments,
)
from tests.fakes import SeededRandomness
from tests.flow.processors.faultybank import Bank
from tests.simulation.kernel import VirtualLoop
from tests.support.paying import PayingShop, rules

DAY_S: Final = 3600.0
DRAIN_S: Final = 20 * 3600.0
CAPS: Final = Caps(
    terminal_count=10_000, terminal_minor=10**7, store_minor=10**7, token_per_day=10_000
)
PRICE: Final = 499
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
