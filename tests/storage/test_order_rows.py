"""Rows of orders: their steps stay bounded, and open ones are counted up to what is asked."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hub.storage import orderrows
from tests.support.ordering import order, tell
from tests.support.shop import Shop


def test_of_many_steps_the_first_and_the_last_are_kept(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.product("tea", 499, stock=5)
    tell(shop, "order.assigned", order("o-1", {"tea": 1}))
    number = int(shop.value("SELECT id FROM orders"))
    for n in range(2 * orderrows.STEPS_KEPT):
        shop.tx(partial(orderrows.add_step, order_no=number, what="changed", detail=str(n)))
    steps = orderrows.steps(shop.rows, number)
    assert len(steps) == orderrows.STEPS_KEPT
    assert (steps[0].what, steps[-1].detail) == ("accepted", str(2 * orderrows.STEPS_KEPT - 1))
    assert [one.n for one in steps[1:]] == list(range(steps[1].n, steps[-1].n + 1))
    shop.close()


def test_open_orders_are_counted_no_further_than_asked(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for n in range(4):
        tell(shop, "order.assigned", order(f"o-{n}", {"tea": 1}))
    tell(shop, "order.cancelled", {"order_id": "o-0", "version": 2})
    assert [orderrows.open_count(shop.rows, most) for most in (2, 3, 9)] == [2, 3, 3]
    sums = orderrows.sums(shop.rows, shop.clock.wall_ms())
    assert (sums.open, sums.short, sums.late) == (3, 3, 0)
    shop.close()
