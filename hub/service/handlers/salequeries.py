"""Reading sales."""

from __future__ import annotations

from hub.contract.base import Command
from hub.contract.problems import Code, refuse
from hub.contract.sale import GetSale, ListSales, SaleLineView, Sales, SaleView, TenderView
from hub.service.gate import Reader, ReadUnit
from hub.storage import salerows
from hub.storage.rows import Rows
from hub.storage.salerows import SaleRow


def get_sale(unit: ReadUnit, query: GetSale) -> SaleView:
    """One sale with everything."""
    sale = salerows.get(unit.rows, query.sale_id)
    if sale is None:
        raise refuse(Code.NOT_FOUND, "There is no such sale in this shop.")
    return sale_view(unit.rows, sale)


def sale_view(rows: Rows, sale: SaleRow) -> SaleView:
    """A sale with its lines and tenders."""
    lines = tuple(
        SaleLineView(
            line_no=line.line_no,
            sku=line.sku,
            gtin=line.gtin,
            name=line.name,
            qty=line.qty,
            scale=line.scale,
            unit_price_minor=line.unit_price_minor,
            gross_minor=line.gross_minor,
            discount_minor=line.discount_minor,
            net_minor=line.net_minor,
            tax_code=line.tax_code,
            tax_minor=line.tax_minor,
            reason=line.reason,
            returned_qty=line.returned_qty,
        )
        for line in salerows.lines(rows, sale.id)
    )
    tenders = tuple(
        TenderView(
            kind=one.kind,
            amount_minor=one.amount_minor,
            payment_id=one.payment_id,
            last4=one.last4,
        )
        for one in salerows.tenders(rows, sale.id)
    )
    return _head(sale).model_copy(update={"lines": lines, "tenders": tenders})


def _head(sale: SaleRow) -> SaleView:
    return SaleView(
        sale_id=sale.sale_id,
        receipt_no=sale.receipt_no,
        state=sale.state,
        device_id=sale.device_id,
        staff_id=sale.staff_id,
        business_day=sale.business_day,
        at_ms=sale.at_ms,
        currency=sale.currency,
        total_minor=sale.total_minor,
        tax_minor=sale.tax_minor,
        rounding_minor=sale.rounding_minor,
        change_minor=sale.change_minor,
    )


def list_sales(unit: ReadUnit, query: ListSales) -> Sales:
    """The latest sales."""
    found = salerows.latest(unit.rows, before=query.before_seq, limit=query.limit)
    more = len(found) == query.limit and found[-1].id > 1
    return Sales(
        sales=tuple(_head(sale) for sale in found),
        next_before_seq=found[-1].id if more else None,
    )


READS: dict[type[Command], Reader] = {GetSale: get_sale}
SLOW_READS: dict[type[Command], Reader] = {ListSales: list_sales}
