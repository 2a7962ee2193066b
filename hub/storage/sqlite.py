"""The one SQLite library of this process.

The wheel of ``pysqlite3`` carries a current SQLite; the system's may be in the range 3.7.0 to
3.51.2, whose WAL-reset bug can corrupt a database that two connections write or checkpoint at once.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3 as dbapi
else:
    try:
        from pysqlite3 import dbapi2 as dbapi
    except ImportError:  # no wheel for this machine: the system's library, reported at start
        import sqlite3 as dbapi

Connection = dbapi.Connection
Error = dbapi.Error
OperationalError = dbapi.OperationalError
IntegrityError = dbapi.IntegrityError
complete_statement = dbapi.complete_statement

FULL = 13
IOERR = 10
CORRUPT = 11
NOTADB = 26
BUSY = 5
CANTOPEN = 14
READONLY = 8
ABOUT_THE_DISK = frozenset({BUSY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB})
"""Result codes that aren't about the statement."""


def connect(database: Path | str, **settings: Any) -> Connection:
    """A connection; ``settings`` are those of :func:`sqlite3.connect`."""
    _bind_quickly()
    conn: Connection = dbapi.connect(database, **settings)
    return conn


@cache
def _bind_quickly() -> None:
    """Without an adapter the library asks every None and every bytes for its own, each time, and
    makes an exception of the answer: ten times what binding a number takes."""
    for kind in (type(None), bytes):
        dbapi.register_adapter(kind, _as_it_is)


def _as_it_is(value: Any) -> Any:
    return value


def primary_code(error: BaseException) -> int:
    """The primary result code of an SQLite error, 0 if it carries none."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def version() -> str:
    """The library's version."""
    return dbapi.sqlite_version


def has_wal_reset_bug() -> bool:
    """True when the library is in the range with the WAL-reset bug (fixed in 3.51.3)."""
    numbers = tuple(int(part) for part in version().split("."))
    return (3, 7, 0) <= numbers < (3, 51, 3)
