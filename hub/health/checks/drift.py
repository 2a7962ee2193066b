"""Stock that differs from the cloud's."""

from __future__ import annotations

from hub.health.check import Check, Finding, fine
from hub.health.facts import Facts
from hub.health.words import many


def look(facts: Facts) -> Finding:
    """A warning as soon as one product differs."""
    count = facts.status.cloud.drift
    if not count:
        return fine("No product is known to differ.")
    return Finding(
        "warning",
        f"{many(count, 'product')} differ{'s' if count == 1 else ''} between the hub's and the"
        " cloud's stock.",
        "Selling goes on; what is promised online may not be there.",
        "Count them, or compare again if they were counted.",
        "drift.check",
        detail={"products": str(count)},
    )


CHECK = Check("drift", "Stock", "Whether the hub's stock is the same as the cloud's.", 4, look)
