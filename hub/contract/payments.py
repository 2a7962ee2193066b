"""Card payments at a till: begin, follow, void; what is at risk; what people decide."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from hub.contract.base import (
    AmountMinor,
    Command,
    DeviceId,
    Incoming,
    InstantMs,
    Live,
    MoneyMinor,
    Outgoing,
    Query,
    Reason,
    UniqueId,
)
from hub.contract.receivables import Contact

PaidMinor = Annotated[int, Field(ge=1, le=9_000_000_000_000_000, strict=True)]
Last4 = Annotated[str, Field(pattern=r"^([0-9]{4})?$")]
Code12 = Annotated[str, Field(max_length=12, pattern=r"^[A-Za-z0-9]*$")]
Scheme = Annotated[str, Field(max_length=20, pattern=r"^[a-z0-9 _-]*$")]
Ref = Annotated[str, Field(max_length=100, pattern=r"^[!-~]*$")]
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{6,64}")
ReportedToken = Annotated[str, Field(max_length=4096)]


class ValueTender(Incoming):
    """A gift card or store credit, as it was read.  Whoever keeps its value is asked for it; the
    number is sealed until then, and never told again."""

    kind: Literal["gift_card", "store_credit"]
    token: Annotated[SecretStr, Field(min_length=6, max_length=64)]
    pin: Annotated[SecretStr, Field(min_length=1, max_length=12)] | None = None

    @field_validator("token")
    @classmethod
    def _is_a_reference(cls, token: SecretStr) -> SecretStr:
        if _TOKEN.fullmatch(token.get_secret_value()) is None:
            raise ValueError("a card's reference has 6 to 64 letters, digits, - and _")
        return token


class StartPayment(Command):
    """Take a card payment for a sale that is about to be made; or one with a gift card.

    ``payment_id`` is its name for ever, towards the terminal and the processor, too: a repeat finds
    the payment that was begun.  ``terminal``: which one to use; ``own``: the till asks its own and
    tells by ``payment/report``.  Without it the terminal that serves the till is used.  The answer
    comes at once; ``bcast/payments`` and ``payment/get`` tell what becomes of it.  A basket
    can't be changed until the outcome is known or the payment is given up.

    ``offline``: ``accept`` lets the terminal approve it without the processor, within the shop's
    caps and the permission ``offline.accept``; else it has to be online.  Above a person's maximum
    ``approval_id`` names an approval of that permission, whose subject is the ``sale_id``.

    ``contact``: how the customer can be reached, where they gave it, should the payment come to be
    owed (``contact_kept`` says that it is kept).
    ``value``: a gift card or store credit instead of a terminal.  While the cloud can't be asked it
    may be taken from what is set aside of that card for this shop (``offline`` ``accept``); beyond,
    the answer is ``conflict`` with ``left_minor``.  Tips are a terminal's.
    ``tip_minor``: what the customer gives on top, where the shop takes tips (``payments.tips``):
    the card is charged both, the sale is paid with ``amount_minor``.
    """

    service: ClassVar[str] = "payment"
    operation: ClassVar[str] = "start"
    payment_id: UniqueId
    sale_id: UniqueId
    basket_id: UniqueId | None = None
    amount_minor: PaidMinor
    terminal: DeviceId | Literal["own"] | None = None
    value: ValueTender | None = None
    offline: Literal["accept", "refuse"] = "accept"
    approval_id: UniqueId | None = None
    contact: Contact | None = None
    tip_minor: AmountMinor = 0

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.value is not None and self.terminal is not None:
            raise ValueError("a gift card needs no terminal: give value or terminal")
        if self.value is not None and self.tip_minor:
            raise ValueError("a gift card takes no tip: leave tip_minor out")
        return self

    def told_apart_by(self) -> tuple[str, ...]:
        """Another gift card is another payment."""
        if self.value is None:
            return ()
        pin = self.value.pin.get_secret_value() if self.value.pin else ""
        return (self.value.token.get_secret_value(), pin)


Outcome = Literal[
    "approved", "approved-offline", "refused", "not-done", "unknown", "reversed", "refunded"
]


class CardFacts(Incoming):
    """What a terminal may tell of a card: never its number.  ``tip_minor``: a tip that the customer
    added at the terminal, on top of what it was asked for; ``surcharge_minor``: what the terminal
    added for paying by this card.  Both are taken in as facts: the card is charged them."""

    last4: Last4 = ""
    scheme: Scheme = ""
    approval_code: Code12 = ""
    psp_ref: Ref = ""
    terminal_ref: Ref = ""
    tip_minor: AmountMinor = 0
    surcharge_minor: AmountMinor = 0


class ReportPayment(Command):
    """What a till's own terminal said.  ``approved`` is by the processor; ``approved-offline`` by
    the terminal alone: with ``token`` the hub keeps and forwards it (an opaque token or P2PE blob,
    never a card number), without one the terminal does.  ``unknown`` may be told and corrected
    later; what is known isn't changed by a repeat.  ``reversed``: the terminal
    has let go, as a whole, what was given up or whose sale was voided; ``refunded``: it was taken,
    and the terminal has given it back by a refund.  With ``return_id`` the same of what the answer
    to this return left to the till (``by`` ``till``), wherever the goods came back; ``refused``
    says then that the terminal won't give it back, and the payment stands."""

    service: ClassVar[str] = "payment"
    operation: ClassVar[str] = "report"
    payment_id: UniqueId
    outcome: Outcome
    card: CardFacts = CardFacts()
    token: ReportedToken | None = None
    captured: bool = False
    reason: Annotated[str, Field(max_length=200)] = ""
    return_id: UniqueId | None = None

    @model_validator(mode="after")
    def _of_a_return(self) -> Self:
        if self.return_id is not None and self.outcome not in ("reversed", "refunded", "refused"):
            raise ValueError("what is given back for a return is reversed, refunded or refused")
        return self


class GivePaymentUp(Command):
    """The shop doesn't want this payment (any more): another tender is taken, or the customer left.

    What wasn't sent is abandoned, what was approved is voided or reversed; while the outcome isn't
    known the payment stays fenced, and is reversed if it turns out approved.  Not for what a sale
    was paid with: void the sale instead.
    """

    service: ClassVar[str] = "payment"
    operation: ClassVar[str] = "give-up"
    payment_id: UniqueId
    reason: Reason = "another tender"


class GetPayment(Query):
    """One payment with what happened to it."""

    service: ClassVar[str] = "payment"
    operation: ClassVar[str] = "get"
    payment_id: UniqueId


class ListPayments(Query):
    """Payments, newest first; ``open``: only those that still need something, oldest first."""

    service: ClassVar[str] = "payment"
    operation: ClassVar[str] = "list"
    which: Literal["all", "open", "receivable"] = "all"
    limit: int = Field(default=20, ge=1, le=200)
    before_id: int | None = Field(default=None, ge=1)


class GetExposure(Query):
    """What the shop risks on cards just now, and how much more it may."""

    service: ClassVar[str] = "payment"
    operation: ClassVar[str] = "exposure"
    terminal: DeviceId | None = None


class DecidePayment(Command):
    """Say how a payment ended whose outcome nobody can look up (``manual``, ``lost``,
    ``forwarded``).  Two people have to say the same, each with the evidence they saw (a line of the
    processor's report, the terminal's journal)."""

    service: ClassVar[str] = "payment"
    operation: ClassVar[str] = "decide"
    payment_id: UniqueId
    outcome: Literal["approved", "declined", "never-done"]
    evidence: Reason
    approval_id: UniqueId | None = None


class CloseReceivable(Command):
    """End a receivable (``recovery``): ``paid`` otherwise, or ``written-off`` (two people)."""

    service: ClassVar[str] = "payment"
    operation: ClassVar[str] = "close-receivable"
    payment_id: UniqueId
    how: Literal["paid", "written-off"]
    reason: Reason
    approval_id: UniqueId | None = None


class AskBalance(Live):
    """What is on a gift card or store credit; the cloud is asked, so it needs the line.  Ten times
    in ten minutes a device may: beyond, the answer is ``conflict``, for nobody is to guess
    numbers."""

    service: ClassVar[str] = "payment"
    operation: ClassVar[str] = "balance"
    value: ValueTender


# Answers -----------------------------------------------------------------------------------------


class PaymentStep(Outgoing):
    """One step of a payment."""

    at_ms: InstantMs
    event: str
    before: str
    after: str
    by: str
    detail: str = ""


class PaymentView(Outgoing):
    """A payment as it stands.

    ``tenderable``: a sale may be paid with it now.  ``waits_for``: ``terminal``, ``processor``,
    ``issuer``, ``person`` or nothing.  ``offline_refused``: why it may only be approved online.
    ``expires_in_ms``: of a stored one, until it may not be presented any more.  ``contact_kept``:
    the hub knows how to reach the customer.  ``kind``: ``card``, ``gift_card`` or ``store_credit``;
    ``balance_minor``: what was left on such a card, where its issuer told it; ``allotted``: it was
    taken from what is set aside for this shop.  The card is charged ``amount_minor``,
    ``tip_minor`` and ``surcharge_minor`` (what its terminal added for paying by it); the sale is
    paid with the first; ``refunded_minor`` is of all three.  ``owed_minor``: what the customer owes
    of a receivable, without what has come back.
    """

    id: int
    payment_id: str
    sale_id: str
    state: str
    tenderable: bool
    void_asked: bool = False
    in_sale: bool = False
    amount_minor: int
    currency: str
    refunded_minor: int = 0
    device_id: str
    terminal_id: str
    driven_by: str
    custody: str
    offline_allowed: bool
    offline_refused: tuple[str, ...] = ()
    offline_seq: int | None = None
    approved_offline: bool = False
    last4: str = ""
    scheme: str = ""
    approval_code: str = ""
    decline_code: str = ""
    waits_for: Literal["", "terminal", "processor", "issuer", "person"] = ""
    expires_in_ms: int | None = None
    begun_at_ms: InstantMs
    changed_at_ms: InstantMs
    reason: str = ""
    contact_kept: bool = False
    kind: Literal["card", "gift_card", "store_credit"] = "card"
    balance_minor: int | None = None
    allotted: bool = False
    tip_minor: AmountMinor = 0
    surcharge_minor: AmountMinor = 0
    owed_minor: AmountMinor | None = None
    steps: tuple[PaymentStep, ...] = ()


class BalanceView(Outgoing):
    """``unknown``: there is no such card, or its PIN is another.  ``balance_minor``: what is
    free on it, without what is set aside for shops."""

    status: Literal["active", "blocked", "expired", "unknown"]
    kind: Literal["gift_card", "store_credit"] | None = None
    balance_minor: int = 0
    currency: str = ""
    last4: str = ""


class Payments(Outgoing):
    """A page of payments; ``next_before_id`` continues it."""

    payments: tuple[PaymentView, ...]
    next_before_id: int | None = None


class ExposureView(Outgoing):
    """What is at risk, and the caps.  ``meter``: ``clear``, ``near`` or ``full``; ``bars``: why
    nothing more is accepted offline just now.  Amounts in minor units of ``currency``."""

    currency: str
    meter: Literal["clear", "near", "full"]
    bars: tuple[str, ...] = ()
    store_count: int
    store_minor: MoneyMinor
    store_cap_minor: MoneyMinor
    terminal_count: int = 0
    terminal_minor: MoneyMinor = 0
    terminal_cap_count: int
    terminal_cap_minor: MoneyMinor
    payment_cap_minor: AmountMinor
    oldest_age_ms: int = 0
    warn_age_ms: int
    stop_age_ms: int
    deadline_ms: int
    next_expiry_in_ms: int | None = None
