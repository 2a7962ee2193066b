"""Selling lines rung up at the till: prices, discounts, tenders, stock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.contract.oms_events import SALE_COMPLETED, STOCK_CLAIMS_SHORT
from hub.service import ledger
from hub.service.notices import LevelsChanged, OutboxGrew, SaleMade
from tests.support.shop import EXCLUSIVE, Shop, five_cents

TEA = {"code": "tea", "qty": 1, "unit_price_minor": 499}
WHY = {"reason": "regular"}


def test_a_sale_moves_goods_money_and_tells_the_cloud(shop: Shop) -> None:
    shop.writer.notices.clear()
    body = shop.sale(
        TEA | {"qty": 2}, {"code": "milk", "qty": 1, "unit_price_minor": 129}, total_minor=1127
    ) | {"tenders": [{"kind": "cash", "amount_minor": 2000}]}

    reply = shop.ask("till-1", "sale/commit", body)

    done = reply.result
    assert (done["receipt_no"], done["change_minor"], done["tax_minor"]) == ("001-000001", 873, 167)
    assert done["business_day"] == "2026-01-01"
    assert (shop.level("tea")["sellable"], shop.level("milk")["sellable"]) == (18, 9)
    (event,) = shop.events(SALE_COMPLETED)
    assert [one["qty"] for one in event["movements"]] == [2, 1]
    assert event["staff_id"] == "anna"
    assert reply.seq == shop.value("SELECT max(id) FROM outbox")
    assert set(shop.writer.notices) == {
        LevelsChanged(("tea", "milk")),
        OutboxGrew("sales"),
        SaleMade(),
    }


def test_receipt_numbers_count_per_till_without_gaps(shop: Shop) -> None:
    shop.sell("till-1", "tea", 1, 499)
    shop.no("till-1", "sale/commit", shop.sale(TEA | {"qty": 99}, total_minor=99 * 499))
    shop.sell("till-2", "tea", 1, 499)

    assert shop.sell("till-1", "tea", 1, 499)["receipt_no"] == "001-000002"


def test_the_price_and_the_total_are_the_hub_s_word(shop: Shop) -> None:
    with shop.unchanged():
        found = shop.no(
            "till-1", "sale/commit", shop.sale(TEA | {"unit_price_minor": 450}, total_minor=450)
        )
        assert (found["code"], found["context"]["expected_minor"]) == ("price-changed", 499)
        found = shop.no("till-1", "sale/commit", shop.sale(TEA, total_minor=500))
        assert (found["code"], found["context"]["expected_minor"]) == ("price-changed", 499)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"code": "nothing"}, "not-found"),
        ({"code": "4006381333948"}, "not-found"),
        ({"code": "4006381333930"}, "validation"),
        ({"code": "old"}, "conflict"),
        ({"code": "priceless"}, "conflict"),
        ({"code": "untaxed"}, "validation"),
    ],
)
def test_what_can_not_be_sold_is_refused(shop: Shop, line: dict[str, Any], code: str) -> None:
    shop.product("old", 499, stock=1, active=False)
    shop.product("priceless", None, stock=1)
    shop.product("untaxed", 499, stock=1, tax_code="unknown")
    with shop.unchanged():
        found = shop.no("till-1", "sale/commit", shop.sale(TEA | line, total_minor=499))
    assert found["code"] == code


def test_an_expired_piece_is_refused_at_the_till(shop: Shop) -> None:
    fresh, old = "0104006381333931172601011", "010400638133393117251231"
    for code in (f"]C1{fresh[:-1]}", f"]C1{old}"):
        assert shop.ok("till-1", "catalog/look-up", {"code": code})["sku"] == "tea"
    with shop.unchanged():
        found = shop.no(
            "till-1", "sale/commit", shop.sale(TEA | {"code": f"]C1{old}"}, total_minor=499)
        )
    assert (found["code"], found["context"]["expiry_date"]) == ("conflict", "2025-12-31")
    good = shop.sale(TEA | {"code": f"]C1{fresh[:-1]}"}, total_minor=499)
    assert shop.ask("till-1", "sale/commit", good).ok


# Money ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tenders", "code", "change"),
    [
        ([("cash", 499)], "ok", 0),
        ([("cash", 1000)], "ok", 501),
        ([("cash", 300), ("cash", 300)], "ok", 101),
        ([("card", 499)], "ok", 0),
        ([("card", 200), ("card", 299)], "ok", 0),
        ([("card", 400), ("cash", 100)], "ok", 1),
        ([("cash", 498)], "validation", 0),
        ([("card", 498)], "validation", 0),
        ([("card", 500)], "validation", 0),
        ([("card", 499), ("cash", 1)], "validation", 0),
        ([("card", 0), ("cash", 499)], "validation", 0),
        ([], "validation", 0),
    ],
)
def test_tenders_meet_the_total(
    shop: Shop, tenders: list[tuple[str, int]], code: str, change: int
) -> None:
    given = [
        shop.card(amount) if kind == "card" else {"kind": kind, "amount_minor": amount}
        for kind, amount in tenders
    ]
    reply = shop.ask("till-1", "sale/commit", shop.sale(TEA, total_minor=499) | {"tenders": given})
    assert reply.code == code
    if code == "ok":
        assert reply.result["change_minor"] == change


def test_cash_is_rounded_to_the_smallest_coin_and_cards_are_not(
    make_shop: Callable[..., Shop],
) -> None:
    shop = make_shop(cash_rounding=five_cents())
    line = {"code": "tea", "qty": 2, "unit_price_minor": 499}

    def sell(*tenders: dict[str, Any]) -> tuple[int, int]:
        body = shop.sale(line, total_minor=998) | {"tenders": list(tenders)}
        done = shop.ok("till-1", "sale/commit", body)
        return done["rounding_minor"], done["change_minor"]

    assert sell({"kind": "cash", "amount_minor": 1000}) == (2, 0)
    assert sell(shop.card(998)) == (0, 0)
    assert sell(shop.card(996), {"kind": "cash", "amount_minor": 0}) == (-2, 0)
    assert sell(shop.card(500), {"kind": "cash", "amount_minor": 1000}) == (2, 500)


def test_a_free_sale_needs_no_tender(shop: Shop) -> None:
    gift = {"code": "gift", "qty": 1, "unit_price_minor": 0}
    done = shop.ok("till-1", "sale/commit", shop.sale(gift, total_minor=0) | {"tenders": []})
    assert done["total_minor"] == 0


def test_a_payment_pays_one_sale_only(shop: Shop) -> None:
    payment = shop.id()
    first = shop.sale(TEA, total_minor=499) | {"tenders": [shop.card(499, payment)]}
    assert shop.ask("till-1", "sale/commit", first).ok
    again = shop.sale(TEA, total_minor=499) | {"tenders": [shop.card(499, payment)]}
    with shop.unchanged():
        found = shop.no("till-2", "sale/commit", again)
    assert found["code"] == "conflict"
    assert found["context"]["sale_id"] == first["sale_id"]


def test_two_tenders_with_one_payment_are_refused_and_the_hub_goes_on(shop: Shop) -> None:
    payment = shop.id()
    tenders = [shop.card(200, payment), shop.card(299, payment)]
    with shop.unchanged():
        found = shop.no(
            "till-1", "sale/commit", shop.sale(TEA, total_minor=499) | {"tenders": tenders}
        )
    assert found["code"] == "validation"
    assert shop.core.fatal is None
    assert shop.sell("till-1", "tea", 1, 499)


def test_tax_on_top_is_charged_and_rounded_over_the_total(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(tax=EXCLUSIVE)
    lines = [{"code": "milk", "qty": 1, "unit_price_minor": 129} for _ in range(3)]

    done = shop.ok("till-1", "sale/commit", shop.sale(*lines, total_minor=414))

    assert (done["tax_minor"], done["total_minor"]) == (27, 414)  # 387 and 27.09, not 3 times 9.03
    assert [one["tax_minor"] for one in shop.events(SALE_COMPLETED)[0]["lines"]] == [9, 9, 9]


def test_weighed_goods_are_sold_by_the_gram(shop: Shop) -> None:
    line = {"code": "apples", "qty": 455, "unit_price_minor": 299}
    done = shop.ok("till-1", "sale/commit", shop.sale(line, total_minor=136))
    assert done["total_minor"] == 136
    assert shop.level("apples")["sellable"] == 19_545


# Repeats ----------------------------------------------------------------------------------------


def test_the_same_sale_from_another_device_finds_the_original(shop: Shop) -> None:
    body = shop.sale(TEA, total_minor=499)
    first = shop.ask("till-1", "sale/commit", body)
    shop.sell("till-1", "milk", 1, 129)
    with shop.unchanged():
        for device in ("till-2", "till-3", "kiosk-1"):
            again = shop.ask(device, "sale/commit", body)
            assert again.result == first.result
            assert again.seq == first.seq


def test_another_sale_under_a_known_id_is_a_conflict(shop: Shop) -> None:
    body = shop.sale(TEA, total_minor=499)
    shop.ok("till-1", "sale/commit", body)
    other = body | {"lines": [TEA | {"qty": 2}], "total_minor": 998}
    other["tenders"] = [{"kind": "cash", "amount_minor": 998}]
    with shop.unchanged():
        assert shop.no("till-2", "sale/commit", other)["code"] == "conflict"


def test_a_sale_that_came_back_from_the_cloud_is_known_by_its_id(shop: Shop) -> None:
    body = shop.sale(TEA, total_minor=499)
    first = shop.ok("till-1", "sale/commit", body)
    shop.run("UPDATE sales SET hash = x''")

    assert shop.ok("till-1", "sale/commit", body) == first
    found = shop.no("till-1", "sale/commit", body | {"total_minor": 500})
    assert found["code"] == "conflict"


# Stock ------------------------------------------------------------------------------------------

RARE = {"code": "rare", "qty": 2, "unit_price_minor": 1000}


def test_what_is_not_there_is_not_sold(shop: Shop) -> None:
    with shop.unchanged():
        found = shop.no("till-1", "sale/commit", shop.sale(RARE, total_minor=2000))
    assert found["code"] == "insufficient-stock"
    assert found["context"] == {"wanted_qty": 2, "free_qty": 1, "sku": "rare"}


def test_two_lines_of_one_product_are_taken_together(shop: Shop) -> None:
    one = RARE | {"qty": 1}
    shop.stock_up("rare", 1)
    shop.reserve("order-1", "rare", 1)
    with shop.unchanged():
        found = shop.no("till-1", "sale/commit", shop.sale(one, one, total_minor=2000))
    assert found["code"] == "insufficient-stock"


def test_claims_of_others_are_not_sold_but_safety_stock_is(shop: Shop) -> None:
    shop.product("jam", 300, stock=5, safety=4)
    shop.reserve("order-1", "jam", 2)
    jam = {"code": "jam", "qty": 3, "unit_price_minor": 300}
    assert shop.level("jam")["available"] == 0
    assert shop.ask("till-1", "sale/commit", shop.sale(jam, total_minor=900)).ok
    found = shop.no("till-1", "sale/commit", shop.sale(jam | {"qty": 1}, total_minor=300))
    assert found["code"] == "insufficient-stock"


def test_who_holds_the_goods_gets_them_and_the_claims_are_told(shop: Shop) -> None:
    shop.product("jam", 300, stock=5)
    basket = shop.basket("till-2")
    shop.change("till-2", basket, "add-line", code="jam", qty=2)
    shop.reserve("order-1", "jam", 1)
    shop.reserve("order-2", "jam", 1)
    jam = {"code": "jam", "qty": 4, "unit_price_minor": 300}
    plain = shop.sale(jam, total_minor=1200)
    body = plain | {"stock_override": {"reason": "in the customer's hands"}}

    assert shop.no("till-1", "sale/commit", plain)["code"] == "insufficient-stock"
    found = shop.no("till-1", "sale/commit", body)
    assert (found["code"], found["approval"]["permission"]) == (
        "approval-required",
        "stock.override",
    )
    approval = shop.approve("stock.override", {"sale_id": body["sale_id"]})
    body["stock_override"]["approval_id"] = approval
    shop.ok("till-1", "sale/commit", body)

    (event,) = shop.events(STOCK_CLAIMS_SHORT)
    assert event["short_qty"] == 3
    assert [(one["kind"], one["ref"], one["qty"]) for one in event["victims"]] == [
        ("hold", basket["basket_id"], 2),
        ("order", "order-2", 1),
    ]
    (moved,) = shop.all("SELECT type FROM movements WHERE ref_type = 'sale'")
    assert moved == ("sale_override",)
    assert shop.value("SELECT count(*) FROM count_tasks") == 1
    assert shop.audited("stock.override")[0]["approved_by"] == "mia"


def test_an_override_may_take_the_book_below_zero(shop: Shop) -> None:
    shop.sign_in("till-1", "mia")
    body = shop.sale(RARE, total_minor=2000) | {"stock_override": {"reason": "I see two"}}
    shop.ok("till-1", "sale/commit", body)

    assert shop.level("rare")["sellable"] == -1
    assert shop.level("rare")["available"] == 0
    (event,) = shop.events(STOCK_CLAIMS_SHORT)
    assert (event["short_qty"], event["victims"]) == (1, [])
    shop.stock_up("rare", 3)
    assert shop.level("rare")["sellable"] == 2
    assert ledger.verify(shop.rows).whole


def test_a_needless_override_is_an_ordinary_sale(shop: Shop) -> None:
    body = shop.sale(TEA, total_minor=499) | {"stock_override": {"reason": "just in case"}}
    shop.ok("till-1", "sale/commit", body)
    assert shop.all("SELECT type FROM movements WHERE ref_type = 'sale'") == [("sale",)]


# Voiding ----------------------------------------------------------------------------------------


def test_a_void_gives_goods_and_money_back(shop: Shop) -> None:
    card = shop.card(300)
    body = shop.sale(TEA, total_minor=499)
    body["tenders"] = [card, {"kind": "cash", "amount_minor": 500}]
    shop.ok("till-1", "sale/commit", body)
    shop.sign_in("till-2", "mia")
    void = {"sale_id": body["sale_id"], "reason": "wrong customer"}

    reply = shop.ask("till-2", "sale/void", void)

    assert reply.result["refund"] == [
        {
            "kind": "card",
            "amount_minor": 300,
            "payment_id": card["payment_id"],
            "by": "till",
            "by_person": False,
        },
        {"kind": "cash", "amount_minor": 199, "by": "till", "by_person": False},
    ]
    assert shop.level("tea")["sellable"] == 20
    assert shop.ok("till-1", "sale/get", {"sale_id": body["sale_id"]})["state"] == "voided"
    with shop.unchanged():
        again = shop.ask("till-2", "sale/void", void)
        assert again.result == reply.result
        assert again.seq >= reply.seq
        other = shop.no("till-2", "sale/void", void | {"reason": "another one"})
        assert other["code"] == "conflict"


def test_a_void_needs_the_same_day_and_no_returns(shop: Shop) -> None:
    shop.sign_in("till-2", "mia")
    first, second = shop.sell("till-1", "tea", 1, 499), shop.sell("till-1", "tea", 1, 499)
    back = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "too green"}
    shop.ok(
        "till-1",
        "return/commit",
        {"return_id": shop.id(), "sale_id": first["sale_id"], "lines": [back]},
    )
    with shop.unchanged():
        void = {"sale_id": first["sale_id"], "reason": "x"}
        assert shop.no("till-2", "sale/void", void)["code"] == "conflict"
        void = {"sale_id": second["sale_id"], "reason": "x"}
        assert shop.no("till-1", "sale/void", void)["code"] == "approval-required"
        assert shop.no("till-2", "sale/void", void | {"sale_id": shop.id()})["code"] == "not-found"
    shop.clock.advance(14 * 3600)
    shop.sign_in("till-2", "mia")
    with shop.unchanged():
        assert shop.no("till-2", "sale/void", void)["code"] == "conflict"


def test_an_override_sale_can_be_voided(shop: Shop) -> None:
    shop.sign_in("till-1", "mia")
    body = shop.sale(RARE, total_minor=2000) | {"stock_override": {"reason": "I see two"}}
    shop.ok("till-1", "sale/commit", body)
    shop.ok("till-1", "sale/void", {"sale_id": body["sale_id"], "reason": "x"})
    assert shop.level("rare")["sellable"] == 1


def test_sales_are_listed_newest_first_in_pages(shop: Shop) -> None:
    numbers = [shop.sell("till-1", "tea", 1, 499)["receipt_no"] for _ in range(5)]
    page = shop.ok("till-1", "sale/list", {"limit": 3})
    rest = shop.ok("till-1", "sale/list", {"limit": 3, "before_seq": page["next_before_seq"]})
    found = [one["receipt_no"] for one in page["sales"] + rest["sales"]]
    assert found == numbers[::-1]
    assert "next_before_seq" not in rest


def test_the_safe_number_follows_the_cloud(shop: Shop) -> None:
    def info() -> tuple[int, int]:
        found = shop.ok("till-1", "hub/info")
        return found["seq"], found["safe_seq"]

    seq = shop.ask("till-1", "sale/commit", shop.sale(TEA, total_minor=499)).seq
    assert info() == (seq, 0)
    shop.run("UPDATE streams SET acked_seq = head_seq WHERE stream = 'stock'")
    assert info() == (seq, seq - 1)
    shop.run("UPDATE streams SET acked_seq = head_seq")
    assert info() == (seq, seq)


def test_the_work_sequence_never_goes_back(shop: Shop) -> None:
    seq = shop.ask("till-1", "sale/commit", shop.sale(TEA, total_minor=499)).seq
    shop.run("UPDATE streams SET acked_seq = head_seq")
    shop.clock.advance(40 * 86_400)
    assert shop.housekeep()
    assert shop.ok("till-1", "hub/info")["seq"] >= seq
    shop.sign_in("till-1")
    assert shop.ask("till-1", "sale/commit", shop.sale(TEA, total_minor=499)).seq > seq


def test_nothing_is_forgotten_by_a_clock_that_jumped(shop: Shop) -> None:
    body = shop.sale(TEA, total_minor=499)
    first = shop.ask("till-1", "sale/commit", body, key="plain-key-1")
    shop.clock.jump_wall(400 * 86_400)
    shop.run("UPDATE hub SET clock_suspect = 'jumped'")
    before = shop.fingerprint(but=())
    shop.housekeep()
    assert shop.fingerprint(but=()) == before
    assert shop.ask("till-1", "sale/commit", body, key="plain-key-1").text == first.text
