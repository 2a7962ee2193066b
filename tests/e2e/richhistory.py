"""A week of what the hub notes of itself: the link, what waited, how fast it was, outages."""

from __future__ import annotations

from typing import Final

from hub.storage import historyrows
from hub.storage.historyrows import Marks, Sample
from hub.storage.rows import Rows, Tx

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
WEEK_MS: Final = 7 * 24 * HOUR_MS
OFF_AGO_MS: Final = (15 * HOUR_MS, 14 * HOUR_MS + 12 * MINUTE_MS)
"""The box was without power then."""
ROUTER_AGO_MS: Final = (70 * HOUR_MS, 69 * HOUR_MS + 20 * MINUTE_MS)
DRILL_AGO_MS: Final = (30 * HOUR_MS, 30 * HOUR_MS - 10 * MINUTE_MS)
BEGAN_AGO_MS: Final = 35 * MINUTE_MS
LAST_OUTAGE: Final = "01900000-0000-7000-8000-000000000002"


def write_week(tx: Tx, now_ms: int, ended_ago_ms: int) -> None:
    """A week until now with three outages; the last ended so long ago."""
    outages = (
        (*ROUTER_AGO_MS, "router", False),
        (*DRILL_AGO_MS, "unknown", True),
        (BEGAN_AGO_MS, ended_ago_ms, "internet", False),
    )
    _samples(tx, now_ms, [(now_ms - began, now_ms - ended) for began, ended, _, _ in outages])
    for number, (began_ago_ms, until_ago_ms, place, drill) in enumerate(outages):
        began_ms, ended_ms = now_ms - began_ago_ms, now_ms - until_ago_ms
        if place == "internet":
            _change(tx, now_ms - OFF_AGO_MS[0], False, "hub-off")
            _change(tx, now_ms - OFF_AGO_MS[1], True)
        _change(tx, began_ms, False, "" if drill else place)
        outage_id = f"01900000-0000-7000-8000-{number:012}"
        historyrows.begin_outage(tx, outage_id, began_ms, place, drill, _marks(tx, began_ms))
        row = historyrows.open_outage(tx)
        assert row is not None
        historyrows.update_outage(tx, row.number, place, drill, 60 + 50 * number)
        historyrows.end_outage(tx, row, began_ms, ended_ms, _marks(tx, ended_ms))
        if until_ago_ms > 94_000:
            historyrows.caught_up(tx, row.number, ended_ms + 94_000)
        _change(tx, ended_ms, True)


def _samples(tx: Tx, now_ms: int, cuts: list[tuple[int, int]]) -> None:
    """By quarters of an hour, of the last day by two minutes."""
    at_ms, number = now_ms - WEEK_MS, 0
    while at_ms < now_ms:
        span_ms = (2 if at_ms >= now_ms - 24 * HOUR_MS else 15) * MINUTE_MS
        at_ms, number = at_ms + span_ms, number + 1
        if now_ms - OFF_AGO_MS[0] < at_ms <= now_ms - OFF_AGO_MS[1]:
            continue
        cut = next((began for began, ended in cuts if began < at_ms <= ended), None)
        depth = (at_ms - cut) // 20_000 if cut else max(0, number * 7 % 23 - 18)
        busy = 7 <= at_ms // HOUR_MS % 24 < 20
        counts = [0] * 12
        if busy:
            counts[1:5] = (30 + number * 5 % 17, 20, number * 3 % 7, int(number % 29 == 0))
        historyrows.add_sample(
            tx,
            Sample(
                at_ms,
                span_ms,
                0 if cut else span_ms,
                depth,
                depth * 20 if depth else None,
                0,
                sum(counts) * 2,
                tuple(counts),
            ),
        )


def _change(tx: Tx, at_ms: int, up: bool, place: str = "") -> None:
    historyrows.add_change(tx, at_ms, up, place, Marks())


def _marks(rows: Rows, at_ms: int) -> Marks:
    """The newest rows at that time; of movements, which tell no time, the newest now."""
    row = rows.one(
        "SELECT (SELECT max(id) FROM sales WHERE at_ms <= ?1),"
        " (SELECT max(id) FROM returns WHERE at_ms <= ?1),"
        " (SELECT max(id) FROM outbox WHERE at_ms <= ?1),"
        " (SELECT max(seq) FROM audit WHERE at_ms <= ?1), (SELECT max(seq) FROM movements)",
        at_ms,
    )
    return Marks(*(int(one or 0) for one in row or ()))
