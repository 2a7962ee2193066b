"""Money that a till gives back at its own terminal after a return.

The return wants it, in the same transaction; the till tells by the return's id that it has been
given (``refunded``), that the terminal has let the payment go (``reversed``: it was never taken),
or that the terminal refused it.  Until then it counts as going back: no other
refund may take it, and what is declined meanwhile is owed without it.
"""

from __future__ import annotations

import json
from typing import Final

from hub.contract.payments import ReportPayment
from hub.contract.problems import Code, Refusal, refuse
from hub.contract.receivables import SettleRefund
from hub.contract.sale import RefundView
from hub.domain.payments.states import TENDERABLE, PaymentEvent, PaymentState, can
from hub.service.payments import book, people, refunds
from hub.service.payments.answers import LATE
from hub.service.unit import Unit, derived_id
from hub.storage import paymentrows, refundrows, salerows
from hub.storage.paymentrows import PaymentRow
from hub.storage.refundrows import RefundRow
from hub.storage.salerows import ReturnRow

S, E = PaymentState, PaymentEvent

_WITH_MONEY: Final = frozenset({S.AUTHORISED, S.CAPTURED, S.SETTLED})
GIVEN_OTHERWISE: Final = _WITH_MONEY | {S.STORED, S.RECOVERED}
"""What of these was to go back somebody may have given in another way."""
_IN_DOUBT: Final = frozenset({S.LOST, S.MANUAL})


def id_of(unit: Unit, row: PaymentRow, return_id: str) -> str:
    """The name of what a return gives back of a payment, whoever does it."""
    return derived_id(unit.shop.store, "refund", return_id, row.payment_id)


def by_hub(unit: Unit, row: PaymentRow, view: RefundView, return_id: str) -> RefundRow | None:
    """What the hub gives back for a return, as far as it has begun to: of all at once it is what a
    void gives back."""
    refund = refundrows.get(unit.tx, id_of(unit, row, return_id))
    if refund is None and view.amount_minor == row.sale_minor:
        refund = refundrows.get(unit.tx, refunds.rest_id(row))
    return refund


def is_persons(unit: Unit, row: PaymentRow, refund: RefundRow | None) -> bool:
    """Whether the hub was to give this back and can't, so that a person sees to it, or has.  What
    goes back whole has no refund where nobody but its terminal could do one."""
    if refund is not None:
        return refund.state == "refused"
    money = bool(row.void_asked) and row.state in _WITH_MONEY
    return money and refunds.hand_of(unit, row) is None


def told(unit: Unit, row: PaymentRow, return_id: str, said: ReportPayment) -> PaymentRow:
    """The till says what came of a refund; the payment then.  A repeat changes nothing, and what
    was given is never denied.  That a terminal refuses to give back what it was never paid means
    nothing.

    Errors: ``not-found`` for a return that gives nothing of this payment back; ``conflict`` when
    the hub does it; ``forbidden`` for a till that neither took the payment nor the goods.
    """
    known = salerows.get_return(unit.tx, return_id)
    if known is not None:
        _check_teller(unit, row, known)
    refund = refundrows.get(unit.tx, id_of(unit, row, return_id))
    out_of_drawer = refund is None and row.state == S.RECOVERED  # it was paid otherwise
    if row.state in (S.REVERSED, S.REFUNDED) or out_of_drawer:
        return row
    if refund is None:
        refund = _of_return(unit, row, return_id, known)
    if refund.giver != "till":
        raise _not_the_tills(unit, row, refund)
    by = unit.caller.key
    if refund.state == "done" or (row.state == S.VOIDED and said.outcome != "refunded"):
        return row
    if said.outcome == "refused":
        if refund.state != "refused" and row.state in TENDERABLE:  # else there is nothing to give
            refunds.refused(unit, row, refund, said.reason or "the till's terminal refused it")
        return row
    let_go = said.outcome == "reversed" and refund.amount_minor == row.amount_minor
    reason = said.reason or book.ALL_BACK
    never_taken = _never_taken(row) if let_go else None
    if never_taken is not None:
        _end(unit, refund, "refused", "the terminal has let the payment go")
        return book.move(unit, row, never_taken, by, reason, void_asked=1, reason=reason)
    if refundrows.is_otherwise(refund):
        about = {"refund_id": refund.refund_id, "amount_minor": refund.amount_minor, "by": by}
        unit.note("payment.refund_given_twice", row.payment_id, about)
    _end(unit, refund, "done", said.reason, said.card.psp_ref)
    if let_go and row.state == S.AUTHORISED:
        return book.move(unit, row, E.REVERSED, by, reason)
    was_ended = can(PaymentState(row.state), E.LATE_APPROVAL)
    there = not _is_to_be_captured(unit, row)
    row = taken(unit, row, by)
    row = refunds.given(unit, row, by, said.reason, refund.refund_id, there=there)
    return book.withdraw(unit, row, by, LATE) if was_ended else row


def _not_the_tills(unit: Unit, row: PaymentRow, refund: RefundRow | None) -> Refusal:
    """The till wasn't to give this back: who does, or did.  None: the hub hasn't begun to."""
    who, then = "The hub gives this money back itself", "tell a manager."
    about = {} if refund is None else {"refund_id": refund.refund_id}
    if refund is not None and refundrows.is_otherwise(refund):
        who = "Somebody has given this money back in another way"
    elif is_persons(unit, row, refund):
        who = "The hub can't give this money back: a person sees to it"
        then = then if refund is None else "have a manager say so (payment/settle-refund)."
    elif refund is not None and refund.state == "done":
        who = "This money has gone back already"
    return refuse(
        Code.CONFLICT,
        f"{who}. If the till's terminal has done so, too, {then}",
        payment_id=row.payment_id,
        **about,
    )


def _never_taken(row: PaymentRow) -> PaymentEvent | None:
    """What it means that a terminal has let a payment go whose money it hadn't taken; None: it had,
    for all that is known."""
    if row.custody == "terminal" and row.state in (S.STORED, S.VOID_PENDING):
        return E.VOID_ASKED
    return E.NEVER_DONE if row.state in _IN_DOUBT else None


def settle(unit: Unit, command: SettleRefund) -> PaymentRow:
    """See :class:`SettleRefund`.  Errors: ``conflict`` when there is nothing to settle."""
    row = people.payment(unit, command.payment_id)
    who = people.person(unit, row, command.approval_id)
    states = _WITH_MONEY if command.how == "given-back" else GIVEN_OTHERWISE
    there = row.state in states or refunds.is_short(row)
    found = refundrows.unsettled(unit.tx, row.id) if there else []
    if command.refund_id is not None:
        if _is_said(unit, row, command.refund_id, command.how):
            return row
        found = [one for one in found if one.refund_id == command.refund_id]
    if not found:
        raise refuse(
            Code.CONFLICT,
            "No money of this payment waits for somebody's word that it went back so: read it"
            " again.",
            state=row.state,
        )
    refund = found[0]
    about = {"by": who, "how": command.how, "reason": command.reason}
    unit.note("payment.refund_settled", row.payment_id, about | {"refund_id": refund.refund_id})
    if command.how == "given-back":
        _end(unit, refund, "done", command.reason)
        there = not _is_to_be_captured(unit, row)
        return refunds.given(unit, row, who, command.reason, refund.refund_id, there=there)
    _end(unit, refund, "refused", f"{refundrows.OTHERWISE} {command.reason}")
    book.changed(unit, row)
    return row


def _is_to_be_captured(unit: Unit, row: PaymentRow) -> bool:
    """Whether the hub is about to have the processor capture it: also what of it stays."""
    return row.state == S.AUTHORISED and not row.void_asked and refunds.has_processor(unit)


def _is_said(unit: Unit, row: PaymentRow, refund_id: str, how: str) -> bool:
    refund = refundrows.get(unit.tx, refund_id)
    if refund is None or refund.payment != row.id:
        return False
    return refundrows.is_settled(refund, how)


def close_handless(unit: Unit) -> int:
    """What the hub was to give back, and what only a till's own terminal reaches: the money came
    after the return, or the processor is set up no more.  A person's matter; how many (≤ 200)."""
    if refunds.has_processor(unit):
        return 0
    found = refundrows.handless(unit.tx)
    for one in found:
        row = paymentrows.numbered(unit.tx, one.payment)
        assert row is not None
        refunds.refused(unit, row, one, "the hub reaches neither its terminal nor its processor")
    return len(found)


def taken(unit: Unit, row: PaymentRow, by: str) -> PaymentRow:
    """What a terminal gives back by a refund it had taken, whatever the till hasn't told yet."""
    for event in (E.APPROVED, E.LATE_APPROVAL):
        if can(PaymentState(row.state), event):
            return book.move(unit, row, event, by, "given back by a refund")
    return row


def _end(unit: Unit, refund: RefundRow, state: str, reason: str, psp_ref: str = "") -> None:
    reason = reason[: book.DETAIL_MAX]
    facts = {"state": state, "reason": reason, "psp_ref": psp_ref, "fence": refund.fence + 1}
    refundrows.change(unit.tx, refund, **facts)


def _check_teller(unit: Unit, row: PaymentRow, known: ReturnRow) -> None:
    if not known.hash:  # told by the cloud, which doesn't say where the goods came back
        return
    took_back, _, _ = salerows.return_head(unit.tx, known.id)
    if unit.caller.id not in (row.device_id, took_back):
        raise refuse(
            Code.FORBIDDEN,
            f"The goods came back at {took_back}, the payment was made at {row.device_id}: one of"
            " them tells what was given back.",
        )


def _of_return(unit: Unit, row: PaymentRow, return_id: str, known: ReturnRow | None) -> RefundRow:
    """What a return gave back of a payment that was in no book then."""
    for one in json.loads(known.refund) if known is not None else ():
        view = RefundView.model_validate(one)
        if view.payment_id != row.payment_id:
            continue
        if view.by == "hub" and view.amount_minor == row.sale_minor:
            raise _not_the_tills(unit, row, by_hub(unit, row, view, return_id))
        if view.by == "hub":
            continue
        refund_id = id_of(unit, row, return_id)
        on_top_minor = (view.tip_minor or 0) + (view.surcharge_minor or 0)
        amount_minor = view.amount_minor + on_top_minor
        found = refunds.tell_again(unit, row, refund_id, amount_minor, return_id, "till")
        if found is not None:
            return found
    if known is None:
        book.check_recovered(unit, return_id)
    raise refuse(
        Code.NOT_FOUND,
        "The hub knows no return of this id that this till gives money of this payment back for:"
        " send return/commit first, and tell what its refund says.",
        payment_id=row.payment_id,
    )
