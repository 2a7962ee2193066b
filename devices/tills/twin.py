"""The twin of what is attached to a virtual till: its printer, drawer, scanner.

All is well until somebody says otherwise, in the file ``conditions`` in the till's folder, a key a
line::

    echo printer-paper-empty > STATE/till-01/conditions     # the roll is used up
    rm STATE/till-01/conditions                             # a new one is in
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from devices.kit import CONDITIONS, Condition

_log = logging.getLogger(__name__)

FILE: Final = "conditions"
_LOOK_S: Final = 0.5
_READ_BYTES: Final = 4096


async def play(folder: Path, tell: Callable[[Iterable[Condition]], None]) -> None:
    """Tell what the file says whenever it changes, until cancelled."""
    known: tuple[Condition, ...] | None = None
    while True:
        found = await asyncio.to_thread(read, folder / FILE)
        if found != known:
            known = found
            tell(found)
        await asyncio.sleep(_LOOK_S)


def read(file: Path) -> tuple[Condition, ...]:
    """The conditions that a file names; what it names besides is logged and passed over."""
    try:
        with file.open("rb") as opened:
            words = opened.read(_READ_BYTES).decode(errors="replace").split()
    except FileNotFoundError:
        return ()
    except OSError as error:
        _log.warning("%s can't be read: %s", file, error.strerror)
        return ()
    if strange := sorted(set(words) - set(CONDITIONS)):
        _log.warning("%s names %s; known: %s", file, ", ".join(strange), ", ".join(CONDITIONS))
    return tuple(one for one in CONDITIONS if one in words)
