"""Errors in the log of late."""

from __future__ import annotations

from typing import Final

from hub.health.check import Check, Finding, fine
from hub.health.facts import MINUTE_MS, Facts
from hub.health.words import many

LATELY_MS: Final = 15 * MINUTE_MS
TEXT_MAX: Final = 160


def look(facts: Facts) -> Finding:
    """A notice while the last 15 minutes hold an error; warnings don't count."""
    late = [
        one
        for one in facts.status.errors
        if one.level in ("error", "critical") and 0 <= facts.now_ms - one.at_ms < LATELY_MS
    ]
    if not late:
        return fine("No errors lately.")
    newest = late[0]
    text = newest.text if len(newest.text) <= TEXT_MAX else f"{newest.text[: TEXT_MAX - 1]}…"
    return Finding(
        "notice",
        f"{many(len(late), 'error')} in the last 15 minutes.",
        "By itself it stops nothing: see what else is named here.",
        "Read them in the log; they are part of the support bundle.",
        since_ms=late[-1].at_ms,
        detail={"newest": text, "from": newest.source},
    )


CHECK = Check("errors", "Errors", "Whether the hub logged errors in the last minutes.", 2, look)
