"""Orders as their page and the devices list them; nothing of whom they are for."""

from __future__ import annotations

from typing import NamedTuple

from hub.storage.pages.stock import ABOVE
from hub.storage.rows import Rows


class OrderHeadRow(NamedTuple):
    """An order's head; ``lines``: how many."""

    id: int
    order_id: str
    number: str
    part: str
    kind: str
    state: str
    short_lines: int
    placed_at_ms: int
    promised_at_ms: int | None
    due_ms: int
    taken_at_ms: int
    changed_at_ms: int
    ended_at_ms: int | None
    lines: int


_HEAD = """
SELECT o.id, o.order_id, o.number, o.part, o.kind, o.state, o.short_lines, o.placed_at_ms,
       o.promised_at_ms, o.due_ms, o.taken_at_ms, o.changed_at_ms, o.ended_at_ms,
       (SELECT count(*) FROM order_lines l WHERE l.order_no = o.id)
FROM orders o
"""


def open_ones(
    rows: Rows, after: tuple[int, int], limit: int, *, short: bool = False
) -> list[OrderHeadRow]:
    """Open orders behind ``after`` (due_ms, id), the earliest promise first; at most 10,000 are
    looked at."""
    found = rows.all(
        f"{_HEAD} INDEXED BY orders_open WHERE o.ended_at_ms IS NULL AND (o.due_ms, o.id) >"
        " (?1, ?2) AND (o.short_lines > 0 OR NOT ?3) ORDER BY o.due_ms, o.id LIMIT ?4",
        *after,
        short,
        limit,
    )
    return [OrderHeadRow(*row) for row in found]


def ended_ones(rows: Rows, before: tuple[int, int], limit: int) -> list[OrderHeadRow]:
    """Orders that ended, below ``before`` (ended_at_ms, id), the last one first."""
    found = rows.all(
        f"{_HEAD} INDEXED BY orders_ended WHERE o.ended_at_ms IS NOT NULL AND"
        " (o.ended_at_ms, o.id) < (?1, ?2) ORDER BY o.ended_at_ms DESC, o.id DESC LIMIT ?3",
        *before,
        limit,
    )
    return [OrderHeadRow(*row) for row in found]


def by_number(rows: Rows, beginning: str, after: int, limit: int) -> list[OrderHeadRow]:
    """Orders whose numbers begin so, by number, behind the one with the row number ``after``."""
    behind = "(o.number, o.id) > ((SELECT number FROM orders WHERE id = ?4), ?4)"
    found = rows.all(
        f"{_HEAD} WHERE o.number >= ?1 AND o.number < ?2 AND {behind if after else '?4 = 0'}"
        " ORDER BY o.number, o.id LIMIT ?3",
        beginning,
        beginning + ABOVE,
        limit,
        after,
    )
    return [OrderHeadRow(*row) for row in found]


def one(rows: Rows, order_id: str) -> OrderHeadRow | None:
    """An order's head."""
    row = rows.one(f"{_HEAD} WHERE o.order_id = ?", order_id)
    return OrderHeadRow(*row) if row else None


def claims_of_sku(rows: Rows, sku_id: int, limit: int) -> list[tuple[str, int, str]]:
    """``(order_id, qty, number)`` of what is reserved of a product."""
    found = rows.all(
        "SELECT r.order_id, r.qty, o.number FROM reservations r JOIN orders o"
        " ON o.order_id = r.order_id WHERE r.sku_id = ? LIMIT ?",
        sku_id,
        limit,
    )
    return [(row[0], row[1], row[2]) for row in found]
