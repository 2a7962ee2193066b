"""Online orders when things go wrong: refusals, repeats, restores, and many at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.contract.oms import Command as CloudCommand
from hub.contract.oms import Hello, HelloReply
from hub.contract.oms_events import COMMAND_ENDED, EVENT_DATA, STOCK_CLAIMS_SHORT
from hub.contract.oms_orders import FULFILMENT_FACTS, OpenOrder
from hub.domain.cards import find_card_data
from hub.service.caller import CLOUD
from hub.service.handlers.cloud import ApplyCommands, FinishHello, HelloOutcome, apply_commands
from hub.service.handlers.orders import TakeOpenOrders
from hub.service.handlers.recovery import FinishRecovery, Recovered
from hub.service.notices import OutboxGrew
from tests.support.copies import Copies, from_cloud
from tests.support.ordering import lines, order, tell
from tests.support.shop import Shop


def change(shop: Shop, order_id: str, version: int, **more: Any) -> tuple[str, str]:
    return tell(shop, "order.changed", {"order_id": order_id, "version": version, **more})


def told(shop: Shop, fact: str) -> list[dict[str, Any]]:
    return shop.events(FULFILMENT_FACTS[fact])


def head(shop: Shop, order_id: str) -> dict[str, Any]:
    found: dict[str, Any] = shop.ok("till-1", "order/get", {"order_id": order_id})["order"]
    return found


@pytest.fixture
def shop(make_shop: Any) -> Shop:
    made: Shop = make_shop()
    made.product("cup", 900, stock=5)
    made.sign_in("till-1")
    return made


# Refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [{"version": 2**53}, {"version": True}, {"order_id": "W 17/3"}, {"order_id": "<o>"}],
)
def test_what_is_told_of_a_rejected_order_is_always_as_the_contract_says(
    shop: Shop, wrong: dict[str, Any]
) -> None:
    assert tell(shop, "order.assigned", order("o-1", {"cup": 1}) | wrong)[0] == "failed"
    for event in told(shop, "rejected"):
        EVENT_DATA[FULFILMENT_FACTS["rejected"]].model_validate(event)


def test_a_change_that_could_not_take_an_order_in_is_told_as_a_rejection_if_it_was_to(
    shop: Shop,
) -> None:
    assert change(shop, "o-1", 2, state="ready")[0] == "failed"
    assert told(shop, "rejected") == [], "the order itself may still come"
    whole = order("o-1", {"cup": 1}) | {"state": "shipped"}
    assert tell(shop, "order.changed", whole)[0] == "failed"
    assert [one["order_id"] for one in told(shop, "rejected")] == ["o-1"]


def test_what_follows_a_command_that_failed_halfway_is_told_at_once(shop: Shop) -> None:
    tell(shop, "order.assigned", order("o-1", {"cup": 1}, kind="ship"))
    wrong = {"order_id": "o-1", "version": 2, "lines": lines({"cup": 2}), "state": "handed_over"}
    page = [("order.changed", wrong), ("order.assigned", order("o-2", {"cup": 1}))]
    commands = tuple(
        CloudCommand(cursor="c", id=shop.id(), type=kind, data=data, issued_at_ms=1)
        for kind, data in page
    )
    shop.writer.notices.clear()
    shop.tx(lambda tx: apply_commands(shop.gate._unit(tx, CLOUD), ApplyCommands(commands, "c")))
    assert OutboxGrew("orders") in shop.writer.notices
    assert head(shop, "o-2")["state"] == "accepted"
    assert shop.level("cup")["reserved"] == 2


def test_an_order_for_an_article_whose_number_could_be_a_card_s_is_taken_in(shop: Shop) -> None:
    shop.product("30200000000067", 100, stock=3)  # a GTIN-14 that passes for a card of 14 digits
    data = order("o-1", {"30200000000067": 2})
    assert tell(shop, "order.assigned", data) == ("done", "")
    assert shop.level("30200000000067")["reserved"] == 2
    card = order("o-2", {"4111111111111111": 2})
    assert tell(shop, "order.assigned", card)[0] == "failed"
    assert not any("4111" in str(row) for row in shop.all("SELECT * FROM outbox"))


NUMBER = "302-1234567-1234565"
"""An order number of one of the large market places: its digits are those of a card, too."""


def test_an_order_whose_number_could_be_a_card_s_is_taken_in_told_and_shown(shop: Shop) -> None:
    assert find_card_data(NUMBER) is not None
    shop.product("cup", 100, stock=3)
    assert tell(shop, "order.assigned", order(NUMBER, {"cup": 2}, number=NUMBER)) == ("done", "")
    assert shop.ok("till-1", "order/get", {"order_id": NUMBER})["order"]["number"] == NUMBER
    more = {"order_id": NUMBER, "version": 2, "number": NUMBER, "state": "handed_over"}
    assert tell(shop, "order.changed", more) == ("done", "")
    assert tell(shop, "order.assigned", order(NUMBER[:-1] + "0", {}))[0] == "failed"
    told = shop.all("SELECT type FROM outbox WHERE aggregate LIKE '302-%' ORDER BY id")
    assert [kind.rsplit(".", 2)[1] for (kind,) in told] == ["accepted", "handed_over", "rejected"]


def test_a_command_that_is_named_after_such_a_number_is_carried_out_and_known(shop: Shop) -> None:
    name = f"assign-{NUMBER}"
    data = order("o-1", {"cup": 1})
    assert tell(shop, "order.assigned", data, name) == ("done", "")
    assert tell(shop, "order.assigned", data | {"version": 2}, name) == ("done", "")
    assert shop.value("SELECT version FROM orders") == 1, "it was known by its id"
    failing = order("o-2", {})
    assert tell(shop, "order.assigned", failing, f"{name}-2")[0] == "failed"
    (ended,) = shop.events(COMMAND_ENDED)
    assert ended["command_id"] == f"{name}-2"


@pytest.mark.parametrize("kind", ["order.assigned", "count.requested", "not_known.here"])
def test_a_command_that_is_named_by_a_card_s_number_leaves_it_nowhere(
    shop: Shop, kind: str
) -> None:
    for name in ("4111111111111111", "4111-1111-1111-1111"):
        tell(shop, kind, order("o-1", {"cup": 1}) | {"sku": "cup"}, name)
    for (table,) in shop.all("SELECT name FROM sqlite_schema WHERE type = 'table'"):
        assert not any("4111" in str(row) for row in shop.all(f"SELECT * FROM {table}")), table
    assert shop.audited("cloud.command_failed") == [{"type": kind, "why": "card-data-refused"}] * 2


@pytest.mark.parametrize("field", ["order_id", "number", "note"])
def test_a_card_s_number_in_an_order_is_kept_nowhere(shop: Shop, field: str) -> None:
    shop.product("cup", 100, stock=3)
    for written in ("4111-1111-1111-1111", "4111111111111111", "3782-822463-10005"):
        data = order("o-1", {"cup": 1}) | {field: written}
        assert tell(shop, "order.assigned", data)[0] == "failed"
        digits = written.split("-")[1] if "-" in written else written
        for table in ("outbox", "audit", "orders", "commands"):
            assert not any(digits in str(row) for row in shop.all(f"SELECT * FROM {table}"))


def test_what_people_type_about_an_order_is_looked_at_as_closely_as_ever(shop: Shop) -> None:
    shop.product("cup", 100, stock=3)
    for field in ("note", "customer_name"):
        data = order("o-1", {"cup": 1}) | {field: NUMBER}
        assert tell(shop, "order.assigned", data) == ("failed", "card-data-refused")


# Repeated ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["handed_over", "expired", "cancelled"])
def test_an_end_that_is_told_again_with_a_newer_version_changes_nothing(
    shop: Shop, end: str
) -> None:
    tell(shop, "order.assigned", order("o-1", {"cup": 2}))
    for version in (2, 3):
        if end == "cancelled":
            data = {"order_id": "o-1", "version": version}
            assert tell(shop, "order.cancelled", data) == ("done", "")
        else:
            assert change(shop, "o-1", version, state=end) == ("done", "")
    assert len(told(shop, end)) == 1
    assert shop.level("cup")["sellable"] == (3 if end == "handed_over" else 5)


def test_an_order_that_is_assigned_anew_without_a_promise_has_none(shop: Shop) -> None:
    tell(shop, "order.assigned", order("o-1", {"cup": 1}, promised_at_ms=5))
    assert head(shop, "o-1")["late"]
    tell(shop, "order.assigned", order("o-1", {"cup": 1}, 2))
    assert "promised_at_ms" not in head(shop, "o-1") or head(shop, "o-1")["promised_at_ms"] is None


# Whose goods -------------------------------------------------------------------------------------


def test_goods_are_taken_from_orders_that_still_have_to_be_picked_before_ready_ones(
    shop: Shop,
) -> None:
    tell(shop, "order.assigned", order("waits", {"cup": 2}))
    tell(shop, "order.assigned", order("ready", {"cup": 2}) | {"version": 1})
    change(shop, "ready", 2, state="ready")
    shop.sign_in("till-1", "mia")
    cup = {"code": "cup", "qty": 3, "unit_price_minor": 900}
    sale = shop.sale(cup, total_minor=2700) | {"stock_override": {"reason": "in their hands"}}
    shop.ok("till-1", "sale/commit", sale)
    (broken,) = shop.events(STOCK_CLAIMS_SHORT)
    assert broken["victims"] == [{"kind": "order", "ref": "waits", "qty": 2}]


# Many at once ------------------------------------------------------------------------------------


def test_a_sale_that_breaks_many_orders_leaves_most_of_them_to_housekeeping(shop: Shop) -> None:
    shop.stock_up("cup", 95)
    for n in range(100):
        tell(shop, "order.assigned", order(f"o-{n}", {"cup": 1}))
    shop.sign_in("till-1", "mia")
    cup = {"code": "cup", "qty": 100, "unit_price_minor": 900}
    sale = shop.sale(cup, total_minor=90_000) | {"stock_override": {"reason": "all of them"}}
    shop.ok("till-1", "sale/commit", sale)
    assert shop.level("cup")["reserved"] == 100 - 37
    while shop.housekeep():
        pass
    assert shop.level("cup")["reserved"] == 0
    assert sum(one["short_qty"] for one in shop.events(STOCK_CLAIMS_SHORT)) == 100


def test_what_comes_or_goes_for_many_orders_is_shared_out_in_small_bites(shop: Shop) -> None:
    goods = {f"sku-{n}": 1 for n in range(150)}
    for sku in goods:
        shop.product(sku, 100)
    for n in range(8):
        tell(shop, "order.assigned", order(f"o-{n}", goods))
    for sku in ("sku-0", "sku-1"):
        shop.stock_up(sku, 8)
    assert shop.housekeep() == 3
    while shop.housekeep():
        pass
    assert (shop.level("sku-0")["reserved"], shop.level("sku-1")["reserved"]) == (8, 8)

    shop.sign_in("till-1", "mia")
    for sku in ("sku-0", "sku-1"):
        lost = {"adjustment_id": shop.id(), "sku": sku, "qty": -8, "reason": "broken"}
        shop.ok("till-1", "stock/adjust", lost)
    shop.housekeep()
    assert shop.level("sku-0")["reserved"] + shop.level("sku-1")["reserved"] == 16 - 3
    while shop.housekeep():
        pass
    assert (shop.level("sku-0")["reserved"], shop.level("sku-1")["reserved"]) == (0, 0)
    broken = shop.events(STOCK_CLAIMS_SHORT)
    assert sum(one["short_qty"] for one in broken) == 16


# Put back ----------------------------------------------------------------------------------------


def test_an_order_whose_goods_left_before_a_restore_is_not_said_to_be_short(
    tmp_path: Path, shop: Shop
) -> None:
    copies = Copies(tmp_path)
    tell(shop, "order.assigned", order("o-1", {"cup": 3}))
    tell(shop, "order.assigned", order("nobody", {"cup": 1}))
    copy = copies.take(shop)
    tell(shop, "order.assigned", order("unknown", {"cup": 1}))
    for order_id in ("o-1", "unknown"):
        assert change(shop, order_id, 2, state="handed_over") == ("done", "")
    tell(shop, "order.cancelled", {"order_id": "nobody", "version": 2})
    box = copies.put_back(copy, shop)
    box.internal(from_cloud(shop))
    box.housekeep()
    assert told(box, "short") == []
    box.internal(FinishRecovery({}, Recovered()))
    box.housekeep()
    assert told(box, "short") == []
    tell(box, "order.assigned", order("unknown", {"cup": 1}))
    for order_id, end in (("o-1", "handed_over"), ("unknown", "handed_over")):
        assert change(box, order_id, 2, state=end)[0] == "done"
        assert head(box, order_id)["state"] == end
    assert head(box, "nobody")["state"] == "cancelled"
    assert (box.level("cup")["sellable"], box.level("cup")["reserved"]) == (1, 0)
    box.check_laws()
    box.close()


def test_a_hub_that_begins_anew_waits_for_the_orders_that_are_open(shop: Shop) -> None:
    def outcome(reason: Any, open_orders: tuple[OpenOrder, ...]) -> HelloOutcome:
        hello = Hello(
            hub_id="h",
            nonce="n" * 16,
            machine_id_hash="a" * 64,
            incarnation=0,
            fork="",
            last_seqs={},
            reason=reason,
        )
        reply = HelloReply.model_validate(
            {
                "incarnation": 1,
                "epoch": 1,
                "oms_incarnation": "o",
                "session_token": "t",
                "cursors": {"commands": "7"},
                "acked": {},
                "open_orders": open_orders,
                "server_time_ms": 1,
                "oldest_contract": 1,
                "nonce": "n" * 16,
            }
        )
        made: HelloOutcome = shop.internal(FinishHello(hello, reply))
        return made

    one = OpenOrder.model_validate(order("o-1", {"cup": 1}) | {"state": "assigned"})
    assert not outcome("new", ()).recovering
    assert not outcome("start", (one,)).recovering
    assert outcome("new", (one,)).recovering


@pytest.mark.parametrize("field", ["promised_at_ms", "placed_at_ms"])
@pytest.mark.parametrize("at_ms", [10**17, 10**30])
def test_an_order_for_an_instant_that_nobody_lives_to_see_holds_up_no_other(
    shop: Shop, field: str, at_ms: int
) -> None:
    assert tell(shop, "order.assigned", order("o-1", {"cup": 1}, **{field: at_ms}))[0] == "failed"
    wrong = OpenOrder.model_validate(order("o-1", {"cup": 1}) | {"state": "ready", field: at_ms})
    assert shop.internal(TakeOpenOrders((wrong,))) == 0
    assert [one["order_id"] for one in told(shop, "rejected")] == ["o-1"]
