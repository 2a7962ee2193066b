"""What one scan asks: product, price in force and levels, in one look-up."""

from __future__ import annotations

from typing import NamedTuple

from hub.storage.rows import Rows


class ScanRow(NamedTuple):
    """A product with the price in force (None without one) and its levels; ``allotted`` and those
    before it are zeros for a product that never moved."""

    sku: str
    name: str
    uom: str
    scale: int
    tax_code: str
    category: str
    age_min: int | None
    active: int
    generation: int
    price_minor: int | None
    safety: int
    sellable: int
    staged: int
    quarantine: int
    refurbish: int
    damaged: int
    transit_in: int
    reserved: int
    held: int
    allotted: int
    ledger_seq: int


_NEVER_MOVED = (0,) * 11

_SCAN = """
SELECT p.sku, p.name, p.uom, p.scale, p.tax_code, p.category, p.age_min, p.active, p.generation,
       (SELECT r.price_minor FROM prices r
        WHERE r.generation = e.generation AND r.sku = p.sku AND r.valid_from_ms <= ?1
          AND (r.valid_to_ms IS NULL OR r.valid_to_ms > ?1)
        ORDER BY r.valid_from_ms DESC LIMIT 1),
       p.safety_qty, s.sellable, s.staged, s.quarantine, s.refurbish, s.damaged, s.transit_in,
       s.reserved, s.held, s.allotted, s.last_seq
FROM datasets d
JOIN products p ON p.generation = d.generation AND p.sku = coalesce(
    (SELECT q.sku FROM products q WHERE q.generation = d.generation AND q.sku = ?2),
    (SELECT b.sku FROM barcodes b WHERE b.generation = d.generation AND b.gtin = ?3))
LEFT JOIN datasets e ON e.dataset = 'prices'
LEFT JOIN skus k ON k.sku = p.sku
LEFT JOIN stock s ON s.sku_id = k.id
WHERE d.dataset = 'catalog'
"""


def by_code(rows: Rows, code: str, gtin14: str, now_ms: int) -> ScanRow | None:
    """A product by its SKU, else by a barcode, with everything a scan shows; its ``sku`` tells
    which it was."""
    row = rows.one(_SCAN, now_ms, code, gtin14)
    if row is None:
        return None
    return ScanRow._make(row) if row[11] is not None else ScanRow._make(row[:10] + _NEVER_MOVED)
