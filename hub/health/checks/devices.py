"""Which devices are lost."""

from __future__ import annotations

from typing import Final

from hub.contract.admin import DeviceView
from hub.health.check import Check, Finding, fine
from hub.health.facts import Facts
from hub.health.words import ago, many

NAMED_MAX: Final = 3


def look(facts: Facts) -> Finding:
    """A warning when one is lost; critical when all are."""
    devices = facts.status.devices
    paired = [one for one in devices if one.status == "paired" and one.auth != "hub"]
    lost = [one for one in paired if one.presence == "lost"]
    if not lost:
        return fine(f"{many(len(paired), 'device')} paired, none lost.", paired=str(len(paired)))
    seen = [one.last_seen_at_ms for one in lost if one.last_seen_at_ms is not None]
    one, all_lost = len(lost) == 1, len(lost) == len(paired) > 1
    verb = "has" if one else "have"
    return Finding(
        "critical" if all_lost else "warning",
        f"{_names(lost, facts.now_ms)} {verb} been lost{_span(lost, facts.now_ms) if one else ''}.",
        "No device reaches the hub, so nothing is sold." if all_lost else "The others go on.",
        "Check the shop's network switch and Wi-Fi: no device reaches the hub."
        if all_lost
        else f"Check {'its' if one else 'their'} power and network.",
        since_ms=min(seen) if seen else None,
        detail={"lost": str(len(lost)), "paired": str(len(paired))},
    )


def _names(lost: list[DeviceView], now_ms: int) -> str:
    named = [f"{one.name} ({one.device_id})" for one in lost[:NAMED_MAX]]
    if len(lost) > NAMED_MAX:
        return f"{', '.join(named)} and {len(lost) - NAMED_MAX} more"
    return " and ".join((", ".join(named[:-1]), named[-1])) if len(named) > 1 else named[0]


def _span(lost: list[DeviceView], now_ms: int) -> str:
    seen = lost[0].last_seen_at_ms
    return f" for {ago(now_ms - seen)}" if seen else ""


CHECK = Check("devices", "Devices", "Whether every paired device is connected or asleep.", 8, look)
