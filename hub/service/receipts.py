"""Queueing what is to be printed, in the transaction that it tells of."""

from __future__ import annotations

from typing import Any

from hub.service.notices import PrintQueued
from hub.service.unit import Unit, canonical
from hub.storage import salerows
from hub.storage.salerows import SaleLineRow, SaleRow

RECEIPT_TTL_MS = 24 * 3_600_000


def queue_sale(unit: Unit, sale: SaleRow, lines: list[SaleLineRow]) -> bool:
    """Queue a sale's receipt; False when the shop prints none or the queue is at its bound (the
    sale goes on: a receipt can be printed later)."""
    if not unit.shop.print_receipts:
        return False
    if salerows.open_print_jobs(unit.tx) >= unit.shop.print_jobs_max:
        return False
    document: dict[str, Any] = {
        "kind": "sale",
        "shop": unit.shop.name,
        "training": unit.shop.training,
        "receipt_no": sale.receipt_no,
        "sale_id": sale.sale_id,
        "at_ms": sale.at_ms,
        "currency": sale.currency,
        "lines": [
            {
                "name": line.name,
                "qty": line.qty,
                "scale": line.scale,
                "unit_price_minor": line.unit_price_minor,
                "discount_minor": line.discount_minor,
                "net_minor": line.net_minor,
                "tax_code": line.tax_code,
            }
            for line in lines
        ],
        "total_minor": sale.total_minor,
        "tax_minor": sale.tax_minor,
        "rounding_minor": sale.rounding_minor,
        "change_minor": sale.change_minor,
    }
    job_id = unit.ids.uuid7()
    salerows.add_print_job(
        unit.tx,
        job_id,
        unit.caller.id,
        "sale",
        canonical(document),
        unit.tx.budget_ms + RECEIPT_TTL_MS,
    )
    unit.tell(PrintQueued(job_id))
    return True
