"""Online orders in whole shops in which things go wrong: each is as the cloud told it last, what is
reserved is what lines have, and goods leave once."""

from __future__ import annotations

from dataclasses import replace

from tests.simulation.pool import played
from tests.simulation.shop.plan import ORDERS_ABOVE, draw


def test_orders_come_in_half_of_the_seeds_that_no_planted_bug_is_found_by() -> None:
    assert not any(draw(seed).orders for seed in range(1, ORDERS_ABOVE + 1))
    assert 20 < sum(draw(seed).orders for seed in range(201, 301)) < 60


def test_orders_survive_a_hub_that_is_killed_put_back_and_cut_off() -> None:
    faults = {"hub killed": 6.0, "hub restored": 2.0, "cloud cut": 2.0, "oms loses answers": 3.0}
    plan = replace(draw(111, days=1), orders=True, faults=faults)
    (report,) = played([plan], 1)
    assert report["violations"] == []
    told = report["counters"]
    assert told["order assigned"] > 20
    assert told["order handed_over"] > 3
    assert told["hub restored"] > 0
