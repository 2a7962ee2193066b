"""What people ask about print jobs and say of them: lists, answers, copies, gift receipts."""

from __future__ import annotations

import json
from typing import NamedTuple

from hub.contract.base import Command
from hub.contract.documents import Facts, TestPageFacts, facts_of
from hub.contract.printing import (
    CancelPrintJob,
    GetPrintJob,
    ListPrintJobs,
    PrintGiftReceipt,
    PrintJobDetails,
    PrintJobs,
    PrintJobView,
    PrintSettled,
    PrintTestPage,
    Reprint,
    SettlePrintJob,
)
from hub.contract.problems import Code, refuse
from hub.domain.staff import Permission, page_role
from hub.service import creditcodes, paperwork, permits, receipts
from hub.service.caller import CallerKind
from hub.service.gate import Handler, Reader, ReadUnit
from hub.service.handlers.printing import changed
from hub.service.paperwork import Made
from hub.service.unit import Unit
from hub.storage import printrows, salerows, staffrows
from hub.storage.printrows import DRAWER_KICK, PrintJobRow
from hub.storage.salerows import SaleRow

LIST_COUNT_MAX = 1000


class _Paper(NamedTuple):
    """A document to print again; ``made_on``: the till that it belongs to."""

    facts: Facts
    subject: str
    title: str
    made_on: str
    of_job: str | None = None


# Looking -----------------------------------------------------------------------------------------


def list_jobs(unit: ReadUnit, query: ListPrintJobs) -> PrintJobs:
    """See :class:`ListPrintJobs`."""
    match query.state:
        case "open":
            found = printrows.open_ones(unit.rows, query.limit)
        case "ambiguous":
            found = printrows.ambiguous(unit.rows, query.limit)
        case "all":
            found = printrows.latest(unit.rows, before=query.before, limit=query.limit)
    more = query.state == "all" and len(found) == query.limit and found[-1].id > 1
    states = printrows.counts(unit.rows)
    return PrintJobs(
        jobs=tuple(map(view, found)),
        waiting=states.get("queued", 0),
        printing=states.get("printing", 0),
        ambiguous=states.get("ambiguous", 0),
        next_before=found[-1].id if more else None,
    )


def get_job(unit: ReadUnit, query: GetPrintJob) -> PrintJobDetails:
    """See :class:`GetPrintJob`.  Errors: ``not-found``, ``forbidden``."""
    row = printrows.get(unit.rows, query.job_id)
    document = printrows.document(unit.rows, query.job_id)
    if row is None or document is None:
        raise refuse(Code.NOT_FOUND, "There is no such print job (any more).")
    if not _may_read(unit, row):
        raise refuse(
            Code.FORBIDDEN,
            "This document belongs to another device: sign in as someone who has"
            f" {Permission.HUB_VIEW} or {Permission.HUB_MANAGE}, or look at the hub's page.",
            permission=Permission.HUB_VIEW,
        )
    facts = creditcodes.hidden(json.loads(document))
    return PrintJobDetails(**view(row).model_dump(), document=facts)


def _may_read(unit: ReadUnit, row: PrintJobRow) -> bool:
    """Names and prices of what a customer bought are for the till that made or prints the document,
    and for whoever looks after the shop."""
    if unit.caller.kind is not CallerKind.DEVICE:
        return True
    if unit.caller.id in (row.device_id, _made_on(unit, row)):
        return True
    person = staffrows.signed_in(unit.rows, unit.caller.id, unit.budget_ms)
    return person is not None and page_role(permits.grants_in(person.permissions)) is not None


def _made_on(unit: ReadUnit, row: PrintJobRow) -> str | None:
    """The till that sold, or took back, what the document is about."""
    if row.kind == "return":
        back = salerows.get_return(unit.rows, row.subject)
        return salerows.return_head(unit.rows, back.id)[0] if back is not None else None
    sale = salerows.get(unit.rows, row.subject) if row.subject else None
    return sale.device_id if sale is not None else None


def view(row: PrintJobRow) -> PrintJobView:
    """A job as it is told."""
    return PrintJobView(
        number=row.id,
        job_id=row.job_id,
        device_id=row.device_id,
        kind=row.kind,
        state=row.state,
        subject=row.subject,
        title=row.title,
        printer_id=row.printer_id or row.wanted,
        attempt=row.attempt,
        copy_no=row.copy,
        of_job=row.of_job,
        reason=row.reason,
        confirmed=bool(row.confirmed),
        answer=row.answer,
        made_at_ms=row.made_at_ms,
        began_at_ms=row.began_at_ms,
        ended_at_ms=row.ended_at_ms,
    )


# Answers -----------------------------------------------------------------------------------------


def settle(unit: Unit, command: SettlePrintJob) -> PrintSettled:
    """See :class:`SettlePrintJob`."""
    row = _job(unit, command.job_id)
    _permit(unit, row.device_id)
    if row.state != "ambiguous":
        raise refuse(
            Code.CONFLICT,
            f"Nobody is asked about this job: it is {row.state}.",
            state=row.state,
        )
    again = None
    match command.answer:
        case "printed":
            printrows.end(unit.tx, row.job_id, "printed", row.reason, answer="printed")
        case "forget":
            printrows.end(unit.tx, row.job_id, "cancelled", row.reason, answer="forget")
        case "again":
            printrows.end(unit.tx, row.job_id, "cancelled", row.reason, answer="again")
            again = _queue_copy(unit, _of_job(unit, row), row.device_id, row.wanted)
    unit.note(
        "print.settled",
        row.job_id,
        {
            "answer": command.answer,
            "kind": row.kind,
            "subject": row.subject,
            "device_id": row.device_id,
            "again": again.job_id if again else None,
        },
    )
    unit.cover_all()
    done = _job(unit, row.job_id)
    changed(unit, done, done.state, done.reason)
    return PrintSettled(job=view(done), again=view(again) if again else None)


def cancel(unit: Unit, command: CancelPrintJob) -> PrintJobView:
    """See :class:`CancelPrintJob`."""
    row = _job(unit, command.job_id)
    _permit(unit, row.device_id)
    if row.state != "queued":
        hint = ": say what became of it" if row.state == "ambiguous" else ""
        raise refuse(
            Code.CONFLICT,
            f"Only what still waits can be cancelled; this job is {row.state}{hint}.",
            state=row.state,
        )
    printrows.end(unit.tx, row.job_id, "cancelled", "cancelled by a person")
    unit.note("print.cancelled", row.job_id, {"kind": row.kind, "subject": row.subject})
    unit.cover_all()
    done = _job(unit, row.job_id)
    changed(unit, done, done.state, done.reason)
    return view(done)


# Printing again ----------------------------------------------------------------------------------


def reprint(unit: Unit, command: Reprint) -> PrintJobView:
    """See :class:`Reprint`."""
    if command.sale_id is not None:
        paper = _of_sale(unit, _sale(unit, command.sale_id))
    elif command.return_id is not None:
        paper = _of_return(unit, command.return_id)
    else:
        assert command.job_id is not None
        paper = _of_ended(unit, _job(unit, command.job_id))
    _permit(unit, paper.made_on)
    _refuse_full(unit)
    where = paper.made_on if unit.caller.is_admin else unit.caller.id
    job = _queue_copy(unit, paper, where, receipts.wanted_printer(unit, command.printer_id))
    unit.note(
        "print.reprinted",
        job.job_id,
        {"kind": job.kind, "subject": job.subject, "copy": job.copy, "of_job": job.of_job},
    )
    unit.cover_all()
    return view(job)


def gift_receipt(unit: Unit, command: PrintGiftReceipt) -> PrintJobView:
    """See :class:`PrintGiftReceipt`."""
    sale = _sale(unit, command.sale_id)
    if sale.state == "voided":
        raise refuse(Code.CONFLICT, "This sale was voided: there is nothing to give away.")
    _permit(unit, sale.device_id)
    _refuse_full(unit)
    facts = paperwork.gift_facts(unit, sale, command.line_nos)
    if not facts.lines:
        raise refuse(Code.NOT_FOUND, "The sale has none of these lines.")
    where = sale.device_id if unit.caller.is_admin else unit.caller.id
    wanted = receipts.wanted_printer(unit, command.printer_id)
    job = receipts.queue(unit, where, facts, sale.sale_id, sale.receipt_no, wanted=wanted)
    unit.cover_all()
    return view(_job(unit, _queued(job)))


def test_page(unit: Unit, command: PrintTestPage) -> PrintJobView:
    """See :class:`PrintTestPage`."""
    _refuse_full(unit)
    facts = TestPageFacts(at_ms=unit.now_ms, shop=unit.shop.name, printer=command.printer_id)
    job = receipts.queue(
        unit,
        "",
        facts,
        "",
        command.printer_id,
        wanted=receipts.wanted_printer(unit, command.printer_id),
        ttl_ms=receipts.TEST_TTL_MS,
    )
    unit.cover_all()
    return view(_job(unit, _queued(job)))


def _queue_copy(unit: Unit, paper: _Paper, device_id: str, wanted: str) -> PrintJobRow:
    facts = paper.facts.model_copy(update={"is_copy": True})
    kind: str = facts.kind  # type: ignore[attr-defined]  # each of AnyFacts has one
    copy = printrows.next_copy(unit.tx, kind, paper.subject or paper.of_job or "")
    job = receipts.queue(
        unit,
        device_id,
        facts,
        paper.subject,
        paper.title,
        wanted=wanted,
        copy=copy,
        of_job=paper.of_job,
    )
    return _job(unit, _queued(job))


def _queued(job: printrows.NewJob | None) -> str:
    if job is None:
        raise refuse(Code.CONFLICT, "This document is too long to be printed.")
    return job.job_id


def _of_sale(unit: Unit, sale: SaleRow) -> _Paper:
    facts = paperwork.of_sale(unit, sale)
    return _Paper(facts, sale.sale_id, sale.receipt_no, sale.device_id)


def _of_return(unit: Unit, return_id: str) -> _Paper:
    row = salerows.get_return(unit.tx, return_id)
    if row is None:
        raise refuse(Code.NOT_FOUND, "There is no such return in this shop.")
    sale = _sale(unit, row.sale_id)
    device_id, staff_id, day = salerows.return_head(unit.tx, row.id)
    made = Made(row.at_ms, day, device_id, staff_id)
    lines = salerows.return_lines(unit.tx, row.id)
    facts = paperwork.return_facts(unit, sale, row, lines, made)
    return _Paper(facts, row.return_id, sale.receipt_no, device_id)


def _of_ended(unit: Unit, row: PrintJobRow) -> _Paper:
    if row.ended_at_ms is None:
        hint = "say `again` to it" if row.state == "ambiguous" else "wait for its end or cancel it"
        raise refuse(Code.CONFLICT, f"This job is {row.state}: {hint}.", state=row.state)
    return _of_job(unit, row)


def _of_job(unit: Unit, row: PrintJobRow) -> _Paper:
    """The document as it was queued: it says the same, whatever has changed since."""
    document = printrows.document(unit.tx, row.job_id)
    assert document is not None
    if row.kind == DRAWER_KICK:
        raise refuse(Code.CONFLICT, "A drawer is opened by drawer/open, not by printing again.")
    try:
        facts = facts_of(document)
    except ValueError:
        raise refuse(
            Code.CONFLICT, "This document can't be read any more: print the sale or return again."
        ) from None
    return _Paper(facts, row.subject, row.title, row.device_id, row.job_id)


# Rules -------------------------------------------------------------------------------------------


def _job(unit: Unit, job_id: str) -> PrintJobRow:
    row = printrows.get(unit.tx, job_id)
    if row is None:
        raise refuse(Code.NOT_FOUND, "There is no such print job (any more).")
    return row


def _sale(unit: Unit, sale_id: str) -> SaleRow:
    sale = salerows.get(unit.tx, sale_id)
    if sale is None:
        raise refuse(Code.NOT_FOUND, "There is no such sale in this shop.")
    return sale


def _permit(unit: Unit, device_id: str) -> None:
    """Whose till it is needs ``sale.sell``, whose it isn't ``hub.manage``; the page's roles were
    looked at before."""
    if unit.caller.is_admin:
        return
    own = device_id == unit.caller.id
    permits.need(unit, Permission.SALE_SELL if own else Permission.HUB_MANAGE)


def _refuse_full(unit: Unit) -> None:
    if receipts.is_full(unit):
        raise refuse(
            Code.CONFLICT,
            f"{unit.shop.print_jobs_max} documents wait already: see to the printers, and cancel"
            " or settle some.",
        )


WRITES: dict[type[Command], Handler] = {
    SettlePrintJob: settle,
    CancelPrintJob: cancel,
    Reprint: reprint,
    PrintGiftReceipt: gift_receipt,
    PrintTestPage: test_page,
}
READS: dict[type[Command], Reader] = {GetPrintJob: get_job}
SLOW_READS: dict[type[Command], Reader] = {ListPrintJobs: list_jobs}
