"""Who is killed when: the same for a seed, fair to all, every sort of strike early on."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from scripts.killing.plan import KINDS, Kind, Strike, founding_s, strikes


def test_the_same_seed_strikes_in_the_same_way() -> None:
    first, again = (list(islice(strikes("s", KINDS), 200)) for _ in range(2))
    assert first == again
    assert first != list(islice(strikes("t", KINDS), 200))
    assert founding_s("s", 3) == founding_s("s", 3)


def test_every_target_dies_about_equally_often() -> None:
    kills = Counter(kind for one in islice(strikes("s", KINDS), 600) for kind in one.kinds)
    assert max(kills.values()) - min(kills.values()) < 30


@pytest.mark.parametrize("target", KINDS)
def test_only_the_targets_are_struck(target: Kind) -> None:
    for strike in islice(strikes("s", (target,)), 100):
        assert strike.kinds == (target,)
        assert not strike.freeze or target == "hub"
        assert target != "broker" or strike.aim in {"any", "asking"}


def test_a_short_trial_has_every_sort_of_strike() -> None:
    early = list(islice(strikes("s", KINDS), 9))
    assert {one.aim for one in early} == {"any", "asking", "commit", "committed"}
    assert any(one.freeze for one in early)
    assert {one.kinds[0] for one in early if one.again_s is not None} == set(KINDS)
    assert any(len(one.kinds) == 2 for one in early)


def test_what_is_left_of_a_strike_aims_at_nothing_that_is_not_struck() -> None:
    both = Strike(("hub", "oms"), "commit", again_s=1.0, freeze=True)
    assert both.only(["oms"]) == Strike(("oms",), "any")
    assert both.only(["hub"]) == Strike(("hub",), "commit", again_s=1.0, freeze=True)
    assert both.only(["broker"]) is None
