"""Labels for the shelf: what they say, who may print them, and that all are queued or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.contract.documents import ShelfLabelFacts, facts_of
from hub.service.handlers.labels import WAITING_MAX
from tests.support.receiptshop import by_page
from tests.support.shop import MANAGER, Shop

SELLER: dict[str, Any] = {"sale.sell": None}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path, print_receipts=True)
    made.staff({"cashier": SELLER, "manager": MANAGER | {"hub.manage": None}})
    made.product("tea", 499, gtin="4006381333931", stock=5)
    made.product("apples", 299, uom="kg", scale=3, tax_code="reduced")
    made.sign_in("till-1", "mia")
    yield made
    made.check_laws()
    made.close()


def wanted(*codes: str, **more: Any) -> dict[str, Any]:
    return {"labels": [{"code": code} for code in codes]} | more


def queued(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.all(
        "SELECT kind, subject, title, device_id, wanted, priority FROM print_jobs ORDER BY id"
    )


def label(shop: Shop, job_id: str) -> ShelfLabelFacts:
    text = shop.value("SELECT document FROM print_jobs WHERE job_id = ?", job_id)
    found = facts_of(text)
    assert isinstance(found, ShelfLabelFacts)
    return found


def price(shop: Shop, sku: str, price_minor: int, from_ms: int, to_ms: int | None = None) -> None:
    shop.run("INSERT INTO prices VALUES (1, ?, ?, ?, ?)", sku, from_ms, to_ms, price_minor)
    shop._dataset("prices")


def test_a_label_says_the_price_in_force_and_since_when(shop: Shop) -> None:
    now_ms = shop.clock.wall_ms()
    price(shop, "tea", 449, now_ms - 86_400_000)
    price(shop, "tea", 399, now_ms + 86_400_000)
    done = shop.ok("till-1", "print/label", wanted("4006381333931"))
    (one,) = done["labels"]
    assert (one["sku"], one["name"], one["price_minor"]) == ("tea", "Product tea", 449)
    found = label(shop, one["job_ids"][0])
    assert (found.name, found.sku, found.gtin) == ("Product tea", "tea", "4006381333931")
    assert (found.price_minor, found.currency) == (449, "EUR")
    assert (found.valid_from_ms, found.valid_until_ms) == (now_ms - 86_400_000, 0)
    assert found.base_price_minor is None


def test_a_price_that_ends_says_so_and_goods_by_weight_say_per_what(shop: Shop) -> None:
    now_ms = shop.clock.wall_ms()
    price(shop, "apples", 249, now_ms - 1000, now_ms + 86_400_000)
    done = shop.ok("till-1", "print/label", wanted("apples"))
    found = label(shop, done["labels"][0]["job_ids"][0])
    assert (found.base_price_minor, found.base_uom) == (249, "kg")
    assert found.valid_until_ms == now_ms + 86_400_000
    assert found.gtin is None


def test_the_barcode_is_found_by_the_sku_and_the_one_that_was_scanned_is_kept(shop: Shop) -> None:
    shop.run("INSERT INTO barcodes VALUES (1, '00000096385074', 'tea')")
    by_sku = shop.ok("till-1", "print/label", wanted("tea"))["labels"][0]["job_ids"][0]
    assert label(shop, by_sku).gtin == "96385074"
    scanned = shop.ok("till-1", "print/label", wanted("4006381333931"))["labels"][0]["job_ids"][0]
    assert label(shop, scanned).gtin == "4006381333931"


def test_each_copy_is_a_job_that_receipts_go_before(shop: Shop) -> None:
    body = {"labels": [{"code": "tea", "copies": 3}, {"code": "apples"}]}
    done = shop.ok("till-1", "print/label", body)
    assert [len(one["job_ids"]) for one in done["labels"]] == [3, 1]
    sale = shop.sale({"code": "tea", "qty": 1, "unit_price_minor": 499}, total_minor=499)
    shop.ok("till-1", "sale/commit", sale | {"print_receipt": True})
    rows = queued(shop)
    assert [row[:4] for row in rows[:4]] == [
        *[("shelf-label", "tea", "Product tea", "till-1")] * 3,
        ("shelf-label", "apples", "Product apples", "till-1"),
    ]
    assert rows[4][0] == "sale"
    assert rows[4][5] < rows[0][5]
    (noted,) = shop.audited("print.labels")
    assert noted["labels"] == {"tea": 3, "apples": 1}


def test_a_repeat_under_the_same_key_queues_nothing_more(shop: Shop) -> None:
    key = shop.id()
    first = shop.ask("till-1", "print/label", wanted("tea"), key=key)
    assert shop.ask("till-1", "print/label", wanted("tea"), key=key).text == first.text
    assert len(queued(shop)) == 1


@pytest.mark.parametrize(
    ("code", "expected"),
    [("nothing", "not-found"), ("4006381333930", "validation"), ("gone", "conflict"),
     ("unpriced", "conflict")],
)  # fmt: skip
def test_one_wrong_code_queues_none_and_names_itself(shop: Shop, code: str, expected: str) -> None:
    shop.product("gone", 100, active=False)
    shop.product("unpriced", None)
    with shop.unchanged():
        problem = shop.no("till-1", "print/label", wanted("tea", code))
    assert problem["code"] == expected
    assert problem["context"]["field"] == "labels.1.code"
    assert code in problem["detail"]
    assert "No label was queued" in problem["detail"]


def test_a_number_that_could_be_a_card_s_is_not_repeated(shop: Shop) -> None:
    problem = shop.no("till-1", "print/label", wanted("4111111111111111"))
    assert "4111111111111111" not in problem["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {"labels": []},
        {"labels": [{"code": "tea", "copies": 0}]},
        {"labels": [{"code": "tea", "copies": 21}]},
        {"labels": [{"code": "tea"}] * 51},
        {"labels": [{"code": "tea", "copies": 20}] * 6},
    ],
)
def test_a_request_is_bounded(shop: Shop, body: dict[str, Any]) -> None:
    assert shop.no("till-1", "print/label", body)["code"] == "validation"


def test_labels_that_wait_leave_room_for_receipts(shop: Shop) -> None:
    many = {"labels": [{"code": "tea", "copies": 20}] * 5}
    for _ in range(WAITING_MAX // 100):
        shop.ok("till-1", "print/label", many)
    problem = shop.no("till-1", "print/label", wanted("tea"))
    assert (problem["code"], problem["retryable"]) == ("conflict", False)
    sale = shop.sale({"code": "tea", "qty": 1, "unit_price_minor": 499}, total_minor=499)
    assert shop.ok("till-1", "sale/commit", sale | {"print_receipt": True})["receipt_printed"]


def test_whoever_handles_goods_prints_labels_and_nobody_else(shop: Shop) -> None:
    shop.sign_in("till-2", "anna")
    problem = shop.no("till-2", "print/label", wanted("tea"))
    assert problem["code"] == "forbidden"
    assert "stock.count" in problem["detail"]
    shop.staff({"cashier": SELLER | {"stock.count": None}, "manager": MANAGER})
    assert shop.ok("till-2", "print/label", wanted("tea"))
    assert shop.no("kiosk-1", "print/label", wanted("tea"))["code"] == "forbidden"
    assert shop.no("till-3", "print/label", wanted("tea"))["code"] == "unauthenticated"


def test_the_page_prints_them_on_a_certain_printer(shop: Shop) -> None:
    shop.peripheral("printer-labels")
    done = by_page(shop, "print/label", wanted("tea", printer_id="printer-labels"))
    assert done["ok"]
    assert queued(shop)[0][3:5] == ("", "printer-labels")


@pytest.mark.parametrize("name", ["scanner-1", "printer-9"])
def test_what_isn_t_a_printer_is_refused_with_those_that_are(shop: Shop, name: str) -> None:
    shop.peripheral("printer-labels")
    shop.peripheral("scanner-1", "scanner")
    sale = shop.sell("till-1", "tea", 1, 499)
    asked: tuple[tuple[str, dict[str, Any]], ...] = (
        ("print/label", wanted("tea")),
        ("print/reprint", {"sale_id": sale["sale_id"]}),
        ("print/gift-receipt", {"sale_id": sale["sale_id"]}),
        ("print/test", {}),
    )
    for address, body in asked:
        answer = by_page(shop, address, body | {"printer_id": name})
        assert answer["problem"]["code"] == "not-found", address
        assert answer["problem"]["context"]["printers"] == ["printer-labels"]
        assert "printer-labels" in answer["problem"]["detail"]
    assert queued(shop) == []
