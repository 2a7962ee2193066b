"""Whether a time server sets the box's clock."""

from __future__ import annotations

from hub.health.check import Check, Finding, fine, unknown
from hub.health.facts import Facts


def look(facts: Facts) -> Finding:
    """A notice when nobody sets it: the cloud's time is compared, too."""
    source = facts.measured.clock
    if source is None or source.synchronised is None:
        return unknown("This box doesn't tell who sets its clock.")
    by = source.by or "the kernel's word"
    if source.synchronised:
        return fine("A time server sets the clock.", by=by)
    return Finding(
        "notice",
        "No time server sets the box's clock.",
        "Selling goes on; while the cloud isn't reached the clock may drift.",
        "Let the box reach a time server (NTP), best the shop's router.",
        detail={"by": source.by or "no program is known to run"},
    )


CHECK = Check("clock-source", "Time server", "Whether a time server sets the box's clock.", 2, look)
