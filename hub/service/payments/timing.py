"""What time and restarts do to payments: deadlines, doubts that nobody could clear, old leases."""

from __future__ import annotations

from typing import Final

from hub.domain.payments.states import PaymentEvent, PaymentState
from hub.domain.payments.work import UNKNOWN_MAX_MS
from hub.service.payments import book, links, outcomes, refunds, tillrefunds
from hub.service.payments.commands import ExpirePayments, ProcessorSaid, RecoverPayments
from hub.service.unit import Unit
from hub.storage import hubrow, linkrows, paymentrows, paymentwork, refundrows
from hub.storage.paymentrows import PaymentRow

S, E = PaymentState, PaymentEvent

HUB: Final = "hub"
NOT_SENT: Final = "the hub stopped before it was sent"
STOPPED: Final = "the hub stopped meanwhile"
NEVER_SOLD: Final = "its sale was never written"
COPIED: Final = "the hub was put back from a copy: it may have been sent before"
NOT_TOLD: Final = "its terminal has not told by its deadline what became of it"
NOT_PRESENTED: Final = "the processor was not reached by its deadline"
OVERDUE: Final = "no answer in time"
BY_ACQUIRER: Final = "a day after its sale: its terminal's acquirer has captured it"
_ALL_MAX: Final = 100_000
_ASKED: Final = (
    *(S.AUTHORISED, S.FORWARDED, S.FORWARD_UNKNOWN, S.UNKNOWN, S.STORED, S.VOID_PENDING),
)
"""States in which something may be leased without a step."""


# Deadlines ----------------------------------------------------------------------------------------


def expire(unit: Unit, _command: ExpirePayments) -> int:
    """See :class:`ExpirePayments`: at most 200 of each kind a call; how many."""
    done = end_leases(unit) + refunds.close_pointless(unit) + tillrefunds.close_handless(unit)
    for row in paymentwork.unanswered(unit.tx, unit.tx.budget_ms):
        if row.state == S.INTENT:
            book.move(unit, row, E.CANCELLED, HUB, OVERDUE, reason=OVERDUE)
        else:
            _doubt(unit, row, OVERDUE)
        done += 1
    for row in paymentrows.in_state(unit.tx, S.UNKNOWN):
        done += _give_up_asking(unit, row)
    for row in paymentwork.oldest_stored(unit.tx):
        if past_deadline(unit, row):  # one put back from elsewhere may be older than it looks
            give_up_stored(unit, row)
            done += 1
    done += _let_unsold_go(unit)
    return done + _take_as_captured(unit)


def end_leases(unit: Unit) -> int:
    """Whoever had these didn't say in time what came of them: they are in doubt; how many."""
    found = paymentwork.leases_over(unit.tx, unit.tx.budget_ms)
    for row in found:
        outcomes.in_doubt(unit, row, ProcessorSaid("unknown", OVERDUE), HUB)
    return len(found) + refunds.end_leases(unit, unit.tx.budget_ms)


def past_deadline(unit: Unit, row: PaymentRow) -> bool:
    """Whether a stored payment may not be presented any more."""
    return outcomes.stored_age_ms(unit, row) >= unit.shop.payments.caps.deadline_ms


def give_up_stored(unit: Unit, row: PaymentRow) -> PaymentRow:
    """A stored payment isn't presented any more: a receivable, or nothing when nothing was sold.
    What a terminal keeps may have been presented by it: nobody here knows."""
    facts = outcomes.done(unit, row)
    if row.custody == "terminal":
        gone = int(row.void_asked or not row.in_sale)
        return book.move(
            unit, row, E.DEVICE_LOST, HUB, NOT_TOLD, reason=NOT_TOLD, void_asked=gone, **facts
        )
    if not row.in_sale:
        return book.withdraw(unit, row, HUB, NEVER_SOLD)
    row = book.move(unit, row, E.DEADLINE, HUB, NOT_PRESENTED, reason=NOT_PRESENTED, **facts)
    return book.move(unit, row, E.GIVE_UP, HUB, NOT_PRESENTED)


def _give_up_asking(unit: Unit, row: PaymentRow) -> int:
    """A terminal that can't tell for a quarter of an hour: people have to.  An issuer knows what it
    did whenever it can be asked again."""
    if row.is_value:
        return 0
    since_ms = row.doubt_budget_ms
    if not since_ms:
        paymentrows.change(unit.tx, row, doubt_budget_ms=max(1, unit.tx.budget_ms))
        return 0
    if unit.tx.budget_ms - since_ms < UNKNOWN_MAX_MS:
        return 0
    facts = outcomes.done(unit, row)
    book.move(unit, row, E.OUT_OF_REACH, HUB, "nobody could tell in time", **facts)
    return 1


def _let_unsold_go(unit: Unit) -> int:
    """Money that is there for a sale that was never written goes back after a day."""
    before_ms = unit.tx.budget_ms - unit.shop.payments.caps.deadline_ms
    found = paymentwork.unsold(unit.tx, before_ms)
    for row in found:
        gone = book.withdraw(unit, row, HUB, NEVER_SOLD)
        if gone.state in (S.CAPTURED, S.SETTLED) and refunds.hand_of(unit, gone) is not None:
            refunds.want_rest(unit, gone)
    return len(found)


def _take_as_captured(unit: Unit) -> int:
    """Without a processor nobody here captures what was sold: the terminals' acquirer does, by the
    end of the day."""
    if refunds.has_processor(unit):
        return 0
    before_ms = unit.tx.budget_ms - unit.shop.payments.caps.deadline_ms
    found = paymentrows.authorised_and_sold(unit.tx, before_ms)
    for row in found:
        book.move(unit, row, E.CAPTURED, HUB, BY_ACQUIRER)
    return len(found)


# Starts -------------------------------------------------------------------------------------------


def recover(unit: Unit, command: RecoverPayments) -> int:
    """See :class:`RecoverPayments`.  Books put back from a copy doubt more: another box may have
    gone on with them."""
    copied = hubrow.get(unit.tx).fence == "restored"
    doubts = 0
    newest = (1 << 62) if command.newest is None else command.newest
    for row in paymentrows.in_state(unit.tx, S.AT_TERMINAL, _ALL_MAX):
        if row.id > newest:
            continue
        if copied or row.driven_by == "hub":
            _doubt(unit, row, COPIED if copied else STOPPED)
            doubts += 1
    for row in paymentrows.in_state(unit.tx, S.INTENT, _ALL_MAX):
        if row.id > newest:
            continue
        if copied:
            _doubt(unit, book.move(unit, row, E.SENT, HUB, COPIED), COPIED)
            doubts += 1
        else:
            book.move(unit, row, E.CANCELLED, HUB, NOT_SENT, reason=NOT_SENT)
    for row in paymentrows.in_state(unit.tx, S.FORWARDING, _ALL_MAX):
        outcomes.in_doubt(unit, row, ProcessorSaid("unknown", STOPPED), HUB)
        doubts += 1
    for state in _ASKED:
        for row in paymentrows.in_state(unit.tx, state, _ALL_MAX):
            if row.lease_budget_ms > unit.tx.budget_ms or state is S.UNKNOWN:
                doubts += state is S.FORWARD_UNKNOWN
                asked = {} if row.custody == "terminal" else {"lookups": row.lookups}
                paymentrows.change(unit.tx, row, **(outcomes.done(unit, row) | asked))
    refunds.end_leases(unit, 1 << 62)
    links.end_leases(unit, 1 << 62)
    return doubts + (_doubt_copied(unit) if copied else 0)


def _doubt(unit: Unit, row: PaymentRow, why: str) -> PaymentRow:
    """Nobody knows what the terminal did; it is asked from now on."""
    facts = outcomes.done(unit, row) | {"doubt_budget_ms": max(1, unit.tx.budget_ms)}
    return book.move(unit, row, E.IN_DOUBT, HUB, why, **facts)


def _doubt_copied(unit: Unit) -> int:
    """What waits in a copy may have been presented or sent since: it is looked up first."""
    doubts = refundrows.doubt_copied(unit.tx) + linkrows.doubt_copied(unit.tx)
    for state in (S.STORED, S.RETRY_WAIT):
        for row in paymentrows.in_state(unit.tx, state, _ALL_MAX):
            if row.custody == "hub":
                _doubt_stored(unit, row)
                doubts += 1
    for row in paymentrows.in_state(unit.tx, S.UNKNOWN, _ALL_MAX):
        paymentrows.change(unit.tx, row, doubt_budget_ms=max(1, unit.tx.budget_ms))
    for row in paymentrows.in_state(unit.tx, S.AUTHORISED, _ALL_MAX):
        if row.account:  # the other box may have told the issuer of it
            paymentrows.change(unit.tx, row, forwards=max(1, row.forwards))
    return doubts


def _doubt_stored(unit: Unit, row: PaymentRow) -> None:
    facts = outcomes.done(unit, row) | {"forwards": max(1, row.forwards)}
    if row.sent_at_ms is None:
        facts |= {"sent_at_ms": row.stored_at_ms, "sent_budget_ms": row.stored_budget_ms}
    row = book.move(unit, row, E.LEASED, HUB, COPIED, **facts)
    book.move(unit, row, E.IN_DOUBT, HUB, COPIED)
