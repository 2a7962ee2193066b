"""Reading beside the writer: bounded in time, and nothing pinned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.storage import sqlite
from hub.storage.database import connect
from hub.storage.readers import LoopReader, ThreadReaders
from hub.storage.rows import Rows

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "r.db"
    conn = connect(path)
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("CREATE TABLE kept (n INTEGER PRIMARY KEY) STRICT")
    conn.executemany("INSERT INTO kept VALUES (?)", [(n,) for n in range(100)])
    conn.close()
    return path


@pytest.fixture
async def readers(path: Path) -> AsyncIterator[ThreadReaders]:
    readers = ThreadReaders(path, size=1, limit_s=1.0)
    await readers.open()
    yield readers
    await readers.close()


def count(rows: Rows) -> Any:
    found = rows.one("SELECT count(*) FROM kept")
    assert found is not None
    return found[0]


async def test_a_reader_can_not_write(path: Path, readers: ThreadReaders) -> None:
    with LoopReader(path) as reader, pytest.raises(sqlite.OperationalError):
        reader.one("DELETE FROM kept")
    with pytest.raises(sqlite.OperationalError):
        await readers.read(lambda rows: rows.one("DELETE FROM kept"))


def test_a_point_look_up_pins_nothing(path: Path) -> None:
    conn = connect(path)
    with LoopReader(path) as reader:
        assert reader.one("SELECT n FROM kept") == (0,)
        conn.execute("INSERT INTO kept VALUES (1000)")
        busy, _, _ = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    conn.close()
    assert busy == 0


async def test_a_read_that_takes_too_long_is_ended(readers: ThreadReaders) -> None:
    with pytest.raises(TimeoutError):
        await readers.read(lambda rows: rows.one(ENDLESS))
    assert await readers.read(count) == 100


async def test_a_read_of_many_short_steps_is_ended_too(readers: ThreadReaders) -> None:
    def walk(rows: Rows) -> None:
        while True:
            rows.one("SELECT 1")

    with pytest.raises(TimeoutError):
        await readers.read(walk)
    assert await readers.read(count) == 100


async def test_a_read_whose_caller_gave_up_is_ended(readers: ThreadReaders) -> None:
    reading = asyncio.ensure_future(readers.read(lambda rows: rows.one(ENDLESS)))
    await asyncio.sleep(0.05)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await readers.read(count) == 100


async def test_an_error_of_a_read_reaches_its_caller(readers: ThreadReaders) -> None:
    def wrong(rows: Rows) -> None:
        raise LookupError("nothing")

    with pytest.raises(LookupError):
        await readers.read(wrong)
    assert await readers.read(count) == 100


async def test_who_finds_no_reader_free_is_told(path: Path) -> None:
    readers = ThreadReaders(path, size=1, limit_s=0.1)
    await readers.open()
    try:
        found = await asyncio.gather(
            *(readers.read(lambda rows: rows.one(ENDLESS)) for _ in range(4)),
            return_exceptions=True,
        )
        assert {type(one) for one in found} == {TimeoutError}
    finally:
        await readers.close()
