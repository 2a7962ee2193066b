"""Baskets at the hub: frozen lines, holds, owners, and the way to a sale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.service.notices import BasketChanged
from tests.support.shop import EXCLUSIVE, Shop


def held(shop: Shop, sku: str) -> int:
    return int(shop.level(sku)["held"])


def test_a_line_holds_goods_and_the_sale_takes_them(shop: Shop) -> None:
    basket = shop.basket("till-1", "tea", "tea", "4006381333931")
    assert held(shop, "tea") == 3
    assert [one["held"] for one in basket["lines"]] == [1, 1, 1]

    shop.ok("till-1", "sale/commit", shop.pay(basket))

    assert (held(shop, "tea"), shop.level("tea")["sellable"]) == (0, 17)
    assert shop.ok("till-1", "basket/get", {"basket_id": basket["basket_id"]})["state"] == "closed"


def test_what_others_hold_is_not_free(shop: Shop) -> None:
    mine = shop.basket("till-1", "rare")
    theirs = shop.basket("till-2", "rare")
    assert theirs["lines"][0]["held"] == 0
    assert theirs["warnings"] == ["rare: 0 of 1 are free here"]

    with shop.unchanged():
        found = shop.no("till-2", "sale/commit", shop.pay(theirs))
        assert found["code"] == "insufficient-stock"
    assert shop.ask("till-1", "sale/commit", shop.pay(mine)).ok


def test_goods_that_become_free_are_held_at_the_next_change(shop: Shop) -> None:
    mine, theirs = shop.basket("till-1", "rare"), shop.basket("till-2", "rare")
    shop.change("till-1", mine, "abandon")
    theirs = shop.change("till-2", theirs, "add-line", code="tea")
    assert [one["held"] for one in theirs["lines"]] == [1, 1]


def test_holds_end_with_their_time_and_resuming_looks_again(shop: Shop) -> None:
    basket = shop.basket("till-1", "rare", "tea")
    basket = shop.change("till-1", basket, "suspend", label="blue coat")
    shop.clock.advance(14 * 60)
    shop.housekeep()
    assert held(shop, "rare") == 1
    shop.clock.advance(60)
    shop.housekeep()
    assert (held(shop, "rare"), held(shop, "tea")) == (0, 0)
    shop.sell("till-2", "rare", 1, 1000)

    basket = shop.change("till-2", basket, "resume")

    assert basket["owner"] == "till-2"
    assert [one["held"] for one in basket["lines"]] == [0, 1]
    assert basket["warnings"] == ["rare: 0 of 1 are free here"]


def test_every_change_begins_the_time_of_all_holds_anew(shop: Shop) -> None:
    basket = shop.basket("till-1", "rare")
    shop.clock.advance(10 * 60)
    shop.change("till-1", basket, "add-line", code="tea")
    shop.clock.advance(10 * 60)
    shop.housekeep()
    assert held(shop, "rare") == 1


def test_setting_the_wall_clock_ends_no_hold(shop: Shop) -> None:
    shop.basket("till-1", "rare")
    shop.clock.jump_wall(3 * 3600)
    shop.housekeep()
    assert held(shop, "rare") == 1


def test_removing_abandoning_and_fewer_pieces_free_the_goods(shop: Shop) -> None:
    basket = shop.basket("till-1", "tea", "milk")
    basket = shop.change("till-1", basket, "change-line", line_no=1, qty=5)
    assert held(shop, "tea") == 5
    basket = shop.change("till-1", basket, "change-line", line_no=1, qty=2)
    assert held(shop, "tea") == 2
    basket = shop.change("till-1", basket, "remove-line", line_no=1)
    assert (held(shop, "tea"), held(shop, "milk")) == (0, 1)
    shop.change("till-1", basket, "abandon", reason="walked out")
    assert held(shop, "milk") == 0
    assert [one["reason"] for one in shop.audited("basket.abandoned")] == ["walked out"]
    assert shop.audited("basket.qty_reduced")[0] == {"line": 1, "sku": "tea", "from": 5, "to": 2}


def test_of_two_tills_that_resume_the_second_is_told_who_was_first(shop: Shop) -> None:
    basket = shop.change("till-1", shop.basket("till-1", "tea"), "suspend")
    shop.writer.notices.clear()

    won = shop.change("till-2", basket, "resume")
    lost = shop.ask_change("till-1", basket, "resume").problem

    assert won["owner"] == "till-2"
    assert lost["code"] == "conflict"
    assert lost["context"]["owner"] == "till-2"
    assert BasketChanged(basket["basket_id"], "open", "till-2") in shop.writer.notices


def test_only_its_owner_changes_a_basket_and_only_its_latest_version(shop: Shop) -> None:
    old = shop.basket("till-1", "tea")
    new = shop.change("till-1", old, "add-line", code="milk")
    with shop.unchanged():
        for device, basket in (("till-2", new), ("till-1", old)):
            for operation, body in (
                ("add-line", {"code": "tea"}),
                ("change-line", {"line_no": 1, "qty": 2}),
                ("remove-line", {"line_no": 1}),
                ("discount-line", {"line_no": 1, "discount_minor": 1, "reason": "x"}),
                ("override-price", {"line_no": 1, "unit_price_minor": 450, "reason": "x"}),
                ("suspend", {}),
                ("abandon", {}),
            ):
                found = shop.ask_change(device, basket, operation, **body)
                assert found.code == "conflict", (device, operation)
            assert shop.no(device, "sale/commit", shop.pay(basket))["code"] == "conflict"


@pytest.mark.parametrize("end", ["sell", "abandon"])
def test_a_basket_that_ended_stays_so(shop: Shop, end: str) -> None:
    basket = shop.basket("till-1", "tea")
    if end == "sell":
        shop.ok("till-1", "sale/commit", shop.pay(basket))
        basket = shop.ok("till-1", "basket/get", {"basket_id": basket["basket_id"]})
    else:
        basket = shop.change("till-1", basket, "abandon")
    with shop.unchanged():
        for operation in ("suspend", "resume", "abandon"):
            assert shop.ask_change("till-1", basket, operation).code == "conflict"
        assert shop.ask_change("till-1", basket, "add-line", code="tea").code == "conflict"
        assert shop.no("till-1", "sale/commit", shop.pay(basket))["code"] == "conflict"
        found = shop.no("till-2", "basket/open", {"basket_id": basket["basket_id"]})
        assert found["code"] == "conflict"


def test_an_empty_basket_is_not_sold(shop: Shop) -> None:
    basket = shop.basket("till-1")
    with shop.unchanged():
        found = shop.no("till-1", "sale/commit", shop.pay(basket) | {"tenders": []})
    assert found["code"] == "conflict"


def test_a_refused_sale_leaves_its_basket_open_and_its_goods_held(shop: Shop) -> None:
    basket = shop.basket("till-1", "tea")
    with shop.unchanged():
        found = shop.no("till-1", "sale/commit", shop.pay(basket) | {"tenders": []})
        assert found["code"] == "validation"
    assert held(shop, "tea") == 1
    assert shop.ask("till-1", "sale/commit", shop.pay(basket)).ok


def test_a_line_keeps_its_price_and_tax_over_a_change_of_the_datasets(shop: Shop) -> None:
    basket = shop.basket("till-1", "tea")
    shop.product("tea", 599)
    shop.taxes(standard=160_000, reduced=50_000, zero=0)

    basket = shop.change("till-1", basket, "add-line", code="tea")

    assert [one["unit_price_minor"] for one in basket["lines"]] == [499, 599]
    done = shop.ok("till-1", "sale/commit", shop.pay(basket))
    assert (done["total_minor"], done["tax_minor"]) == (1098, 80 + 83)
    found = shop.ask_change(
        "till-1", shop.basket("till-1"), "add-line", code="tea", unit_price_minor=499
    )
    assert (found.code, found.problem["context"]["expected_minor"]) == ("price-changed", 599)


def test_a_sale_of_a_basket_keeps_all_rates_it_was_taxed_with(shop: Shop) -> None:
    basket = shop.basket("till-1", "tea", "milk")
    shop.ok("till-1", "sale/commit", shop.pay(basket))
    stamp = shop.value("SELECT tax FROM sales")
    assert '"standard"' in stamp
    assert '"reduced"' in stamp


def test_a_basket_has_its_bounds(shop: Shop) -> None:
    for _ in range(20):
        shop.basket("till-1")
    with shop.unchanged():
        assert shop.no("till-1", "basket/open", {"basket_id": shop.id()})["code"] == "conflict"
    assert shop.basket("till-2")
    assert len(shop.ok("till-2", "basket/list")["baskets"]) == 21


# Discounts --------------------------------------------------------------------------------------


def test_more_pieces_or_fewer_never_stretch_what_was_permitted(shop: Shop) -> None:
    basket = shop.basket("till-1")
    basket = shop.change("till-1", basket, "add-line", code="tea", qty=5)
    basket = shop.change(
        "till-1", basket, "discount-line", line_no=1, discount_minor=400, reason="five"
    )
    with shop.unchanged():
        found = shop.ask_change("till-1", basket, "change-line", line_no=1, qty=1)
        assert found.code == "approval-required"  # 4.00 off 4.99
        found = shop.ask_change("till-1", basket, "change-line", line_no=1, qty=2)
        assert found.code == "approval-required"
    basket = shop.change("till-1", basket, "change-line", line_no=1, qty=6)

    basket = shop.change("till-1", basket, "add-line", code="milk", qty=1)
    basket = shop.change(
        "till-1", basket, "override-price", line_no=2, unit_price_minor=29, reason="dented"
    )
    with shop.unchanged():
        found = shop.ask_change("till-1", basket, "change-line", line_no=2, qty=10)
        assert found.code == "approval-required"  # 10.00 in all
    basket = shop.change("till-1", basket, "change-line", line_no=2, qty=3)
    assert shop.ask("till-1", "sale/commit", shop.pay(basket)).ok


def test_a_manager_approves_on_another_till_for_one_line_once(shop: Shop) -> None:
    basket = shop.basket("till-1", "tea")
    subject = {"basket_id": basket["basket_id"], "line_no": 1, "sku": "tea", "amount_minor": 250}
    asked = {"line_no": 1, "discount_minor": 250, "reason": "regular"}
    found = shop.ask_change("till-1", basket, "discount-line", **asked).problem
    assert found["approval"] == {"permission": "sale.discount", "amount_minor": 250}
    approval = shop.approve("sale.discount", subject)

    basket = shop.change("till-1", basket, "discount-line", **asked, approval_id=approval)

    assert basket["total_minor"] == 249
    assert shop.audited("basket.discount")[0]["approved_by"] == "mia"
    again = shop.ask_change("till-1", basket, "discount-line", **asked, approval_id=approval)
    assert again.code == "conflict"


def test_who_lacks_the_permission_takes_nothing_out(shop: Shop) -> None:
    shop.run("""UPDATE roles SET permissions = '{"sale.sell": null}' WHERE role = 'cashier'""")
    basket = shop.basket("till-1", "tea")
    basket = shop.change("till-1", basket, "change-line", line_no=1, qty=3)
    with shop.unchanged():
        found = shop.ask_change("till-1", basket, "remove-line", line_no=1)
        assert found.code == "approval-required"
        found = shop.ask_change("till-1", basket, "change-line", line_no=1, qty=2)
        assert found.code == "approval-required"


def test_nobody_signed_in_changes_nothing(shop: Shop) -> None:
    basket = shop.basket("till-1", "tea")
    shop.ok("till-1", "staff/sign-out")
    with shop.unchanged():
        for operation, body in (
            ("add-line", {"code": "tea"}),
            ("change-line", {"line_no": 1, "qty": 2}),
            ("remove-line", {"line_no": 1}),
        ):
            found = shop.ask_change("till-1", basket, operation, **body)
            assert found.code == "unauthenticated"
        assert shop.no("till-1", "sale/commit", shop.pay(basket))["code"] == "unauthenticated"


# Labels -----------------------------------------------------------------------------------------

WEIGHT_RULE = {"prefix": "28", "item": [2, 7], "measure": [7, 12], "kind": "weight", "decimals": 3}
PRICE_RULE = {"prefix": "22", "item": [2, 7], "measure": [7, 12], "kind": "price", "decimals": 2}


def labelled(payload: str) -> str:
    digits = [int(one) for one in payload]
    total = sum(one * (3 if place % 2 else 1) for place, one in enumerate(digits))
    return payload + str(-total % 10)


def label_shop(shop: Shop) -> None:
    shop.policy("barcode.restricted", [WEIGHT_RULE, PRICE_RULE])
    shop.product("12345", 1999, stock=20_000, uom="kg", scale=3, tax_code="reduced")
    shop.product("00000", 0, stock=20_000, uom="kg", scale=3, tax_code="reduced")


def test_a_label_s_weight_is_the_quantity(shop: Shop) -> None:
    label_shop(shop)
    basket = shop.basket("till-1", labelled("281234500455"))
    assert (basket["lines"][0]["qty"], basket["total_minor"]) == (455, 910)


def test_a_label_s_price_is_what_is_paid(shop: Shop) -> None:
    label_shop(shop)
    basket = shop.basket("till-1", labelled("221234500777"))
    line = basket["lines"][0]
    assert basket["total_minor"] == 777
    assert (line["qty"], line["reason"]) == (389, "label price")
    assert shop.ask("till-1", "sale/commit", shop.pay(basket)).ok


def test_a_label_s_price_on_something_free_is_refused_at_once(shop: Shop) -> None:
    label_shop(shop)
    basket = shop.basket("till-1")
    found = shop.ask_change("till-1", basket, "add-line", code=labelled("220000000777"))
    assert found.code == "conflict"


def test_weighed_goods_need_their_weight(shop: Shop) -> None:
    basket = shop.basket("till-1")
    found = shop.ask_change("till-1", basket, "add-line", code="apples")
    assert found.code == "validation"
    basket = shop.change("till-1", basket, "add-line", code="apples", qty=1000)
    assert basket["total_minor"] == 299


def test_tax_on_top_is_part_of_the_basket_s_total(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(tax=EXCLUSIVE)
    basket = shop.basket("till-1", "milk", "milk", "milk", "tea")
    assert (basket["tax_minor"], basket["total_minor"]) == (27 + 95, 387 + 499 + 122)
    assert shop.ask("till-1", "sale/commit", shop.pay(basket)).ok


def test_old_baskets_are_forgotten_open_ones_are_not(shop: Shop) -> None:
    sold = shop.basket("till-1", "tea")
    shop.ok("till-1", "sale/commit", shop.pay(sold))
    kept: Any = shop.basket("till-1", "tea")
    shop.clock.advance(8 * 86_400)
    shop.housekeep()
    assert shop.all("SELECT basket_id FROM baskets") == [(kept["basket_id"],)]
