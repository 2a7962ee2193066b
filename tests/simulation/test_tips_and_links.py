"""Tips and payment links in the simulated shops: who has them, and what the checks notice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation.kernel import World
from tests.simulation.pool import played
from tests.simulation.shop.bank import Charge
from tests.simulation.shop.debtors import LinkSeen, Money, link_faults
from tests.simulation.shop.history import RETURN, SALE, History
from tests.simulation.shop.plan import MORE_OF_CARDS_ABOVE, draw
from tests.simulation.shop.processor import money_faults

# A simulated world has one thread, and its files are its own.
pytestmark = [pytest.mark.may_block, pytest.mark.timeout(300)]
PAID = Money("p", "p-link-1-400", "pl-1", 400)
SEEN = LinkSeen("p", "paid", "pl-1", 400, "recovered")


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """A sale of 500 by a card that was begun with a tip of 50."""
    world = World(1, tmp_path)
    made = History(world)
    made.ask("till-1", "k1", "payment/start", {"payment_id": "p", "tip_minor": 50})
    tender = {"kind": "card", "payment_id": "p", "amount_minor": 500}
    made.ask("till-1", "k2", SALE, {"sale_id": "s", "tenders": [tender]})
    made.answer("till-1", "k2", json.dumps({"ok": True, "result": {}}))
    yield made
    world.loop.close()


def test_later_seeds_with_cards_have_more_of_them_and_earlier_ones_have_none() -> None:
    plans = [draw(seed) for seed in range(1, 3 * MORE_OF_CARDS_ABOVE)]
    for some in (
        [one for one in plans if one.tips],
        [one for one in plans if one.surcharges],
        [one for one in plans if one.links],
    ):
        assert min(one.seed for one in some) > MORE_OF_CARDS_ABOVE
        assert any(one.storm for one in some)
        assert any(not one.storm for one in some)


def test_a_storm_with_tips_surcharges_and_links_breaks_no_promise() -> None:
    plan = replace(draw(174), days=1, surcharges=True)
    assert plan.tips
    assert plan.links
    (report,) = played([plan], 1)
    assert report["violations"] == []
    assert report["counters"]["tip at the terminal"]
    assert report["counters"]["surcharge at the terminal"]
    assert report["counters"]["tip with the payment's beginning"]


# What the checks have to notice -------------------------------------------------------------------


def test_money_with_its_tips_is_no_fault(history: History) -> None:
    charge = Charge("p", 570, "captured", charged=1)
    assert money_faults(history, [charge], tips={"p": 20}) == []


@pytest.mark.parametrize("kept", [500, 550, 580])
def test_a_tip_that_is_lost_or_charged_twice_is_noticed(history: History, kept: int) -> None:
    charge = Charge("p", kept, "captured", charged=1)
    (found,) = money_faults(history, [charge], tips={"p": 20})
    assert found == f"payment p: {kept} is kept, the sales say 570"


def test_a_tip_that_nobody_told_when_all_came_back_goes_back_all_the_same(
    history: History,
) -> None:
    refund = [{"kind": "card", "payment_id": "p", "amount_minor": 500, "tip_minor": 50}]
    history.ask("till-1", "k3", RETURN, {"return_id": "r"})
    history.answer("till-1", "k3", json.dumps({"ok": True, "result": {"refund": refund}}))
    back = Charge("p", 570, "captured", charged=1, refunded_minor=570)
    assert money_faults(history, [back], tips={"p": 20}) == []
    (found,) = money_faults(history, [replace(back, refunded_minor=550)], tips={"p": 20})
    assert found == "payment p: 20 is kept, the sales say 0"


def test_a_tip_that_stays_when_all_goes_back_is_noticed(history: History) -> None:
    refund = [{"kind": "card", "payment_id": "p", "amount_minor": 500, "tip_minor": 50}]
    history.ask("till-1", "k3", RETURN, {"return_id": "r"})
    history.answer("till-1", "k3", json.dumps({"ok": True, "result": {"refund": refund}}))
    back = Charge("p", 550, "captured", charged=1, refunded_minor=550)
    assert money_faults(history, [back]) == []
    (found,) = money_faults(history, [replace(back, refunded_minor=500)])
    assert found == "payment p: 50 is kept, the sales say 0"


@pytest.mark.parametrize("given", [257, 258, 250])
def test_a_share_of_a_surcharge_that_stays_is_noticed(history: History, given: int) -> None:
    refund = [{"kind": "card", "payment_id": "p", "amount_minor": 250, "surcharge_minor": 8}]
    history.ask("till-1", "k3", RETURN, {"return_id": "r"})
    history.answer("till-1", "k3", json.dumps({"ok": True, "result": {"refund": refund}}))
    charge = Charge("p", 565, "captured", charged=1, refunded_minor=given)
    faults = money_faults(history, [charge], tips={"p": 15})
    assert faults == (
        [] if given == 258 else [f"payment p: {565 - given} is kept, the sales say 307"]
    )


def test_money_of_links_that_is_in_the_book_is_no_fault() -> None:
    assert link_faults([PAID], [SEEN]) == []
    assert link_faults([PAID], [replace(SEEN, state="surplus", payment_state="recovery")]) == []
    assert link_faults([PAID], [], unknown=["p"]) == []


@pytest.mark.parametrize(
    ("links", "said"),
    [
        ([], "pl-1 was paid for p: 0 in the book"),
        ([replace(SEEN, state="sent")], "pl-1 was paid for p: 0 in the book"),
        ([SEEN, SEEN], "pl-1 was paid for p: 2 in the book"),
        ([replace(SEEN, paid_minor=399)], "400 was paid as pl-1, the book says 399"),
        ([replace(SEEN, payment_state="recovery")], "payment p was paid by a link, and is owed"),
        ([SEEN, replace(SEEN, psp_ref="pl-2")], "nobody has paid pl-2"),
    ],
)
def test_money_of_links_that_is_not_as_in_the_book_is_noticed(
    links: list[LinkSeen], said: str
) -> None:
    assert said in link_faults([PAID], links)
