"""The next batch of events for the cloud, put together from rows as they are stored.

Runs in a reader's thread.  The stored ``data`` is JSON text already and goes into the body as it
is: nothing is parsed or built anew per event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hub.contract.oms_envelope import MAX_INTEGER, rfc3339
from hub.contract.oms_events import OUTBOX_PARKED
from hub.service.unit import derived_id
from hub.storage import outbox, pendingrows, relinkrows
from hub.storage.outbox import STREAMS, StreamHead
from hub.storage.pendingrows import PendingRow
from hub.storage.rows import Rows

URGENT_STREAMS = frozenset({"payments", "orders"})
"""Streams that don't wait for company."""
_PLAIN = re.compile(r"[A-Za-z0-9._:/+~-]*")
_RESEND_MARK = b'"original_id":"'

Lane = tuple[str, str]
"""Source URI and stream."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Most events and bytes (before compression) of one request."""

    events: int
    bytes: int


class Sent(NamedTuple):
    """One event of a batch: its row, and the lane and place it was sent under.  ``outbox_id`` 0:
    a stand-in for an event that is no longer kept here."""

    outbox_id: int
    event_id: str
    type: str
    lane: Lane
    seq: int


class Span(NamedTuple):
    """The contiguous places of one lane in a batch, both ends included."""

    lane: Lane
    first_seq: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request's body.  ``full``: a limit cut it; ``urgent``: some of it doesn't wait;
    ``missing``: events stood in for because their rows are gone."""

    body: bytes
    sent: tuple[Sent, ...]
    spans: tuple[Span, ...]
    full: bool
    urgent: bool
    missing: int = 0


@dataclass(frozen=True, slots=True)
class MustPark:
    """The next event waits behind a parked one of its aggregate."""

    outbox_id: int
    aggregate: str


def little_waits(rows: Rows, acked: Mapping[Lane, int], limits: Limits) -> bool:
    """Whether what waits is neither urgent nor fills a batch, so that company is worth a moment.
    False when nothing waits.  Reads no event."""
    waiting = 0
    for lane in outbox.heads(rows):
        count = lane.head_seq - acked.get((lane.source_uri, lane.stream), lane.acked_seq)
        if count > 0:
            if lane.stream in URGENT_STREAMS:
                return False
            waiting += count
    return 0 < waiting < limits.events


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
    for head in sorted(outbox.heads(rows), key=lambda one: (STREAMS.index(one.stream), one.source)):
        after = acked.get((head.source_uri, head.stream), head.acked_seq)
        if head.head_seq <= after:
            continue
        waits = _LaneBuilder(builder, head).add(rows, after, parked)
        if waits is not None and not builder.sent:
            return waits
        if builder.full:
            break
    return builder.finish() if builder.sent else None


class _Builder:
    """What is shared by the lanes of one batch."""

    def __init__(self, store: str, limits: Limits) -> None:
        self.store = store
        self.limits = limits
        self.parts: list[bytes] = []
        self.size = 2
        self.sent: list[Sent] = []
        self.spans: list[Span] = []
        self.full = False
        self.urgent = False
        self.missing = 0

    def finish(self) -> Outgoing:
        self.parts.append(b"}]")
        body = b"".join(self.parts)
        return Outgoing(
            body, tuple(self.sent), tuple(self.spans), self.full, self.urgent, self.missing
        )


class _LaneBuilder:
    """Takes events of one stream into a batch; what its events have in common is made once."""

    def __init__(self, batch: _Builder, head: StreamHead) -> None:
        assert head.head_seq <= MAX_INTEGER
        self._batch = batch
        self._head = head
        self._lane = (head.source_uri, head.stream)
        self._source = f'","source":"{head.source_uri}","type":"'
        self._stream = (
            f',"datacontenttype":"application/json","stream":"{head.stream}","sequence":"'
        )
        self._second = -1
        self._second_text = ""

    def add(self, rows: Rows, after: int, parked: set[str]) -> MustPark | None:
        """Take what fits; the event that has to be parked before the rest can go."""
        batch, before = self._batch, len(self._batch.sent)
        waits = self._fill(rows, after, parked)
        if len(batch.sent) > before:
            last_seq = batch.sent[-1].seq
            assert last_seq - after == len(batch.sent) - before, "a stream is sent without gaps"
            batch.spans.append(Span(self._lane, after + 1, last_seq))
            batch.urgent = batch.urgent or self._head.stream in URGENT_STREAMS
        return waits

    def _fill(self, rows: Rows, after: int, parked: set[str]) -> MustPark | None:
        batch, head = self._batch, self._head
        room = batch.limits.events - len(batch.sent)
        expected = after + 1
        for row in pendingrows.batch(rows, head, after, room):
            while expected < row[1] and not batch.full:
                self._stand_in(expected)
                expected += 1
            if batch.full:
                return None
            if parked and row[4] in parked and _waits(row):
                return MustPark(row[0], row[4])
            if not self._take(row):
                return None
            expected = row[1] + 1
        if len(batch.sent) >= batch.limits.events:
            batch.full = batch.full or expected <= head.head_seq
            return None
        while expected <= head.head_seq and not batch.full and self._ends_before(rows):
            self._stand_in(expected)
            expected += 1
        return None

    def _ends_before(self, rows: Rows) -> bool:
        """Whether the rows at the stream's very end are gone (they are never purged unacked)."""
        head = self._head
        return relinkrows.row_at(rows, head.source, head.stream, head.head_seq) is None

    def _take(self, row: PendingRow) -> bool:
        batch = self._batch
        number, seq, event_id, type_, aggregate, at_ms, data = row
        key = f'"{aggregate}"' if _PLAIN.fullmatch(aggregate) else json.dumps(aggregate)
        head = (
            f'{"}," if batch.sent else "["}{{"specversion":"1.0","id":"{event_id}{self._source}'
            f'{type_}","time":"{self._time(at_ms)}","subject":{key}{self._stream}{seq:020d}",'
            f'"partitionkey":{key},"data":'
        ).encode()
        size = batch.size + len(head) + len(data)
        if batch.sent and size > batch.limits.bytes:
            batch.full = True
            return False
        batch.parts.append(head)
        batch.parts.append(data)
        batch.size = size
        batch.sent.append(Sent(number, event_id, type_, self._lane, seq))
        return True

    def _time(self, at_ms: int) -> str:
        """As :func:`rfc3339`; events of one second share most of it."""
        second, rest_ms = divmod(at_ms, 1000)
        if second != self._second:
            self._second = second
            self._second_text = rfc3339(second * 1000).removesuffix("000Z")
        return f"{self._second_text}{rest_ms:03d}Z"

    def _stand_in(self, seq: int) -> None:
        """A marker for an event whose row is gone: the cloud lost it after we forgot it."""
        batch = self._batch
        if len(batch.sent) >= batch.limits.events:
            batch.full = True
            return
        place = (batch.store, *self._lane, str(seq))
        data = {
            "original_id": derived_id("purged", *place),
            "original_type": "unknown",
            "aggregate_id": "unknown",
            "code": "purged",
            "detail": "acked before and no longer kept by the hub; restored clouds can't get it",
        }
        marker_id = derived_id(OUTBOX_PARKED, *place)
        row = (0, seq, marker_id, OUTBOX_PARKED, "unknown", 0, json.dumps(data).encode())
        if self._take(row):
            batch.missing += 1


def _waits(row: PendingRow) -> bool:
    """A marker keeps its place, and a resend is what the others wait for."""
    return row[3] != OUTBOX_PARKED and _RESEND_MARK not in row[6]
