"""What was: samples of each minute, changes of the link, and outages; all of them bounded.

Rows are kept by number, at most so many; how old they are matters only where the caller says that
the clock can be trusted.  Every write touches a bounded number of rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from hub.storage.rows import Rows, Tx

MINUTES_KEPT: Final = 48 * 60
QUARTERS_KEPT: Final = 31 * 24 * 4
CHANGES_KEPT: Final = 10_000
OUTAGES_KEPT: Final = 400
MINUTES_KEPT_MS: Final = 48 * 3_600_000
KEPT_MS: Final = 31 * 86_400_000
QUARTER_MS: Final = 15 * 60_000
PURGE_MAX: Final = 200
"""Rows that are too old, forgotten at one step."""


class Marks(NamedTuple):
    """The newest rows of tables that only grow: what came between two marks is told by them,
    whatever was done to the clock."""

    sale: int = 0
    returned: int = 0
    event: int = 0
    entry: int = 0
    movement: int = 0

    def text(self) -> str:
        """As it is kept."""
        return ".".join(map(str, self))


def marks_of(text: str) -> Marks:
    """What :meth:`Marks.text` made; all of nothing for none."""
    return Marks(*map(int, text.split("."))) if text else Marks()


class Sample(NamedTuple):
    """A stretch of time up to ``at_ms``.  ``commits``: how many took how long, a count for each
    bucket of the hub's tally; ``up_ms`` of ``span_ms`` the cloud was reached."""

    at_ms: int
    span_ms: int
    up_ms: int
    depth: int
    oldest_s: int | None
    parked: int
    requests: int
    commits: tuple[int, ...] = ()


class ChangeRow(NamedTuple):
    """The link came up or went down; ``place``: where the way ended, ``hub-off``, or nothing."""

    number: int
    at_ms: int
    up: bool
    place: str
    marks: Marks


class OutageRow(NamedTuple):
    """``ended_at_ms`` None: it lasts.  ``caught_up_at_ms``: the cloud has all there was in it."""

    number: int
    outage_id: str
    began_at_ms: int
    ended_at_ms: int | None
    caught_up_at_ms: int | None
    place: str
    drill: bool
    highest_depth: int
    began: Marks
    ended: Marks | None


def now_marks(rows: Rows) -> Marks:
    """The newest rows now; one look-up each."""
    row = rows.one(
        "SELECT (SELECT max(id) FROM sales), (SELECT max(id) FROM returns),"
        " (SELECT max(id) FROM outbox), (SELECT max(seq) FROM audit),"
        " (SELECT max(seq) FROM movements)"
    )
    return Marks(*(int(one or 0) for one in row or ()))


# Samples -----------------------------------------------------------------------------------------

_SAMPLE = "at_ms, span_ms, up_ms, depth, oldest_s, parked, requests, commits"


def add_sample(tx: Tx, sample: Sample) -> None:
    """Write a minute's sample, and its share of the quarter of an hour it lies in; beyond their
    numbers the oldest of both are forgotten."""
    values = (*sample[:7], _counts_text(sample.commits))
    minute = tx.insert(
        f"INSERT INTO history_minutes ({_SAMPLE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *values
    )
    tx.run("DELETE FROM history_minutes WHERE number <= ?", minute - MINUTES_KEPT)
    quarter = middle_ms(sample.at_ms, sample.span_ms) // QUARTER_MS
    last = tx.one(
        f"SELECT number, quarter, {_SAMPLE} FROM history_quarters ORDER BY number DESC LIMIT 1"
    )
    if last is None or last[1] != quarter:
        number = tx.insert(
            f"INSERT INTO history_quarters (quarter, {_SAMPLE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            quarter,
            *values,
        )
        tx.run("DELETE FROM history_quarters WHERE number <= ?", number - QUARTERS_KEPT)
        return
    whole = together((_sample(last[2:]), sample))
    tx.run(
        "UPDATE history_quarters SET at_ms = ?, span_ms = ?, up_ms = ?, depth = ?, oldest_s = ?,"
        " parked = ?, requests = ?, commits = ? WHERE number = ?",
        *whole[:7],
        _counts_text(whole.commits),
        last[0],
    )


def together(samples: Iterable[Sample]) -> Sample:
    """Several as one: spans and counts are added up, of what waits the highest is kept."""
    first, *others = samples
    for one in others:
        known = [age for age in (first.oldest_s, one.oldest_s) if age is not None]
        first = Sample(
            max(first.at_ms, one.at_ms),
            first.span_ms + one.span_ms,
            first.up_ms + one.up_ms,
            max(first.depth, one.depth),
            max(known) if known else None,
            max(first.parked, one.parked),
            first.requests + one.requests,
            _added(first.commits, one.commits),
        )
    return first


def middle_ms(at_ms: int, span_ms: int) -> int:
    """The instant by which a sample is put into a step."""
    return at_ms - span_ms // 2


def _added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """Counts of another version's buckets can't be added: the newer ones stand."""
    if len(one) != len(other):
        return other or one
    return tuple(a + b for a, b in zip(one, other, strict=True))


def minutes(rows: Rows, from_ms: int, to_ms: int) -> list[Sample]:
    """Minutes whose end lies there; at most 2,880 are kept."""
    return _samples(rows, "history_minutes", from_ms, to_ms)


def quarters(rows: Rows, from_ms: int, to_ms: int) -> list[Sample]:
    """Quarters of an hour whose last sample's end lies there; at most 2,976 are kept."""
    return _samples(rows, "history_quarters", from_ms, to_ms)


def _samples(rows: Rows, table: str, from_ms: int, to_ms: int) -> list[Sample]:
    found = rows.all(
        f"SELECT {_SAMPLE} FROM {table} WHERE at_ms > ? AND at_ms <= ? ORDER BY number",
        from_ms,
        to_ms,
    )
    return [_sample(row) for row in found]


def _sample(row: tuple[int, int, int, int, int | None, int, int, str]) -> Sample:
    counts = tuple(map(int, row[7].split(","))) if row[7] else ()
    return Sample(*row[:7], counts)


def _counts_text(counts: tuple[int, ...]) -> str:
    return ",".join(map(str, counts)) if any(counts) else ""


def last_seen_ms(rows: Rows) -> int | None:
    """The last instant that something was noted of; None before the first."""
    row = rows.one("SELECT at_ms FROM history_minutes ORDER BY number DESC LIMIT 1")
    return None if row is None else row[0]


def purge(tx: Tx, now_ms: int) -> int:
    """Forget what is too old, at most 200 rows of each kind; how many.  Only for a clock that can
    be trusted: by one that jumped ahead, all of it is old."""
    done = 0
    for table, before_ms in (
        ("history_minutes", now_ms - MINUTES_KEPT_MS),
        ("history_quarters", now_ms - KEPT_MS),
        ("link_changes", now_ms - KEPT_MS),
    ):
        done += tx.run(
            f"DELETE FROM {table} WHERE number IN"
            f" (SELECT number FROM {table} ORDER BY number LIMIT ?) AND at_ms < ?",
            PURGE_MAX,
            before_ms,
        )
    return done


# Changes of the link -----------------------------------------------------------------------------

_CHANGE = "SELECT number, at_ms, up, place, marks FROM link_changes"


def add_change(tx: Tx, at_ms: int, up: bool, place: str, marks: Marks) -> None:
    """Write a change; beyond 10,000 the oldest is forgotten."""
    number = tx.insert(
        "INSERT INTO link_changes (at_ms, up, place, marks) VALUES (?, ?, ?, ?)",
        at_ms,
        int(up),
        place,
        marks.text(),
    )
    tx.run("DELETE FROM link_changes WHERE number <= ?", number - CHANGES_KEPT)


def last_change(rows: Rows) -> ChangeRow | None:
    """The newest."""
    row = rows.one(f"{_CHANGE} ORDER BY number DESC LIMIT 1")
    return None if row is None else _change(row)


def place_change(tx: Tx, place: str) -> None:
    """Where the way ends is known now of the newest change, if the link is down by it."""
    tx.run(
        "UPDATE link_changes SET place = ? WHERE number = (SELECT max(number) FROM link_changes)"
        " AND up = 0 AND place = ''",
        place,
    )


def changes(rows: Rows, from_ms: int, to_ms: int, limit: int) -> list[ChangeRow]:
    """The newest that lie there, oldest first."""
    found = rows.all(
        f"{_CHANGE} WHERE at_ms >= ? AND at_ms <= ? ORDER BY number DESC LIMIT ?",
        from_ms,
        to_ms,
        limit,
    )
    return [_change(row) for row in reversed(found)]


def _change(row: tuple[int, int, int, str, str]) -> ChangeRow:
    number, at_ms, up, place, marks = row
    return ChangeRow(number, at_ms, bool(up), place, marks_of(marks))


# Outages -----------------------------------------------------------------------------------------

_OUTAGE = (
    "SELECT number, outage_id, began_at_ms, ended_at_ms, caught_up_at_ms, place, drill,"
    " highest_depth, began_marks, ended_marks FROM outages"
)


def begin_outage(
    tx: Tx, outage_id: str, began_at_ms: int, place: str, drill: bool, marks: Marks
) -> None:
    """Write an outage that lasts; beyond 400 the oldest is forgotten."""
    number = tx.insert(
        "INSERT INTO outages (outage_id, began_at_ms, place, drill, began_marks)"
        " VALUES (?, ?, ?, ?, ?)",
        outage_id,
        began_at_ms,
        place,
        int(drill),
        marks.text(),
    )
    tx.run("DELETE FROM outages WHERE number <= ?", number - OUTAGES_KEPT)


def open_outage(rows: Rows) -> OutageRow | None:
    """The one that lasts."""
    row = rows.one(f"{_OUTAGE} WHERE ended_at_ms IS NULL")
    return None if row is None else _outage(row)


def newest_outage(rows: Rows) -> OutageRow | None:
    """The last that began."""
    row = rows.one(f"{_OUTAGE} ORDER BY number DESC LIMIT 1")
    return None if row is None else _outage(row)


def outage(rows: Rows, outage_id: str) -> OutageRow | None:
    """One by its id."""
    row = rows.one(f"{_OUTAGE} WHERE outage_id = ?", outage_id)
    return None if row is None else _outage(row)


def outage_after(rows: Rows, number: int) -> OutageRow | None:
    """The next one."""
    row = rows.one(f"{_OUTAGE} WHERE number > ? ORDER BY number LIMIT 1", number)
    return None if row is None else _outage(row)


def outages(rows: Rows, before: int, limit: int) -> list[OutageRow]:
    """Those with a number below ``before``, the newest first."""
    found = rows.all(f"{_OUTAGE} WHERE number < ? ORDER BY number DESC LIMIT ?", before, limit)
    return [_outage(row) for row in found]


def update_outage(tx: Tx, number: int, place: str, drill: bool, depth: int) -> None:
    """What was learnt of one that lasts."""
    tx.run(
        "UPDATE outages SET place = ?, drill = max(drill, ?), highest_depth = max(highest_depth, ?)"
        " WHERE number = ?",
        place,
        int(drill),
        depth,
        number,
    )


def end_outage(tx: Tx, row: OutageRow, began_at_ms: int, ended_at_ms: int, marks: Marks) -> None:
    """It is over."""
    tx.run(
        "UPDATE outages SET began_at_ms = ?, ended_at_ms = ?, ended_marks = ? WHERE number = ?",
        began_at_ms,
        ended_at_ms,
        marks.text(),
        row.number,
    )


def caught_up(tx: Tx, number: int, at_ms: int) -> None:
    """The cloud has everything from it, so also from those that it came after too soon."""
    tx.run(
        "UPDATE outages SET caught_up_at_ms = ? WHERE number <= ? AND caught_up_at_ms IS NULL"
        " AND ended_at_ms IS NOT NULL",
        at_ms,
        number,
    )


def oldest_waiting_event(rows: Rows) -> int | None:
    """The lowest work sequence that the cloud hasn't acked; one look-up for each stream."""
    row = rows.one(
        "SELECT min((SELECT id FROM outbox o WHERE o.source = t.source AND o.stream = t.stream"
        " AND o.seq > t.acked_seq ORDER BY o.seq LIMIT 1)) FROM streams t"
        " WHERE t.acked_seq < t.head_seq"
    )
    return None if row is None else row[0]


def _outage(
    row: tuple[int, str, int, int | None, int | None, str, int, int, str, str],
) -> OutageRow:
    return OutageRow(
        *row[:6], bool(row[6]), row[7], marks_of(row[8]), marks_of(row[9]) if row[9] else None
    )
