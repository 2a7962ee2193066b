"""The software's version, and what it stands on."""

from __future__ import annotations

from hub.health.check import Check, Finding, fine
from hub.health.facts import Facts


def look(facts: Facts) -> Finding:
    """A notice when the database library has a known fault."""
    status = facts.status
    detail = {"store-hub": status.version, "SQLite": status.storage.sqlite_version}
    if facts.sqlite_risky:
        return Finding(
            "notice",
            f"SQLite {status.storage.sqlite_version} has a fault that can damage a database which"
            " two programs write.",
            "Selling goes on; the hub alone writes its database.",
            "Run no other program on the hub's database, and install the pysqlite3 wheel with the"
            " next update.",
            detail=detail,
        )
    return fine(f"Store Hub {status.version}.", **detail)


CHECK = Check("version", "Software", "Which versions run, and whether one has a fault.", 1, look)
