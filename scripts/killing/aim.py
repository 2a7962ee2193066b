"""The right moment to kill: a database's COMMIT has begun to write, or has just ended.

SQLite's files tell (https://www.sqlite.org/walformat.html): a COMMIT appends frames to ``-wal``,
syncs it, and then counts up ``iChange`` in the header of ``-shm``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Literal

_SLICE_S = 0.002
_BOUND_S = 1.0
_ICHANGE = 8
"""Offset of the counter of transactions in the header."""


async def at_commit(
    database: Path, moment: Literal["commit", "committed"], fire: Callable[[], None]
) -> bool:
    """``fire`` at the next such moment; False (and nothing fired) if none came within a second.

    It looks without pause for 2 ms at a time, lets the loop run, and looks again.
    """
    suffix = "-wal" if moment == "commit" else "-shm"
    path = database.with_name(database.name + suffix)
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    look = _written if moment == "commit" else _counted
    try:
        deadline = perf_counter() + _BOUND_S
        while (now := perf_counter()) < deadline:
            before = look(handle)
            while perf_counter() < now + _SLICE_S:
                if look(handle) != before:
                    fire()
                    return True
            await asyncio.sleep(0)
        return False
    finally:
        with suppress(OSError):
            os.close(handle)


def _written(handle: int) -> object:
    found = os.fstat(handle)
    return found.st_mtime_ns, found.st_size


def _counted(handle: int) -> object:
    return os.pread(handle, 4, _ICHANGE)
