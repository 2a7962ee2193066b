"""How hot the box is, where it tells."""

from __future__ import annotations

from typing import Final

from hub.contract.health import Level
from hub.health.check import Check, Finding, fine, grade, unknown
from hub.health.facts import Facts

STEPS: Final[tuple[tuple[Level, float], ...]] = (("critical", 95.0), ("warning", 82.0))


def look(facts: Facts) -> Finding:
    """By the hottest sensor."""
    machine = facts.measured.machine
    if machine is None or machine.celsius is None:
        return unknown("This box doesn't tell its temperature.")
    text = f"{machine.celsius} °C"
    level = grade(machine.celsius, STEPS, facts.before.get("temperature", "ok"), slack=0.06)
    if level == "ok":
        return fine(f"The box is at {text}.", hottest=text)
    return Finding(
        level,
        f"The box is too hot: {text}.",
        "It gets slow, and switches itself off when it gets hotter.",
        "Free its openings from dust and goods, and let air get to it.",
        detail={"hottest": text},
    )


CHECK = Check("temperature", "Temperature", "How hot the box is.", 2, look)
