"""Opening the hub's database: settings, integrity, schema, migrations."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from hub import events
from hub.storage import sqlite
from hub.storage.errors import (
    DamagedDatabase,
    DatabaseRefused,
    DiskFails,
    ForeignDatabase,
    NewerDatabase,
)
from hub.storage.sqlite import Connection

log = logging.getLogger(__name__)

APPLICATION_ID = 0x53485542  # "SHUB"
QUICK_CHECK_LIMIT_BYTES = 2 << 30
NOT_OURS = ("sqlite_", "_litestream_")
"""Tables of the library, and of the replicator that may run beside the hub."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the schema."""

    version: int
    name: str
    sql: str


@cache
def migrations() -> tuple[Migration, ...]:
    """All steps in order; numbers are contiguous from 1."""
    found = []
    for item in resources.files("hub.storage").joinpath("migrations").iterdir():
        match = re.fullmatch(r"(\d{4})_(\w+)\.sql", item.name)
        if match:
            found.append(Migration(int(match[1]), match[2], item.read_text(encoding="utf-8")))
    found.sort(key=lambda step: step.version)
    assert [step.version for step in found] == list(range(1, len(found) + 1))
    return tuple(found)


def open_database(path: Path) -> Connection:
    """The read-write connection to the database at ``path``, made or migrated as needed.

    Errors: :class:`NewerDatabase`, :class:`DamagedDatabase`, :class:`ForeignDatabase`,
    :class:`DiskFails`.
    """
    try:
        return _open(path)
    except DamagedDatabase as damaged:
        conn = _open(path)  # a disk that reads badly looks like damage that isn't there next time
        log.error(
            "the disk is failing: at a second look this wasn't so: %s",
            damaged,
            extra=events.DISK_DOUBTED(),
        )
        return conn


def _open(path: Path) -> Connection:
    with refusing(path):
        conn = connect(path)
        try:
            is_new = _is_empty(conn, path)
            if not is_new:
                _check_owner(conn, path)
                _check_integrity(conn, path)
            _configure(conn, path)
            if not is_new:
                _empty_the_log(conn)
            _migrate(conn, path, is_new=is_new)
            _check_schema(conn, path)
        except BaseException:
            conn.close()
            raise
    return conn


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Say what an error of the library means for opening ``path``, if it is about the disk.

    Errors: :class:`DiskFails`, :class:`DamagedDatabase`.
    """
    try:
        yield
    except sqlite.Error as error:
        refusal = _refusal_of(path, error)
        if refusal is None:
            raise
        raise refusal from error


def _refusal_of(path: Path, error: sqlite.Error) -> DatabaseRefused | None:
    match sqlite.primary_code(error):
        case sqlite.FULL:
            return DiskFails(f"{path} can't be opened, its disk is full: free space on the box.")
        case sqlite.BUSY:
            return DiskFails(f"{path} is in use by another program ({error}): stop that first.")
        case sqlite.IOERR | sqlite.CANTOPEN | sqlite.READONLY:
            return _disk_fails(path, str(error))
        case sqlite.CORRUPT | sqlite.NOTADB:
            return _damaged(path, str(error))
        case _:
            return None


def _disk_fails(path: Path, finding: str) -> DiskFails:
    return DiskFails(
        f"{path} can't be opened now ({finding}). Nothing says that it is damaged: start again, and"
        " if this stays, look at the disk (dmesg, smartctl), its free space and the file's owner."
    )


def _is_empty(conn: Connection, path: Path) -> bool:
    """True for a new file, and for one whose founding was cut short before its first commit."""
    try:
        return not conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] and not any(
            conn.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version")
        )
    except sqlite.Error as error:
        raise _refusal_of(path, error) or _damaged(path, str(error)) from error


def connect(path: Path) -> Connection:
    """A bare read-write connection in autocommit mode, usable from any one thread at a time."""
    return sqlite.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=5.0
    )


def connect_read_only(path: Path) -> Connection:
    """A connection that can't change anything."""
    conn = sqlite.connect(
        f"file:{_uri_path(path)}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        timeout=5.0,
    )
    conn.execute("PRAGMA query_only = ON")
    conn.execute("PRAGMA cache_size = -8000")
    return conn


def _uri_path(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _check_owner(conn: Connection, path: Path) -> None:
    owner = conn.execute("PRAGMA application_id").fetchone()[0]
    version = conn.execute("PRAGMA user_version").fetchone()[0]
    if owner != APPLICATION_ID:
        raise ForeignDatabase(
            f"{path} is a database, but not a Store Hub's (application id {owner}). "
            "Point paths.state to the hub's own directory, or move the file aside."
        )
    if version > len(migrations()):
        raise NewerDatabase(
            f"{path} has schema {version}; this Store Hub knows schemas up to {len(migrations())}. "
            "Install the newer Store Hub again, or restore a backup made by this version "
            "(store-hub restore --help)."
        )


def _check_integrity(conn: Connection, path: Path) -> None:
    if path.stat().st_size > QUICK_CHECK_LIMIT_BYTES:
        log.warning("database too large to check at start; run 'store-hub stock verify' when quiet")
        return
    findings = "; ".join(str(row[0]) for row in conn.execute("PRAGMA quick_check(5)"))
    if "unable to get the page" in findings:
        raise _disk_fails(path, findings)
    if findings != "ok":
        raise _damaged(path, findings)


def _empty_the_log(conn: Connection) -> None:
    """Move what the last process left in the log into the database.

    After a sync that failed, the log may hold a transaction that is in the cache only, and never
    will be written: later ones behind it would be lost with it when the power goes.
    """
    try:
        busy, _, _ = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite.Error as error:
        if sqlite.primary_code(error) != sqlite.FULL:
            raise
        log.warning("the disk is full: the database's log is emptied later")
        return
    if busy:
        log.warning("another program reads the database: its log is emptied later")


def _damaged(path: Path, finding: str) -> DamagedDatabase:
    return DamagedDatabase(
        f"{path} is damaged ({finding}). Nothing was changed. Keep a copy of the file, then restore"
        " the latest backup (store-hub restore --help); sales that the cloud or the devices hold"
        " are fetched again after a restore."
    )


def _configure(conn: Connection, path: Path) -> None:
    mode = conn.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise DamagedDatabase(
            f"{path} can't use write-ahead logging (journal mode {mode}). "
            "Put paths.state on a local disk: network file systems can't keep a shop's sales."
        )
    for setting in (
        "synchronous = FULL",
        "wal_autocheckpoint = 1000",
        "temp_store = MEMORY",
        "cache_size = -16000",
        "foreign_keys = ON",
        "busy_timeout = 5000",
        "mmap_size = 0",
    ):
        conn.execute(f"PRAGMA {setting}")
    assert conn.execute("PRAGMA synchronous").fetchone()[0] == 2


def _migrate(conn: Connection, path: Path, *, is_new: bool) -> None:
    have = conn.execute("PRAGMA user_version").fetchone()[0]
    pending = migrations()[have:]
    if not pending:
        return
    if not is_new:
        keep = path.with_name(f"{path.name}.before-schema-{pending[-1].version}")
        if not keep.exists():
            part = keep.with_name(f"{keep.name}.part")
            part.unlink(missing_ok=True)
            conn.execute("VACUUM INTO ?", (str(part),))
            part.replace(keep)
    conn.execute("BEGIN EXCLUSIVE")
    try:
        for step in pending:
            for statement in statements(step.sql):
                conn.execute(statement)
        conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        conn.execute(f"PRAGMA user_version = {pending[-1].version}")
        broken = conn.execute("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise DamagedDatabase(
                f"{path}: rows without their parent after migrating: {broken[:3]}"
            )
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise
    if not is_new:
        log.info(
            "database migrated from schema %d to %d",
            have,
            pending[-1].version,
            extra=events.SCHEMA_MIGRATED(),
        )


def statements(script: str) -> list[str]:
    """The statements of an SQL script, one by one (``executescript`` would commit on its way)."""
    found, buffer = [], ""
    for line in script.splitlines(keepends=True):
        buffer += line
        if sqlite.complete_statement(buffer):
            found.append(buffer)
            buffer = ""
    without_comments = re.sub(r"--.*", "", buffer)
    assert not without_comments.strip(), f"unfinished statement: {buffer[:80]!r}"
    return found


def _check_schema(conn: Connection, path: Path) -> None:
    found, expected = _schema_of(conn), _expected_schema()
    if found != expected:
        differing = sorted(
            name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)
        )
        raise _damaged(path, f"its schema differs in {', '.join(differing[:5])}")


def _schema_of(conn: Connection) -> dict[str, str]:
    query = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
    return {
        name: " ".join(sql.split())
        for name, sql in conn.execute(query)
        if not name.startswith(NOT_OURS)
    }


@cache
def _expected_schema() -> dict[str, str]:
    memory = sqlite.connect(":memory:", isolation_level=None)
    try:
        for step in migrations():
            for statement in statements(step.sql):
                memory.execute(statement)
        return _schema_of(memory)
    finally:
        memory.close()
