"""What a long campaign has to have met at least once: every fault, and every rare state."""

from __future__ import annotations

from tests.simulation.shop.plan import FAULTS

STATES: tuple[str, ...] = (
    "answered",
    "same answer again",
    "call lost",
    "answer lost",
    "message lost",
    "message twice",
    "message overtakes",
    "cut",
    "cut one way",
    "died at writer.before-commit",
    "died at writer.after-commit",
    "disk fault met: EIO",
    "disk fault met: ENOSPC",
    "power cut: sectors lost",
    "power cut: sectors kept",
    "power cut: sectors torn",
    "power fails in the middle of a write",
    "struck right after an answer",
    "request re-offered to a restored hub",
    "restored after the cloud was cut off",
    "batch of several",
    "commit between two reads",
    "promised goods are gone",
    "stock override",
    "refused insufficient-stock",
    "price changed by the cloud",
    "receipt queued",
    "goods returned",
    "sale voided",
    "stock counted",
    "suspended basket resumed elsewhere",
    "refused request repeated",
    "key reused",
    "key of another till used",
    "sale id reused",
    "payment used again",
    "page: device lost",
    "page: cloud cut",
)
MUST_FIRE: tuple[str, ...] = (*(f"fault: {kind}" for kind in FAULTS), *STATES)
