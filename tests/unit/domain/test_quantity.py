"""Quantities, their bounds, and what they cost."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.errors import DomainError
from hub.domain.money import Rounding
from hub.domain.quantity import (
    MAX_QTY,
    Quantity,
    check_positive_qty,
    format_qty,
    line_gross_minor,
)


@pytest.mark.parametrize(
    ("price", "qty", "scale", "gross"),
    [(199, 455, 3, 91), (199, 3, 0, 597), (100, 5, 3, 1), (100, -5, 3, -1), (0, 7, 0, 0)],
)
def test_a_line_costs_its_quantity_times_the_price_of_one_whole_unit(
    price: int, qty: int, scale: int, gross: int
) -> None:
    assert line_gross_minor(price, qty, scale) == gross


@given(st.integers(0, 10**6), st.integers(-(10**6), 10**6), st.integers(0, 6))
def test_a_line_is_within_half_a_minor_unit_of_the_exact_price(
    price: int, qty: int, scale: int
) -> None:
    exact = Fraction(price * qty, 10**scale)
    assert abs(line_gross_minor(price, qty, scale, Rounding.HALF_EVEN) - exact) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("price", "qty", "scale"),
    [(1, MAX_QTY + 1, 0), (10**16, 1, 0), (10**15, 10, 0), (1, 1, 7), (1, 1, -1)],
)
def test_amounts_and_quantities_out_of_bounds_are_refused(price: int, qty: int, scale: int) -> None:
    with pytest.raises(DomainError):
        line_gross_minor(price, qty, scale)


def test_a_quantity_of_nothing_is_refused_where_something_must_move() -> None:
    assert check_positive_qty(1) == 1
    for qty in (0, -1, MAX_QTY + 1):
        with pytest.raises(DomainError):
            check_positive_qty(qty)


def test_quantities_are_written_in_whole_units() -> None:
    assert str(Quantity(455, "kg", 3)) == "0.455 kg"
    assert format_qty(-12, 0) == "-12"
    with pytest.raises(DomainError):
        Quantity(MAX_QTY + 1, "each", 0)
