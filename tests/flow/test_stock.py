"""Goods in, corrections and counts, while the shop goes on selling."""

from __future__ import annotations

from typing import Any

import pytest

from hub.contract.oms_events import STOCK_COUNTED, STOCK_MOVED
from hub.service import ledger
from tests.support.shop import Shop


def receive(shop: Shop, qty: int, **changed: Any) -> dict[str, Any]:
    lines = [{"sku": "tea", "qty": qty}, {"sku": "tea", "qty": 1}, {"sku": "milk", "qty": 2}]
    return {"receipt_id": shop.id(), "reference": "D-17", "lines": lines} | changed


def test_a_delivery_is_booked_once_however_often_it_is_told(shop: Shop) -> None:
    body = receive(shop, 5)
    first = shop.ask("till-1", "stock/receive", body)
    assert [one["sellable"] for one in first.result["levels"]] == [26, 12]
    with shop.unchanged():
        again = shop.ask("till-2", "stock/receive", body)
        assert again.result == first.result
        assert again.seq >= first.seq
        other = shop.no("till-1", "stock/receive", body | {"reference": "D-18"})
        assert other["code"] == "conflict"
    event = shop.events(STOCK_MOVED)[-1]
    assert ([one["qty"] for one in event["movements"]], event["reason"]) == ([5, 1, 2], "D-17")


def test_a_delivery_of_something_unknown_is_refused_as_a_whole(shop: Shop) -> None:
    lines = [{"sku": "tea", "qty": 1}, {"sku": "nothing", "qty": 1}]
    with shop.unchanged():
        found = shop.no("till-1", "stock/receive", receive(shop, 1, lines=lines))
    assert (found["code"], found["context"]["sku"]) == ("not-found", "nothing")


def test_a_level_has_its_bound(shop: Shop) -> None:
    lines = [{"sku": "tea", "qty": 1_000_000_000}]
    with shop.unchanged():
        found = shop.no("till-1", "stock/receive", receive(shop, 1, lines=lines))
    assert found["code"] == "validation"


def adjust(shop: Shop, qty: int, **changed: Any) -> dict[str, Any]:
    body = {"adjustment_id": shop.id(), "sku": "tea", "qty": qty, "reason": "found"}
    return body | changed


def test_an_adjustment_needs_its_permission_and_stays_above_zero(shop: Shop) -> None:
    with shop.unchanged():
        assert shop.no("till-1", "stock/adjust", adjust(shop, 1))["code"] == "approval-required"
    shop.sign_in("till-1", "mia")
    with shop.unchanged():
        assert shop.no("till-1", "stock/adjust", adjust(shop, -21))["code"] == "insufficient-stock"
        assert shop.no("till-1", "stock/adjust", adjust(shop, 0))["code"] == "validation"
        found = shop.no("till-1", "stock/adjust", adjust(shop, 1, bucket="attic"))
        assert found["code"] == "validation"
        found = shop.no("till-1", "stock/adjust", adjust(shop, -1, bucket="damaged"))
        assert found["code"] == "insufficient-stock"
        assert shop.no("till-1", "stock/adjust", adjust(shop, 1, sku="no"))["code"] == "not-found"
    body = adjust(shop, -20)
    assert shop.ok("till-1", "stock/adjust", body)["levels"][0]["sellable"] == 0
    assert shop.ok("till-1", "stock/adjust", body)["levels"][0]["sellable"] == 0
    assert shop.audited("stock.adjusted")[0]["qty"] == -20


def test_an_id_of_one_kind_of_document_is_none_of_another(shop: Shop) -> None:
    shop.sign_in("till-1", "mia")
    body = receive(shop, 1)
    shop.ok("till-1", "stock/receive", body)
    found = shop.no("till-1", "stock/adjust", adjust(shop, 1, adjustment_id=body["receipt_id"]))
    assert found["code"] == "conflict"
    found = shop.no(
        "till-1", "stock/close-count", {"count_id": body["receipt_id"], "counted_qty": 1}
    )
    assert found["code"] == "not-found"


@pytest.mark.parametrize(("counted", "variance", "after"), [(20, 0, 17), (18, -2, 15), (25, 5, 22)])
def test_a_count_is_held_against_the_book_as_it_began(
    shop: Shop, counted: int, variance: int, after: int
) -> None:
    count = shop.id()
    opened = shop.ok("till-1", "stock/open-count", {"count_id": count, "sku": "tea"})
    assert "book" not in str(opened)
    shop.sell("till-2", "tea", 4, 499)
    sale = shop.sell("till-2", "tea", 2, 499)
    shop.sign_in("till-3", "mia")
    shop.ok("till-3", "sale/void", {"sale_id": sale["sale_id"], "reason": "x"})
    shop.stock_up("tea", 1)

    closed = shop.ok("till-1", "stock/close-count", {"count_id": count, "counted_qty": counted})

    assert (closed["variance_qty"], closed["level"]["sellable"]) == (variance, after)
    (line,) = shop.events(STOCK_COUNTED)[0]["lines"]
    assert (line["book_qty"], line["ledger_seq"]) == (20, opened["ledger_seq"])
    assert ledger.verify(shop.rows).whole


def test_a_count_is_opened_again_but_closed_once(shop: Shop) -> None:
    count = {"count_id": shop.id(), "sku": "tea"}
    first = shop.ok("till-1", "stock/open-count", count)
    shop.sell("till-2", "tea", 4, 499)
    assert shop.ok("till-1", "stock/open-count", count) == first
    assert shop.no("till-1", "stock/open-count", count | {"sku": "milk"})["code"] == "conflict"
    close = {"count_id": count["count_id"], "counted_qty": 19}
    shop.ok("till-1", "stock/close-count", close)
    with shop.unchanged():
        assert shop.no("till-1", "stock/close-count", close)["code"] == "conflict"


def test_a_count_that_the_shelf_can_not_pay_is_counted_again(shop: Shop) -> None:
    count = shop.id()
    shop.ok("till-1", "stock/open-count", {"count_id": count, "sku": "rare"})
    shop.sell("till-2", "rare", 1, 1000)
    with shop.unchanged():
        found = shop.no("till-1", "stock/close-count", {"count_id": count, "counted_qty": 0})
    assert found["code"] == "insufficient-stock"
    assert "count again" in found["detail"]


def test_counting_settles_the_count_that_was_asked_for(shop: Shop) -> None:
    shop.sign_in("till-1", "mia")
    rare = {"code": "rare", "qty": 2, "unit_price_minor": 1000}
    body = shop.sale(rare, total_minor=2000) | {"stock_override": {"reason": "seen"}}
    shop.ok("till-1", "sale/commit", body)
    assert shop.value("SELECT count(*) FROM count_tasks") == 1
    count = shop.id()
    shop.ok("till-1", "stock/open-count", {"count_id": count, "sku": "rare"})
    closed = shop.ok("till-1", "stock/close-count", {"count_id": count, "counted_qty": 0})
    assert (closed["variance_qty"], closed["level"]["sellable"]) == (1, 0)
    assert shop.value("SELECT count(*) FROM count_tasks") == 0


def test_something_that_never_moved_has_zeros(shop: Shop) -> None:
    shop.product("new", 100)
    assert shop.level("new")["sellable"] == 0
    assert shop.level("never-heard-of")["ledger_seq"] == 0


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE movements SET qty = qty + 1 WHERE seq = 2",
        "UPDATE movements SET hash = zeroblob(32) WHERE seq = 3",
        "DELETE FROM movements WHERE seq = 3",
        "DELETE FROM movements WHERE seq = 1",
        "UPDATE movements SET sku_id = 1 WHERE seq = 2",
        "UPDATE stock SET sellable = sellable + 1 WHERE sku_id = 1",
        "UPDATE movements SET seq = 1000 WHERE seq = (SELECT max(seq) FROM movements)",
    ],
)
def test_a_ledger_that_somebody_touched_does_not_verify(shop: Shop, damage: str) -> None:
    assert ledger.verify(shop.rows).whole
    shop.core.conn.execute("BEGIN")
    shop.core.conn.execute(damage)
    assert not ledger.verify(_Inside(shop)).whole
    shop.core.conn.execute("ROLLBACK")


class _Inside:
    """The writer's own view, with what isn't committed."""

    def __init__(self, shop: Shop) -> None:
        self._conn = shop.core.conn

    def one(self, sql: str, *params: Any) -> Any:
        return self._conn.execute(sql, params).fetchone()

    def all(self, sql: str, *params: Any) -> Any:
        return self._conn.execute(sql, params).fetchall()
