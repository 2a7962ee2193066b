"""Card payments that the hub presents through the OMS: charge, look up, capture, let go, give back.

The OMS passes them to whichever processor the shop has.  ``payment_id`` finds a payment again for
ever.  Each effect (a charge, a capture, a refund) has a ``key`` of its own: the same request under
the same key is done once and answered alike; the same key for something else → 409 ``conflict``.
However long ago, a payment that stands (approved, captured or pending) is never charged again: a
charge under another key is answered with how it stands.

A refusal (a problem with a status below 500 other than 408, 409 and 425) says that nothing was
done.  After anything else the hub looks up before it repeats.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hub.contract.base import MONEY_LIMIT_MINOR, AmountMinor, Incoming, Outgoing, UniqueId

TOKEN_CHARS_MAX = 12_288
"""Of a token in base64."""

EffectKey = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,99}$",
        description="Names one effect; a repeat has the same.",
    ),
]
Charged = Annotated[int, Field(strict=True, ge=1, le=MONEY_LIMIT_MINOR)]
BookCurrency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
PspRef = Annotated[str, Field(max_length=128, pattern=r"^[\x21-\x7e]*$")]
DeclineWord = Annotated[
    str,
    Field(
        max_length=40,
        pattern=r"^[a-z-]*$",
        description="insufficient-funds, issuer-unavailable, try-again, limit-exceeded,"
        " authentication-needed, do-not-honour, stolen-or-lost, invalid-card, expired-card, fraud,"
        " closed-account or other; one that isn't known counts as other.",
    ),
]
Remark = Annotated[str, Field(max_length=200)]


class PaymentCharge(Incoming):
    """``POST /payments``: authorise this payment, once.

    ``token``: what the terminal gave for the card, in base64; the OMS neither logs nor keeps it.
    """

    payment_id: UniqueId
    key: EffectKey
    amount_minor: Charged
    currency: BookCurrency
    token: Annotated[
        str,
        Field(
            min_length=1,
            max_length=TOKEN_CHARS_MAX,
            pattern=r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$",
            repr=False,
        ),
    ]


class PaymentEffect(Incoming):
    """``POST /payments/{payment_id}/capture`` and ``…/reversal``: take what was authorised, whole,
    or let it go."""

    key: EffectKey


class PaymentRefund(Incoming):
    """``POST /payments/{payment_id}/refunds``: give so much of captured money back.

    All refunds together are never more than what was captured: beyond it one is ``declined``.
    """

    key: EffectKey
    amount_minor: Charged
    currency: BookCurrency


PaymentStanding = Literal["pending", "approved", "captured", "declined", "reversed", "refunded"]


class PaymentReply(Outgoing):
    """How a payment stands at the processor.

    ``pending``: taken over, and the outcome follows (``payment.outcome``, or look it up).
    ``declined`` is the outcome of the charge ``key``, and of no other one.  ``reversed``: let go
    before it was captured.  ``refunded``: given back whole.  ``amount_minor``: what the card was
    charged in all, with what its terminal had put on top.  ``code`` of a decline; ``wait_ms``:
    the processor asks not to be asked again before.
    """

    payment_id: str
    key: str
    status: PaymentStanding
    amount_minor: int
    currency: str
    psp_ref: PspRef = ""
    approval_code: Annotated[str, Field(max_length=32)] = ""
    code: DeclineWord = ""
    reason: Remark = ""
    wait_ms: Annotated[int, Field(ge=0)] = 0
    oms_incarnation: str = ""


class PaymentRefundReply(Outgoing):
    """How the refund ``key`` stands."""

    payment_id: str
    key: str
    status: Literal["pending", "refunded", "declined"]
    amount_minor: int
    currency: str
    psp_ref: PspRef = ""
    code: DeclineWord = ""
    reason: Remark = ""
    oms_incarnation: str = ""


class PaymentOutcome(Incoming):
    """The data of the command ``payment.outcome``: what became of a payment, told by itself.

    Repeats, and an outcome that says what is known already, change nothing.  An approval of what
    the shop had given up goes back to the customer by itself.

    ``approved_minor`` of what was approved or captured: what the card was charged in all, with a
    tip and a surcharge that its terminal had added; of it ``surcharge_minor``.  All of it is what
    goes back, if it does.  Without it the hub takes the amount to be what it knows.
    """

    payment_id: UniqueId
    status: Literal["approved", "captured", "declined", "reversed", "refunded"]
    approved_minor: Charged | None = None
    surcharge_minor: AmountMinor = 0
    psp_ref: PspRef = ""
    approval_code: Annotated[str, Field(max_length=32)] = ""
    code: DeclineWord = ""
    reason: Remark = ""
