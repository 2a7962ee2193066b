"""Online orders: taken in once, reserved for as far as there are goods, given out, ended."""

from __future__ import annotations

from typing import Any

import pytest

from hub.contract.oms_events import COMMAND_ENDED, STOCK_CLAIMS_SHORT
from hub.contract.oms_orders import FULFILMENT_FACTS, MAX_ORDER_LINES, OpenOrder
from hub.service import ledger
from hub.service.handlers.orders import TakeOpenOrders
from tests.support.ordering import lines, order, tell
from tests.support.shop import Shop

DAY_S = 86_400


def assign(shop: Shop, order_id: str, goods: dict[str, int], **more: Any) -> None:
    assert tell(shop, "order.assigned", order(order_id, goods, **more)) == ("done", "")


def change(shop: Shop, order_id: str, version: int, **more: Any) -> tuple[str, str]:
    return tell(shop, "order.changed", {"order_id": order_id, "version": version, **more})


def cancel(shop: Shop, order_id: str, version: int = 9) -> tuple[str, str]:
    data = {"order_id": order_id, "version": version, "reason": "changed their mind"}
    return tell(shop, "order.cancelled", data)


def told(shop: Shop, fact: str) -> list[dict[str, Any]]:
    return shop.events(FULFILMENT_FACTS[fact])


def seen(shop: Shop, order_id: str) -> dict[str, Any]:
    return shop.ok("till-1", "order/get", {"order_id": order_id})


def state(shop: Shop, order_id: str) -> str:
    return str(seen(shop, order_id)["order"]["state"])


@pytest.fixture
def shop(make_shop: Any) -> Shop:
    made: Shop = make_shop()
    made.product("cup", 900, stock=5)
    made.sign_in("till-1")
    return made


# Taking in ---------------------------------------------------------------------------------------


def test_an_order_is_reserved_for_and_told(shop: Shop) -> None:
    assign(shop, "o-1", {"cup": 2}, promised_at_ms=1_900_000_000_000)
    assert (shop.level("cup")["reserved"], shop.level("cup")["counter_sellable"]) == (2, 3)
    (event,) = told(shop, "accepted")
    assert (event["order_id"], event["version"], event["state"]) == ("o-1", 1, "accepted")
    assert event["lines"] == [
        {"line_no": 1, "sku": "cup", "qty": 2, "reserved_qty": 2, "gone_qty": 0}
    ]
    whole = seen(shop, "o-1")
    assert whole["order"]["number"] == "W-o-1"
    assert whole["lines"][0]["reserved_qty"] == 2
    assert shop.one("SELECT stream, aggregate FROM outbox ORDER BY id DESC") == ("orders", "o-1")


def test_a_till_may_not_sell_what_is_reserved(shop: Shop) -> None:
    assign(shop, "o-1", {"cup": 4})
    cup = {"code": "cup", "qty": 2, "unit_price_minor": 900}
    assert shop.no("till-1", "sale/commit", shop.sale(cup, total_minor=1800))["code"] == (
        "insufficient-stock"
    )
    shop.sell("till-1", "cup", 1, 900)


def test_an_order_for_more_than_there_is_is_kept_and_what_is_missing_told(shop: Shop) -> None:
    assign(shop, "o-1", {"cup": 7, "nobody-knows-it": 1})
    assert shop.level("cup")["reserved"] == 5
    assert told(shop, "accepted") == []
    (event,) = told(shop, "short")
    assert [one["reserved_qty"] for one in event["lines"]] == [5, 0]
    found = shop.ok("till-1", "order/list", {"which": "short"})["orders"]
    assert [(one["order_id"], one["short_lines"]) for one in found] == [("o-1", 2)]
    assert [one["short_qty"] for one in seen(shop, "o-1")["lines"]] == [2, 1]


def test_what_was_missing_is_reserved_when_it_comes_for_the_earliest_promise(shop: Shop) -> None:
    assign(shop, "late", {"cup": 6}, promised_at_ms=1_900_000_000_000)
    assign(shop, "soon", {"cup": 2}, promised_at_ms=1_800_000_000_000)
    shop.stock_up("cup", 2)
    assert shop.housekeep() > 0
    assert [one["order_id"] for one in told(shop, "accepted")] == ["soon"]
    shop.stock_up("cup", 9)
    shop.housekeep()
    assert [one["order_id"] for one in told(shop, "accepted")] == ["soon", "late"]
    assert shop.level("cup")["reserved"] == 8
    assert shop.housekeep() == 0


def test_a_repeat_and_an_older_command_change_nothing(shop: Shop) -> None:
    assign(shop, "o-1", {"cup": 2})
    assert change(shop, "o-1", 3, lines=lines({"cup": 1})) == ("done", "")
    before = shop.fingerprint(but=("commands", "hub"))
    for kind, data in (
        ("order.assigned", order("o-1", {"cup": 2})),
        ("order.changed", {"order_id": "o-1", "version": 2, "lines": lines({"cup": 5})}),
        ("order.changed", {"order_id": "o-1", "version": 3, "state": "handed_over"}),
        ("order.cancelled", {"order_id": "o-1", "version": 3}),
    ):
        assert tell(shop, kind, data) == ("done", "version 3 is known already")
    assert shop.fingerprint(but=("commands", "hub")) == before
    assert shop.level("cup")["reserved"] == 1


def test_an_order_that_was_cancelled_before_it_came_stays_cancelled(shop: Shop) -> None:
    assert cancel(shop, "o-1", 2) == ("done", "")
    assert tell(shop, "order.assigned", order("o-1", {"cup": 2}))[0] == "done"
    assert state(shop, "o-1") == "cancelled"
    assert shop.level("cup")["reserved"] == 0


def test_an_order_heard_of_by_its_change_is_taken_in_whole(shop: Shop) -> None:
    assert change(shop, "o-1", 2, state="ready")[0] == "failed"
    data = order("o-1", {"cup": 2}, 3) | {"state": "ready"}
    assert tell(shop, "order.changed", data) == ("done", "")
    assert (state(shop, "o-1"), shop.level("cup")["reserved"]) == ("ready", 2)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"lines": []}, "lines: "),
        ({"lines": [{"line_no": 1, "sku": "cup", "qty": 0}]}, "lines.0.qty: "),
        ({"lines": [{"line_no": 1, "sku": "cup", "qty": 1}] * 2}, "two lines"),
        (
            {"lines": lines({f"sku-{n}": 1 for n in range(MAX_ORDER_LINES + 1)})},
            "lines: ",
        ),
        ({"kind": "drone"}, "kind: "),
        ({"colour": "red"}, "colour: "),
        ({"version": 0}, "version: "),
    ],
)
def test_an_order_that_is_none_is_rejected_and_told_why(shop: Shop, wrong: Any, why: str) -> None:
    data = order("o-1", {"cup": 2}) | wrong
    outcome, said = tell(shop, "order.assigned", data, "cmd-1")
    assert outcome == "failed"
    assert why in said
    (event,) = told(shop, "rejected")
    assert (event["order_id"], event["state"], event["why"]) == ("o-1", "rejected", said)
    (ended,) = shop.events(COMMAND_ENDED)
    assert (ended["command_id"], ended["outcome"]) == ("cmd-1", "failed")
    assert "Ada" not in said
    tell(shop, "order.assigned", data, "cmd-1")
    assert len(told(shop, "rejected")) == 1
    assert tell(shop, "order.assigned", order("o-1", {"cup": 2})) == ("done", "")


def test_no_more_orders_are_taken_in_than_a_shop_can_keep(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.service.orders.commands.MAX_OPEN_ORDERS", 2)
    for name in ("o-1", "o-2"):
        assign(shop, name, {"cup": 1})
    outcome, why = tell(shop, "order.assigned", order("o-3", {"cup": 1}))
    assert outcome == "failed"
    assert "2 orders are open" in why
    assert [one["order_id"] for one in told(shop, "rejected")] == ["o-3"]
    cancel(shop, "o-1")
    assign(shop, "o-4", {"cup": 1})


# Changing ----------------------------------------------------------------------------------------


def test_new_lines_take_the_place_of_the_old_ones(shop: Shop) -> None:
    shop.product("plate", 500, stock=3)
    assign(shop, "o-1", {"cup": 4})
    assign(shop, "o-2", {"cup": 2})
    assert [one["order_id"] for one in told(shop, "short")] == ["o-2"]
    changed = change(shop, "o-1", 2, lines=lines({"cup": 1, "plate": 3}), promised_at_ms=5)
    assert changed == ("done", "")
    assert (shop.level("cup")["reserved"], shop.level("plate")["reserved"]) == (2, 3)
    shop.housekeep()
    assert shop.level("cup")["reserved"] == 3
    whole = seen(shop, "o-1")
    assert (whole["order"]["promised_at_ms"], whole["order"]["late"]) == (5, True)
    assert change(shop, "o-1", 3, state="ready") == ("done", "")
    assert not seen(shop, "o-1")["order"]["late"]


def test_a_change_takes_nothing_away_that_an_order_has(shop: Shop) -> None:
    assign(shop, "o-1", {"cup": 5})
    assert change(shop, "o-1", 2, lines=lines({"cup": 6})) == ("done", "")
    assert shop.level("cup")["reserved"] == 5


def test_an_override_takes_from_the_newest_order_and_names_it(shop: Shop) -> None:
    assign(shop, "o-1", {"cup": 2})
    assign(shop, "o-2", {"cup": 2})
    shop.sign_in("till-1", "mia")
    cup = {"code": "cup", "qty": 2, "unit_price_minor": 900}
    sale = shop.sale(cup, total_minor=1800) | {"stock_override": {"reason": "in their hands"}}
    shop.ok("till-1", "sale/commit", sale)
    (broken,) = shop.events(STOCK_CLAIMS_SHORT)
    assert broken["victims"] == [{"kind": "order", "ref": "o-2", "qty": 1}]
    (short,) = told(shop, "short")
    assert (short["order_id"], short["lines"][0]["reserved_qty"]) == ("o-2", 1)
    assert shop.level("cup")["reserved"] == 3
    shop.stock_up("cup", 1)
    shop.housekeep()
    assert [one["order_id"] for one in told(shop, "accepted")] == ["o-1", "o-2", "o-2"]


def test_what_a_count_doesnt_find_is_missing_for_the_newest_order(shop: Shop) -> None:
    assign(shop, "o-1", {"cup": 3})
    assign(shop, "o-2", {"cup": 2})
    shop.sign_in("till-1", "mia")
    lost = {"adjustment_id": shop.id(), "sku": "cup", "qty": -3, "reason": "broken"}
    shop.ok("till-1", "stock/adjust", lost)
    assert shop.housekeep() > 0
    (broken,) = shop.events(STOCK_CLAIMS_SHORT)
    assert broken["victims"] == [
        {"kind": "order", "ref": "o-2", "qty": 2},
        {"kind": "order", "ref": "o-1", "qty": 1},
    ]
    assert shop.level("cup")["reserved"] == 2
    assert shop.housekeep() == 0


# The end -----------------------------------------------------------------------------------------


def test_goods_that_were_handed_over_leave_the_shelf_with_their_reservation(shop: Shop) -> None:
    assign(shop, "o-1", {"cup": 2})
    assert change(shop, "o-1", 2, state="ready") == ("done", "")
    assert change(shop, "o-1", 3, state="handed_over") == ("done", "")
    assert (shop.level("cup")["sellable"], shop.level("cup")["reserved"]) == (3, 0)
    (event,) = told(shop, "handed_over")
    (moved,) = event["movements"]
    assert (moved["sku"], moved["qty"], moved["from"], moved["to"], moved["type"]) == (
        *("cup", 2, "sellable", "customer"),
        "handover",
    )
    assert event["lines"][0]["gone_qty"] == 2
    assert ledger.verify(shop.rows).whole
    assert change(shop, "o-1", 4, lines=lines({"cup": 1}))[0] == "failed"
    outcome, why = cancel(shop, "o-1")
    assert outcome == "failed"
    assert "comes back as a return" in why
    assert told(shop, "rejected") == []


def test_an_order_to_ship_is_shipped_and_not_handed_over(shop: Shop) -> None:
    assign(shop, "o-1", {"cup": 1}, kind="ship")
    assert change(shop, "o-1", 2, state="handed_over")[0] == "failed"
    assert change(shop, "o-1", 2, state="shipped") == ("done", "")
    assert shop.one("SELECT type, ref_type FROM movements ORDER BY seq DESC") == ("ship", "order")


def test_what_was_given_out_and_isnt_in_the_book_is_counted(shop: Shop) -> None:
    assign(shop, "o-1", {"cup": 6, "vase": 1})
    assign(shop, "o-2", {"cup": 1})
    assert change(shop, "o-1", 2, state="handed_over") == ("done", "")
    assert shop.level("cup")["sellable"] == 0
    assert [one["gone_qty"] for one in seen(shop, "o-1")["lines"]] == [5, 0]
    assert {row[0] for row in shop.all("SELECT reason FROM count_tasks")} == {
        "order W-o-1 took 1 more than the book had"
    }


def test_goods_given_out_beyond_the_reservation_are_missing_for_others(shop: Shop) -> None:
    assign(shop, "o-1", {"cup": 4})
    assign(shop, "o-2", {"cup": 2})
    assert change(shop, "o-2", 2, state="handed_over") == ("done", "")
    (broken,) = shop.events(STOCK_CLAIMS_SHORT)
    assert broken["victims"] == [{"kind": "order", "ref": "o-1", "qty": 1}]
    assert seen(shop, "o-1")["order"]["short_lines"] == 1


@pytest.mark.parametrize("how", ["cancelled", "expired"])
def test_an_order_nobody_wants_gives_its_goods_back(shop: Shop, how: str) -> None:
    assign(shop, "o-1", {"cup": 2})
    done = cancel(shop, "o-1") if how == "cancelled" else change(shop, "o-1", 2, state=how)
    assert done == ("done", "")
    assert (shop.level("cup")["reserved"], shop.level("cup")["available"]) == (0, 5)
    assert [one["state"] for one in told(shop, how)] == [how]
    if how == "expired":
        assert change(shop, "o-1", 3, state="restocked") == ("done", "")
        assert state(shop, "o-1") == "restocked"


# Whose it is -------------------------------------------------------------------------------------


def test_whose_an_order_is_is_told_to_staff_while_it_is_open_and_to_nobody_else(
    shop: Shop,
) -> None:
    assign(shop, "o-1", {"cup": 1}, note="gift")
    assert (seen(shop, "o-1")["customer_name"], seen(shop, "o-1")["note"]) == ("Ada Sommer", "gift")
    assert shop.ok("kiosk-1", "order/get", {"order_id": "o-1"})["customer_name"] == ""
    change(shop, "o-1", 2, state="handed_over")
    assert seen(shop, "o-1")["customer_name"] == ""
    for table in ("outbox", "audit", "commands", "order_steps", "orders"):
        assert not any("Ada" in str(row) for row in shop.all(f"SELECT * FROM {table}"))


def test_card_data_in_an_order_is_refused(shop: Shop) -> None:
    data = order("o-1", {"cup": 1}, note="card 4111 1111 1111 1111")
    assert tell(shop, "order.assigned", data) == ("failed", "card-data-refused")
    assert [one["why"] for one in told(shop, "rejected")] == ["card-data-refused"]


# Lists -------------------------------------------------------------------------------------------


def test_orders_are_listed_by_promise_page_after_page_those_that_ended_behind(shop: Shop) -> None:
    for n in range(7):
        assign(shop, f"o-{n}", {"cup": 1}, promised_at_ms=None if n == 3 else 1_900_000_000_000 - n)
        shop.clock.advance(1)
    for n in (1, 5):
        cancel(shop, f"o-{n}")
        shop.clock.advance(1)
    found, cursor = [], None
    while True:
        page = shop.ok("till-1", "order/list", {"which": "all", "limit": 2, "cursor": cursor})
        found += [one["order_id"] for one in page["orders"]]
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    assert found == ["o-6", "o-4", "o-2", "o-0", "o-3", "o-5", "o-1"]
    assert shop.no("till-1", "order/list", {"cursor": "x"})["code"] == "validation"
    assert shop.no("till-1", "order/get", {"order_id": "none"})["code"] == "not-found"


# After a restore ---------------------------------------------------------------------------------


def test_a_hub_that_was_put_back_takes_in_what_the_cloud_says_is_open(shop: Shop) -> None:
    assign(shop, "known", {"cup": 1})
    wanted = [
        OpenOrder.model_validate(order("lost", {"cup": 2}) | {"state": "ready"}),
        OpenOrder.model_validate(order("known", {"cup": 1}) | {"state": "accepted"}),
        OpenOrder.model_validate({"order_id": "bare", "state": "assigned"}),
        OpenOrder.model_validate(order("bad", {}) | {"state": "assigned"}),
    ]
    for new in (1, 0):
        assert shop.internal(TakeOpenOrders(tuple(wanted))) == new
    assert (state(shop, "lost"), shop.level("cup")["reserved"]) == ("ready", 3)
