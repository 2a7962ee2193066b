"""Products, ledgers and counts as their pages list them."""

from __future__ import annotations

import json
from typing import NamedTuple

from hub.storage.rows import Rows

ABOVE = "\U0010ffff"
"""Sorts behind every text with the same beginning."""
COUNTS_LOOKED_AT = 1000


def skus_from(rows: Rows, after: str, limit: int) -> list[str]:
    """SKUs of the catalogue in force, in order."""
    found = rows.all(
        "SELECT p.sku FROM datasets d JOIN products p ON p.generation = d.generation AND p.sku > ?"
        " WHERE d.dataset = 'catalog' ORDER BY p.sku LIMIT ?",
        after,
        limit,
    )
    return [row[0] for row in found]


def skus_like(rows: Rows, beginning: str, limit: int) -> list[str]:
    """SKUs of the catalogue or of the stock that begin so, in order."""
    end = beginning + ABOVE
    listed = rows.all(
        "SELECT p.sku FROM datasets d JOIN products p ON p.generation = d.generation"
        " AND p.sku >= ? AND p.sku < ? WHERE d.dataset = 'catalog' ORDER BY p.sku LIMIT ?",
        beginning,
        end,
        limit,
    )
    moved = rows.all(
        "SELECT sku FROM skus WHERE sku >= ? AND sku < ? ORDER BY sku LIMIT ?",
        beginning,
        end,
        limit,
    )
    return sorted({row[0] for row in (*listed, *moved)})[:limit]


class DocumentHead(NamedTuple):
    """What a movement belongs to; ``document`` is its id, the others as far as they are known."""

    document: str | None = None
    at_ms: int | None = None
    device_id: str | None = None
    sale_id: str | None = None
    receipt_no: str | None = None
    reason: str = ""


_DOCUMENTS = {
    "sale": "SELECT sale_id, at_ms, device_id, sale_id, receipt_no, '' FROM sales WHERE id = ?1",
    "void": "SELECT sale_id, voided_at_ms, NULL, sale_id, receipt_no, coalesce(void_reason, '')"
    " FROM sales WHERE id = ?1",
    "return": "SELECT r.return_id, r.at_ms, r.device_id, s.sale_id, s.receipt_no, coalesce("
    "(SELECT l.reason FROM return_lines l WHERE l.return = r.id AND l.line_no = ?2), '')"
    " FROM returns r JOIN sales s ON s.id = r.sale WHERE r.id = ?1",
    "order": "SELECT order_id, ended_at_ms, NULL, NULL, NULL, number FROM orders WHERE id = ?1",
}
_OTHER = (
    "SELECT document_id, at_ms, device_id, NULL, NULL, reference FROM documents"
    " WHERE id = ?1 AND kind = ?3"
)


def document_of(rows: Rows, ref_type: str, ref_id: int, ref_line: int) -> DocumentHead:
    """The document of a movement; empty when there is none."""
    sql = _DOCUMENTS.get(ref_type)
    if sql is None:
        row = rows.one(_OTHER, ref_id, ref_line, ref_type)
    elif ref_type == "return":
        row = rows.one(sql, ref_id, ref_line)
    else:
        row = rows.one(sql, ref_id)
    return DocumentHead(*row) if row else DocumentHead()


class TaskRow(NamedTuple):
    """A product to be counted."""

    sku_id: int
    sku: str
    reason: str
    at_ms: int


_TASK = (
    "SELECT t.sku_id, k.sku, t.reason, t.at_ms FROM count_tasks t JOIN skus k ON k.id = t.sku_id"
)


def count_tasks(rows: Rows, after: int, limit: int) -> list[TaskRow]:
    """What has to be counted, by the product's number."""
    found = rows.all(f"{_TASK} WHERE t.sku_id > ? ORDER BY t.sku_id LIMIT ?", after, limit)
    return [TaskRow(*row) for row in found]


def count_task(rows: Rows, sku_id: int) -> TaskRow | None:
    """Whether a product has to be counted."""
    row = rows.one(f"{_TASK} WHERE t.sku_id = ?", sku_id)
    return TaskRow(*row) if row else None


class OpenCountRow(NamedTuple):
    """A count that was begun."""

    count_id: str
    sku: str
    device_id: str
    at_ms: int


def open_counts(rows: Rows, limit: int) -> list[OpenCountRow]:
    """Counts begun and not ended, among the last 1,000; the newest first."""
    found = rows.all(
        "SELECT document_id, reference, device_id, at_ms, data FROM documents WHERE kind = 'count'"
        " ORDER BY id DESC LIMIT ?",
        COUNTS_LOOKED_AT,
    )
    still = (row for row in found if not json.loads(row[4]).get("closed", True))
    return [OpenCountRow(*row[:4]) for _, row in zip(range(limit), still, strict=False)]


def drift_of(rows: Rows, sku: str) -> tuple[int, dict[str, int], dict[str, int]] | None:
    """``(found_at_ms, hub, oms)`` of a product that is counted differently in the cloud."""
    row = rows.one("SELECT found_at_ms, hub, oms FROM drift WHERE sku = ?", sku)
    return (row[0], json.loads(row[1]), json.loads(row[2])) if row else None
