"""Backoff, retry budget and breaker."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.schedule import (
    BREAKER_TRANSITIONS,
    MAX_RETRY_AFTER_S,
    Breaker,
    BreakerEvent,
    BreakerState,
    RetryBudget,
    backoff_s,
    restart_s,
)


def highest(_low: float, high: float) -> float:
    return high


def lowest(low: float, _high: float) -> float:
    return low


def test_the_ceiling_doubles_up_to_a_minute() -> None:
    waits = [backoff_s(n, highest) for n in range(9)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert backoff_s(10**9, highest) == 60


def test_what_the_server_asks_for_is_a_floor_with_a_bound() -> None:
    assert backoff_s(0, lowest, 30) == 30
    assert backoff_s(3, highest, 30) == 38
    assert backoff_s(0, lowest, 10**9) == MAX_RETRY_AFTER_S
    assert backoff_s(0, lowest, -5) == 0


@given(st.integers(0, 10**6), st.floats(0, 10**6), st.floats(0, 1))
def test_a_wait_is_never_below_the_floor_nor_far_above_it(
    attempt: int, floor: float, at: float
) -> None:
    wait = backoff_s(attempt, lambda low, high: low + at * (high - low), floor)
    assert min(floor, MAX_RETRY_AFTER_S) <= wait <= min(floor, MAX_RETRY_AFTER_S) + 60


def test_retries_stop_when_the_budget_is_spent_and_go_on_with_time() -> None:
    budget: RetryBudget | None = RetryBudget(capacity=2, milli=2000)
    for _ in range(2):
        assert budget is not None
        budget = budget.spend()
    assert budget is not None
    assert budget.spend() is None
    assert budget.wait_s() == 10
    assert budget.elapsed(budget.wait_s()).spend() is not None


@given(st.lists(st.sampled_from(["first", "retry"]), max_size=300))
def test_retries_stay_a_part_of_first_tries(requests: list[str]) -> None:
    budget, retries = RetryBudget(), 0
    for kind in requests:
        if kind == "first":
            budget = budget.earned()
        elif (spent := budget.spend()) is not None:
            budget, retries = spent, retries + 1
        assert 0 <= budget.milli <= 10_000
    assert retries <= 10 + requests.count("first") / 10


@pytest.mark.parametrize(("state", "event"), [*product(BreakerState, BreakerEvent)])
def test_every_state_of_the_breaker_knows_every_event(
    state: BreakerState, event: BreakerEvent
) -> None:
    after = BREAKER_TRANSITIONS[state, event]
    if after is BreakerState.CLOSED:
        assert state is BreakerState.CLOSED or event is BreakerEvent.SUCCESS
    if after is BreakerState.HALF_OPEN:
        assert event is BreakerEvent.COOLED


def test_failures_in_a_row_open_it_and_one_probe_closes_it() -> None:
    breaker = Breaker(threshold=3)
    for _ in range(3):
        breaker, go = breaker.ask(0)
        assert go
        breaker = breaker.failed(0, cooldown_s=10)
    assert (breaker.state, breaker.trips) == (BreakerState.OPEN, 1)
    assert breaker.ask(9.9)[1] is False
    breaker, go = breaker.ask(10)
    assert go
    assert breaker.ask(10)[1] is False  # one probe only
    breaker = breaker.succeeded()
    assert (breaker.state, breaker.failures, breaker.trips) == (BreakerState.CLOSED, 0, 0)


def test_a_failed_probe_opens_it_again_for_longer() -> None:
    breaker = Breaker(threshold=1).failed(0, 10)
    breaker, _ = breaker.ask(10)
    breaker = breaker.failed(11, 20)
    assert (breaker.state, breaker.trips, breaker.retry_at_s) == (BreakerState.OPEN, 2, 31)


def test_a_late_answer_to_an_old_request_does_not_close_it() -> None:
    opened = Breaker(threshold=1).failed(0, 10)
    assert opened.succeeded() == opened
    assert opened.failed(5, 99).retry_at_s == 10


def test_a_success_forgets_failures_that_were_not_in_a_row() -> None:
    breaker = Breaker(threshold=2)
    for _ in range(20):
        breaker = breaker.failed(0, 10).succeeded()
    assert breaker.state is BreakerState.CLOSED


@given(st.lists(st.tuples(st.sampled_from(["ask", "ok", "fail"]), st.floats(0, 200)), max_size=80))
def test_it_never_stays_shut_for_ever_nor_lets_two_probes_out(
    steps: list[tuple[str, float]],
) -> None:
    breaker, now = Breaker(threshold=2), 0.0
    for step, seconds in steps:
        now += seconds
        match step:
            case "ask":
                was = breaker.state
                breaker, go = breaker.ask(now)
                if go and was is not BreakerState.CLOSED:
                    assert breaker.ask(now)[1] is False
            case "ok":
                breaker = breaker.succeeded()
            case _:
                breaker = breaker.failed(now, 30)
    assert breaker.ask(now + 90)[1]


@pytest.mark.parametrize(("failures", "least_s"), [(0, 0.1), (1, 0.2), (4, 1.6), (9, 7.5)])
def test_what_fails_is_started_again_ever_later(failures: int, least_s: float) -> None:
    assert restart_s(failures, 0.2, 15.0, lowest) == least_s
    assert restart_s(failures, 0.2, 15.0, highest) == 2 * least_s
    assert restart_s(10_000, 0.2, 15.0, highest) == 15.0
