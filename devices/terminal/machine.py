"""What the simulated terminal does with a message: decides, writes it down, and only then tells."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

from devices.peripherals.nexo.requests import minor, stamp
from devices.terminal import words
from devices.terminal.deeds import Deed, Deeds, How
from devices.terminal.journal import Journal
from hub.clock import Clock

ACTS_MAX: Final = 1000
SURCHARGE_MAX: Final = 1_000_000
SURCHARGE_AS: Final = ("surcharge", "fees", "fees-beside")
HOWS: Final = frozenset(
    {
        "approve",
        "decline",
        "offline",
        "busy",
        "partial",
        "power-loss-before",
        "power-loss",
        "silent",
        "stale",
        "garbage",
        "unsealed",
        "http-500",
    }
)
CUT_OFF: Final = frozenset({"silent", "stale", "garbage", "unsealed", "http-500"})
"""The transaction is done; its answer doesn't come, or is none."""


@dataclass(frozen=True, slots=True)
class Act:
    """What to do with one payment.  ``power-loss``: after it is in the journal and before the
    answer; ``stale``: the answer of the one before is sent; ``customer_s``: so long the customer
    takes, ``answer_s``: so long the answer takes when all is done; ``slow_s``: so long before the
    terminal even looks at it; ``surcharge_minor``: what it adds for paying by this card, and
    ``surcharge_as`` how it tells that: in the maker's words, as nexo's fees, or as fees that the
    card isn't charged."""

    how: str = "approve"
    customer_s: float = 0.0
    answer_s: float = 0.0
    slow_s: float = 0.0
    card: str = "visa"
    surcharge_minor: int = 0
    surcharge_as: str = "surcharge"

    @classmethod
    def of(cls, told: Any) -> Act:
        """From JSON.  Errors: ValueError."""
        if isinstance(told, str):
            told = {"how": told}
        if not isinstance(told, dict) or told.get("how", "approve") not in HOWS:
            raise ValueError(f"an act is one of {', '.join(sorted(HOWS))}")
        try:
            act = cls(**told)
        except TypeError as error:
            raise ValueError(str(error)) from error
        if not all(0 <= one <= 600 for one in (act.customer_s, act.answer_s, act.slow_s)):
            raise ValueError("times are 0 to 600 s")
        if type(act.surcharge_minor) is not int or not 0 <= act.surcharge_minor <= SURCHARGE_MAX:
            raise ValueError(f"a surcharge is 0 to {SURCHARGE_MAX} minor units")
        if act.surcharge_as not in SURCHARGE_AS:
            raise ValueError(f"a surcharge is told as one of {', '.join(SURCHARGE_AS)}")
        return act


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent; ``spoilt``: how the answer is kept from arriving whole."""

    body: dict[str, Any]
    spoilt: str = ""


@dataclass(slots=True)
class Hand:
    """The payment in hand."""

    service: str
    given_up: asyncio.Event = field(default_factory=asyncio.Event)


class Machine:
    """``hub_keeps``: what it approves offline it gives to the hub as a token."""

    def __init__(
        self, journal: Journal, clock: Clock, poi_id: str, *, hub_keeps: bool, stored_max: int
    ) -> None:
        self._journal = journal
        self._clock = clock
        self.poi_id = poi_id
        self._hub_keeps = hub_keeps
        self._stored_max = stored_max
        self.deeds = Deeds()
        self.online = True
        self.declines_later: set[str] = set()
        """Payments that the acquirer declines when they are forwarded."""
        self.acts: deque[Act] = deque()
        self.usual = Act()
        self._hand: Hand | None = None
        self._last: dict[str, Any] = {}
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """Read the journal."""
        for entry in await asyncio.to_thread(self._journal.open):
            self.deeds.take(entry)

    @property
    def in_hand(self) -> str:
        """The service id of the payment in hand, or empty."""
        return self._hand.service if self._hand is not None else ""

    async def handle(self, header: Mapping[str, Any], request: Mapping[str, Any]) -> Answer | None:
        """None: there is no answer to that (Abort)."""
        sale, service = str(header.get("SaleID", "")), str(header.get("ServiceID", ""))
        match request:
            case {"PaymentRequest": dict(asked)}:
                return await self._payment(sale, service, asked)
            case {"ReversalRequest": dict(asked)}:
                return Answer(await self._reversal(sale, service, asked))
            case {"TransactionStatusRequest": {"MessageReference": dict(asked)}}:
                return Answer(self._status(header, sale, asked))
            case {"AbortRequest": {"MessageReference": {"ServiceID": str(wanted)}}}:
                if self._hand is not None and self._hand.service == wanted:
                    self._hand.given_up.set()
                return None
            case {"DiagnosisRequest": _}:
                return Answer(self._diagnosis())
            case _:
                category = str(header.get("MessageCategory", ""))
                return Answer(words.failure(category, "MessageFormat"))

    async def go(self, *, online: bool) -> None:
        """The acquirer can be reached, or not; what waits is forwarded."""
        self.online = online
        while online and self.deeds.waiting:
            deed = self.deeds.waiting[0]
            declined = deed.payment_id in self.declines_later
            await self._write(
                {
                    "forwarded": list(deed.name),
                    "as": "declined" if declined else "approved",
                    "psp_ref": "" if declined else self._psp_ref(deed.service),
                }
            )

    # -- payments -----------------------------------------------------------------------------

    async def _payment(self, sale: str, service: str, asked: dict[str, Any]) -> Answer:
        known = self.deeds.get((sale, "Payment", service))
        if known is not None:
            return Answer(self._told(known))
        if self._hand is not None:
            again = self._hand.service == service
            return Answer(words.failure("Payment", "InProgress" if again else "Busy"))
        act = self.acts.popleft() if self.acts else self.usual
        if act.how == "busy":
            return Answer(words.failure("Payment", "Busy"))
        wanted = _wanted(asked)
        if wanted is None:
            return Answer(words.failure("Payment", "MessageFormat"))
        self._hand = hand = Hand(service)
        try:
            await asyncio.sleep(act.slow_s)
            if act.how == "power-loss-before":
                _lose_power()
            with suppress(TimeoutError):
                async with asyncio.timeout(act.customer_s):
                    await hand.given_up.wait()
            blank = Deed(sale, "Payment", service, **wanted, how="failed", card=act.card)
            deed = self._decided(blank, act, asked, aborted=hand.given_up.is_set())
            await self._write({"done": _entry(deed)})
            if act.how == "power-loss":
                _lose_power()
            await asyncio.sleep(act.answer_s)
        finally:
            self._hand = None
        with_token = _wants_token(asked)
        body = self._told(deed, with_token=with_token)
        before, self._last = self._last, body
        if act.how == "stale":
            return Answer(before or words.failure("Payment", "Cancel"), "stale")
        return Answer(body, act.how if act.how in CUT_OFF else "")

    def _decided(self, deed: Deed, act: Act, asked: dict[str, Any], *, aborted: bool) -> Deed:
        if aborted:
            return replace(deed, error="Aborted")
        if act.how == "decline":
            return replace(deed, error="Refusal")
        number = self.deeds.count + 1
        made = replace(
            deed,
            transaction=f"{sha256(self.poi_id.encode()).hexdigest()[:4]}{number:08d}",
            stamp=self._now(),
            partial=act.how == "partial",
        )
        if not deed.refund:
            made = replace(made, surcharge_minor=act.surcharge_minor, surcharge_as=act.surcharge_as)
            if act.surcharge_as != "fees-beside":
                made = replace(made, amount_minor=deed.amount_minor + act.surcharge_minor)
        if self.online and act.how != "offline":
            return replace(made, how="approved", psp_ref=self._psp_ref(deed.service))
        conditions = asked.get("PaymentTransaction", {}).get("TransactionConditions", {})
        full = len(self.deeds.waiting) >= self._stored_max
        if conditions.get("ForceOnlineFlag") is True or full or deed.refund:
            return replace(deed, error="UnreachableHost")
        kept: How = "tokenised" if self._hub_keeps and _wants_token(asked) else "stored"
        return replace(made, how=kept, seq=self.deeds.seq + 1)

    def _told(self, deed: Deed, *, with_token: bool = True) -> dict[str, Any]:
        if deed.category == "Reversal":
            return words.reversal(deed)
        stored = len(self.deeds.waiting)
        return words.payment(deed, self.poi_id, stored=stored, with_token=with_token)

    # -- afterwards ---------------------------------------------------------------------------

    async def _reversal(self, sale: str, service: str, asked: dict[str, Any]) -> dict[str, Any]:
        known = self.deeds.get((sale, "Reversal", service))
        if known is not None:
            return words.reversal(known)
        own = asked.get("OriginalPOITransaction", {}).get("POITransactionID", {})
        original = self.deeds.by_transaction(str(own.get("TransactionID", "")))
        if original is None:
            return words.failure("Reversal", "NotFound")
        left_minor = original.taken_minor
        part = asked.get("ReversedAmount")
        wanted = left_minor if part is None else minor(part, original.currency)
        deed = Deed(
            sale,
            "Reversal",
            service,
            original.payment_id,
            wanted or 0,
            original.currency,
            how="failed",
            error="NotAllowed",
            of=original.service,
        )
        if not original.waits and not self.online:
            return words.failure("Reversal", "UnreachableHost")
        if wanted is None or not 0 < wanted <= left_minor:
            deed = replace(deed, amount_minor=0, error="Refusal")
        else:
            number = self.deeds.count + 1
            deed = replace(
                deed,
                how="approved",
                error="",
                transaction=f"back{number:08d}",
                stamp=self._now(),
                psp_ref=self._psp_ref(service),
            )
        await self._write({"done": _entry(deed)})
        return words.reversal(deed)

    def _status(
        self, header: Mapping[str, Any], sale: str, asked: dict[str, Any]
    ) -> dict[str, Any]:
        service = str(asked.get("ServiceID", ""))
        if self._hand is not None and self._hand.service == service:
            return words.failure("TransactionStatus", "InProgress")
        name = (str(asked.get("SaleID", sale)), str(asked.get("MessageCategory", "")), service)
        deed = self.deeds.get(name)
        if deed is None:
            return words.failure("TransactionStatus", "NotFound")
        found: dict[str, Any] = words.status(asked, header, self._told(deed))
        return found

    def _diagnosis(self) -> dict[str, Any]:
        waiting = self.deeds.waiting
        return words.diagnosis(
            online=self.online,
            stored=len(waiting),
            stored_minor=sum(deed.amount_minor for deed in waiting),
            poi_id=self.poi_id,
        )

    async def _write(self, entry: dict[str, Any]) -> None:
        async with self._writing:
            await asyncio.to_thread(self._journal.append, entry)
            self.deeds.take(entry)

    def _psp_ref(self, service: str) -> str:
        return sha256(f"{self.poi_id} {service}".encode()).hexdigest()[:16].upper()

    def _now(self) -> str:
        return stamp(self._clock.wall_ms())


def _wanted(asked: dict[str, Any]) -> dict[str, Any] | None:
    match asked:
        case {
            "SaleData": {"SaleTransactionID": {"TransactionID": str(payment_id)}},
            "PaymentTransaction": {
                "AmountsReq": {"Currency": str(currency), "RequestedAmount": told}
            },
        }:
            try:
                amount_minor = minor(told, currency)
            except ValueError:
                return None
            if amount_minor is None or amount_minor <= 0:
                return None
            kind = asked.get("PaymentData", {}).get("PaymentType", "Normal")
            return {
                "payment_id": payment_id,
                "amount_minor": amount_minor,
                "currency": currency,
                "refund": kind == "Refund",
            }
        case _:
            return None


def _wants_token(asked: dict[str, Any]) -> bool:
    return bool(asked.get("SaleData", {}).get("TokenRequestedType") == "Transaction")


def _entry(deed: Deed) -> dict[str, Any]:
    return asdict(deed)


def _lose_power() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
