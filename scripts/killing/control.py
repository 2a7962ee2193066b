"""Negative controls: the verdict has to see faults that are put into copies of the databases."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from scripts.killing.books import Books
from scripts.killing.verdict import judge

_LAST = "(SELECT max(id) FROM sales)"
_EVENT = "store, source, stream, seq, id, type, partitionkey, data, status, received_at_ms"
FAULTS: dict[str, tuple[str, str]] = {
    "an answered sale is gone from the hub": (
        "hub",
        f"DELETE FROM sale_lines WHERE sale = {_LAST}; DELETE FROM sales WHERE id = {_LAST}",
    ),
    "a sale has another receipt number": (
        "hub",
        f"UPDATE sales SET receipt_no = 'X' || receipt_no WHERE id = {_LAST}",
    ),
    "a sale moved stock twice": (
        "hub",
        "UPDATE stock SET sellable = sellable - 1 WHERE sku_id = (SELECT min(sku_id) FROM stock)",
    ),
    "an event is missing from the outbox": (
        "hub",
        "DELETE FROM outbox WHERE stream = 'sales' AND seq = 2",
    ),
    "the audit log was changed": ("hub", "UPDATE audit SET staff_id = 'nobody' WHERE seq = 1"),
    "an answered sale is missing in the cloud": (
        "oms",
        "DELETE FROM sales WHERE sale_id = (SELECT max(sale_id) FROM sales)",
    ),
    "the cloud took an event twice": (
        "oms",
        f"INSERT INTO events ({_EVENT}) SELECT {_EVENT} FROM events LIMIT 1",
    ),
}
"""What is done to which database."""


def unseen_faults(hub_db: Path, oms_db: Path, books: Books) -> list[str]:
    """The faults of ``FAULTS`` that the verdict did not see: none, if it is worth anything."""
    with tempfile.TemporaryDirectory(prefix="shk-control-") as folder:
        return [
            what
            for what, (where, statements) in FAULTS.items()
            if not _sees(Path(folder), {"hub": hub_db, "oms": oms_db}, where, statements, books)
        ]


def _sees(folder: Path, real: dict[str, Path], where: str, statements: str, books: Books) -> bool:
    copies = {name: folder / f"{name}.db" for name in real}
    for name, path in real.items():
        _copy(path, copies[name])
    with closing(sqlite3.connect(copies[where])) as db:
        db.executescript(statements)
        db.commit()
    return bool(judge(copies["hub"], copies["oms"], books))


def _copy(source: Path, target: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
