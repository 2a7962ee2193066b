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
)
MUST_FIRE: tuple[str, ...] = (*(f"fault: {kind}" for kind in FAULTS), *STATES)
