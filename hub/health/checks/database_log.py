"""The size of the database's log: it grows when something keeps it from being moved."""

from __future__ import annotations

from typing import Final

from hub.contract.health import Level
from hub.health.check import Check, Finding, fine, grade
from hub.health.facts import MIB, Facts
from hub.health.words import size

STEPS: Final[tuple[tuple[Level, float], ...]] = (
    ("warning", 512.0 * MIB),
    ("notice", 128.0 * MIB),
)


def look(facts: Facts) -> Finding:
    """Worth knowing from 128 MiB on."""
    length = facts.status.storage.wal_bytes
    level = grade(length, STEPS, facts.before.get("database-log", "ok"))
    if level == "ok":
        return fine(f"The database's log is {size(length)} long.", size=size(length))
    return Finding(
        level,
        f"The database's log has grown to {size(length)}.",
        "Selling goes on; look-ups become slower, and the disk fills.",
        "See which other program reads the database and end it; the log is emptied when the hub"
        " starts.",
        detail={"size": size(length)},
    )


CHECK = Check("database-log", "Database log", "How long the database's log is.", 2, look)
