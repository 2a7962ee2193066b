"""What waits for the cloud although it is reached."""

from __future__ import annotations

from typing import Final

from hub.contract.health import Level
from hub.health.check import Check, Finding, fine, grade
from hub.health.facts import MINUTE_MS, Facts
from hub.health.words import ago, many

STEPS_MS: Final[tuple[tuple[Level, float], ...]] = (("warning", 15.0 * MINUTE_MS),)


def look(facts: Facts) -> Finding:
    """A warning when the oldest event waits for 15 minutes while the cloud answers."""
    outbox = facts.status.outbox
    detail = {"waiting": str(outbox.depth)}
    if outbox.oldest_at_ms is None:
        return fine("Nothing waits for the cloud.", **detail)
    age_ms = facts.now_ms - outbox.oldest_at_ms
    detail["oldest"] = ago(age_ms)
    if facts.status.cloud.state == "up":
        level = grade(age_ms, STEPS_MS, "ok")
        if level != "ok":
            return Finding(
                level,
                f"The oldest unsent event is {ago(age_ms)} old though the cloud is reached.",
                "Selling goes on; the cloud's books lag behind.",
                "Have it sent now; if it stays, central IT sees why with"
                " `store-hub outbox status`.",
                "outbox.retry",
                outbox.oldest_at_ms,
                detail,
            )
    return fine(f"{many(outbox.depth, 'event')} on the way to the cloud.", **detail)


CHECK = Check("outbox", "Waiting for the cloud", "How old the oldest unsent event is.", 5, look)
