"""The next batch of events for the cloud, put together from rows as they are stored.

Runs in a reader's thread.  The stored ``data`` is JSON text already and goes into the body as it
is: nothing is parsed or built anew per event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from hub.contract.oms_events import OUTBOX_PARKED, rfc3339, sequence_text
from hub.service.unit import derived_id
from hub.storage import outbox, relinkrows
from hub.storage.outbox import STREAMS, OutboxRow, StreamHead
from hub.storage.rows import Rows

URGENT_STREAMS = frozenset({"payments", "orders"})
"""Streams that don't wait for company."""
_PLAIN = re.compile(r"[A-Za-z0-9._:/+~-]*")
_RESEND_MARK = '"original_id":"'

Lane = tuple[str, str]
"""Source URI and stream."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Most events and bytes (before compression) of one request."""

    events: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Sent:
    """One event of a batch: its row, and the lane and place it was sent under.  ``outbox_id`` 0:
    a stand-in for an event that is no longer kept here."""

    outbox_id: int
    event_id: str
    type: str
    lane: Lane
    seq: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request's body.  ``full``: a limit cut it; ``urgent``: some of it doesn't wait;
    ``missing``: events stood in for because their rows are gone."""

    body: bytes
    sent: tuple[Sent, ...]
    full: bool
    urgent: bool
    missing: int = 0


@dataclass(frozen=True, slots=True)
class MustPark:
    """The next event waits behind a parked one of its aggregate."""

    outbox_id: int
    aggregate: str


def next_batch(
    rows: Rows, store: str, acked: Mapping[Lane, int], limits: Limits
) -> Outgoing | MustPark | None:
    """The most urgent events after the watermarks (``acked`` where it is ahead of the stored one);
    None when nothing waits.

    Streams in order of priority, within one the oldest source first.  Events of an aggregate with
    a parked one aren't sent: they'd overtake it.
    """
    builder = _Builder(store, limits)
    parked = outbox.parked_aggregates(rows)
    for lane in sorted(outbox.heads(rows), key=lambda one: (STREAMS.index(one.stream), one.source)):
        after = acked.get((lane.source_uri, lane.stream), lane.acked_seq)
        if lane.head_seq <= after:
            continue
        waits = builder.add_lane(rows, lane, after, parked)
        if waits is not None and not builder.sent:
            return waits
        if builder.full:
            break
    return builder.finish() if builder.sent else None


class _Builder:
    def __init__(self, store: str, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._parts: list[str] = []
        self._size = 2
        self.sent: list[Sent] = []
        self.full = False
        self._urgent = False
        self._missing = 0

    def add_lane(
        self, rows: Rows, lane: StreamHead, after: int, parked: set[str]
    ) -> MustPark | None:
        """Take what fits of a stream; the event that has to be parked before the rest can go."""
        room = self._limits.events - len(self.sent)
        expected = after + 1
        for row in outbox.batch(rows, lane, after, room):
            while expected < row.seq and not self.full:
                self._stand_in(lane, expected)
                expected += 1
            if self.full:
                return None
            if row.aggregate in parked and _waits(row):
                return MustPark(row.id, row.aggregate)
            if not self._add(row):
                return None
            expected = row.seq + 1
        if len(self.sent) >= self._limits.events:
            self.full = self.full or expected <= lane.head_seq
            return None
        while expected <= lane.head_seq and not self.full and self._ends_before(rows, lane):
            self._stand_in(lane, expected)
            expected += 1
        return None

    def _ends_before(self, rows: Rows, lane: StreamHead) -> bool:
        """Whether the rows at the stream's very end are gone (they are never purged unacked)."""
        return relinkrows.row_at(rows, lane.source, lane.stream, lane.head_seq) is None

    def _add(self, row: OutboxRow) -> bool:
        text = _event_text(row)
        size = len(text) if text.isascii() else len(text.encode())
        if self.sent and self._size + size + 1 > self._limits.bytes:
            self.full = True
            return False
        self._parts.append(text)
        self._size += size + 1
        lane = (row.source_uri, row.stream)
        self.sent.append(Sent(row.id, row.event_id, row.type, lane, row.seq))
        self._urgent = self._urgent or row.stream in URGENT_STREAMS
        return True

    def _stand_in(self, lane: StreamHead, seq: int) -> None:
        """A marker for an event whose row is gone: the cloud lost it after we forgot it."""
        if len(self.sent) >= self._limits.events:
            self.full = True
            return
        place = (self._store, lane.source_uri, lane.stream, str(seq))
        data = {
            "original_id": derived_id("purged", *place),
            "original_type": "unknown",
            "aggregate_id": "unknown",
            "code": "purged",
            "detail": "acked before and no longer kept by the hub; restored clouds can't get it",
        }
        row = OutboxRow(
            0,
            lane.source,
            lane.source_uri,
            lane.stream,
            seq,
            derived_id(OUTBOX_PARKED, *place),
            OUTBOX_PARKED,
            "unknown",
            0,
            json.dumps(data),
        )
        if self._add(row):
            self._missing += 1

    def finish(self) -> Outgoing:
        body = ("[" + ",".join(self._parts) + "]").encode()
        return Outgoing(body, tuple(self.sent), self.full, self._urgent, self._missing)


def _waits(row: OutboxRow) -> bool:
    """A marker keeps its place, and a resend is what the others wait for."""
    return row.type != OUTBOX_PARKED and _RESEND_MARK not in row.data


def _event_text(row: OutboxRow) -> str:
    key = f'"{row.aggregate}"' if _PLAIN.fullmatch(row.aggregate) else json.dumps(row.aggregate)
    return (
        f'{{"specversion":"1.0","id":"{row.event_id}","source":"{row.source_uri}",'
        f'"type":"{row.type}","time":"{rfc3339(row.at_ms)}","subject":{key},'
        f'"datacontenttype":"application/json","stream":"{row.stream}",'
        f'"sequence":"{sequence_text(row.seq)}","partitionkey":{key},"data":{row.data}}}'
    )
