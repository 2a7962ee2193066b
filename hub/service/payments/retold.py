"""What the cloud tells a hub that was put back of money that tills had given back."""

from __future__ import annotations

from hub.service.unit import Unit
from hub.storage import paymentrows, refundrows
from hub.storage.paymentrows import PaymentRow
from hub.storage.refundrows import RefundRow


def ended(unit: Unit, row: PaymentRow, refund: RefundRow) -> RefundRow:
    """A till's refund that is told again, as it is: done, where the cloud had told that money went
    back by its name before it told of the return."""
    steps = paymentrows.steps(unit.tx, row.id)
    if any((one.event, one.detail) == ("told", refund.refund_id) for one in steps):
        end_named(unit, row, refund.refund_id)
    return refundrows.get(unit.tx, refund.refund_id) or refund


def end_named(unit: Unit, row: PaymentRow, refund_id: str) -> None:
    """The cloud names a till's refund as money that went back: it has, if so much went back that
    no other refund accounts for.  Else the till would have to tell twice, and what it gives back
    next would be taken for this."""
    refund = refundrows.get(unit.tx, refund_id)
    if refund is None or (refund.payment, refund.giver) != (row.id, "till"):
        return
    given_minor = row.refunded_minor - refundrows.done_minor(unit.tx, row.id)
    if refund.state in ("wanted", "refused") and given_minor >= refund.amount_minor:
        facts = {"state": "done", "fence": refund.fence + 1, "reason": "the cloud was told"}
        refundrows.change(unit.tx, refund, **facts)
