"""A hub's database for tests that neither cut the power nor fail the disk."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from hub.storage.database import open_database
from hub.storage.sqlite import Connection


def open_quickly(path: Path) -> Connection:
    """As :func:`hub.storage.database.open_database` does, without waiting for the disk; a new
    database is a copy of one that was made once in this process."""
    if not path.exists():
        path.write_bytes(_new())
    conn = open_database(path)
    conn.execute("PRAGMA synchronous = OFF")
    return conn


@cache
def _new() -> bytes:
    with tempfile.TemporaryDirectory(prefix="sh-new-") as folder:
        path = Path(folder) / "hub.db"
        open_database(path).close()
        return path.read_bytes()
