"""What the figures were measured on, and whether it had anything else to do meanwhile."""

from __future__ import annotations

import os
import platform
import resource
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from hub.storage import sqlite

BUSY_PART = 0.1
"""From this share of the processors used by others on, a run says that it was disturbed."""


@dataclass(frozen=True, slots=True)
class Instant:
    """Processor seconds of the whole machine and of us with our ended children; one-minute load."""

    at_s: float
    machine_s: float
    own_s: float
    load: float

    @classmethod
    def now(cls) -> Instant:
        """This instant (proc_stat(5), getrusage(2))."""
        user, nice, system, _, _, irq, softirq, steal = (
            int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        )
        ticks = user + nice + system + irq + softirq + steal
        used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return cls(
            perf_counter(),
            ticks / os.sysconf("SC_CLK_TCK"),
            sum(one.ru_utime + one.ru_stime for one in used),
            os.getloadavg()[0],
        )


def others_part(before: Instant, after: Instant, cpus: int) -> float:
    """Which share of all processors (0 to 1) others used between two instants."""
    there_s = (after.at_s - before.at_s) * cpus
    others_s = (after.machine_s - before.machine_s) - (after.own_s - before.own_s)
    return min(1.0, max(0.0, others_s / there_s)) if there_s > 0 else 0.0


def told(before: Instant, sync_ms: float, *, quick: bool) -> dict[str, Any]:
    """The machine as one JSON object; ``others`` is the share of the processors used by others
    during the run, ``warning`` (or null) says in a sentence what that means."""
    after, cpus = Instant.now(), os.cpu_count() or 1
    others = others_part(before, after, cpus)
    return {
        "cpus": cpus,
        "sync_ms": round(sync_ms, 4),
        "load": round(after.load, 2),
        "load_before": round(before.load, 2),
        "others": round(others, 3),
        "seconds": round(after.at_s - before.at_s, 1),
        "python": platform.python_version(),
        "sqlite": sqlite.version(),
        "kernel": platform.release(),
        "quick": quick,
        "warning": warning(others, before.load, cpus),
    }


def warning(others: float, load_before: float, cpus: int) -> str | None:
    """None for a quiet machine."""
    if others < BUSY_PART and load_before < cpus / 2:
        return None
    return (
        f"The machine was busy: others used {others:.0%} of its processors during the run, and the "
        f"load was {load_before:.1f} before it. Ratios of time wander then; repeat it on a quiet "
        "machine before believing a miss."
    )
