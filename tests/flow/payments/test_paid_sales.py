"""Sales paid with card payments that the hub began."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.contract.documents import SaleFacts, facts_of
from hub.service.notices import PaymentChanged
from tests.support.paying import PayingShop
from tests.support.shop import Shop

# Paid --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offline", [False, True])
def test_a_sale_takes_the_payment_that_was_begun_for_it(paying: PayingShop, offline: bool) -> None:
    payment = paying.stored() if offline else paying.approved()
    paying.sold(payment)
    after = paying.payment(payment)
    assert (after["in_sale"], after["tenderable"], after["waits_for"]) == (
        True,
        False,
        "terminal" if offline else "processor",
    )


def test_whoever_carries_payments_hears_that_one_is_sold(paying: PayingShop) -> None:
    payment = paying.stored(token="tok_1")
    paying.writer.notices.clear()
    paying.sold(payment)
    row = paying.row(payment)
    where = (row.device_id, row.terminal_id)
    assert PaymentChanged(row.payment_id, row.sale_id, *where, "stored") in paying.writer.notices
    assert (row.in_sale, row.state, row.void_asked) == (1, "stored", 0)


def test_the_tender_is_told_with_what_the_terminal_said_of_the_card(paying: PayingShop) -> None:
    payment = paying.approved()
    paying.sold(payment)
    view = paying.ok("till-1", "sale/get", {"sale_id": payment["sale_id"]})
    assert view["tenders"] == [
        {
            "kind": "card",
            "amount_minor": 499,
            "payment_id": payment["payment_id"],
            "last4": "4242",
        }
    ]
    [told] = paying.events("com.storehub.sale.completed.v1")
    assert told["tenders"][0]["last4"] == "4242"
    assert paying.one("SELECT approval_code FROM tenders") == ("A1B2C3",)


def test_a_sale_is_split_between_two_cards_and_cash(paying: PayingShop) -> None:
    sale_id = paying.id()
    first = paying.approved(600, sale_id=sale_id)
    second = paying.stored(300, sale_id=sale_id)
    tenders = [paying.tender(first), paying.tender(second), {"kind": "cash", "amount_minor": 100}]
    done = paying.ok("till-1", "sale/commit", paying.selling(first, qty=2, tenders=tenders))
    assert done["change_minor"] == 2
    assert paying.payment(first)["in_sale"]
    assert paying.payment(second)["in_sale"]


def test_a_sale_is_repeated_as_it_was(paying: PayingShop) -> None:
    payment = paying.approved()
    body = paying.selling(payment)
    first = paying.ask("till-1", "sale/commit", body, key="a-key-that-stays")
    with paying.unchanged():
        again = paying.ask("till-1", "sale/commit", body, key="a-key-that-stays")
        assert again.text == first.text
        assert paying.ok("till-2", "sale/commit", body) == first.result
    other = paying.selling(payment, sale_id=paying.id())
    problem = paying.no("till-1", "sale/commit", other)
    assert (problem["code"], problem["context"]["sale_id"]) == ("conflict", payment["sale_id"])


def test_a_stand_alone_terminals_payment_is_none_of_the_hubs_business(paying: PayingShop) -> None:
    body = paying.selling(tenders=[paying.card(499)])
    paying.ok("till-1", "sale/commit", body)
    assert paying.value("SELECT count(*) FROM payments") == 0
    paying.sign_in("till-1", "mia")
    void = paying.ok("till-1", "sale/void", {"sale_id": body["sale_id"], "reason": "no"})
    assert void["refund"][0]["by"] == "till"


# Not this payment --------------------------------------------------------------------------------


def test_a_payment_of_another_sale_amount_or_basket_is_refused_with_what_it_is(
    paying: PayingShop,
) -> None:
    payment = paying.approved()
    basket = paying.basket("till-1", "tea")
    of_basket = paying.approved(basket_id=basket["basket_id"])
    cases = (
        (paying.selling(payment, sale_id=paying.id()), {"sale_id": payment["sale_id"]}),
        (
            paying.selling(payment, tenders=[paying.tender(payment) | {"amount_minor": 500}]),
            {"amount_minor": 499},
        ),
        (paying.selling(of_basket), {"basket_id": basket["basket_id"]}),
    )
    with paying.unchanged():
        for body, context in cases:
            problem = paying.no("till-1", "sale/commit", body)
            assert problem["code"] == "conflict"
            assert context.items() <= problem["context"].items()


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        (["refused"], "refused"),
        (["not-done"], "abandoned"),
        (["refused", "approved"], "authorised"),
    ],
)
def test_a_payment_that_brings_no_money_pays_nothing(
    paying: PayingShop, outcomes: list[str], state: str
) -> None:
    payment = paying.own()
    for outcome in outcomes:
        paying.report(payment, outcome)
    with paying.unchanged():
        problem = paying.no("till-1", "sale/commit", paying.selling(payment))
        assert (problem["code"], problem["context"]["state"]) == ("conflict", state)
        assert not problem["retryable"]


@pytest.mark.parametrize("stage", ["intent", "at_terminal", "unknown"])
def test_while_the_outcome_is_open_the_same_request_may_be_repeated_until_it_is_known(
    paying: PayingShop, stage: str
) -> None:
    payment = paying.start()
    if stage != "intent":
        paying.begin(payment)
    if stage == "unknown":
        paying.end(payment, "unknown")
    body = paying.selling(payment)
    with paying.unchanged():
        refused = paying.ask("till-1", "sale/commit", body, key="the-very-same-key")
        assert (refused.code, refused.problem["context"]["state"]) == ("outcome-unknown", stage)
        assert refused.problem["retryable"]
    if stage == "intent":
        paying.begin(payment)
    paying.end(payment, "approved")
    assert paying.ask("till-1", "sale/commit", body, key="the-very-same-key").ok


def test_a_payment_that_was_given_up_pays_nothing_and_a_sold_one_is_not_given_up(
    paying: PayingShop,
) -> None:
    given_up, sold = paying.approved(), paying.approved()
    paying.give_up(given_up)
    problem = paying.no("till-1", "sale/commit", paying.selling(given_up))
    assert "given up" in problem["detail"]
    paying.sold(sold)
    with paying.unchanged():
        body = {"payment_id": sold["payment_id"]}
        problem = paying.no("till-1", "payment/give-up", body)
        assert (problem["code"], problem["context"]["sale_id"]) == ("conflict", sold["sale_id"])


def test_a_price_that_changes_after_the_payment_leaves_the_payment_as_it_is(
    paying: PayingShop,
) -> None:
    payment = paying.approved()
    paying.product("tea", 599)
    assert paying.no("till-1", "sale/commit", paying.selling(payment))["code"] == "price-changed"
    assert paying.payment(payment)["tenderable"]
    line = {"code": "tea", "qty": 1, "unit_price_minor": 599}
    tenders = [paying.tender(payment), {"kind": "cash", "amount_minor": 100}]
    more = {"sale_id": payment["sale_id"]}
    paying.ok("till-1", "sale/commit", paying.sale(line, total_minor=599, tenders=tenders, **more))
    cheaper = paying.approved(599)
    paying.product("tea", 399)
    line = {"code": "tea", "qty": 1, "unit_price_minor": 399}
    body = paying.sale(
        line, total_minor=399, tenders=[paying.tender(cheaper)], sale_id=cheaper["sale_id"]
    )
    assert not paying.ask("till-1", "sale/commit", body).ok, "a card gives no change"
    assert paying.give_up(cheaper)["void_asked"]


# What isn't needed -------------------------------------------------------------------------------


def test_what_was_begun_for_a_sale_and_does_not_pay_it_goes_back(paying: PayingShop) -> None:
    sale_id = paying.id()
    kept = paying.approved(sale_id=sale_id)
    left = paying.stored(sale_id=sale_id, token="tok_1")
    paying.sold(kept)
    assert paying.payment(left)["state"] == "voided"
    basket = paying.basket("till-1", "tea")
    unused = paying.approved(basket_id=basket["basket_id"])
    paying.ok("till-1", "sale/commit", paying.pay(basket))
    assert paying.payment(unused)["void_asked"]


def test_a_sale_waits_for_the_outcome_of_its_other_payment_or_for_it_to_be_given_up(
    paying: PayingShop,
) -> None:
    basket = paying.basket("till-1", "tea")
    payment = paying.start(basket_id=basket["basket_id"])
    with paying.unchanged():
        problem = paying.no("till-1", "sale/commit", paying.pay(basket))
        assert problem["context"]["payment_id"] == payment["payment_id"]
    paying.begin(payment)
    paying.end(payment, "unknown")
    paying.give_up(payment)
    paying.ok("till-1", "sale/commit", paying.pay(basket))
    assert paying.end(payment, "approved") == "authorised"
    assert paying.payment(payment)["void_asked"], "it turned out approved: it goes back"


def test_an_approval_that_comes_after_a_sale_in_cash_goes_back(paying: PayingShop) -> None:
    payment = paying.start()
    paying.begin(payment)
    body = paying.selling(sale_id=payment["sale_id"])
    body["tenders"] = [{"kind": "cash", "amount_minor": 499}]
    paying.ok("till-1", "sale/commit", body)
    paying.end(payment, "approved")
    after = paying.payment(payment)
    assert (after["void_asked"], after["reason"]) == (True, "the sale was paid otherwise")


# Paper and cost ----------------------------------------------------------------------------------


def test_an_offline_receipt_says_so(tmp_path: Path) -> None:
    shop = PayingShop(tmp_path, print_receipts=True)
    sale_id = shop.id()
    online, offline = shop.approved(199, sale_id=sale_id), shop.stored(300, sale_id=sale_id)
    body = shop.selling(online, offline, print_receipt=True)
    assert shop.ok("till-1", "sale/commit", body)["receipt_printed"]
    [(job_id,)] = shop.all("SELECT job_id FROM print_jobs")
    facts = facts_of(shop.ok("till-1", "print/get", {"job_id": job_id})["document"])
    assert isinstance(facts, SaleFacts)
    assert [one.offline for one in facts.tenders] == [False, True]
    shop.check_laws()


def statements(shop: Shop, body: dict[str, Any]) -> list[str]:
    """What the database is asked for a sale."""
    seen: list[str] = []
    shop.core.conn.set_trace_callback(seen.append)
    shop.ok("till-1", "sale/commit", body)
    shop.core.conn.set_trace_callback(None)
    return [one for one in seen if " payments " in one]


def test_a_cash_sale_asks_for_no_payment_and_a_card_sale_for_its_own(paying: PayingShop) -> None:
    assert statements(paying, paying.selling(tenders=[{"kind": "cash", "amount_minor": 499}])) == []
    payment = paying.approved()
    own = statements(paying, paying.selling(payment))
    assert [one.split()[0] for one in own] == ["SELECT", "SELECT", "UPDATE"]
    for sql in own[:2]:
        plan = str(paying.all(f"EXPLAIN QUERY PLAN {sql}"))
        assert "SEARCH payments USING INDEX" in plan
