"""Gift cards and store credit, whose value the OMS keeps: hold, take, let go, give back; and what
it sets aside of one card for a shop, to be spent there without asking.

A hold is known by its ``hold_id`` for ever: asked for again it is answered as it stands, and done
once.  So are its capture and release; each refund has a ``key`` of its own.  A hold that isn't
captured in time is let go by the OMS itself (``expires_at_ms``), and its capture is ``declined``.

What was spent from an allotment was never held, or its hold was declined: its capture names the
``allotment``, and MUST be taken however late it comes, unless it was released before.  A release of
an id that the OMS doesn't know is remembered, and so is one that names the ``allotment`` of a
declined hold: a capture that comes after it is ``declined``.

The OMS sets value aside per shop, card and epoch (the ``epoch`` of HELLO), and tells it by the
command ``gift_card.allotted``; a hub answers a recall by ``gift_card.allotment_returned``.  Of
no epoch it may let others have ``granted - returned - captured``, whatever it hears of the shop.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr

from hub.contract.base import Incoming, InstantMs, MoneyMinor, Outgoing, UniqueId
from hub.contract.oms_envelope import Id, Seq
from hub.contract.oms_facts import PREFIX, Currency, Fact
from hub.contract.oms_payments import BookCurrency, Charged, EffectKey, Remark

TOKEN_PATTERN: Final = r"^[A-Za-z0-9_-]{6,64}$"  # noqa: S105 - what one looks like
ValueToken = Annotated[
    str,
    Field(pattern=TOKEN_PATTERN, description="As read from the card; the OMS never logs it."),
]
AccountRef = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$",
        description="The OMS's own name for the card; not what is read from it.",
    ),
]
ValueWord = Literal["gift_card", "store_credit"]
Digits4 = Annotated[str, Field(pattern=r"^([0-9]{4})?$")]
TokenHash = Annotated[
    str,
    Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the token's ASCII, hexadecimal."),
]
RefusalWord = Annotated[
    str,
    Field(
        max_length=40,
        pattern=r"^[a-z-]*$",
        description="insufficient-value, unknown-card, wrong-pin, blocked, expired, released,"
        " other-kind, other-currency or other.",
    ),
]
Pin = Annotated[SecretStr, Field(min_length=1, max_length=12)]


class AllotmentRef(Incoming):
    """From which allotment a payment was taken."""

    account_ref: AccountRef
    epoch: Seq


class ValueHold(Incoming):
    """``POST /gift-cards/{token}/holds``: keep so much for this payment, all or nothing.

    ``kind``: what the till took it for; another kind of card is ``declined`` (``other-kind``).
    """

    hold_id: UniqueId
    kind: ValueWord
    amount_minor: Charged
    currency: BookCurrency
    pin: Pin | None = None


class ValueCapture(Incoming):
    """``POST /gift-cards/holds/{hold_id}/capture``: take it whole.  ``allotment``: it was spent
    from there and never held (or its hold was ``declined``)."""

    amount_minor: Charged
    currency: BookCurrency
    allotment: AllotmentRef | None = None


class ValueRelease(Incoming):
    """``POST /gift-cards/holds/{hold_id}/release``: let it go; what is captured stays so."""

    allotment: AllotmentRef | None = None


class ValueRefund(Incoming):
    """``POST /gift-cards/holds/{hold_id}/refunds``: put so much of captured value back on the card.
    All refunds together are never more than was captured: beyond it one is ``declined``."""

    key: EffectKey
    amount_minor: Charged
    currency: BookCurrency


class ValueBalance(Incoming):
    """``POST /gift-cards/balance``: what is on a card."""

    token: ValueToken
    pin: Pin | None = None


class ValueHoldReply(Outgoing):
    """How a hold stands.  ``balance_minor``: what is free on the card then, where the OMS tells it,
    of a declined one, too: the till can offer to take as much.  ``code`` says why it is
    ``declined`` or was ``released`` without being asked (``expired``)."""

    hold_id: str
    status: Literal["held", "declined", "captured", "released", "refunded"]
    amount_minor: int
    currency: str
    balance_minor: Annotated[int, Field(ge=0)] | None = None
    last4: Digits4 = ""
    expires_at_ms: InstantMs | None = None
    code: RefusalWord = ""
    reason: Remark = ""
    oms_incarnation: str = ""


class ValueRefundReply(Outgoing):
    """How the refund ``key`` stands."""

    hold_id: str
    key: str
    status: Literal["refunded", "declined"]
    amount_minor: int
    currency: str
    balance_minor: Annotated[int, Field(ge=0)] | None = None
    code: RefusalWord = ""
    reason: Remark = ""
    oms_incarnation: str = ""


class ValueBalanceReply(Outgoing):
    """What is free on a card; ``unknown`` also for a wrong PIN: nobody finds out which it is."""

    status: Literal["active", "blocked", "expired", "unknown"]
    kind: ValueWord | None = None
    balance_minor: Annotated[int, Field(ge=0)] = 0
    currency: str = ""
    last4: Digits4 = ""
    oms_incarnation: str = ""


# Allotments ---------------------------------------------------------------------------------------

ALLOTMENT_RETURNED: Final = PREFIX + "gift_card.allotment_returned.v1"
CREDIT_ISSUED: Final = PREFIX + "gift_card.issued.v1"


class GiftCardAllotted(Incoming):
    """The data of the command ``gift_card.allotted``: what is set aside of one card for this shop
    in this epoch, and what is wanted back of it, both cumulative.  Repeats and older words change
    nothing.  Only cards that may be spent without their PIN should be told."""

    account_ref: AccountRef
    token_hash: TokenHash
    last4: Digits4 = ""
    kind: ValueWord
    currency: BookCurrency
    epoch: Seq
    granted_minor: MoneyMinor
    recalled_minor: MoneyMinor = 0


class AllotmentReturned(Fact):
    """The shop gives back so much of what was set aside in ``epoch``, cumulative: the larger word
    counts.  ``spent_minor``: what its payments had taken then, told or not; captures say what they
    were."""

    account_ref: AccountRef
    epoch: Seq
    returned_minor: MoneyMinor
    spent_minor: MoneyMinor
    currency: Currency


class CreditIssued(Fact):
    """Store credit that the shop gave for goods that came back: the OMS keeps it from now on.

    All of it is set aside for this shop in ``epoch`` (0: nothing is) until it is recalled.
    """

    account_ref: AccountRef
    token_hash: TokenHash
    last4: Digits4 = ""
    amount_minor: MoneyMinor
    currency: Currency
    epoch: Seq
    return_id: Id
    issued_at_ms: InstantMs
