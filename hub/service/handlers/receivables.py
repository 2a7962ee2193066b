"""What people decide about payments: outcomes that nobody can look up, receivables."""

from __future__ import annotations

from hub.contract.base import Command
from hub.contract.payments import CloseReceivable, DecidePayment, PaymentView
from hub.service.gate import Handler
from hub.service.payments import people
from hub.service.payments.views import Teller
from hub.service.unit import Unit
from hub.storage.paymentrows import PaymentRow


def decide(unit: Unit, command: DecidePayment) -> PaymentView:
    """See :class:`DecidePayment`."""
    return _view(unit, people.decide(unit, command))


def close(unit: Unit, command: CloseReceivable) -> PaymentView:
    """See :class:`CloseReceivable`."""
    return _view(unit, people.close(unit, command))


def _view(unit: Unit, row: PaymentRow) -> PaymentView:
    unit.cover_all()
    teller = Teller(unit.tx, unit.shop.payments, unit.now_ms, unit.tx.budget_ms)
    return teller.payment(row)


WRITES: dict[type[Command], Handler] = {DecidePayment: decide, CloseReceivable: close}
