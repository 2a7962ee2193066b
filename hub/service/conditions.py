"""What devices say is the matter with what is attached to them: kept with the device as JSON, the
instant (UTC ms) since when each condition holds.

What was told stays kept while a device is away, so that a till that comes back with the same paper
missing has missed it since then; it isn't shown meanwhile, for nobody knows.
"""

from __future__ import annotations

import json
from typing import Final

from hub.contract.conditions import CONDITIONS

SPEAKING: Final = frozenset({"ready", "sleeping"})
"""Only in these states does a device answer for what is attached to it."""
FLEETING: Final = frozenset({"drawer-open"})
"""What comes and goes with every sale: the page shows it, the cloud isn't told."""


def after(kept: str, presence: str, told: tuple[str, ...] | None, now_ms: int) -> str:
    """What is kept from now on; what a speaking device doesn't tell has passed."""
    if presence not in SPEAKING:
        return kept
    before = _read(kept)
    return json.dumps({one: before.get(one, now_ms) for one in told or ()}, separators=(",", ":"))


def shown(presence: str, kept: str) -> dict[str, int]:
    """Since when what holds, in the contract's order; empty while nobody knows."""
    return _read(kept) if presence in SPEAKING else {}


def for_cloud(presence: str, kept: str) -> tuple[str, ...]:
    """What the cloud is told."""
    return tuple(one for one in shown(presence, kept) if one not in FLEETING)


def _read(kept: str) -> dict[str, int]:
    found = json.loads(kept)
    return {one: found[one] for one in CONDITIONS if one in found}
