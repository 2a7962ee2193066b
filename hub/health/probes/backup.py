"""The last copy of the state.

Whoever makes a copy leaves a note in the state directory: the copies themselves may lie where the
hub can't look, or on another machine.
"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Final

from hub.health.facts import Backup
from hub.health.probes import files
from hub.security.files import PUBLIC_MODE, SECRET_MODE, write_atomic

log = logging.getLogger(__name__)

NOTE: Final = "last-backup.json"
NAME: Final = re.compile(r"\d{8}T\d{6}\.\d{3}Z")
ORDER: Final = "order"
"""Beside the copies: their names, a line each, in the order they were made.  A name is an instant
of a clock that may have been wrong."""
_ORDER_BYTES_MAX: Final = 1 << 20


def note(state: Path, made_at_ms: int, place: str) -> None:
    """A whole copy was made.  A note that can't be written is logged: the copy is good."""
    text = json.dumps({"made_at_ms": made_at_ms, "place": place})
    try:
        write_atomic(state / NOTE, text.encode(), PUBLIC_MODE)
    except OSError as error:
        log.warning("the backup is made, but the status page isn't told: %s", error)


def measure(state: Path) -> Backup | None:
    """By the note; None when it can't be read."""
    path = state / NOTE
    if not path.exists():
        return Backup()
    try:
        told = json.loads(files.text(path) or "")
        return Backup(int(told["made_at_ms"]), str(told["place"])[:200])
    except (ValueError, TypeError, KeyError):  # not silent: the check says that it isn't known
        return None


def copies(state: Path) -> list[Path]:
    """The copies beside the state directory (``store-hub-backups`` beside ``store-hub``), oldest
    first; none where they may not be seen."""
    base, at, instance = state.name.partition("@")
    place = state.with_name(f"{base}-backups{at}{instance}")
    try:
        return in_order(place)
    except OSError:  # not silent: whoever frees space says what was removed
        return []


def in_order(directory: Path) -> list[Path]:
    """The copies in ``directory``, the one that was made last at the end; those of which nothing
    was written down come first, by their names.  Errors: ``OSError``."""
    try:
        with (directory / ORDER).open(encoding="utf-8", errors="replace") as stream:
            known = stream.read(_ORDER_BYTES_MAX).split()
    except FileNotFoundError:
        known = []
    place = {name: number for number, name in enumerate(known)}
    found = [path for path in directory.iterdir() if NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: (place.get(path.name, -1), path.name))


def note_order(directory: Path, made: str) -> None:
    """``made`` is, or is about to be, the newest copy in ``directory``.  Errors: ``OSError``."""
    names = [path.name for path in in_order(directory) if path.name != made]
    write_atomic(directory / ORDER, "\n".join([*names, made, ""]).encode(), SECRET_MODE)
