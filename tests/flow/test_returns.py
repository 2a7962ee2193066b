"""Goods that come back: the money and the tax of the sale, to the cent, whatever the parts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest

from hub.contract.oms_events import RETURN_COMPLETED
from tests.support.shop import EXCLUSIVE, INCLUSIVE, Shop, five_cents


def back(line_no: int, qty: int, disposition: str = "resellable") -> dict[str, Any]:
    return {"line_no": line_no, "qty": qty, "disposition": disposition, "reason": "not needed"}


def give_back(shop: Shop, sale_id: str, *lines: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {"return_id": shop.id(), "sale_id": sale_id, "lines": list(lines)} | changed


def sold(shop: Shop, *, total_minor: int, off: int, tenders: Any = None) -> str:
    """Three milk and seven tea with ``off`` off."""
    shop.sign_in("till-1", "mia")
    milk = {"code": "milk", "qty": 3, "unit_price_minor": 129}
    tea = {"code": "tea", "qty": 7, "unit_price_minor": 499, "discount_minor": off, "reason": "x"}
    body = shop.sale(milk, tea, total_minor=total_minor)
    shop.ok("till-1", "sale/commit", body | ({"tenders": tenders} if tenders else {}))
    shop.sign_in("till-1", "anna")
    return str(body["sale_id"])


@pytest.mark.parametrize(
    ("tax", "total"), [(INCLUSIVE, 387 + 3393), (EXCLUSIVE, 387 + 27 + 3393 + 645)]
)
@pytest.mark.parametrize("parts", [(7,), (1,) * 7, (3, 4), (2, 2, 3)])
def test_parts_add_up_to_what_was_paid(
    make_shop: Callable[..., Shop], tax: Any, total: int, parts: tuple[int, ...]
) -> None:
    shop = make_shop(tax=tax)
    sale_id = sold(shop, total_minor=total, off=100)
    found = [
        shop.ok("till-1", "return/commit", give_back(shop, sale_id, back(2, qty))) for qty in parts
    ]
    found.append(shop.ok("till-1", "return/commit", give_back(shop, sale_id, back(1, 3))))

    sale = shop.ok("till-1", "sale/get", {"sale_id": sale_id})
    assert sum(one["total_minor"] for one in found) == total == sale["total_minor"]
    assert sum(one["tax_minor"] for one in found) == sale["tax_minor"]
    assert sum(cash["amount_minor"] for one in found for cash in one["refund"]) == total
    assert (shop.level("tea")["sellable"], shop.level("milk")["sellable"]) == (20, 10)
    assert [one["returned_qty"] for one in sale["lines"]] == [3, 7]


@pytest.mark.parametrize("parts", [*permutations((1, 2, 4)), (1,) * 7])
def test_rounded_cash_never_gives_back_more_than_was_paid(
    make_shop: Callable[..., Shop], parts: tuple[int, ...]
) -> None:
    shop = make_shop(cash_rounding=five_cents())
    shop.product("gum", 3, stock=7)
    gum = {"code": "gum", "qty": 7, "unit_price_minor": 3}
    body = shop.sale(gum, total_minor=21) | {"tenders": [{"kind": "cash", "amount_minor": 20}]}
    shop.ok("till-1", "sale/commit", body)
    given, came_back = 0, 0
    for qty in parts:
        came_back += qty
        asked = give_back(shop, body["sale_id"], back(1, qty), total_minor=3 * qty)
        given += shop.ok("till-1", "return/commit", asked)["refund"][0]["amount_minor"]
        assert given % 5 == 0
        assert abs(given - 3 * came_back) <= 2
    assert given == 20


def test_the_card_gets_its_money_first_and_never_more(shop: Shop) -> None:
    card = shop.card(1000)
    cash = {"kind": "cash", "amount_minor": 3000}
    sale_id = sold(shop, total_minor=3780, off=100, tenders=[cash, card])

    first = shop.ok("till-1", "return/commit", give_back(shop, sale_id, back(2, 2)))
    second = shop.ok("till-1", "return/commit", give_back(shop, sale_id, back(2, 2)))

    payment = {"kind": "card", "payment_id": card["payment_id"], "by": "till", "by_person": False}
    assert first["refund"] == [payment | {"amount_minor": 969}]
    assert second["refund"] == [
        payment | {"amount_minor": 31},
        {"kind": "cash", "amount_minor": 970 - 31, "by": "till", "by_person": False},
    ]


def test_a_line_comes_back_in_two_conditions(shop: Shop) -> None:
    sale_id = sold(shop, total_minor=3780, off=100)
    body = give_back(
        shop, sale_id, back(2, 1, "resellable"), back(2, 2, "damaged"), back(2, 1, "quarantine")
    )
    done = shop.ok("till-1", "return/commit", body)

    level = shop.level("tea")
    assert (level["sellable"], level["damaged"], level["quarantine"]) == (14, 2, 1)
    assert done["total_minor"] == 1939
    (event,) = shop.events(RETURN_COMPLETED)
    assert [(one["line_no"], one["qty"]) for one in event["lines"]] == [(2, 1), (2, 2), (2, 1)]
    assert shop.all("SELECT line_no, sale_line FROM return_lines") == [(1, 2), (2, 2), (3, 2)]
    with shop.unchanged():
        found = shop.no("till-1", "return/commit", give_back(shop, sale_id, back(2, 2), back(2, 2)))
    assert (found["code"], found["context"]["left_qty"]) == ("conflict", 1)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([back(2, 8)], "conflict"),
        ([back(3, 1)], "not-found"),
        ([back(2, 0)], "validation"),
        ([back(2, 1, "eaten")], "validation"),
        ([], "validation"),
    ],
)
def test_what_was_not_sold_does_not_come_back(
    shop: Shop, lines: list[dict[str, Any]], code: str
) -> None:
    sale_id = sold(shop, total_minor=3780, off=100)
    with shop.unchanged():
        found = shop.no("till-1", "return/commit", give_back(shop, sale_id, *lines))
    assert found["code"] == code


def test_a_return_needs_its_sale_its_sum_and_its_permission(shop: Shop) -> None:
    sale_id = sold(shop, total_minor=3780, off=100)
    with shop.unchanged():
        found = shop.no("till-1", "return/commit", give_back(shop, shop.id(), back(1, 1)))
        assert found["code"] == "not-found"
        body = give_back(shop, sale_id, back(1, 1), total_minor=130)
        found = shop.no("till-1", "return/commit", body)
        assert (found["code"], found["context"]["expected_minor"]) == ("price-changed", 129)
        shop_key = shop.id()
    shop.run("""UPDATE roles SET permissions = '{"refund": 500}' WHERE role = 'cashier'""")
    with shop.unchanged():
        found = shop.no(
            "till-1", "return/commit", give_back(shop, sale_id, back(2, 2)), key=shop_key
        )
    assert found["approval"] == {"permission": "refund", "amount_minor": 969}
    assert shop.ok("till-1", "return/commit", give_back(shop, sale_id, back(2, 1)))


def test_a_return_is_done_once_however_often_it_is_asked(shop: Shop) -> None:
    sale_id = sold(shop, total_minor=3780, off=100)
    body = give_back(shop, sale_id, back(2, 1))
    first = shop.ask("till-1", "return/commit", body)
    with shop.unchanged():
        again = shop.ask("till-2", "return/commit", body)
        assert (again.result, again.seq) == (first.result, first.seq)
        other = shop.no("till-2", "return/commit", body | {"lines": [back(2, 2)]})
        assert other["code"] == "conflict"


def test_a_voided_sale_takes_nothing_back(shop: Shop) -> None:
    sale_id = sold(shop, total_minor=3780, off=100)
    shop.sign_in("till-2", "mia")
    shop.ok("till-2", "sale/void", {"sale_id": sale_id, "reason": "x"})
    with shop.unchanged():
        found = shop.no("till-1", "return/commit", give_back(shop, sale_id, back(1, 1)))
    assert found["code"] == "conflict"


def test_a_return_keeps_the_tax_of_its_sale(shop: Shop) -> None:
    sale_id = sold(shop, total_minor=3780, off=100)
    shop.taxes(standard=0, reduced=0, zero=0)
    done = shop.ok("till-1", "return/commit", give_back(shop, sale_id, back(1, 3), back(2, 7)))
    assert done["tax_minor"] == 25 + 542
