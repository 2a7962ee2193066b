"""What a line of the processor's settlement report says about a payment that the hub knows.

The three-way match: what the hub's book says, what the terminals still hold, what the processor
paid out.  Each difference has an owner: whoever has to look into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hub.domain.payments.states import PaymentEvent as E
from hub.domain.payments.states import PaymentState as S


class LineKind(StrEnum):
    """What a line of a settlement report is about."""

    PAYMENT = "payment"
    REFUND = "refund"
    REVERSAL = "reversal"
    FEE = "fee"
    CHARGEBACK = "chargeback"


class Verdict(StrEnum):
    """What became of a line.  ``matched`` and ``stand-alone`` (a terminal that the hub doesn't
    drive) need nobody."""

    MATCHED = "matched"
    STAND_ALONE = "stand-alone"
    UNKNOWN_PAYMENT = "unknown-payment"
    AMOUNT_DIFFERS = "amount-differs"
    CURRENCY_DIFFERS = "currency-differs"
    PAID_TWICE = "paid-twice"
    GIVEN_UP = "given-up"
    NOT_REVERSED = "not-reversed"
    UNKNOWN_REFUND = "unknown-refund"
    REFUND_DIFFERS = "refund-differs"
    CHARGEBACK = "chargeback"


class Owner(StrEnum):
    """Who looks into a difference."""

    NOBODY = ""
    PROCESSOR = "processor"
    TECHNICIAN = "technician"
    MANAGER = "manager"
    CENTRAL = "central office"


OWNERS: Final[dict[Verdict, Owner]] = {
    Verdict.MATCHED: Owner.NOBODY,
    Verdict.STAND_ALONE: Owner.NOBODY,
    Verdict.UNKNOWN_PAYMENT: Owner.CENTRAL,
    Verdict.AMOUNT_DIFFERS: Owner.PROCESSOR,
    Verdict.CURRENCY_DIFFERS: Owner.PROCESSOR,
    Verdict.PAID_TWICE: Owner.PROCESSOR,
    Verdict.GIVEN_UP: Owner.NOBODY,
    Verdict.NOT_REVERSED: Owner.PROCESSOR,
    Verdict.UNKNOWN_REFUND: Owner.CENTRAL,
    Verdict.REFUND_DIFFERS: Owner.PROCESSOR,
    Verdict.CHARGEBACK: Owner.MANAGER,
}
"""``given-up``: money came in for what the shop had given up; the hub gives it back by itself."""


@dataclass(frozen=True, slots=True)
class Booked:
    """A payment as the book has it; ``settled_before``: a line has paid it already."""

    state: S
    amount_minor: int
    currency: str
    settled_before: bool


_TO_SETTLED: Final[dict[S, tuple[E, ...]]] = {
    S.CAPTURED: (E.SETTLED,),
    S.AUTHORISED: (E.CAPTURED, E.SETTLED),
    **dict.fromkeys(
        (
            S.AT_TERMINAL,
            S.UNKNOWN,
            S.STORED,
            S.VOID_PENDING,
            S.FORWARDING,
            S.FORWARD_UNKNOWN,
            S.FORWARDED,
            S.LOST,
            S.MANUAL,
            S.RECOVERY,
            S.RETRY_WAIT,
        ),
        (E.APPROVED, E.CAPTURED, E.SETTLED),
    ),
    **dict.fromkeys(
        (S.ABANDONED, S.REFUSED, S.VOIDED, S.EXPIRED, S.RECOVERED, S.WRITTEN_OFF),
        (E.LATE_APPROVAL, E.CAPTURED, E.SETTLED),
    ),
    S.DECLINED: (),
    S.INTENT: (),
}
"""A line that pays a payment out proves that it was approved and captured."""


def judge_payment(booked: Booked | None, amount_minor: int, currency: str) -> Verdict:
    """The verdict on a line that pays a payment out."""
    if booked is None or booked.state is S.INTENT:
        return Verdict.UNKNOWN_PAYMENT
    if booked.currency != currency:
        return Verdict.CURRENCY_DIFFERS
    if booked.amount_minor != amount_minor:
        return Verdict.AMOUNT_DIFFERS
    if booked.settled_before or booked.state is S.SETTLED:
        return Verdict.PAID_TWICE
    match booked.state:
        case S.REVERSED:
            return Verdict.NOT_REVERSED
        case S.ABANDONED | S.REFUSED | S.VOIDED | S.EXPIRED | S.RECOVERED | S.WRITTEN_OFF:
            return Verdict.GIVEN_UP
        case _:
            return Verdict.MATCHED


def steps_of(state: S) -> tuple[E, ...]:
    """What a payment in this state goes through when a line pays it out; none where that says
    nothing about its state (it was refunded meanwhile, or waits for its next try)."""
    return _TO_SETTLED.get(state, ())


def judge_refund(known_minor: int | None, amount_minor: int) -> Verdict:
    """The verdict on a line that takes a refund off."""
    if known_minor is None:
        return Verdict.UNKNOWN_REFUND
    return Verdict.MATCHED if known_minor == amount_minor else Verdict.REFUND_DIFFERS
