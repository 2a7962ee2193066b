"""The cash drawer: opened by a sale with cash, or without one by whoever may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.contract.oms_events import CASH_MOVED
from hub.contract.printing import OpenDrawer
from hub.service.caller import Caller, CallerKind
from hub.service.handlers.printing import BeginPrint, EndPrint, RecoverPrinting
from hub.service.receipts import KICK_TTL_MS, KICKS_MAX
from tests.support.gatebench import now
from tests.support.shop import CASHIER, MANAGER, Shop

WITH_DRAWERS = {"till-1", "till-2"}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path, has_drawer=WITH_DRAWERS.__contains__)
    made.staff({"cashier": CASHIER, "manager": MANAGER | {"drawer.no_sale": None}})
    made.product("tea", 499, stock=100)
    made.sign_in("till-1")
    made.sign_in("till-2", "mia")
    yield made
    made.check_laws()
    made.close()


def kicks(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.all(
        "SELECT device_id, state, title FROM print_jobs WHERE kind = 'drawer-kick' ORDER BY id"
    )


def test_a_sale_with_cash_opens_the_drawer_of_its_till(shop: Shop) -> None:
    shop.sell("till-1", "tea", 1, 499)
    assert kicks(shop) == [("till-1", "queued", "sale")]


def test_a_sale_by_card_and_a_till_without_a_drawer_open_none(shop: Shop) -> None:
    line = {"code": "tea", "qty": 1, "unit_price_minor": 499}
    shop.ok("till-1", "sale/commit", shop.sale(line, total_minor=499, tenders=[shop.card(499)]))
    shop.sign_in("till-3", "ben")
    shop.sell("till-3", "tea", 1, 499)
    assert kicks(shop) == []


def test_cash_that_is_given_back_opens_the_drawer(shop: Shop) -> None:
    sold = shop.sell("till-1", "tea", 1, 499)
    back = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "unwanted"}
    body = {"return_id": shop.id(), "sale_id": sold["sale_id"], "lines": [back]}
    shop.ok("till-1", "return/commit", body)
    other = shop.sell("till-2", "tea", 1, 499)
    shop.ok("till-2", "sale/void", {"sale_id": other["sale_id"], "reason": "mistake"})
    assert [title for _, _, title in kicks(shop)] == ["sale", "return", "sale", "void"]


def test_opening_without_a_sale_is_counted_written_down_and_told(shop: Shop) -> None:
    first = shop.ok("till-2", "drawer/open", {"reason": "change for a customer"})
    again = shop.ok("till-2", "drawer/open", {"reason": "coins"})
    assert (first["no_sales_today"], again["no_sales_today"]) == (1, 2)
    assert [one["reason"] for one in shop.audited("drawer.no_sale")] == [
        "change for a customer",
        "coins",
    ]
    told = shop.events(CASH_MOVED)
    assert [(one["kind"], one["count"], one["staff_id"]) for one in told] == [
        ("no_sale", 1, "mia"),
        ("no_sale", 2, "mia"),
    ]
    shop.clock.advance(86_400)
    shop.sign_in("till-2", "mia")
    assert shop.ok("till-2", "drawer/open", {"reason": "coins"})["no_sales_today"] == 1


def test_a_repeat_opens_it_once(shop: Shop) -> None:
    key, body = shop.id(), {"reason": "coins"}
    first = shop.ask("till-2", "drawer/open", body, key=key)
    assert shop.ask("till-2", "drawer/open", body, key=key).text == first.text
    assert len(kicks(shop)) == 1
    assert len(shop.events(CASH_MOVED)) == 1


def test_a_manager_opens_it_from_the_page_by_name(shop: Shop) -> None:
    caller = Caller(CallerKind.WEB, "page", "mia")
    command = OpenDrawer(reason="coins", device_id="till-1")
    done = now(shop.gate.run(caller, command))
    assert done.no_sales_today == 1
    assert kicks(shop) == [("till-1", "queued", "no-sale")]
    (told,) = shop.events(CASH_MOVED)
    assert (told["device_id"], told["staff_id"]) == ("till-1", "mia")


def test_who_may_not_asks_somebody_who_may(shop: Shop) -> None:
    with shop.unchanged():
        problem = shop.no("till-1", "drawer/open", {"reason": "coins"})
    assert problem["code"] == "approval-required"
    approval = shop.approve("drawer.no_sale", {})
    shop.ok("till-1", "drawer/open", {"reason": "coins", "approval_id": approval})
    assert shop.audited("drawer.no_sale")[0]["approved_by"] == "mia"


def test_a_till_without_a_drawer_is_told_so(shop: Shop) -> None:
    shop.sign_in("till-3", "mia")
    with shop.unchanged():
        problem = shop.no("till-3", "drawer/open", {"reason": "coins"})
    assert (problem["code"], "technician" in problem["detail"]) == ("conflict", True)


def test_a_drawer_that_was_late_or_under_way_at_a_death_stays_closed(shop: Shop) -> None:
    late = shop.ok("till-2", "drawer/open", {"reason": "coins"})["job_id"]
    shop.clock.advance(KICK_TTL_MS / 1000)
    shop.housekeep()
    under_way = shop.ok("till-2", "drawer/open", {"reason": "coins"})["job_id"]
    shop.internal(BeginPrint(under_way, "counter"))
    shop.internal(RecoverPrinting())
    unknown = shop.ok("till-2", "drawer/open", {"reason": "coins"})["job_id"]
    begun = shop.internal(BeginPrint(unknown, "counter"))
    shop.internal(EndPrint(unknown, begun.attempt, "unknown", "the line broke"))
    assert [state for _, state, _ in kicks(shop)] == ["expired"] * 3
    for job in (late, under_way, unknown):
        assert shop.internal(BeginPrint(job, "counter")) is None


def test_drawers_that_never_open_hold_up_no_sale(shop: Shop) -> None:
    for _ in range(KICKS_MAX + 3):
        shop.sell("till-1", "tea", 1, 499)
    assert len(kicks(shop)) == KICKS_MAX
    assert shop.no("till-2", "drawer/open", {"reason": "coins"})["code"] == "conflict"
