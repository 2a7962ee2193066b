"""What some customers of a virtual till do besides: they have a gift card, or give a tip."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Final

from devices.kit import HubClient, Refused
from hub.contract.payments import GetPayment, PaymentView, StartPayment, ValueTender
from hub.contract.sale import CommitSale, Tender
from hub.domain.payments.states import FENCING

GIFT_SHARE: Final = 0.06
TIP_SHARE: Final = 0.15
LOOKS: Final = 8
LOOK_S: Final = 0.5
"""So often, and with such a pause, it is looked whether the issuer has answered."""


@dataclass(frozen=True, slots=True)
class Extras:
    """``gift_cards``: what may be read from those that customers have; ``tips``: the shop takes
    some on cards."""

    gift_cards: tuple[str, ...] = ()
    tips: bool = False

    def pays_with_gift_card(self, rng: Random, total_minor: int) -> int:
        """How much a customer pays so: all, half, or nothing."""
        if not self.gift_cards or total_minor < 2 or rng.random() >= GIFT_SHARE:
            return 0
        return rng.choice((total_minor, total_minor // 2))

    def tip_minor(self, rng: Random, amount_minor: int) -> int:
        """What a customer adds to a card payment."""
        if not self.tips or rng.random() >= TIP_SHARE:
            return 0
        return amount_minor * rng.randint(5, 15) // 100


async def take_gift_card(hub: HubClient, sale: CommitSale, tender: Tender, token: str) -> bool:
    """Begin a payment with a gift card, and follow it; whether the sale may be paid with it."""
    assert tender.payment_id is not None
    start = StartPayment(
        payment_id=tender.payment_id,
        sale_id=sale.sale_id,
        basket_id=sale.basket_id,
        amount_minor=tender.amount_minor,
        value=ValueTender.model_validate({"kind": "gift_card", "token": token}),
    )
    try:
        view = await hub.request(start, PaymentView, until_answered=True)
        for _ in range(LOOKS):
            if view.state not in FENCING:
                break
            await asyncio.sleep(LOOK_S)
            query = GetPayment(payment_id=tender.payment_id)
            view = await hub.request(query, PaymentView, until_answered=True)
    except Refused:
        return False
    return view.tenderable
