"""A basket is frozen while a card is being asked for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.paying import PayingShop


def changes(basket: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Whatever can be done to an open basket."""
    return [
        ("add-line", {"code": "tea"}),
        ("change-line", {"line_no": 1, "qty": 2}),
        ("remove-line", {"line_no": 1}),
        ("discount-line", {"line_no": 1, "discount_minor": 1, "reason": "dent"}),
        ("override-price", {"line_no": 1, "unit_price_minor": 480, "reason": "label"}),
        ("suspend", {}),
        ("abandon", {}),
    ]


@pytest.mark.parametrize("stage", ["intent", "at_terminal", "unknown"])
def test_nothing_is_done_to_a_basket_while_its_payment_is_open(
    paying: PayingShop, stage: str
) -> None:
    basket = paying.basket("till-1", "tea")
    payment = paying.start(basket_id=basket["basket_id"])
    if stage != "intent":
        paying.begin(payment)
    if stage == "unknown":
        paying.end(payment, "unknown")
    with paying.unchanged():
        for operation, body in changes(basket):
            problem = paying.ask_change("till-1", basket, operation, **body).problem
            assert (problem["code"], problem["context"]) == (
                "conflict",
                {"payment_id": payment["payment_id"], "state": stage},
            ), operation
    assert paying.ok("till-1", "basket/get", {"basket_id": basket["basket_id"]}) == basket


@pytest.mark.parametrize("outcome", ["refused", "not-done"])
def test_the_basket_is_free_when_nothing_was_taken(paying: PayingShop, outcome: str) -> None:
    basket = paying.basket("till-1", "tea")
    payment = paying.own(basket_id=basket["basket_id"])
    paying.report(payment, outcome)
    basket = paying.change("till-1", basket, "add-line", code="tea")
    basket = paying.change("till-1", basket, "suspend")
    paying.change("till-2", basket, "resume")


def test_the_basket_is_free_when_the_payment_is_given_up(paying: PayingShop) -> None:
    basket = paying.basket("till-1", "tea")
    payment = paying.own(basket_id=basket["basket_id"])
    paying.give_up(payment)
    basket = paying.change("till-1", basket, "suspend")
    basket = paying.change("till-2", basket, "resume")
    body = paying.pay(basket)
    paying.ok("till-2", "sale/commit", body)
    assert paying.report(payment, "approved")["void_asked"]


def test_goods_may_be_added_to_what_is_paid_already_and_the_rest_is_paid_then(
    paying: PayingShop,
) -> None:
    basket = paying.basket("till-1", "tea")
    payment = paying.approved(basket_id=basket["basket_id"])
    basket = paying.change("till-1", basket, "add-line", code="tea")
    body = paying.pay(basket, sale_id=payment["sale_id"])
    body["tenders"] = [paying.tender(payment), {"kind": "cash", "amount_minor": 499}]
    paying.ok("till-1", "sale/commit", body)
    assert paying.payment(payment)["in_sale"]


def test_a_basket_with_money_is_not_parked(paying: PayingShop) -> None:
    basket = paying.basket("till-1", "tea")
    payment = paying.stored(basket_id=basket["basket_id"])
    with paying.unchanged():
        problem = paying.ask_change("till-1", basket, "suspend").problem
        assert problem["context"] == {"payment_id": payment["payment_id"], "state": "stored"}
    paying.give_up(payment)
    assert paying.change("till-1", basket, "suspend")["state"] == "suspended"


def test_whoever_abandons_a_basket_gives_its_payments_back(paying: PayingShop) -> None:
    basket = paying.basket("till-1", "tea", "wine")
    of = {"basket_id": basket["basket_id"], "sale_id": paying.id()}
    authorised = paying.approved(500, **of)
    stored = paying.stored(600, token="tok_1", **of)
    paying.change("till-1", basket, "abandon")
    assert (paying.payment(authorised)["void_asked"], paying.payment(stored)["state"]) == (
        True,
        "voided",
    )


def test_a_payment_of_another_basket_freezes_nothing(paying: PayingShop) -> None:
    basket = paying.basket("till-1", "tea")
    other = paying.basket("till-1", "tea")
    paying.start(basket_id=other["basket_id"])
    paying.start()
    paying.change("till-1", basket, "add-line", code="wine")
