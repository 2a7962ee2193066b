"""What is to be done about payments, handed out once at a time: leases, and what came of them."""

from __future__ import annotations

from typing import Any, Final

from hub.domain.payments.states import PaymentEvent, PaymentState, can
from hub.domain.payments.work import (
    NOT_FOUND_TIMES,
    Hand,
    Work,
    WorkKind,
    next_work,
)
from hub.service.payments import answers, book, links, outcomes, refunds, timing, value
from hub.service.payments.commands import (
    EndWork,
    LearnOutcome,
    Leased,
    LeaseWork,
    ProcessorSaid,
    TerminalSaid,
)
from hub.service.unit import Unit
from hub.storage import paymentrows, paymentwork, secretrows
from hub.storage.paymentrows import PaymentRow

S, E = PaymentState, PaymentEvent

LEASED_MAX: Final = 100
TERMINAL: Final = "terminal"
ASK_AGAIN_MS: Final = 10_000
NO_TOKEN_MS: Final = 5 * 60_000


# Handing out --------------------------------------------------------------------------------------


def lease(unit: Unit, command: LeaseWork) -> tuple[Leased, ...]:
    """See :class:`LeaseWork`: what was stored first at the front, refunds after all of them."""
    if command.hand is Hand.LINKS:
        return links.lease(unit, max(0, min(command.limit, LEASED_MAX)), command.lease_ms)
    if command.hand is Hand.PROCESSOR and not refunds.has_processor(unit):
        return ()
    if command.hand is Hand.ISSUER and not refunds.has_issuer(unit):
        return ()
    unit.check_fence()  # another box has the shop: it does what is to be done
    timing.end_leases(unit)
    by_hub = not refunds.has_processor(unit)
    for row in paymentwork.not_wanted_back(unit.tx, by_hub=by_hub):
        if refunds.hand_of(unit, row) is command.hand:
            refunds.want_rest(unit, row)
    limit = max(0, min(command.limit, LEASED_MAX))
    taken: list[Leased] = []
    for row in _candidates(unit, command):
        if len(taken) >= limit:
            return tuple(taken)
        work = next_work(outcomes.standing(unit, row), processor=refunds.has_processor(unit))
        if work is None or work.hand is not command.hand or work.kind is WorkKind.REFUND:
            continue
        lease_one = value.lease_one if row.is_value else _lease_one
        leased = lease_one(unit, row, work, command)
        if leased is not None:
            taken.append(leased)
    room = limit - len(taken)
    taken += refunds.lease(unit, command.hand, room, command.lease_ms, command.terminals)
    return tuple(taken)


def _candidates(unit: Unit, command: LeaseWork) -> list[PaymentRow]:
    budget_ms = unit.tx.budget_ms
    if command.hand is Hand.PROCESSOR:
        return paymentwork.for_processor(unit.tx, budget_ms, paymentwork.AT_ONCE_MAX)
    if command.hand is Hand.ISSUER:
        return paymentwork.for_issuer(unit.tx, budget_ms, paymentwork.AT_ONCE_MAX)
    if not command.terminals:
        return []
    return paymentwork.for_terminals(unit.tx, budget_ms, command.terminals, paymentwork.AT_ONCE_MAX)


def _lease_one(unit: Unit, row: PaymentRow, work: Work, command: LeaseWork) -> Leased | None:
    kind = work.kind
    token = secretrows.get(unit.tx, row.id) if kind is WorkKind.CHARGE else None
    if kind is WorkKind.CHARGE and timing.past_deadline(unit, row):
        timing.give_up_stored(unit, row)
        return None
    if kind is WorkKind.CHARGE and token is None:  # of a copy; another keeper may bring it back
        paymentrows.change(unit.tx, row, due_budget_ms=unit.tx.budget_ms + NO_TOKEN_MS)
        return None
    first_sent_at_ms = row.sent_at_ms
    facts: dict[str, Any] = {
        "fence": row.fence + 1,
        "lease_budget_ms": unit.tx.budget_ms + command.lease_ms,
    }
    if kind is WorkKind.CHARGE:
        facts["forwards"] = row.forwards + 1
        if row.sent_at_ms is None:
            facts |= {"sent_at_ms": unit.now_ms, "sent_budget_ms": unit.tx.budget_ms}
    if kind is WorkKind.CHARGE:
        row = book.move(unit, row, E.LEASED, "hub", str(kind), **facts)
    else:  # a question is a step only when its answer brings news
        row = paymentrows.change(unit.tx, row, **facts)
    return Leased(
        kind=kind,
        payment_id=row.payment_id,
        fence=row.fence,
        key=key_of(row, kind),
        amount_minor=row.amount_minor,
        currency=row.currency,
        terminal_id=row.terminal_id,
        psp_ref=row.psp_ref,
        terminal_ref=row.terminal_ref,
        first_sent_at_ms=first_sent_at_ms,
        token=token,
    )


def key_of(row: PaymentRow, kind: WorkKind) -> str:
    """The idempotency key of an effect; of a look-up that of the charge it asks after.  What was
    declined for certain is presented under a new one: the old one would only give the old answer.
    """
    if kind not in (WorkKind.CHARGE, WorkKind.LOOK_UP):
        return f"{row.payment_id}-{kind}"
    return f"{row.payment_id}-{row.declines + 1}" if row.declines else row.payment_id


# What came of it ----------------------------------------------------------------------------------


def end(unit: Unit, command: EndWork) -> bool:
    """See :class:`EndWork`."""
    work, said = command.work, command.said
    if work.kind in (WorkKind.LINK, WorkKind.UNLINK):
        assert isinstance(said, ProcessorSaid)
        return links.end(unit, work, said)
    if work.refund_id:
        return refunds.end(unit, work, said)
    row = paymentrows.get(unit.tx, work.payment_id)
    if row is None:
        return False
    if row.fence != work.fence:
        _learn_late(unit, row, work, said)
        return False
    if isinstance(said, ProcessorSaid) and row.is_value:
        after = value.ended(unit, row, work.kind, said)
    elif isinstance(said, ProcessorSaid):
        after = outcomes.ended(unit, row, work.kind, said)
    else:
        after = _terminal_said(unit, row, work.kind, said)
    if after.fence == row.fence:  # the lease is over, whatever was said
        paymentrows.change(unit.tx, after, fence=row.fence + 1, lease_budget_ms=0)
    book.changed(unit, after)
    return True


def _learn_late(
    unit: Unit, row: PaymentRow, work: Leased, said: ProcessorSaid | TerminalSaid
) -> None:
    """Somebody else has the work meanwhile; that money was taken is true all the same."""
    if isinstance(said, ProcessorSaid):
        asked = work.kind in (WorkKind.CHARGE, WorkKind.LOOK_UP, WorkKind.CAPTURE)
        if asked and said.outcome in ("approved", "captured"):
            outcomes.learn(unit, row, said, outcomes.PROCESSOR)
    elif work.kind is WorkKind.ASK and said.outcome == "approved":
        answers.take(unit, row, said, TERMINAL)


def _terminal_said(unit: Unit, row: PaymentRow, kind: WorkKind, said: TerminalSaid) -> PaymentRow:
    if kind is WorkKind.REVERSE:
        return _taken_back(unit, row, said)
    state = PaymentState(row.state)
    if state is S.UNKNOWN:
        return _status(unit, row, said)
    if state is S.STORED and said.outcome == "refused":
        no = ProcessorSaid("declined", said.reason)
        return outcomes.declined(unit, row, no, TERMINAL)
    if said.outcome == "approved":
        return answers.take(unit, row, said, TERMINAL)
    return outcomes.later(unit, row, ProcessorSaid("unknown"))


def _status(unit: Unit, row: PaymentRow, said: TerminalSaid) -> PaymentRow:
    """What a terminal knows of a transaction in doubt.  That it knows nothing counts when it says
    so twice in a row: it may not have been ready."""
    match said.outcome:
        case "not-done" if row.lookups + 1 < NOT_FOUND_TIMES:
            lookups = row.lookups + 1
        case "unknown":
            lookups = 0
        case _:
            return answers.take(unit, row, said, TERMINAL)
    due_ms = unit.tx.budget_ms + ASK_AGAIN_MS
    facts = {"fence": row.fence + 1, "lease_budget_ms": 0}
    return paymentrows.change(unit.tx, row, lookups=lookups, due_budget_ms=due_ms, **facts)


def _taken_back(unit: Unit, row: PaymentRow, said: TerminalSaid) -> PaymentRow:
    """A whole transaction was to be taken back at its terminal."""
    state, facts = PaymentState(row.state), outcomes.done(unit, row)
    unknown_there = said.outcome == "not-done" and row.lookups + 1 >= NOT_FOUND_TIMES
    if said.outcome == "approved" and can(state, E.REVERSED):
        return book.move(unit, row, E.REVERSED, TERMINAL, said.reason, **facts)
    if (said.outcome == "approved" or unknown_there) and can(state, E.VOID_ASKED):
        return book.move(unit, row, E.VOID_ASKED, TERMINAL, said.reason, **facts)
    row = outcomes.later(unit, row, ProcessorSaid("unknown"))
    if said.outcome == "not-done":
        return row
    return paymentrows.change(unit.tx, row, lookups=0) if row.state == S.VOID_PENDING else row


def learn(unit: Unit, command: LearnOutcome) -> bool:
    """See :class:`LearnOutcome`."""
    row = paymentrows.get(unit.tx, command.payment_id)
    return row is not None and outcomes.learn(unit, row, command.said, command.by)
