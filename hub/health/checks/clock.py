"""Whether the wall clock can be trusted."""

from __future__ import annotations

from typing import Final

from hub.health.check import Check, Finding, fine, grade
from hub.health.facts import Facts
from hub.health.words import ago

OFF_FROM_MS: Final = 60_000.0


def look(facts: Facts) -> Finding:
    """A warning while it is doubted, or more than a minute off the cloud's."""
    source = facts.measured.clock
    off_ms = source.off_cloud_ms if source is not None else None
    detail = {} if off_ms is None else {"off the cloud's": f"{off_ms / 1000:+.1f} s"}
    if facts.status.clock_suspect:
        why = f" ({facts.clock_doubt})" if facts.clock_doubt else ""
        return Finding(
            "warning",
            f"The hub's clock can't be trusted{why}.",
            "Selling goes on; receipts may carry the wrong time.",
            "Compare the box's clock with your watch and set it; then confirm here that it is"
            " right.",
            "clock.trust",
            detail=detail,
        )
    if off_ms is not None:
        level = grade(abs(off_ms), (("warning", OFF_FROM_MS),), facts.before.get("clock", "ok"))
        if level != "ok":
            way = "ahead of" if off_ms > 0 else "behind"
            return Finding(
                level,
                f"The hub's clock is {ago(abs(off_ms))} {way} the cloud's.",
                "Selling goes on; receipts carry the wrong time.",
                "Set the box's clock, and see that it is set by a time server.",
                detail=detail,
            )
    return fine("The clock is trusted.", **detail)


CHECK = Check("clock", "Clock", "Whether the box's clock is right.", 6, look)
