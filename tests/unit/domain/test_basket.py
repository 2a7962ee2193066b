"""What a basket costs, how it is paid, and who may change it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.basket import (
    BASKET_TRANSITIONS,
    BasketEvent,
    BasketHead,
    BasketState,
    CashRounding,
    Line,
    Tender,
    TenderKind,
    advance,
    check_owner_and_version,
    check_price,
    line_amounts,
    percent_off_minor,
    reduction_ppm,
    settle,
    settle_refund,
    totals,
)
from hub.domain.errors import Code, Conflict, DomainError, Invalid
from hub.domain.money import Rounding
from hub.domain.tax import TaxMode, TaxPolicy, TaxRate, TaxScope

RATES = {"full": TaxRate("full", 190_000), "food": TaxRate("food", 70_000)}
FIVE_CENTS = CashRounding(5)


def cash(amount: int) -> Tender:
    return Tender(TenderKind.CASH, amount)


def card(amount: int) -> Tender:
    return Tender(TenderKind.CARD, amount)


def test_a_line_is_quantity_times_price_less_discount() -> None:
    amounts = line_amounts(Line("A", 3, 0, 250, "full", discount_minor=100))
    assert (amounts.gross_minor, amounts.net_minor, amounts.override_minor) == (750, 650, 0)


def test_an_override_replaces_the_price_and_says_what_it_takes_off() -> None:
    amounts = line_amounts(Line("A", 3, 0, 250, "full", override_price_minor=200))
    assert (amounts.gross_minor, amounts.override_minor) == (600, 150)


@pytest.mark.parametrize(
    "line",
    [
        Line("A", 0, 0, 100, "full"),
        Line("A", -1, 0, 100, "full"),
        Line("A", 1, 0, -100, "full"),
        Line("A", 1, 0, 100, "full", override_price_minor=-1),
        Line("A", 1, 0, 100, "full", discount_minor=101),
        Line("A", 1, 0, 100, "full", discount_minor=-1),
        Line("A", 1, 0, 10**17, "full"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(line: Line) -> None:
    with pytest.raises(Invalid):
        line_amounts(line)


lines_st = st.lists(
    st.builds(
        Line,
        sku=st.just("A"),
        qty=st.integers(1, 5000),
        scale=st.sampled_from([0, 3]),
        list_price_minor=st.integers(0, 100_000),
        tax_code=st.sampled_from(["full", "food"]),
    ),
    max_size=20,
)
policies = st.builds(
    TaxPolicy, st.sampled_from(TaxMode), st.sampled_from(TaxScope), st.sampled_from(Rounding)
)


@given(lines_st, policies, st.data())
def test_totals_are_the_sums_of_their_lines(
    lines: list[Line], policy: TaxPolicy, data: st.DataObject
) -> None:
    discounted = [
        replace(line, discount_minor=data.draw(st.integers(0, line_amounts(line).gross_minor)))
        for line in lines
    ]
    result = totals(discounted, policy, RATES)
    assert result.net_minor == result.gross_minor - result.discount_minor
    assert all(amount.net_minor >= 0 for amount in result.lines)
    added = result.tax.tax_minor if policy.mode is TaxMode.EXCLUSIVE else 0
    assert result.total_minor == result.net_minor + added


def test_a_percentage_is_turned_into_an_amount_and_back() -> None:
    assert percent_off_minor(999, 100_000, Rounding.HALF_UP) == 100
    assert reduction_ppm(1000, 100) == 100_000
    assert reduction_ppm(999, 100) == 100_101  # rounded up: a maximum is never slipped under
    assert reduction_ppm(0, 1) == 1_000_000
    assert reduction_ppm(100, -5) == 0
    with pytest.raises(Invalid):
        percent_off_minor(999, 1_000_001, Rounding.HALF_UP)


def test_another_price_than_the_hubs_is_refused_with_the_hubs_price() -> None:
    check_price(100, 100, "total")
    with pytest.raises(DomainError) as refusal:
        check_price(99, 100, "total")
    assert refusal.value.code is Code.PRICE_CHANGED
    assert refusal.value.context["expected_minor"] == 100


@pytest.mark.parametrize(
    ("total", "tenders", "rounding", "change", "line"),
    [
        (1000, [cash(1000)], FIVE_CENTS, 0, 0),
        (998, [cash(1000)], FIVE_CENTS, 0, 2),
        (997, [cash(1000)], FIVE_CENTS, 5, -2),
        (1002, [cash(1000)], FIVE_CENTS, 0, -2),
        (1003, [card(1003)], FIVE_CENTS, 0, 0),  # cards pay to the cent
        (1003, [card(500), cash(510)], FIVE_CENTS, 5, 2),
        (1003, [cash(510), card(500)], FIVE_CENTS, 5, 2),
        (2, [cash(0)], FIVE_CENTS, 0, -2),
        (0, [], FIVE_CENTS, 0, 0),
        (0, [cash(0)], FIVE_CENTS, 0, 0),
        (999, [cash(2000)], CashRounding(), 1001, 0),
    ],
)
def test_change_and_rounding_come_from_the_cash_part_only(
    total: int, tenders: list[Tender], rounding: CashRounding, change: int, line: int
) -> None:
    settlement = settle(total, tenders, rounding)
    assert (settlement.change_minor, settlement.rounding_minor) == (change, line)


@pytest.mark.parametrize(
    ("total", "tenders"),
    [
        (1000, []),
        (1000, [cash(999)]),
        (1000, [card(999)]),
        (1000, [card(1001)]),
        (1000, [card(1000), cash(5)]),
        (1000, [card(1500), cash(5)]),
        (1000, [card(0), cash(1000)]),
        (1000, [cash(-5), cash(1005)]),
        (1000, [card(-5), cash(1005)]),
        (-1, [cash(0)]),
    ],
)
def test_a_payment_that_does_not_fit_is_refused(total: int, tenders: list[Tender]) -> None:
    with pytest.raises(Invalid):
        settle(total, tenders)


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7), st.integers(1, 100))
def test_tenders_equal_total_plus_rounding_plus_change(
    total: int, by_card: int, by_cash: int, step: int
) -> None:
    tenders = [card(by_card)] * bool(by_card) + [cash(by_cash)]
    try:
        settlement = settle(total, tenders, CashRounding(step))
    except Invalid:
        return
    assert by_card + by_cash == total + settlement.rounding_minor + settlement.change_minor
    assert abs(settlement.rounding_minor) * 2 <= step
    assert settlement.change_minor >= 0
    assert settlement.cash_minor == by_cash - settlement.change_minor


def test_a_refund_is_paid_out_exactly() -> None:
    assert settle_refund(1003, [card(1003)], FIVE_CENTS).rounding_minor == 0
    assert settle_refund(1003, [cash(1005)], FIVE_CENTS).rounding_minor == 2
    assert settle_refund(1003, [card(1000), cash(5)], FIVE_CENTS).cash_minor == 5
    assert settle_refund(0, []).cash_minor == 0
    for payouts in ([cash(1003)], [card(1004)], [card(1000)], [card(900), cash(100)], []):
        with pytest.raises(Invalid, match="equal"):
            settle_refund(1003, payouts, FIVE_CENTS)


def test_only_the_owner_with_the_latest_version_changes_a_basket() -> None:
    head = BasketHead("till-1", 4)
    check_owner_and_version(head, "till-1", 4)
    with pytest.raises(Conflict, match="till-1 has this basket"):
        check_owner_and_version(head, "till-2", 4)
    with pytest.raises(Conflict, match="version 4"):
        check_owner_and_version(head, "till-1", 3)


def test_the_second_till_to_resume_is_told_who_was_first() -> None:
    suspended = BasketHead("till-1", 7, BasketState.SUSPENDED)
    resumed = advance(suspended, BasketEvent.RESUME, "till-2", 7)
    assert (resumed.owner, resumed.version, resumed.state) == ("till-2", 8, BasketState.OPEN)
    with pytest.raises(Conflict, match="till-2 has it") as refusal:
        advance(resumed, BasketEvent.RESUME, "till-3", 7)
    assert refusal.value.context["owner"] == "till-2"


@pytest.mark.parametrize(("state", "event"), [*product(BasketState, BasketEvent)])
def test_every_pair_of_state_and_event_is_decided(state: BasketState, event: BasketEvent) -> None:
    head = BasketHead("till-1", 1, state)
    if (state, event) in BASKET_TRANSITIONS:
        after = advance(head, event, "till-1", 1)
        assert (after.state, after.version) == (BASKET_TRANSITIONS[state, event], 2)
        with pytest.raises(Conflict):
            advance(head, event, "till-1", 9)
    else:
        with pytest.raises(Conflict) as refusal:
            advance(head, event, "till-1", 1)
        assert refusal.value.context["state"] == state
