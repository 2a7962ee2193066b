"""Taking in what a processor says of a payment: asked for or by itself, in order or late, however
often.

An approval always counts, even of what was given up: it goes back then.  A decline counts only
where it can't be an older one's echo: a payment that is presented again because of it could be
taken twice.
"""

from __future__ import annotations

from typing import Any, Final

from hub.domain.payments.declines import DeclineCode, retry_wait_ms
from hub.domain.payments.exposure import age_ms
from hub.domain.payments.states import PaymentEvent, PaymentState, can
from hub.domain.payments.work import (
    LOOK_UP_MAX_MS,
    LOOK_UPS_MIN,
    Standing,
    WorkKind,
    may_repeat,
)
from hub.service.payments import added, book, owing, refunds
from hub.service.payments.answers import LATE, note_other_ref
from hub.service.payments.commands import ProcessorSaid
from hub.service.unit import Unit
from hub.storage import hubrow, linkrows, paymentrows, secretrows
from hub.storage.paymentrows import PaymentRow

S, E = PaymentState, PaymentEvent

PROCESSOR: Final = "processor"
"""Who says what was asked for."""
GONE: Final = "let go at the processor"
WAIT_MS: Final = 10_000
WAIT_MAX_MS: Final = 15 * 60_000
SOON: Final = frozenset({DeclineCode.ISSUER_UNAVAILABLE, DeclineCode.TRY_AGAIN})
_TAKEN: Final = frozenset({S.AUTHORISED, S.CAPTURED, S.SETTLED, S.REVERSED, S.REFUNDED})
_ASKED_AFTER: Final = frozenset({S.VOID_PENDING, S.FORWARD_UNKNOWN})
"""Nothing is known of what was sent: it stays so while nobody can tell."""
_NO_ANSWER: Final = frozenset({"unknown", "not-sent"})


# What leased work came to -------------------------------------------------------------------------


def ended(unit: Unit, row: PaymentRow, kind: WorkKind, said: ProcessorSaid) -> PaymentRow:
    """The payment after the answer to work that was leased for it."""
    if kind is WorkKind.LOOK_UP and row.state in _ASKED_AFTER:
        if said.outcome in _NO_ANSWER:
            return _not_told(unit, row, said)
        row = book.move(unit, row, E.LEASED, "hub", str(kind))  # there is news
    match said.outcome:
        case "approved" | "captured" if _is_approval(row, kind, said):
            return approved(unit, row, said, PROCESSOR)
        case "reversed":
            return _reversed(unit, row, said, PROCESSOR)
        case "refunded":
            return _given_back(unit, row, said, PROCESSOR)
        case "declined":
            return _declined_work(unit, row, kind, said)
        case "acked" if can(PaymentState(row.state), E.ACKED):
            facts = done(unit, row) | _ref(said) | {"due_budget_ms": _due(unit, row, said)}
            return book.move(unit, row, E.ACKED, PROCESSOR, said.reason, **facts)
        case "not-found" if kind is WorkKind.LOOK_UP and row.state == S.FORWARDING:
            return _not_found(unit, row, said)
        case _:
            return _no_news(unit, row, kind, said)


def _no_news(unit: Unit, row: PaymentRow, kind: WorkKind, said: ProcessorSaid) -> PaymentRow:
    """Nothing is known better than before, except that nothing was sent, perhaps."""
    if row.state == S.FORWARDING and kind is WorkKind.CHARGE and said.outcome == "not-sent":
        return _not_sent(unit, row, said)
    if row.state == S.FORWARDING and kind is WorkKind.LOOK_UP and row.void_asked:
        facts = done(unit, row) | {"lookups": row.lookups + 1}
        facts["due_budget_ms"] = _due(unit, row, said)
        return book.move(unit, row, E.LET_GO_VOID, PROCESSOR, said.reason, **facts)
    return in_doubt(unit, row, said)


def _not_told(unit: Unit, row: PaymentRow, said: ProcessorSaid) -> PaymentRow:
    """The processor was asked and couldn't tell: after two days of that people have to.  That it is
    to be voided stays: what they find approved goes back."""
    row = later(unit, row, said)
    if not said.reached:
        return row
    known = row.sent_at_ms is not None
    asked_ms = standing(unit, row).sent_age_ms if known else stored_age_ms(unit, row)
    if row.lookups < LOOK_UPS_MIN or asked_ms < LOOK_UP_MAX_MS:
        return row
    why = "the processor could not tell for two days"
    return book.move(unit, row, E.OUT_OF_REACH, PROCESSOR, why, reason=why)


def _is_approval(row: PaymentRow, kind: WorkKind, said: ProcessorSaid) -> bool:
    """What is authorised already makes no progress by being called so."""
    asked = kind in (WorkKind.CHARGE, WorkKind.LOOK_UP)
    return asked or said.outcome == "captured" or row.state != S.AUTHORISED


def _declined_work(unit: Unit, row: PaymentRow, kind: WorkKind, said: ProcessorSaid) -> PaymentRow:
    state = PaymentState(row.state)
    if kind is WorkKind.CAPTURE and state is S.AUTHORISED:
        if row.void_asked or said.code in SOON:
            return later(unit, row, said)
        return declined(unit, row, said, PROCESSOR)
    if kind is WorkKind.LOOK_UP and state is S.FORWARDING and not _is_news(row, said):
        return _not_found(unit, row, said)
    if kind in (WorkKind.CHARGE, WorkKind.LOOK_UP) and can(state, E.DECLINED):
        return declined(unit, row, said, PROCESSOR)
    return later(unit, row, said)


def _not_found(unit: Unit, row: PaymentRow, said: ProcessorSaid) -> PaymentRow:
    """The processor doesn't know what may have been sent (or only a former try of it)."""
    if row.void_asked:
        return book.move(unit, row, E.NEVER_DONE, PROCESSOR, said.reason, **done(unit, row))
    if may_repeat(standing(unit, row)):
        return book.move(unit, row, E.LET_GO, PROCESSOR, "never arrived", **done(unit, row))
    row = book.move(unit, row, E.IN_DOUBT, PROCESSOR, said.reason, **done(unit, row))
    why = "not known to the processor, and too old to be presented under its key"
    return book.move(unit, row, E.OUT_OF_REACH, PROCESSOR, why, reason=why)


def _not_sent(unit: Unit, row: PaymentRow, said: ProcessorSaid) -> PaymentRow:
    """Nothing left this box: the try doesn't count."""
    facts = done(unit, row) | {"forwards": row.forwards - 1, "lookups": row.lookups + 1}
    if row.forwards == 1:
        facts |= {"sent_at_ms": None, "sent_budget_ms": None}
    facts["due_budget_ms"] = _due(unit, row, said)
    if not row.void_asked:
        return book.move(unit, row, E.LET_GO, PROCESSOR, said.reason, **facts)
    event = E.NEVER_DONE if row.forwards == 1 else E.LET_GO_VOID
    return book.move(unit, row, event, PROCESSOR, said.reason, **facts)


def in_doubt(unit: Unit, row: PaymentRow, said: ProcessorSaid, by: str = PROCESSOR) -> PaymentRow:
    """Nothing is known better than before."""
    if row.state != S.FORWARDING:
        return later(unit, row, said)
    facts = done(unit, row) | _ref(said) | {"lookups": row.lookups + 1}
    if by == PROCESSOR:
        facts["due_budget_ms"] = _due(unit, row, said)
    return book.move(unit, row, E.IN_DOUBT, by, said.reason, **facts)


def later(unit: Unit, row: PaymentRow, said: ProcessorSaid) -> PaymentRow:
    """The same is to be done again, after a pause that grows with each vain answer."""
    return paymentrows.change(
        unit.tx,
        row,
        fence=row.fence + 1,
        lease_budget_ms=0,
        lookups=row.lookups + said.reached,
        due_budget_ms=_due(unit, row, said),
        **_ref(said),
    )


# Outcomes -----------------------------------------------------------------------------------------


def approved(unit: Unit, row: PaymentRow, said: ProcessorSaid, by: str) -> PaymentRow:
    """The money is the shop's; of what was given up, it goes back."""
    if not row.decline_code or row.state in _TAKEN:  # else the one that is known was declined
        note_other_ref(unit, row, said.psp_ref, by)
    if row.state == S.INTENT:  # in a copy of the books only: it was sent by another box
        row = book.move(unit, row, E.CANCELLED, by, "approved although it was never sent")
    state = PaymentState(row.state)
    captured = said.outcome == "captured"
    if state in _TAKEN:
        row = added.in_all(unit, row, said, by, is_news=False)
        if captured and can(state, E.CAPTURED):
            row = book.move(unit, row, E.CAPTURED, by, said.reason, **done(unit, row), **_ref(said))
        return _voided_money(unit, row)
    facts = done(unit, row) | _ref(said)
    if said.approval_code:
        facts["approval_code"] = said.approval_code
    if can(state, E.APPROVED):
        row = book.move(unit, row, E.APPROVED, by, said.reason, **facts)
        row = added.in_all(unit, row, said, by, is_news=True)
    else:
        row = book.move(unit, row, E.LATE_APPROVAL, by, LATE, **facts)
        row = added.in_all(unit, row, said, by, is_news=True)
        unit.note("payment.late_approval", row.payment_id, {"was": str(state), "by": by})
        row = book.withdraw(unit, row, by, LATE)
    if captured:
        row = book.move(unit, row, E.CAPTURED, by)
    return _voided_money(unit, row)


def declined(unit: Unit, row: PaymentRow, said: ProcessorSaid, by: str) -> PaymentRow:
    """No money: it is presented again later, or the shop has a receivable, or nobody minds."""
    facts = done(unit, row) | _ref(said)
    facts |= {"declines": row.declines + 1, "decline_code": said.word or str(said.code)}
    row = book.move(unit, row, E.DECLINED, by, said.reason, **facts)
    if row.state == S.VOIDED:
        return row
    if row.void_asked or not row.in_sale:
        return book.move(unit, row, E.VOID_ASKED, by, "declined, and nothing was sold for it")
    if owing.owed_minor(unit.tx, row) <= 0:
        facts = {"void_asked": 1, "reason": book.ALL_BACK}
        return book.move(unit, row, E.VOID_ASKED, by, book.ALL_BACK, **facts)
    wait_ms = _retry_wait(unit, row, said)
    if wait_ms is not None:
        due_ms = unit.tx.budget_ms + wait_ms
        return book.move(unit, row, E.RETRY, by, str(said.code), due_budget_ms=due_ms)
    return book.move(unit, row, E.GIVE_UP, by, str(said.code), reason=said.reason[:200])


def learn(unit: Unit, row: PaymentRow, said: ProcessorSaid, by: str) -> bool:
    """An outcome that nobody asked for just now; whether it changes anything."""
    if linkrows.is_paid_by(unit.tx, row.id, said.psp_ref):
        return False  # that money ended the receivable, and nothing else
    match said.outcome:
        case "approved" | "captured":
            after = approved(unit, row, said, by)
        case "declined":
            after = _learn_declined(unit, row, said, by)
        case "acked" if row.state == S.FORWARD_UNKNOWN:
            facts = done(unit, row) | _ref(said)
            after = book.move(unit, row, E.ACKED, by, said.reason, **facts)
        case "reversed" if row.state in _REVERSIBLE:
            after = _reversed(unit, row, said, by)
        case "refunded":
            return refunds.look_at_once(unit, row)
        case _:
            return False
    return after != row


_REVERSIBLE: Final = frozenset({S.AUTHORISED, S.FORWARDED, S.FORWARD_UNKNOWN, S.LOST, S.MANUAL})


def _learn_declined(unit: Unit, row: PaymentRow, said: ProcessorSaid, by: str) -> PaymentRow:
    state = PaymentState(row.state)
    if state is S.MANUAL and not row.in_sale and not row.forwards:
        return book.move(unit, row, E.REFUSED, by, said.reason, reason=said.reason[:200])
    kept_there = row.custody == "terminal" and state in (S.STORED, S.VOID_PENDING)
    if state in (S.FORWARDED, S.LOST, S.MANUAL) and _is_news(row, said):
        return declined(unit, row, said, by)
    if kept_there and state is S.STORED:
        return declined(unit, row, said, by)
    if kept_there:
        return book.move(unit, row, E.DECLINED, by, said.reason, **done(unit, row))
    if state in (S.FORWARD_UNKNOWN, S.FORWARDED):
        return paymentrows.change(unit.tx, row, due_budget_ms=unit.tx.budget_ms)
    return row


def _reversed(unit: Unit, row: PaymentRow, said: ProcessorSaid, by: str) -> PaymentRow:
    """An authorisation was let go: as asked, or the shop has sold for nothing."""
    state = PaymentState(row.state)
    wanted = bool(row.void_asked) or not row.in_sale
    if not wanted and can(state, E.DECLINED):
        row = book.move(unit, row, E.DECLINED, by, GONE, **done(unit, row), **_ref(said))
        return book.move(unit, row, E.GIVE_UP, by, GONE, reason=GONE)
    if wanted and state is not S.AUTHORISED and can(state, E.APPROVED):
        row = book.move(unit, row, E.APPROVED, by, **done(unit, row), **_ref(said))
    if can(PaymentState(row.state), E.REVERSED):
        return book.move(unit, row, E.REVERSED, by, said.reason, **done(unit, row))
    return later(unit, row, said)


def _given_back(unit: Unit, row: PaymentRow, said: ProcessorSaid, by: str) -> PaymentRow:
    """It was taken and given back whole, by whoever did it."""
    state = PaymentState(row.state)
    if can(state, E.APPROVED):
        row = book.move(unit, row, E.APPROVED, by, said.reason, **done(unit, row), **_ref(said))
    if can(PaymentState(row.state), E.CAPTURED):
        row = book.move(unit, row, E.CAPTURED, by, **done(unit, row))
    if row.state not in (S.CAPTURED, S.SETTLED):
        return later(unit, row, said)
    unit.note("payment.refunded_elsewhere", row.payment_id, {"by": by, "state": str(state)})
    return book.move(unit, row, E.REFUNDED, by, said.reason, refunded_minor=row.amount_minor)


def _voided_money(unit: Unit, row: PaymentRow) -> PaymentRow:
    """Captured money that is to go back is given back."""
    if row.void_asked and row.state in (S.CAPTURED, S.SETTLED):
        refunds.want_rest(unit, row)
    return row


# Facts --------------------------------------------------------------------------------------------


def done(unit: Unit, row: PaymentRow) -> dict[str, Any]:
    """What ends a lease: whoever holds it comes too late, and what is next is due."""
    return {
        "fence": row.fence + 1,
        "lease_budget_ms": 0,
        "lookups": 0,
        "due_budget_ms": unit.tx.budget_ms,
    }


def standing(unit: Unit, row: PaymentRow) -> Standing:
    """What the next step is decided by."""
    sent_at_ms = row.sent_at_ms if row.sent_at_ms is not None else unit.now_ms
    sent_budget_ms = row.sent_budget_ms if row.sent_budget_ms is not None else unit.tx.budget_ms
    return Standing(
        PaymentState(row.state),
        row.custody,
        row.driven_by,
        bool(row.in_sale),
        bool(row.void_asked),
        row.forwards,
        age_ms(
            sent_at_ms, sent_budget_ms, unit.now_ms, unit.tx.budget_ms, trusted=is_trusted(unit)
        ),
        row.is_value,
    )


def stored_age_ms(unit: Unit, row: PaymentRow) -> int:
    """How long ago it was accepted."""
    at_ms = row.begun_at_ms if row.stored_at_ms is None else row.stored_at_ms
    budget_ms = row.begun_budget_ms if row.stored_budget_ms is None else row.stored_budget_ms
    return age_ms(at_ms, budget_ms, unit.now_ms, unit.tx.budget_ms, trusted=is_trusted(unit))


def is_trusted(unit: Unit) -> bool:
    """Whether wall time counts."""
    return not hubrow.clock_suspect(unit.tx)


def _retry_wait(unit: Unit, row: PaymentRow, said: ProcessorSaid) -> int | None:
    if row.custody != "hub" or not row.forwards or secretrows.get(unit.tx, row.id) is None:
        return None
    wait_ms = retry_wait_ms(said.code, row.declines)
    if wait_ms is None:
        return None
    wait_ms = max(wait_ms, said.not_before_ms)
    deadline_ms = unit.shop.payments.caps.deadline_ms
    return wait_ms if stored_age_ms(unit, row) + wait_ms < deadline_ms else None


def _is_news(row: PaymentRow, said: ProcessorSaid) -> bool:
    """Whether this decline can't be the one that is known already."""
    return not row.declines or said.psp_ref not in ("", row.psp_ref)


def _due(unit: Unit, row: PaymentRow, said: ProcessorSaid) -> int:
    wait_ms = min(WAIT_MS << min(row.lookups, 12), WAIT_MAX_MS)
    return unit.tx.budget_ms + max(wait_ms, said.not_before_ms)


def _ref(said: ProcessorSaid) -> dict[str, Any]:
    return {"psp_ref": said.psp_ref} if said.psp_ref else {}


__all__ = ["approved", "declined", "ended", "learn"]
