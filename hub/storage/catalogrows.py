"""Looking up products, prices, taxes and policies of the generations in force."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from hub.storage.rows import Rows


class ProductRow(NamedTuple):
    """A product with the price in force; ``price_minor`` is None when it has none now."""

    sku: str
    name: str
    uom: str
    scale: int
    tax_code: str
    category: str
    age_min: int | None
    active: bool
    generation: int
    price_minor: int | None


_PRODUCT = """
SELECT p.sku, p.name, p.uom, p.scale, p.tax_code, p.category, p.age_min, p.active, p.generation,
       (SELECT r.price_minor FROM datasets e JOIN prices r ON r.generation = e.generation
        WHERE e.dataset = 'prices' AND r.sku = p.sku AND r.valid_from_ms <= ?1
          AND (r.valid_to_ms IS NULL OR r.valid_to_ms > ?1)
        ORDER BY r.valid_from_ms DESC LIMIT 1)
FROM datasets d
"""


def by_sku(rows: Rows, sku: str, now_ms: int) -> ProductRow | None:
    """A product by its SKU."""
    row = rows.one(
        f"{_PRODUCT} JOIN products p ON p.generation = d.generation AND p.sku = ?2"
        " WHERE d.dataset = 'catalog'",
        now_ms,
        sku,
    )
    return _product(row) if row else None


def by_code(rows: Rows, code: str, gtin14: str, now_ms: int) -> ProductRow | None:
    """A product by its SKU, else by a barcode, in one look-up; its ``sku`` tells which it was."""
    row = rows.one(
        f"{_PRODUCT} JOIN products p ON p.generation = d.generation AND p.sku = coalesce("
        "(SELECT q.sku FROM products q WHERE q.generation = d.generation AND q.sku = ?2),"
        " (SELECT b.sku FROM barcodes b WHERE b.generation = d.generation AND b.gtin = ?3))"
        " WHERE d.dataset = 'catalog'",
        now_ms,
        code,
        gtin14,
    )
    return _product(row) if row else None


def by_gtin(rows: Rows, gtin14: str, now_ms: int) -> ProductRow | None:
    """A product by one of its barcodes, as 14 digits."""
    row = rows.one(
        f"{_PRODUCT} JOIN barcodes b ON b.generation = d.generation AND b.gtin = ?2"
        " JOIN products p ON p.generation = d.generation AND p.sku = b.sku"
        " WHERE d.dataset = 'catalog'",
        now_ms,
        gtin14,
    )
    return _product(row) if row else None


class PriceRow(NamedTuple):
    """A price and between which instants it holds; ``valid_to_ms`` None: no end is known."""

    price_minor: int
    valid_from_ms: int
    valid_to_ms: int | None


def price_in_force(rows: Rows, sku: str, now_ms: int) -> PriceRow | None:
    """The price of a product now, with its time."""
    row = rows.one(
        "SELECT r.price_minor, r.valid_from_ms, r.valid_to_ms FROM datasets e"
        " JOIN prices r ON r.generation = e.generation"
        " WHERE e.dataset = 'prices' AND r.sku = ?2 AND r.valid_from_ms <= ?1"
        " AND (r.valid_to_ms IS NULL OR r.valid_to_ms > ?1)"
        " ORDER BY r.valid_from_ms DESC LIMIT 1",
        now_ms,
        sku,
    )
    return PriceRow(*row) if row else None


def gtins_of(rows: Rows, skus: Sequence[str]) -> dict[str, list[str]]:
    """The barcodes of some products (14 digits, smallest first); those without have no entry.

    Nothing leads from a product to its codes: all of them are walked through once.
    """
    found: dict[str, list[str]] = {}
    for gtin, sku in rows.all(
        "SELECT b.gtin, b.sku FROM datasets d JOIN barcodes b ON b.generation = d.generation"
        " WHERE d.dataset = 'catalog' AND b.sku IN (SELECT value FROM json_each(?))"
        " ORDER BY b.gtin",
        json.dumps(list(skus)),
    ):
        found.setdefault(sku, []).append(gtin)
    return found


def price_changes_at_ms(rows: Rows, sku: str, now_ms: int) -> int | None:
    """The next instant at which another price (or none) comes into force; None: not foreseen."""
    row = rows.one(
        "SELECT min(CASE WHEN r.valid_from_ms > ?1 THEN r.valid_from_ms ELSE r.valid_to_ms END)"
        " FROM datasets e JOIN prices r ON r.generation = e.generation"
        " WHERE e.dataset = 'prices' AND r.sku = ?2"
        " AND (r.valid_from_ms > ?1 OR r.valid_to_ms > ?1)",
        now_ms,
        sku,
    )
    return row[0] if row else None


def _product(row: tuple[Any, ...]) -> ProductRow:
    return ProductRow(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], bool(row[7]), row[8], row[9]
    )


def taxes(rows: Rows) -> tuple[dict[str, Any] | None, dict[str, dict[str, Any]]]:
    """``(policy row, rate rows by code)`` of the tax dataset; (None, {}) before the first sync."""
    policy: dict[str, Any] | None = None
    rates: dict[str, dict[str, Any]] = {}
    for code, data in rows.all(
        "SELECT t.code, t.data FROM datasets d JOIN taxes t ON t.generation = d.generation"
        " WHERE d.dataset = 'taxes' LIMIT 1000"
    ):
        if code == "":
            policy = json.loads(data)
        else:
            rates[code] = json.loads(data)
    return policy, rates


def tax_stamp(rows: Rows) -> tuple[int, int]:
    """What changes whenever the tax dataset changes: (generation, changes applied)."""
    return _stamp(rows, "taxes")


def policy_stamp(rows: Rows) -> tuple[int, int]:
    """The same of the policies."""
    return _stamp(rows, "policies")


def stamps(rows: Rows) -> dict[str, tuple[int, int]]:
    """The stamps of all datasets in one look-up."""
    found = rows.all("SELECT dataset, generation, changes FROM datasets LIMIT 50")
    return {name: (generation, changes) for name, generation, changes in found}


def _stamp(rows: Rows, dataset: str) -> tuple[int, int]:
    row = rows.one("SELECT generation, changes FROM datasets WHERE dataset = ?", dataset)
    return (row[0], row[1]) if row else (0, 0)


def policy(rows: Rows, key: str) -> Any:
    """The value of one policy; None if it isn't set."""
    row = rows.one(
        "SELECT p.value FROM datasets d JOIN policies p ON p.generation = d.generation"
        " WHERE d.dataset = 'policies' AND p.key = ?",
        key,
    )
    return json.loads(row[0]) if row else None
