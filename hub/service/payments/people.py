"""What people say of payments whose outcome nobody can look up, and how receivables end.

Money is believed or written off on the word of two: each a member of staff with the permission
``refund`` for as much (their own or lent), each with the evidence they saw.  Words that differ wait
until two agree; whoever says something else takes the former word back.
"""

from __future__ import annotations

from typing import Final

from hub.contract.payments import CloseReceivable, DecidePayment
from hub.contract.problems import Code, refuse
from hub.contract.staff import ApprovalSubject
from hub.domain.payments.states import PaymentEvent, PaymentState
from hub.domain.staff import Asked, Permission
from hub.service import permits
from hub.service.payments import book, outcomes
from hub.service.payments.commands import ProcessorSaid
from hub.service.unit import Unit
from hub.storage import paymentrows, wordrows
from hub.storage.paymentrows import PaymentRow

S, E = PaymentState, PaymentEvent

BY: Final = "two people"
NEEDED: Final = 2
_DECIDABLE: Final = frozenset({S.MANUAL, S.LOST, S.FORWARDED})


def decide(unit: Unit, command: DecidePayment) -> PaymentRow:
    """See :class:`DecidePayment`.  What is decided already so isn't decided again.

    Errors: ``conflict`` when it can be looked up, or is known; those of :func:`person`.
    """
    row = payment(unit, command.payment_id)
    if row.state not in _DECIDABLE:
        raise _not_so(row, "manual, lost or forwarded")
    who = person(unit, row, command.approval_id)
    if not _agreed(unit, row, who, command.outcome, command.evidence):
        return row
    said = ProcessorSaid("unknown", f"said by {BY}: {command.outcome}")
    match command.outcome:
        case "approved":
            said = ProcessorSaid("approved", said.reason)
            return outcomes.approved(unit, row, said, BY)
        case "declined":
            return _declined(unit, row, said.reason)
        case "never-done":
            return _never_done(unit, row, said.reason)


def close(unit: Unit, command: CloseReceivable) -> PaymentRow:
    """See :class:`CloseReceivable`: paid otherwise one can say, to write off takes two.

    Errors: ``conflict`` when it isn't a receivable; those of :func:`person`.
    """
    row = payment(unit, command.payment_id)
    if row.state != S.RECOVERY:
        raise _not_so(row, "a receivable (recovery)")
    who = person(unit, row, command.approval_id)
    reason = command.reason
    if command.how == "paid":
        about = {"amount_minor": row.amount_minor, "reason": reason, "by": who}
        unit.note("payment.paid_otherwise", row.payment_id, about)
        return book.move(unit, row, E.PAID_OTHERWISE, who, reason, reason=_cut(reason))
    if not _agreed(unit, row, who, command.how, reason):
        return row
    return book.move(unit, row, E.WRITE_OFF, BY, reason, reason=_cut(reason))


def payment(unit: Unit, payment_id: str) -> PaymentRow:
    """A payment that people speak of.  Errors: ``not-found``."""
    row = paymentrows.get(unit.tx, payment_id)
    if row is None:
        raise refuse(Code.NOT_FOUND, "The hub knows no such payment.")
    return row


def _not_so(row: PaymentRow, wanted: str) -> Exception:
    return refuse(
        Code.CONFLICT,
        f"This payment is {row.state}, not {wanted}: read it again.",
        payment_id=row.payment_id,
        state=row.state,
    )


def person(unit: Unit, row: PaymentRow, approval_id: str | None) -> str:
    """Who says it.  Errors: ``forbidden`` for a door without a name; those of ``permits.need``."""
    if unit.caller.is_admin:  # the page lets managers pass only
        if unit.caller.staff_id is None:
            raise refuse(
                Code.FORBIDDEN,
                "A member of staff has to say this under their own name: sign in at a till, or on"
                " the page with staff id and PIN.",
            )
        return unit.caller.staff_id
    approver = permits.need(
        unit,
        Permission.REFUND,
        Asked(row.amount_minor),
        approval_id=approval_id,
        subject=ApprovalSubject(sale_id=row.sale_id),
    )
    if unit.staff_id is None:
        raise refuse(Code.UNAUTHENTICATED, "Nobody is signed in on this device: sign in first.")
    if approver is not None:
        unit.note("payment.word_approved", row.payment_id, {"approver": approver})
    return unit.staff_id


def _agreed(unit: Unit, row: PaymentRow, person: str, outcome: str, evidence: str) -> bool:
    """Write a word down; whether enough have said the same since the payment came to be so."""
    step = paymentrows.last_step(unit.tx, row.id)
    wordrows.say(unit.tx, row.id, person, outcome, evidence, step)
    alike = [
        one.staff_id
        for one in wordrows.of_payment(unit.tx, row.id)
        if one.outcome == outcome and one.step == step
    ]
    about = {"outcome": outcome, "evidence": evidence, "by": person, "amount": row.amount_minor}
    unit.note("payment.word", row.payment_id, about | {"agree": len(alike)})
    if len(alike) < NEEDED:
        book.changed(unit, row)
        return False
    decided = {"outcome": outcome, "by": alike, "was": row.state, "amount_minor": row.amount_minor}
    unit.note("payment.decided", row.payment_id, decided)
    return True


def _declined(unit: Unit, row: PaymentRow, why: str) -> PaymentRow:
    """Nobody presents it again on the word of people."""
    if row.state == S.MANUAL and not row.in_sale and not row.forwards:
        return book.move(unit, row, E.REFUSED, BY, why, reason=why, **outcomes.done(unit, row))
    row = book.move(unit, row, E.DECLINED, BY, why, reason=why, **outcomes.done(unit, row))
    return _owed_or_not(unit, row, why)


def _never_done(unit: Unit, row: PaymentRow, why: str) -> PaymentRow:
    """What was sold for it is owed all the same."""
    if row.state == S.FORWARDED:
        return _declined(unit, row, why)
    facts = outcomes.done(unit, row)
    if row.in_sale and not row.void_asked:
        return book.move(unit, row, E.GIVE_UP, BY, why, reason=why, **facts)
    return book.move(unit, row, E.NEVER_DONE, BY, why, reason=why, **facts)


def _owed_or_not(unit: Unit, row: PaymentRow, why: str) -> PaymentRow:
    owed = row.in_sale and not row.void_asked
    return book.move(unit, row, E.GIVE_UP if owed else E.VOID_ASKED, BY, why)


def _cut(text: str) -> str:
    return text[: book.DETAIL_MAX]
