"""What is done next about a payment: an answer for whatever it looks like, and by who can do it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.payments.states import FENCING, FINAL, PaymentState
from hub.domain.payments.work import (
    SAME_KEY_MS,
    Hand,
    Standing,
    Work,
    WorkKind,
    may_repeat,
    next_work,
)

S = PaymentState

STANDINGS = [
    Standing(state, custody, driven_by, in_sale, void_asked)
    for state, custody, driven_by, in_sale, void_asked in itertools.product(
        S, ("hub", "terminal"), ("hub", "till"), (False, True), (False, True)
    )
]


@pytest.mark.parametrize("processor", [False, True])
def test_work_is_given_to_whoever_can_do_it(processor: bool) -> None:
    for at in STANDINGS:
        work = next_work(at, processor=processor)
        if work is None:
            continue
        assert work.hand is not Hand.PROCESSOR or processor, at
        assert work.hand is not Hand.TERMINAL or at.driven_by == "hub", at
        assert work.kind is not WorkKind.ASK or work.hand is Hand.TERMINAL


@pytest.mark.parametrize("processor", [False, True])
def test_nothing_is_charged_that_is_to_be_voided_or_not_sold(processor: bool) -> None:
    for at in STANDINGS:
        work = next_work(at, processor=processor)
        if work is not None and work.kind in (WorkKind.CHARGE, WorkKind.CAPTURE):
            assert (at.in_sale, at.void_asked) == (True, False), at


@pytest.mark.parametrize("processor", [False, True])
def test_only_what_is_proven_not_to_be_done_is_charged(processor: bool) -> None:
    charged = {
        at.state
        for at in STANDINGS
        if next_work(at, processor=processor) == Work(WorkKind.CHARGE, Hand.PROCESSOR)
    }
    assert charged == ({S.STORED, S.RETRY_WAIT} if processor else set())


def test_nothing_is_done_about_what_has_ended_but_giving_settled_money_back() -> None:
    for at in STANDINGS:
        work = next_work(at, processor=True)
        if at.state in FINAL and work is not None:
            assert (at.state, work.kind, at.void_asked) == (S.SETTLED, WorkKind.REFUND, True)


def test_doubt_is_cleared_by_asking_before_anything_else() -> None:
    for at in STANDINGS:
        if at.state in (S.FORWARD_UNKNOWN, S.FORWARDED):
            assert next_work(at, processor=True) == Work(WorkKind.LOOK_UP, Hand.PROCESSOR)
        if at.state is S.UNKNOWN and at.driven_by == "hub":
            assert next_work(at, processor=True) == Work(WorkKind.ASK, Hand.TERMINAL)
        if at.state is S.VOID_PENDING and at.custody == "hub":
            assert next_work(at, processor=True) == Work(WorkKind.LOOK_UP, Hand.PROCESSOR)


def test_money_that_is_not_wanted_goes_back() -> None:
    for at in STANDINGS:
        if not at.void_asked:
            continue
        if at.state is S.AUTHORISED:
            assert next_work(at, processor=True) == Work(WorkKind.REVERSE, Hand.PROCESSOR)
        if at.state in (S.CAPTURED, S.SETTLED):
            assert next_work(at, processor=True) == Work(WorkKind.REFUND, Hand.PROCESSOR)


def test_nobody_works_on_what_the_terminal_has_in_hand() -> None:
    for at in STANDINGS:
        if at.state in FENCING - {S.UNKNOWN}:
            assert next_work(at, processor=True) is None


@given(age=st.integers(0, 10**9))
def test_a_charge_in_doubt_is_repeated_only_while_its_key_is_known(age: int) -> None:
    at = Standing(S.FORWARD_UNKNOWN, "hub", "hub", True, False, 1, age)
    assert may_repeat(at) == (age < SAME_KEY_MS)
