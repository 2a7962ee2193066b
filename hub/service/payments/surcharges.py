"""Surcharges that terminals add to card payments: what the shop makes of them.

The hub never computes one.  Whatever a terminal says is a fact, for the card is charged it; one
above what the shop allows is noted and shown to people, for it may be against the law (in the EU
and the UK for consumers' cards, PSD2 article 62(4); for debit cards in the US).
"""

from __future__ import annotations

from hub.domain.payments import surcharges as rules
from hub.service.unit import Unit
from hub.storage import paymentrows
from hub.storage.paymentrows import PaymentRow


def note(
    unit: Unit, row: PaymentRow, surcharge_minor: int, asked_minor: int, by: str, scheme: str
) -> bool:
    """Whether what a terminal has added to ``asked_minor`` is more than the shop allows; that is
    noted then."""
    unasked = is_unasked(unit, surcharge_minor, asked_minor)
    if unasked:
        about = {"surcharge_minor": surcharge_minor, "scheme": scheme, "by": by}
        unit.note("payment.surcharge_unasked", row.payment_id, about)
    return unasked


def is_unasked(unit: Unit, surcharge_minor: int, asked_minor: int) -> bool:
    """Whether so much on top of ``asked_minor`` is more than the shop allows."""
    max_bp = unit.shop.payments.surcharge_max_bp
    return not rules.is_allowed(surcharge_minor, asked_minor, max_bp)


def going_back(unit: Unit, payment_id: str | None, before_minor: int, part_minor: int) -> int:
    """What of a payment's surcharge goes back with ``part_minor`` of what its tender paid, of which
    ``before_minor`` has gone back already; 0 for what the hub doesn't know."""
    row = paymentrows.get(unit.tx, payment_id) if payment_id else None
    if row is None:
        return 0
    return rules.share_minor(row.surcharge_minor, row.sale_minor, before_minor, part_minor)
