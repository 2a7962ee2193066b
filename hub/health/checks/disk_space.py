"""Room on the disk that keeps the state, in bytes and in percent."""

from __future__ import annotations

from typing import Final

from hub.contract.health import Level
from hub.health.check import SEVERITY, Check, Finding, fine, grade
from hub.health.facts import GIB, Facts
from hub.health.words import size

USED_STEPS: Final[tuple[tuple[Level, float], ...]] = (("critical", 99.0), ("warning", 95.0))
ENOUGH_BYTES: Final = 8 * GIB
"""With this much left, percents say nothing."""


def look(facts: Facts) -> Finding:
    """A warning at 95 % or below the settings' limit; critical at 99 % or close to the reserve."""
    free = facts.status.storage.free_bytes
    limits, before = facts.limits, facts.before.get("disk-space", "ok")
    level = grade(
        free,
        (("critical", 2.0 * limits.reserve_bytes), ("warning", float(limits.free_low_bytes))),
        before,
        falling=True,
    )
    disk, used = facts.measured.disk, None
    if disk is not None and disk.total_bytes:
        free = min(free, disk.free_bytes)
        used = 100 * (disk.total_bytes - disk.free_bytes) / disk.total_bytes
        if disk.free_bytes < ENOUGH_BYTES:
            level = max(
                level, grade(used, USED_STEPS, before, slack=0.01), key=SEVERITY.__getitem__
            )
    percent = f" ({int(used)} % used)" if used is not None else ""
    detail = {"free": size(free)} | ({"used": f"{int(used)} %"} if used is not None else {})
    if facts.status.storage.state == "full":
        level = "critical"
    if level == "ok":
        return fine(f"{size(free)} are free{percent}.", **detail)
    return Finding(
        level,
        f"The disk is nearly full{percent}: {size(free)} are left.",
        "Selling goes on until it is full; then no sale is taken in.",
        "Free space on the box: start with the button here, then remove what doesn't belong to"
        " the hub.",
        "space.free",
        detail=detail,
    )


CHECK = Check("disk-space", "Room on the disk", "How much room is left on the disk.", 8, look)
