"""May a payment be approved without the processor?  Asked before a terminal is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hub.contract.payments import StartPayment
from hub.contract.problems import Code, refuse
from hub.contract.staff import ApprovalSubject
from hub.domain.errors import ApprovalRequired, Forbidden
from hub.domain.payments.exposure import Exposure, OfflineBar, age_ms, bars
from hub.domain.staff import Asked, Permission
from hub.service import permits
from hub.service.shop import PaymentRules
from hub.service.unit import Unit
from hub.storage import hubrow, paymentrows, paymentwork
from hub.storage.paymentrows import PaymentRow
from hub.storage.rows import Rows

AMOUNT_MAX: Final = 10**12
"""Ten thousand million in a currency of two decimals: sums of millions of payments stay numbers."""
SALE_MAX: Final = 50
"""So many payments may be begun for one sale or basket."""
TILL_MAX: Final = 20
"""So many of a till's payments may be on their way to a terminal, or in doubt there, at once."""
SHOP_MAX: Final = 100
TILL_UNDECIDED_MAX: Final = 100
"""So many of a till's payments may wait for people; then they have to decide some first."""


def check_room(unit: Unit, command: StartPayment, others: Sequence[PaymentRow]) -> None:
    """One till's payments, whatever it does, never crowd out the others'.  ``others``: of the same
    sale or basket.  Errors: ``validation``, ``conflict``."""
    if command.amount_minor + command.tip_minor > AMOUNT_MAX:
        raise refuse(Code.VALIDATION, f"A payment is of {AMOUNT_MAX} at most: correct the amount.")
    if len(others) >= SALE_MAX:
        raise refuse(
            Code.CONFLICT,
            f"{SALE_MAX} payments were begun for this sale: take another tender, or begin a sale"
            " anew.",
        )
    value = command.value is not None
    crowd = paymentwork.crowd_of(unit.tx, unit.caller.id, value=value)
    if crowd.till >= TILL_MAX or crowd.shop >= SHOP_MAX:
        raise refuse(
            Code.CONFLICT,
            "Too many such payments are under way: wait until some have ended, or give them up.",
        )
    if crowd.till_undecided >= TILL_UNDECIDED_MAX:
        raise refuse(
            Code.CONFLICT,
            f"{crowd.till_undecided} payments of this till wait for somebody to decide how they"
            " ended: a manager has to decide some first.",
        )


def check_tip(unit: Unit, command: StartPayment) -> None:
    """Errors: ``validation`` where the shop takes no tips, or none so high."""
    if not command.tip_minor:
        return
    rules = unit.shop.payments
    if command.value is not None:
        raise refuse(
            Code.VALIDATION,
            "A tip goes on a card: take it in cash, or with a card payment.",
            field="tip_minor",
        )
    if not rules.tips:
        raise refuse(
            Code.VALIDATION,
            "This shop takes no tips on cards: send the payment without tip_minor, or have"
            " payments.tips switched on.",
            field="tip_minor",
        )
    most_minor = command.amount_minor * rules.tip_max_percent // 100
    if command.tip_minor > most_minor:
        raise refuse(
            Code.VALIDATION,
            f"A tip is {rules.tip_max_percent} % of the amount at most, here {most_minor}: ask the"
            " customer again.",
            field="tip_minor",
            most_minor=most_minor,
        )


def exposure_of(rows: Rows, terminal_id: str | None, now_ms: int, budget_ms: int) -> Exposure:
    """What is at risk now: in the shop, and at one terminal."""
    found = paymentrows.at_risk(rows, terminal_id)
    oldest_ms = 0
    if found.oldest_at_ms is not None and found.oldest_budget_ms is not None:
        oldest_ms = age_ms(
            found.oldest_at_ms,
            found.oldest_budget_ms,
            now_ms,
            budget_ms,
            trusted=not hubrow.clock_suspect(rows),
        )
    return Exposure(
        found.terminal_payments, found.terminal_minor, found.payments, found.minor, oldest_ms
    )


def standing_bars(rows: Rows, rules: PaymentRules) -> tuple[OfflineBar, ...]:
    """What stands in the way whatever the amount is."""
    found = [] if rules.offline else [OfflineBar.SWITCHED_OFF]
    if hubrow.clock_suspect(rows):
        found.append(OfflineBar.CLOCK_SUSPECT)
    return tuple(found)


def offline_bars(unit: Unit, command: StartPayment, terminal_id: str) -> tuple[OfflineBar, ...]:
    """Why this payment has to be online; none: it may be approved without the processor.

    An approval is only spent where nothing else stands in the way.  Errors: those of
    :func:`permits.need` for an approval that doesn't fit.
    """
    rules = unit.shop.payments
    exposure = exposure_of(unit.tx, terminal_id, unit.now_ms, unit.tx.budget_ms)
    charged_minor = command.amount_minor + command.tip_minor
    found = standing_bars(unit.tx, rules) + bars(rules.caps, exposure, charged_minor)
    if found:
        return found
    try:
        permits.need(
            unit,
            Permission.OFFLINE_ACCEPT,
            Asked(amount_minor=charged_minor),
            approval_id=command.approval_id,
            subject=ApprovalSubject(sale_id=command.sale_id),
        )
    except (ApprovalRequired, Forbidden):
        if command.approval_id is not None:
            raise
        return (OfflineBar.NOT_PERMITTED,)
    return ()
