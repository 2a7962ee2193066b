"""Store credit for goods that come back: given here, told to the cloud, spent here at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hub.contract.pages.printing import JobQuery
from hub.documents.templates import Template
from hub.domain.payments.work import Hand, WorkKind
from hub.service.books import Books
from hub.service.caller import Caller, CallerKind
from hub.service.creditcodes import code_for_copy
from hub.service.gate import ReadUnit
from hub.service.pages import printing as pages
from hub.storage import printrows, valuerows
from hub.storage.valuerows import AccountRow
from tests.support.valuing import TellingVault, ValueShop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ValueShop]:
    made = ValueShop(tmp_path)
    yield made
    made.check_laws()
    made.close()


def bought(shop: ValueShop, qty: int = 2, **changed: Any) -> Any:
    """A sale of tea for cash, or with other tenders."""
    line = {"code": "tea", "qty": qty, "unit_price_minor": 499}
    body = shop.sale(line, total_minor=qty * 499, **changed)
    return shop.ok("till-1", "sale/commit", body)


def back(shop: ValueShop, sale: Any, qty: int = 1, **changed: Any) -> dict[str, Any]:
    """The body of a return to store credit."""
    line = {"line_no": 1, "qty": qty, "disposition": "resellable", "reason": "unused"}
    body = {"return_id": shop.id(), "sale_id": sale["sale_id"], "lines": [line]}
    return body | {"refund_to": "store-credit"} | changed


def printed(shop: ValueShop, return_id: str) -> dict[str, Any]:
    """What the receipt of a return says."""
    (document,) = shop.all(
        "SELECT document FROM print_jobs WHERE subject = ? AND kind = 'return'", return_id
    )
    found: dict[str, Any] = json.loads(document[0])
    return found


def given(shop: ValueShop, qty: int = 1) -> tuple[str, AccountRow]:
    """A code that was given, and its account."""
    body = back(shop, bought(shop), qty)
    shop.ok("till-1", "return/commit", body)
    account = valuerows.get(shop.rows, f"credit-{body['return_id']}")
    assert account is not None
    return printed(shop, body["return_id"])["credit_code"], account


def test_goods_come_back_for_store_credit(shop: ValueShop) -> None:
    sale = bought(shop)
    body = back(shop, sale)
    done = shop.ok("till-1", "return/commit", body)
    assert done["refund"] == [
        {"kind": "store_credit", "amount_minor": 499, "by": "hub", "by_person": False}
    ]
    assert done["receipt_printed"]
    receipt = printed(shop, body["return_id"])
    code = receipt["credit_code"]
    assert re.fullmatch(r"SC(-[2-9A-HJKMNP-TV-Z]{5}){3}-\d{4}", code)
    (told,) = shop.told_of("gift_card.issued")
    assert told["token_hash"] == sha256(code.encode()).hexdigest()
    assert (told["amount_minor"], told["epoch"], told["last4"]) == (499, 1, code[-4:])
    (event,) = shop.told_of("return.completed")
    assert [(one["kind"], one["amount_minor"]) for one in event["tenders"]] == [
        ("store_credit", 499)
    ]


def test_the_code_is_on_the_paper_and_nowhere_else(shop: ValueShop) -> None:
    code, _ = given(shop)
    for (table,) in shop.all("SELECT name FROM sqlite_schema WHERE type = 'table'"):
        if table != "print_jobs":
            assert code not in str(shop.all(f"SELECT * FROM {table}")), table


def test_nobody_reads_the_code_out_of_the_printing_queue(shop: ValueShop) -> None:
    code, account = given(shop)
    (job_id,) = shop.one("SELECT job_id FROM print_jobs WHERE kind = 'return'") or ()
    told = shop.ok("till-1", "print/get", {"job_id": job_id})
    assert told["document"]["credit_code"] == f"****-{account.last4}"
    books = Books(shop.rules.currency)
    unit = ReadUnit(shop.rows, Caller(CallerKind.HUB, "hub"), shop.rules, books, 0, 0)
    shown = pages.one(unit, JobQuery(job_id=job_id), Template("Corner shop"))
    assert code not in str(shown)
    assert account.last4 in str(shown)


def test_a_copy_of_the_receipt_bears_the_same_code(shop: ValueShop) -> None:
    body = back(shop, bought(shop))
    shop.ok("till-1", "return/commit", body)
    again = shop.ok("till-1", "return/commit", body)
    assert again["refund"][0]["amount_minor"] == 499
    assert len(shop.told_of("gift_card.issued")) == 1
    code = printed(shop, body["return_id"])["credit_code"]
    assert code_for_copy(shop.rows, shop.rules, body["return_id"]) == code


def test_it_is_spent_here_at_once_also_offline(shop: ValueShop) -> None:
    code, _ = given(shop, qty=2)
    shop.line = False
    payment = shop.gift(499, token=code, kind="store_credit")
    assert (payment["state"], payment["allotted"]) == ("authorised", True)
    shop.sold(payment)
    assert shop.gift(499, token=code, kind="store_credit")["state"] == "authorised"
    body = shop.starting(1, value={"kind": "store_credit", "token": code})
    assert shop.no("till-1", "payment/start", body)["context"]["left_minor"] == 0
    (work,) = shop.work(Hand.ISSUER)
    assert (work.kind, work.account_epoch) == (WorkKind.CAPTURE, 1)


def test_with_a_line_a_cloud_that_has_not_heard_of_it_yet_is_no_obstacle(shop: ValueShop) -> None:
    code, _ = given(shop)
    payment = shop.gift(499, token=code, kind="store_credit")
    shop.issuer_says(WorkKind.CHARGE, "declined", word="unknown-card")
    assert shop.payment(payment)["allotted"]


def test_a_recall_hands_the_rest_over_to_the_cloud(shop: ValueShop) -> None:
    code, account = given(shop, qty=2)
    shop.line = False
    shop.gift(499, token=code, kind="store_credit")
    outcome, _ = shop.allot(
        998, 998, token=code, account_ref=account.account, kind="store_credit", last4=code[-4:]
    )
    assert outcome == "done"
    (told,) = shop.told_of("gift_card.allotment_returned")
    assert (told["returned_minor"], told["spent_minor"]) == (499, 499)


def test_what_was_given_as_credit_is_not_given_back_again(shop: ValueShop) -> None:
    sale = bought(shop)
    shop.ok("till-1", "return/commit", back(shop, sale))
    rest = shop.ok("till-1", "return/commit", back(shop, sale, refund_to="original"))
    assert [(one["kind"], one["amount_minor"]) for one in rest["refund"]] == [("cash", 499)]
    assert shop.no("till-1", "return/commit", back(shop, sale))["code"] == "conflict"


def test_a_card_that_was_given_credit_for_gets_only_the_rest(shop: ValueShop) -> None:
    card = shop.approved(998)
    sale = shop.sold(card, qty=2)
    shop.ok("till-1", "return/commit", back(shop, sale))
    rest = shop.ok("till-1", "return/commit", back(shop, sale, refund_to="original"))
    assert [(one["kind"], one["amount_minor"]) for one in rest["refund"]] == [("card", 499)]
    assert shop.refunds(card)[0].amount_minor == 499


def test_no_credit_for_what_was_never_paid(shop: ValueShop) -> None:
    owed = shop.declined()
    sale = {"sale_id": owed["sale_id"]}
    refused = shop.no("till-1", "return/commit", back(shop, sale))
    assert refused["code"] == "conflict"
    assert "money" in refused["detail"]


def test_no_credit_for_what_may_be_declined_yet(shop: ValueShop) -> None:
    stored = shop.kept()
    refused = shop.no("till-1", "return/commit", back(shop, {"sale_id": stored["sale_id"]}))
    assert (refused["code"], refused["context"]["state"]) == ("conflict", "stored")


def test_a_hub_that_was_put_back_sets_nothing_aside(shop: ValueShop) -> None:
    sale = bought(shop)
    shop.run("UPDATE hub SET fence = 'restored'")
    fenced = back(shop, sale)
    shop.ok("till-1", "return/commit", fenced)
    (told,) = shop.told_of("gift_card.issued")
    assert told["epoch"] == 0
    assert valuerows.outstanding(shop.rows, 0) == (0, 0)


def test_a_new_box_prints_no_code_that_is_nobodys(
    shop: ValueShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = back(shop, bought(shop))
    shop.ok("till-1", "return/commit", body)
    monkeypatch.setattr(
        TellingVault, "card_ref", lambda _self, card: sha256(b"new" + card.encode()).hexdigest()
    )
    assert code_for_copy(shop.rows, shop.rules, body["return_id"]) == ""


@pytest.mark.parametrize("without", ["issuer", "paper"])
def test_no_credit_without_a_cloud_or_paper(
    shop: ValueShop, monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    sale = bought(shop)
    terms = shop.rules.payments
    lacking: dict[str, Any] = {"payments": replace(terms, issuer=False)}
    if without == "paper":
        lacking = {"print_receipts": False}
    monkeypatch.setattr(shop.gate, "shop", replace(shop.rules, **lacking))
    refused = shop.no("till-1", "return/commit", back(shop, sale))
    assert (refused["code"], "original tender" in refused["detail"]) == ("conflict", True)


def test_no_credit_that_is_on_no_paper(shop: ValueShop, monkeypatch: pytest.MonkeyPatch) -> None:
    sale = bought(shop)
    monkeypatch.setattr(printrows, "DOCUMENT_MAX_BYTES", 10)
    assert "no paper" in shop.no("till-1", "return/commit", back(shop, sale))["detail"]
    assert shop.told_of("gift_card.issued") == []
    assert shop.value("SELECT count(*) FROM value_accounts") == 0
