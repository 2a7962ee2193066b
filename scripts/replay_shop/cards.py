"""Card payments of a replay: which baskets are paid so, and what the till's own terminal says.

Everything follows from the seed and the basket, so that a repeat of it says the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from hub.contract.base import Command, Outgoing
from hub.contract.payments import (
    CardFacts,
    GivePaymentUp,
    PaymentView,
    ReportPayment,
    StartPayment,
)
from hub.contract.sale import Tender
from scripts.replay_shop.mapping import MappedBasket, noise

R = TypeVar("R", bound=Outgoing)
Ask = Callable[[Command, type[Any]], Awaitable[Any]]


class Says(StrEnum):
    """What becomes of a card at the terminal.  ``doubt``: nobody knows at first, then it was
    approved; ``refused`` and ``given-up`` (the customer changes their mind): cash is taken."""

    ONLINE = "online"
    OFFLINE = "offline"
    LATE = "late"
    DECLINED = "declined"
    DOUBT = "doubt"
    REFUSED = "refused"
    GIVEN_UP = "given-up"


_SHARES: Final = (
    (Says.ONLINE, 40),
    (Says.OFFLINE, 40),
    (Says.LATE, 4),
    (Says.DECLINED, 3),
    (Says.DOUBT, 5),
    (Says.REFUSED, 4),
    (Says.GIVEN_UP, 4),
)
"""Per cent of the cards.  What is approved offline the hub keeps and forwards; of that some are
declined later, and of some the outcome comes by itself."""
_WORDS: Final = {Says.LATE: "-late", Says.DECLINED: "-decline-stolen-or-lost"}


def pays_by_card(seed: str, basket: MappedBasket, per_cent: int) -> bool:
    """Whether a basket is paid by a card that the hub knows of."""
    return basket.total_minor > 0 and noise(seed, basket.basket_id, "payment", 90) % 100 < per_cent


def says(seed: str, basket: MappedBasket) -> Says:
    """What its terminal says."""
    choice = noise(seed, basket.basket_id, "payment", 91) % 100
    for said, share in _SHARES:
        choice -= share
        if choice < 0:
            return said
    raise AssertionError("the shares make less than a hundred")


@dataclass(frozen=True, slots=True)
class CardTill:
    """A till with a terminal of its own; ``ask`` asks the hub until it answers."""

    ask: Ask

    async def pay(
        self,
        payment_id: str,
        sale_id: str,
        basket_id: str | None,
        amount_minor: int,
        said: Says,
    ) -> Tender:
        """Take a payment; the tender that the sale is paid with."""
        start = StartPayment(
            payment_id=payment_id,
            sale_id=sale_id,
            basket_id=basket_id,
            amount_minor=amount_minor,
            terminal="own",
        )
        begun = await self.ask(start, PaymentView)
        if said is Says.REFUSED:
            await self._report(payment_id, outcome="refused", reason="not enough funds")
            return Tender(kind="cash", amount_minor=amount_minor)
        if said is Says.DOUBT:
            await self._report(payment_id, outcome="unknown", reason="the line broke")
        kept_offline = said not in (Says.ONLINE, Says.DOUBT) and begun.offline_allowed
        if kept_offline:
            word = _WORDS.get(said, "")
            await self._report(
                payment_id,
                outcome="approved-offline",
                card=_card(payment_id),
                token=f"tok_{hashlib.sha256(payment_id.encode()).hexdigest()[:24]}{word}",
            )
        else:
            await self._report(
                payment_id, outcome="approved", card=_card(payment_id), captured=True
            )
        if said is Says.GIVEN_UP and kept_offline:
            await self.ask(
                GivePaymentUp(payment_id=payment_id, reason="the customer pays in cash"),
                PaymentView,
            )
            return Tender(kind="cash", amount_minor=amount_minor)
        return Tender(kind="card", amount_minor=amount_minor, payment_id=payment_id)

    async def _report(self, payment_id: str, **said: Any) -> None:
        await self.ask(ReportPayment(payment_id=payment_id, **said), PaymentView)


def _card(payment_id: str) -> CardFacts:
    digits = int.from_bytes(hashlib.sha256(payment_id.encode()).digest()[:8], "big")
    return CardFacts(
        last4=f"{digits % 10_000:04d}",
        scheme="visa",
        approval_code=f"A{digits // 10_000 % 100_000:05d}",
        psp_ref=f"term-{payment_id[-12:]}",
    )
