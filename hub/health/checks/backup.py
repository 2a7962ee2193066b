"""How old the last backup is."""

from __future__ import annotations

from typing import Final

from hub.contract.health import Level
from hub.health.check import Check, Finding, fine, grade, unknown
from hub.health.facts import DAY_MS, Facts
from hub.health.words import ago

STEPS_MS: Final[tuple[tuple[Level, float], ...]] = (
    ("warning", 7.0 * DAY_MS),
    ("notice", 2.0 * DAY_MS),
)
NEXT: Final = "Make one (`store-hub backup now`), and see that it happens by itself."


def look(facts: Facts) -> Finding:
    """Worth knowing after two days, a warning after a week."""
    backup = facts.measured.backup
    if backup is None:
        return unknown("Not looked at yet.")
    means = "Selling goes on; if this box fails, what the cloud doesn't have is lost."
    if backup.made_at_ms is None:
        return Finding("notice", "No backup of this hub is known.", means, NEXT)
    age_ms = max(0, facts.now_ms - backup.made_at_ms)
    detail = {"age": ago(age_ms), "place": backup.place}
    level = grade(age_ms, STEPS_MS, "ok")
    if level == "ok":
        return fine(f"The last backup is {ago(age_ms)} old.", **detail)
    return Finding(level, f"The last backup is {ago(age_ms)} old.", means, NEXT, None, None, detail)


CHECK = Check("backup", "Backup", "How old the last backup is.", 5, look)
