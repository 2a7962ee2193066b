"""The shop's own authority and its list of revoked devices: an old list locks everybody out."""

from __future__ import annotations

from typing import Final

from hub.health.check import Check, Finding, fine, unknown
from hub.health.facts import DAY_MS, Facts
from hub.health.words import ago

SOON_MS: Final = 90 * DAY_MS


def look(facts: Facts) -> Finding:
    """Both are renewed years before their end."""
    found = facts.measured.certificates
    if found is None:
        return unknown("Not known yet.")
    parts = (
        ("certificate authority", found.authority_ends_at_ms),
        ("list of revoked devices", found.crl_ends_at_ms),
    )
    known = [(ends_at_ms - facts.now_ms, name) for name, ends_at_ms in parts if ends_at_ms]
    if not known:
        return unknown("Neither could be read.")
    left_ms, name = min(known)
    detail = {name: ago(left) for left, name in known}
    if left_ms >= SOON_MS:
        return fine(f"The first of them ends in {ago(left_ms)}.", **detail)
    return Finding(
        "critical" if left_ms < 0 else "warning",
        f"The shop's {name} has expired."
        if left_ms < 0
        else f"The shop's {name} ends in {ago(left_ms)} and wasn't renewed.",
        "Devices with certificates can't connect after that.",
        "Check the box's clock, then renew the certificate here.",
        "certificate.renew",
        detail=detail,
    )


CHECK = Check(
    "authority",
    "Authority",
    "How long the shop's certificate authority and its list of revoked devices last.",
    3,
    look,
)
