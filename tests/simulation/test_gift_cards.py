"""Gift cards in the simulated shops: who has them, and that each checker sees what it is for."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from hub.contract.topics import Topics
from tests.simulation.kernel import World
from tests.simulation.pool import played
from tests.simulation.shop.giftcards import Piece, Purse, listening
from tests.simulation.shop.history import RETURN, History
from tests.simulation.shop.plan import GIFT_CARDS_ABOVE, draw
from tests.simulation.shop.valuechecks import (
    Booked,
    Card,
    Held,
    aside_faults,
    card_faults,
    cards_of_payments,
    credits_heard,
    secret_faults,
)
from tests.simulation.shop.wiretap import Wiretap

# A simulated world has one thread, and its files are its own.
pytestmark = [pytest.mark.may_block, pytest.mark.timeout(300)]
PIECE = Piece("acct-1", "GC-ABCDEFGHJKLM-0042", "pin-4711-1", put_minor=1_000)
BOOKED = {"p": Booked("p", "captured", 400, 100, captures=1)}
HELD = {"p": Held("p", "acct-1", "captured", 400, 100)}
CARD = Card("acct-1", 1_000, free_minor=500, aside_minor=200)
OF = {"p": "acct-1"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(1, tmp_path)
    yield made
    made.loop.close()


def test_half_of_the_later_seeds_have_gift_cards_and_no_storm_has() -> None:
    plans = [draw(seed) for seed in range(1, 3 * GIFT_CARDS_ABOVE)]
    some = [plan.seed for plan in plans if plan.gift_cards]
    assert min(some) > GIFT_CARDS_ABOVE
    assert len(some) > GIFT_CARDS_ABOVE / 2
    assert not any(plan.storm for plan in plans if plan.gift_cards)


def test_a_day_with_gift_cards_breaks_no_promise() -> None:
    plan = replace(draw(117), days=1, sales_per_day=60)
    assert plan.gift_cards
    (report,) = played([plan], 1)
    assert report["violations"] == []
    counters = report["counters"]
    wanted = ("gift_card taken", "allotment granted", "gift card authorised + captured")
    assert not [name for name in wanted if not counters.get(name)]


# What the checks have to notice -------------------------------------------------------------------


def test_value_that_is_where_the_book_says_is_no_fault() -> None:
    assert card_faults([CARD], BOOKED, HELD, OF) == []


@pytest.mark.parametrize(
    ("card", "booked", "held", "said"),
    [
        (replace(CARD, free_minor=499), BOOKED["p"], HELD["p"], "were put on acct-1: 499 is free"),
        (replace(CARD, aside_minor=300), BOOKED["p"], HELD["p"], "300 set aside"),
        (CARD, replace(BOOKED["p"], state="reversed"), HELD["p"], "is reversed with 0"),
        (CARD, replace(BOOKED["p"], refunded_minor=0), HELD["p"], "captured with 400"),
        (CARD, BOOKED["p"], replace(HELD["p"], status="released"), "calls it released with 0"),
        (CARD, BOOKED["p"], replace(HELD["p"], account="acct-2"), "was taken from acct-2"),
        (CARD, replace(BOOKED["p"], captures=2), HELD["p"], "was captured 2 times"),
    ],
)
def test_value_that_is_anywhere_else_is_noticed(
    card: Card, booked: Booked, held: Held, said: str
) -> None:
    assert said in "; ".join(card_faults([card], {"p": booked}, {"p": held}, OF))


def test_what_a_restored_hub_has_lost_counts_as_the_issuer_has_it() -> None:
    assert card_faults([CARD], {}, HELD, OF, unknown=["p"]) == []
    assert card_faults([CARD], {}, HELD, OF) != []


def test_more_taken_offline_than_was_set_aside_is_noticed() -> None:
    assert aside_faults({("acct-1", 1): 500}, {("acct-1", 1): 500}) == []
    (found,) = aside_faults({("acct-1", 2): 500}, {("acct-1", 1): 900, ("acct-1", 2): 499})
    assert found == "500 of acct-1 were taken in epoch 2, 499 were set aside"


@pytest.mark.parametrize("word", [PIECE.token, PIECE.pin])
def test_a_number_or_a_pin_on_disk_is_noticed(word: str) -> None:
    purse = Purse((PIECE,))
    assert secret_faults(purse, b"GC-****-0042", "hub.db") == []
    (found,) = secret_faults(purse, f"..{word}..".encode(), "hub.db")
    assert found == "hub.db holds the number or PIN of acct-1"


@pytest.mark.parametrize("word", [PIECE.token, PIECE.pin])
def test_a_number_or_a_pin_in_the_log_is_noticed(world: World, word: str) -> None:
    with listening(world, Purse((PIECE,))):
        logging.getLogger("hub.somewhere").info("a card was read")
        assert world.violations == []
        logging.getLogger("hub.somewhere").warning("the card %s was read", word)
    assert world.violations == ["a card's number or PIN is in the log: hub.somewhere"]


def test_a_number_in_a_broadcast_is_noticed(world: World) -> None:
    tap = Wiretap.of(world, History(world))
    tap.board.purse = Purse((PIECE,))
    topic = Topics("367").broadcast("payments")
    tap.heard("till-1", topic, b'{"last4":"0042"}', None)
    assert world.violations == []
    tap.heard("till-1", topic, json.dumps({"card": PIECE.token}).encode(), None)
    assert world.violations == [f"till-1 was delivered a card's number or PIN on {topic}"]


def test_whose_payments_are_and_what_credits_are_worth_is_told_by_the_tills(
    world: World,
) -> None:
    history = History(world)
    start = {"payment_id": "p", "value": {"kind": "gift_card", "token": PIECE.token}}
    history.ask("till-1", "k1", "payment/start", start)
    assert cards_of_payments(history, Purse((PIECE,))) == OF
    history.ask("till-1", "k2", RETURN, {"return_id": "r"})
    refund = [
        {"kind": "store_credit", "amount_minor": 300},
        {"kind": "store_credit", "amount_minor": 50, "payment_id": "back onto another one"},
    ]
    history.answer("till-1", "k2", json.dumps({"ok": True, "result": {"refund": refund}}))
    assert credits_heard(history) == {"credit-r": 300}


def test_a_couple_pays_with_one_card_at_two_tills() -> None:
    async def meet() -> None:
        purse = Purse((PIECE,))
        waiting = asyncio.ensure_future(purse.wait_for_the_other("till-1", PIECE))
        await asyncio.sleep(0)
        assert await purse.met("till-1") is None
        assert await purse.met("till-2") is PIECE
        assert await waiting
        assert await purse.met("till-2") is None

    asyncio.run(meet())
    assert Purse((PIECE,)).pick(Random(1)) is PIECE
