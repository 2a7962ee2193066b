"""The cloud's data sets as rows: staged beside the ones in force, swapped in by one row, changed
in place afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub.storage.rows import Rows, Tx

TABLES: dict[str, tuple[str, ...]] = {
    "catalog": ("products", "barcodes"),
    "prices": ("prices",),
    "taxes": ("taxes",),
    "staff": ("staff", "roles"),
    "policies": ("policies",),
}
"""Data set → its tables; the rows of the first ones are what a manifest counts."""
COUNTED: dict[str, tuple[str, ...]] = {**TABLES, "catalog": ("products",)}
PURGE_MAX = 500

_INSERTS = {
    "products": "INSERT OR REPLACE INTO products (generation, sku, name, uom, scale, tax_code,"
    " category, age_min, active, safety_qty) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "barcodes": "INSERT OR REPLACE INTO barcodes (generation, gtin, sku) VALUES (?, ?, ?)",
    "prices": "INSERT OR REPLACE INTO prices (generation, sku, valid_from_ms, valid_to_ms,"
    " price_minor) VALUES (?, ?, ?, ?, ?)",
    "taxes": "INSERT OR REPLACE INTO taxes (generation, code, data) VALUES (?, ?, ?)",
    "staff": "INSERT OR REPLACE INTO staff (generation, staff_id, name, role, pin_hash, active)"
    " VALUES (?, ?, ?, ?, ?, ?)",
    "roles": "INSERT OR REPLACE INTO roles (generation, role, permissions) VALUES (?, ?, ?)",
    "policies": "INSERT OR REPLACE INTO policies (generation, key, value) VALUES (?, ?, ?)",
}
_DELETES = {
    "products": "DELETE FROM products WHERE generation = ? AND sku = ?",
    "barcodes": "DELETE FROM barcodes WHERE generation = ? AND gtin = ?",
    "prices": "DELETE FROM prices WHERE generation = ? AND sku = ? AND valid_from_ms = ?",
    "taxes": "DELETE FROM taxes WHERE generation = ? AND code = ?",
    "staff": "DELETE FROM staff WHERE generation = ? AND staff_id = ?",
    "roles": "DELETE FROM roles WHERE generation = ? AND role = ?",
    "policies": "DELETE FROM policies WHERE generation = ? AND key = ?",
}
_KEYS = {
    "products": "sku",
    "barcodes": "gtin",
    "prices": "sku, valid_from_ms",
    "taxes": "code",
    "staff": "staff_id",
    "roles": "role",
    "policies": "key",
}

TableRow = tuple[str, tuple[Any, ...]]
"""A table and the values of its columns after ``generation``; for a deletion, of its key."""


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """Where one data set stands; ``generation`` 0: none yet, ``staging`` 0: nothing staged."""

    dataset: str
    generation: int = 0
    label: str = ""
    cursor: str = ""
    staging: int = 0
    staging_label: str = ""
    staging_chunk: int = 0
    rows: int = 0
    changes: int = 0
    swapped_at_ms: int | None = None


_SELECT = (
    "SELECT dataset, generation, label, cursor, staging, staging_label, staging_chunk, rows,"
    " changes, swapped_at_ms FROM datasets"
)


def get(rows: Rows, dataset: str) -> DatasetRow:
    """A data set's row; an empty one before its first sync."""
    row = rows.one(f"{_SELECT} WHERE dataset = ?", dataset)
    return DatasetRow(*row) if row else DatasetRow(dataset)


def listed(rows: Rows) -> list[DatasetRow]:
    """All data sets that were ever synced or staged."""
    return [DatasetRow(*row) for row in rows.all(f"{_SELECT} ORDER BY dataset")]


def begin_staging(tx: Tx, dataset: str, label: str) -> DatasetRow:
    """Stage under a number no row of any generation has."""
    now = get(tx, dataset)
    numbers = [now.generation, now.staging]
    for table in TABLES[dataset]:
        row = tx.one(f"SELECT max(generation) FROM {table}")
        numbers.append(int(row[0] or 0) if row else 0)
    tx.run(
        "INSERT INTO datasets (dataset, staging, staging_label) VALUES (?1, ?2, ?3)"
        " ON CONFLICT DO UPDATE SET staging = ?2, staging_label = ?3, staging_chunk = 0",
        dataset,
        max(numbers) + 1,
        label,
    )
    return get(tx, dataset)


def add(tx: Tx, generation: int, rows: Sequence[TableRow]) -> None:
    """Write rows of a generation, over those with the same key."""
    by_table: dict[str, list[tuple[Any, ...]]] = {}
    for table, values in rows:
        by_table.setdefault(table, []).append((generation, *values))
    for table, found in by_table.items():
        tx.many(_INSERTS[table], found)


def remove(tx: Tx, generation: int, keys: Sequence[TableRow]) -> None:
    """Delete rows of a generation by key."""
    for table, values in keys:
        tx.run(_DELETES[table], generation, *values)


def set_chunk(tx: Tx, dataset: str, chunks: int) -> None:
    """Note how many chunks are fully staged."""
    tx.run("UPDATE datasets SET staging_chunk = ? WHERE dataset = ?", chunks, dataset)


def drop_staging(tx: Tx, dataset: str) -> None:
    """Forget what is staged; its rows are purged later."""
    tx.run(
        "UPDATE datasets SET staging = 0, staging_label = '', staging_chunk = 0 WHERE dataset = ?",
        dataset,
    )


def swap(tx: Tx, dataset: str, *, label: str, cursor: str, rows: int) -> None:
    """Put what is staged in force."""
    tx.run(
        "UPDATE datasets SET generation = staging, label = ?, cursor = ?, rows = ?, changes = 0,"
        " staging = 0, staging_label = '', staging_chunk = 0, swapped_at_ms = ?"
        " WHERE dataset = ? AND staging > 0",
        label,
        cursor,
        rows,
        tx.now_ms,
        dataset,
    )


def set_cursor(tx: Tx, dataset: str, cursor: str, *, changes: int) -> None:
    """Note that changes up to ``cursor`` are applied."""
    tx.run(
        "UPDATE datasets SET cursor = ?, changes = changes + ? WHERE dataset = ?",
        cursor,
        changes,
        dataset,
    )


def staged_rows(rows: Rows, dataset: str, generation: int) -> int:
    """How many rows of a generation are there, as a manifest counts them."""
    total = 0
    for table in COUNTED[dataset]:
        row = rows.one(f"SELECT count(*) FROM {table} WHERE generation = ?", generation)
        total += int(row[0]) if row else 0
    return total


def has_tax_policy(rows: Rows, generation: int) -> bool:
    """Whether a generation of the taxes says how tax is computed."""
    return (
        rows.one("SELECT 1 FROM taxes WHERE generation = ? AND code = ''", generation) is not None
    )


def barcodes_of(rows: Rows, generation: int, skus: Sequence[str]) -> list[tuple[str, str]]:
    """``(gtin, sku)`` of some products.  Reads the whole table: for a reader's thread."""
    found = rows.all(
        "SELECT gtin, sku FROM barcodes WHERE generation = ?"
        " AND sku IN (SELECT value FROM json_each(?))",
        generation,
        json.dumps(list(skus)),
    )
    return [(row[0], row[1]) for row in found]


def purge(tx: Tx, dataset: str) -> int:
    """Delete up to 500 rows of generations neither in force nor staged; how many."""
    now = get(tx, dataset)
    for table in TABLES[dataset]:
        old = _stale_generation(tx, table, now)
        if old is None:
            continue
        key = f"generation, {_KEYS[table]}"
        return tx.run(
            f"DELETE FROM {table} WHERE ({key}) IN"
            f" (SELECT {key} FROM {table} WHERE generation = ? LIMIT ?)",
            old,
            PURGE_MAX,
        )
    return 0


def _stale_generation(tx: Tx, table: str, now: DatasetRow) -> int | None:
    """Found by ranges of the primary key: the generations in use are never walked through."""
    low, high = sorted((now.generation, now.staging or now.generation))
    ranges = (
        ("generation < ?", (low,)),
        ("generation > ? AND generation < ?", (low, high)),
        ("generation > ?", (high,)),
    )
    for where, bounds in ranges:
        row = tx.one(f"SELECT generation FROM {table} WHERE {where} LIMIT 1", *bounds)
        if row is not None:
            return int(row[0])
    return None


@dataclass(frozen=True, slots=True)
class Hit:
    """A product found by its words."""

    sku: str
    name: str
    category: str


def scan(rows: Rows, words: Sequence[str], limit: int) -> list[Hit]:
    """Products whose name, category or SKU contains all words: slow, for when there is no index."""
    where = " AND ".join(
        "(p.name LIKE ? ESCAPE '\\' OR p.category LIKE ? ESCAPE '\\' OR p.sku LIKE ? ESCAPE '\\')"
        for _ in words
    )
    params: list[str] = []
    for word in words:
        escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        params += [f"%{escaped}%"] * 3
    found = rows.all(
        "SELECT p.sku, p.name, p.category FROM datasets d JOIN products p"
        " ON p.generation = d.generation WHERE d.dataset = 'catalog' AND p.active = 1"
        f" AND {where} ORDER BY p.name LIMIT ?",
        *params,
        limit,
    )
    return [Hit(*row) for row in found]
