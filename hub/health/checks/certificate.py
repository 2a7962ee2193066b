"""The hub's own certificate: devices and browsers believe it."""

from __future__ import annotations

from typing import Final

from hub.health.check import Check, Finding, fine, unknown
from hub.health.facts import DAY_MS, Facts
from hub.health.words import ago

SOON_MS: Final = 14 * DAY_MS


def look(facts: Facts) -> Finding:
    """It renews itself long before its end, so nearing that is a warning."""
    ends_at_ms = facts.server_certificate_ends_at_ms
    if ends_at_ms is None:
        return unknown("Not known yet.")
    left_ms = ends_at_ms - facts.now_ms
    if left_ms < 0:
        return Finding(
            "critical",
            "The hub's certificate has expired.",
            "Devices that connect anew can't trust the hub, and can't sell.",
            "Check the box's clock, then renew the certificate here.",
            "certificate.renew",
            ends_at_ms,
        )
    if left_ms < SOON_MS:
        return Finding(
            "warning",
            f"The hub's certificate ends in {ago(left_ms)} and wasn't renewed.",
            "Selling goes on until then.",
            "Check the box's clock, then renew the certificate here.",
            "certificate.renew",
        )
    return fine(f"The hub's certificate is good for {ago(left_ms)}.", left=ago(left_ms))


CHECK = Check("certificate", "Certificate", "How long the hub's own certificate lasts.", 5, look)
