"""Voids and returns of what was paid with card payments that the hub began."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hub.domain.payments.states import PaymentEvent
from hub.service.payments import book
from tests.support.paying import CARD, PayingShop, rules


def moved(shop: PayingShop, payment: Any, *events: PaymentEvent) -> None:
    """What a processor does to a payment, in short."""
    for event in events:
        shop.unit(partial(book.move, row=shop.row(payment), event=event, by="test"))


def void(shop: PayingShop, payment: Any) -> dict[str, Any]:
    shop.sign_in("till-2", "mia")
    body = {"sale_id": payment["sale_id"], "reason": "wrong goods"}
    return shop.ok("till-2", "sale/void", body)


def bring_back(shop: PayingShop, payment: Any, qty: int = 1, **changed: Any) -> dict[str, Any]:
    shop.sign_in("till-2", "mia")
    line = {"line_no": 1, "qty": qty, "disposition": "resellable", "reason": "unopened"}
    body = {"return_id": shop.id(), "sale_id": payment["sale_id"], "lines": [line]} | changed
    return shop.ok("till-2", "return/commit", body)


def refunds_of(shop: PayingShop, payment: Any) -> list[tuple[int, str]]:
    number = shop.row(payment).id
    return shop.all(
        "SELECT amount_minor, state FROM payment_refunds WHERE payment = ? ORDER BY id", number
    )


# Voids -------------------------------------------------------------------------------------------


def test_the_void_of_a_sale_takes_its_payments_back(paying: PayingShop) -> None:
    sale_id = paying.id()
    authorised = paying.approved(200, sale_id=sale_id)
    stored = paying.stored(200, sale_id=sale_id, token="tok_1")
    cash = {"kind": "cash", "amount_minor": 99}
    tenders = [paying.tender(authorised), paying.tender(stored), cash]
    paying.ok("till-1", "sale/commit", paying.selling(authorised, tenders=tenders))
    answer = void(paying, authorised)
    assert [(one["kind"], one["amount_minor"], one["by"]) for one in answer["refund"]] == [
        ("card", 200, "hub"),
        ("card", 200, "hub"),
        ("cash", 99, "till"),
    ]
    assert paying.payment(authorised)["void_asked"]
    assert paying.payment(stored)["state"] == "voided", "nobody else had it"
    assert paying.value("SELECT count(*) FROM payment_secrets") == 0
    [told] = paying.events("com.storehub.sale.voided.v1")
    assert told["sale_id"] == sale_id


def test_a_void_that_is_repeated_takes_nothing_back_twice(paying: PayingShop) -> None:
    payment = paying.approved()
    paying.sold(payment)
    first = void(paying, payment)
    with paying.unchanged():
        assert void(paying, payment) == first


def test_what_the_terminal_keeps_is_voided_with_the_terminal(paying: PayingShop) -> None:
    hubs = paying.start()
    paying.begin(hubs)
    paying.end(hubs, "approved-offline")
    paying.sold(hubs)
    assert void(paying, hubs)["refund"][0]["by"] == "hub"
    assert paying.payment(hubs)["state"] == "void_pending"
    tills = paying.stored()
    paying.sold(tills)
    assert void(paying, tills)["refund"][0]["by"] == "till", "only the till can ask its terminal"
    assert paying.report(tills, "reversed")["state"] == "voided"


def test_a_void_ends_when_the_till_s_terminal_was_declined(paying: PayingShop) -> None:
    payment = paying.stored()
    paying.sold(payment)
    void(paying, payment)
    assert paying.report(payment, "refused")["state"] == "voided"


def test_without_a_processor_a_till_gives_back_what_its_terminal_took(tmp_path: Path) -> None:
    shop = PayingShop(tmp_path, payments=rules(processor=False))
    payment = shop.approved()
    shop.sold(payment)
    assert void(shop, payment)["refund"][0]["by"] == "till"
    assert shop.report(payment, "reversed")["state"] == "reversed"
    hubs = shop.start()
    shop.begin(hubs)
    shop.end(hubs, "approved")
    shop.sold(hubs)
    assert void(shop, hubs)["refund"][0]["by"] == "hub"
    shop.check_laws()


def test_nobody_owes_for_goods_that_came_back(paying: PayingShop) -> None:
    payment = paying.stored(token="tok_1")
    paying.sold(payment)
    ends = (PaymentEvent.LEASED, PaymentEvent.DECLINED, PaymentEvent.GIVE_UP)
    moved(paying, payment, *ends)
    answer = void(paying, payment)
    assert answer["refund"][0]["by"] == "hub", "the till must not pay out what never came"
    after = paying.payment(payment)
    assert (after["state"], after["void_asked"]) == ("voided", True)


def test_what_was_paid_otherwise_in_the_end_the_till_pays_out(paying: PayingShop) -> None:
    payment = paying.stored(token="tok_1")
    paying.sold(payment)
    recovered = (PaymentEvent.LEASED, PaymentEvent.DECLINED, PaymentEvent.GIVE_UP)
    moved(paying, payment, *recovered, PaymentEvent.PAID_OTHERWISE)
    assert bring_back(paying, payment)["refund"][0]["by"] == "till"
    assert refunds_of(paying, payment) == []


def test_a_void_waits_for_what_may_be_under_way(paying: PayingShop) -> None:
    payment = paying.stored(token="tok_1")
    paying.sold(payment)
    moved(paying, payment, PaymentEvent.LEASED)
    void(paying, payment)
    after = paying.payment(payment)
    assert (after["state"], after["void_asked"]) == ("forwarding", True)


# Returns -----------------------------------------------------------------------------------------


def test_a_part_that_comes_back_is_wanted_from_the_processor_once(paying: PayingShop) -> None:
    payment = paying.approved(998)
    paying.sold(payment, qty=2)
    moved(paying, payment, PaymentEvent.CAPTURED)
    return_id = paying.id()
    first = bring_back(paying, payment, return_id=return_id)
    assert first["refund"] == [
        {
            "kind": "card",
            "amount_minor": 499,
            "payment_id": payment["payment_id"],
            "by": "hub",
            "by_person": False,
        }
    ]
    with paying.unchanged():
        again = bring_back(paying, payment, return_id=return_id)
        assert again == first
    assert refunds_of(paying, payment) == [(499, "wanted")]
    bring_back(paying, payment)
    assert refunds_of(paying, payment) == [(499, "wanted"), (499, "wanted")]
    [told, _] = paying.events("com.storehub.return.completed.v1")
    assert told["tenders"][0]["by"] == "hub"


def test_all_of_it_that_comes_back_before_it_was_presented_is_voided(paying: PayingShop) -> None:
    payment = paying.stored(token="tok_1")
    paying.sold(payment)
    assert bring_back(paying, payment)["refund"][0]["by"] == "hub"
    assert paying.payment(payment)["state"] == "voided"
    assert refunds_of(paying, payment) == []


def test_a_part_of_what_waits_is_given_back_when_it_is_there(paying: PayingShop) -> None:
    payment = paying.stored(998, token="tok_1")
    paying.sold(payment, qty=2)
    assert bring_back(paying, payment)["refund"][0]["by"] == "hub"
    after = paying.payment(payment)
    assert (after["state"], after["void_asked"]) == ("stored", False)
    assert refunds_of(paying, payment) == [(499, "wanted")]


def test_a_till_gives_back_a_part_of_what_only_it_can(tmp_path: Path) -> None:
    shop = PayingShop(tmp_path, payments=rules(processor=False))
    payment = shop.own(998)
    shop.report(payment, "approved", card=CARD, captured=True)
    shop.sold(payment, qty=2)
    assert bring_back(shop, payment)["refund"][0]["by"] == "till"
    assert refunds_of(shop, payment) == [(499, "wanted")]
    shop.check_laws()


@pytest.mark.parametrize("known", [True, False])
def test_a_return_is_booked_alike_whoever_knows_the_payment(
    paying: PayingShop, known: bool
) -> None:
    payment = paying.approved() if known else {"sale_id": paying.id()}
    tender = paying.tender(payment) if known else paying.card(499)
    paying.ok(
        "till-1",
        "sale/commit",
        paying.selling(tenders=[tender], sale_id=payment["sale_id"]),
    )
    done = bring_back(paying, payment)
    assert (done["total_minor"], done["refund"][0]["by"]) == (499, "hub" if known else "till")
