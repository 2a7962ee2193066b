"""Taking in what a terminal says: whoever asked it, whenever it comes, however often."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from hub.domain.payments.exposure import DAY_MS
from hub.domain.payments.states import PaymentEvent, PaymentState, can
from hub.service.payments import added, book
from hub.service.payments.commands import TerminalSaid
from hub.service.unit import Unit
from hub.storage import paymentrows, refundrows, salerows
from hub.storage.paymentrows import PaymentRow

S, E = PaymentState, PaymentEvent

CARD_CAP: Final = "this card was accepted offline too often today"
NOT_ALLOWED: Final = "the terminal approved it offline although it was to be online"
SOLD_WITHOUT: Final = "the sale was paid otherwise"
LATE: Final = "approved after it was given up"
_TELLING: Final = frozenset({E.APPROVED, E.APPROVED_OFFLINE, E.LATE_APPROVAL})
_THERE: Final = frozenset({S.AUTHORISED, S.CAPTURED})
_TAKEN: Final = frozenset({S.AUTHORISED, S.CAPTURED, S.SETTLED, S.REVERSED, S.REFUNDED})


def take(unit: Unit, row: PaymentRow, said: TerminalSaid, by: str) -> PaymentRow:
    """The payment after a terminal's answer.  What is known isn't changed by a repeat, and money
    that was taken is never denied: what comes too late goes back."""
    if row.state == S.INTENT and said.outcome not in ("not-done", "refused"):
        row = book.move(unit, row, E.SENT, by)
    match said.outcome:
        case "approved":
            return _approved(unit, row, said, by)
        case "approved-offline":
            return _approved_offline(unit, row, said, by)
        case "refused":
            return _nothing_taken(unit, row, said, by, E.REFUSED)
        case "not-done":
            return _nothing_taken(unit, row, said, by, E.NEVER_DONE)
        case "unknown":
            return _in_doubt(unit, row, said, by)


def facts_of(said: TerminalSaid) -> dict[str, Any]:
    """What it tells of the card and the transaction, where it does."""
    facts = {
        "last4": said.last4,
        "scheme": said.scheme,
        "approval_code": said.approval_code,
        "psp_ref": said.psp_ref,
        "terminal_ref": said.terminal_ref,
        "token_ref": said.card_ref,
    }
    return {name: value for name, value in facts.items() if value}


def note_other_ref(unit: Unit, row: PaymentRow, psp_ref: str, by: str) -> None:
    """Two transactions under one payment id: the processor has done it twice."""
    if psp_ref and row.psp_ref and psp_ref != row.psp_ref:
        about = {"psp_ref": row.psp_ref, "other": psp_ref, "by": by}
        unit.note("payment.two_refs", row.payment_id, about)


def _approved(unit: Unit, row: PaymentRow, said: TerminalSaid, by: str) -> PaymentRow:
    note_other_ref(unit, row, said.psp_ref, by)
    state = PaymentState(row.state)
    if state in _TAKEN:
        row = _told_late(unit, row, said, by)
        if said.captured and can(state, E.CAPTURED):
            return book.move(unit, row, E.CAPTURED, by)
        return row
    facts = facts_of(said) | _added(unit, row, said, by)
    if can(state, E.APPROVED):
        row = book.move(unit, row, E.APPROVED, by, said.reason, **facts, **_due(unit))
    else:
        row = book.move(unit, row, E.LATE_APPROVAL, by, LATE, **facts, **_due(unit))
        unit.note("payment.late_approval", row.payment_id, {"was": str(state), "by": by})
        row = book.withdraw(unit, row, by, LATE)
    if said.captured:
        row = book.move(unit, row, E.CAPTURED, by)
    return _if_sold_without(unit, row, by)


def _approved_offline(unit: Unit, row: PaymentRow, said: TerminalSaid, by: str) -> PaymentRow:
    if not can(PaymentState(row.state), E.APPROVED_OFFLINE):
        return row
    ended = row.state in (S.ABANDONED, S.REFUSED)
    allowed = bool(row.offline_allowed)
    facts = facts_of(said) | {"custody": "hub" if said.token else "terminal", "offline_allowed": 1}
    facts |= _added(unit, row, said, by)
    row = book.move(
        unit, row, E.APPROVED_OFFLINE, by, said.reason, token=said.token, **facts, **_due(unit)
    )
    if ended:
        unit.note("payment.late_approval", row.payment_id, {"was": "ended", "by": by})
        return book.withdraw(unit, row, by, LATE)
    if not allowed:
        unit.note("payment.offline_not_allowed", row.payment_id, {"by": by})
        return book.withdraw(unit, row, by, NOT_ALLOWED)
    if _card_too_often(unit, row):
        return book.withdraw(unit, row, by, CARD_CAP)
    return book.void_if_stored(unit, _if_sold_without(unit, row, by), by)


def _nothing_taken(
    unit: Unit, row: PaymentRow, said: TerminalSaid, by: str, event: PaymentEvent
) -> PaymentRow:
    if row.state == S.INTENT:
        return book.move(unit, row, E.CANCELLED, by, said.reason, reason=said.reason)
    if can(PaymentState(row.state), event):
        return book.move(unit, row, event, by, said.reason, reason=said.reason[: book.DETAIL_MAX])
    if row.state in _TAKEN:
        unit.note("payment.denied", row.payment_id, {"outcome": said.outcome, "by": by})
    return row


def _in_doubt(unit: Unit, row: PaymentRow, said: TerminalSaid, by: str) -> PaymentRow:
    if row.state != S.AT_TERMINAL:
        return row
    facts = facts_of(said)
    return book.move(unit, row, E.IN_DOUBT, by, said.reason, **facts, **_due(unit))


def _added(unit: Unit, row: PaymentRow, said: TerminalSaid, by: str) -> dict[str, Any]:
    if row.stored_at_ms is not None or not (said.tip_minor or said.surcharge_minor):
        return {}
    return added.facts_of(unit, row, said.tip_minor, said.surcharge_minor, by, said.scheme)


def _told_late(unit: Unit, row: PaymentRow, said: TerminalSaid, by: str) -> PaymentRow:
    """Somebody else has said before the terminal that it is approved: the processor, or people, who
    tell of nothing that was added there."""
    if added.is_told(unit, row):
        return added.split(unit, row, said.surcharge_minor, by, said.scheme)
    steps = paymentrows.steps(unit.tx, row.id)
    said_before = any(
        one.event in _TELLING and _is_same_teller(one.by, by, row.driven_by) for one in steps
    )
    told_again = any(one.event == "told" for one in steps)  # then the cloud has told of it
    tip_minor = 0 if said_before or told_again else said.tip_minor
    surcharge_minor = 0 if said_before else max(0, said.surcharge_minor - row.surcharge_minor)
    if not (tip_minor or surcharge_minor) or row.stored_at_ms is not None:
        return row
    if row.state not in _THERE or row.void_asked or refundrows.taken_minor(unit.tx, row.id):
        about = {"tip_minor": tip_minor, "surcharge_minor": surcharge_minor, "by": by}
        unit.note("payment.added_too_late", row.payment_id, about)
        return row  # what goes back is decided without it
    news = replace(said, tip_minor=tip_minor, surcharge_minor=surcharge_minor)
    return book.raised(unit, row, by, "", **_added(unit, row, news, by))


def _is_same_teller(one: str, other: str, driven_by: str) -> bool:
    """A terminal of the hub is named with its id or without, by what had it asked."""
    return one == other or (driven_by == "hub" and one.startswith("terminal"))


def _due(unit: Unit) -> dict[str, Any]:
    return {"due_budget_ms": unit.tx.budget_ms, "lookups": 0}


def _card_too_often(unit: Unit, row: PaymentRow) -> bool:
    since_ms = unit.now_ms - DAY_MS
    before = paymentrows.stored_with_token(unit.tx, row.token_ref, since_ms, row.id)
    return bool(row.token_ref) and before >= unit.shop.payments.caps.token_per_day


def _if_sold_without(unit: Unit, row: PaymentRow, by: str) -> PaymentRow:
    """The sale was written meanwhile, and paid otherwise."""
    if row.in_sale or row.void_asked or salerows.get(unit.tx, row.sale_id) is None:
        return row
    return book.withdraw(unit, row, by, SOLD_WITHOUT)
