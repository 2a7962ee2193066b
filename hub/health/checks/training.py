"""Whether sales are real."""

from __future__ import annotations

from hub.health.check import Check, Finding, fine
from hub.health.facts import Facts


def look(facts: Facts) -> Finding:
    """A notice in training mode."""
    if not facts.status.training:
        return fine("Sales are real.")
    return Finding(
        "notice",
        "Training mode is on: sales are not real and don't reach the cloud.",
        "Nothing that is sold here counts.",
        "Switch store.training off in the settings to sell for real.",
    )


CHECK = Check("training", "Training mode", "Whether sales are real.", 0, look)
