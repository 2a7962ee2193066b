"""Sales and baskets as their pages list them; nothing of whom they are about."""

from __future__ import annotations

from typing import NamedTuple

from hub.storage.pages import LAST
from hub.storage.rows import Rows
from hub.storage.salerows import DayRow


class SaleHead(NamedTuple):
    """A sale's head; ``tenders`` are its kinds, with commas between."""

    id: int
    sale_id: str
    receipt_no: str
    state: str
    device_id: str
    business_day: str
    at_ms: int
    currency: str
    total_minor: int
    lines: int
    tenders: str
    has_returns: int


_HEAD = """
SELECT s.id, s.sale_id, s.receipt_no, s.state, s.device_id, s.business_day, s.at_ms, s.currency,
       s.total_minor, (SELECT count(*) FROM sale_lines l WHERE l.sale = s.id),
       coalesce((SELECT group_concat(DISTINCT t.kind) FROM tenders t WHERE t.sale = s.id), ''),
       EXISTS (SELECT 1 FROM returns r WHERE r.sale = s.id)
FROM sales s
"""


def days(rows: Rows, before: str, limit: int) -> list[DayRow]:
    """Business days before one, the newest first."""
    found = rows.all(
        "SELECT business_day, sales, total_minor, voided, voided_minor, returned_minor, last_at_ms"
        " FROM day_totals WHERE business_day < ? ORDER BY business_day DESC LIMIT ?",
        before,
        limit,
    )
    return [DayRow(*row) for row in found]


def newest(rows: Rows, before: int, limit: int) -> list[SaleHead]:
    """All sales, the newest first."""
    found = rows.all(f"{_HEAD} WHERE s.id < ? ORDER BY s.id DESC LIMIT ?", before, limit)
    return [SaleHead(*row) for row in found]


def of_day(rows: Rows, day: str, receipt: str, before: int, limit: int) -> list[SaleHead]:
    """A business day's sales, the newest first; ``receipt``: how their numbers begin."""
    found = rows.all(
        f"{_HEAD} WHERE s.business_day = ?1 AND s.id < ?2"
        " AND substr(s.receipt_no, 1, length(?3)) = ?3 ORDER BY s.id DESC LIMIT ?4",
        day,
        before,
        receipt,
        limit,
    )
    return [SaleHead(*row) for row in found]


def by_receipt(rows: Rows, receipt: str, before: tuple[str, int], limit: int) -> list[SaleHead]:
    """Sales whose receipt numbers begin so, the highest first, below ``before`` (number, id)."""
    found = rows.all(
        f"{_HEAD} WHERE s.receipt_no >= ?1 AND s.receipt_no <= ?2 AND (s.receipt_no, s.id) <"
        " (?2, ?3) ORDER BY s.receipt_no DESC, s.id DESC LIMIT ?4",
        receipt,
        *before,
        limit,
    )
    return [SaleHead(*row) for row in found]


def after_all(receipt: str) -> tuple[str, int]:
    """Where :func:`by_receipt` begins."""
    return receipt + "~", LAST


def one(rows: Rows, sale_id: str) -> SaleHead | None:
    """A sale's head."""
    row = rows.one(f"{_HEAD} WHERE s.sale_id = ?", sale_id)
    return SaleHead(*row) if row else None


class ReturnHead(NamedTuple):
    """Goods that came back."""

    id: int
    return_id: str
    at_ms: int
    business_day: str
    device_id: str
    total_minor: int
    tax_minor: int


def returns_of(rows: Rows, sale: int, limit: int) -> list[ReturnHead]:
    """A sale's returns, the oldest first."""
    found = rows.all(
        "SELECT id, return_id, at_ms, business_day, device_id, total_minor, tax_minor FROM returns"
        " WHERE sale = ? ORDER BY id LIMIT ?",
        sale,
        limit,
    )
    return [ReturnHead(*row) for row in found]


class ReturnLine(NamedTuple):
    """One line of a return."""

    line_no: int
    sale_line: int
    sku: str
    qty: int
    refund_minor: int
    tax_minor: int
    disposition: str
    reason: str


def return_lines(rows: Rows, number: int) -> list[ReturnLine]:
    """What came back."""
    found = rows.all(
        "SELECT line_no, sale_line, sku, qty, refund_minor, tax_minor, disposition, reason"
        " FROM return_lines WHERE return = ? ORDER BY line_no",
        number,
    )
    return [ReturnLine(*row) for row in found]


# Baskets -----------------------------------------------------------------------------------------


class BasketHead(NamedTuple):
    """A basket's head."""

    id: int
    basket_id: str
    state: str
    owner: str
    opened_at_ms: int
    changed_at_ms: int
    lines: int


_BASKET = """
SELECT b.id, b.basket_id, b.state, b.owner, b.opened_at_ms, b.changed_at_ms,
       (SELECT count(*) FROM basket_lines l WHERE l.basket = b.id)
FROM baskets b
"""


def baskets(rows: Rows, state: str, before: tuple[int, int], limit: int) -> list[BasketHead]:
    """Open and suspended baskets (``live``), or one of both; those changed last first, below
    ``before`` (changed_at_ms, id)."""
    found = rows.all(
        f"{_BASKET} WHERE b.state IN ('open', 'suspended') AND (?1 = 'live' OR b.state = ?1)"
        " AND b.changed_at_ms <= ?2 AND (b.changed_at_ms, b.id) < (?2, ?3)"
        " ORDER BY b.changed_at_ms DESC, b.id DESC LIMIT ?4",
        state,
        *before,
        limit,
    )
    return [BasketHead(*row) for row in found]


def basket(rows: Rows, basket_id: str) -> BasketHead | None:
    """A basket's head."""
    row = rows.one(f"{_BASKET} WHERE b.basket_id = ?", basket_id)
    return BasketHead(*row) if row else None
