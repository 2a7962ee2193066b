"""Amounts split, share and round without a cent lost."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.errors import Code, DomainError
from hub.domain.money import (
    CURRENCY_EXPONENTS,
    MAX_MONEY_MINOR,
    Rounding,
    allocate,
    check_money,
    cumulative_share,
    currency_exponent,
    divide,
    format_minor,
    round_cash,
    spread,
)

amounts = st.integers(-MAX_MONEY_MINOR, MAX_MONEY_MINOR)


@pytest.mark.parametrize(
    ("numerator", "denominator", "half_up", "half_even", "down"),
    [
        (5, 2, 3, 2, 2),
        (-5, 2, -3, -2, -2),
        (5, -2, -3, -2, -2),
        (7, 2, 4, 4, 3),
        (1, 3, 0, 0, 0),
        (2, 3, 1, 1, 0),
        (0, 9, 0, 0, 0),
        (-2, -4, 1, 0, 0),
    ],
)
def test_a_quotient_is_rounded_as_the_policy_says(
    numerator: int, denominator: int, half_up: int, half_even: int, down: int
) -> None:
    assert divide(numerator, denominator, Rounding.HALF_UP) == half_up
    assert divide(numerator, denominator, Rounding.HALF_EVEN) == half_even
    assert divide(numerator, denominator, Rounding.DOWN) == down


@given(amounts, st.integers(-(10**9), 10**9).filter(bool), st.sampled_from(Rounding))
def test_rounding_never_strays_further_than_it_may(n: int, d: int, rounding: Rounding) -> None:
    exact = Fraction(n, d)
    error = abs(divide(n, d, rounding) - exact)
    assert error < 1 if rounding is Rounding.DOWN else error <= Fraction(1, 2)
    assert divide(-n, d, rounding) == -divide(n, d, rounding)


def test_division_by_zero_is_a_fault_of_the_program() -> None:
    with pytest.raises(ZeroDivisionError):
        divide(1, 0, Rounding.DOWN)


@given(amounts, st.lists(st.integers(0, 10**12), min_size=1, max_size=40).filter(any))
def test_parts_sum_to_the_total_and_stay_next_to_their_exact_share(
    total: int, weights: list[int]
) -> None:
    parts = allocate(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1
        assert weight or part == 0


def test_equal_remainders_go_to_the_earlier_part() -> None:
    assert allocate(100, [1, 1, 1]) == (34, 33, 33)
    assert allocate(-100, [1, 1, 1]) == (-34, -33, -33)
    assert allocate(2, [1, 1, 1]) == (1, 1, 0)
    assert allocate(0, []) == ()
    assert allocate(0, [0, 0]) == (0, 0)


@pytest.mark.parametrize(("total", "weights"), [(1, [0]), (1, []), (5, [3, -1])])
def test_a_split_over_nothing_is_refused(total: int, weights: list[int]) -> None:
    with pytest.raises(DomainError) as refusal:
        allocate(total, weights)
    assert refusal.value.code is Code.VALIDATION


def test_a_total_that_its_parts_cannot_make_is_refused() -> None:
    with pytest.raises(DomainError):
        spread(3, [1, 1], 2)


@given(amounts, st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any))
def test_shares_add_up_exactly_whatever_the_parts(total: int, parts: list[int]) -> None:
    whole, done, given_so_far = sum(parts), 0, 0
    for part in parts:
        share = cumulative_share(total, whole, done, part)
        assert share * total >= 0  # monotone: no share has the wrong sign
        given_so_far += share
        done += part
        assert abs(given_so_far) <= abs(total)
    assert given_so_far == total


@pytest.mark.parametrize(
    ("whole", "before", "part"), [(0, 0, 0), (3, 2, 2), (3, -1, 1), (3, 1, -1)]
)
def test_more_than_the_whole_is_refused(whole: int, before: int, part: int) -> None:
    with pytest.raises(DomainError):
        cumulative_share(100, whole, before, part)


@pytest.mark.parametrize(
    ("amount", "step", "rounded"),
    [(1, 5, 0), (2, 5, 0), (3, 5, 5), (7, 5, 5), (8, 5, 10), (-8, 5, -10), (1234, 1, 1234)],
)
def test_cash_is_rounded_to_the_smallest_coin(amount: int, step: int, rounded: int) -> None:
    assert round_cash(amount, step) == rounded


def test_a_cash_step_below_one_is_refused() -> None:
    with pytest.raises(DomainError):
        round_cash(10, 0)


def test_exponents_follow_iso_4217() -> None:
    assert len(CURRENCY_EXPONENTS) >= 165
    assert [currency_exponent(c) for c in ("USD", "JPY", "KWD", "ISK", "CLF", "HUF")] == [
        2, 0, 3, 0, 4, 2,
    ]  # fmt: skip
    assert all(len(code) == 3 and code.isupper() for code in CURRENCY_EXPONENTS)
    with pytest.raises(DomainError, match="ISO 4217"):
        currency_exponent("eur")


def test_amounts_are_written_with_their_own_decimals() -> None:
    assert format_minor(1234, "USD") == "12.34 USD"
    assert format_minor(-5, "KWD") == "-0.005 KWD"
    assert format_minor(1234, "JPY") == "1234 JPY"


def test_amounts_beyond_what_a_browser_counts_exactly_are_refused() -> None:
    assert check_money(-MAX_MONEY_MINOR) == -MAX_MONEY_MINOR
    for amount in (MAX_MONEY_MINOR + 1, -MAX_MONEY_MINOR - 1):
        with pytest.raises(DomainError):
            check_money(amount)
