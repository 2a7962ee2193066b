"""How far the replica is behind, and whether the keys to it are put by."""

from __future__ import annotations

from typing import Final

from hub.contract.health import Level
from hub.health.check import Check, Finding, fine, grade
from hub.health.facts import HOUR_MS, MINUTE_MS, Facts
from hub.health.words import ago

STEPS_MS: Final[tuple[tuple[Level, float], ...]] = (
    ("warning", 6.0 * HOUR_MS),
    ("notice", 2.0 * MINUTE_MS),
)
NEXT: Final = "Look at the network and at the server that keeps it; the hub goes on trying."
ESCROW: Final = "Run `store-hub escrow export` and give the file to central IT."


def look(facts: Facts) -> Finding:
    """Worth knowing after two minutes, a warning after six hours; that there is none is no fault
    of the hub's."""
    replica = facts.measured.replica
    if replica is None:
        return fine("No replica is set up (replica.url), or it wasn't looked at yet.")
    behind_ms = max(0, facts.now_ms - (replica.synced_at_ms or replica.since_ms))
    detail = {"target": replica.target, "behind": ago(behind_ms)}
    if replica.error:
        detail["error"] = replica.error
    level = grade(behind_ms, STEPS_MS, facts.before.get("replica", "ok"))
    means = f"Selling goes on; if this box fails, the last {ago(behind_ms)} aren't in its replica."
    if level != "ok":
        summary = f"The replica is {ago(behind_ms)} behind."
        if replica.synced_at_ms is None:
            summary = f"Nothing was replicated since the hub started {ago(behind_ms)} ago."
        if replica.error:
            summary = f"{summary} {replica.error}"
        return Finding(level, summary, means, NEXT, None, None, detail)
    if not replica.keys_escrowed:
        return Finding(
            "notice",
            "The hub's keys aren't in escrow, or have changed since.",
            "Selling goes on; without its keys the replica is no use if this box fails.",
            ESCROW,
            None,
            None,
            detail,
        )
    return fine("The replica follows.", **detail)


CHECK = Check("replica", "Replica", "How far the replica is behind.", 5, look)
