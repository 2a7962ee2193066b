"""What feeds the box, where it tells."""

from __future__ import annotations

from hub.health.check import Check, Finding, fine, unknown
from hub.health.facts import Facts


def look(facts: Facts) -> Finding:
    """A warning on battery (critical when that is nearly empty) and at a weak supply."""
    machine = facts.measured.machine
    if machine is None or (machine.on_mains is None and machine.under_voltage is None):
        return unknown("This box doesn't tell what feeds it.")
    if machine.on_mains is False:
        left = machine.battery_percent
        detail = {"battery": f"{left} %"} if left is not None else {}
        return Finding(
            "critical" if left is not None and left <= 20 else "warning",
            f"The box runs on battery{f', {left} % are left' if left is not None else ''}.",
            "Selling goes on until the battery is empty.",
            "Check the plug, the power strip and the fuse.",
            detail=detail,
        )
    if machine.under_voltage:
        return Finding(
            "warning",
            "The box gets too little voltage.",
            "It may switch itself off or damage its disk at any time.",
            "Use the power supply that came with the box, and a short, thick cable.",
        )
    return fine("The box is fed as it should be.")


CHECK = Check("power", "Power", "Whether the box runs on mains, with enough voltage.", 3, look)
