"""Events that the cloud refused."""

from __future__ import annotations

from hub.health.check import Check, Finding, fine
from hub.health.facts import Facts
from hub.health.words import many


def look(facts: Facts) -> Finding:
    """A warning as soon as there is one."""
    count = facts.status.outbox.parked
    if not count:
        return fine("The cloud took everything.")
    return Finding(
        "warning",
        f"The cloud refused {many(count, 'event')}, which wait{'s' if count == 1 else ''} aside.",
        "Selling goes on; the cloud's books lack them.",
        "See why (`store-hub outbox show`); when the cloud is mended, have them sent again.",
        "parked.resend",
        detail={"events": str(count)},
    )


CHECK = Check("parked", "Refused events", "Whether the cloud refused events.", 5, look)
