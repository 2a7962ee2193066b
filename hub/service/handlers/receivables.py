"""What people decide about payments: outcomes that nobody can look up, receivables,
payment links."""

from __future__ import annotations

from hub.contract.base import Command
from hub.contract.payments import CloseReceivable, DecidePayment, PaymentView
from hub.contract.receivables import SendLink, SetContact, SettleLink, SettleRefund
from hub.service.gate import Handler
from hub.service.payments import links, people, tillrefunds, views
from hub.service.unit import Unit
from hub.storage.paymentrows import PaymentRow


def decide(unit: Unit, command: DecidePayment) -> PaymentView:
    """See :class:`DecidePayment`."""
    return _view(unit, people.decide(unit, command))


def close(unit: Unit, command: CloseReceivable) -> PaymentView:
    """See :class:`CloseReceivable`."""
    return _view(unit, people.close(unit, command))


def contact(unit: Unit, command: SetContact) -> PaymentView:
    """See :class:`SetContact`."""
    return _view(unit, links.set_contact(unit, command))


def send_link(unit: Unit, command: SendLink) -> PaymentView:
    """See :class:`SendLink`."""
    return _view(unit, links.send(unit, command))


def settle_link(unit: Unit, command: SettleLink) -> PaymentView:
    """See :class:`SettleLink`."""
    return _view(unit, links.settle(unit, command))


def settle_refund(unit: Unit, command: SettleRefund) -> PaymentView:
    """See :class:`SettleRefund`."""
    return _view(unit, tillrefunds.settle(unit, command))


def _view(unit: Unit, row: PaymentRow) -> PaymentView:
    unit.cover_all()
    return views.now(unit, row)


WRITES: dict[type[Command], Handler] = {
    DecidePayment: decide,
    CloseReceivable: close,
    SetContact: contact,
    SendLink: send_link,
    SettleLink: settle_link,
    SettleRefund: settle_refund,
}
