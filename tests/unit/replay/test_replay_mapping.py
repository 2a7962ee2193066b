"""The mapping of real lines to our lines, rule by rule (docs/replay-mapping.md)."""

from __future__ import annotations

import uuid
from datetime import datetime

import pytest
from biip.gtin import Gtin
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import uuid7_wall_ms
from hub.domain.quantity import line_gross_minor
from scripts.replay_shop.baskets import ProductFacts, RealBasket, RealLine
from scripts.replay_shop.mapping import (
    Product,
    build_catalogue,
    extend_minor,
    gtin13,
    map_line,
    modal_price_minor,
    noise,
    plan_tenders,
    product_name,
    replay_uuid7,
)


def real(
    quantity: int = 1, sales: int = 100, retail: int = 0, coupon: int = 0, match: int = 0
) -> RealLine:
    return RealLine(7, quantity, sales, retail, coupon, match)


def product(price_minor: int = 100, scale: int = 0) -> Product:
    uom = "gal" if scale else "each"
    return Product("7", gtin13(7), "Thing", "grocery", uom, scale, price_minor)


def fuel_facts(product_id: int = 7) -> ProductFacts:
    return ProductFacts(product_id, "FUEL", "Private", "COUPON/MISC", "GASOLINE-REG UNLEADED", "")


def basket(*lines: RealLine) -> RealBasket:
    return RealBasket(1, 367, datetime(2017, 1, 1, 12), lines)  # noqa: DTZ001 - the shop's own


def test_the_catalogue_price_is_the_commonest_gross_unit_price() -> None:
    lines = [real(2, 200), real(1, 80, retail=20), real(1, 99), real(3, 150, retail=50, match=1)]
    assert modal_price_minor(lines, 0) == 100


def test_a_manufacturers_coupon_does_not_change_the_price() -> None:
    assert modal_price_minor([real(1, 100, coupon=50)], 0) == 100
    assert map_line(real(1, 100, coupon=50), product(100)).net_minor == 100


def test_a_tie_goes_to_the_higher_price() -> None:
    assert modal_price_minor([real(1, 90), real(1, 110)], 0) == 110


def test_lines_that_do_not_divide_vote_only_when_no_line_divides() -> None:
    assert modal_price_minor([real(3, 100), real(3, 100), real(1, 34)], 0) == 34
    assert modal_price_minor([real(3, 100), real(3, 100)], 0) == 33
    assert modal_price_minor([real(2, 101)], 0) == 51


def test_a_price_is_at_least_one_cent() -> None:
    assert modal_price_minor([real(0, 0), real(2, 0)], 0) == 1
    assert modal_price_minor([real(50, 20)], 0) == 1


def test_a_line_without_quantity_is_one_unit_and_prices_only_what_nothing_else_prices() -> None:
    assert modal_price_minor([real(0, 77)], 0) == 77
    assert modal_price_minor([real(0, 77), real(1, 50)], 0) == 50
    line = map_line(real(0, 0), product(1))
    assert (line.qty, line.discount_minor, line.net_minor) == (1, 1, 0)


def test_what_the_customer_did_not_pay_is_a_discount() -> None:
    line = map_line(real(3, 250), product(100))
    assert (line.override_price_minor, line.discount_minor, line.net_minor) == (None, 50, 250)
    assert line.reason is not None
    assert map_line(real(3, 300), product(100)).reason is None


def test_what_the_customer_paid_beyond_the_catalogue_is_an_override() -> None:
    line = map_line(real(3, 400), product(100))
    assert (line.override_price_minor, line.discount_minor, line.net_minor) == (134, 2, 400)


def test_petrol_is_sold_by_the_thousandth_of_a_gallon() -> None:
    lines = [real(29404, 6848, retail=294), real(1000, 243)]
    found = build_catalogue([basket(*lines)], {7: fuel_facts()})[7]
    assert (found.uom, found.scale, found.price_minor) == ("gal", 3, 243)
    line = map_line(lines[0], found)
    assert (line.qty, line.discount_minor, line.net_minor) == (29404, 7145 - 6848, 6848)


def test_petrol_rung_up_by_amount_stays_a_piece() -> None:
    found = build_catalogue([basket(real(1, 1000), real(1, 1000), real(1, 300))], {7: fuel_facts()})
    assert (found[7].uom, found[7].scale, found[7].price_minor) == ("each", 0, 1000)


def test_many_pieces_of_something_else_stay_pieces() -> None:
    found = build_catalogue([basket(real(120, 1200))], {})[7]
    assert (found.uom, found.price_minor) == ("each", 10)


@given(
    quantity=st.integers(0, 90_000),
    sales=st.integers(0, 100_000),
    price=st.integers(1, 50_000),
    scale=st.sampled_from([0, 3]),
)
def test_every_line_comes_to_the_data_sets_cent(
    quantity: int, sales: int, price: int, scale: int
) -> None:
    line = map_line(real(quantity, sales), product(price, scale))
    used = line.unit_price_minor if line.override_price_minor is None else line.override_price_minor
    assert line_gross_minor(used, line.qty, scale) - line.discount_minor == sales
    assert line.discount_minor >= 0
    assert line.qty == max(quantity, 1)
    if line.override_price_minor is not None:
        assert line.override_price_minor > price
        assert extend_minor(line.override_price_minor - 1, line.qty, scale) < sales


@given(st.integers(0, 10**9 - 1))
def test_gtins_are_valid_and_name_one_product(product_id: int) -> None:
    code = gtin13(product_id)
    parsed = Gtin.parse(code)
    assert parsed.as_gtin_13() == code
    assert code.startswith("952")
    assert int(code[3:12]) == product_id


def test_a_product_id_too_long_for_a_gtin_is_refused() -> None:
    with pytest.raises(ValueError, match="nine digits"):
        gtin13(10**9)


@given(st.integers(1, 2**40), st.integers(0, 100_000))
def test_tenders_cover_the_total_and_change_comes_from_cash(basket_id: int, total: int) -> None:
    tenders = plan_tenders(basket_id, total)
    paid = sum(tender.amount_minor for tender in tenders)
    assert all(tender.amount_minor > 0 for tender in tenders)
    assert paid >= total
    assert [tender.kind for tender in tenders] == ["cash"] or paid == total
    assert tenders == plan_tenders(basket_id, total)


def test_all_ways_to_pay_occur() -> None:
    kinds = {tuple(t.kind for t in plan_tenders(n, 1234)) for n in range(500)}
    assert kinds == {("card",), ("cash",), ("cash", "card")}
    assert plan_tenders(1, 0) == ()


def test_ids_are_uuid7_with_the_given_time_and_repeatable_noise() -> None:
    first = replay_uuid7("seed", 31198437603, 1_800_000_000_123, "sale")
    assert uuid7_wall_ms(first) == 1_800_000_000_123
    assert uuid.UUID(first).variant == uuid.RFC_4122
    assert first == replay_uuid7("seed", 31198437603, 1_800_000_000_123, "sale")
    later = replay_uuid7("seed", 31198437603, 1_800_000_000_124, "sale")
    assert later.split("-")[3:] == first.split("-")[3:]
    others = {
        noise("seed", 31198437603, "payment"),
        noise("seed", 31198437604, "sale"),
        noise("other", 31198437603, "sale"),
        noise("seed", 31198437603, "payment", 1),
        noise("seed", 31198437603, "sale"),
    }
    assert len(others) == 5


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        (None, "Counter Item 7"),
        (ProductFacts(7, "MISC", "National", "", "", ""), "Misc"),
        (
            ProductFacts(7, "PASTRY", "Private", "BREAD", "BREAD:ITALIAN/FRENCH", "16 OZ"),
            "Own Brand Bread Italian / French 16 oz",
        ),
        (ProductFacts(7, "G", "National", "C", "SUPER PREM (", ""), "Super Prem"),
    ],
)
def test_names_are_fit_for_a_receipt(facts: ProductFacts | None, name: str) -> None:
    assert product_name(7, facts) == name
