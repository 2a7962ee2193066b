"""What may be risked offline: never more than the caps, never less than nothing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from hub.domain.payments.declines import (
    MAX_DECLINES,
    SOFT,
    DeclineCode,
    code_of,
    retry_wait_ms,
)
from hub.domain.payments.exposure import (
    Caps,
    Exposure,
    Meter,
    OfflineBar,
    age_ms,
    bars,
    meter,
)

AMOUNTS = st.integers(1, 30_000)
CAPS = Caps()
INSTANTS = st.integers(0, 10**13)


@given(amounts=st.lists(st.tuples(st.sampled_from("ab"), AMOUNTS), max_size=80))
def test_whatever_is_accepted_in_whatever_order_stays_within_the_caps(
    amounts: list[tuple[str, int]],
) -> None:
    caps = Caps(terminal_count=5, terminal_minor=20_000, store_minor=30_000)
    accepted: list[tuple[str, int]] = []
    for terminal, amount in amounts:
        here = [one for name, one in accepted if name == terminal]
        now = Exposure(len(here), sum(here), len(accepted), sum(one for _, one in accepted))
        if not bars(caps, now, amount):
            accepted.append((terminal, amount))
    assert sum(one for _, one in accepted) <= caps.store_minor
    for terminal in "ab":
        here = [one for name, one in accepted if name == terminal]
        assert len(here) <= caps.terminal_count
        assert sum(here) <= caps.terminal_minor
    assert all(one <= caps.payment_minor for _, one in accepted)


@given(
    now=st.builds(
        Exposure,
        *(st.integers(0, 100), st.integers(0, 300_000)) * 2,
        st.integers(0, 10**9),
    ),
    amount=AMOUNTS,
    less=AMOUNTS,
)
def test_what_is_barred_is_barred_for_more_and_with_more_at_risk_too(
    now: Exposure, amount: int, less: int
) -> None:
    assume(less <= amount)
    assert set(bars(CAPS, now, less)) <= set(bars(CAPS, now, amount))
    more = replace(now, store_minor=now.store_minor + 1, terminal_count=now.terminal_count + 1)
    assert set(bars(CAPS, now, amount)) <= set(bars(CAPS, more, amount))
    assert (meter(CAPS, now) is Meter.FULL) == bool(bars(CAPS, now, 1))


def test_each_cap_has_its_own_name_and_is_reached_exactly() -> None:
    assert bars(CAPS, Exposure(), CAPS.payment_minor) == ()
    assert bars(CAPS, Exposure(), CAPS.payment_minor + 1) == (OfflineBar.PAYMENT_CAP,)
    full = Exposure(terminal_count=CAPS.terminal_count)
    assert bars(CAPS, full, 1) == (OfflineBar.TERMINAL_COUNT,)
    full = Exposure(terminal_minor=CAPS.terminal_minor)
    assert bars(CAPS, full, 1) == (OfflineBar.TERMINAL_CAP,)
    assert bars(CAPS, Exposure(store_minor=CAPS.store_minor), 1) == (OfflineBar.STORE_CAP,)
    old = Exposure(store_count=1, store_minor=1, oldest_age_ms=CAPS.stop_age_ms)
    assert bars(CAPS, old, 1) == (OfflineBar.TOO_OLD,)
    assert meter(CAPS, Exposure(store_count=1, oldest_age_ms=CAPS.warn_age_ms)) is Meter.NEAR
    assert meter(CAPS, Exposure()) is Meter.CLEAR


@given(stored=INSTANTS, budget=INSTANTS, now=INSTANTS, passed=st.integers(-(10**9), 10**9))
def test_an_age_is_never_negative_and_never_below_the_hubs_own_time(
    stored: int, budget: int, now: int, passed: int
) -> None:
    for trusted in (False, True):
        age = age_ms(stored, budget, now, budget + passed, trusted=trusted)
        assert age >= max(0, passed)
    assert age_ms(stored, budget, now, budget + passed, trusted=False) == max(0, passed)


@given(code=st.sampled_from(DeclineCode), declines=st.integers(1, 10))
def test_a_declined_payment_is_presented_a_few_times_within_its_day_or_never(
    code: DeclineCode, declines: int
) -> None:
    wait_ms = retry_wait_ms(code, declines)
    if code not in SOFT or declines >= MAX_DECLINES:
        assert wait_ms is None
    else:
        assert wait_ms is not None
        assert wait_ms > 0
    waits = [retry_wait_ms(code, n) or 0 for n in range(1, MAX_DECLINES)]
    assert sum(waits) < CAPS.deadline_ms
    assert waits == sorted(waits)


@given(text=st.text(max_size=20))
def test_a_reason_nobody_knows_is_hard(text: str) -> None:
    known = code_of(text)
    assert known.value == text or known is DeclineCode.OTHER
    assert retry_wait_ms(DeclineCode.OTHER, 1) is None
