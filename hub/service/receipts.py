"""Queueing what is to be printed, in the transaction that it tells of.

Documents are queued as the facts of :mod:`hub.contract.documents`.  Whatever stands in the way of
paper (no printing set up, too much waiting) never stands in the way of a sale.
"""

from __future__ import annotations

from typing import Final

from hub.contract.documents import Facts
from hub.contract.problems import Code, refuse
from hub.contract.sale import RefundView
from hub.service import paperwork
from hub.service.notices import PrintQueued
from hub.service.unit import Unit, canonical
from hub.storage import peripheralrows, printrows
from hub.storage.printrows import DRAWER_KICK, PRIORITY_KICK, NewJob
from hub.storage.salerows import ReturnLineRow, ReturnRow, SaleLineRow, SaleRow, TenderRow

RECEIPT_TTL_MS: Final = 3_600_000
"""A customer who has waited for an hour for a receipt is gone; a copy can be printed then."""
TEST_TTL_MS: Final = 300_000
KICK_TTL_MS: Final = 5_000
"""A drawer that opens later opens in front of nobody, or of the wrong person."""
KICKS_MAX: Final = 50
PRINTER: Final = "printer"
UNDRIVEN: Final = "service"
"""The kinds that peripherals have among the devices; the latter while none of its drivers fits."""
PRIORITY_DOCUMENT: Final = 5
PRIORITY_LABEL: Final = 6
"""A customer waits for a receipt; nobody for a label."""


def queue_sale(
    unit: Unit, sale: SaleRow, lines: list[SaleLineRow], tenders: list[TenderRow]
) -> bool:
    """Queue a sale's receipt; False when the shop prints none or the queue is at its bound (the
    sale goes on: a receipt can be printed later)."""
    if not _may_queue(unit):
        return False
    facts = paperwork.sale_facts(unit, sale, lines, tenders)
    return queue(unit, unit.caller.id, facts, sale.sale_id, sale.receipt_no) is not None


def queue_void(
    unit: Unit, sale: SaleRow, reason: str, approved_by: str | None, refunds: tuple[RefundView, ...]
) -> bool:
    """Queue the slip of a void that is made now; see :func:`queue_sale`."""
    if not _may_queue(unit):
        return False
    made = paperwork.Made(unit.now_ms, sale.business_day, unit.caller.id, unit.staff_id)
    voided = paperwork.Voided(reason, refunds, approved_by)
    facts = paperwork.void_facts(unit, sale, voided, made)
    return queue(unit, unit.caller.id, facts, sale.sale_id, sale.receipt_no) is not None


def queue_return(
    unit: Unit, sale: SaleRow, row: ReturnRow, lines: list[ReturnLineRow], business_day: str
) -> bool:
    """Queue the receipt of a return; see :func:`queue_sale`."""
    if not _may_queue(unit):
        return False
    made = paperwork.Made(row.at_ms, business_day, unit.caller.id, unit.staff_id)
    facts = paperwork.return_facts(unit, sale, row, lines, made)
    return queue(unit, unit.caller.id, facts, row.return_id, sale.receipt_no) is not None


def is_full(unit: Unit) -> bool:
    """Whether as many jobs are open as may be."""
    return printrows.count_open(unit.tx) >= unit.shop.print_jobs_max


def _may_queue(unit: Unit) -> bool:
    return unit.shop.print_receipts and not is_full(unit)


def wanted_printer(unit: Unit, printer_id: str | None) -> str:
    """The printer that somebody names; empty when nobody does.  Errors: ``not-found``, with those
    that there are, when it isn't one.  One that was just set up may be one."""
    if printer_id is None:
        return ""
    kinds = peripheralrows.owners(unit.tx)
    printers = sorted(name for name, kind in kinds.items() if kind == PRINTER)
    unseen = {one.peripheral_id for one in peripheralrows.listed(unit.tx)}
    unseen |= unit.shop.file_peripherals
    if kinds.get(printer_id) in (PRINTER, UNDRIVEN) or printer_id in unseen - kinds.keys():
        return printer_id
    what = "isn't a printer" if printer_id in kinds else "isn't set up"
    raise refuse(
        Code.NOT_FOUND,
        f"{printer_id} {what}: "
        + (f"choose one of {', '.join(printers)}." if printers else "set a printer up first."),
        field="printer_id",
        printers=printers,
    )


def queue(
    unit: Unit,
    device_id: str,
    facts: Facts,
    subject: str,
    title: str,
    *,
    wanted: str = "",
    copy: int = 0,
    of_job: str | None = None,
    ttl_ms: int = RECEIPT_TTL_MS,
    priority: int = PRIORITY_DOCUMENT,
) -> NewJob | None:
    """Queue a document for the printer ``wanted``, or else for the till's own; None when it is
    longer than any document may be."""
    kind: str = facts.kind  # type: ignore[attr-defined]  # each of AnyFacts has one
    document = facts.model_dump_json()
    if len(document) > printrows.DOCUMENT_MAX_BYTES:
        return None
    job = NewJob(
        unit.ids.uuid7(),
        device_id,
        kind,
        document,
        unit.tx.budget_ms + ttl_ms,
        subject,
        title,
        priority,
        wanted,
        copy,
        of_job,
    )
    _add(unit, job)
    return job


def queue_kick(unit: Unit, why: str, subject: str = "", device_id: str | None = None) -> str | None:
    """Have the drawer of a till (of the caller, unless another is named) opened within seconds; the
    job's id.  None: the till has no drawer, or too many wait."""
    till = device_id or unit.caller.id
    if not unit.shop.has_drawer(till):
        return None
    if printrows.count_open(unit.tx, kicks=True) >= KICKS_MAX:
        return None
    job_id = unit.ids.uuid7()
    document = canonical({"kind": DRAWER_KICK, "why": why, "at_ms": unit.now_ms})
    expires_ms = unit.tx.budget_ms + KICK_TTL_MS
    job = NewJob(job_id, till, DRAWER_KICK, document, expires_ms, subject, why, PRIORITY_KICK)
    _add(unit, job)
    return job_id


def _add(unit: Unit, job: NewJob) -> None:
    printrows.add(unit.tx, job)
    unit.tell(PrintQueued(job.job_id))
