"""A hub that was put back from an older copy is told again, by records, what it had answered."""

from __future__ import annotations

import pytest

from hub.contract.envelope import MAX_RECORD_CHARS
from tests.support import laws
from tests.support.copies import TEA, Copies, Till, facts_of, from_cloud, told_events
from tests.support.shop import Shop

# What is told again ------------------------------------------------------------------------------


def test_a_sale_comes_back_as_it_was_though_nobody_is_signed_in(shop: Shop, copies: Copies) -> None:
    shop.run("DELETE FROM sign_ins")
    copy = copies.take(shop)
    shop.sign_in("till-1")
    till = Till(shop)
    first = till.sell(tenders=[shop.card(998) | {"token": "tok_abc"}], note="for Ms Blue")
    shop.clock.advance(600)
    restored = copies.put_back(copy, shop)

    again = till.offer(restored)

    assert again.result == first.result, "the number on the receipt, too"
    assert facts_of(restored) == facts_of(shop)
    assert told_events(restored) == told_events(shop)
    assert again.seq == restored.value("SELECT max(id) FROM outbox")
    assert restored.audited("request.told_again") == [{"operation": "sale/commit"}]
    assert restored.value("SELECT count(*) FROM print_jobs") == 0
    assert till.offer(restored).text == again.text, "and the key is known from now on"


def test_every_kind_of_change_comes_back_as_it_was(shop: Shop, copies: Copies) -> None:
    copy = copies.take(shop)
    till = Till(shop)
    shop.sign_in("till-1", "mia")
    basket = shop.basket("till-1", "tea", "milk")
    till.ask("sale/commit", shop.pay(basket))
    kept = till.sell().result["sale_id"]
    voided = till.sell().result["sale_id"]
    till.ask("sale/void", {"sale_id": voided, "reason": "changed their mind"})
    back = {"line_no": 1, "qty": 1, "disposition": "quarantine", "reason": "dented"}
    till.ask("return/commit", {"return_id": shop.id(), "sale_id": kept, "lines": [back]})
    lines = [{"sku": "tea", "qty": 7}]
    till.ask("stock/receive", {"receipt_id": shop.id(), "reference": "D-1", "lines": lines})
    adjustment = {"adjustment_id": shop.id(), "sku": "milk", "qty": -1, "reason": "spilt"}
    till.ask("stock/adjust", adjustment)
    count = shop.id()
    shop.ok("till-1", "stock/open-count", {"count_id": count, "sku": "tea"})
    till.ask("stock/close-count", {"count_id": count, "counted_qty": 20})
    over = {"code": "milk", "qty": 30, "unit_price_minor": 129}
    override = {"reason": "the shelf says otherwise"}
    till.sell(over, total_minor=3870, stock_override=override)
    restored = copies.put_back(copy, shop)
    restored.run("DELETE FROM sign_ins")

    for nth in range(len(till.kept)):
        assert till.offer(restored, nth).ok

    assert facts_of(restored) == facts_of(shop)
    assert [row[0] for row in told_events(restored)] == [row[0] for row in told_events(shop)]


def test_a_basket_that_the_copy_still_has_is_closed_with_its_sale(
    shop: Shop, copies: Copies
) -> None:
    basket = shop.basket("till-1", "tea")
    copy = copies.take(shop)
    till = Till(shop)
    till.ask("sale/commit", shop.pay(basket))
    restored = copies.put_back(copy, shop)
    assert restored.level("tea")["held"] == 1
    till.offer(restored)
    assert restored.level("tea")["held"] == 0
    head = {"basket_id": basket["basket_id"], "version": basket["version"]}
    assert restored.no("till-1", "basket/add-line", head | {"code": "tea"})["code"] == "conflict"
    assert facts_of(restored) == facts_of(shop)


def test_a_return_waits_for_the_sale_that_another_till_has_to_tell(
    shop: Shop, copies: Copies
) -> None:
    copy = copies.take(shop)
    front, back = Till(shop, "till-1"), Till(shop, "till-2")
    sale_id = front.sell().result["sale_id"]
    line = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "too much"}
    back.ask("return/commit", {"return_id": shop.id(), "sale_id": sale_id, "lines": [line]})
    restored = copies.put_back(copy, shop)

    with restored.unchanged():
        early = back.offer(restored).problem
    assert (early["code"], early["retryable"]) == ("busy", True)
    assert early["retry_after_ms"] > 0
    assert early["context"] == {"waits_for": sale_id}
    assert front.offer(restored).ok
    assert back.offer(restored).ok
    assert facts_of(restored) == facts_of(shop)


def test_the_largest_sale_comes_back(shop: Shop, copies: Copies) -> None:
    shop.product("clip", 3, stock=1000)
    copy = copies.take(shop)
    till = Till(shop)
    lines = [{"code": "clip", "qty": 1, "unit_price_minor": 3}] * 500
    till.sell(*lines, total_minor=1500)
    assert len(till.kept[0][3] or "") < MAX_RECORD_CHARS
    restored = copies.put_back(copy, shop)
    restored.run("DELETE FROM sign_ins")
    assert till.offer(restored).ok
    assert facts_of(restored) == facts_of(shop)


def test_a_device_without_properties_has_the_record_in_the_body(shop: Shop, copies: Copies) -> None:
    copy = copies.take(shop)
    till = Till(shop)
    first = till.sell()
    restored = copies.put_back(copy, shop)
    restored.run("DELETE FROM sign_ins")
    address, body, key, record = till.kept[0]
    again = restored.ask(
        "till-1", address, body | {"record": record, "idempotency_key": key}, key=None
    )
    assert again.result == first.result


# Once --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cloud_first", [True, False])
def test_what_the_cloud_tells_too_is_taken_in_once(
    shop: Shop, copies: Copies, cloud_first: bool
) -> None:
    copy = copies.take(shop)
    till = Till(shop)
    shop.sign_in("till-1", "mia")
    sale_id = till.sell().result["sale_id"]
    till.sell(total_minor=998)
    line = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "too much"}
    till.ask("return/commit", {"return_id": shop.id(), "sale_id": sale_id, "lines": [line]})
    lines = [{"sku": "tea", "qty": 7}]
    till.ask("stock/receive", {"receipt_id": shop.id(), "reference": "D-1", "lines": lines})
    count = shop.id()
    shop.ok("till-1", "stock/open-count", {"count_id": count, "sku": "tea"})
    till.ask("stock/close-count", {"count_id": count, "counted_qty": 20})
    restored = copies.put_back(copy, shop)
    answers = []
    for step in (0, 1):
        if (step == 0) is cloud_first:
            assert restored.internal(from_cloud(shop)).failed == 0
        else:
            answers = [till.offer(restored, nth) for nth in range(len(till.kept))]
    assert all(answer.ok and answer.seq > 0 for answer in answers)
    there, here = facts_of(shop), facts_of(restored)
    for name in ("sales", "returned", "stock", "days", "events"):
        assert here[name] == there[name]
    assert len(here["returns"]) == len(there["returns"])
    assert answers[0].result == shop.ok("till-1", "sale/commit", till.kept[0][1])


def test_a_hub_restored_twice_is_told_twice(shop: Shop, copies: Copies) -> None:
    copy = copies.take(shop)
    till = Till(shop)
    first = till.sell()
    once = copies.put_back(copy, shop)
    once.run("DELETE FROM sign_ins")
    again = till.offer(once)
    address, body, key, _ = till.kept[0]
    till.kept[0] = (address, body, key, again.body["record"])
    twice = copies.put_back(copy, shop)
    twice.run("DELETE FROM sign_ins")
    assert till.offer(twice).result == first.result
    assert facts_of(twice) == facts_of(shop)


def test_another_sale_under_the_same_id_since_the_restore_is_for_a_person(
    shop: Shop, copies: Copies
) -> None:
    copy = copies.take(shop)
    till = Till(shop)
    sale_id = till.sell().result["sale_id"]
    restored = copies.put_back(copy, shop)
    other = restored.sale(TEA | {"qty": 1}, total_minor=499, sale_id=sale_id)
    assert restored.ask("till-2", "sale/commit", other).ok
    assert till.offer(restored).code == "conflict"


def test_a_payment_that_another_sale_has_by_now_stays_with_that_sale(
    shop: Shop, copies: Copies
) -> None:
    copy = copies.take(shop)
    till = Till(shop)
    card = shop.card(998)
    first = till.sell(tenders=[card])
    restored = copies.put_back(copy, shop)
    other = restored.sale(TEA, total_minor=998, tenders=[card])
    assert restored.ask("till-2", "sale/commit", other).ok
    assert till.offer(restored).result == first.result
    (noted,) = restored.audited("payment.of_two_sales")
    assert noted["sales"] == [other["sale_id"], first.result["sale_id"]]


# What was given back twice ------------------------------------------------------------------------


def _all_back(shop: Shop, sale_id: str) -> dict[str, object]:
    line = {"line_no": 1, "qty": 2, "disposition": "resellable", "reason": "too much"}
    return {"return_id": shop.id(), "sale_id": sale_id, "lines": [line]}


def test_goods_that_came_back_again_since_the_restore_are_for_a_person(
    shop: Shop, copies: Copies
) -> None:
    sale_id = Till(shop).sell().result["sale_id"]
    copy = copies.take(shop)
    till = Till(shop)
    till.ask("return/commit", _all_back(shop, sale_id))
    restored = copies.put_back(copy, shop)
    assert restored.ask("till-2", "return/commit", _all_back(shop, sale_id)).ok

    assert till.offer(restored).ok, "it has happened"
    (noted,) = restored.audited("sale.given_back_twice")
    assert noted == {"by": "return", "id": till.kept[0][1]["return_id"]}
    assert laws.broken(restored.rows) == []


@pytest.mark.parametrize("first", ["void", "return"])
def test_a_sale_that_was_both_voided_and_returned_around_a_restore_is_for_a_person(
    shop: Shop, copies: Copies, first: str
) -> None:
    sale_id = Till(shop).sell(tenders=[shop.card(998)]).result["sale_id"]
    asked: dict[str, tuple[str, dict[str, object]]] = {
        "void": ("sale/void", {"sale_id": sale_id, "reason": "changed their mind"}),
        "return": ("return/commit", _all_back(shop, sale_id)),
    }
    since = {"void": "return", "return": "void"}[first]
    shop.sign_in("till-1", "mia")
    copy = copies.take(shop)
    till = Till(shop)
    till.ask(*asked[first])
    restored = copies.put_back(copy, shop)
    restored.sign_in("till-2", "mia")
    assert restored.ask("till-2", *asked[since]).ok

    assert till.offer(restored).ok
    (noted,) = restored.audited("sale.given_back_twice")
    assert noted["by"] == first
    assert laws.broken(restored.rows) == []
