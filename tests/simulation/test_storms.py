"""Storms: seeds about nothing but card payments, and how far they come through the state table."""

from __future__ import annotations

from hub.domain.payments.states import TRANSITIONS, PaymentState
from tests.simulation.pool import played
from tests.simulation.shop.cardcover import OLD_BOOKS_ONLY, cover, step_name
from tests.simulation.shop.plan import (
    RARE_ABOVE,
    RARE_DAYS,
    RARE_FAULTS,
    STORM_EVERY,
    STORM_FAULTS,
    draw,
)


def test_every_sixth_seed_is_a_storm_and_no_other_has_its_faults() -> None:
    plans = [draw(seed) for seed in range(1, 10 * STORM_EVERY)]
    assert [plan.seed for plan in plans if plan.storm] == [STORM_EVERY * n for n in range(1, 10)]
    assert all(plan.takes_cards and "alone" not in plan.cards for plan in plans if plan.storm)
    assert not any(STORM_FAULTS.keys() & plan.faults.keys() for plan in plans if not plan.storm)


def test_what_is_rare_is_waited_for_in_later_storms_only() -> None:
    rare = {seed for seed in range(1, 6 * RARE_ABOVE) if RARE_FAULTS.keys() & draw(seed).faults}
    assert min(rare) > RARE_ABOVE
    assert all(draw(seed).storm for seed in rare)
    waits = [draw(seed) for seed in rare if "processor can't tell of a void" in draw(seed).faults]
    assert waits
    assert {plan.days for plan in waits} == {RARE_DAYS}


def test_what_a_run_came_through_is_counted_by_the_steps_of_the_table() -> None:
    found = cover({"payment new: begun": 3, step_name("intent", "sent"): 2, "payment x + y": 9})
    assert found.steps["intent", "sent"] == 2
    assert found.states["intent"] == 3
    assert found.states["at_terminal"] == 2
    assert found.figures() == {
        "payment_steps_visited": 1,
        "payment_steps_known": len(TRANSITIONS) - len(OLD_BOOKS_ONLY),
        "payment_states_visited": 2,
        "payment_states_known": len(PaymentState),
    }
    assert step_name("intent", "sent") not in found.unseen
    assert step_name("intent", "cancelled") in found.unseen
    assert any("NEVER" in line for line in found.lines())


def test_a_storm_comes_through_many_steps_and_breaks_no_promise() -> None:
    (report,) = played([draw(STORM_EVERY, days=1)], 1)
    assert report["violations"] == []
    assert cover(report["counters"]).figures()["payment_steps_visited"] > 15
