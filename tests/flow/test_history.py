"""What the hub writes down of each minute and of its link, in a real database."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.contract.pages.history import OutagesQuery, SalesHistoryQuery, SpeedHistoryQuery
from hub.observe.tally import COMMIT_BOUNDS_S
from hub.service.pages import history, outages
from hub.storage import historyrows
from hub.storage.errors import StorageFull
from hub.storage.historyrows import Marks, Sample
from tests.support.chronicled import Told, open_told
from tests.support.gatebench import now

MINUTE_MS = 60_000


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    made = open_told(tmp_path)
    yield made
    made.shop.close()


def test_a_step_says_how_much_of_it_the_cloud_was_reached(told: Told) -> None:
    told.passes(1800 - told.now_ms() // 1000 % 1800)
    begin_ms = told.now_ms()
    told.passes(150)
    told.turns(False)
    told.shop.sell("till-1", "tea", 1, 499)
    told.passes(150)
    told.turns(True)
    told.sends()
    told.passes(600)
    points = {one.at_ms: one for one in told.link_history().points}
    cut, well = points[begin_ms], points[begin_ms + 300_000]
    assert cut.up_share == pytest.approx(0.5, abs=0.02)
    assert (cut.depth, cut.oldest_s is not None) == (1, True)
    assert (well.up_share, well.depth, well.oldest_s) == (1.0, 0, None)


def test_requests_and_commits_are_told_as_they_were(told: Told) -> None:
    told.passes(1800 - told.now_ms() // 1000 % 1800)
    begin_ms = told.now_ms()
    told.link.requests += 40
    told.link.commits = (0, 0, 90, 0, 0, 10, *told.link.commits[6:])
    told.passes(300)
    told.passes(300)
    points = {one.at_ms: one for one in history.speed(told.unit(), SpeedHistoryQuery()).points}
    assert points[begin_ms].requests == 40
    assert points[begin_ms].commit_p50_ms == pytest.approx(2.5 + 2.5 * 50 / 90, abs=0.01)
    assert points[begin_ms].commit_p99_ms == pytest.approx(25 + 25 * 9 / 10, abs=0.01)
    later = points[begin_ms + 300_000]
    assert (later.requests, later.commit_p50_ms, later.commit_p99_ms) == (0, None, None)


def test_the_buckets_are_those_that_the_hub_counts_in() -> None:
    assert tuple(bound * 1000 for bound in COMMIT_BOUNDS_S) == history.COMMIT_BOUNDS_MS


@pytest.mark.parametrize("hours", [1, 6, 24, 48, 49, 168])
def test_no_chart_has_more_than_400_points_and_none_has_a_false_hole(
    told: Told, hours: int
) -> None:
    for _ in range(min(hours, 50) * 50):
        told.passes(62, step_s=62)
    drawn = told.link_history(hours)
    assert 1 <= len(drawn.points) <= 400
    gaps = {b.at_ms - a.at_ms for a, b in itertools.pairwise(drawn.points)}
    assert gaps <= {drawn.step_s * 1000}
    assert drawn.points[0].at_ms >= drawn.from_ms


def test_minutes_and_quarters_are_bounded(told: Told) -> None:
    def fill(tx: Any) -> None:
        for number in range(historyrows.MINUTES_KEPT + 300):
            at_ms = told.now_ms() - number * 16 * MINUTE_MS  # going back, as no clock should
            historyrows.add_sample(tx, Sample(at_ms, MINUTE_MS, 0, 1, None, 0, 1))

    told.shop.tx(fill)
    assert told.shop.value("SELECT count(*) FROM history_minutes") == historyrows.MINUTES_KEPT
    assert told.shop.value("SELECT count(*) FROM history_quarters") == historyrows.QUARTERS_KEPT


def test_what_is_too_old_is_forgotten_in_small_bites_and_never_by_a_doubted_clock(
    told: Told,
) -> None:
    def fill(tx: Any) -> None:
        for number in range(500):
            historyrows.add_change(tx, told.now_ms() + number, bool(number % 2), "", Marks())

    told.shop.tx(fill)
    kept = told.shop.value("SELECT count(*) FROM link_changes")
    told.shop.clock.jump_wall(40 * 86_400)
    told.shop.run("UPDATE hub SET clock_suspect = 'it jumped ahead'")
    told.passes(60)
    assert told.shop.value("SELECT count(*) FROM link_changes") == kept
    told.shop.run("UPDATE hub SET clock_suspect = ''")
    told.passes(60)
    assert told.shop.value("SELECT count(*) FROM link_changes") == kept - historyrows.PURGE_MAX
    told.passes(120)
    assert told.shop.value("SELECT count(*) FROM link_changes") == 0


def test_a_link_that_flaps_all_day_writes_a_bounded_number_of_rows(told: Told) -> None:
    before = told.shop.value("SELECT count(*) FROM link_changes")
    for number in range(600):  # one minute
        told.link.up = bool(number % 2)
        told.shop.clock.advance(0.1)
        told.chronicle.look()
    now(told.chronicle.step())
    assert told.shop.value("SELECT count(*) FROM link_changes") - before <= 20
    last = historyrows.last_change(told.shop.rows)
    assert last is not None
    assert last.up is True


def test_changes_and_outages_are_bounded(told: Told) -> None:
    def fill(tx: Any) -> None:
        for number in range(historyrows.CHANGES_KEPT + 50):
            historyrows.add_change(tx, number, False, "", Marks())
        for number in range(historyrows.OUTAGES_KEPT + 50):
            historyrows.begin_outage(tx, f"outage-{number}", number, "dns", False, Marks())
            row = historyrows.open_outage(tx)
            assert row is not None
            historyrows.end_outage(tx, row, number, number + 1, Marks())

    told.shop.tx(fill)
    assert told.shop.value("SELECT count(*) FROM link_changes") == historyrows.CHANGES_KEPT
    assert told.shop.value("SELECT count(*) FROM outages") == historyrows.OUTAGES_KEPT
    first = outages.listed(told.unit(), OutagesQuery(limit=200))
    second = outages.listed(told.unit(), OutagesQuery(limit=200, cursor=first.next_cursor))
    assert second.next_cursor is None
    found = [one.outage_id for one in (*first.outages, *second.outages)]
    assert found == [f"outage-{number}" for number in range(449, 49, -1)]


def test_a_full_disk_costs_minutes_and_nothing_else(told: Told) -> None:
    told.passes(60)
    minutes = told.shop.value("SELECT count(*) FROM history_minutes")
    told.shop.gate.storage_full = True
    told.turns(False, "dns")
    went_ms = told.now_ms()
    told.passes(600)
    assert told.chronicle.dropped == 10
    assert told.shop.value("SELECT count(*) FROM history_minutes") == minutes
    assert told.outages() == ()
    told.shop.gate.storage_full = False
    told.passes(5)
    assert [one.began_at_ms for one in told.outages()] == [went_ms]
    told.passes(60)
    assert told.shop.value("SELECT count(*) FROM history_minutes") == minutes + 1
    assert told.chronicle.dropped == 10


def test_a_writer_that_can_t_write_costs_minutes_and_nothing_else(told: Told) -> None:
    told.passes(60)
    told.shop.run("CREATE TABLE filler (stuff BLOB)")
    page_count = told.shop.core.conn.execute("PRAGMA page_count").fetchone()[0]
    told.shop.core.conn.execute(f"PRAGMA max_page_count = {page_count}")
    with contextlib.suppress(StorageFull):
        while True:
            told.shop.run("INSERT INTO filler VALUES (randomblob(1000))")
    told.turns(False, "dns")
    went_ms = told.now_ms()
    told.passes(400 * 60, step_s=60)  # small rows find room for a while
    assert 0 < told.chronicle.dropped < 400
    told.shop.core.conn.execute("PRAGMA max_page_count = 1000000")
    told.passes(65)
    assert [one.began_at_ms for one in told.outages()] == [went_ms]


def test_sales_are_told_by_the_hours_of_the_shop_s_clock(told: Told) -> None:
    shop = told.shop
    shop.clock.advance(1800)  # half past the hour
    shop.sell("till-1", "tea", 1, 499)
    shop.clock.advance(3600)
    shop.sell("till-1", "tea", 2, 499)
    voided = shop.sell("till-1", "tea", 1, 499)
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "sale/void", {"sale_id": voided["sale_id"], "reason": "mistake"})
    shop.clock.advance(3600)
    found = history.sales(told.unit(), SalesHistoryQuery(hours=4))
    assert [(one.count, one.total_minor) for one in found.hours] == [
        (0, 0),
        (1, 499),
        (1, 998),
        (0, 0),
    ]
    assert found.hours[-1].at_ms <= told.now_ms() < found.hours[-1].at_ms + 3_600_000
    week = history.sales(told.unit(), SalesHistoryQuery(hours=168))
    assert (len(week.hours), sum(one.count for one in week.hours)) == (168, 2)
