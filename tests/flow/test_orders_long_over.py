"""Orders that ended long ago are forgotten, and never taken in again by a late word."""

from __future__ import annotations

from typing import Any

import pytest

from hub.contract.oms_orders import FULFILMENT_FACTS, OpenOrder
from hub.service.handlers.orders import TakeOpenOrders
from hub.storage import hubrow, orderpurge
from tests.support.ordering import order, tell
from tests.support.shop import Shop

DAY_S = 86_400
ENDS = ("handed_over", "expired", "cancelled")


@pytest.fixture
def shop(make_shop: Any) -> Shop:
    made: Shop = make_shop()
    made.product("cup", 900, stock=50)
    made.sign_in("till-1")
    return made


def end(shop: Shop, order_id: str, how: str, version: int = 2) -> tuple[str, str]:
    if how == "cancelled":
        return tell(shop, "order.cancelled", {"order_id": order_id, "version": version})
    return tell(shop, "order.changed", {"order_id": order_id, "version": version, "state": how})


def have(shop: Shop) -> set[str]:
    return {row[0] for row in shop.all("SELECT order_id FROM orders")}


def ack(shop: Shop) -> None:
    shop.run("UPDATE streams SET acked_seq = head_seq")


def trade(shop: Shop) -> None:
    """One order for each way to end, one that stays open, and the newest."""
    for how in ENDS:
        assert tell(shop, "order.assigned", order(how, {"cup": 2})) == ("done", "")
        assert end(shop, how, how) == ("done", "")
    for name in ("open", "newest"):
        tell(shop, "order.assigned", order(name, {"cup": 1}))
    end(shop, "newest", "expired")


def pass_time(shop: Shop, days: int) -> None:
    shop.clock.advance(days * DAY_S)
    shop.housekeep()


def test_orders_that_ended_long_ago_are_forgotten_once_the_cloud_has_their_end(shop: Shop) -> None:
    trade(shop)
    for days in (399, 2):
        pass_time(shop, days)
        assert have(shop) == {*ENDS, "open", "newest"}  # then the cloud doesn't know yet
    ack(shop)
    shop.housekeep()
    assert have(shop) == {"open", "newest"}
    kept = shop.all("SELECT order_no FROM order_lines UNION ALL SELECT order_no FROM order_steps")
    assert {number for (number,) in kept} == {4, 5}
    assert shop.no("till-1", "order/get", {"order_id": "expired"})["code"] == "not-found"
    shop.sign_in("till-1")
    assert shop.level("cup") | {"sellable": 48, "reserved": 1} == shop.level("cup")
    tell(shop, "order.assigned", order("next", {"cup": 2}))
    assert end(shop, "next", "handed_over")[0] == "done"  # its movements are its own
    shop.check_laws()


@pytest.mark.parametrize("how", ENDS)
def test_a_late_word_of_a_forgotten_order_takes_nothing_in(shop: Shop, how: str) -> None:
    trade(shop)
    ack(shop)
    pass_time(shop, 401)
    whole = order(how, {"cup": 2})
    before = shop.value("SELECT count(*) FROM outbox WHERE stream = 'orders'")
    for kind, version in (("order.assigned", 1), ("order.changed", 1), ("order.changed", 2)):
        said = tell(shop, kind, whole | {"version": version})
        assert said == ("done", "version 2 is known already")
    assert end(shop, how, how, 3) == ("done", "")  # the same end, by a newer version
    for kind in ("order.assigned", "order.changed"):
        outcome, why = tell(shop, kind, whole | {"version": 9})
        assert (outcome, how in why) == ("failed", True)
    other = ENDS[ENDS.index(how) - 1]
    assert end(shop, how, other, 9)[0] == "failed"
    assert end(shop, how, other, 3)[0] == "done"
    for version in (3, 9):
        fields = whole | {"version": version, "state": "accepted"}
        assert shop.internal(TakeOpenOrders((OpenOrder.model_validate(fields),))) == 0
    assert have(shop) == {"open", "newest"}
    assert shop.value("SELECT count(*) FROM outbox WHERE stream = 'orders'") == before
    assert shop.events(FULFILMENT_FACTS["rejected"]) == []
    assert orderpurge.find(shop.rows, how) == (3, how)
    shop.check_laws()


def test_what_happened_to_an_order_lately_or_waits_aside_keeps_it(shop: Shop) -> None:
    trade(shop)
    ack(shop)
    shop.clock.advance(399 * DAY_S)
    assert end(shop, "expired", "expired", 3) == ("done", "")
    tell(shop, "order.changed", {"order_id": "expired", "version": 4, "state": "restocked"})
    ack(shop)
    shop.run(
        "INSERT INTO parked (outbox_id, source, stream, seq, event_id, type, aggregate, at_ms,"
        " data, reason, parked_at_ms) SELECT id, source, stream, seq, event_id, type, aggregate,"
        " at_ms, data, 'x', 1 FROM outbox WHERE aggregate = 'cancelled'"
    )
    pass_time(shop, 2)
    assert have(shop) == {"expired", "cancelled", "open", "newest"}


def test_no_order_is_forgotten_while_the_hub_is_put_back(shop: Shop) -> None:
    trade(shop)
    ack(shop)
    shop.tx(lambda tx: hubrow.set_fence(tx, "restored"))
    pass_time(shop, 401)
    assert len(have(shop)) == 5


def test_many_orders_are_forgotten_in_small_bites(shop: Shop) -> None:
    for n in range(120):
        tell(shop, "order.assigned", order(f"o-{n}", {f"sku-{line}": 1 for line in range(9)}))
        end(shop, f"o-{n}", "cancelled")
    ack(shop)
    shop.clock.advance(401 * DAY_S)
    left = [len(have(shop))]
    while left[-1] > 1:
        shop.housekeep()
        left.append(len(have(shop)))
        assert 0 < left[-2] - left[-1] <= orderpurge.AT_ONCE
    assert len(left) > 3
