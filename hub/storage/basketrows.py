"""Baskets and their frozen lines."""

from __future__ import annotations

from dataclasses import dataclass

from hub.storage.rows import Rows, Tx


@dataclass(frozen=True, slots=True)
class BasketRow:
    """A basket's head; ``owner`` is a device id."""

    id: int
    basket_id: str
    version: int
    state: str
    owner: str
    staff_id: str | None
    label: str


@dataclass(frozen=True, slots=True)
class BasketLineRow:
    """A frozen line; ``tax`` is the tax rate and policy (JSON) in force when it was added."""

    line_no: int
    sku: str
    gtin: str | None
    name: str
    qty: int
    uom: str
    scale: int
    list_price_minor: int
    unit_price_minor: int
    discount_minor: int
    tax_code: str
    tax: str
    generation: int
    reason: str | None


_HEAD = "SELECT id, basket_id, version, state, owner, staff_id, label FROM baskets"
_LINE = (
    "SELECT line_no, sku, gtin, name, qty, uom, scale, list_price_minor, unit_price_minor,"
    " discount_minor, tax_code, tax, generation, reason FROM basket_lines"
)


def get(rows: Rows, basket_id: str) -> BasketRow | None:
    """A basket by its id."""
    row = rows.one(f"{_HEAD} WHERE basket_id = ?", basket_id)
    return BasketRow(*row) if row else None


def live(rows: Rows, limit: int = 100) -> list[BasketRow]:
    """Open and suspended baskets, newest first."""
    found = rows.all(
        f"{_HEAD} WHERE state IN ('open', 'suspended') ORDER BY changed_at_ms DESC LIMIT ?", limit
    )
    return [BasketRow(*row) for row in found]


def count_live(rows: Rows, owner: str) -> int:
    """How many baskets a device has open or suspended."""
    row = rows.one(
        "SELECT count(*) FROM baskets WHERE state IN ('open', 'suspended') AND owner = ?", owner
    )
    return int(row[0]) if row else 0


def add(tx: Tx, basket_id: str, owner: str, staff_id: str | None) -> int:
    """Open a basket; its number."""
    return tx.insert(
        "INSERT INTO baskets (basket_id, version, state, owner, staff_id, opened_at_ms,"
        " changed_at_ms) VALUES (?, 1, 'open', ?, ?, ?, ?)",
        basket_id,
        owner,
        staff_id,
        tx.now_ms,
        tx.now_ms,
    )


def save_head(tx: Tx, row: BasketRow) -> None:
    """Write a basket's head."""
    tx.run(
        "UPDATE baskets SET version = ?, state = ?, owner = ?, staff_id = ?, label = ?,"
        " changed_at_ms = ? WHERE id = ?",
        row.version,
        row.state,
        row.owner,
        row.staff_id,
        row.label,
        tx.now_ms,
        row.id,
    )


def lines(rows: Rows, basket: int) -> list[BasketLineRow]:
    """A basket's lines in order."""
    found = rows.all(f"{_LINE} WHERE basket = ? ORDER BY line_no", basket)
    return [BasketLineRow(*row) for row in found]


def add_line(tx: Tx, basket: int, row: BasketLineRow) -> None:
    """Write a new line."""
    tx.run(
        "INSERT INTO basket_lines (basket, line_no, sku, gtin, name, qty, uom, scale,"
        " list_price_minor, unit_price_minor, discount_minor, tax_code, tax, generation, reason)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        basket,
        row.line_no,
        row.sku,
        row.gtin,
        row.name,
        row.qty,
        row.uom,
        row.scale,
        row.list_price_minor,
        row.unit_price_minor,
        row.discount_minor,
        row.tax_code,
        row.tax,
        row.generation,
        row.reason,
    )


def save_line(tx: Tx, basket: int, row: BasketLineRow) -> None:
    """Write what may change of a line: quantity, price, discount and the reason."""
    tx.run(
        "UPDATE basket_lines SET qty = ?, unit_price_minor = ?, discount_minor = ?, reason = ?"
        " WHERE basket = ? AND line_no = ?",
        row.qty,
        row.unit_price_minor,
        row.discount_minor,
        row.reason,
        basket,
        row.line_no,
    )


def remove_line(tx: Tx, basket: int, line_no: int) -> None:
    """Delete a line."""
    tx.run("DELETE FROM basket_lines WHERE basket = ? AND line_no = ?", basket, line_no)


def abandon_old(tx: Tx, before_ms: int, limit: int = 200) -> list[tuple[int, str]]:
    """End open and suspended baskets untouched since ``before_ms``; ``(number, basket_id)``."""
    old = tx.all(
        "UPDATE baskets SET state = 'abandoned', version = version + 1, changed_at_ms = ?"
        " WHERE id IN (SELECT id FROM baskets WHERE state IN ('open', 'suspended')"
        " AND changed_at_ms < ? ORDER BY changed_at_ms LIMIT ?) RETURNING id, basket_id",
        tx.now_ms,
        before_ms,
        limit,
    )
    return [(row[0], row[1]) for row in old]


def purge(tx: Tx, before_ms: int, limit: int = 200) -> int:
    """Delete baskets that ended before ``before_ms``; how many."""
    ended = tx.all(
        "SELECT id FROM baskets WHERE state IN ('closed', 'abandoned') AND changed_at_ms < ?"
        " ORDER BY id LIMIT ?",
        before_ms,
        limit,
    )
    tx.many("DELETE FROM basket_lines WHERE basket = ?", ended)
    tx.many("DELETE FROM baskets WHERE id = ?", ended)
    return len(ended)
