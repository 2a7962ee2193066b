"""Whether this hub may sell and promise: not superseded, not waiting after a restore."""

from __future__ import annotations

from hub.health.check import Check, Finding, fine
from hub.health.facts import Facts
from hub.health.words import ago


def look(facts: Facts) -> Finding:
    """Superseded is critical, recovery a warning."""
    status = facts.status
    match status.mode:
        case "superseded":
            since_ms = status.superseded_at_ms
            when = f" {ago(facts.now_ms - since_ms)} ago" if since_ms is not None else ""
            return Finding(
                "critical",
                f"Another box took this hub's place{when}, and nothing is sold here.",
                "Nothing can be sold through this box.",
                "Sell through the other one and switch this one off, or call central IT if this"
                " is the right one.",
                since_ms=since_ms,
            )
        case "recovery":
            return Finding(
                "warning",
                "The hub was restored and is waiting for the cloud.",
                "It sells over the counter only until the cloud is reached.",
                "See that the box reaches the internet; the rest happens by itself.",
            )
        case _:
            return fine("This is the shop's hub.", epoch=str(status.epoch))


CHECK = Check(
    "standing",
    "This box's place",
    "Whether this box is the shop's hub, and not replaced by another or just restored.",
    10,
    look,
)
