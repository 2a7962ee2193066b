"""Tips: charged with the payment, no part of the sale, given back with the last of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.exposure import Caps
from hub.domain.payments.work import Hand, WorkKind
from hub.service.payments.commands import LeaseWork
from tests.support.copies import Copies, from_cloud
from tests.support.paying import CARD, rules
from tests.support.payingwork import WorkingShop
from tests.support.shop import five_cents


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[WorkingShop]:
    made = WorkingShop(tmp_path, payments=rules(tips=True, tip_max_percent=20))
    yield made
    made.check_laws()
    made.close()


def with_tip(shop: WorkingShop, tip_minor: int = 100, **changed: Any) -> Any:
    """A payment of 9.98 with a tip, captured, whose sale of two teas is written."""
    payment = shop.own(998, tip_minor=tip_minor, **changed)
    shop.report(payment, "approved", card=CARD, captured=True)
    shop.sold(payment, qty=2)
    return payment


def facts(shop: WorkingShop, payment: Any) -> dict[str, Any]:
    """What the cloud was told last of a payment."""
    sql = "SELECT data FROM outbox WHERE aggregate = ? ORDER BY id DESC LIMIT 1"
    told: dict[str, Any] = json.loads(shop.value(sql, payment["payment_id"]))
    return told


def bring_back(shop: WorkingShop, payment: Any, qty: int) -> Any:
    shop.sign_in("till-1", "mia")
    line = {"line_no": 1, "qty": qty, "disposition": "quarantine", "reason": "dented"}
    body = {"return_id": shop.id(), "sale_id": payment["sale_id"], "lines": [line]}
    return shop.ok("till-1", "return/commit", body)


def test_a_tip_is_refused_where_the_shop_takes_none(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path)
    problem = shop.no("till-1", "payment/start", shop.starting(998, tip_minor=1, terminal="own"))
    assert problem["code"] == "validation"
    assert "payments.tips" in problem["detail"]
    assert shop.own(998, tip_minor=0)["tip_minor"] == 0
    shop.close()


def test_a_tip_is_bounded_and_never_less_than_nothing(shop: WorkingShop) -> None:
    for tip_minor in (200, -1):
        body = shop.starting(998, tip_minor=tip_minor, terminal="own")
        assert shop.no("till-1", "payment/start", body)["code"] == "validation"
    assert shop.own(998, tip_minor=199)["tip_minor"] == 199


def test_the_card_is_charged_both_and_the_sale_is_paid_with_its_amount(shop: WorkingShop) -> None:
    payment = with_tip(shop)
    row = shop.row(payment)
    assert (row.amount_minor, row.tip_minor, row.in_sale) == (1098, 100, 1)
    view = shop.payment(payment)
    assert (view["amount_minor"], view["tip_minor"]) == (998, 100)
    told = facts(shop, payment)
    assert (told["amount_minor"], told["tip_minor"]) == (998, 100)


def test_a_terminal_of_the_hub_is_asked_for_both(shop: WorkingShop) -> None:
    payment = shop.start(998, tip_minor=100)
    assert shop.begin(payment).amount_minor == 1098


def test_a_stored_payment_is_presented_with_its_tip(shop: WorkingShop) -> None:
    payment = shop.stored(998, token="tok_1", tip_minor=100)
    shop.sold(payment, qty=2)
    assert shop.do(WorkKind.CHARGE, "captured", psp_ref="psp-1").amount_minor == 1098
    assert shop.row(payment).state == "captured"


def test_caps_count_the_tip(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(tips=True, caps=Caps(payment_minor=1000)))
    assert shop.own(998)["offline_allowed"] is True
    payment = shop.own(998, tip_minor=100, device="till-2")
    assert payment["offline_refused"] == ["payment-cap"]
    assert shop.exposure_minor() == 998
    shop.close()


def test_a_void_gives_the_tip_back(shop: WorkingShop) -> None:
    payment = with_tip(shop)
    shop.sign_in("till-1", "mia")
    body = {"sale_id": payment["sale_id"], "reason": "mistake"}
    (back,) = shop.ok("till-1", "sale/void", body)["refund"]
    assert (back["amount_minor"], back["tip_minor"], back["by"]) == (998, 100, "hub")
    assert shop.do(WorkKind.REFUND, "refunded").amount_minor == 1098
    assert shop.row(payment).state == "refunded"


def test_all_that_comes_back_brings_the_tip_along_at_once_or_in_parts(shop: WorkingShop) -> None:
    payment = with_tip(shop)
    (back,) = bring_back(shop, payment, 2)["refund"]
    assert (back["amount_minor"], back["tip_minor"]) == (998, 100)
    assert shop.do(WorkKind.REFUND, "refunded").amount_minor == 1098
    shop.sign_in("till-1")
    other = with_tip(shop)
    for tip_minor in (0, 100):
        (back,) = bring_back(shop, other, 1)["refund"]
        assert (back["amount_minor"], back.get("tip_minor", 0)) == (499, tip_minor)
        assert shop.do(WorkKind.REFUND, "refunded").amount_minor == 499 + tip_minor
    row = shop.row(other)
    assert (row.state, row.refunded_minor) == ("refunded", 1098)
    assert shop.work() == ()


def test_what_came_back_in_parts_until_nothing_is_left_is_owed_by_nobody(
    shop: WorkingShop,
) -> None:
    payment = shop.stored(998, token="tok_1", tip_minor=100)
    shop.sold(payment, qty=2)
    for _ in range(2):
        bring_back(shop, payment, 1)
    shop.do(WorkKind.CHARGE, "declined", code=DeclineCode.FRAUD)
    assert shop.row(payment).state == "voided"


def test_a_hub_put_back_gives_each_part_back_with_the_tip_of_the_last(
    shop: WorkingShop, tmp_path: Path
) -> None:
    copies = Copies(tmp_path)
    copy = copies.take(shop)
    payment = with_tip(shop)
    for _ in range(2):
        bring_back(shop, payment, 1)
    restored = copies.put_back(copy, shop, payments=rules(processor=True))
    restored.internal(from_cloud(shop))
    found = restored.internal(LeaseWork(Hand.PROCESSOR))
    assert [(one.kind, one.amount_minor) for one in found] == [
        (WorkKind.LOOK_UP, 499),
        (WorkKind.LOOK_UP, 599),
    ]
    restored.close()


def test_what_came_back_in_parts_while_it_is_owed_leaves_no_tip_owed(shop: WorkingShop) -> None:
    payment = shop.stored(998, token="tok_1", tip_minor=100)
    shop.sold(payment, qty=2)
    shop.do(WorkKind.CHARGE, "declined", code=DeclineCode.FRAUD)
    bring_back(shop, payment, 1)
    assert shop.payment(payment)["owed_minor"] == 599
    bring_back(shop, payment, 1)
    assert shop.row(payment).state == "voided"


def test_a_tip_stays_where_a_part_came_back_for_store_credit(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(tips=True, issuer=True), print_receipts=True)
    payment = with_tip(shop)
    shop.sign_in("till-1", "mia")
    line = {"line_no": 1, "qty": 1, "disposition": "quarantine", "reason": "dented"}
    body = {"return_id": shop.id(), "sale_id": payment["sale_id"], "lines": [line]}
    shop.ok("till-1", "return/commit", body | {"refund_to": "store-credit"})
    (back,) = bring_back(shop, payment, 1)["refund"]
    assert (back["amount_minor"], back.get("tip_minor", 0)) == (499, 0)
    shop.check_laws()
    shop.close()


def test_only_the_cash_of_a_split_sale_is_rounded_and_the_tip_is_no_part_of_it(
    tmp_path: Path,
) -> None:
    shop = WorkingShop(tmp_path, payments=rules(tips=True), cash_rounding=five_cents())
    payment = shop.own(500, tip_minor=33)
    shop.report(payment, "approved", card=CARD, captured=True)
    cash = {"kind": "cash", "amount_minor": 510}
    body = shop.selling(payment, qty=2) | {"tenders": [shop.tender(payment), cash]}
    done = shop.ok("till-1", "sale/commit", body)
    assert (done["change_minor"], done["rounding_minor"]) == (10, 2)  # 4.98 in cash: 5.00
    assert shop.row(payment).amount_minor == 533
    shop.check_laws()
    shop.close()


@pytest.mark.parametrize("tips", [True, False])
def test_a_tip_added_at_the_terminal_is_a_fact_whether_the_shop_takes_tips_or_not(
    tmp_path: Path, tips: bool
) -> None:
    shop = WorkingShop(tmp_path, payments=rules(tips=tips))
    payment = shop.own(998)
    said: dict[str, Any] = {"card": CARD | {"tip_minor": 150}, "captured": True}
    view = shop.report(payment, "approved", **said)
    assert shop.report(payment, "approved", **said) == view, "a repeat adds none"
    assert (view["amount_minor"], view["tip_minor"], view["void_asked"]) == (998, 150, False)
    shop.sold(payment, qty=2)
    assert shop.row(payment).amount_minor == 1148
    assert shop.noted("payment.tip") == int(tips)
    assert shop.noted("payment.tip_unasked") == int(not tips)
    shop.check_laws()
    shop.close()


def test_a_tip_that_the_terminal_tells_after_the_processor_is_booked_once(
    shop: WorkingShop,
) -> None:
    payment = shop.own(998, tip_minor=10)
    shop.report(payment, "unknown")
    assert shop.learn(payment, "captured", psp_ref="psp-1")
    for _ in range(2):
        shop.report(payment, "approved", card=CARD | {"tip_minor": 50})
        row = shop.row(payment)
        assert (row.state, row.amount_minor, row.tip_minor) == ("captured", 1058, 60)
    assert facts(shop, payment)["tip_minor"] == 60


def test_a_terminal_of_the_hub_is_heard_once_whoever_asked_it(shop: WorkingShop) -> None:
    payment = shop.start(998)
    shop.begin(payment)
    shop.end(payment, "unknown")
    work = shop.next(Hand.TERMINAL)
    assert shop.tell(work, "approved", tip_minor=50, surcharge_minor=7)
    shop.end(payment, "approved", tip_minor=50, surcharge_minor=7)
    shop.tell(work, "approved", tip_minor=50, surcharge_minor=7)
    row = shop.row(payment)
    assert (row.amount_minor, row.tip_minor, row.surcharge_minor) == (1055, 50, 7)


def test_a_terminal_that_stored_it_with_a_tip_and_tells_of_it_again(shop: WorkingShop) -> None:
    payment = shop.start(998)
    shop.begin(payment)
    shop.end(payment, "approved-offline", tip_minor=50)
    assert (shop.row(payment).amount_minor, shop.row(payment).tip_minor) == (1048, 50)
    shop.end(payment, "approved", tip_minor=50)
    assert (shop.row(payment).amount_minor, shop.row(payment).tip_minor) == (1048, 50)
