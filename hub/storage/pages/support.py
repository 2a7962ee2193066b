"""What a support bundle takes from the database."""

from __future__ import annotations

from hub.storage import sqlite
from hub.storage.rows import Rows

NAMES_MAX = 5000
CHECKED_ERRORS = 20
_NEWEST = {
    "sales": "SELECT max(id) FROM sales",
    "returns": "SELECT max(id) FROM returns",
    "movements": "SELECT max(seq) FROM movements",
    "documents": "SELECT max(id) FROM documents",
    "outbox": "SELECT max(id) FROM outbox",
    "baskets": "SELECT max(id) FROM baskets",
    "products": "SELECT rows FROM datasets WHERE dataset = 'catalog'",
    "audit": "SELECT max(seq) FROM audit",
}


def newest(rows: Rows) -> dict[str, int]:
    """The highest row number of each table that grows; the catalogue's rows."""
    found = {name: rows.one(sql) for name, sql in _NEWEST.items()}
    return {name: int(row[0] or 0) if row else 0 for name, row in found.items()}


def schema_version(rows: Rows) -> int:
    """The number of the last migration."""
    row = rows.one("PRAGMA user_version")
    return int(row[0]) if row else 0


def integrity(rows: Rows) -> list[str]:
    """What SQLite's quick check finds; empty when all is well.  It reads the whole file."""
    found = [str(row[0]) for row in rows.all(f"PRAGMA quick_check({CHECKED_ERRORS})")]
    return [] if found == ["ok"] else found


def people(rows: Rows) -> list[str]:
    """Names of the staff, to leave them out."""
    found = rows.all(
        "SELECT DISTINCT s.name FROM datasets g JOIN staff s ON s.generation = g.generation"
        " WHERE g.dataset = 'staff' LIMIT ?",
        NAMES_MAX,
    )
    return [row[0] for row in found]


def audit_tail(rows: Rows, limit: int) -> list[tuple[int, int, str, str]]:
    """``(seq, at_ms, caller, action)`` of the newest entries of the audit log."""
    found = rows.all(
        "SELECT seq, at_ms, caller, action FROM audit ORDER BY seq DESC LIMIT ?", limit
    )
    return [(row[0], row[1], row[2], row[3]) for row in found]


def library_version() -> str:
    """SQLite's."""
    return sqlite.version()
