"""The table of an order's states, and how reservations cover its lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.errors import Conflict
from hub.domain.orders import (
    CLOSED,
    GONE,
    OPEN,
    RESERVING,
    TOLD,
    TRANSITIONS,
    OrderEvent,
    OrderKind,
    OrderState,
    Wanted,
    advance,
    cover,
    free_for_orders,
    total_of,
)
from hub.domain.stock import StockRow, counter_sellable


def test_every_state_is_reached_and_every_open_one_can_end() -> None:
    reached = {after for after, _ in TRANSITIONS.values()} | {OrderState.ASSIGNED}
    assert reached == set(OrderState)
    for state in OPEN:
        for event in (OrderEvent.CANCEL, OrderEvent.EXPIRE):
            assert advance(OrderKind.PICKUP, state, event) in CLOSED


def test_no_order_that_ended_opens_again_or_gives_goods_out() -> None:
    for (state, _), (after, _) in TRANSITIONS.items():
        if state in CLOSED:
            assert state is OrderState.EXPIRED
            assert after in (OrderState.CANCELLED, OrderState.RESTOCKED)
    assert not set(GONE) & RESERVING


def test_the_way_of_an_order_in_the_shop_is_whole_for_both_kinds() -> None:
    pickup = ("accept", "pick", "stage", "make_ready", "arrive", "hand_over")
    ship = ("accept", "pick", "pack", "ship")
    for kind, events, end in (
        (OrderKind.PICKUP, pickup, OrderState.HANDED_OVER),
        (OrderKind.SHIP, ship, OrderState.SHIPPED),
    ):
        state = OrderState.ASSIGNED
        for event in events:
            state = advance(kind, state, OrderEvent(event))
        assert state is end


@pytest.mark.parametrize(
    ("kind", "state", "word"),
    [
        ("pickup", "accepted", "shipped"),
        ("ship", "accepted", "handed_over"),
        ("pickup", "cancelled", "handed_over"),
        ("pickup", "handed_over", "expired"),
        ("pickup", "accepted", "restocked"),
    ],
)
def test_what_the_cloud_cannot_mean_is_a_conflict(kind: str, state: str, word: str) -> None:
    with pytest.raises(Conflict):
        advance(OrderKind(kind), OrderState(state), TOLD[word])


def test_cancelling_what_was_given_out_is_a_return() -> None:
    with pytest.raises(Conflict, match="comes back as a return"):
        advance(OrderKind.SHIP, OrderState.SHIPPED, OrderEvent.CANCEL)


def test_an_order_may_have_the_safety_stock_but_nobody_elses_claims() -> None:
    row = StockRow(sellable=10, reserved=3, held=2, allotted=1, safety=9)
    assert free_for_orders(row) == 4 == counter_sellable(row)
    assert free_for_orders(row, own_qty=3) == 7
    assert free_for_orders(StockRow(sellable=1, reserved=3)) == 0


_lines = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9)), max_size=8).map(
    lambda found: [Wanted(n, sku, qty) for n, (sku, qty) in enumerate(found, 1)]
)


@given(_lines, st.dictionaries(st.sampled_from("abc"), st.integers(0, 20)))
def test_lines_share_what_is_reserved_and_never_more(
    lines: list[Wanted], reserved: dict[str, int]
) -> None:
    covered = cover(lines, reserved)
    assert [(one.line_no, one.sku, one.qty) for one in covered] == [
        (one.line_no, one.sku, one.qty) for one in lines
    ]
    for sku, wanted in total_of(lines).items():
        got = sum(one.reserved_qty for one in covered if one.sku == sku)
        assert got == min(wanted, reserved.get(sku, 0))
    assert all(0 <= one.short_qty <= one.qty for one in covered)
