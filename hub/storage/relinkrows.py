"""What the link to the cloud changes about rows that are written already: a restored or copied
database moves its unsent events, takes lost ones back in, and undoes a parking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hub.storage import hubrow, outbox
from hub.storage.outbox import OutboxRow, StreamHead
from hub.storage.rows import Rows, Tx


def sources(rows: Rows) -> dict[str, int]:
    """URI → number of every source of events this database knows."""
    return {uri: number for number, uri in rows.all("SELECT id, uri FROM sources")}


def known_source(tx: Tx, uri: str, incarnation: int, fork: str) -> int:
    """The number of a source, written down if it is new."""
    row = tx.one("SELECT id FROM sources WHERE uri = ?", uri)
    if row:
        return int(row[0])
    return tx.insert(
        "INSERT INTO sources (incarnation, fork, uri) VALUES (?, ?, ?)", incarnation, fork, uri
    )


def head(rows: Rows, source: int, stream: str) -> tuple[int, int]:
    """``(head, acked)`` of a stream; zeros if nothing was ever written to it."""
    row = rows.one(
        "SELECT head_seq, acked_seq FROM streams WHERE source = ? AND stream = ?", source, stream
    )
    return (row[0], row[1]) if row else (0, 0)


def raise_head(tx: Tx, source: int, stream: str, seq: int) -> None:
    """Count everything up to ``seq`` as written and acked; never lowers anything."""
    tx.run(
        "INSERT INTO streams (source, stream, head_seq, acked_seq) VALUES (?1, ?2, ?3, ?3)"
        " ON CONFLICT DO UPDATE SET head_seq = max(head_seq, ?3), acked_seq = max(acked_seq, ?3)",
        source,
        stream,
        seq,
    )


def set_acked(tx: Tx, lane: StreamHead, seq: int) -> bool:
    """Move a watermark; True if it moved."""
    return (
        tx.run(
            "UPDATE streams SET acked_seq = min(?1, head_seq)"
            " WHERE source = ?2 AND stream = ?3 AND acked_seq <> min(?1, head_seq)",
            seq,
            lane.source,
            lane.stream,
        )
        > 0
    )


def row_at(rows: Rows, source: int, stream: str, seq: int) -> OutboxRow | None:
    """The event at a place."""
    row = rows.one(
        "SELECT o.id, o.source, s.uri, o.stream, o.seq, o.event_id, o.type, o.aggregate, o.at_ms,"
        " o.data FROM outbox o JOIN sources s ON s.id = o.source"
        " WHERE o.source = ? AND o.stream = ? AND o.seq = ?",
        source,
        stream,
        seq,
    )
    return OutboxRow(*row) if row else None


def rehome(tx: Tx, target: int) -> int:
    """Write every unacked event again at the end of the source ``target`` and close the old
    streams; the events keep their ids, so that the cloud takes each once.  How many moved.

    For a database that turned out to be a copy: the places its events had are taken by others.
    """
    moved = 0
    unsafe_id = outbox.safe_id(tx) + 1
    for source, stream, head_seq, acked_seq in tx.all(
        "SELECT source, stream, head_seq, acked_seq FROM streams"
        " WHERE source <> ? AND acked_seq < head_seq ORDER BY source, stream",
        target,
    ):
        base = head(tx, target, stream)[0]
        count = tx.run(
            "INSERT INTO outbox (source, stream, seq, event_id, type, aggregate, at_ms, data)"
            " SELECT ?1, stream, ?2 + row_number() OVER (ORDER BY seq), event_id, type, aggregate,"
            " at_ms, data FROM outbox WHERE source = ?3 AND stream = ?4 AND seq > ?5",
            target,
            base,
            source,
            stream,
            acked_seq,
        )
        tx.run(
            "INSERT INTO streams (source, stream, head_seq) VALUES (?1, ?2, ?3)"
            " ON CONFLICT DO UPDATE SET head_seq = ?3",
            target,
            stream,
            base + count,
        )
        tx.run(
            "UPDATE streams SET acked_seq = ? WHERE source = ? AND stream = ?",
            head_seq,
            source,
            stream,
        )
        moved += count
    if moved:
        tx.run(
            "UPDATE sources SET moved_from_id = min(coalesce(moved_from_id, ?1), ?1),"
            " moved_last_id = (SELECT max(id) FROM outbox) WHERE id = ?2",
            unsafe_id,
            target,
        )
    return moved


def put_back(tx: Tx, row: OutboxRow) -> int:
    """Write an event that was lost here at its own place, as acked; its work sequence (0 when the
    place holds another event)."""
    raise_head(tx, row.source, row.stream, row.seq)
    made = tx.run(
        "INSERT INTO outbox (source, stream, seq, event_id, type, aggregate, at_ms, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        row.source,
        row.stream,
        row.seq,
        row.event_id,
        row.type,
        row.aggregate,
        row.at_ms,
        row.data,
    )
    if not made:
        return 0
    last = tx.one("SELECT last_insert_rowid()")
    assert last is not None
    return int(last[0])


def unpark(tx: Tx, outbox_id: int) -> bool:
    """Put a parked event back into its place; True if it was parked."""
    row = tx.one(
        "SELECT event_id, type, data FROM parked WHERE outbox_id = ? AND resent_at_ms IS NULL",
        outbox_id,
    )
    if row is None:
        return False
    tx.run(
        "UPDATE outbox SET event_id = ?, type = ?, data = ? WHERE id = ?",
        row[0],
        row[1],
        row[2],
        outbox_id,
    )
    tx.run("DELETE FROM parked WHERE outbox_id = ?", outbox_id)
    return True


def parked_of(rows: Rows, aggregate: str, limit: int) -> list[tuple[int, str, str, str, str]]:
    """``(outbox_id, stream, event_id, type, data)`` of an aggregate's parked events, in order."""
    found = rows.all(
        "SELECT outbox_id, stream, event_id, type, data FROM parked"
        " WHERE aggregate = ? AND resent_at_ms IS NULL ORDER BY outbox_id LIMIT ?",
        aggregate,
        limit,
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in found]


def set_started(tx: Tx, hello: str) -> None:
    """Remember the whole HELLO under way: only the very same one is a repetition."""
    hubrow.set_nonce(tx, hello)


def set_fork(tx: Tx, *, fork: str, fence: str, machine_hash: str) -> int:
    """Write under a fresh fork of the present incarnation from now on; the source's number."""
    hub = hubrow.get(tx)
    source = hubrow.new_source(tx, hub.store, hub.hub_id, hub.incarnation, fork)
    hubrow.set_fork(tx, source, fence, machine_hash)
    return source


def raise_receipt_count(tx: Tx, device_number: int, count: int) -> None:
    """A till's receipts go on after the highest number that was ever given."""
    tx.run(
        "UPDATE devices SET receipt_count = max(receipt_count, ?) WHERE number = ?",
        count,
        device_number,
    )


@contextmanager
def apart(tx: Tx) -> Iterator[None]:
    """Undo what is written inside if it fails, without failing the whole request."""
    tx.run("SAVEPOINT apart")
    noticed = len(tx.notices)
    try:
        yield
    except BaseException:
        del tx.notices[noticed:]
        if tx.conn.in_transaction:
            tx.run("ROLLBACK TO apart")
            tx.run("RELEASE apart")
        raise
    tx.run("RELEASE apart")


def set_last_sale_ms(tx: Tx, business_day: str, at_ms: int, before_ms: int) -> None:
    """Put the time of a day's last sale right after one was taken back in."""
    tx.run(
        "UPDATE day_totals SET last_at_ms = max(?, ?) WHERE business_day = ?",
        before_ms,
        at_ms,
        business_day,
    )
