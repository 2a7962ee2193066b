"""Sales, their lines and tenders, returns, and the totals of the day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hub.storage.rows import Rows, Tx


class SaleRow(NamedTuple):
    """A sale's head; ``tax`` is the policy and the rates as applied (JSON)."""

    id: int
    sale_id: str
    hash: bytes
    state: str
    receipt_no: str
    device_id: str
    staff_id: str | None
    business_day: str
    at_ms: int
    currency: str
    total_minor: int
    tax_minor: int
    rounding_minor: int
    change_minor: int
    tax: str
    outbox_id: int
    note: str
    void_hash: bytes | None = None
    voided_at_ms: int | None = None
    void_reason: str | None = None
    void_outbox_id: int | None = None


class SaleLineRow(NamedTuple):
    """A line as sold, and what came back of it."""

    line_no: int
    sku: str
    gtin: str | None
    name: str
    qty: int
    scale: int
    list_price_minor: int
    unit_price_minor: int
    gross_minor: int
    discount_minor: int
    net_minor: int
    tax_code: str
    tax_minor: int
    reason: str | None
    returned_qty: int = 0
    returned_minor: int = 0


class TenderRow(NamedTuple):
    """A tender as taken, and what was given back of it."""

    n: int
    kind: str
    amount_minor: int
    payment_id: str | None
    last4: str | None
    token: str | None
    approval_code: str | None
    refunded_minor: int = 0


_SALE = (
    "SELECT id, sale_id, hash, state, receipt_no, device_id, staff_id, business_day, at_ms,"
    " currency, total_minor, tax_minor, rounding_minor, change_minor, tax, outbox_id, note,"
    " void_hash, voided_at_ms, void_reason, void_outbox_id FROM sales"
)


def get(rows: Rows, sale_id: str) -> SaleRow | None:
    """A sale by its id."""
    row = rows.one(f"{_SALE} WHERE sale_id = ?", sale_id)
    return SaleRow(*row) if row else None


def latest(rows: Rows, *, before: int | None, limit: int) -> list[SaleRow]:
    """Sales with a number below ``before``, newest first."""
    found = rows.all(f"{_SALE} WHERE id < ? ORDER BY id DESC LIMIT ?", before or (1 << 62), limit)
    return [SaleRow(*row) for row in found]


def add(tx: Tx, row: SaleRow) -> int:
    """Write a sale; its number (``row.id`` and ``row.state`` are ignored)."""
    return tx.insert(
        "INSERT INTO sales (sale_id, hash, receipt_no, device_id, staff_id, business_day, at_ms,"
        " currency, total_minor, tax_minor, rounding_minor, change_minor, tax, outbox_id, note)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.sale_id,
        row.hash,
        *row[4:17],
    )


def set_outbox_id(tx: Tx, sale: int, outbox_id: int) -> None:
    """Note under which work sequence the sale was told to the cloud."""
    tx.run("UPDATE sales SET outbox_id = ? WHERE id = ?", outbox_id, sale)


def mark_voided(tx: Tx, sale: int, void_hash: bytes, reason: str, at_ms: int | None = None) -> None:
    """Void a sale, now or (taken back in) then."""
    tx.run(
        "UPDATE sales SET state = 'voided', void_hash = ?, voided_at_ms = ?, void_reason = ?"
        " WHERE id = ?",
        void_hash,
        tx.now_ms if at_ms is None else at_ms,
        reason,
        sale,
    )


def set_void_event(tx: Tx, sale: int, outbox_id: int) -> None:
    """Note under which work sequence the void was told to the cloud."""
    tx.run("UPDATE sales SET void_outbox_id = ? WHERE id = ?", outbox_id, sale)


def lines(rows: Rows, sale: int) -> list[SaleLineRow]:
    """A sale's lines in order."""
    found = rows.all(
        "SELECT line_no, sku, gtin, name, qty, scale, list_price_minor, unit_price_minor,"
        " gross_minor, discount_minor, net_minor, tax_code, tax_minor, reason, returned_qty,"
        " returned_minor FROM sale_lines WHERE sale = ? ORDER BY line_no",
        sale,
    )
    return [SaleLineRow(*row) for row in found]


def add_lines(tx: Tx, sale: int, rows: Sequence[SaleLineRow]) -> None:
    """Write a sale's lines."""
    tx.many(
        "INSERT INTO sale_lines (sale, line_no, sku, gtin, name, qty, scale, list_price_minor,"
        " unit_price_minor, gross_minor, discount_minor, net_minor, tax_code, tax_minor, reason)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(sale, *row[:14]) for row in rows],
    )


def set_returned(tx: Tx, sale: int, line_no: int, qty: int, minor: int) -> None:
    """Write what has come back of a line by now."""
    tx.run(
        "UPDATE sale_lines SET returned_qty = ?, returned_minor = ? WHERE sale = ? AND line_no = ?",
        qty,
        minor,
        sale,
        line_no,
    )


def tenders(rows: Rows, sale: int) -> list[TenderRow]:
    """A sale's tenders in order."""
    found = rows.all(
        "SELECT n, kind, amount_minor, payment_id, last4, token, approval_code, refunded_minor"
        " FROM tenders WHERE sale = ? ORDER BY n",
        sale,
    )
    return [TenderRow(*row) for row in found]


def add_tenders(tx: Tx, sale: int, rows: Sequence[TenderRow]) -> None:
    """Write a sale's tenders."""
    tx.many(
        "INSERT INTO tenders (sale, n, kind, amount_minor, payment_id, last4, token,"
        " approval_code) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(sale, *row[:7]) for row in rows],
    )


def set_refunded(tx: Tx, sale: int, n: int, minor: int) -> None:
    """Write what was given back of a tender by now."""
    tx.run("UPDATE tenders SET refunded_minor = ? WHERE sale = ? AND n = ?", minor, sale, n)


def sale_of_payment(rows: Rows, payment_id: str) -> str | None:
    """The id of the sale that a payment belongs to."""
    row = rows.one(
        "SELECT s.sale_id FROM tenders t JOIN sales s ON s.id = t.sale WHERE t.payment_id = ?",
        payment_id,
    )
    return row[0] if row else None


# Returns -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReturnRow:
    """A return's head; ``refund`` is the list of what was given back (JSON)."""

    id: int
    return_id: str
    hash: bytes
    sale: int
    sale_id: str
    total_minor: int
    tax_minor: int
    refund: str
    at_ms: int
    outbox_id: int


def get_return(rows: Rows, return_id: str) -> ReturnRow | None:
    """A return by its id."""
    row = rows.one(
        "SELECT r.id, r.return_id, r.hash, r.sale, s.sale_id, r.total_minor, r.tax_minor,"
        " r.refund, r.at_ms, r.outbox_id FROM returns r JOIN sales s ON s.id = r.sale"
        " WHERE r.return_id = ?",
        return_id,
    )
    return ReturnRow(*row) if row else None


def refunds_of(rows: Rows, sale: int) -> list[tuple[str, str]]:
    """What was given back for each return of a sale, oldest first: (return id, JSON)."""
    found = rows.all("SELECT return_id, refund FROM returns WHERE sale = ? ORDER BY id", sale)
    return [(str(row[0]), str(row[1])) for row in found]


def return_head(rows: Rows, number: int) -> tuple[str, str | None, str]:
    """Where, by whom and on which business day a return was taken."""
    row = rows.one("SELECT device_id, staff_id, business_day FROM returns WHERE id = ?", number)
    assert row is not None, f"there is no return {number}"
    return str(row[0]), row[1], str(row[2])


def return_lines(rows: Rows, number: int) -> list[ReturnLineRow]:
    """What came back with a return, in order."""
    found = rows.all(
        "SELECT line_no, sku, qty, refund_minor, tax_minor, disposition, reason, sale_line"
        ' FROM return_lines WHERE "return" = ? ORDER BY line_no',
        number,
    )
    return [ReturnLineRow(*row) for row in found]


def has_returns(rows: Rows, sale: int) -> bool:
    """Whether anything of a sale came back."""
    return rows.one("SELECT 1 FROM returns WHERE sale = ? LIMIT 1", sale) is not None


@dataclass(frozen=True, slots=True)
class ReturnLineRow:
    """What came back of the sale's line ``sale_line`` (0: not known)."""

    line_no: int
    sku: str
    qty: int
    refund_minor: int
    tax_minor: int
    disposition: str
    reason: str
    sale_line: int = 0


def add_return(
    tx: Tx,
    row: ReturnRow,
    lines: Sequence[ReturnLineRow],
    *,
    device_id: str,
    staff_id: str | None,
    business_day: str,
) -> int:
    """Write a return; its number."""
    number = tx.insert(
        "INSERT INTO returns (return_id, hash, sale, device_id, staff_id, business_day, at_ms,"
        " total_minor, tax_minor, refund, outbox_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.return_id,
        row.hash,
        row.sale,
        device_id,
        staff_id,
        business_day,
        row.at_ms,
        row.total_minor,
        row.tax_minor,
        row.refund,
        row.outbox_id,
    )
    tx.many(
        "INSERT INTO return_lines (return, line_no, sale_line, sku, qty, refund_minor, tax_minor,"
        " disposition, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                number,
                line.line_no,
                line.sale_line,
                line.sku,
                line.qty,
                line.refund_minor,
                line.tax_minor,
                line.disposition,
                line.reason,
            )
            for line in lines
        ],
    )
    return number


def set_return_outbox_id(tx: Tx, number: int, outbox_id: int) -> None:
    """Note under which work sequence the return was told to the cloud."""
    tx.run("UPDATE returns SET outbox_id = ? WHERE id = ?", outbox_id, number)


# The day -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DayRow:
    """Totals of one business day."""

    business_day: str
    sales: int = 0
    total_minor: int = 0
    voided: int = 0
    voided_minor: int = 0
    returned_minor: int = 0
    last_at_ms: int = 0


def day(rows: Rows, business_day: str) -> DayRow:
    """The totals of a day; zeros if nothing happened."""
    row = rows.one(
        "SELECT business_day, sales, total_minor, voided, voided_minor, returned_minor, last_at_ms"
        " FROM day_totals WHERE business_day = ?",
        business_day,
    )
    return DayRow(*row) if row else DayRow(business_day)


def add_to_day(
    tx: Tx,
    business_day: str,
    *,
    sales: int = 0,
    total_minor: int = 0,
    voided: int = 0,
    voided_minor: int = 0,
    returned_minor: int = 0,
) -> None:
    """Add to a day's totals."""
    tx.run(
        "INSERT INTO day_totals (business_day, sales, total_minor, voided, voided_minor,"
        " returned_minor, last_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (business_day) DO UPDATE SET sales = sales + excluded.sales,"
        " total_minor = total_minor + excluded.total_minor,"
        " voided = voided + excluded.voided, voided_minor = voided_minor + excluded.voided_minor,"
        " returned_minor = returned_minor + excluded.returned_minor,"
        " last_at_ms = max(last_at_ms, excluded.last_at_ms)",
        business_day,
        sales,
        total_minor,
        voided,
        voided_minor,
        returned_minor,
        tx.now_ms,
    )


def next_receipt_no(tx: Tx, device_id: str) -> tuple[str, int]:
    """The next receipt number of a till (its short number and a count without gaps), and the work
    sequence of the event that is written next."""
    row = tx.one(
        "UPDATE devices SET receipt_count = receipt_count + 1 WHERE device_id = ?"
        " RETURNING number, receipt_count, (SELECT max(id) FROM outbox)",
        device_id,
    )
    assert row is not None, f"a sale by the unknown device {device_id}"
    return f"{row[0]:03d}-{row[1]:06d}", (row[2] or 0) + 1
