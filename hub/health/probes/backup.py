"""The newest copy of the state that lies on this box."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hub.health.facts import Backup

SUFFIX: Final = "-backups"
NAME: Final = re.compile(r"(\d{8}T\d{6})\.(\d{3})Z")


def measure(state: Path) -> Backup | None:
    """By the names of the copies; None where they may not be read."""
    try:
        found = copies(state)
    except OSError:  # not silent: the check says that it isn't known
        return None
    return Backup(made_at_ms(found[-1].name), str(found[-1])) if found else Backup()


def copies(state: Path) -> list[Path]:
    """The copies beside the state directory (``<state>-backups``), oldest first.  Raises OSError
    where they may not be read."""
    place = state.with_name(f"{state.name}{SUFFIX}")
    if not place.exists():
        return []
    return sorted(path for path in place.iterdir() if NAME.fullmatch(path.name))


def made_at_ms(name: str) -> int:
    """The instant in a copy's name."""
    match = NAME.fullmatch(name)
    assert match is not None
    instant = datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return int(instant.timestamp()) * 1000 + int(match[2])
