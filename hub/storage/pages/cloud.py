"""The outbox as its page lists it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hub.storage.outbox import ParkedRow, StreamHead
from hub.storage.rows import Rows


class LaneRow(NamedTuple):
    """How far one stream of one source is written and acked, and since when something waits."""

    source: int
    source_uri: str
    stream: str
    head_seq: int
    acked_seq: int
    oldest_at_ms: int | None

    @property
    def head(self) -> StreamHead:
        """Without the instant."""
        return StreamHead(*self[:5])


def lanes(rows: Rows) -> list[LaneRow]:
    """All streams of all sources, the newest source first."""
    found = rows.all(
        "SELECT t.source, s.uri, t.stream, t.head_seq, t.acked_seq,"
        " (SELECT o.at_ms FROM outbox o WHERE o.source = t.source AND o.stream = t.stream"
        "  AND o.seq > t.acked_seq ORDER BY o.seq LIMIT 1)"
        " FROM streams t JOIN sources s ON s.id = t.source ORDER BY t.source DESC, t.stream"
    )
    return [LaneRow(*row) for row in found]


class EventRow(NamedTuple):
    """An event's head."""

    outbox_id: int
    source: int
    stream: str
    seq: int
    event_id: str
    type: str
    aggregate: str
    at_ms: int
    bytes: int


_EVENT = (
    "SELECT o.id, o.source, o.stream, o.seq, o.event_id, o.type, o.aggregate, o.at_ms,"
    " length(CAST(o.data AS BLOB)) FROM outbox o"
)


def newest(rows: Rows, before: int, limit: int) -> list[EventRow]:
    """Events of all streams, the newest first."""
    found = rows.all(f"{_EVENT} WHERE o.id < ? ORDER BY o.id DESC LIMIT ?", before, limit)
    return [EventRow(*row) for row in found]


def newest_of(
    rows: Rows, lanes_: Sequence[tuple[int, str]], before: tuple[int, int], limit: int
) -> list[EventRow]:
    """Events of one stream, source by source in the order given (the newest first), below
    ``before`` (source, seq)."""
    found: list[EventRow] = []
    for source, stream in lanes_:
        if source > before[0] or len(found) >= limit:
            continue
        below = before[1] if source == before[0] else 1 << 62
        found += [
            EventRow(*row)
            for row in rows.all(
                f"{_EVENT} WHERE o.source = ? AND o.stream = ? AND o.seq < ?"
                " ORDER BY o.seq DESC LIMIT ?",
                source,
                stream,
                below,
                limit - len(found),
            )
        ]
    return found


def waiting(rows: Rows, lane: LaneRow, after_seq: int, limit: int) -> list[EventRow]:
    """Events of one lane behind a place, in order."""
    found = rows.all(
        f"{_EVENT} WHERE o.source = ? AND o.stream = ? AND o.seq > ? ORDER BY o.seq LIMIT ?",
        lane.source,
        lane.stream,
        after_seq,
        limit,
    )
    return [EventRow(*row) for row in found]


def event(rows: Rows, outbox_id: int) -> tuple[EventRow, str] | None:
    """One event and its data (JSON)."""
    row = rows.one(_EVENT.replace(" FROM", ", o.data FROM") + " WHERE o.id = ?", outbox_id)
    return (EventRow(*row[:9]), row[9]) if row else None


def acked_seq(rows: Rows, source: int, stream: str) -> int:
    """How far the cloud has a stream."""
    row = rows.one("SELECT acked_seq FROM streams WHERE source = ? AND stream = ?", source, stream)
    return int(row[0]) if row else 0


def parked(rows: Rows, after: int, limit: int) -> list[ParkedRow]:
    """Events that wait aside, the oldest first."""
    found = rows.all(
        "SELECT outbox_id, stream, seq, event_id, type, aggregate, at_ms, '', reason,"
        " parked_at_ms, resent_at_ms FROM parked"
        " WHERE resent_at_ms IS NULL AND outbox_id > ? ORDER BY outbox_id LIMIT ?",
        after,
        limit,
    )
    return [ParkedRow(*row) for row in found]
