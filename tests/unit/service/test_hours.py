"""Hours of the shop's clock, also where clocks are changed."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from hub.domain.dayparts import local_time
from hub.service.pages.history import HOUR_MS, hour_begins_ms, hours_of, quantile_ms

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def shown(begins: list[int], zone: ZoneInfo) -> list[str]:
    return [f"{local_time(one, zone):%H:%M}" for one in begins]


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    begins = hours_of(at("2026-10-25T03:30:00"), 6, BERLIN)
    assert shown(begins, BERLIN) == ["00:00", "01:00", "02:00", "02:00", "03:00", "04:00"]
    assert {b - a for a, b in itertools.pairwise(begins)} == {HOUR_MS}


def test_the_hour_that_is_skipped_is_none() -> None:
    begins = hours_of(at("2026-03-29T03:30:00"), 6, BERLIN)
    assert shown(begins, BERLIN) == ["23:00", "00:00", "01:00", "03:00", "04:00", "05:00"]


@pytest.mark.parametrize(
    ("zone", "minute"), [("Asia/Kathmandu", 15), ("Asia/Kolkata", 30), ("Europe/Berlin", 0)]
)
def test_hours_begin_where_the_shop_s_clock_says(zone: str, minute: int) -> None:
    shop = ZoneInfo(zone)
    begins = hours_of(at("2026-06-01T10:37:12"), 24, shop)
    assert len(begins) == 24
    assert {one % HOUR_MS // 60_000 for one in begins} == {minute}
    assert all(text.endswith(":00") for text in shown(begins, shop))


def test_clocks_that_change_by_half_an_hour_lose_nothing() -> None:
    shop = ZoneInfo("Australia/Lord_Howe")
    for now in ("2026-04-05T04:00:00", "2026-10-04T04:00:00"):
        begins = hours_of(at(now), 48, shop)
        assert begins == sorted(set(begins))
        assert max(b - a for a, b in itertools.pairwise(begins)) <= 1.5 * HOUR_MS
        assert hour_begins_ms(at(now), shop) == begins[-1]


def test_a_quantile_lies_within_its_bucket_and_nothing_has_none() -> None:
    counts = (0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert quantile_ms(counts, 0.5) == 1.75
    assert quantile_ms((0,) * 12, 0.5) is None
    assert quantile_ms((1, 2, 3), 0.5) is None
    assert quantile_ms((0,) * 11 + (4,), 0.99) == 5000.0
