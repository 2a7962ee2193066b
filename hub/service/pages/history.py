"""The charts of the last hours: the link, the speed, and the sales by the shop's clock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import tzinfo
from typing import Final, cast

from hub.contract.pages.history import (
    LinkChange,
    LinkHistory,
    LinkHistoryQuery,
    LinkPoint,
    OutagePlace,
    SalesHistory,
    SalesHistoryQuery,
    SalesHour,
    SpeedHistory,
    SpeedHistoryQuery,
    SpeedPoint,
)
from hub.domain.dayparts import business_day, local_time
from hub.service.gate import ReadUnit
from hub.storage import historyrows
from hub.storage.historyrows import Sample
from hub.storage.pages import history

HOUR_MS: Final = 3_600_000
QUARTER_MS: Final = historyrows.QUARTER_MS
MINUTES_HOURS: Final = 48
POINTS_MAX: Final = 400
CHANGES_MAX: Final = 1000
STEPS_S: Final = (120, 300, 600, 900, 1800)
"""At least twice a sample's length: whatever their pace, no step stays empty between them."""
COMMIT_BOUNDS_MS: Final = (1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 5000.0)
"""Upper bounds of the buckets that commits are counted in, but for the last, which has none."""
PLACES: Final = frozenset({"lan", "router", "dns", "internet", "oms", "hub-off"})


def link(unit: ReadUnit, query: LinkHistoryQuery) -> LinkHistory:
    """What waited and how much the cloud was reached, step by step, and every change."""
    from_ms, step_s, steps = _steps(unit, query.hours)
    changes = historyrows.changes(unit.rows, from_ms, unit.now_ms, CHANGES_MAX)
    return LinkHistory(
        from_ms=from_ms,
        to_ms=unit.now_ms,
        step_s=step_s,
        points=tuple(
            LinkPoint(
                at_ms=at_ms,
                depth=one.depth,
                parked=one.parked,
                oldest_s=one.oldest_s,
                up_share=round(min(1.0, one.up_ms / one.span_ms), 3) if one.span_ms else 0.0,
            )
            for at_ms, one in steps
        ),
        changes=tuple(
            LinkChange(at_ms=one.at_ms, up=one.up, place=place_of(one.place)) for one in changes
        ),
    )


def speed(unit: ReadUnit, query: SpeedHistoryQuery) -> SpeedHistory:
    """How many requests were answered, and how long transactions took."""
    from_ms, step_s, steps = _steps(unit, query.hours)
    return SpeedHistory(
        from_ms=from_ms,
        to_ms=unit.now_ms,
        step_s=step_s,
        points=tuple(
            SpeedPoint(
                at_ms=at_ms,
                requests=one.requests,
                commit_p50_ms=quantile_ms(one.commits, 0.50),
                commit_p99_ms=quantile_ms(one.commits, 0.99),
            )
            for at_ms, one in steps
        ),
    )


def sales(unit: ReadUnit, query: SalesHistoryQuery) -> SalesHistory:
    """Sales by hours of the shop's clock."""
    zone = unit.shop.zone
    begins = hours_of(unit.now_ms, query.hours, zone)
    day = business_day(begins[0], zone, unit.shop.day_cutover_hour).isoformat()
    counts, totals = [0] * len(begins), [0] * len(begins)
    for quarter, count, total_minor in history.sales_by_quarter(unit.rows, day, begins[0]):
        at_ms = quarter * QUARTER_MS
        if begins[0] <= at_ms <= unit.now_ms:
            hour = bisect_right(begins, at_ms) - 1
            counts[hour] += count
            totals[hour] += total_minor
    return SalesHistory(
        from_ms=begins[0],
        to_ms=unit.now_ms,
        currency=unit.shop.currency,
        hours=tuple(
            SalesHour(at_ms=at_ms, count=count, total_minor=total_minor)
            for at_ms, count, total_minor in zip(begins, counts, totals, strict=True)
        ),
    )


def hours_of(now_ms: int, hours: int, zone: tzinfo) -> list[int]:
    """When the last hours of the shop's clock began, the oldest first; the last has begun.

    Where clocks change by less than an hour, one of them is shorter or longer than 60 minutes.
    """
    begins = [hour_begins_ms(now_ms - (hours - 1) * HOUR_MS, zone)]
    while (begin := hour_begins_ms(begins[-1] + HOUR_MS, zone)) <= now_ms:
        begins.append(begin)
    return begins


def hour_begins_ms(at_ms: int, zone: tzinfo) -> int:
    """When the hour that the shop's clock shows began."""
    local = local_time(at_ms, zone)
    return at_ms - ((local.minute * 60 + local.second) * 1000 + at_ms % 1000)


def place_of(text: str) -> OutagePlace | None:
    """Where the way ended, if that is known."""
    return cast(OutagePlace, text) if text in PLACES else None


def quantile_ms(counts: tuple[int, ...], share: float) -> float | None:
    """The time that ``share`` of all took at most, taken as evenly spread within its bucket; None
    where nothing is counted, or in other buckets than this version's."""
    total = sum(counts)
    if not total or len(counts) != len(COMMIT_BOUNDS_MS) + 1:
        return None
    wanted, below = share * total, 0
    for index, count in enumerate(counts[:-1]):
        if count and below + count >= wanted:
            low = COMMIT_BOUNDS_MS[index - 1] if index else 0.0
            return round(low + (COMMIT_BOUNDS_MS[index] - low) * (wanted - below) / count, 2)
        below += count
    return COMMIT_BOUNDS_MS[-1]


def _steps(unit: ReadUnit, hours: int) -> tuple[int, int, list[tuple[int, Sample]]]:
    """(from, step in seconds, (when it began, all of it as one) for each step that was watched)."""
    to_ms = unit.now_ms
    by_minutes = hours <= MINUTES_HOURS
    step_s = next(
        one
        for one in STEPS_S
        if hours * 3600 // one < POINTS_MAX and (by_minutes or one >= QUARTER_MS // 1000)
    )
    from_ms = (to_ms - hours * HOUR_MS) // (step_s * 1000) * step_s * 1000
    read = historyrows.minutes if by_minutes else historyrows.quarters
    return from_ms, step_s, _grouped(read(unit.rows, from_ms, to_ms), step_s * 1000)


def _grouped(samples: Iterable[Sample], step_ms: int) -> list[tuple[int, Sample]]:
    """What a clock that was set back has told twice of one step counts together."""
    steps: dict[int, list[Sample]] = {}
    for one in samples:
        middle_ms = historyrows.middle_ms(one.at_ms, min(one.span_ms, step_ms))
        steps.setdefault(middle_ms // step_ms * step_ms, []).append(one)
    return [(at_ms, historyrows.together(steps[at_ms])) for at_ms in sorted(steps)]
