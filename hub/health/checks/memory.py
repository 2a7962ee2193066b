"""Memory of the box and of the hub itself."""

from __future__ import annotations

from typing import Final

from hub.contract.health import Level
from hub.health.check import SEVERITY, Check, Finding, fine, grade, unknown
from hub.health.facts import MIB, Facts
from hub.health.words import size

LEFT_STEPS: Final[tuple[tuple[Level, float], ...]] = (
    ("critical", 64.0 * MIB),
    ("warning", 160.0 * MIB),
)
OWN_STEPS: Final[tuple[tuple[Level, float], ...]] = (("warning", 768.0 * MIB),)


def look(facts: Facts) -> Finding:
    """A warning below 160 MiB left, or when the hub itself uses 768 MiB."""
    machine, before = facts.measured.machine, facts.before.get("memory", "ok")
    if machine is None or (machine.available_bytes is None and machine.rss_bytes is None):
        return unknown("Not measured yet.")
    left, own = machine.available_bytes, machine.rss_bytes
    by_left: Level = "ok"
    if left is not None:
        by_left = grade(left, LEFT_STEPS, before, falling=True, slack=0.2)
    by_own: Level = grade(own, OWN_STEPS, before) if own is not None else "ok"
    level = max(by_left, by_own, key=SEVERITY.__getitem__)
    detail = {
        name: size(value)
        for name, value in (("left", left), ("the hub's", own), ("all", machine.total_bytes))
        if value is not None
    }
    if level == "ok":
        return fine("There is memory enough.", **detail)
    if level == by_left and left is not None:
        return Finding(
            level,
            f"Only {size(left)} of memory are left on the box.",
            "The hub gets slow, and may be ended by the system and start again.",
            "See which other program uses the memory and end it; else restart the box after"
            " closing time.",
            detail=detail,
        )
    return Finding(
        level,
        f"The hub uses {size(own or 0)} of memory, far more than it should.",
        "Selling goes on.",
        "Restart the hub after closing time, and tell central IT.",
        detail=detail,
    )


CHECK = Check("memory", "Memory", "How much memory is left, and how much the hub uses.", 3, look)
