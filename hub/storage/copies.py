"""Copying a database that another process uses, and checking a copy."""

from __future__ import annotations

from pathlib import Path

from hub.storage.database import connect_read_only, refusing
from hub.storage.errors import DamagedDatabase


def copy_beside(database: Path, target: Path) -> None:
    """Write what ``database`` holds at one instant to the new file ``target``.

    The writer goes on meanwhile; its log grows by what it writes until the copy is done.
    Errors: :class:`~hub.storage.errors.DatabaseRefused`.
    """
    with refusing(database):
        conn = connect_read_only(database)
        try:
            conn.execute("PRAGMA query_only = OFF")  # it refuses the new file, too
            conn.execute("VACUUM INTO ?", (str(target),))
        finally:
            conn.close()


def check_copy(path: Path) -> None:
    """Read every page and every index of a database that nobody uses.

    Errors: :class:`~hub.storage.errors.DatabaseRefused`.
    """
    with refusing(path):
        conn = connect_read_only(path)
        try:
            findings = [str(row[0]) for row in conn.execute("PRAGMA integrity_check(5)")]
            orphans = conn.execute("PRAGMA foreign_key_check").fetchmany(5)
        finally:
            conn.close()
    if findings != ["ok"] or orphans:
        raise DamagedDatabase(
            f"{path} is damaged ({'; '.join(findings)}; {len(orphans)} rows without their parent):"
            " use another backup"
        )
