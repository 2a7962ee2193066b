"""Gift cards at tills that try out numbers, repeat themselves, or ask an issuer that can't tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.domain.payments.work import Hand
from tests.support.payingwork import HOUR_MS
from tests.support.valuing import GIFT, ValueShop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ValueShop]:
    made = ValueShop(tmp_path)
    yield made
    made.check_laws()
    made.close()


def card(shop: ValueShop, token: str, **changed: Any) -> dict[str, Any]:
    return shop.starting(value={"kind": "gift_card", "token": token}, **changed)


def test_one_number_is_one_cards_also_where_a_secret_is_all_that_differs(shop: ValueShop) -> None:
    body = card(shop, GIFT)
    shop.ok("till-1", "payment/start", body)
    other = body | {"value": {"kind": "gift_card", "token": "GC-ANOTHER-0001"}}
    assert "another payment" in shop.no("till-1", "payment/start", other)["detail"]
    assert shop.ok("till-1", "payment/start", body)["last4"] == GIFT[-4:]


def test_numbers_are_not_tried_out_all_at_once(shop: ValueShop) -> None:
    for n in range(10):
        shop.gift(token=f"GUESS-{n:04}")
    assert (
        "within an hour" in shop.no("till-1", "payment/start", card(shop, "GUESS-0010"))["detail"]
    )


def test_numbers_are_not_tried_out_without_a_line_either(shop: ValueShop) -> None:
    shop.allot(1000)
    shop.line = False
    for n in range(10):
        refused = shop.no("till-1", "payment/start", card(shop, f"GUESS-{n:04}"))
        assert refused["context"]["left_minor"] == 0
    found = shop.no("till-1", "payment/start", card(shop, GIFT))
    assert "within an hour" in found["detail"]
    assert shop.gift(device="till-2")["allotted"]
    shop.wait(HOUR_MS + 1)
    assert shop.gift()["allotted"]


def test_an_issuer_that_can_not_tell_is_in_no_cards_way(shop: ValueShop) -> None:
    for _ in range(20):
        shop.gift()
        for work in shop.work(Hand.ISSUER):
            shop.say(work, "unknown")
    refused = shop.no("till-1", "payment/start", card(shop, GIFT))
    assert "under way" in refused["detail"]
    assert shop.approved()["state"] == "authorised"
