"""The sandbox's database: one writer thread, short readers, backup and restore.

Nothing is answered before its transaction is committed with ``synchronous=FULL``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hub.clock import Randomness
from hub.contract.oms import OmsCode

from . import bundles, payments, value_books
from .problems import refuse

if TYPE_CHECKING:
    from sqlite3 import Connection

T = TypeVar("T")
SCHEMA_VERSION = 1
MAX_PENDING_WRITES = 256


def connect(path: Path) -> Connection:
    """A connection in autocommit mode; the caller begins and ends transactions."""
    from pysqlite3 import dbapi2

    db: Connection = dbapi2.connect(str(path), isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA busy_timeout=5000")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA temp_store=MEMORY")
    db.execute("PRAGMA cache_size=-16000")
    return db


class Database:
    """``write`` and ``read`` run plain functions of a connection; see their docstrings."""

    def __init__(self, path: Path, randomness: Randomness) -> None:
        self._path = path
        self._backup_path = path.with_name("backup.db")
        self._randomness = randomness
        self._thread = ThreadPoolExecutor(1, "sandbox-writer")
        self._pending = 0
        self._db: Connection | None = None
        self.oms_incarnation = ""

    async def open(self) -> None:
        """Create or open the file.  Raises RuntimeError for a file of another version."""
        await self._in_writer(self._open)

    async def close(self) -> None:
        await self._in_writer(self._close)
        await asyncio.to_thread(self._thread.shutdown)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction of the writer thread; returns after the commit.

        Any exception rolls back.  With 256 writes waiting: ``busy``.
        """
        if self._pending >= MAX_PENDING_WRITES:
            raise refuse(OmsCode.BUSY, "Too many writes are waiting; wait.", retry_after_ms=1000)
        self._pending += 1
        try:
            return await self._in_writer(lambda: self._transact(work))
        finally:
            self._pending -= 1

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` on a connection of its own, against one snapshot of the data."""
        return await asyncio.to_thread(self._read, work)

    async def backup(self) -> None:
        """Keep a copy of everything committed so far, in place of the last one."""
        await self._in_writer(self._back_up)

    async def restore(self) -> str:
        """Go back to the last backup, as a new life: returns the new ``oms_incarnation``."""
        return await self._in_writer(self._restore)

    async def _in_writer(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _open(self) -> None:
        db = connect(self._path)
        db.execute("PRAGMA journal_mode=WAL")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            schema = files(__package__).joinpath("schema.sql").read_text("utf-8")
            db.executescript(f"BEGIN;{schema};PRAGMA user_version={SCHEMA_VERSION};COMMIT;")
        elif version != SCHEMA_VERSION:
            db.close()
            raise RuntimeError(
                f"{self._path} has schema version {version}, this sandbox writes {SCHEMA_VERSION}; "
                "start it with an empty state directory"
            )
        for schema in (
            bundles.SCHEMA,
            *payments.SCHEMAS,
            *value_books.SCHEMAS,
        ):  # of later versions
            db.execute(schema)
        found = db.execute("SELECT value FROM meta WHERE key='oms_incarnation'").fetchone()
        self.oms_incarnation = found[0] if found else self._new_incarnation()
        if not found:
            db.execute("INSERT INTO meta VALUES ('oms_incarnation', ?)", (self.oms_incarnation,))
        self._db = db

    def _new_incarnation(self) -> str:
        return "oms-" + self._randomness.token_bytes(6).hex()

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _transact(self, work: Callable[[Connection], T]) -> T:
        db = self._db
        assert db is not None, "the database is closed"
        db.execute("BEGIN IMMEDIATE")
        try:
            outcome = work(db)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return outcome

    def _read(self, work: Callable[[Connection], T]) -> T:
        with closing(connect(self._path)) as db:
            db.execute("PRAGMA query_only=ON")
            db.execute("BEGIN")
            outcome = work(db)
            db.execute("COMMIT")
            return outcome

    def _back_up(self) -> None:
        assert self._db is not None, "the database is closed"
        fresh = self._backup_path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        self._db.execute("VACUUM INTO ?", (str(fresh),))
        with fresh.open("rb") as copy:
            os.fsync(copy.fileno())
        fresh.replace(self._backup_path)

    def _restore(self) -> str:
        assert self._db is not None, "the database is closed"
        if not self._backup_path.exists():
            raise refuse(OmsCode.NOT_FOUND, "There is no backup; POST /sandbox/backup first.")
        lives = [row[0] for row in self._db.execute("SELECT oms_incarnation FROM past_lives")]
        lives.append(self.oms_incarnation)
        incarnation = self._new_incarnation()
        tables = (*payments.TABLES, *value_books.TABLES)
        known = payments.kept(self._db, tables)
        work_path = self._backup_path.with_suffix(".restoring")
        work_path.write_bytes(self._backup_path.read_bytes())
        try:
            with closing(connect(work_path)) as copy:
                _begin_new_life(copy, lives, incarnation)
                copy.backup(self._db)
        finally:
            work_path.unlink()
        self._db.execute(bundles.SCHEMA)
        payments.put_back(self._db, known, (*payments.SCHEMAS, *value_books.SCHEMAS))
        self.oms_incarnation = incarnation
        return incarnation


def _begin_new_life(db: Connection, lives: list[str], incarnation: str) -> None:
    """Make the copy say where the logs stand now, so that later cursors can be led back here."""
    (backed_up,) = db.execute("SELECT value FROM meta WHERE key='oms_incarnation'").fetchone()
    (commands_head,) = db.execute("SELECT coalesce(max(n), 0) FROM commands").fetchone()
    (events_head,) = db.execute("SELECT coalesce(max(event), 0) FROM events").fetchone()
    db.execute("BEGIN IMMEDIATE")
    db.executemany(
        "INSERT OR IGNORE INTO past_lives VALUES (?, ?, ?)",
        [(life, commands_head, events_head) for life in [*lives, backed_up]],
    )
    db.execute("UPDATE meta SET value=? WHERE key='oms_incarnation'", (incarnation,))
    db.execute("COMMIT")
