"""Where goods may move, what is free, and whose promise breaks."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.errors import Conflict, DomainError, InsufficientStock, Invalid
from hub.domain.stock import (
    MOVES,
    Bucket,
    Counterparty,
    Disposition,
    Movement,
    MovementType,
    OpenClaim,
    Place,
    StockRow,
    Victim,
    apply,
    available,
    check_sale,
    claim,
    claims_short,
    count_movement,
    count_variance,
    counter_sellable,
    return_movements,
)

PLACES: list[Place] = [*Bucket, *Counterparty]
moves = st.sampled_from(sorted((t, a, b) for t, pairs in MOVES.items() for a, b in pairs))
rows = st.builds(
    StockRow,
    **{bucket.value: st.integers(0, 1000) for bucket in Bucket},
    reserved=st.integers(0, 50),
    held=st.integers(0, 50),
    allotted=st.integers(0, 50),
    safety=st.integers(0, 50),
)


def physical(row: StockRow) -> int:
    return sum(row.bucket(bucket) for bucket in Bucket)


@pytest.mark.parametrize("kind", MovementType)
def test_a_type_moves_goods_only_where_its_row_says(kind: MovementType) -> None:
    assert MOVES[kind]
    for source, target in product(PLACES, PLACES):
        if (source, target) in MOVES[kind]:
            assert Movement(kind, source, target, 1).type is kind
        else:
            with pytest.raises(Invalid, match="can't move"):
                Movement(kind, source, target, 1)


def test_no_movement_stays_in_place_or_outside_the_shop() -> None:
    for pairs in MOVES.values():
        for source, target in pairs:
            assert source != target
            assert isinstance(source, Bucket) or isinstance(target, Bucket)


def test_every_movement_can_be_undone_once() -> None:
    for kind, pairs in MOVES.items():
        if kind is MovementType.REVERSE:
            continue
        for source, target in pairs:
            undo = Movement(kind, source, target, 3).reversed()
            assert (undo.source, undo.target, undo.qty) == (target, source, 3)
            with pytest.raises(Invalid):
                undo.reversed()


@given(rows, moves, st.integers(1, 1200))
def test_goods_are_neither_made_nor_lost(
    row: StockRow, move: tuple[MovementType, Place, Place], qty: int
) -> None:
    kind, source, target = move
    movement = Movement(kind, source, target, qty)
    missing = isinstance(source, Bucket) and row.bucket(source) < qty
    if missing and kind is not MovementType.SALE_OVERRIDE:
        with pytest.raises(InsufficientStock):
            apply(row, movement)
        return
    after = apply(row, movement)
    gained = qty * (isinstance(target, Bucket) - isinstance(source, Bucket))
    assert physical(after) == physical(row) + gained
    assert (after.reserved, after.held, after.allotted) == (row.reserved, row.held, row.allotted)
    if kind is not MovementType.SALE_OVERRIDE:
        assert all(after.bucket(bucket) >= 0 for bucket in Bucket)
        if kind is not MovementType.REVERSE:
            assert apply(after, movement.reversed()) == row


@pytest.mark.parametrize("kind", MovementType)
def test_only_an_override_takes_sellable_below_zero(kind: MovementType) -> None:
    for source, target in MOVES[kind]:
        if source is not Bucket.SELLABLE:
            continue
        movement = Movement(kind, source, target, 2)
        if kind is MovementType.SALE_OVERRIDE:
            assert apply(StockRow(sellable=1), movement).sellable == -1
        else:
            with pytest.raises(InsufficientStock):
                apply(StockRow(sellable=1), movement)


def test_goods_come_into_a_level_that_is_below_zero() -> None:
    receive = Movement(MovementType.RECEIVE, Counterparty.SUPPLIER, Bucket.SELLABLE, 2)
    assert apply(StockRow(sellable=-5), receive).sellable == -3


def test_a_level_has_a_bound() -> None:
    receive = Movement(MovementType.RECEIVE, Counterparty.SUPPLIER, Bucket.SELLABLE, 2)
    with pytest.raises(DomainError):
        apply(StockRow(sellable=1_000_000_000), receive)


def test_what_is_free_outside_and_at_the_counter() -> None:
    row = StockRow(sellable=20, reserved=3, held=4, allotted=5, safety=6)
    assert available(row) == 2
    assert counter_sellable(row) == 8  # safety limits remote promises only
    assert counter_sellable(row, own_hold_qty=4) == 12
    assert available(replace(row, sellable=0)) == counter_sellable(replace(row, sellable=0)) == 0


def test_a_sale_within_the_free_goods_passes_and_one_above_is_told_how_many() -> None:
    row = StockRow(sellable=10, reserved=3, held=4)
    check_sale(row, 3)
    check_sale(row, 7, own_hold_qty=4)
    with pytest.raises(InsufficientStock, match="3 are free") as refusal:
        check_sale(row, 4, sku="A")
    assert dict(refusal.value.context) == {"sku": "A", "wanted_qty": 4, "free_qty": 3}


def test_claims_are_taken_and_given_back() -> None:
    row = claim(StockRow(sellable=5), "held", 2)
    assert row.held == 2
    assert claim(row, "held", -2).held == 0
    with pytest.raises(Conflict):
        claim(row, "held", -3)


def test_an_override_breaks_allotments_first_then_holds_then_the_newest_order() -> None:
    holds = [OpenClaim("b1", 2, seq=1), OpenClaim("b2", 1, seq=2)]
    orders = [OpenClaim("o1", 3, seq=1), OpenClaim("o2", 2, seq=9)]
    row = StockRow(sellable=12, reserved=5, held=3, allotted=4)
    assert claims_short(row, holds, orders) == ()
    assert claims_short(replace(row, sellable=9), holds, orders) == (Victim("allotted", "", 3),)
    assert claims_short(replace(row, sellable=2), holds, orders) == (
        Victim("allotted", "", 4),
        Victim("held", "b2", 1),
        Victim("held", "b1", 2),
        Victim("reserved", "o2", 2),
        Victim("reserved", "o1", 1),
    )


@given(st.integers(-20, 60), st.lists(st.integers(1, 9)), st.lists(st.integers(1, 9)))
def test_victims_miss_exactly_what_is_short(
    sellable: int, held: list[int], reserved: list[int]
) -> None:
    row = StockRow(sellable=sellable, held=sum(held), reserved=sum(reserved), allotted=3)
    victims = claims_short(
        row,
        [OpenClaim(f"b{i}", qty, i) for i, qty in enumerate(held)],
        [OpenClaim(f"o{i}", qty, i) for i, qty in enumerate(reserved)],
    )
    claims = 3 + sum(held) + sum(reserved)
    assert sum(victim.qty for victim in victims) == min(claims, max(0, claims - sellable))


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_a_count_while_selling_corrects_only_its_own_difference(
    book: int, counted: int, sold_since: int
) -> None:
    now = StockRow(sellable=max(0, book - sold_since))
    movement = count_movement(Bucket.SELLABLE, count_variance(counted, book))
    if movement is None:
        assert counted == book
    elif now.sellable + counted - book >= 0:
        assert apply(now, movement).sellable == now.sellable + counted - book
    else:
        with pytest.raises(InsufficientStock, match="count again"):
            apply(now, movement)


def test_a_count_below_zero_is_refused() -> None:
    with pytest.raises(Invalid):
        count_variance(-1, 0)


@pytest.mark.parametrize(
    ("disposition", "bucket"),
    [
        (Disposition.RESELLABLE, Bucket.SELLABLE),
        (Disposition.REFURBISH, Bucket.REFURBISH),
        (Disposition.QUARANTINE, Bucket.QUARANTINE),
        (Disposition.DAMAGED, Bucket.DAMAGED),
    ],
)
def test_returned_goods_end_where_their_disposition_says(
    disposition: Disposition, bucket: Bucket
) -> None:
    row = StockRow()
    for movement in return_movements(disposition, 2):
        row = apply(row, movement)
    assert row == replace(StockRow(), **{bucket.value: 2})
