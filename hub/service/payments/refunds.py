"""Giving money of card payments back: whole or in parts, each part once.

A refund has a name of its own, which is its idempotency key, and states of its own: ``wanted``,
``sending``, ``unknown``, ``done``, ``refused``.  One in doubt is looked up before it is sent again,
always: who has forgotten the key may not have forgotten the refund.  (At a terminal its driver does
that: a status query asks after payments only.)  What is given back and what is going to be never
add up to more than the payment.
"""

from __future__ import annotations

from typing import Any, Final

from hub.contract.payments import ReportPayment
from hub.contract.problems import Code, refuse
from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.states import PaymentEvent, PaymentState, can
from hub.domain.payments.work import Hand, WorkKind
from hub.service.payments import book, owing, retold
from hub.service.payments.commands import Leased, ProcessorSaid, TerminalSaid
from hub.service.unit import Unit, derived_id
from hub.storage import hubrow, linkrows, paymentrows, refundrows
from hub.storage.paymentrows import PaymentRow
from hub.storage.refundrows import RefundRow

S, E = PaymentState, PaymentEvent

TRIES_MAX: Final = 10
"""So often a refund is sent that is refused for now; then it is refused for good."""
WAIT_MS: Final = 10_000
WAIT_MAX_MS: Final = 15 * 60_000
TAKEN_OFF: Final = "taken off what was asked for by the link"
_SOON: Final = frozenset({DeclineCode.ISSUER_UNAVAILABLE, DeclineCode.TRY_AGAIN})
_THERE: Final = (S.CAPTURED, S.SETTLED)


def has_processor(unit: Unit) -> bool:
    """Whether the hub has a connection to a processor; a training hub never has."""
    return unit.shop.payments.processor and not unit.shop.training


def has_issuer(unit: Unit) -> bool:
    """Whether there is a cloud that keeps the value of gift cards."""
    return unit.shop.payments.issuer and not unit.shop.training


def hand_of(unit: Unit, row: PaymentRow) -> Hand | None:
    """Who can give this payment's money back; None: only the till at its own terminal."""
    if row.is_value:
        return Hand.ISSUER if has_issuer(unit) else None
    if has_processor(unit):
        return Hand.PROCESSOR
    return Hand.TERMINAL if row.driven_by == "hub" else None


def rest_id(row: PaymentRow) -> str:
    """The name of what is given back when all of a payment goes back at once."""
    return derived_id("payment-void", row.payment_id)


def left_minor(unit: Unit, row: PaymentRow) -> int:
    """What of a payment isn't given back, nor going to be."""
    return row.amount_minor - max(row.refunded_minor, refundrows.taken_minor(unit.tx, row.id))


def want(
    unit: Unit,
    row: PaymentRow,
    refund_id: str,
    amount_minor: int,
    subject: str,
    giver: str = "hub",
) -> RefundRow:
    """Have a part of a payment (or all of it) given back as soon as the money is there; a repeat
    finds the refund that was wanted.  ``subject``: the return or void that it belongs to.
    ``giver``: ``hub``, or the ``till`` at its own terminal.

    Errors: ``conflict`` when less than that is left.
    """
    known = refundrows.get(unit.tx, refund_id)
    if known is not None:
        return known
    left = left_minor(unit, row)
    if not 0 < amount_minor <= left:
        raise refuse(
            Code.CONFLICT,
            f"Of this card payment {left} can still be given back: use another way for the rest.",
            payment_id=row.payment_id,
            left_minor=left,
        )
    refund = refundrows.add(unit.tx, refund_id, row.id, subject, amount_minor, giver)
    book.changed(unit, row)
    return refund


def tell_again(
    unit: Unit,
    row: PaymentRow,
    refund_id: str,
    amount_minor: int,
    subject: str,
    giver: str = "hub",
    *,
    tip_minor: int = 0,
) -> RefundRow | None:
    """A refund that a hub which is lost had wanted.  It may be among what the cloud says was given
    back, so it is in doubt; a terminal can't be asked, so there it is taken to be; a till tells of
    its own.  No more than the refunds known here leave, and of the tip no more than ``tip_minor``;
    None: they leave nothing, or all has gone back.
    """
    known = refundrows.get(unit.tx, refund_id)
    left = row.amount_minor - refundrows.taken_minor(unit.tx, row.id)
    amount_minor = min(amount_minor, left if giver == "till" else left - row.tip_minor + tip_minor)
    if known is not None or amount_minor <= 0 or row.refunded_minor == row.amount_minor:
        return known
    if giver == "till":
        refund = refundrows.add(unit.tx, refund_id, row.id, subject, amount_minor, giver)
        return retold.ended(unit, row, refund)
    refund = refundrows.add(unit.tx, refund_id, row.id, subject, amount_minor)
    refund = refundrows.change(unit.tx, refund, state="unknown")
    book.changed(unit, row)
    return refund


def want_rest(unit: Unit, row: PaymentRow) -> None:
    """Have all that is left given back.  Once: what was refused stays a person's matter."""
    refund_id = rest_id(row)
    left = left_minor(unit, row)
    if left > 0 and refundrows.get(unit.tx, refund_id) is None:
        want(unit, row, refund_id, left, row.sale_id)


def is_short(row: PaymentRow) -> bool:
    """Whether it was given back whole, and turned out to be more since."""
    return row.state == S.REFUNDED and row.refunded_minor < row.amount_minor


# Leases -------------------------------------------------------------------------------------------


def lease(
    unit: Unit, hand: Hand, limit: int, lease_ms: int, terminals: tuple[str, ...] = ()
) -> list[Leased]:
    """Take refunds that are due for this hand, oldest first."""
    if hand is not Hand.ISSUER and (hand is Hand.PROCESSOR) is not has_processor(unit):
        return []
    of_terminals = terminals if hand is Hand.TERMINAL else None
    states = (S.AUTHORISED, *_THERE) if hand is Hand.TERMINAL else _THERE
    taken: list[Leased] = []
    of_issuers = hand is Hand.ISSUER
    for refund in refundrows.due(
        unit.tx, unit.tx.budget_ms, tuple(map(str, states)), of_terminals, of_issuers=of_issuers
    ):
        if len(taken) >= limit:
            break
        row = paymentrows.numbered(unit.tx, refund.payment)
        assert row is not None
        if hand is Hand.TERMINAL and _is_given(unit, row, refund):  # terminals forget what they did
            facts = {"state": "done", "fence": refund.fence + 1, "reason": "it went back"}
            refundrows.change(unit.tx, refund, **facts)
            continue
        if refund.state == "wanted" and _is_too_much(unit, row, refund):
            refused(unit, row, refund, "more than what is left of the payment")
            continue
        taken.append(_lease_one(unit, row, refund, hand, lease_ms))
    return taken


def _is_given(unit: Unit, row: PaymentRow, refund: RefundRow) -> bool:
    """Whether a refund at a terminal is among what is known to have gone back: all has, or it is
    told again, and so much has that no refund of this hub's accounts for."""
    if row.state == S.REFUNDED and not is_short(row):
        return True
    told_again = refund.state == "unknown" and refund.sent_at_ms is None
    given_minor = row.refunded_minor - refundrows.done_minor(unit.tx, row.id)
    return told_again and given_minor >= refund.amount_minor


def _is_too_much(unit: Unit, row: PaymentRow, refund: RefundRow) -> bool:
    """Whoever wanted it: never more goes back than was taken."""
    sent_minor = max(row.refunded_minor, refundrows.sent_minor(unit.tx, row.id))
    return refund.amount_minor > row.amount_minor - sent_minor


def _lease_one(unit: Unit, row: PaymentRow, refund: RefundRow, hand: Hand, lease_ms: int) -> Leased:
    first_sent_at_ms = refund.sent_at_ms
    facts: dict[str, Any] = {
        "fence": refund.fence + 1,
        "lease_budget_ms": unit.tx.budget_ms + lease_ms,
    }
    if refund.state == "unknown" and hand is not Hand.TERMINAL:
        kind = WorkKind.LOOK_UP
    else:
        kind = WorkKind.REFUND
        facts |= {"state": "sending", "tries": refund.tries + 1}
        facts["sent_at_ms"] = unit.now_ms if first_sent_at_ms is None else first_sent_at_ms
    refund = refundrows.change(unit.tx, refund, **facts)
    return Leased(
        kind=kind,
        payment_id=row.payment_id,
        fence=refund.fence,
        key=refund.refund_id,
        amount_minor=refund.amount_minor,
        currency=row.currency,
        terminal_id=row.terminal_id,
        psp_ref=row.psp_ref,
        terminal_ref=row.terminal_ref,
        first_sent_at_ms=first_sent_at_ms,
        refund_id=refund.refund_id,
    )


def end(unit: Unit, work: Leased, said: ProcessorSaid | TerminalSaid) -> bool:
    """Take in what came of a leased refund; False when the fence isn't the current one."""
    refund = refundrows.get(unit.tx, work.refund_id)
    if refund is None or refund.fence != work.fence or refund.state not in ("sending", "unknown"):
        return False
    row = paymentrows.numbered(unit.tx, refund.payment)
    assert row is not None
    sent = work.kind is WorkKind.REFUND
    match _verdict(refund, row, said, sent=sent):
        case "done":
            _done(unit, row, refund, said)
        case "refused":
            refused(unit, row, refund, said.reason)
        case "again":
            _again(unit, refund, said, at_once=not sent)
        case "not-sent" if refund.tries <= 1:
            _again(unit, refund, said, tries=0, sent_at_ms=None)
        case "not-sent":
            _again(unit, refund, said, tries=refund.tries - 1)
        case _:
            _change(unit, refund, said, "unknown", _pause_ms(refund, said))
    return True


def _verdict(
    refund: RefundRow, row: PaymentRow, said: ProcessorSaid | TerminalSaid, *, sent: bool
) -> str:
    """``sent``: it is the answer to the refund itself, not to the question what became of it."""
    match said.outcome:
        case "refunded":
            return "done"
        case "approved" | "approved-offline" if isinstance(said, TerminalSaid):
            return "done"
        case "reversed" if refund.amount_minor == row.amount_minor:
            return "done"
        case "refused":
            return "refused"
        case "declined" if isinstance(said, ProcessorSaid):
            soon = said.code in _SOON and refund.tries < TRIES_MAX
            return "again" if soon else "refused"
        case "not-found" | "not-done":
            return "again"
        case "not-sent":
            return "not-sent" if sent else "unknown"
        case _:
            return "unknown"


def _done(
    unit: Unit, row: PaymentRow, refund: RefundRow, said: ProcessorSaid | TerminalSaid
) -> None:
    _change(unit, refund, said, "done", 0, psp_ref=said.psp_ref or refund.psp_ref)
    by = "processor" if isinstance(said, ProcessorSaid) else "terminal"
    given(unit, row, by, said.reason, refund.refund_id)


def given(
    unit: Unit, row: PaymentRow, by: str, reason: str, refund_id: str, *, there: bool = True
) -> PaymentRow:
    """What is done of a payment's refunds is in its book, too; the payment then.  ``there``: its
    money was; else what stays of it is still to be captured."""
    # A hub that was put back may have been told before what this one came to.
    given_minor = max(row.refunded_minor, refundrows.done_minor(unit.tx, row.id))
    if is_short(row) and (refund := refundrows.get(unit.tx, refund_id)) is not None:
        given_minor = row.refunded_minor + refund.amount_minor
    given_minor = min(given_minor, row.amount_minor)
    if row.state == S.AUTHORISED and (there or given_minor == row.amount_minor):
        row = book.move(unit, row, E.CAPTURED, by)
    if given_minor == row.amount_minor and can(PaymentState(row.state), E.REFUNDED):
        return book.move(unit, row, E.REFUNDED, by, reason, refunded_minor=given_minor)
    if given_minor > row.refunded_minor:
        return book.given_back(unit, row, by, given_minor, refund_id)
    return row


def given_whole(unit: Unit, row: PaymentRow, said: ReportPayment) -> PaymentRow:
    """All of a payment whose money was there went back at the till's terminal; the payment then.
    The refund stands under the name that the hub's own would have, with the processor's for it."""
    by, reason = unit.caller.key, said.reason
    refund_id = rest_id(row)
    left = left_minor(unit, row)
    if left > 0 and refundrows.get(unit.tx, refund_id) is None:
        refund = refundrows.add(unit.tx, refund_id, row.id, row.sale_id, left, "till")
        facts = {"state": "done", "reason": reason, "psp_ref": said.card.psp_ref}
        refundrows.change(unit.tx, refund, **facts)
    if row.state == S.AUTHORISED:
        row = book.move(unit, row, E.CAPTURED, by)
    return book.move(unit, row, E.REFUNDED, by, reason, refunded_minor=row.amount_minor)


def refused(
    unit: Unit,
    row: PaymentRow,
    refund: RefundRow,
    reason: str,
    action: str = "payment.refund_refused",
) -> None:
    """It can't be given back so: a person's matter."""
    if reason.lower().startswith(refundrows.OTHERWISE):  # only people say that
        reason = f"it says: {reason}"
    refundrows.change(
        unit.tx,
        refund,
        state="refused",
        fence=refund.fence + 1,
        lease_budget_ms=0,
        reason=reason[: book.DETAIL_MAX],
    )
    about = {"refund_id": refund.refund_id, "amount_minor": refund.amount_minor, "why": reason}
    unit.note(action, row.payment_id, about)
    book.changed(unit, row)


def _again(
    unit: Unit,
    refund: RefundRow,
    said: ProcessorSaid | TerminalSaid,
    *,
    at_once: bool = False,
    **facts: Any,
) -> None:
    pause_ms = 0 if at_once else _pause_ms(refund, said)
    _change(unit, refund, said, "wanted", pause_ms, **facts)


def _change(
    unit: Unit,
    refund: RefundRow,
    said: ProcessorSaid | TerminalSaid,
    state: str,
    pause_ms: int,
    **facts: Any,
) -> None:
    refundrows.change(
        unit.tx,
        refund,
        state=state,
        fence=refund.fence + 1,
        lease_budget_ms=0,
        due_budget_ms=unit.tx.budget_ms + pause_ms,
        reason=said.reason[: book.DETAIL_MAX],
        **facts,
    )


def _pause_ms(refund: RefundRow, said: ProcessorSaid | TerminalSaid) -> int:
    """Each answer moves the fence on, so that the pauses grow with it."""
    asked = said.not_before_ms if isinstance(said, ProcessorSaid) else 0
    return max(min(WAIT_MS << min(refund.fence, 12), WAIT_MAX_MS), asked)


# Time, and what comes by itself -------------------------------------------------------------------


def look_at_once(unit: Unit, row: PaymentRow) -> bool:
    """Somebody says that money went back: what of it is in doubt is looked up now."""
    doubtful = [one for one in refundrows.of_payment(unit.tx, row.id) if one.state == "unknown"]
    for one in doubtful:
        refundrows.change(unit.tx, one, due_budget_ms=unit.tx.budget_ms)
    if doubtful:
        book.changed(unit, row)
    return bool(doubtful)


def end_leases(unit: Unit, before_budget_ms: int) -> int:
    """Whoever sent these had time enough until then: they are in doubt; how many (≤ 200)."""
    found = refundrows.overdue(unit.tx, before_budget_ms)
    for one in found:
        facts = {"fence": one.fence + 1, "lease_budget_ms": 0, "due_budget_ms": unit.tx.budget_ms}
        refundrows.change(unit.tx, one, state="unknown", **facts)
    return len(found)


def take_off(unit: Unit, row: PaymentRow, refund: RefundRow) -> PaymentRow:
    """A link was paid that asked for what was owed without this: nobody has to give it back."""
    facts = {"state": "done", "fence": refund.fence + 1, "reason": TAKEN_OFF}
    refundrows.change(unit.tx, refund, **facts)
    given_minor = max(row.refunded_minor, refundrows.done_minor(unit.tx, row.id))
    if given_minor == row.refunded_minor:  # told again
        return row
    return book.given_back(unit, row, owing.BY_LINK, given_minor, refund.refund_id)


def close_pointless(unit: Unit) -> int:
    """Nothing is given back of what was never taken; how many (≤ 200).  What somebody has paid in
    another way is a person's matter, who gives it back so; what was paid by a link was less it.  In
    a copy those are in doubt until it has heard what became of their payments."""
    found = refundrows.pointless(unit.tx, copied=hubrow.get(unit.tx).fence != "restored")
    for one in found:
        row = paymentrows.numbered(unit.tx, one.payment)
        assert row is not None
        if row.state == S.RECOVERED and linkrows.has_paid(unit.tx, row.id):
            take_off(unit, row, one)
            continue
        why = f"the payment is {row.state}: there is nothing to give back"
        action = "payment.refund_closed"
        if row.state == S.RECOVERED:
            why, action = "the payment was paid otherwise", "payment.refund_refused"
        refused(unit, row, one, why, action)
    return len(found)
