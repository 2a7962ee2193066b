"""Events that wait for the cloud: contiguous per source and stream, with a watermark for what is
acked, so that acking is one row however many events are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hub.storage.rows import Rows, Tx

STREAMS = ("payments", "orders", "sales", "stock", "telemetry")
"""In order of priority."""
DURABLE_STREAMS = ("payments", "orders", "sales", "stock")
"""Streams whose loss would be a loss of money or stock; ``safe_seq`` counts these."""
PURGE_MAX = 1000


class Emitted(NamedTuple):
    """An event without its place; ``data`` is JSON."""

    stream: str
    type: str
    aggregate: str
    event_id: str
    at_ms: int
    data: str


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One event as frozen when it was written."""

    id: int
    source: int
    source_uri: str
    stream: str
    seq: int
    event_id: str
    type: str
    aggregate: str
    at_ms: int
    data: str

    @property
    def event(self) -> Emitted:
        """What was told, wherever it stands."""
        return Emitted(self.stream, self.type, self.aggregate, self.event_id, self.at_ms, self.data)


@dataclass(frozen=True, slots=True)
class StreamHead:
    """How far one stream is written and acked."""

    source: int
    source_uri: str
    stream: str
    head_seq: int
    acked_seq: int

    @property
    def waiting(self) -> int:
        """Events not acked yet."""
        return self.head_seq - self.acked_seq


def append(
    tx: Tx,
    *,
    source: int,
    stream: str,
    event_id: str,
    type_: str,
    aggregate: str,
    data: str,
    at_ms: int | None = None,
) -> int:
    """Write an event at the end of its stream; its work sequence (row number).  ``at_ms`` is when
    it happened, if that isn't now."""
    row = tx.one(
        "INSERT INTO streams (source, stream, head_seq) VALUES (?, ?, 1)"
        " ON CONFLICT DO UPDATE SET head_seq = head_seq + 1 RETURNING head_seq",
        source,
        stream,
    )
    assert row is not None
    return tx.insert(
        "INSERT INTO outbox (source, stream, seq, event_id, type, aggregate, at_ms, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        source,
        stream,
        row[0],
        event_id,
        type_,
        aggregate,
        tx.now_ms if at_ms is None else at_ms,
        data,
    )


def heads(rows: Rows) -> list[StreamHead]:
    """All streams of all sources, oldest source first."""
    found = rows.all(
        "SELECT t.source, s.uri, t.stream, t.head_seq, t.acked_seq"
        " FROM streams t JOIN sources s ON s.id = t.source ORDER BY t.source, t.stream"
    )
    return [StreamHead(*row) for row in found]


def batch(rows: Rows, head: StreamHead, after_seq: int, limit: int) -> list[OutboxRow]:
    """The next events of a stream after ``after_seq``."""
    found = rows.all(
        "SELECT o.id, o.source, ?, o.stream, o.seq, o.event_id, o.type, o.aggregate, o.at_ms,"
        " o.data FROM outbox o WHERE o.source = ? AND o.stream = ? AND o.seq > ?"
        " ORDER BY o.seq LIMIT ?",
        head.source_uri,
        head.source,
        head.stream,
        after_seq,
        limit,
    )
    return [OutboxRow(*row) for row in found]


def get(rows: Rows, outbox_id: int) -> OutboxRow | None:
    """One event by its work sequence."""
    row = rows.one(
        "SELECT o.id, o.source, s.uri, o.stream, o.seq, o.event_id, o.type, o.aggregate, o.at_ms,"
        " o.data FROM outbox o JOIN sources s ON s.id = o.source WHERE o.id = ?",
        outbox_id,
    )
    return OutboxRow(*row) if row else None


def span(rows: Rows, last_id: int, count: int) -> list[OutboxRow]:
    """The ``count`` events that end with the work sequence ``last_id``; fewer if some are gone."""
    found = rows.all(
        "SELECT o.id, o.source, s.uri, o.stream, o.seq, o.event_id, o.type, o.aggregate, o.at_ms,"
        " o.data FROM outbox o JOIN sources s ON s.id = o.source"
        " WHERE o.id > ? AND o.id <= ? ORDER BY o.id",
        last_id - count,
        last_id,
    )
    return [OutboxRow(*row) for row in found]


def is_parked(rows: Rows, outbox_id: int) -> bool:
    """Whether a marker stands in an event's place."""
    return rows.one("SELECT 1 FROM parked WHERE outbox_id = ?", outbox_id) is not None


def set_acked(tx: Tx, source_uri: str, stream: str, seq: int) -> bool:
    """Move a watermark to ``seq`` (never past the head); True if it moved.

    It moves back when the cloud was restored from a backup and asks for events again.
    """
    return (
        tx.run(
            "UPDATE streams SET acked_seq = min(?1, head_seq) WHERE stream = ?2 AND source ="
            " (SELECT id FROM sources WHERE uri = ?3) AND acked_seq <> min(?1, head_seq)",
            seq,
            stream,
            source_uri,
        )
        > 0
    )


def last_id(rows: Rows) -> int:
    """The work sequence: the newest event's row number."""
    row = rows.one("SELECT max(id) FROM outbox")
    return int(row[0] or 0) if row else 0


def safe_id(rows: Rows) -> int:
    """Up to which work sequence everything that matters is acked by the cloud; what is parked
    isn't, whatever was acked in its place, nor what moved to another source and waits there."""
    parked = rows.one(
        "SELECT min(outbox_id) FROM parked WHERE resent_at_ms IS NULL AND stream <> 'telemetry'"
    )
    row = rows.one(
        "SELECT min(id), min(CASE WHEN id <= moved_last_id THEN moved_from_id END) FROM (SELECT"
        " (SELECT id FROM outbox o WHERE o.source = t.source AND o.stream = t.stream"
        " AND o.seq > t.acked_seq ORDER BY o.seq LIMIT 1) AS id, s.moved_from_id, s.moved_last_id"
        " FROM streams t JOIN sources s ON s.id = t.source"
        " WHERE t.acked_seq < t.head_seq AND t.stream <> 'telemetry')"
    )
    unsafe = [one for found in (parked, row) if found for one in found if one is not None]
    return min(unsafe) - 1 if unsafe else last_id(rows)


def depth(rows: Rows) -> dict[str, int]:
    """Events waiting, by stream."""
    found = rows.all("SELECT stream, sum(head_seq - acked_seq) FROM streams GROUP BY stream")
    return {stream: int(count) for stream, count in found}


def oldest_waiting_ms(rows: Rows) -> int | None:
    """When the oldest waiting event was written."""
    row = rows.one(
        "SELECT min((SELECT at_ms FROM outbox o WHERE o.source = t.source AND o.stream = t.stream"
        " AND o.seq > t.acked_seq ORDER BY o.seq LIMIT 1)) FROM streams t"
        " WHERE t.acked_seq < t.head_seq"
    )
    return row[0] if row else None


def oldest_by_stream_ms(rows: Rows) -> dict[str, int]:
    """When the oldest waiting event of each stream was written; streams where none waits are left
    out."""
    found = rows.all(
        "SELECT t.stream, min((SELECT at_ms FROM outbox o WHERE o.source = t.source"
        " AND o.stream = t.stream AND o.seq > t.acked_seq ORDER BY o.seq LIMIT 1)) FROM streams t"
        " WHERE t.acked_seq < t.head_seq GROUP BY t.stream"
    )
    return {stream: at_ms for stream, at_ms in found if at_ms is not None}


_PURGEABLE = """
SELECT source, stream FROM streams t
WHERE (SELECT at_ms FROM outbox o WHERE o.source = t.source AND o.stream = t.stream
       AND o.seq <= t.acked_seq ORDER BY o.seq LIMIT 1) < ?
"""
"""Streams whose oldest acked event is old enough: one look-up each, however much is kept."""


def purge(tx: Tx, before_ms: int) -> int:
    """Delete up to 1,000 acked events older than ``before_ms``; how many.

    The newest event stays, for the next one's number follows from it.
    """
    done = 0
    for source, stream in tx.all(_PURGEABLE, before_ms):
        done += tx.run(
            "DELETE FROM outbox WHERE id IN (SELECT o.id FROM outbox o JOIN streams t"
            " ON t.source = o.source AND t.stream = o.stream WHERE o.source = ? AND o.stream = ?"
            " AND o.seq <= t.acked_seq ORDER BY o.seq LIMIT ?)"
            " AND at_ms < ? AND id < (SELECT max(id) FROM outbox)",
            source,
            stream,
            PURGE_MAX - done,
            before_ms,
        )
    return done


# Parking -----------------------------------------------------------------------------------------


def park(tx: Tx, row: OutboxRow, marker_id: str, marker_type: str, marker: str, why: str) -> None:
    """Keep ``row`` aside and put a marker in its place of the stream."""
    tx.run(
        "INSERT INTO parked (outbox_id, source, stream, seq, event_id, type, aggregate, at_ms,"
        " data, reason, parked_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.id,
        row.source,
        row.stream,
        row.seq,
        row.event_id,
        row.type,
        row.aggregate,
        row.at_ms,
        row.data,
        why,
        tx.now_ms,
    )
    tx.run(
        "UPDATE outbox SET event_id = ?, type = ?, data = ? WHERE id = ?",
        marker_id,
        marker_type,
        marker,
        row.id,
    )


@dataclass(frozen=True, slots=True)
class ParkedRow:
    """A parked event."""

    outbox_id: int
    stream: str
    seq: int
    event_id: str
    type: str
    aggregate: str
    at_ms: int
    data: str
    reason: str
    parked_at_ms: int
    resent_at_ms: int | None


_PARKED = (
    "SELECT outbox_id, stream, seq, event_id, type, aggregate, at_ms, data, reason, parked_at_ms,"
    " resent_at_ms FROM parked"
)


def parked(rows: Rows, *, limit: int = 200) -> list[ParkedRow]:
    """Events that wait aside, oldest first."""
    found = rows.all(f"{_PARKED} WHERE resent_at_ms IS NULL ORDER BY outbox_id LIMIT ?", limit)
    return [ParkedRow(*row) for row in found]


def parked_row(rows: Rows, outbox_id: int) -> ParkedRow | None:
    """One parked event."""
    row = rows.one(f"{_PARKED} WHERE outbox_id = ?", outbox_id)
    return ParkedRow(*row) if row else None


def parked_aggregates(rows: Rows) -> set[str]:
    """Aggregates of which an event waits aside: their later events wait too."""
    found = rows.all("SELECT DISTINCT aggregate FROM parked WHERE resent_at_ms IS NULL")
    return {row[0] for row in found}


def count_parked(rows: Rows) -> int:
    """How many events wait aside."""
    row = rows.one("SELECT count(*) FROM parked WHERE resent_at_ms IS NULL")
    return int(row[0]) if row else 0


def forget_parked(tx: Tx, outbox_id: int) -> None:
    """Throw a parked event away; the marker in its place stays."""
    tx.run("DELETE FROM parked WHERE outbox_id = ?", outbox_id)


def mark_resent(tx: Tx, outbox_id: int) -> None:
    """Note that a parked event was sent again."""
    tx.run("UPDATE parked SET resent_at_ms = ? WHERE outbox_id = ?", tx.now_ms, outbox_id)
