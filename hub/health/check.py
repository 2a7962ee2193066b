"""What a check is: a small value with a pure function, one file each in ``hub.health.checks``.

Adding one is adding one file there that defines ``CHECK`` (:mod:`hub.health.allchecks` finds it).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from hub.contract.health import Level
from hub.health.facts import Facts

SEVERITY: Final[dict[Level, int]] = {
    "unknown": 0,
    "ok": 0,
    "notice": 1,
    "warning": 2,
    "critical": 3,
}
SLACK: Final = 0.1


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.  ``summary``: what is so; ``means``: for selling; ``next_step``: for a
    person; ``action``: the key of what mends it; ``since_ms`` only where the check knows it."""

    level: Level
    summary: str
    means: str = ""
    next_step: str = ""
    action: str | None = None
    since_ms: int | None = None
    detail: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """``key`` is stable; ``weight`` its share of the readiness score, 0 for what can't fail."""

    key: str
    title: str
    what: str
    weight: int
    look: Callable[[Facts], Finding]


def fine(summary: str, **detail: str) -> Finding:
    """All is well."""
    return Finding("ok", summary, detail=detail)


def unknown(summary: str) -> Finding:
    """This box can't tell."""
    return Finding("unknown", summary)


def grade(
    value: float,
    steps: tuple[tuple[Level, float], ...],
    before: Level,
    *,
    falling: bool = False,
    slack: float = SLACK,
) -> Level:
    """The level of a figure, without flapping where it hovers.

    ``steps`` are levels with their thresholds, the worst first; a level is reached at its
    threshold (``falling``: below it) and left only when the figure is better by ``slack``.
    """
    for level, threshold in steps:
        held = SEVERITY[before] >= SEVERITY[level]
        if falling:
            reached = value < (threshold * (1 + slack) if held else threshold)
        else:
            reached = value >= (threshold * (1 - slack) if held else threshold)
        if reached:
            return level
    return "ok"
