"""A terminal's surcharge: how much is let pass, and how it goes back with parts of a payment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.payments.surcharges import is_allowed, share_minor

MINOR = st.integers(0, 10**12)


@given(surcharge=MINOR, parts=st.lists(st.integers(1, 10**9), min_size=1, max_size=12))
def test_the_parts_bring_all_of_it_back_and_never_more_on_the_way(
    surcharge: int, parts: list[int]
) -> None:
    whole, before, given_back = sum(parts), 0, 0
    for part in parts:
        share = share_minor(surcharge, whole, before, part)
        assert share >= 0
        before, given_back = before + part, given_back + share
        assert abs(given_back * whole - surcharge * before) * 2 <= whole, "half a unit off at most"
    assert given_back == surcharge


@given(surcharge=MINOR, whole=MINOR, before=MINOR, part=MINOR)
def test_whatever_is_told_a_share_is_between_nothing_and_all(
    surcharge: int, whole: int, before: int, part: int
) -> None:
    assert 0 <= share_minor(surcharge, whole, before, part) <= surcharge


def test_of_nothing_nothing_goes_back() -> None:
    assert (
        share_minor(0, 100, 0, 100) == share_minor(10, 0, 0, 0) == share_minor(10, 100, 50, 0) == 0
    )


@pytest.mark.parametrize(
    ("surcharge_minor", "asked_minor", "max_bp", "allowed"),
    [
        (15, 998, 150, True),  # 14.97, and the terminal rounds up
        (16, 998, 150, False),
        (1, 998, 0, False),
        (0, 998, 0, True),
        (998, 998, 10_000, True),
    ],
)
def test_a_surcharge_up_to_the_shops_maximum_is_allowed(
    surcharge_minor: int, asked_minor: int, max_bp: int, allowed: bool
) -> None:
    assert is_allowed(surcharge_minor, asked_minor, max_bp) is allowed
