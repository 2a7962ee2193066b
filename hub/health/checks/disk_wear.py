"""Wear of the disk, where it tells (eMMC: JESD84-B51, DEVICE_LIFE_TIME_EST)."""

from __future__ import annotations

from typing import Final

from hub.contract.health import Level
from hub.health.check import Check, Finding, fine, grade, unknown
from hub.health.facts import Facts

STEPS: Final[tuple[tuple[Level, float], ...]] = (("critical", 100.0), ("warning", 80.0))


def look(facts: Facts) -> Finding:
    """A warning from 80 % of its life on."""
    disk = facts.measured.disk
    if disk is None or disk.life_used_percent is None:
        return unknown("This disk doesn't tell how worn it is.")
    used = disk.life_used_percent
    detail = {"used": f"{used} %", "device": disk.device}
    level = grade(used, STEPS, "ok")
    if level == "ok":
        return fine(f"Up to {used} % of the disk's life are used.", **detail)
    return Finding(
        level,
        f"The disk is worn out: {used} % of its life are used."
        if level == "critical"
        else f"The disk wears out: up to {used} % of its life are used.",
        "Selling goes on; the disk may fail without more warning.",
        "Order another box, and see that there is a fresh backup.",
        detail=detail,
    )


CHECK = Check("disk-wear", "Disk wear", "How much of the disk's life is used.", 3, look)
