"""The pages of sales and baskets: what was sold and what became of it, nobody's name."""

from __future__ import annotations

from typing import Literal

from hub.contract.pages.sales import (
    BasketOnPage,
    BasketQuery,
    BasketsPage,
    BasketsQuery,
    BasketWhole,
    DaysPage,
    DaysQuery,
    DayView,
    ReturnLineSeen,
    ReturnSeen,
    SaleOnPage,
    SaleQuery,
    SalesPage,
    SalesQuery,
    SaleWhole,
    TenderSeen,
)
from hub.contract.problems import Code, refuse
from hub.service.gate import ReadUnit
from hub.service.handlers import baskets as basket_handlers
from hub.service.handlers import salequeries
from hub.service.pages import bad_cursor, dotted, numbers, payments
from hub.storage import basketrows, outbox, salerows
from hub.storage.pages import LAST, cloud, sales
from hub.storage.pages.sales import BasketHead, ReturnHead, SaleHead
from hub.storage.salerows import DayRow

ID_CHARS = 36
RETURNS_MAX = 200


def days(unit: ReadUnit, query: DaysQuery) -> DaysPage:
    """Business days, the newest first."""
    rows = sales.days(unit.rows, query.cursor or "9999-99-99", query.limit + 1)
    shown, more = rows[: query.limit], len(rows) > query.limit
    return DaysPage(
        days=tuple(_day(unit, row) for row in shown),
        next_cursor=shown[-1].business_day if more else None,
    )


def _day(unit: ReadUnit, row: DayRow) -> DayView:
    return DayView(
        business_day=row.business_day,
        count=row.sales - row.voided,
        total_minor=row.total_minor - row.voided_minor,
        voided=row.voided,
        voided_minor=row.voided_minor,
        returned_minor=row.returned_minor,
        currency=unit.shop.currency,
        last_at_ms=row.last_at_ms or None,
    )


def listed(unit: ReadUnit, query: SalesQuery) -> SalesPage:
    """Sales of a day, by receipt number, by id, or all."""
    day = _day(unit, salerows.day(unit.rows, query.day)) if query.day else None
    if len(query.q) == ID_CHARS:
        found = sales.one(unit.rows, query.q)
        fits = found is not None and query.day in (None, found.business_day)
        return SalesPage(day=day, sales=(_head(found),) if found and fits else ())
    rows, cursor = _page(unit, query)
    return SalesPage(day=day, sales=tuple(_head(row) for row in rows), next_cursor=cursor)


def _page(unit: ReadUnit, query: SalesQuery) -> tuple[list[SaleHead], str | None]:
    limit = query.limit + 1
    if query.q and not query.day:
        rows = sales.by_receipt(unit.rows, query.q, _place(query), limit)
        shown = rows[: query.limit]
        last = f"{shown[-1].receipt_no}:{shown[-1].id}" if shown else ""
    else:
        (before,) = numbers(query.cursor, (LAST,))
        rows = (
            sales.of_day(unit.rows, query.day, query.q, before, limit)
            if query.day
            else sales.newest(unit.rows, before, limit)
        )
        shown = rows[: query.limit]
        last = dotted(shown[-1].id) if shown else ""
    return shown, last if len(rows) > query.limit else None


def _place(query: SalesQuery) -> tuple[str, int]:
    if query.cursor is None:
        return sales.after_all(query.q)
    receipt, _, number = query.cursor.partition(":")
    if not receipt.startswith(query.q) or not number:
        raise bad_cursor()
    return receipt, numbers(number, (0,))[0]


def _head(row: SaleHead) -> SaleOnPage:
    kinds = tuple(sorted(kind for kind in row.tenders.split(",") if kind))
    return SaleOnPage(
        sale_id=row.sale_id,
        receipt_no=row.receipt_no,
        state="voided" if row.state == "voided" else "completed",
        device_id=row.device_id,
        business_day=row.business_day,
        at_ms=row.at_ms,
        currency=row.currency,
        total_minor=row.total_minor,
        lines=row.lines,
        tenders=kinds,
        has_returns=bool(row.has_returns),
    )


def one(unit: ReadUnit, query: SaleQuery) -> SaleWhole:
    """A sale with everything that became of it.  Errors: ``not-found``."""
    head = sales.one(unit.rows, query.sale_id)
    sale = salerows.get(unit.rows, query.sale_id)
    if head is None or sale is None:
        raise refuse(Code.NOT_FOUND, "There is no such sale in this shop.")
    return SaleWhole(
        sale=_head(head),
        tax_minor=sale.tax_minor,
        rounding_minor=sale.rounding_minor,
        change_minor=sale.change_minor,
        voided_at_ms=sale.voided_at_ms,
        void_reason=sale.void_reason,
        lines=salequeries.sale_view(unit.rows, sale).lines,
        tenders=tuple(
            TenderSeen(
                kind=one.kind,
                amount_minor=one.amount_minor,
                refunded_minor=one.refunded_minor,
                payment_id=one.payment_id,
            )
            for one in salerows.tenders(unit.rows, sale.id)
        ),
        payments=payments.of_sale(unit, sale.sale_id),
        returns=tuple(
            _return(unit, row) for row in sales.returns_of(unit.rows, sale.id, RETURNS_MAX)
        ),
        outbox_id=sale.outbox_id,
        told=_told(unit, sale.outbox_id),
    )


def _return(unit: ReadUnit, row: ReturnHead) -> ReturnSeen:
    return ReturnSeen(
        return_id=row.return_id,
        at_ms=row.at_ms,
        business_day=row.business_day,
        device_id=row.device_id,
        total_minor=row.total_minor,
        tax_minor=row.tax_minor,
        lines=tuple(
            ReturnLineSeen(**line._asdict()) for line in sales.return_lines(unit.rows, row.id)
        ),
    )


def _told(unit: ReadUnit, outbox_id: int) -> Literal["waiting", "acked", "parked", "unknown"]:
    """How far the cloud knows of an event; one that is gone from the outbox was acked."""
    if outbox_id == 0:
        return "unknown"
    parked = outbox.parked_row(unit.rows, outbox_id)
    if parked is not None and parked.resent_at_ms is None:
        return "parked"
    row = outbox.get(unit.rows, outbox_id)
    if row is None or row.seq <= cloud.acked_seq(unit.rows, row.source, row.stream):
        return "acked"
    return "waiting"


# Baskets -----------------------------------------------------------------------------------------


def baskets(unit: ReadUnit, query: BasketsQuery) -> BasketsPage:
    """Open and suspended baskets."""
    changed_ms, number = numbers(query.cursor, (LAST, LAST))
    rows = sales.baskets(unit.rows, query.state, (changed_ms, number), query.limit + 1)
    shown, more = rows[: query.limit], len(rows) > query.limit
    return BasketsPage(
        baskets=tuple(_basket(row) for row in shown),
        next_cursor=dotted(shown[-1].changed_at_ms, shown[-1].id) if more else None,
    )


def basket(unit: ReadUnit, query: BasketQuery) -> BasketWhole:
    """One basket with its lines.  Errors: ``not-found``."""
    head = sales.basket(unit.rows, query.basket_id)
    row = basketrows.get(unit.rows, query.basket_id)
    if head is None or row is None:
        raise refuse(Code.NOT_FOUND, "There is no such basket (any more).")
    view = basket_handlers.view(unit.rows, row, unit.shop.currency)
    return BasketWhole(
        basket=_basket(head),
        lines=view.lines,
        total_minor=view.total_minor,
        tax_minor=view.tax_minor,
        currency=view.currency,
        warnings=view.warnings,
    )


def _basket(row: BasketHead) -> BasketOnPage:
    return BasketOnPage(
        basket_id=row.basket_id,
        state=row.state,
        owner=row.owner,
        opened_at_ms=row.opened_at_ms,
        changed_at_ms=row.changed_at_ms,
        lines=row.lines,
    )
