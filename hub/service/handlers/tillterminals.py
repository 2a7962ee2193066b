"""What a till's own terminal said: how a payment ended there, and what was given back."""

from __future__ import annotations

from hub.contract.base import Command
from hub.contract.payments import PaymentView, ReportPayment
from hub.contract.problems import Code, refuse
from hub.domain.payments.states import PaymentEvent, PaymentState
from hub.domain.payments.tokens import SealedToken
from hub.service.gate import Handler
from hub.service.payments import answers, book, outcomes, refunds, tillrefunds, views
from hub.service.payments.commands import ProcessorSaid, TerminalSaid
from hub.service.unit import Unit
from hub.storage import settlementrows
from hub.storage.paymentrows import PaymentRow


def report(unit: Unit, command: ReportPayment) -> PaymentView:
    """See :class:`ReportPayment`.  Nobody has to be signed in: it has happened."""
    row = book.known(unit, command.payment_id)
    if command.return_id is not None:
        row = tillrefunds.told(unit, row, command.return_id, command)
        unit.cover_all()
        return views.now(unit, row)
    if row.driven_by != "till" or row.device_id != unit.caller.id:
        whose = f"the till {row.device_id}" if row.driven_by == "till" else "the hub"
        raise refuse(
            Code.FORBIDDEN, f"This payment's terminal is asked by {whose}, which tells of it."
        )
    if command.outcome in ("reversed", "refunded"):
        row = _given_back(unit, row, command)
    elif _is_declined_there(row, command):
        no = ProcessorSaid("declined", command.reason)
        row = outcomes.declined(unit, row, no, unit.caller.key)
    else:
        row = answers.take(unit, row, _said(unit, row, command), unit.caller.key)
    unit.cover_all()
    return views.now(unit, row)


def _is_declined_there(row: PaymentRow, command: ReportPayment) -> bool:
    """The terminal that kept it has presented it, in vain."""
    kept = row.state in (PaymentState.STORED, PaymentState.VOID_PENDING)
    kept_there = kept and row.custody == "terminal"
    return kept_there and command.outcome == "refused"


def _given_back(unit: Unit, row: PaymentRow, command: ReportPayment) -> PaymentRow:
    """The till has given the money back by its terminal."""
    if not row.void_asked:
        raise refuse(
            Code.CONFLICT,
            "Nobody asked for this payment to go back: give it up or void its sale first.",
            state=row.state,
        )
    by, reason = unit.caller.key, command.reason
    if command.outcome == "refunded":
        row = tillrefunds.taken(unit, row, by)
    match PaymentState(row.state):
        case PaymentState.AUTHORISED if command.outcome == "refunded":
            return refunds.given_whole(unit, row, command)
        case PaymentState.AUTHORISED:
            return book.move(unit, row, PaymentEvent.REVERSED, by, reason)
        case PaymentState.CAPTURED | PaymentState.SETTLED:
            return refunds.given_whole(unit, row, command)
        case PaymentState.VOID_PENDING:
            return book.move(unit, row, PaymentEvent.VOID_ASKED, by, reason)
        case PaymentState.UNKNOWN | PaymentState.MANUAL | PaymentState.LOST:
            return book.move(unit, row, PaymentEvent.NEVER_DONE, by, reason)
        case _:
            return row


def _said(unit: Unit, row: PaymentRow, command: ReportPayment) -> TerminalSaid:
    assert command.outcome != "reversed"
    assert command.outcome != "refunded"
    card = command.card
    return TerminalSaid(
        outcome=command.outcome,
        reason=command.reason,
        last4=card.last4,
        scheme=card.scheme,
        approval_code=card.approval_code,
        psp_ref=_own_ref(unit, row, card.psp_ref),
        terminal_ref=card.terminal_ref,
        card_ref=_card_ref(unit, command),
        captured=command.captured,
        tip_minor=card.tip_minor,
        surcharge_minor=card.surcharge_minor,
        token=_sealed(unit, row, command),
    )


def _own_ref(unit: Unit, row: PaymentRow, psp_ref: str) -> str:
    """The processor's name for it; not one that another payment has: by that the hub would take or
    give back the other one's money."""
    known = settlementrows.payment_named(unit.tx, psp_ref) if psp_ref else None
    if known is None or known == row.payment_id:
        return psp_ref
    about = {"psp_ref": psp_ref, "of": known, "by": unit.caller.key}
    unit.note("payment.foreign_ref", row.payment_id, about)
    return ""


def _sealed(unit: Unit, row: PaymentRow, command: ReportPayment) -> SealedToken | None:
    """The token as it is kept.  Errors: ``conflict`` where the hub keeps none."""
    if command.token is None or command.outcome != "approved-offline":
        return None
    vault = unit.shop.payments.vault
    if vault is None:
        raise refuse(
            Code.CONFLICT,
            "This hub keeps no tokens of cards: have the terminal keep the payment and report it"
            " without one.",
        )
    return vault.seal(row.payment_id, command.token.encode())


def _card_ref(unit: Unit, command: ReportPayment) -> str:
    vault = unit.shop.payments.vault
    return vault.card_ref(command.token) if vault is not None and command.token else ""


WRITES: dict[type[Command], Handler] = {ReportPayment: report}
