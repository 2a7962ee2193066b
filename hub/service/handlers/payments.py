"""Card payments at a till: begin one, tell what the till's own terminal said, give one up, look."""

from __future__ import annotations

from hub.contract.base import Command
from hub.contract.payments import (
    ExposureView,
    GetExposure,
    GetPayment,
    GivePaymentUp,
    ListPayments,
    Payments,
    PaymentView,
    StartPayment,
)
from hub.contract.problems import Code, refuse
from hub.domain.basket import BasketState
from hub.domain.payments.states import FENCING, PaymentEvent, PaymentState
from hub.domain.staff import Permission
from hub.service import permits
from hub.service.gate import Handler, Reader, ReadUnit
from hub.service.handlers import baskets
from hub.service.incoming import same_request
from hub.service.payments import (
    admission,
    book,
    owing,
    value,
    views,
)
from hub.service.payments.views import Teller
from hub.service.unit import Unit
from hub.storage import basketrows, paymentrows, peripheralrows, salerows
from hub.storage.paymentrows import NewPayment, PaymentRow

TERMINAL = "terminal"
UNDRIVEN = "service"
"""The kinds that peripherals have among the devices; the latter while none of its drivers fits."""


# Beginning ---------------------------------------------------------------------------------------


def start(unit: Unit, command: StartPayment) -> PaymentView:
    """See :class:`StartPayment`.  A payment id that is known answers with that payment.

    The answer has no number: a device needn't keep the request.  Offered again to a hub that was
    restored it would have the terminal asked again.
    """
    known = paymentrows.get(unit.tx, command.payment_id)
    if known is not None:
        return _repeat(unit, known, command)
    permits.need(unit, Permission.SALE_SELL)
    admission.check_tip(unit, command)
    _check_sale(unit, command)
    terminal_id, driven_by = _terminal(unit, command)
    _check_others(unit, command, terminal_id, driven_by)
    bars: tuple[str, ...] = ()
    asks_issuer = False
    if command.value is not None:
        asks_issuer = value.check(unit, command, command.value)
    elif command.offline == "accept":
        bars = admission.offline_bars(unit, command, terminal_id)
    row = book.begin(
        unit,
        NewPayment(
            payment_id=command.payment_id,
            hash=unit.body_hash,
            sale_id=command.sale_id,
            basket_id=command.basket_id or "",
            device_id=unit.caller.id,
            staff_id=unit.staff_id,
            terminal_id=terminal_id,
            driven_by=driven_by,
            custody="hub" if command.value else "terminal",
            amount_minor=command.amount_minor + command.tip_minor,
            currency=unit.shop.currency,
            offline_allowed=command.value is None and command.offline == "accept" and not bars,
            kind=command.value.kind if command.value else "card",
            tip_minor=command.tip_minor,
        ),
        unit.caller.key,
        " ".join(bars),
    )
    if command.contact is not None:
        owing.keep(unit, row, command.contact)
    if command.value is not None:
        row = value.begin(unit, row, command, ask=asks_issuer)
    elif driven_by == "till":
        row = book.move(unit, row, PaymentEvent.SENT, unit.caller.key)
    return views.now(unit, row)


def _repeat(unit: Unit, row: PaymentRow, command: StartPayment) -> PaymentView:
    same = same_request(row.hash, unit.body_hash) and row.sale_minor == command.amount_minor
    same = same and value.is_of_card(unit, row, command.value)
    if not same or row.sale_id != command.sale_id:
        raise refuse(
            Code.CONFLICT,
            "This payment id belongs to another payment: make a fresh id for every payment.",
            sale_id=row.sale_id,
            state=row.state,
        )
    return views.now(unit, row)


def _check_sale(unit: Unit, command: StartPayment) -> None:
    """The sale is still to be made, and of the basket as this till has it."""
    sold = salerows.sale_of_payment(unit.tx, command.payment_id)
    if sold is not None:
        raise refuse(
            Code.CONFLICT,
            "A sale was paid with this payment already: make a fresh id for every payment.",
            sale_id=sold,
        )
    if salerows.get(unit.tx, command.sale_id) is not None:
        raise refuse(
            Code.CONFLICT,
            "This sale is written already: take the payment for a new sale.",
            sale_id=command.sale_id,
        )
    if command.basket_id is None:
        return
    basket = basketrows.get(unit.tx, command.basket_id)
    if basket is None:
        raise refuse(Code.NOT_FOUND, "There is no such basket: open one first.")
    if basket.state != BasketState.OPEN or basket.owner != unit.caller.id:
        raise refuse(
            Code.CONFLICT,
            f"This basket is {basket.state} at {basket.owner}: resume it here first.",
            state=basket.state,
            owner=basket.owner,
        )
    total_minor = baskets.view(unit.tx, basket, unit.shop.currency).total_minor
    others = paymentrows.of_basket(unit.tx, command.basket_id)
    taken_minor = sum(one.sale_minor for one in others if _counts(one))
    if command.amount_minor > total_minor - taken_minor:
        raise refuse(
            Code.CONFLICT,
            "That is more than is left to be paid: read the basket again, and give up payments"
            " that it isn't to be paid with.",
            total_minor=total_minor,
            taken_minor=taken_minor,
        )


def _counts(row: PaymentRow) -> bool:
    """Whether it is meant to pay for its sale."""
    ended = ("refused", "abandoned", "voided", "reversed", "refunded")
    return not row.void_asked and row.state not in ended


def _terminal(unit: Unit, command: StartPayment) -> tuple[str, str]:
    """The terminal's id, and who drives it; an issuer stands in for one."""
    if command.value is not None:
        return value.ISSUER, "hub"
    if command.terminal == "own":
        return unit.caller.id, "till"
    if command.terminal is None:
        served = unit.shop.payments.terminal_of(unit.caller.id)
        if served is None:
            raise refuse(
                Code.NOT_FOUND,
                "No terminal of the hub serves this till: set one up, or use the till's own"
                ' (terminal "own").',
            )
        return served, "hub"
    kinds = peripheralrows.owners(unit.tx)
    if kinds.get(command.terminal) not in (TERMINAL, UNDRIVEN):
        known = sorted(name for name, kind in kinds.items() if kind == TERMINAL)
        raise refuse(
            Code.NOT_FOUND,
            f"{command.terminal} isn't a payment terminal: "
            + (f"choose one of {', '.join(known)}." if known else "set one up first."),
            field="terminal",
            terminals=known,
        )
    return command.terminal, "hub"


def _check_others(unit: Unit, command: StartPayment, terminal_id: str, driven_by: str) -> None:
    """One payment of a sale at a time, all of a basket for one sale, and one at a till's own
    terminal."""
    others = paymentrows.of_sale(unit.tx, command.sale_id)
    if command.basket_id is not None:
        others += paymentrows.of_basket(unit.tx, command.basket_id)
    admission.check_room(unit, command, others)
    for other in others:
        if _is_foreign(unit, other, command):
            raise refuse(
                Code.CONFLICT,
                "This sale is another till's: make a fresh id for every sale.",
                device_id=other.device_id,
            )
        if other.state in FENCING and not other.void_asked:
            raise refuse(
                Code.CONFLICT,
                "Another payment of this sale is under way: wait for its outcome or give it up.",
                payment_id=other.payment_id,
                state=other.state,
            )
        if other.sale_id != command.sale_id and views.tenderable(other):
            raise refuse(
                Code.CONFLICT,
                "Another payment of this basket is for a sale of another id: name that one, or give"
                " the payment up.",
                payment_id=other.payment_id,
                sale_id=other.sale_id,
            )
    if driven_by == "till":
        busy = paymentrows.at_terminal(unit.tx, terminal_id)
        if busy is not None:
            raise refuse(
                Code.CONFLICT,
                "This till's terminal has a payment in hand: report what it said first (unknown,"
                " if nobody knows).",
                payment_id=busy.payment_id,
                state=busy.state,
            )


def _is_foreign(unit: Unit, other: PaymentRow, command: StartPayment) -> bool:
    """Whether another till takes money for this sale.  A basket that was resumed here may have
    been refused there."""
    of_it = other.device_id != unit.caller.id and other.sale_id == command.sale_id
    return of_it and (command.basket_id is None or _counts(other))


# Giving up ---------------------------------------------------------------------------------------


def give_up(unit: Unit, command: GivePaymentUp) -> PaymentView:
    """See :class:`GivePaymentUp`."""
    row = book.known(unit, command.payment_id)
    if not unit.caller.is_admin:
        own = row.device_id == unit.caller.id
        permits.need(unit, Permission.SALE_SELL if own else Permission.HUB_MANAGE)
    if row.in_sale:
        raise refuse(
            Code.CONFLICT,
            "A sale was paid with this payment: void the sale or take a return.",
            sale_id=row.sale_id,
        )
    before, row = row, book.withdraw(unit, row, unit.caller.key, command.reason)
    if row != before:
        about = {"sale_id": row.sale_id, "reason": command.reason, "was": before.state}
        unit.note("payment.given_up", row.payment_id, {**about, "is": row.state})
    unit.cover_all()
    return views.now(unit, row)


# Looking -----------------------------------------------------------------------------------------


def get(unit: ReadUnit, query: GetPayment) -> PaymentView:
    """See :class:`GetPayment`."""
    row = paymentrows.get(unit.rows, query.payment_id)
    if row is None:
        raise refuse(Code.NOT_FOUND, "The hub knows no such payment.")
    return _teller(unit).payment(row)


def list_payments(unit: ReadUnit, query: ListPayments) -> Payments:
    """See :class:`ListPayments`."""
    match query.which:
        case "all":
            found = paymentrows.latest(unit.rows, before=query.before_id, limit=query.limit)
        case "open":
            found = paymentrows.open_ones(unit.rows, query.limit)
        case "receivable":
            found = paymentrows.in_state(unit.rows, PaymentState.RECOVERY, query.limit)
    more = query.which == "all" and len(found) == query.limit and found[-1].id > 1
    teller = _teller(unit)
    return Payments(
        payments=tuple(teller.payment(row, steps=False) for row in found),
        next_before_id=found[-1].id if more else None,
    )


def exposure(unit: ReadUnit, query: GetExposure) -> ExposureView:
    """See :class:`GetExposure`."""
    return _teller(unit).exposure(query.terminal, unit.shop.currency)


def _teller(unit: ReadUnit) -> Teller:
    return Teller(unit.rows, unit.shop.payments, unit.now_ms, unit.budget_ms)


WRITES: dict[type[Command], Handler] = {
    StartPayment: start,
    GivePaymentUp: give_up,
}
READS: dict[type[Command], Reader] = {GetPayment: get, GetExposure: exposure}
SLOW_READS: dict[type[Command], Reader] = {ListPayments: list_payments}
