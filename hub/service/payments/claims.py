"""What card payments mean to baskets and sales: the fence, the tender, the way back.

A tender with a payment that the hub never began is a stand-alone terminal's, and none of its
business.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final, Literal

from hub.contract.oms_payment_events import PaymentMoved
from hub.contract.problems import Code, Refusal, problem, refuse
from hub.contract.sale import CommitSale, RefundView, Tender
from hub.domain import basket as rules
from hub.domain.basket import BasketEvent, Settlement, TenderKind, settle
from hub.domain.payments.states import FENCING, TENDERABLE, PaymentState
from hub.domain.payments.value import ValueKind
from hub.domain.staff import Permission
from hub.service import permits
from hub.service.payments import added, book, owing, refunds, tillrefunds
from hub.service.unit import Unit
from hub.storage import paymentrows, salerows
from hub.storage.paymentrows import PaymentRow

S = PaymentState
Giver = Literal["hub", "till"]
Claimed = dict[str, PaymentRow]
"""The payments of a sale's tenders that the hub began, by their ids."""

PAID_OTHERWISE: Final = "the sale was paid otherwise"
ASK_AGAIN_MS: Final = 2000
_OF_ISSUERS: Final = frozenset(map(str, ValueKind))
_WITH_MONEY: Final = frozenset({S.AUTHORISED, S.CAPTURED, S.SETTLED})


# The fence ---------------------------------------------------------------------------------------


def fence(unit: Unit, basket_id: str, event: BasketEvent) -> None:
    """Refuse to change a basket while a card is being asked for; one that is abandoned lets go of
    its payments.  A sale looks at its tenders itself.  Errors: ``conflict``."""
    if event is BasketEvent.CLOSE:
        return
    for row in paymentrows.of_basket(unit.tx, basket_id):
        if row.void_asked:
            continue
        if row.state in FENCING:
            raise under_way(row)
        if row.state not in TENDERABLE:
            continue
        if event is BasketEvent.ABANDON:
            book.withdraw(unit, row, unit.caller.key, "the basket was abandoned")
        elif event is BasketEvent.SUSPEND:
            raise refuse(
                Code.CONFLICT,
                "A card payment for this basket is approved: sell it, or give the payment up"
                " first.",
                payment_id=row.payment_id,
                state=row.state,
            )


def under_way(row: PaymentRow) -> Refusal:
    """Nobody knows yet how a payment ends."""
    return refuse(
        Code.CONFLICT,
        "A card payment for this is under way: wait for its outcome, or give it up.",
        payment_id=row.payment_id,
        state=row.state,
    )


# Paying a sale -----------------------------------------------------------------------------------


def settled(unit: Unit, command: CommitSale, total_minor: int) -> tuple[Settlement, Claimed]:
    """How the tenders pay a sale, and the payments that the hub began among them.

    Errors: ``validation``, ``conflict``, and those of :func:`claimed`.
    """
    seen: set[str] = set()
    found: Claimed = {}
    for tender in command.tenders:
        if tender.payment_id is None:
            continue
        if tender.payment_id in seen:
            raise refuse(Code.VALIDATION, "Two tenders have one payment_id: send each once.")
        seen.add(tender.payment_id)
        other = salerows.sale_of_payment(unit.tx, tender.payment_id)
        if other is not None:
            raise refuse(
                Code.CONFLICT,
                "This payment belongs to another sale: take a new payment for this one.",
                sale_id=other,
            )
        payment = claimed(unit, command, tender)
        if payment is not None:
            found[tender.payment_id] = payment
    tenders = [rules.Tender(TenderKind(one.kind), one.amount_minor) for one in command.tenders]
    return settle(total_minor, tenders, unit.shop.cash_rounding), found


def claimed(unit: Unit, command: CommitSale, tender: Tender) -> PaymentRow | None:
    """The payment of a tender, if the hub began it.

    Errors: ``outcome-unknown`` (repeat it later) while nobody knows how it ends; ``conflict`` when
    it is another sale's, of another amount, or not to be had.
    """
    assert tender.payment_id is not None
    row = paymentrows.get(unit.tx, tender.payment_id)
    of_issuer = tender.kind in _OF_ISSUERS
    if row is None and not of_issuer:
        return None
    if row is None:
        raise refuse(
            Code.NOT_FOUND,
            "The hub knows no such payment: begin it with payment/start and its value.",
            payment_id=tender.payment_id,
        )
    if (of_issuer or row.is_value) and tender.kind != row.kind:
        raise _not_this(row, "This payment is of another kind", kind=row.kind)
    if row.device_id != unit.caller.id and not unit.caller.is_admin:
        permits.need(unit, Permission.HUB_MANAGE)  # another till's customer has paid it
    if row.sale_id != command.sale_id:
        raise _not_this(row, "This payment was begun for another sale", sale_id=row.sale_id)
    if row.basket_id and row.basket_id != (command.basket_id or ""):
        raise _not_this(row, "This payment was begun for another basket", basket_id=row.basket_id)
    if row.sale_minor != tender.amount_minor:
        raise _not_this(row, "This payment is of another amount", amount_minor=row.sale_minor)
    if row.void_asked:
        raise _not_this(row, "This payment was given up")
    if row.state in FENCING:
        raise _later(
            row,
            "How this card payment ends isn't known yet: wait for its outcome and repeat this"
            " with the same key, or give it up and take another tender.",
        )
    if row.state not in TENDERABLE:
        raise _not_this(row, f"This payment is {row.state}")
    if row.state == S.STORED and not row.mirrored:
        raise _later(
            row,
            "This card payment isn't kept twice yet: the device that keeps the copies"
            " has to be switched on. Repeat this with the same key.",
        )
    return row


def _later(row: PaymentRow, detail: str) -> Refusal:
    return Refusal(
        problem(
            Code.OUTCOME_UNKNOWN,
            detail,
            retry_after_ms=ASK_AGAIN_MS,
            context={"payment_id": row.payment_id, "state": row.state},
        )
    )


def _not_this(row: PaymentRow, what: str, **facts: str | int) -> Refusal:
    return refuse(
        Code.CONFLICT,
        f"{what}: take a new payment or another tender.",
        payment_id=row.payment_id,
        state=row.state,
        **facts,
    )


def filled(tenders: tuple[Tender, ...], found: Claimed) -> tuple[Tender, ...]:
    """The tenders with what is known of their cards."""
    if not found:
        return tenders
    return tuple(
        _filled(one, found.get(one.payment_id)) if one.payment_id else one for one in tenders
    )


def _filled(tender: Tender, row: PaymentRow | None) -> Tender:
    if row is None:
        return tender
    return tender.model_copy(
        update={
            "last4": tender.last4 or row.last4 or None,
            "approval_code": tender.approval_code or row.approval_code or None,
        }
    )


def check_others(unit: Unit, command: CommitSale, found: Claimed) -> list[PaymentRow]:
    """Payments of the sale that it isn't paid with, to be let go when it is written.

    A sale of the till's own lines without a payment of the hub's isn't looked at: what was begun
    for it all the same goes back at its deadline.  Errors: ``conflict`` while one is under way.
    """
    if command.basket_id is None and not found:
        return []
    others: list[PaymentRow] = []
    if found:
        others += paymentrows.of_sale(unit.tx, command.sale_id)
    if command.basket_id is not None:
        others += paymentrows.of_basket(unit.tx, command.basket_id)
    left = {one.id: one for one in others if one.payment_id not in found and not one.void_asked}
    for row in left.values():
        if row.state in FENCING:
            raise under_way(row)
    return [row for row in left.values() if row.state in TENDERABLE]


def pay(unit: Unit, found: Claimed, others: Iterable[PaymentRow]) -> None:
    """The sale is written: its payments are the shop's to take, the others go back."""
    for row in found.values():
        book.changed(
            unit,
            paymentrows.change(unit.tx, row, in_sale=1, due_budget_ms=unit.tx.budget_ms),
        )
    for row in others:
        book.withdraw(unit, row, unit.caller.key, PAID_OTHERWISE)


# The way back ------------------------------------------------------------------------------------


def gives_back(unit: Unit, row: PaymentRow | None) -> Giver:
    """Who gives a payment's money back.  What only the till's own terminal can undo the till does,
    and what was paid otherwise in the end; where no money has come yet nobody but the hub may do
    anything."""
    if row is None or row.state == S.RECOVERED:
        return "till"
    kept_there = row.custody == "terminal" and row.state in (S.STORED, S.VOID_PENDING)
    if row.state in _WITH_MONEY or kept_there:
        hand = refunds.hand_of(unit, row)
        if hand is None or (kept_there and row.driven_by != "hub"):
            return "till"
    return "hub"


def who_gives_back(unit: Unit, payment_id: str | None) -> Giver:
    """The same of a tender's payment."""
    return gives_back(unit, paymentrows.get(unit.tx, payment_id) if payment_id else None)


def tip_with(
    unit: Unit, payment_id: str | None, amount_minor: int, before_minor: int = 0
) -> int | None:
    """The tip that goes back with so much of a payment: with all of it, or with the last of its
    parts, when ``before_minor`` of it has gone back to the card."""
    row = paymentrows.get(unit.tx, payment_id) if payment_id else None
    if row is None or amount_minor <= 0 or before_minor + amount_minor != row.sale_minor:
        return None
    return row.tip_minor or None


def undo(unit: Unit, payment_id: str | None, reason: str) -> None:
    """Its sale is voided: the whole payment goes back."""
    row = paymentrows.get(unit.tx, payment_id) if payment_id else None
    if row is not None:
        book.withdraw(unit, row, unit.caller.key, reason)


def refund(
    unit: Unit,
    payment_id: str | None,
    amount_minor: int,
    subject: str,
    *,
    tip_minor: int = 0,
    surcharge_minor: int = 0,
    told: Giver | None = None,
) -> Giver:
    """A part of a payment goes back; who does it.  ``subject``: the return that it belongs to; a
    repeat changes nothing.  ``tip_minor``, ``surcharge_minor``: what of those goes back with it.
    ``told``: who was to do it when another hub wanted it, and may have done it.

    Errors: ``conflict`` when less than that is left.
    """
    row = paymentrows.get(unit.tx, payment_id) if payment_id else None
    giver = told or gives_back(unit, row)
    if row is None or row.state == S.RECOVERED:  # out of the drawer
        return giver
    left_minor = refunds.left_minor(unit, row)
    back_minor = amount_minor + tip_minor + surcharge_minor
    if back_minor <= 0 or row.void_asked:
        return giver
    whole = amount_minor == row.sale_minor and left_minor == row.amount_minor
    if whole and giver == "hub":
        book.withdraw(unit, row, unit.caller.key, book.ALL_BACK)
        return giver
    back_minor = row.amount_minor if whole else back_minor  # with tip and surcharge
    refund_id = tillrefunds.id_of(unit, row, subject)
    if told is None:
        refunds.want(unit, row, refund_id, back_minor, subject, giver)
    else:
        refunds.tell_again(unit, row, refund_id, back_minor, subject, giver, tip_minor=tip_minor)
    owing.lower(unit, row)
    book.forgive(unit, row, unit.caller.key)
    return giver


def as_it_is(unit: Unit, view: RefundView, return_id: str) -> RefundView:
    """What a return gives back, as it stands by now: what the hub couldn't is a person's."""
    row = paymentrows.get(unit.tx, view.payment_id) if view.payment_id else None
    if row is None or view.by != "hub":
        return view
    if not tillrefunds.is_persons(unit, row, tillrefunds.by_hub(unit, row, view, return_id)):
        return view
    return view.model_copy(update={"by_person": True})


def joined(unit: Unit, sale_id: str, payment_ids: Iterable[str | None]) -> None:
    """A sale came back to a restored hub: these are its payments, as far as they are known."""
    for payment_id in payment_ids:
        row = paymentrows.get(unit.tx, payment_id) if payment_id else None
        if row is not None and not row.in_sale and row.sale_id == sale_id:
            due_ms = unit.tx.budget_ms
            book.changed(unit, paymentrows.change(unit.tx, row, in_sale=1, due_budget_ms=due_ms))


def retake(unit: Unit, fact: PaymentMoved) -> None:
    """See :func:`book.retake`.  The cloud may tell a void or returns before the payment: what goes
    back of it is known from now on."""
    is_new = paymentrows.get(unit.tx, fact.payment_id) is None
    book.retake(unit, fact)
    if is_new:
        _overtaken(unit, fact.payment_id)
    row = paymentrows.get(unit.tx, fact.payment_id)
    if row is not None and refunds.is_short(row):
        short_minor = row.amount_minor - row.refunded_minor
        added.want_more(unit, row, short_minor, told_again=True)


def _overtaken(unit: Unit, payment_id: str) -> None:
    row = paymentrows.get(unit.tx, payment_id)
    sale_id = salerows.sale_of_payment(unit.tx, payment_id)
    sale = salerows.get(unit.tx, sale_id) if sale_id is not None else None
    if row is None or sale is None or row.sale_id != sale.sale_id:
        return
    if sale.state == "voided":
        undo(unit, payment_id, sale.void_reason or "its sale was voided")
    for return_id, refunds_json in salerows.refunds_of(unit.tx, sale.id):
        for one in json.loads(refunds_json):
            view = RefundView.model_validate(one)
            if view.payment_id == payment_id and view.amount_minor:
                refund(
                    unit,
                    payment_id,
                    view.amount_minor,
                    return_id,
                    tip_minor=view.tip_minor or 0,
                    surcharge_minor=view.surcharge_minor or 0,
                    told=view.by,
                )
