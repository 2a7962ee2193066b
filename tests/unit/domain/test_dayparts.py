"""The business day through summer time, cutovers and odd zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.dayparts import begins_at_ms, business_day, day_bounds_ms, local_time
from hub.domain.errors import DomainError

ZONES = [
    ZoneInfo(name)
    for name in (
        "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
        "America/Havana", "Africa/Casablanca", "Pacific/Apia", "America/St_Johns", "UTC",
    )
]  # fmt: skip
BERLIN = ZONES[0]
instants = st.integers(1_262_304_000_000, 2_000_000_000_000)  # 2010 to 2033


def ms(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1000  # type: ignore[misc,arg-type]


def test_a_sale_after_midnight_belongs_to_the_evening_before_the_cutover() -> None:
    before, after = ms(2026, 1, 10, 2, 59), ms(2026, 1, 10, 3, 0)  # Berlin is one hour ahead
    assert business_day(before, BERLIN, cutover_hour=4) == date(2026, 1, 9)
    assert business_day(after, BERLIN, cutover_hour=4) == date(2026, 1, 10)
    assert local_time(after, BERLIN).hour == 4


def test_a_day_has_23_or_25_hours_when_the_clocks_change() -> None:
    def hours(day: date) -> int:
        start, end = day_bounds_ms(day, BERLIN)
        return (end - start) // 3_600_000

    assert [hours(date(2026, *day)) for day in ((3, 29), (10, 25), (6, 1))] == [23, 25, 24]


def test_an_hour_that_is_skipped_begins_where_the_clocks_land() -> None:
    assert begins_at_ms(date(2026, 3, 29), BERLIN, cutover_hour=2) == ms(2026, 3, 29, 1, 0)


@given(instants, st.sampled_from(ZONES), st.integers(0, 12))
def test_every_instant_lies_within_its_business_day(at_ms: int, zone: ZoneInfo, hour: int) -> None:
    start, end = day_bounds_ms(business_day(at_ms, zone, hour), zone, hour)
    assert start <= at_ms < end
    assert business_day(start, zone, hour) == business_day(end - 1, zone, hour)


@given(instants, st.integers(0, 10**8), st.sampled_from(ZONES), st.integers(0, 12))
def test_time_never_takes_a_shop_back_to_an_earlier_day(
    at_ms: int, later_ms: int, zone: ZoneInfo, hour: int
) -> None:
    earlier, later = business_day(at_ms, zone, hour), business_day(at_ms + later_ms, zone, hour)
    assert earlier <= later <= earlier + timedelta(days=3)


@pytest.mark.parametrize("hour", [-1, 13])
def test_an_impossible_cutover_is_refused(hour: int) -> None:
    with pytest.raises(DomainError):
        business_day(0, BERLIN, hour)
