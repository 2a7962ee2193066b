"""What the cloud is told of card payments."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from hub.contract.base import FreeText, InstantMs, MoneyMinor
from hub.contract.oms_envelope import Id, Seq
from hub.contract.oms_facts import PREFIX, Currency, Fact, Word

PAYMENT_FACTS: Mapping[str, str] = MappingProxyType(
    {
        fact: f"{PREFIX}payment.{fact}.v1"
        for fact in (
            "stored",
            "forwarded",
            "authorised",
            "captured",
            "settled",
            "declined",
            "voided",
            "reversed",
            "refunded",
            "unknown",
            "recovered",
            "written_off",
            "expired",
            "lost",
        )
    }
)
"""The types of what is told of card payments, by the fact."""


class PaymentMoved(Fact):
    """A card payment came to be in another state; never card data nor a token.

    ``step`` is the number of the step in this payment's history: each is told once.  ``custody``:
    who keeps a stored one, the ``terminal`` or the ``hub``.  ``offline_seq``: the number of one
    that was approved without the processor, without gaps per terminal.  ``payment.voided`` is
    told, too, when it turns out that nothing was taken of what was ``unknown`` before.  ``kind``
    ``gift_card`` or ``store_credit``: of an issuer, not a card; ``account``: whose allotment of
    ``account_epoch`` it took the money from.
    The card is charged ``amount_minor`` (what the sale is paid with), ``tip_minor`` and
    ``surcharge_minor`` (what its terminal added for paying by this card); ``refunded_minor`` is of
    all three.
    """

    payment_id: Id
    sale_id: Id
    device_id: Id
    terminal_id: Id
    driven_by: Literal["hub", "till"] = "till"
    amount_minor: MoneyMinor
    tip_minor: MoneyMinor = 0
    surcharge_minor: MoneyMinor = 0
    currency: Currency
    custody: Literal["terminal", "hub"]
    state: Word
    step: Seq
    occurred_at_ms: InstantMs
    offline_seq: Seq | None = None
    psp_ref: Annotated[str, Field(max_length=100)] = ""
    terminal_ref: Annotated[str, Field(max_length=100)] = ""
    approval_code: Annotated[str, Field(max_length=12)] = ""
    last4: Annotated[str, Field(pattern=r"^[0-9]{4}$")] | None = None
    scheme: Annotated[str, Field(max_length=20)] = ""
    decline_code: Annotated[str, Field(max_length=40)] = ""
    refunded_minor: MoneyMinor = 0
    kind: Literal["card", "gift_card", "store_credit"] = "card"
    account: Annotated[str, Field(max_length=64)] = ""
    account_epoch: Seq = 0
    reason: FreeText = ""
