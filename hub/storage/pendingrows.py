"""Events that wait for the cloud, as bare rows: the sender reads thousands of them after an
outage."""

from __future__ import annotations

from hub.storage.outbox import StreamHead
from hub.storage.rows import Rows

PendingRow = tuple[int, int, str, str, str, int, bytes]
"""``(id, seq, event_id, type, aggregate, at_ms, data)`` as frozen when it was written;
``data`` is JSON in UTF-8, which a request's body is put together from."""

_BATCH = (
    "SELECT id, seq, event_id, type, aggregate, at_ms, CAST(data AS BLOB) FROM outbox"
    " WHERE source = ? AND stream = ? AND seq > ? ORDER BY seq LIMIT ?"
)


def batch(rows: Rows, head: StreamHead, after_seq: int, limit: int) -> list[PendingRow]:
    """The next events of a stream after ``after_seq``."""
    return rows.all(_BATCH, head.source, head.stream, after_seq, limit)
