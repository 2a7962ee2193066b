"""The script of misfortunes."""

from __future__ import annotations

from collections import Counter

from scripts.replay_shop.chaos import script


def test_a_script_kills_each_part_as_often_as_asked_and_follows_from_its_seed() -> None:
    plot = script(351, 10, "s", headway=4)
    kinds = Counter(one.kind for one in plot)
    assert (kinds["hub"], kinds["broker"], kinds["oms"]) == (10, 10, 10)
    assert all(kinds[kind] >= 1 for kind in ("cut-tills", "cut-cloud", "strand-cloud", "slow"))
    assert plot == script(351, 10, "s", headway=4)
    assert [one.kind for one in plot] != [one.kind for one in script(351, 10, "t", headway=4)]


def test_misfortunes_come_in_order_and_leave_something_to_sell_afterwards() -> None:
    for baskets in (20, 67, 351, 4194):
        after = [one.after for one in script(baskets, 10, "s", headway=4)]
        assert after == sorted(after)
        assert after[0] >= 1
        assert after[-1] <= baskets - 8


def test_even_a_tiny_run_has_all_its_misfortunes() -> None:
    assert {one.after for one in script(3, 10, "s", headway=4)} == {1}
