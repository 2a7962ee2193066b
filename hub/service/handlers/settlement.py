"""The processor's settlement reports taken in, and the three-way comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from hub.contract.base import Command
from hub.contract.settlement import (
    Difference,
    ImportSettlement,
    Reconcile,
    Reconciliation,
    SettlementImported,
    SettlementLine,
    StateSum,
)
from hub.domain.payments.matching import (
    OWNERS,
    Booked,
    LineKind,
    Owner,
    Verdict,
    judge_payment,
    judge_refund,
    steps_of,
)
from hub.domain.payments.states import PaymentEvent, PaymentState, can
from hub.service.gate import Handler, Reader, ReadUnit
from hub.service.internal import InternalCommand
from hub.service.payments import book
from hub.service.payments.commands import NoteTerminal
from hub.service.unit import Unit
from hub.storage import linkrows, paymentrows, paymentwork, salerows, settlementrows
from hub.storage.paymentrows import PaymentRow
from hub.storage.rows import Rows
from hub.storage.settlementrows import SettlementLineRow

DAY_MS: Final = 86_400_000
BY: Final = "settlement"
_WAITING: Final = {
    "manual": ("nobody could say how it ended", "Look it up at the processor, then decide it."),
    "lost": ("the terminal that keeps it is lost", "Look it up at the processor, then decide it."),
    "recovery": ("it was declined after the goods were gone", "Collect it, or write it off."),
}
_MONEY: Final = {
    "not-captured": (
        "it was sold for days ago, and its money isn't taken yet",
        "Look it up at the processor: an authorisation lapses after some days.",
    ),
    "not-given-back": (
        "it was given up or voided days ago, and its money hasn't gone back",
        "Is the processor reached? What a till's own terminal took is given back there.",
    ),
}
_STEPS: Final = {
    Owner.PROCESSOR: "Ask the processor, with its reference.",
    Owner.CENTRAL: "Find out which shop or terminal it belongs to.",
    Owner.MANAGER: "Answer it at the processor in time, with the receipt.",
    Owner.TECHNICIAN: "Look at the terminal.",
}


# Importing ---------------------------------------------------------------------------------------


def import_settlement(unit: Unit, command: ImportSettlement) -> SettlementImported:
    """See :class:`ImportSettlement`."""
    digest = _digest(command)
    known = settlementrows.file_of(unit.tx, digest)
    if known is not None:
        verdicts = settlementrows.verdicts(unit.tx, known.id)
        return SettlementImported(lines=known.lines, verdicts=verdicts, again=True)
    paid: set[str] = set()
    rows = [_taken(unit, n, line, paid) for n, line in enumerate(command.lines, start=1)]
    by = unit.caller.staff_id or unit.caller.key
    settlementrows.add_file(unit.tx, digest, command.processor, command.name, rows, by)
    verdicts = dict(Counter(row.verdict for row in rows))
    about = {"name": command.name, "part": command.part, "verdicts": verdicts}
    unit.note("settlement.imported", command.processor, about)
    return SettlementImported(lines=len(rows), verdicts=verdicts)


def _digest(command: ImportSettlement) -> bytes:
    return sha256(command.model_dump_json(include={"processor", "lines", "part"}).encode()).digest()


def _taken(unit: Unit, n: int, line: SettlementLine, paid: set[str]) -> SettlementLineRow:
    """The line with its verdict, and what follows from it in the book."""
    payment_id = line.payment_id
    match LineKind(line.kind):
        case LineKind.FEE:
            verdict = Verdict.MATCHED
        case LineKind.CHARGEBACK:
            verdict = Verdict.CHARGEBACK
        case LineKind.REFUND:
            known = settlementrows.refund_of(unit.tx, payment_id, line.psp_ref)
            verdict = judge_refund(known, line.amount_minor)
        case LineKind.REVERSAL:
            row = _payment_of(unit.tx, line)
            reversed_ = row is not None and row.state == PaymentState.REVERSED
            verdict = Verdict.MATCHED if reversed_ else Verdict.UNKNOWN_REFUND
        case LineKind.PAYMENT:
            row = _payment_of(unit.tx, line)
            payment_id = row.payment_id if row else payment_id
            verdict = _judged(unit, line, row, paid)
    return SettlementLineRow(
        n,
        line.kind,
        payment_id,
        line.psp_ref,
        line.amount_minor,
        line.currency,
        line.at_ms,
        verdict,
    )


def _payment_of(rows: Rows, line: SettlementLine) -> PaymentRow | None:
    found = paymentrows.get(rows, line.payment_id) if line.payment_id else None
    if found is None and (name := settlementrows.payment_named(rows, line.psp_ref)):
        found = paymentrows.get(rows, name)
    return found


def _judged(unit: Unit, line: SettlementLine, row: PaymentRow | None, paid: set[str]) -> Verdict:
    if row is None and salerows.sale_of_payment(unit.tx, line.payment_id) is not None:
        return Verdict.STAND_ALONE
    if row is not None and linkrows.is_paid_by(unit.tx, row.id, line.psp_ref):
        return Verdict.MATCHED  # by a link, when it was owed: the payment itself brought nothing
    verdict = judge_payment(_booked(unit.tx, row, paid), line.amount_minor, line.currency)
    if row is None or verdict not in (Verdict.MATCHED, Verdict.GIVEN_UP):
        return verdict
    paid.add(row.payment_id)
    detail = f"{book.PAID_OUT}: {line.psp_ref}" if line.psp_ref else book.PAID_OUT
    for event in steps_of(PaymentState(row.state)):
        facts: dict[str, Any] = {"void_asked": 1} if event is PaymentEvent.LATE_APPROVAL else {}
        if line.psp_ref and not row.psp_ref:
            facts["psp_ref"] = line.psp_ref
        if can(PaymentState(row.state), event):
            row = book.move(unit, row, event, BY, detail, **facts)
    return verdict


def _booked(rows: Rows, row: PaymentRow | None, paid: set[str]) -> Booked | None:
    if row is None:
        return None
    before = row.payment_id in paid or settlementrows.paid_out(rows, row.payment_id)
    return Booked(PaymentState(row.state), row.amount_minor, row.currency, before)


# Comparing ---------------------------------------------------------------------------------------


def reconcile(unit: ReadUnit, query: Reconcile) -> Reconciliation:
    """See :class:`Reconcile`."""
    counts = paymentrows.counts(unit.rows)
    files = settlementrows.files(unit.rows, 1000)
    owed = (PaymentState.CAPTURED, PaymentState.AUTHORISED)
    return Reconciliation(
        currency=unit.shop.currency,
        at_ms=unit.now_ms,
        states=tuple(
            StateSum(state=state, count=count, amount_minor=minor)
            for state, (count, minor) in sorted(counts.items())
        ),
        owed_minor=sum(counts.get(state, (0, 0))[1] for state in owed),
        files=len(files),
        last_import_at_ms=files[0].imported_at_ms if files else None,
        differences=(
            *_of_lines(unit, query),
            *(_of_captured(unit, query) if files else ()),
            *_of_terminals(unit),
            *_of_people(unit, query),
            *_of_refunds(unit, query),
            *_of_twice_given(unit, query),
        ),
    )


def _of_lines(unit: ReadUnit, query: Reconcile) -> Iterator[Difference]:
    for line in settlementrows.wrong_lines(unit.rows, unit.now_ms - query.days * DAY_MS):
        owner = OWNERS.get(Verdict(line.verdict), Owner.CENTRAL)
        if owner is Owner.NOBODY:
            continue
        what = f"{line.name}, line {line.n}: {line.kind} {line.psp_ref or line.payment_id}: "
        yield Difference(
            kind=line.verdict,
            owner=owner,
            what=what + line.verdict.replace("-", " "),
            next_step=_STEPS[owner],
            payment_id=line.payment_id,
            amount_minor=line.amount_minor,
            at_ms=line.at_ms,
        )


def _of_captured(unit: ReadUnit, query: Reconcile) -> Iterator[Difference]:
    before_ms = unit.now_ms - query.unsettled_after_days * DAY_MS
    for one in settlementrows.unsettled(unit.rows, before_ms):
        yield Difference(
            kind="not-paid-out",
            owner=Owner.PROCESSOR,
            what=f"captured {query.unsettled_after_days} days ago or more, and in no report",
            next_step="Import the reports of these days; then ask the processor.",
            payment_id=one.payment_id,
            terminal_id=one.terminal_id,
            amount_minor=one.amount_minor,
            at_ms=one.changed_at_ms,
        )


def _of_terminals(unit: ReadUnit) -> Iterator[Difference]:
    for gap in settlementrows.gaps(unit.rows):
        yield Difference(
            kind="sequence-gap",
            owner=Owner.TECHNICIAN,
            what=f"{gap.given} numbers were given to offline payments, {gap.kept} are in the book",
            next_step="Was the hub put back from a copy? Compare with the terminal's own journal.",
            terminal_id=gap.terminal_id,
        )
    for said in settlementrows.terminals(unit.rows):
        if said.stored_count is None or said.stored_count == said.booked_count:
            continue
        more = said.stored_count > said.booked_count
        yield Difference(
            kind="terminal-has-more" if more else "terminal-has-fewer",
            owner=Owner.TECHNICIAN if more else Owner.PROCESSOR,
            what=f"the terminal keeps {said.stored_count} payments, the book {said.booked_count}",
            next_step="Compare with the terminal's journal."
            if more
            else "It has forwarded some: import the processor's report, or look them up there.",
            terminal_id=said.terminal_id,
            amount_minor=(said.stored_minor or 0) - said.booked_minor,
            at_ms=said.at_ms,
        )


def _of_people(unit: ReadUnit, query: Reconcile) -> Iterator[Difference]:
    for state, (what, step) in _WAITING.items():
        for row in paymentrows.in_state(unit.rows, state):
            yield _managers(row, state, what, step)
    before_ms = unit.now_ms - query.unsettled_after_days * DAY_MS
    for kind, rows in (
        ("not-captured", paymentwork.not_captured(unit.rows, before_ms)),
        ("not-given-back", paymentwork.not_given_back(unit.rows, before_ms)),
    ):
        for row in rows:
            yield _managers(row, kind, *_MONEY[kind])
    for row in paymentrows.surcharged(unit.rows, unit.now_ms - query.days * DAY_MS):
        what = f"the terminal added {row.surcharge_minor} for paying by card: too much here"
        step = "Mend the terminal's settings, or set payments.surcharge_max_percent."
        facts = {"amount_minor": row.surcharge_minor, "at_ms": row.begun_at_ms}
        yield _managers(row, "surcharge", what, step).model_copy(update=facts)


def _managers(row: PaymentRow, kind: str, what: str, next_step: str) -> Difference:
    return Difference(
        kind=kind,
        owner=Owner.MANAGER,
        what=what,
        next_step=next_step,
        payment_id=row.payment_id,
        terminal_id=row.terminal_id,
        amount_minor=row.amount_minor,
        at_ms=row.changed_at_ms,
    )


def _of_refunds(unit: ReadUnit, query: Reconcile) -> Iterator[Difference]:
    for refund in settlementrows.refused_refunds(unit.rows, unit.now_ms - query.days * DAY_MS):
        yield Difference(
            kind="refund-refused",
            owner=Owner.MANAGER,
            what=f"{refund.refund_id} can't be given back: {refund.reason}",
            next_step="Has the customer paid this, too, when the rest was paid otherwise? Then"
            " give it back; say in either case that it was seen to."
            if refund.state == "recovered"
            else "Give the customer the money another way, and say so.",
            payment_id=refund.payment_id,
            amount_minor=refund.amount_minor,
            at_ms=refund.changed_at_ms,
        )
    before_ms = unit.now_ms - query.unsettled_after_days * DAY_MS
    for left in settlementrows.untold_refunds(unit.rows, before_ms):
        yield Difference(
            kind="refund-untold",
            owner=Owner.MANAGER,
            what=f"{left.refund_id}: {left.device_id or 'a till'} was to give it back at its"
            " terminal, and hasn't said so",
            next_step="Switch the till on; or look in its terminal's journal, and say so.",
            payment_id=left.payment_id,
            amount_minor=left.amount_minor,
            at_ms=left.changed_at_ms,
        )


def _of_twice_given(unit: ReadUnit, query: Reconcile) -> Iterator[Difference]:
    for given in settlementrows.given_twice(unit.rows, unit.now_ms - query.days * DAY_MS):
        yield Difference(
            kind="refund-given-twice",
            owner=Owner.MANAGER,
            what=f"{given.refund_id}: somebody gave it in another way, and {given.by} gave it back"
            " at its terminal, too",
            next_step="Find out whether both went out (store-hub audit list names who said so);"
            " ask the customer for one of them, or book it as a loss.",
            payment_id=given.payment_id,
            amount_minor=given.amount_minor,
            at_ms=given.at_ms,
        )


def note_terminal(unit: Unit, command: NoteTerminal) -> None:
    """See :class:`NoteTerminal`."""
    count, minor = command.stored_count, command.stored_minor
    settlementrows.note_terminal(unit.tx, command.terminal_id, count, minor)


@dataclass(frozen=True, slots=True)
class NoteComparison(InternalCommand):
    """The day's comparison was made: what the processor owes, the differences by their kinds."""

    owed_minor: int
    differences: tuple[tuple[str, int], ...]


def note_comparison(unit: Unit, command: NoteComparison) -> None:
    """See :class:`NoteComparison`."""
    about = {"owed_minor": command.owed_minor, "differences": dict(command.differences)}
    unit.note("settlement.compared", "payments", about)


WRITES: dict[type[Command], Handler] = {ImportSettlement: import_settlement}
READS: dict[type[Command], Reader] = {}
SLOW_READS: dict[type[Command], Reader] = {Reconcile: reconcile}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    NoteTerminal: note_terminal,
    NoteComparison: note_comparison,
}
