"""A processor that does what it should, over a line that doesn't."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from cloud_link.payments.processor import Effect
from hub.domain.payments.declines import DeclineCode
from hub.service.payments.commands import (
    ProcessorSaid,
)

HARD: Final = (DeclineCode.FRAUD, DeclineCode.STOLEN_OR_LOST)


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
