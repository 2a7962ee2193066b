"""What a card was charged on top of what its terminal was asked for: tips and surcharges, told by
the terminal, or by the processor, which tells what was taken in all.

Both are facts, for the card is charged them: they are in the book whether the shop takes such or
not, and nothing is sent back because of them: the customer agreed at the terminal, and the sale is
good.  Where everything goes back they do, too, however late they are told.
"""

from __future__ import annotations

from typing import Any, Final

from hub.domain.payments.states import PaymentState
from hub.service.payments import book, refunds, surcharges
from hub.service.payments.commands import ProcessorSaid
from hub.service.unit import Unit, derived_id
from hub.storage import paymentrows, refundrows
from hub.storage.paymentrows import PaymentRow

S = PaymentState

IN_ALL: Final = "told what was taken in all"
"""Noted with the step by which the book has learnt it: nothing is added to it any more."""
_WITH_MONEY: Final = frozenset({S.AUTHORISED, S.CAPTURED, S.SETTLED, S.REFUNDED})


def facts_of(
    unit: Unit, row: PaymentRow, tip_minor: int, surcharge_minor: int, by: str, scheme: str = ""
) -> dict[str, Any]:
    """What changes in the book; what the shop doesn't take is noted."""
    if tip_minor:
        about = {"tip_minor": tip_minor, "by": by}
        asked = unit.shop.payments.tips
        unit.note("payment.tip" if asked else "payment.tip_unasked", row.payment_id, about)
    unasked = bool(surcharge_minor) and surcharges.note(
        unit, row, surcharge_minor, row.amount_minor + tip_minor, by, scheme
    )
    return {
        "amount_minor": row.amount_minor + tip_minor + surcharge_minor,
        "tip_minor": row.tip_minor + tip_minor,
        "surcharge_minor": row.surcharge_minor + surcharge_minor,
        "surcharge_unasked": int(unasked or row.surcharge_unasked),
    }


def in_all(
    unit: Unit, row: PaymentRow, said: ProcessorSaid, by: str, *, is_news: bool
) -> PaymentRow:
    """The payment after the processor has told what was taken in all.  What is more than the book
    has was put on top by the terminal: a tip, as far as it isn't told to be a surcharge.  Less than
    the book has is noted, and the settlement report names it: nobody approves a part here.
    ``is_news``: the approval itself wasn't known before."""
    taken_minor = said.approved_minor
    if taken_minor is None or row.is_value or row.state not in _WITH_MONEY:
        return row
    more_minor = taken_minor - row.amount_minor
    if more_minor < 0 and is_news:
        about = {"approved_minor": taken_minor, "amount_minor": row.amount_minor, "by": by}
        unit.note("payment.approved_less", row.payment_id, about)
    if more_minor <= 0:
        return row
    all_went_back = _is_all_going_back(unit, row)
    surcharge_minor = min(more_minor, max(0, said.surcharge_minor - row.surcharge_minor))
    facts = facts_of(unit, row, more_minor - surcharge_minor, surcharge_minor, by)
    row = book.raised(unit, row, by, IN_ALL, **facts)
    if all_went_back:
        want_more(unit, row, more_minor)
    return row


def _is_all_going_back(unit: Unit, row: PaymentRow) -> bool:
    """Whether all that the book has of it is given back or going to be, by refunds that know of no
    more; what is let go, or wanted back whole later, is so with what was added."""
    return refundrows.taken_minor(unit.tx, row.id) >= row.amount_minor


def want_more(unit: Unit, row: PaymentRow, amount_minor: int, *, told_again: bool = False) -> None:
    """Have given back what turned out to be taken besides, of a payment that goes back whole, or
    has gone back so.  ``told_again``: another hub may have done it."""
    refund_id = derived_id("payment-more", row.payment_id, str(row.amount_minor))
    if refundrows.get(unit.tx, refund_id) is not None:
        return
    left = (
        row.amount_minor - row.refunded_minor
        if refunds.is_short(row)
        else refunds.left_minor(unit, row)
    )
    amount_minor = min(amount_minor, left)
    if amount_minor > 0:
        refund = refundrows.add(unit.tx, refund_id, row.id, row.sale_id, amount_minor)
        refundrows.change(unit.tx, refund, state="unknown" if told_again else "wanted")
        book.changed(unit, row)


def is_told(unit: Unit, row: PaymentRow) -> bool:
    """Whether the book has what was taken in all from whoever charged the card."""
    steps = paymentrows.steps(unit.tx, row.id)
    return any(one.detail == IN_ALL for one in steps)


def split(unit: Unit, row: PaymentRow, surcharge_minor: int, by: str, scheme: str) -> PaymentRow:
    """A terminal tells how much of what is known in all is a surcharge: that was no tip."""
    moved_minor = min(row.tip_minor, max(0, surcharge_minor - row.surcharge_minor))
    if moved_minor == 0 or refundrows.taken_minor(unit.tx, row.id):
        return row  # each part that went back has had its share
    asked_minor = row.amount_minor - row.surcharge_minor - moved_minor
    unasked = surcharges.note(unit, row, moved_minor, asked_minor, by, scheme)
    facts = {
        "tip_minor": row.tip_minor - moved_minor,
        "surcharge_minor": row.surcharge_minor + moved_minor,
        "surcharge_unasked": int(unasked or row.surcharge_unasked),
    }
    return book.raised(unit, row, by, IN_ALL, **facts)
