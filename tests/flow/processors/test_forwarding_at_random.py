"""Days of forwarding at random: each customer pays once or not at all, and the book knows."""

from __future__ import annotations

import json

import pytest

from tests.flow.processors.forwarding_day import REACHED, main, play


@pytest.mark.parametrize("seed", [1, 2])
def test_a_day_with_everything_going_wrong_ends_with_the_same_money_on_both_sides(
    seed: int,
) -> None:
    seen = play(seed)
    assert seen["charge"] > 0
    assert seen["end: captured"] > 0


def test_a_processor_that_finds_nothing_again_is_found_out() -> None:
    def some_days() -> None:
        for seed in range(1, 6):
            play(seed, blind=True)

    with pytest.raises(AssertionError, match="charged twice"):
        some_days()


def test_it_runs_as_a_trial(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--trials", "1", "--seed", "7"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["done"], last["violations"], last["trials"]) == (True, 0, 1)
    assert last["must_fire"] == list(REACHED)
