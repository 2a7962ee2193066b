"""Whether sales can be written."""

from __future__ import annotations

from hub.health.check import Check, Finding, fine
from hub.health.facts import Facts
from hub.health.words import size


def look(facts: Facts) -> Finding:
    """Critical when the disk is full or the writer has ended."""
    storage = facts.status.storage
    match storage.state:
        case "ok":
            return fine(
                "The database takes everything in.",
                size=size(storage.database_bytes),
                waiting=str(storage.queue_depth),
            )
        case "full":
            return Finding(
                "critical",
                "The disk is full: nothing new is stored.",
                "No sale is taken in; look-ups go on.",
                "Free space on the box: start with the button here, then remove what doesn't"
                " belong to the hub.",
                "space.free",
            )
        case other:
            return Finding(
                "critical",
                f"The database can't be written ({other}).",
                "No sale is taken in.",
                "Restart the hub; if it comes again, see its log and call central IT.",
            )


CHECK = Check("database", "Database", "Whether the hub can write down sales.", 15, look)
