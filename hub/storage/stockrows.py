"""Levels, the ledger of movements, reservations and holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic_core import to_json

from hub.domain.stock import StockRow
from hub.storage.rows import Rows, Tx

GENESIS = bytes(32)
FEW = 16
"""Up to so many values a list of parameters is quicker than JSON: one prepared statement each."""
LEVEL_COLUMNS = (
    "sellable, staged, quarantine, refurbish, damaged, transit_in, reserved, held, allotted"
)


class LevelRow(NamedTuple):
    """One product's levels as stored; ``safety`` comes from the catalogue."""

    sku_id: int
    sku: str
    levels: StockRow
    last_seq: int


class MovementRow(NamedTuple):
    """One row of the ledger. ``prev_seq`` is the same product's movement before."""

    seq: int
    sku_id: int
    sku: str
    qty: int
    src: str
    dst: str
    type: str
    ref_type: str
    ref_id: int
    ref_line: int
    n: int
    prev_seq: int
    hash: bytes


_SAFETY = (
    "coalesce((SELECT p.safety_qty FROM datasets d JOIN products p ON p.generation = d.generation"
    " AND p.sku = k.sku WHERE d.dataset = 'catalog'), 0)"
)
_LEVEL = (
    f"SELECT k.id, k.sku, s.sellable, s.staged, s.quarantine, s.refurbish, s.damaged,"
    f" s.transit_in, s.reserved, s.held, s.allotted, {_SAFETY}, s.last_seq"
    " FROM skus k JOIN stock s ON s.sku_id = k.id"
)


def _level(row: tuple[int, ...]) -> LevelRow:
    return LevelRow(row[0], str(row[1]), StockRow(*row[2:12]), row[12])


def level(rows: Rows, sku: str) -> LevelRow | None:
    """A product's levels; None if it never had any."""
    row = rows.one(f"{_LEVEL} WHERE k.sku = ?", sku)
    return _level(row) if row else None


_BOOKED = _LEVEL.replace(_SAFETY, "0")
"""Without the safety stock, which only remote promises ask for: what a booking needs."""


def levels(rows: Rows, skus: Sequence[str]) -> dict[str, LevelRow]:
    """The levels of several products, by SKU; those that never had any are not in it."""
    wanted = json.dumps(list(skus))
    found = rows.all(f"{_LEVEL} WHERE k.sku IN (SELECT value FROM json_each(?))", wanted)
    return {row[1]: _level(row) for row in found}


def booked_levels(tx: Tx, skus: Sequence[str]) -> dict[str, LevelRow]:
    """The same for a booking: ``safety`` is left at 0."""
    if len(skus) <= FEW:
        found = tx.all(f"{_BOOKED} WHERE k.sku IN ({','.join('?' * len(skus))})", *skus)
    else:
        wanted = to_json(skus).decode()
        found = tx.all(f"{_BOOKED} WHERE k.sku IN (SELECT value FROM json_each(?))", wanted)
    return {row[1]: _level(row) for row in found}


def booked_level(tx: Tx, sku: str) -> LevelRow:
    """A product's levels for a booking, with zeros written for one that is new here."""
    row = tx.one(f"{_BOOKED} WHERE k.sku = ?", sku)
    if row is not None:
        return _level(row)
    sku_id = tx.insert("INSERT INTO skus (sku) VALUES (?)", sku)
    tx.run("INSERT INTO stock (sku_id) VALUES (?)", sku_id)
    made = level(tx, sku)
    assert made is not None
    return made


_SAVE_LEVEL = (
    "UPDATE stock SET sellable = ?, staged = ?, quarantine = ?, refurbish = ?, damaged = ?,"
    " transit_in = ?, reserved = ?, held = ?, allotted = ?, last_seq = ? WHERE sku_id = ?"
)


def _saved(row: LevelRow) -> tuple[int, ...]:
    levels = row.levels
    return (
        levels.sellable,
        levels.staged,
        levels.quarantine,
        levels.refurbish,
        levels.damaged,
        levels.transit_in,
        levels.reserved,
        levels.held,
        levels.allotted,
        row.last_seq,
        row.sku_id,
    )


def save_level(tx: Tx, row: LevelRow) -> None:
    """Write a product's levels."""
    tx.run(_SAVE_LEVEL, *_saved(row))


def save_levels(tx: Tx, rows: Iterable[LevelRow]) -> None:
    """Write several products' levels."""
    tx.many(_SAVE_LEVEL, [_saved(row) for row in rows])


def ledger_head(rows: Rows) -> tuple[int, bytes]:
    """Number and hash of the newest movement."""
    row = rows.one("SELECT seq, hash FROM movements ORDER BY seq DESC LIMIT 1")
    return (row[0], row[1]) if row else (0, GENESIS)


def append_movements(tx: Tx, rows: Sequence[MovementRow]) -> None:
    """Write the next movements, under the hashes they carry."""
    tx.many(
        "INSERT INTO movements (seq, sku_id, qty, src, dst, type, ref_type, ref_id, ref_line, n,"
        " prev_seq, hash) VALUES (?1, ?2, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        rows,
    )


_MOVEMENT = (
    "SELECT m.seq, m.sku_id, k.sku, m.qty, m.src, m.dst, m.type, m.ref_type, m.ref_id,"
    " m.ref_line, m.n, m.prev_seq, m.hash FROM movements m JOIN skus k ON k.id = m.sku_id"
)


def movement(rows: Rows, seq: int) -> MovementRow | None:
    """One movement."""
    row = rows.one(f"{_MOVEMENT} WHERE m.seq = ?", seq)
    return MovementRow(*row) if row else None


def movements_of(rows: Rows, ref_type: str, ref_id: int, *, limit: int = 5000) -> list[MovementRow]:
    """All movements of a document, in order."""
    found = rows.all(
        f"{_MOVEMENT} WHERE m.ref_type = ? AND m.ref_id = ? ORDER BY m.seq LIMIT ?",
        ref_type,
        ref_id,
        limit,
    )
    return [MovementRow(*row) for row in found]


def product_ledger(rows: Rows, last_seq: int, *, down_to: int = 0) -> Iterator[MovementRow]:
    """A product's movements from ``last_seq`` backwards while their number is above ``down_to``."""
    seq = last_seq
    while seq > down_to:
        row = movement(rows, seq)
        if row is None:
            return
        yield row
        seq = row.prev_seq


def walk_movements(rows: Rows, *, after: int = 0, page: int = 2000) -> Iterator[MovementRow]:
    """The whole ledger in order, read in pages."""
    last = after
    while True:
        found = rows.all(f"{_MOVEMENT} WHERE m.seq > ? ORDER BY m.seq LIMIT ?", last, page)
        if not found:
            return
        for row in found:
            yield MovementRow(*row)
        last = found[-1][0]


def walk_levels(rows: Rows, *, page: int = 2000) -> Iterator[LevelRow]:
    """All products' levels by number, read in pages."""
    last = 0
    while True:
        found = rows.all(f"{_LEVEL} WHERE k.id > ? ORDER BY k.id LIMIT ?", last, page)
        if not found:
            return
        for row in found:
            yield _level(row)
        last = found[-1][0]


# Claims ------------------------------------------------------------------------------------------


def hold_of(rows: Rows, basket: int, sku_id: int) -> int:
    """What a basket holds of a product."""
    row = rows.one("SELECT qty FROM holds WHERE basket = ? AND sku_id = ?", basket, sku_id)
    return int(row[0]) if row else 0


def holds_of_basket(rows: Rows, basket: int) -> dict[str, tuple[int, int]]:
    """SKU → ``(sku_id, qty)`` held by a basket."""
    found = rows.all(
        "SELECT k.sku, h.sku_id, h.qty FROM holds h JOIN skus k ON k.id = h.sku_id"
        " WHERE h.basket = ?",
        basket,
    )
    return {sku: (sku_id, qty) for sku, sku_id, qty in found}


def holds_of_sku(rows: Rows, sku_id: int, limit: int = 1000) -> list[tuple[str, int, int]]:
    """``(basket_id, qty, basket number)`` of all holds on a product."""
    return [
        (row[0], row[1], row[2])
        for row in rows.all(
            "SELECT b.basket_id, h.qty, b.id FROM baskets b CROSS JOIN holds h ON h.basket = b.id"
            " WHERE b.state IN ('open', 'suspended') AND h.sku_id = ? LIMIT ?",
            sku_id,
            limit,
        )
    ]


def set_hold(tx: Tx, basket: int, sku_id: int, qty: int, expires_budget_ms: int) -> None:
    """Write what a basket holds of a product; 0 removes the hold."""
    if qty == 0:
        tx.run("DELETE FROM holds WHERE basket = ? AND sku_id = ?", basket, sku_id)
        return
    tx.run(
        "INSERT INTO holds (basket, sku_id, qty, expires_budget_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (basket, sku_id) DO UPDATE SET qty = excluded.qty,"
        " expires_budget_ms = excluded.expires_budget_ms",
        basket,
        sku_id,
        qty,
        expires_budget_ms,
    )


def prolong_holds(tx: Tx, basket: int, expires_budget_ms: int) -> None:
    """Begin the time of all of a basket's holds anew."""
    tx.run("UPDATE holds SET expires_budget_ms = ? WHERE basket = ?", expires_budget_ms, basket)


def expired_holds(rows: Rows, budget_ms: int, limit: int) -> list[tuple[int, int, str, int]]:
    """``(basket, sku_id, sku, qty)`` of holds whose time is up, oldest first."""
    return [
        (row[0], row[1], row[2], row[3])
        for row in rows.all(
            "SELECT h.basket, h.sku_id, k.sku, h.qty FROM holds h JOIN skus k ON k.id = h.sku_id"
            " WHERE h.expires_budget_ms <= ? ORDER BY h.expires_budget_ms LIMIT ?",
            budget_ms,
            limit,
        )
    ]


def reservations_of_sku(rows: Rows, sku_id: int, limit: int = 1000) -> list[tuple[str, int, int]]:
    """``(order_id, qty, seq)`` of reservations of a product, the newest first; those of orders that
    lie ready come last."""
    return [
        (row[0], row[1], row[2])
        for row in rows.all(
            "SELECT r.order_id, r.qty,"
            " o.id - CASE WHEN o.state IN ('ready', 'arrived') THEN 1 << 53 ELSE 0 END AS seq"
            " FROM reservations r JOIN orders o ON o.order_id = r.order_id WHERE r.sku_id = ?"
            " ORDER BY seq DESC LIMIT ?",
            sku_id,
            limit,
        )
    ]


def overreserved(rows: Rows, limit: int) -> list[tuple[str, int]]:
    """``(sku, last movement)`` of products of which more is reserved for orders than is there."""
    found = rows.all(
        "SELECT DISTINCT k.sku, s.last_seq FROM reservations r CROSS JOIN stock s"
        " ON s.sku_id = r.sku_id CROSS JOIN skus k ON k.id = r.sku_id CROSS JOIN orders o"
        " ON o.order_id = r.order_id WHERE s.reserved > s.sellable LIMIT ?",
        limit,
    )
    return [(row[0], row[1]) for row in found]


def add_count_task(tx: Tx, sku_id: int, reason: str) -> None:
    """Ask for a count of a product (once)."""
    tx.run(
        "INSERT INTO count_tasks (sku_id, reason, at_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        sku_id,
        reason,
        tx.now_ms,
    )


def clear_count_task(tx: Tx, sku_id: int) -> None:
    """The product was counted."""
    tx.run("DELETE FROM count_tasks WHERE sku_id = ?", sku_id)


# Documents ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A receipt, an adjustment or a count."""

    id: int
    document_id: str
    kind: str
    hash: bytes
    data: str


def document(rows: Rows, document_id: str) -> DocumentRow | None:
    """A document by its id."""
    row = rows.one(
        "SELECT id, document_id, kind, hash, data FROM documents WHERE document_id = ?", document_id
    )
    return DocumentRow(*row) if row else None


def add_document(
    tx: Tx,
    *,
    document_id: str,
    kind: str,
    body_hash: bytes,
    device_id: str,
    staff_id: str | None,
    reference: str,
    data: str,
) -> int:
    """Write a document; its number."""
    return tx.insert(
        "INSERT INTO documents (document_id, kind, hash, at_ms, device_id, staff_id, reference,"
        " data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        document_id,
        kind,
        body_hash,
        tx.now_ms,
        device_id,
        staff_id,
        reference,
        data,
    )


def set_document_data(tx: Tx, number: int, data: str) -> None:
    """Change a document's content (a count that is closed)."""
    tx.run("UPDATE documents SET data = ? WHERE id = ?", data, number)
