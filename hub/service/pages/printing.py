"""The page of printing: jobs and what they put on paper; the receipt of a sale, to show."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from hub.contract.documents import facts_of
from hub.contract.pages.printing import (
    OPEN_MAX,
    EndedPage,
    EndedQuery,
    JobOnPage,
    JobQuery,
    JobWhole,
    PictureQuery,
    PrintCounts,
    PrintingPage,
    PrintingQuery,
    ReceiptQuery,
)
from hub.contract.problems import Code, refuse
from hub.documents.layout import Layout
from hub.documents.templates import Paper, Template
from hub.service import creditcodes, paperwork
from hub.service.gate import ReadUnit
from hub.service.pages import dotted, numbers
from hub.service.shop import Shop
from hub.storage import printrows, salerows
from hub.storage.pages import LAST
from hub.storage.pages import printing as rows_of
from hub.storage.pages.printing import JobHead
from hub.storage.printrows import DRAWER_KICK
from hub.storage.rows import Rows

DAY_MS: Final = 86_400_000


def overview(unit: ReadUnit, _query: PrintingQuery) -> PrintingPage:
    """What waits, what is being printed, and what nobody knows."""
    waits = rows_of.open_counts(unit.rows)
    ended_ = rows_of.ended_counts(unit.rows, unit.now_ms - DAY_MS)
    return PrintingPage(
        counts=PrintCounts(
            queued=waits.get("queued", 0),
            printing=waits.get("printing", 0),
            ambiguous=waits.get("ambiguous", 0),
            printed=ended_.get("printed", 0),
            failed=ended_.get("failed", 0) + ended_.get("expired", 0),
        ),
        ambiguous=tuple(map(_head, rows_of.ambiguous(unit.rows, OPEN_MAX))),
        open=tuple(map(_head, rows_of.under_way(unit.rows, OPEN_MAX))),
        last_ended=rows_of.last_ended(unit.rows),
    )


def ended(unit: ReadUnit, query: EndedQuery) -> EndedPage:
    """Jobs that ended, the last ones first."""
    at_ms, number = numbers(query.cursor, (LAST, LAST))
    rows = rows_of.ended(unit.rows, query.which, (at_ms, number), query.limit + 1)
    shown = rows[: query.limit]
    more = len(rows) > query.limit
    return EndedPage(
        jobs=tuple(map(_head, shown)),
        next_cursor=dotted(shown[-1].ended_at_ms or 0, shown[-1].id) if more else None,
    )


def _head(row: JobHead) -> JobOnPage:
    return JobOnPage(
        number=row.id,
        job_id=row.job_id,
        device_id=row.device_id,
        kind=row.kind,
        state=row.state,
        subject=row.subject,
        title=row.title,
        printer_id=row.printer_id,
        attempt=row.attempt,
        copy_no=row.copy,
        of_job=row.of_job,
        reason=row.reason,
        confirmed=bool(row.confirmed),
        answer=row.answer,
        made_at_ms=row.made_at_ms,
        began_at_ms=row.began_at_ms,
        ended_at_ms=row.ended_at_ms,
        device_name=row.device_name,
        printer_name=row.printer_name,
        sale_id=row.subject if row.is_sale else None,
    )


def one(unit: ReadUnit, query: JobQuery, template: Template) -> JobWhole:
    """A job with its document in letters.  Errors: ``not-found``."""
    row = rows_of.one(unit.rows, query.job_id)
    document = printrows.document(unit.rows, query.job_id)
    if row is None or document is None:
        raise refuse(Code.NOT_FOUND, "There is no such print job (any more).")
    layout = _composed(row.kind, document, template)
    if layout is None:
        return JobWhole(job=_head(row))
    from hub.documents.plain import plain

    return JobWhole(job=_head(row), text=plain(layout), rtl=layout.rtl)


def layout(unit: ReadUnit, query: PictureQuery, template: Template) -> Layout:
    """A job's document.  Errors: ``not-found``, also for a job without one."""
    row = rows_of.one(unit.rows, query.job_id)
    document = printrows.document(unit.rows, query.job_id)
    found = _composed(row.kind, document, template) if row and document is not None else None
    if found is None:
        raise refuse(Code.NOT_FOUND, "There is no such document (any more).")
    return found


def _composed(kind: str, document: str, template: Template) -> Layout | None:
    """None: it can't be shown, as it is a drawer's or of a form that isn't known any more."""
    if kind == DRAWER_KICK:
        return None
    from hub.documents.compose import compose  # brings libraries that an idle hub does without

    try:
        return compose(facts_of(creditcodes.hidden(json.loads(document))), template, Paper())
    except ValidationError:
        return None


@dataclass(frozen=True, slots=True)
class _Looking:
    """What paperwork is made from, beside the writer; nobody is signed in here."""

    tx: Rows
    shop: Shop
    now_ms: int
    staff: None = None


def receipt(unit: ReadUnit, query: ReceiptQuery, template: Template) -> str:
    """A sale's receipt, or the slip of its void, as a page of HTML, marked as a copy.  Errors:
    ``not-found``."""
    sale = salerows.get(unit.rows, query.sale_id)
    if sale is None:
        raise refuse(Code.NOT_FOUND, "There is no such sale in this shop.")
    facts = paperwork.of_sale(_Looking(unit.rows, unit.shop, unit.now_ms), sale)
    copy = facts.model_copy(update={"is_copy": True})
    from hub.documents.compose import compose
    from hub.documents.page import page

    return page(compose(copy, template, Paper()))
