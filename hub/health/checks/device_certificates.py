"""Certificates of devices that end soon."""

from __future__ import annotations

from typing import Final

from hub.health.check import Check, Finding, fine
from hub.health.facts import DAY_MS, Facts
from hub.health.words import ago

SOON_MS: Final = 14 * DAY_MS
NAMED_MAX: Final = 3


def look(facts: Facts) -> Finding:
    """A device that is on renews by itself; one that is off has to be switched on."""
    ends = sorted(
        (one.certificate_expires_at_ms - facts.now_ms, f"{one.name} ({one.device_id})")
        for one in facts.status.devices
        if one.status == "paired" and one.certificate_expires_at_ms is not None
    )
    ending = [(left_ms, name) for left_ms, name in ends if left_ms < SOON_MS]
    if not ending:
        return fine("No device's certificate ends soon.")
    texts = [
        f"{name} {f'ends in {ago(left_ms)}' if left_ms > 0 else 'has expired'}"
        for left_ms, name in ending[:NAMED_MAX]
    ]
    more = f"; {len(ending) - NAMED_MAX} more end soon" if len(ending) > NAMED_MAX else ""
    return Finding(
        "warning",
        f"The certificate of {'; of '.join(texts)}{more}.",
        "They can't connect after that.",
        "Switch them on so that they renew, or pair them again.",
        detail={"ending": str(len(ending))},
    )


CHECK = Check(
    "device-certificates",
    "Devices' certificates",
    "Whether a device's certificate ends soon without being renewed.",
    3,
    look,
)
