"""Reading beside the writer: point look-ups on the loop, longer reads in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiosqlite

from hub.storage import sqlite
from hub.storage.database import connect_read_only, refusing
from hub.storage.errors import ReadFailed
from hub.storage.rows import Row

T = TypeVar("T")
READ_LIMIT_S = 5.0


class LoopReader:
    """A read-only connection for look-ups by key: one row, fetched at once, on the loop.

    Errors: :class:`~hub.storage.errors.DatabaseRefused` when it is made,
    :class:`~hub.storage.errors.ReadFailed` of a look-up.
    """

    def __init__(self, path: Path) -> None:
        self._conn = _connect(path)

    def one(self, sql: str, *params: Any) -> Row | None:
        try:
            row: Row | None = self._conn.execute(sql, params).fetchone()
        except sqlite.Error as error:
            raise _meaning(error) from error
        return row

    def all(self, sql: str, *params: Any) -> list[Row]:
        try:
            return self._conn.execute(sql, params).fetchall()
        except sqlite.Error as error:
            raise _meaning(error) from error

    def close(self) -> None:
        """Close the connection."""
        self._conn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()


class ThreadReaders:
    """Read-only connections in aiosqlite's threads, for searches, reports and pages.

    At most ``size`` reads run at once; each is ended after ``limit_s``, for a pinned read keeps the
    write-ahead log from being reset and lets it grow without bound.
    """

    def __init__(self, path: Path, *, size: int = 2, limit_s: float = READ_LIMIT_S) -> None:
        self._path = path
        self._limit_s = limit_s
        self._size = size
        self._idle: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()
        self._all: list[aiosqlite.Connection] = []

    async def open(self) -> None:
        """Open the connections."""
        for _ in range(self._size):
            conn = aiosqlite.Connection(self._connect, 64)
            await conn
            self._all.append(conn)
            self._idle.put_nowait(conn)

    def _connect(self) -> Any:
        return _connect(self._path)

    async def read(self, query: Callable[[RowsOf], T]) -> T:
        """Run ``query`` in a reader's thread.

        Errors: TimeoutError when no reader came free or the read took longer than its limit.
        """
        if self._idle.empty():
            async with asyncio.timeout(
                self._limit_s
            ):  # wait_for of 3.11 can swallow a cancellation
                conn = await self._idle.get()
        else:
            conn = self._idle.get_nowait()
        rows = RowsOf(conn._conn)
        execute: Any = conn._execute
        work: asyncio.Future[T] = asyncio.ensure_future(execute(query, rows))
        try:
            done, _ = await asyncio.wait({work}, timeout=self._limit_s)
            if not done:
                raise TimeoutError(f"a read took longer than {self._limit_s} s")
            return work.result()
        finally:
            if not work.done():
                rows.end()
                await conn.interrupt()
            work.add_done_callback(lambda _: self._idle.put_nowait(conn))
            work.add_done_callback(_looked_at)

    async def close(self) -> None:
        """Close the connections (an unclosed one would hang the interpreter's exit)."""
        for conn in self._all:
            await conn.close()
        self._all.clear()


def _looked_at(work: asyncio.Future[Any]) -> None:
    if not work.cancelled():
        work.exception()


class RowsOf:
    """A connection as :class:`~hub.storage.rows.Rows`, until its time is up."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self._ended = False

    def end(self) -> None:
        """Answer nothing more: a read in many steps can't be interrupted between them."""
        self._ended = True

    def _check(self) -> None:
        if self._ended:
            raise TimeoutError("the read's time is up")

    def one(self, sql: str, *params: Any) -> Row | None:
        self._check()
        try:
            row: Row | None = self._conn.execute(sql, params).fetchone()
        except sqlite.Error as error:
            raise _meaning(error) from error
        return row

    def all(self, sql: str, *params: Any) -> list[Row]:
        self._check()
        try:
            rows: list[Row] = self._conn.execute(sql, params).fetchall()
        except sqlite.Error as error:
            raise _meaning(error) from error
        return rows


def _connect(path: Path) -> sqlite.Connection:
    with refusing(path):
        try:
            return connect_read_only(path)
        except sqlite.Error:
            return connect_read_only(path)  # a second look, as at opening for writing


def _meaning(error: sqlite.Error) -> Exception:
    """The error itself if it is about the statement."""
    if sqlite.primary_code(error) not in sqlite.ABOUT_THE_DISK:
        return error
    return ReadFailed(
        f"The database can't be read now ({error}): ask again; if this stays, look at the disk."
    )
