"""Gift cards in hubs that were put back from older copies, and what they are told again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.domain.payments.work import Hand, WorkKind
from hub.service.handlers.recovery import RecoverEvents
from tests.support.copies import Copies, Till, from_cloud
from tests.support.valuing import ValueShop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ValueShop]:
    made = ValueShop(tmp_path)
    yield made
    made.check_laws()
    made.close()


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[Copies]:
    made = Copies(tmp_path)
    yield made
    for one in made.made:
        one.check_laws()
        one.close()


def state_of(shop: Any, payment: Any) -> str:
    return str(shop.value("SELECT state FROM payments WHERE payment_id = ?", payment["payment_id"]))


def test_what_the_cloud_tells_again_of_an_allotments_payment_may_have_been_taken(
    shop: ValueShop, copies: Copies
) -> None:
    shop.allot(1000)
    copy = copies.take(shop)
    shop.line = False
    payment = shop.gift()
    shop.sold(payment)
    shop.next(Hand.ISSUER)  # and the box is lost before its answer
    shop.sign_in("till-1", "mia")
    restored = copies.put_back(copy, shop, payments=shop.rules.payments)
    restored.internal(from_cloud(shop))
    assert state_of(restored, payment) == "authorised"
    restored.run("UPDATE hub SET fence = '', epoch = 2")
    restored.sign_in("till-1", "mia")
    void = {"sale_id": payment["sale_id"], "reason": "mistake"}
    restored.ok("till-1", "sale/void", void)
    assert state_of(restored, payment) == "authorised", "the issuer is asked first"


def test_a_hold_that_was_told_declined_is_owed_in_a_restored_hub(
    shop: ValueShop, copies: Copies
) -> None:
    copy = copies.take(shop)
    payment = shop.held()
    shop.sold(payment)
    shop.issuer_says(WorkKind.CAPTURE, "declined", word="expired")
    restored = copies.put_back(copy, shop, payments=shop.rules.payments)
    restored.internal(from_cloud(shop))
    assert state_of(restored, payment) == "recovery"


def credit_told(shop: Any) -> list[dict[str, Any]]:
    found = shop.all("SELECT data FROM outbox WHERE type LIKE '%gift_card.issued%'")
    return [json.loads(data) for (data,) in found]


@pytest.mark.parametrize("cloud_knows", [False, True])
def test_a_credit_that_is_on_paper_is_told_again_with_its_return(
    shop: ValueShop, copies: Copies, *, cloud_knows: bool
) -> None:
    line = {"code": "tea", "qty": 1, "unit_price_minor": 499}
    sale = shop.ok("till-1", "sale/commit", shop.sale(line, total_minor=499))
    copy = copies.take(shop)
    back = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "unused"}
    body = {"return_id": shop.id(), "sale_id": sale["sale_id"], "lines": [back]}
    till = Till(shop)
    first = till.ask("return/commit", body | {"refund_to": "store-credit"})
    (issued,) = credit_told(shop)
    assert till.offer(shop).body["record"] == first.body["record"]
    restored = copies.put_back(copy, shop, payments=shop.rules.payments)
    if cloud_knows:
        told = from_cloud(shop)
        kept = [n for n, one in enumerate(told.events) if "gift_card" not in one.type]
        restored.internal(
            RecoverEvents(
                tuple(told.events[n] for n in kept), tuple(told.times_ms[n] for n in kept)
            )
        )
        assert credit_told(restored) == []
    assert till.offer(restored).ok
    assert credit_told(restored) == [issued | {"epoch": 0}]
