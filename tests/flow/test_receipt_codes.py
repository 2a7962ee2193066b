"""The code of a receipt, scanned at a till: whose sale it is, and whether to believe it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.contract.oms_events import HUB_RETURN_KEY, HubReturnKey
from hub.contract.scans import ScannedReceipt, ScanResolved
from hub.documents.returncode import (
    ReturnCode,
    Signer,
    base45,
    base45_bytes,
    key_text,
    public_key,
    sign,
)
from hub.service.scans import scan_message
from tests.flow.test_scans import Read
from tests.support.shop import STORE, Shop

OURS, OLD, THEIRS = bytes(range(32)), bytes(range(1, 33)), bytes(range(2, 34))
SALE = "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1a02"


def text(key: bytes) -> str:
    return key_text(public_key(key))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path, print_receipts=True, return_key=text(OURS))
    made.product("tea", 499, stock=20)
    made.sign_in("till-1", "mia")
    yield made
    made.check_laws()
    made.close()


def code_of(store: str = STORE, sale_id: str = SALE, key: bytes = OURS, **more: Any) -> str:
    said = ReturnCode(store, "001-000042", sale_id, "2026-11-22", 499, "EUR")
    return sign(replace(said, **more), key)


def resolved(shop: Shop, code: str) -> ScanResolved:
    return ScanResolved.model_validate(shop.ok("till-1", "scan/resolve", {"code": code}))


def test_a_receipt_of_this_shop_names_its_sale(shop: Shop) -> None:
    done = shop.sell("till-1", "tea", 1, 499)
    code = code_of(sale_id=done["sale_id"], receipt_no=done["receipt_no"])
    found = resolved(shop, code)
    assert (found.why_not, found.product, found.code) == ("receipt", None, code)
    assert found.receipt == ScannedReceipt(
        store=STORE,
        ours=True,
        receipt_no=done["receipt_no"],
        sale_id=done["sale_id"],
        business_day="2026-11-22",
        total_minor=499,
        currency="EUR",
        state="completed",
    )
    assert shop.ok("till-1", "sale/get", {"sale_id": found.receipt.sale_id})["lines"]


def test_a_voided_sale_is_said_so(shop: Shop) -> None:
    done = shop.sell("till-1", "tea", 1, 499)
    shop.ok("till-1", "sale/void", {"sale_id": done["sale_id"], "reason": "mistake"})
    found = resolved(shop, code_of(sale_id=done["sale_id"]))
    assert found.receipt is not None
    assert found.receipt.state == "voided"
    assert "voided" in found.detail


def test_what_is_printed_is_what_is_read(shop: Shop) -> None:
    sale = shop.sale({"code": "tea", "qty": 1, "unit_price_minor": 499}, total_minor=499)
    shop.ok("till-1", "sale/commit", sale | {"print_receipt": True})
    from hub.contract.documents import SaleFacts, facts_of

    facts = facts_of(shop.value("SELECT document FROM print_jobs"))
    assert isinstance(facts, SaleFacts)
    found = resolved(shop, Signer(STORE, OURS).code_of(facts))
    assert found.receipt is not None
    assert (found.receipt.sale_id, found.receipt.state) == (sale["sale_id"], "completed")


def test_a_till_is_told_of_a_receipt_and_nobody_is_told_that_it_came_to_nothing(shop: Shop) -> None:
    told = scan_message(shop.gate, "scanner-1", Read(code_of().encode(), "]Q1"))
    scan = json.loads(told.scan_json)
    assert (scan["why_not"], scan["receipt"]["sale_id"]) == ("receipt", SALE)
    assert scan["symbology"] == "QR Code"
    assert told.event is None
    forged = scan_message(shop.gate, "scanner-1", Read(code_of(key=THEIRS).encode()))
    assert forged.event is not None


def test_a_receipt_of_another_shop_is_believed_by_the_key_that_the_cloud_gave(shop: Shop) -> None:
    code = code_of("s-77", key=THEIRS)
    before = resolved(shop, code)
    assert (before.why_not, before.receipt) == ("unknown-shop", None)
    assert "shop s-77, whose key isn't known here" in before.detail
    shop.policy("return_keys.s-77", [text(OLD), text(THEIRS)])
    found = resolved(shop, code)
    assert found.why_not == "receipt"
    assert found.receipt is not None
    assert (found.receipt.ours, found.receipt.store, found.receipt.state) == (False, "s-77", None)
    assert (found.receipt.total_minor, found.receipt.currency) == (499, "EUR")


def test_a_gift_receipt_tells_no_total(shop: Shop) -> None:
    found = resolved(shop, code_of(total_minor=0, currency="XXX"))
    assert found.receipt is not None
    assert (found.receipt.total_minor, found.receipt.currency) == (None, None)


def test_a_code_that_nobody_signed_is_refused_clearly(shop: Shop) -> None:
    shop.policy("return_keys.s-77", [text(THEIRS)])
    for forged in (
        code_of(key=THEIRS),
        code_of("s-77", key=OURS),
        _changed(code_of()),
    ):
        found = resolved(shop, forged)
        assert (found.why_not, found.receipt) == ("not-genuine", None)
        assert "wasn't signed by shop" in found.detail


def _changed(code: str) -> str:
    """The same signature under a larger total."""
    raw = bytearray(base45_bytes(code.removeprefix("SHR1:")))
    raw[-64 - 3 - 1] ^= 0x40
    return "SHR1:" + base45(bytes(raw))


@pytest.mark.parametrize("code", ["SHR1:", "SHR1:abc", "SHR1:" + "0" * 300, "SHR1:0"])
def test_a_damaged_code_says_to_scan_it_again(shop: Shop, code: str) -> None:
    found = resolved(shop, code)
    assert (found.why_not, found.receipt) == ("malformed", None)
    assert found.detail


def test_nothing_that_could_be_a_card_s_number_is_repeated(shop: Shop) -> None:
    for code in (code_of("4111111111111111", key=THEIRS), "SHR1:4111111111111111"):
        found = shop.ask("till-1", "scan/resolve", {"code": code})
        assert "4111111111111111" not in found.text


@pytest.mark.parametrize(
    "value", [None, 7, "x", {"a": 1}, [], [7], ["short"], [text(THEIRS)[:-1]], ["ü" * 44]]
)
def test_a_policy_without_a_proper_key_leaves_the_shop_unknown(shop: Shop, value: Any) -> None:
    shop.policy("return_keys.s-77", value)
    assert resolved(shop, code_of("s-77", key=THEIRS)).why_not == "unknown-shop"


def test_only_so_many_keys_are_tried(shop: Shop) -> None:
    shop.policy("return_keys.s-77", [text(OLD)] * 16 + [text(THEIRS)])
    assert resolved(shop, code_of("s-77", key=THEIRS)).why_not == "not-genuine"


# The hub's own key -------------------------------------------------------------------------------


def events(shop: Shop) -> list[dict[str, Any]]:
    rows = shop.all("SELECT data, stream FROM outbox WHERE type = ?", HUB_RETURN_KEY)
    assert {stream for _, stream in rows} <= {"orders"}
    return [json.loads(data) for data, _ in rows]


def test_the_cloud_is_told_each_key_once(shop: Shop) -> None:
    for _ in range(3):
        shop.housekeep()
    (told,) = events(shop)
    assert HubReturnKey.model_validate(told).public_key == text(OURS)
    shop.gate.shop = replace(shop.gate.shop, return_key=text(THEIRS))
    shop.housekeep()
    assert [one["public_key"] for one in events(shop)] == [text(OURS), text(THEIRS)]


def test_receipts_of_a_former_box_are_believed_by_its_key(shop: Shop) -> None:
    shop.housekeep()
    shop.gate.shop = replace(shop.gate.shop, return_key=text(THEIRS))
    shop.housekeep()
    for key in (OURS, THEIRS):
        assert resolved(shop, code_of(key=key)).why_not == "receipt"
    assert resolved(shop, code_of(key=OLD)).why_not == "not-genuine"
    shop.policy(f"return_keys.{STORE}", [text(OLD)])
    assert resolved(shop, code_of(key=OLD)).why_not == "receipt"


def test_a_hub_without_a_key_tells_none_and_knows_its_receipts_by_the_cloud(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.sign_in("till-1")
    shop.housekeep()
    assert events(shop) == []
    assert resolved(shop, code_of()).why_not == "unknown-shop"
    shop.close()
