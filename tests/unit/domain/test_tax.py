"""Tax per line and per total, and what comes back."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.errors import DomainError
from hub.domain.money import Rounding, divide
from hub.domain.tax import (
    PPM,
    TaxableLine,
    TaxMode,
    TaxPolicy,
    TaxRate,
    TaxScope,
    compute,
    refund_amount_minor,
    refund_tax_minor,
)

RATES = {
    "full": TaxRate("full", 190_000, "19%"),
    "food": TaxRate("food", 70_000, "7%"),
    "odd": TaxRate("odd", 88_750, "8.875%"),
    "none": TaxRate("none", 0, "0%"),
}
policies = st.builds(
    TaxPolicy, st.sampled_from(TaxMode), st.sampled_from(TaxScope), st.sampled_from(Rounding)
)
baskets = st.lists(
    st.builds(TaxableLine, st.integers(-(10**7), 10**7), st.sampled_from(sorted(RATES))),
    max_size=30,
)


def test_a_price_that_includes_tax_is_taken_apart() -> None:
    result = compute([TaxableLine(1190, "full")], TaxPolicy(), RATES)
    assert (result.base_minor, result.tax_minor, result.due_minor) == (1000, 190, 1190)


def test_a_price_without_tax_has_it_added() -> None:
    result = compute([TaxableLine(1000, "full")], TaxPolicy(TaxMode.EXCLUSIVE), RATES)
    assert (result.base_minor, result.tax_minor, result.due_minor) == (1000, 190, 1190)


def test_rounding_per_total_and_per_line_differ_by_the_halves() -> None:
    lines = [TaxableLine(50, "odd")] * 3  # 4.4375 each, 13.3125 together
    per_line = compute(lines, TaxPolicy(TaxMode.EXCLUSIVE), RATES)
    per_total = compute(lines, TaxPolicy(TaxMode.EXCLUSIVE, TaxScope.PER_TOTAL), RATES)
    assert [line.tax_minor for line in per_line.lines] == [4, 4, 4]
    assert [line.tax_minor for line in per_total.lines] == [5, 4, 4]


def test_sums_are_stated_per_code_in_order_of_appearance() -> None:
    lines = [TaxableLine(107, "food"), TaxableLine(119, "full"), TaxableLine(214, "food")]
    result = compute(lines, TaxPolicy(), RATES)
    assert [(c.tax_code, c.name, c.base_minor, c.tax_minor) for c in result.by_code] == [
        ("food", "7%", 300, 21),
        ("full", "19%", 100, 19),
    ]


@given(baskets, policies)
def test_lines_codes_and_totals_always_agree(lines: list[TaxableLine], policy: TaxPolicy) -> None:
    result = compute(lines, policy, RATES)
    assert sum(line.tax_minor for line in result.lines) == result.tax_minor
    assert sum(code.tax_minor for code in result.by_code) == result.tax_minor
    assert sum(code.base_minor for code in result.by_code) == result.base_minor
    assert result.base_minor + result.tax_minor == result.due_minor
    for line, taxed in zip(lines, result.lines, strict=True):
        assert taxed.base_minor + taxed.tax_minor == taxed.due_minor
        kept = taxed.due_minor if policy.mode is TaxMode.INCLUSIVE else taxed.base_minor
        assert kept == line.net_minor
        whole = PPM + (taxed.rate_ppm if policy.mode is TaxMode.INCLUSIVE else 0)
        assert abs(taxed.tax_minor - Fraction(line.net_minor * taxed.rate_ppm, whole)) < 1
        assert taxed.rate_ppm or taxed.tax_minor == 0


@given(baskets, st.sampled_from(TaxMode), st.sampled_from(Rounding))
def test_per_total_the_tax_of_a_code_is_that_of_its_sum(
    lines: list[TaxableLine], mode: TaxMode, rounding: Rounding
) -> None:
    result = compute(lines, TaxPolicy(mode, TaxScope.PER_TOTAL, rounding), RATES)
    for code in result.by_code:
        net = sum(line.net_minor for line in lines if line.tax_code == code.tax_code)
        whole = PPM + (code.rate_ppm if mode is TaxMode.INCLUSIVE else 0)
        assert code.tax_minor == divide(net * code.rate_ppm, whole, rounding)


@given(
    st.integers(0, 10**9),
    st.integers(0, 10**8),
    st.lists(st.integers(1, 50), min_size=1),
    st.data(),
)
def test_partial_refunds_add_up_to_the_original_in_any_order(
    due: int, tax: int, parts: list[int], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(parts))
    sold, before, money, taxes = sum(parts), 0, 0, 0
    for qty in order:
        money += refund_amount_minor(due, sold, before, qty)
        taxes += refund_tax_minor(tax, sold, before, qty)
        before += qty
    assert (money, taxes) == (due, tax)


def test_more_than_was_sold_cannot_come_back() -> None:
    with pytest.raises(DomainError, match="at most 1"):
        refund_tax_minor(100, 3, 2, 2)


def test_an_unknown_tax_code_is_never_guessed() -> None:
    with pytest.raises(DomainError, match="tax dataset"):
        compute([TaxableLine(1, "???")], TaxPolicy(), RATES)


@pytest.mark.parametrize("rate", [-1, 10_000_001])
def test_an_absurd_rate_is_refused(rate: int) -> None:
    with pytest.raises(DomainError):
        TaxRate("x", rate)
