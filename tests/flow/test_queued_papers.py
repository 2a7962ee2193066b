"""What is queued to be printed: receipts and slips, and what stands on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.contract.documents import GiftFacts, ReturnFacts, SaleFacts, VoidFacts
from tests.support.receiptshop import (
    facts,
    furnish,
    job_of,
    sell,
    tea,
)
from tests.support.shop import EXCLUSIVE, Shop, five_cents


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path, print_receipts=True)
    furnish(made)
    yield made
    made.check_laws()
    made.close()


# What is queued ----------------------------------------------------------------------------------


def test_a_receipt_states_what_was_sold_and_how_it_was_paid(tmp_path: Path) -> None:
    shop = Shop(tmp_path, print_receipts=True, cash_rounding=five_cents())
    furnish(shop)
    apples = {"code": "apples", "qty": 455, "unit_price_minor": 299}
    discount = {"discount_minor": 50, "reason": "dented"}
    total = 2 * 499 - 50 + 136
    body = shop.sale(tea(2, **discount), apples, total_minor=total, print_receipt=True)
    body["tenders"] = [shop.card(500), {"kind": "cash", "amount_minor": 1000}]
    done = shop.ok("till-1", "sale/commit", body)
    found = facts(shop, job_of(shop, body["sale_id"]))
    assert isinstance(found, SaleFacts)
    assert (found.receipt_no, found.total_minor, found.tax_minor) == (
        done["receipt_no"],
        total,
        done["tax_minor"],
    )
    assert (found.change_minor, found.rounding_minor) == (
        done["change_minor"],
        done["rounding_minor"],
    )
    assert (found.till, found.staff, found.shop) == ("till-1", "Anna", "Corner Shop")
    assert (found.business_day, found.at_ms) == (done["business_day"], done["at_ms"])
    assert (found.savings_minor, found.is_copy) == (50, False)
    assert [(one.sku, one.qty, one.net_minor, one.uom) for one in found.lines] == [
        ("tea", 2, 948, ""),
        ("apples", 455, 136, "kg"),
    ]
    assert [(one.kind, one.last4) for one in found.tenders] == [("card", "4242"), ("cash", None)]
    assert [(one.code, one.rate_ppm, one.gross_minor) for one in found.taxes] == [
        ("standard", 190_000, 948),
        ("reduced", 70_000, 136),
    ]
    assert sum(one.tax_minor for one in found.taxes) == found.tax_minor
    assert all(one.net_minor + one.tax_minor == one.gross_minor for one in found.taxes)
    shop.close()


def test_where_prices_exclude_tax_the_table_adds_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path, print_receipts=True, tax=EXCLUSIVE)
    furnish(shop)
    sale_id = sell(shop, total_minor=594, tenders=[{"kind": "cash", "amount_minor": 594}])
    found = facts(shop, job_of(shop, sale_id))
    assert found.prices_include_tax is False
    assert [(one.net_minor, one.tax_minor, one.gross_minor) for one in found.taxes] == [
        (499, 95, 594)
    ]
    shop.close()


def test_a_lower_price_counts_as_saved(shop: Shop) -> None:
    line = tea(2, override_price_minor=450, reason="last ones")
    sale_id = sell(
        shop,
        lines=[line],
        total_minor=900,
        tenders=[{"kind": "cash", "amount_minor": 900}],
    )
    assert facts(shop, job_of(shop, sale_id)).savings_minor == 98


def test_no_card_s_number_or_token_is_printed(shop: Shop) -> None:
    card = shop.card(499) | {"token": "tok_8a7b6c5d"}
    sale_id = sell(shop, tenders=[card])
    document = shop.value("SELECT document FROM print_jobs WHERE subject = ?", sale_id)
    assert "4242" in document
    assert "tok_8a7b6c5d" not in document
    assert card["payment_id"] not in document


def test_the_receipt_of_a_return_states_what_was_given_back(shop: Shop) -> None:
    sale_id = sell(shop, tenders=[shop.card(499)])
    back = {"line_no": 1, "qty": 1, "disposition": "quarantine", "reason": "dented"}
    return_id = shop.id()
    body = {"return_id": return_id, "sale_id": sale_id, "lines": [back], "print_receipt": True}
    done = shop.ok("till-1", "return/commit", body)
    assert done["receipt_printed"]
    found = facts(shop, job_of(shop, return_id, "return"))
    assert isinstance(found, ReturnFacts)
    assert (found.total_minor, found.tax_minor) == (499, done["tax_minor"])
    assert [(one.kind, one.amount_minor, one.last4) for one in found.refunds] == [
        ("card", 499, "4242")
    ]
    assert [(one.gross_minor, one.tax_minor) for one in found.taxes] == [(499, done["tax_minor"])]
    assert found.sale_receipt_no
    again = shop.ok("till-1", "print/reprint", {"return_id": return_id})
    copy = facts(shop, again["job_id"])
    assert copy.is_copy
    assert copy.model_copy(update={"is_copy": False}) == found


def test_a_void_prints_a_slip_and_its_copies_say_void(shop: Shop) -> None:
    sale_id = sell(shop, "till-2")
    body = {"sale_id": sale_id, "reason": "mistake", "print_receipt": True}
    assert shop.ok("till-2", "sale/void", body)["receipt_printed"]
    found = facts(shop, job_of(shop, sale_id, "void"))
    assert isinstance(found, VoidFacts)
    assert (found.reason, found.total_minor, found.staff) == ("mistake", 499, "Mia")
    assert [one.amount_minor for one in found.refunds] == [499]
    copy = shop.ok("till-2", "print/reprint", {"sale_id": sale_id})
    assert (copy["kind"], copy["copy_no"]) == ("void", 1)


def test_a_gift_receipt_has_no_price(shop: Shop) -> None:
    sale_id = sell(shop)
    job = shop.ok("till-1", "print/gift-receipt", {"sale_id": sale_id, "line_nos": [1]})
    found = facts(shop, job["job_id"])
    assert isinstance(found, GiftFacts)
    assert [one.sku for one in found.lines] == ["tea"]
    document = shop.value("SELECT document FROM print_jobs WHERE job_id = ?", job["job_id"])
    assert "minor" not in document
    problem = shop.no("till-1", "print/gift-receipt", {"sale_id": sale_id, "line_nos": [7]})
    assert problem["code"] == "not-found"


def test_a_sale_goes_on_when_the_queue_is_full(tmp_path: Path) -> None:
    shop = Shop(tmp_path, print_receipts=True, print_jobs_max=2)
    furnish(shop)
    first = sell(shop)
    sell(shop)
    body = shop.sale(tea(), total_minor=499, print_receipt=True)
    assert shop.ok("till-1", "sale/commit", body)["receipt_printed"] is False
    problem = shop.no("till-1", "print/reprint", {"sale_id": first})
    assert (problem["code"], problem["retryable"]) == ("conflict", False)
    shop.check_laws()
    shop.close()


def test_a_repeated_sale_is_queued_once(shop: Shop) -> None:
    body = shop.sale(tea(), total_minor=499, print_receipt=True)
    key = shop.id()
    first = shop.ask("till-1", "sale/commit", body, key=key)
    assert shop.ask("till-1", "sale/commit", body, key=key).text == first.text
    shop.ok("till-1", "sale/commit", body)
    assert shop.value("SELECT count(*) FROM print_jobs") == 1
