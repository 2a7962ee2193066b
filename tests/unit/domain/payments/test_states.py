"""The table of a payment's states: nothing is a dead end, nothing is forgotten, money is never
denied."""

from __future__ import annotations

import pytest

from hub.domain.errors import Conflict
from hub.domain.payments import diagram
from hub.domain.payments.states import (
    EXPOSED,
    FENCING,
    FINAL,
    STORED_AWAY,
    TENDERABLE,
    TRANSITIONS,
    PaymentEvent,
    PaymentState,
    advance,
    can,
)

S, E = PaymentState, PaymentEvent

MONEY = {S.AUTHORISED, S.CAPTURED, S.SETTLED}
PASSING = {S.DECLINED, S.EXPIRED}
"""States that are left within the transaction that comes to them."""
GONE_BACK = {S.REVERSED, S.REFUNDED}
AFTER_ALL = {E.LATE_APPROVAL, E.APPROVED_OFFLINE, E.REFUNDED}
COMES_TO_LIFE = {E.APPROVED, E.APPROVED_OFFLINE, E.LATE_APPROVAL}


def after(state: PaymentState) -> set[PaymentState]:
    return {there for (here, _), there in TRANSITIONS.items() if here is state}


def reachable(
    state: PaymentState, *, without: frozenset[PaymentEvent] = frozenset()
) -> set[PaymentState]:
    found, todo = {state}, [state]
    while todo:
        here = todo.pop()
        for (before, event), there in TRANSITIONS.items():
            if before is here and event not in without and there not in found:
                found.add(there)
                todo.append(there)
    return found


def test_every_state_is_reached_from_an_intent() -> None:
    assert reachable(S.INTENT) == set(S)


def test_every_event_means_something_somewhere() -> None:
    assert {event for _, event in TRANSITIONS} == set(E)


@pytest.mark.parametrize("state", S)
def test_from_every_state_a_final_one_can_be_reached(state: PaymentState) -> None:
    assert reachable(state) & FINAL


@pytest.mark.parametrize("state", sorted(FINAL))
def test_a_final_state_is_closed_but_for_money_that_comes_or_goes_after_all(
    state: PaymentState,
) -> None:
    assert {event for here, event in TRANSITIONS if here is state} <= AFTER_ALL


@pytest.mark.parametrize("state", S)
def test_an_approval_is_never_denied(state: PaymentState) -> None:
    taken = can(state, E.APPROVED) or can(state, E.LATE_APPROVAL)
    assert taken or state in MONEY | GONE_BACK | PASSING | {S.INTENT}


@pytest.mark.parametrize("event", sorted(COMES_TO_LIFE))
def test_money_comes_to_be_in_no_other_way_than_by_an_approval(event: PaymentEvent) -> None:
    for (before, why), there in TRANSITIONS.items():
        if there in MONEY and before not in MONEY:
            assert why in COMES_TO_LIFE, (before, why)


def test_nothing_is_captured_twice() -> None:
    for state in (S.CAPTURED, S.SETTLED):
        assert S.AUTHORISED not in reachable(state)
    assert {before for (before, event) in TRANSITIONS if event is E.CAPTURED} == {S.AUTHORISED}


def test_what_was_given_back_stays_given_back() -> None:
    for state in GONE_BACK:
        assert reachable(state) == {state}


def test_a_stored_payment_leaves_by_proof_by_a_void_by_a_lease_or_by_its_deadline() -> None:
    assert {event for here, event in TRANSITIONS if here is S.STORED} == {
        E.VOID_ASKED,
        E.VOID_DEFERRED,
        E.LEASED,
        E.DEADLINE,
        E.APPROVED,
        E.DECLINED,
        E.DEVICE_LOST,
    }


def test_a_token_that_was_shredded_is_never_needed_again() -> None:
    """Nothing comes back to where a token is needed, but by a terminal that gives a new one."""
    for (before, event), there in TRANSITIONS.items():
        if there in STORED_AWAY and before not in STORED_AWAY:
            gives_one = event is E.APPROVED_OFFLINE
            only_to_end = there is S.DECLINED
            assert gives_one or only_to_end, (before, event)


def test_no_token_is_kept_in_a_final_state_or_once_the_money_is_there() -> None:
    assert not STORED_AWAY & (FINAL | MONEY)


def test_what_may_never_come_counts_as_exposure_until_it_is_known() -> None:
    assert not EXPOSED & (FINAL | MONEY)
    assert EXPOSED >= FENCING | STORED_AWAY
    assert set(S) - EXPOSED - FINAL - MONEY == {S.EXPIRED, S.RECOVERY}


def test_a_sale_is_paid_with_money_or_with_what_is_stored() -> None:
    assert MONEY | {S.STORED} == TENDERABLE


def test_a_decline_ends_in_another_try_a_receivable_or_nothing_owed() -> None:
    assert after(S.DECLINED) == {S.RETRY_WAIT, S.RECOVERY, S.VOIDED}


def test_a_doubt_ends_only_by_somebodys_word() -> None:
    for state in (S.UNKNOWN, S.MANUAL, S.LOST, S.FORWARD_UNKNOWN):
        events = {event for here, event in TRANSITIONS if here is state}
        assert not events & {E.DEADLINE, E.CANCELLED, E.VOID_ASKED, E.VOID_DEFERRED}


@pytest.mark.parametrize("state", S)
def test_what_the_table_does_not_have_is_a_conflict(state: PaymentState) -> None:
    for event in E:
        if can(state, event):
            assert advance(state, event) is TRANSITIONS[state, event]
        else:
            with pytest.raises(Conflict, match="read it again"):
                advance(state, event)


def test_the_diagram_has_every_step() -> None:
    page = diagram.page()
    for (before, event), there in TRANSITIONS.items():
        words = event.value.replace("_", " ")
        assert f"| `{before}` | {words} | `{there}` |" in page
        lines = [one for one in page.splitlines() if one.startswith(f"    {before} --> {there}: ")]
        assert any(words in one.partition(": ")[2].split(", ") for one in lines)
