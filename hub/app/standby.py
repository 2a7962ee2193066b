"""A warm standby: another box that holds the database already, a second behind.

Litestream follows the newest series for as long as it runs.  It can't go on where it ended, so each
start fetches anew; what was there from before stays beside until that has been done.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub.app.replica import (
    Contents,
    Reader,
    ReplicaRefused,
    environment_of,
    find_litestream,
    newest_of,
    write_config,
)
from hub.config.replica import Replica
from hub.security.files import sync_directory

DATABASE: Final = "hub.db"
FORMER: Final = "former.db"
"""The database as the start before this one left it."""
_PRIVATE: Final = ".litestream"


@dataclass(frozen=True, slots=True)
class Following:
    """The program that follows, in place of this one: what :func:`os.execve` is told."""

    contents: Contents
    arguments: tuple[str, ...]
    environment: dict[str, str]


def prepare(replica: Replica, directory: Path, series: int | None) -> Following:
    """Make ``directory`` ready to follow a series, by default the newest box's.

    Errors: :class:`ReplicaRefused`, ``OSError``.
    """
    tool = find_litestream(replica.binary)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    private = directory / _PRIVATE
    contents = asyncio.run(_found(Reader(replica, private), replica, series))
    set_former_aside(directory)
    database = directory / DATABASE
    config = write_config(replica, database, contents.series, private)
    arguments = (
        *(str(tool), "restore", "-config", str(config), "-no-expand-env", "-f"),
        *("-o", str(database), str(database)),
    )
    return Following(contents, arguments, environment_of(replica, private))


async def _found(reader: Reader, replica: Replica, series: int | None) -> Contents:
    if series is None:
        return newest_of(await reader.look_at_all(), replica)
    found = await reader.look(series)
    if found is None:
        raise ReplicaRefused(f"nothing is at {replica.url}/{series}: leave --series out")
    return found


def set_former_aside(directory: Path) -> None:
    """Keep the last whole database under another name; without one keep the one before it."""
    database = directory / DATABASE
    if database.exists() and database.stat().st_size > 0:
        if (directory / FORMER).exists():
            for name in ("-wal", "-shm", ""):  # another database's log would be taken for its own
                (directory / f"{FORMER}{name}").unlink(missing_ok=True)
        for name in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.replace(f"{database}{name}", directory / f"{FORMER}{name}")
        os.replace(database, directory / FORMER)
    for left in directory.glob(f"{DATABASE}*"):
        left.unlink()
    sync_directory(directory)
