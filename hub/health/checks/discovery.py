"""Whether devices find the hub by name."""

from __future__ import annotations

from hub.health.check import Check, Finding, fine, unknown
from hub.health.facts import Facts


def look(facts: Facts) -> Finding:
    """A notice: paired devices know the address."""
    found = facts.status.discovery
    match found.state:
        case "degraded":
            return Finding(
                "notice",
                f"Devices can't find this hub by name: {found.detail or 'no reason known'}.",
                "Paired devices go on; new ones need the address typed in.",
                "See whether another program or box uses the same name on this network.",
            )
        case "off":
            return unknown("Announcing is switched off.")
        case _:
            return fine("The hub is announced on the network.", name=found.name)


CHECK = Check("discovery", "Found by name", "Whether devices find the hub by its name.", 2, look)
