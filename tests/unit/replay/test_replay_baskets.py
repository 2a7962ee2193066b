"""Reading real baskets: exact cents, order, days.  The figures are those of the data set."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from hub.contract.base import MAX_LINES
from hub.contract.oms_datasets import ROW_MODELS, row_key
from hub.contract.sale import SaleLine
from hub.domain.basket import Line, Tender, TenderKind, settle, totals
from hub.domain.tax import TaxMode, TaxPolicy, TaxRate
from scripts.replay_shop.baskets import (
    NotCentsError,
    RealBasket,
    cents,
    first_days,
    read_baskets,
    read_products,
    trading_days,
)
from scripts.replay_shop.datasets import (
    TAX_RATE_PPM,
    cashiers,
    catalog_rows,
    staff_rows,
    write_datasets,
)
from scripts.replay_shop.mapping import (
    Product,
    build_catalogue,
    map_basket,
    opening_stock,
)

pytestmark = pytest.mark.xdist_group("replay-baskets")

STORE = 367


@pytest.fixture(scope="module")
def year() -> list[RealBasket]:
    return read_baskets(STORE)


@pytest.fixture(scope="module")
def catalogue(year: list[RealBasket]) -> dict[int, Product]:
    wanted = {line.product_id for basket in year for line in basket.lines}
    return build_catalogue(year, read_products(wanted))


@pytest.mark.parametrize(
    ("dollars", "expected"),
    [
        (0.0, 0),
        (1.29, 129),
        (2.220446e-16, 0),
        (0.29, 29),
        (840.0, 84000),
        (1.1499999999999999, 115),
    ],
)
def test_dollars_become_cents_without_float_arithmetic(dollars: float, expected: int) -> None:
    assert cents(dollars) == expected


@pytest.mark.parametrize("dollars", [0.005, 1.2901, 3.00000002])
def test_a_value_that_is_not_whole_cents_is_refused(dollars: float) -> None:
    with pytest.raises(NotCentsError, match="expected a whole number of cents"):
        cents(dollars)


def test_the_year_of_the_store_is_complete_and_in_order(year: list[RealBasket]) -> None:
    assert len(year) == 4194
    assert sum(len(basket.lines) for basket in year) == 41334
    assert sum(basket.sales_minor for basket in year) == 14_816_967
    assert len(trading_days(year)) == 360
    assert [basket.at for basket in year] == sorted(basket.at for basket in year)
    assert len({basket.basket_id for basket in year}) == len(year)


def test_days_are_the_first_days_on_which_the_store_sold(year: list[RealBasket]) -> None:
    assert len(first_days(year, 7)) == 67
    month = first_days(year, 30)
    assert len(month) == 351
    assert sum(len(basket.lines) for basket in month) == 3421
    assert month[-1].at.date() == date(2017, 1, 30)
    assert first_days(year, None) == year
    assert first_days(year, 5000) == year
    with pytest.raises(ValueError, match="at least 1"):
        first_days(year, 0)


def test_an_unknown_store_has_no_baskets() -> None:
    assert read_baskets(10**9) == []


def test_every_basket_of_the_year_can_be_sold(
    year: list[RealBasket], catalogue: dict[int, Product]
) -> None:
    for basket in year:
        sale = map_basket(basket, catalogue)
        assert sale.total_minor == basket.sales_minor
        assert sum(line.net_minor for line in sale.lines) == sale.total_minor
        assert sum(tender.amount_minor for tender in sale.tenders) >= sale.total_minor
        assert all(line.qty > 0 and line.unit_price_minor > 0 for line in sale.lines)
        assert all(line.discount_minor >= 0 for line in sale.lines)
        assert len({line.sku for line in sale.lines}) == len(sale.lines)


def test_gtins_are_unique_in_the_catalogue(catalogue: dict[int, Product]) -> None:
    assert len({product.gtin for product in catalogue.values()}) == len(catalogue) == 13_286


def test_opening_stock_covers_the_period_with_a_margin(
    year: list[RealBasket], catalogue: dict[int, Product]
) -> None:
    sales = [map_basket(basket, catalogue) for basket in first_days(year, 30)]
    stock = opening_stock(sales)
    sold = dict.fromkeys(stock, 0)
    for sale in sales:
        for line in sale.lines:
            sold[line.sku] += line.qty
    assert all(stock[sku] >= sold[sku] + 10 for sku in sold)


def test_datasets_are_the_same_bytes_for_the_same_seed(
    tmp_path: Path, catalogue: dict[int, Product]
) -> None:
    few = dict(list(catalogue.items())[:50])
    one = write_datasets(tmp_path / "one", few, seed="s", tills=2)
    two = write_datasets(tmp_path / "two", few, seed="s", tills=2)
    assert set(one) == {"catalog", "prices", "taxes", "staff", "policies"}
    for name, path in one.items():
        assert path.read_bytes() == two[name].read_bytes()
    row = json.loads(one["catalog"].read_text().splitlines()[0])
    assert set(row) == set(catalog_rows(few)[0])
    assert len(row["barcodes"][0]) == 14


def test_cashiers_can_sign_in_and_may_change_prices() -> None:
    from argon2 import PasswordHasher

    rows = staff_rows("s", 2)
    cashier = cashiers(2)[1]
    role = next(row for row in rows if row["kind"] == "role" and row["role"] == "cashier")
    person = next(row for row in rows if row.get("staff_id") == cashier.staff_id)
    assert isinstance(role["permissions"], dict)
    assert {"price.override", "sale.discount"} <= set(role["permissions"])
    assert all(limit is None for limit in role["permissions"].values())
    assert PasswordHasher().verify(str(person["pin_hash"]), cashier.pin)


def test_datasets_fit_the_cloud_contract(tmp_path: Path, catalogue: dict[int, Product]) -> None:
    files = write_datasets(tmp_path, catalogue, seed="s", tills=3)
    for name in ("catalog", "prices", "taxes", "staff", "policies"):
        rows = [json.loads(line) for line in files[name].read_text().splitlines()]
        keys = [row_key(name, row) for row in rows]
        assert len(set(keys)) == len(keys)
        kinds = {
            model.model_fields["kind"].default if "kind" in model.model_fields else None: model
            for model in ROW_MODELS[name]
        }
        for row in rows:
            model = kinds[row.get("kind")]
            model.model_validate(row)
            assert row.keys() <= model.model_fields.keys()


def test_every_basket_of_the_year_is_a_sale_the_device_contract_allows(
    year: list[RealBasket], catalogue: dict[int, Product]
) -> None:
    for basket in year:
        sale = map_basket(basket, catalogue)
        for line in sale.lines:
            SaleLine(
                code=line.gtin,
                qty=line.qty,
                unit_price_minor=line.unit_price_minor,
                override_price_minor=line.override_price_minor,
                discount_minor=line.discount_minor,
                reason=line.reason,
            )
        assert len(sale.lines) <= MAX_LINES
        assert [tender.kind for tender in sale.tenders] == ["cash"] or sale.change_minor == 0


def test_the_rules_of_the_shop_accept_every_basket_of_the_year(
    year: list[RealBasket], catalogue: dict[int, Product]
) -> None:
    policy = TaxPolicy(TaxMode.INCLUSIVE)
    rates = {"food": TaxRate("food", TAX_RATE_PPM)}
    for basket in year:
        sale = map_basket(basket, catalogue)
        lines = [
            Line(
                line.sku,
                line.qty,
                line.scale,
                line.unit_price_minor,
                "food",
                line.override_price_minor,
                line.discount_minor,
            )
            for line in sale.lines
        ]
        sums = totals(lines, policy, rates)
        assert sums.total_minor == sale.total_minor == basket.sales_minor
        assert [amount.net_minor for amount in sums.lines] == [n.net_minor for n in sale.lines]
        tenders = [Tender(TenderKind(one.kind), one.amount_minor) for one in sale.tenders]
        assert settle(sale.total_minor, tenders).change_minor == sale.change_minor
