"""How long the disk takes to keep something: every sale waits for that."""

from __future__ import annotations

from typing import Final

from hub.contract.health import Level
from hub.health.check import Check, Finding, fine, grade, unknown
from hub.health.facts import Facts

STEPS_MS: Final[tuple[tuple[Level, float], ...]] = (("critical", 3_000.0), ("warning", 400.0))


def look(facts: Facts) -> Finding:
    """By the median of the last few looks."""
    disk = facts.measured.disk
    if disk is None or (disk.sync_ms is None and not disk.sync_error):
        return unknown("Not measured yet.")
    if disk.sync_error:
        return Finding(
            "critical",
            f"The disk doesn't keep what is written: {disk.sync_error}.",
            "Sales may not be taken in.",
            "Have the box or its disk replaced: call central IT now.",
        )
    assert disk.sync_ms is not None
    level = grade(disk.sync_ms, STEPS_MS, facts.before.get("disk-speed", "ok"), slack=0.25)
    text = f"{disk.sync_ms} ms"
    if level == "ok":
        return fine(f"The disk keeps things within {text}.", latency=text)
    return Finding(
        level,
        f"The disk is slow: it takes {text} to keep something.",
        "Every sale takes at least as long.",
        "See whether something else on the box writes a lot; if it stays so, have the disk"
        " replaced.",
        detail={"latency": text},
    )


CHECK = Check(
    "disk-speed", "Disk speed", "How long the disk takes to keep a few bytes for good.", 3, look
)
