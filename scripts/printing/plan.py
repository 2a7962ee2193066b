"""When the hub is killed: an endless list of strikes that follows from the seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

Aim = Literal["any", "answered", "begun", "middle", "on-paper"]

AIMS: tuple[Aim, ...] = ("on-paper", "middle", "answered", "begun", "any")
_BAG: tuple[Aim, ...] = ("middle", "middle", "middle", "on-paper", "answered", "begun", "any")
_AFTER_MAX = 12
_ANSWERED_S = 0.06
_ANY_S = 1.0
_DEAD_S = 0.3
_AGAIN = 0.1
_AGAIN_S = 1.5


@dataclass(frozen=True, slots=True)
class Strike:
    """SIGKILL to the hub, after ``after`` more answered sales.

    ``aim``: at any moment; ``pause_s`` after a sale's answer; before a job's first byte reaches a
    printer; when ``part`` of it has; when all of it has and the hub hasn't heard so.  It is dead
    for ``dead_s``, and killed once more ``again_s`` into its new start.
    """

    aim: Aim
    after: int
    part: float = 0.0
    pause_s: float = 0.0
    dead_s: float = 0.0
    again_s: float | None = None


def strikes(seed: str, spacing: int) -> Iterator[Strike]:
    """For ever; one of each aim comes first.  About ``spacing`` sales lie between two."""
    rng = Random(f"{seed}/strikes")
    for aim in AIMS:
        yield _strike(rng, aim, spacing)
    while True:
        yield _strike(rng, rng.choice(_BAG), spacing)


def _strike(rng: Random, aim: Aim, spacing: int) -> Strike:
    parts: dict[Aim, float] = {"begun": 0.0, "middle": rng.uniform(0.0, 1.0), "on-paper": 2.0}
    pauses: dict[Aim, float] = {
        "answered": rng.uniform(0, _ANSWERED_S),
        "any": rng.uniform(0, _ANY_S),
    }
    again = rng.random() < _AGAIN
    return Strike(
        aim=aim,
        after=rng.randint(1, min(_AFTER_MAX, max(1, 2 * spacing - 1))),
        part=parts.get(aim, 0.0),
        pause_s=pauses.get(aim, 0.0),
        dead_s=rng.uniform(0, _DEAD_S),
        again_s=rng.uniform(0.1, _AGAIN_S) if again else None,
    )
