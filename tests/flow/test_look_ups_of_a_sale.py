"""What a sale looks up: a price holds from its instant to its end, whatever was sold just now."""

from __future__ import annotations

import pytest

from hub.service import books, ledger
from hub.service.books import Books
from hub.storage import stockrows
from tests.support.shop import Shop

GTIN = "4006381333931"


def price(shop: Shop, sku: str, minor: int, from_ms: int = 0, to_ms: int | None = None) -> None:
    """One more row of the price dataset, which counts the change."""
    shop.run("INSERT INTO prices VALUES (1, ?, ?, ?, ?)", sku, from_ms, to_ms, minor)
    shop.run("UPDATE datasets SET changes = changes + 1 WHERE dataset = 'prices'")


def test_a_price_known_beforehand_comes_and_goes_at_its_instants(shop: Shop) -> None:
    now_ms = shop.clock.wall_ms()
    price(shop, "tea", 399, now_ms + 60_000, now_ms + 120_000)
    shop.sell("till-1", "tea", 1, 499)

    shop.clock.advance(59.999)
    shop.sell("till-1", "tea", 1, 499)
    shop.clock.advance(0.001)
    shop.sell("till-1", "tea", 1, 399)
    shop.clock.advance(59.999)
    shop.sell("till-1", "tea", 1, 399)
    shop.clock.advance(0.001)
    shop.sell("till-1", "tea", 1, 499)


def test_a_wall_clock_that_is_put_back_has_the_price_looked_up_again(shop: Shop) -> None:
    now_ms = shop.clock.wall_ms()
    price(shop, "tea", 399, now_ms + 60_000)
    shop.clock.advance(61)
    shop.sell("till-1", "tea", 1, 399)

    shop.clock.jump_wall(-60)

    shop.sell("till-1", "tea", 1, 499)


def test_a_change_of_the_catalogue_counts_from_the_next_sale_on(shop: Shop) -> None:
    shop.product("coffee", 799, stock=10, gtin=GTIN)
    line = {"code": GTIN, "qty": 1, "unit_price_minor": 799}
    shop.ok("till-1", "sale/commit", shop.sale(line, total_minor=799))

    shop.product("decaf", 899, stock=10, gtin=GTIN)

    found = shop.no("till-1", "sale/commit", shop.sale(line, total_minor=799))
    assert (found["code"], found["context"]["expected_minor"]) == ("price-changed", 899)
    shop.product("decaf", 899, gtin=GTIN, active=False)
    line["unit_price_minor"] = 899
    assert shop.no("till-1", "sale/commit", shop.sale(line, total_minor=899))["code"] == "conflict"


def test_a_code_that_is_unknown_is_looked_up_again_every_time(shop: Shop) -> None:
    line = {"code": "cocoa", "qty": 1, "unit_price_minor": 699}
    assert shop.no("till-1", "sale/commit", shop.sale(line, total_minor=699))["code"] == "not-found"

    shop.product("cocoa", 699, stock=1)

    shop.ok("till-1", "sale/commit", shop.sale(line, total_minor=699))


def test_the_books_keep_a_bounded_number_of_products(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "FOUND_MAX", 3)
    for number in range(5):
        shop.product(f"p{number}", 100)
    book = Books("EUR")
    shelf = book.opened(shop.rows, shop.clock.wall_ms())

    names = [shelf.find(f"p{number}").product.sku for number in range(5)]

    assert names == [f"p{number}" for number in range(5)]
    assert list(shelf.known) == ["p2", "p3", "p4"]
    assert shelf.find("p4") is shelf.find("p4")


def test_a_full_queue_makes_nobody_read_the_books_again(shop: Shop) -> None:
    shop.sell("till-1", "tea", 1, 499)
    known = shop.gate._write_books
    shop.core.queue_limit = 0
    line = {"code": "tea", "qty": 1, "unit_price_minor": 499}

    assert shop.no("till-1", "sale/commit", shop.sale(line, total_minor=499))["code"] == "busy"

    assert shop.gate._write_books is known


def test_too_little_on_the_shelf_is_found_before_anything_is_written(shop: Shop) -> None:
    words: list[str] = []
    line = {"code": "tea", "qty": 99, "unit_price_minor": 499}
    shop.sell("till-1", "tea", 1, 499)

    shop.core.conn.set_trace_callback(lambda sql: words.append(sql.split()[0]))
    found = shop.no("till-1", "sale/commit", shop.sale(line, total_minor=99 * 499))
    shop.core.conn.set_trace_callback(None)

    assert found["code"] == "insufficient-stock"
    assert [word for word in words if word != "SELECT"] == ["BEGIN", "INSERT", "COMMIT"]


@pytest.mark.parametrize("products", [1, stockrows.FEW, stockrows.FEW + 1])
def test_a_sale_of_few_and_of_many_products_takes_each_off_its_shelf(
    shop: Shop, products: int
) -> None:
    skus = [f"p{number}" for number in range(products)]
    for sku in skus:
        shop.product(sku, 100, stock=3)
    lines = [{"code": sku, "qty": 2, "unit_price_minor": 100} for sku in skus]

    shop.ok("till-1", "sale/commit", shop.sale(*lines, total_minor=200 * products))

    assert {shop.level(sku)["sellable"] for sku in skus} == {1}
    assert ledger.verify(shop.rows).whole
