"""Who may sell, give discounts and change prices, and what an approval lends to whom."""

from __future__ import annotations

from typing import Any

import pytest

from hub.contract.oms_events import SALE_COMPLETED
from tests.support.shop import Shop

TEA = {"code": "tea", "qty": 1, "unit_price_minor": 499}
WHY = {"reason": "regular"}


def test_a_till_with_nobody_signed_in_sells_nothing_but_a_kiosk_does(shop: Shop) -> None:
    with shop.unchanged():
        found = shop.no("till-3", "sale/commit", shop.sale(TEA, total_minor=499))
    assert found["code"] == "unauthenticated"
    assert shop.ok("kiosk-1", "sale/commit", shop.sale(TEA, total_minor=499))
    assert shop.events(SALE_COMPLETED)[0]["staff_id"] is None
    off = TEA | WHY | {"discount_minor": 1}
    found = shop.no("kiosk-1", "sale/commit", shop.sale(off, total_minor=498))
    assert found["code"] == "approval-required"


def test_a_revoked_kiosk_sells_nothing(shop: Shop) -> None:
    shop.run("UPDATE devices SET status = 'revoked' WHERE device_id = 'kiosk-1'")
    found = shop.no("kiosk-1", "sale/commit", shop.sale(TEA, total_minor=499))
    assert found["code"] == "unauthenticated"


def test_who_was_taken_off_the_staff_sells_nothing_from_then_on(shop: Shop) -> None:
    shop.run("UPDATE staff SET active = 0 WHERE staff_id = 'anna'")
    found = shop.no("till-1", "sale/commit", shop.sale(TEA, total_minor=499))
    assert found["code"] == "unauthenticated"


@pytest.mark.parametrize(
    ("line", "total", "code"),
    [
        ({"discount_minor": 99}, 400, "ok"),
        ({"discount_minor": 100}, 399, "approval-required"),  # more than 20 %
        ({"override_price_minor": 199}, 199, "ok"),
        ({"override_price_minor": 198}, 198, "approval-required"),  # more than 3.00
        ({"override_price_minor": 800}, 800, "approval-required"),
        ({"override_price_minor": 499}, 499, "ok"),
        ({"discount_minor": 500}, 0, "validation"),
    ],
)
def test_discounts_and_prices_have_their_maxima(
    shop: Shop, line: dict[str, Any], total: int, code: str
) -> None:
    body = shop.sale(TEA | WHY | line, total_minor=total)
    assert shop.ask("till-1", "sale/commit", body).code == code
    if code == "ok":
        (entry,) = shop.audited("sale.deviations")
        assert entry["lines"][0]["reason"] == "regular"


def test_an_approval_is_spent_once_and_for_its_subject_only(shop: Shop) -> None:
    sale_id = shop.id()
    subject = {"sale_id": sale_id, "line_no": 1, "sku": "tea", "amount_minor": 300}
    approval = shop.approve("sale.discount", subject)
    off = TEA | WHY | {"discount_minor": 300, "approval_id": approval}

    def sell(device: str = "till-1", line: Any = off, **changed: Any) -> str:
        total = sum(499 * one["qty"] - one["discount_minor"] for one in [line])
        body = shop.sale(line, total_minor=total, sale_id=sale_id) | changed
        return shop.ask(device, "sale/commit", body).code

    with shop.unchanged():
        assert sell(sale_id=shop.id()) == "conflict"  # another sale
        assert sell("till-2") == "not-found"  # another till
        assert sell(line=off | {"discount_minor": 301}) == "conflict"  # more
        assert sell(line=off | {"approval_id": shop.id()}) == "not-found"
        assert sell(total_minor=1) == "price-changed"  # refused later on: the approval is kept
        assert sell(line=off | {"qty": 99}) == "insufficient-stock"
    assert sell() == "ok"
    assert shop.audited("sale.deviations")[0]["lines"][0]["approved_by"] == "mia"
    assert shop.value("SELECT state FROM approvals") == "used"
    sale_id = shop.id()
    assert sell() == "conflict"


def test_one_approval_lends_all_the_permissions_that_a_line_needs(shop: Shop) -> None:
    sale_id = shop.id()
    subject = {"sale_id": sale_id, "line_no": 1, "sku": "tea", "amount_minor": 400}
    both = TEA | WHY | {"override_price_minor": 100, "discount_minor": 90}

    def sell(approval_id: str | None) -> Any:
        line = both | {"approval_id": approval_id}
        return shop.ask("till-1", "sale/commit", shop.sale(line, total_minor=10, sale_id=sale_id))

    assert sell(None).problem["approval"] == {"permission": "price.override", "amount_minor": 399}
    price_only = shop.approve("price.override", subject)
    with shop.unchanged():
        found = sell(price_only).problem
        assert found["code"] == "approval-required"
        assert found["approval"] == {"permission": "sale.discount", "amount_minor": 90}
        assert "also" in found["detail"]
    too_little = shop.approve("price.override", subject | {"amount_minor": 398}, "sale.discount")
    with shop.unchanged():
        assert sell(too_little).code == "conflict"
    approval = shop.approve("price.override", subject, "sale.discount")
    assert sell(approval).code == "ok"
    assert shop.audited("sale.deviations")[0]["lines"][0]["approved_by"] == "mia"
    assert shop.value("SELECT state FROM approvals WHERE approval_id = ?", approval) == "used"
    sale_id = shop.id()
    assert sell(approval).code == "conflict", "it was spent as a whole"


def test_an_approval_ends_with_its_time_and_with_its_giver(shop: Shop) -> None:
    sale_id = shop.id()
    subject = {"sale_id": sale_id, "line_no": 1, "sku": "tea", "amount_minor": 300}
    approval = shop.approve("sale.discount", subject)
    off = TEA | WHY | {"discount_minor": 300, "approval_id": approval}
    body = shop.sale(off, total_minor=199, sale_id=sale_id)

    shop.run("UPDATE staff SET active = 0 WHERE staff_id = 'mia'")
    assert shop.no("till-1", "sale/commit", body)["code"] == "conflict"
    shop.run("UPDATE staff SET active = 1 WHERE staff_id = 'mia'")
    shop.clock.advance(600)
    assert shop.no("till-1", "sale/commit", body)["code"] == "conflict"
