"""Who is killed when: an endless list of strikes that follows from the seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

Kind = Literal["hub", "broker", "oms"]
Aim = Literal["any", "asking", "commit", "committed"]

KINDS: tuple[Kind, ...] = ("hub", "broker", "oms")
_BAG = 6
_PAIRS = 0.15
_AGAIN = 0.12
_FREEZES = 0.08
_AT_ONCE = 0.6
_AFTER_MAX = 12
_PAUSE_S = 0.15
_DEAD_S = 0.25
_START_S = {"hub": 1.8, "oms": 1.0, "broker": 0.0}


@dataclass(frozen=True, slots=True)
class Strike:
    """SIGKILL to all of ``kinds`` at once.

    ``aim``: at any moment; while requests are under way; when a COMMIT of the first of ``kinds``
    has begun to write; when it has just ended.  Before it the shop gives ``after`` answers and
    lives ``pause_s`` more.  What was killed is dead for ``dead_s``.  ``again_s`` into its new start
    the first of ``kinds`` is killed once more (a broker: when its process appears).  With
    ``freeze`` the hub's broker is held, so that the next hub finds it in its way.
    """

    kinds: tuple[Kind, ...]
    aim: Aim = "any"
    after: int = 3
    pause_s: float = 0.0
    dead_s: float = 0.0
    again_s: float | None = None
    freeze: bool = False

    def only(self, kinds: Sequence[Kind]) -> Strike | None:
        """The part of it that concerns ``kinds``; None if nothing is left."""
        left = tuple(kind for kind in self.kinds if kind in kinds)
        if not left:
            return None
        first = left[0] == self.kinds[0]
        return Strike(
            left,
            self.aim if first else "any",
            self.after,
            self.pause_s,
            self.dead_s,
            self.again_s if first else None,
            self.freeze and "hub" in left,
        )


_SPECIALS = (
    Strike(("hub",), "commit"),
    Strike(("oms",), "commit"),
    Strike(("hub",), freeze=True),
    Strike(("broker",), "asking", again_s=0.0),
    Strike(("hub", "oms"), "asking"),
    Strike(("hub",), "committed", again_s=0.9),
    Strike(("oms",), "any", again_s=0.4),
    Strike(("broker", "oms"), "asking"),
    Strike(("hub",), "committed"),
    Strike(("oms",), "committed"),
)
"""One of each sort comes first, so that a short run has them all."""


def strikes(seed: str, targets: Sequence[Kind]) -> Iterator[Strike]:
    """For ever; each of ``targets`` as often as the others."""
    for special in _SPECIALS:
        if (mine := special.only(targets)) is not None:
            yield mine
    rng = Random(f"{seed}/killing")
    while True:
        bag = [kind for kind in targets for _ in range(_BAG)]
        rng.shuffle(bag)
        while bag:
            first = bag.pop()
            kinds: tuple[Kind, ...] = (first,)
            if bag and bag[-1] != first and rng.random() < _PAIRS:
                kinds = (first, bag.pop())
            yield _strike(rng, kinds)


def _strike(rng: Random, kinds: tuple[Kind, ...]) -> Strike:
    aims: tuple[Aim, ...] = ("any", "asking", "asking", "commit", "committed")
    if kinds[0] == "broker":
        aims = ("any", "asking")
    alone = kinds == ("oms",) and rng.random() < _AT_ONCE  # perhaps while the hub starts
    return Strike(
        kinds,
        rng.choice(aims),
        0 if alone else rng.randrange(_AFTER_MAX),
        rng.uniform(0, _PAUSE_S),
        rng.uniform(0, _DEAD_S),
        rng.uniform(0, _START_S[kinds[0]]) if rng.random() < _AGAIN else None,
        kinds[0] == "hub" and rng.random() < _FREEZES,
    )


def founding_s(seed: str, deaths: int) -> list[float]:
    """How far the very first starts of a hub come before it is killed."""
    rng = Random(f"{seed}/founding")
    return [rng.uniform(0.5, _START_S["hub"]) for _ in range(deaths)]
