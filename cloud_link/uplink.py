"""Sending events: by priority, in order, each exactly once, one request on its way at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol

from cloud_link.errors import (
    OmsError,
    Permanent,
    PoisonEvent,
    SequenceGap,
    SequenceReused,
    TooLarge,
    Transient,
)
from cloud_link.http import Body, OmsClient, packed
from cloud_link.pacing import Pacer, Sleep, first_of
from hub import events
from hub.contract.oms import BATCH_CONTENT_TYPE, MAX_BATCH_BYTES, EventResult, EventsReply
from hub.contract.oms_envelope import Heads
from hub.contract.oms_events import OUTBOX_PARKED
from hub.crashpoints import crashpoint
from hub.service.caller import CLOUD
from hub.service.gate import Gate
from hub.service.handlers.cloud import MarkAcked
from hub.service.handlers.parking import ParkPoison, Unpark, parked_among
from hub.service.outgoing import (
    URGENT_STREAMS,
    Lane,
    Limits,
    MustPark,
    Outgoing,
    Sent,
    Span,
    little_waits,
    next_batch,
)

log = logging.getLogger(__name__)

MARK_PAUSE_S = 0.25
"""Least time between two writes of watermarks: how far the stored ones may lag behind."""
MARK_AGAIN_S = 2.0
"""How long after a write that failed."""
TAKEN_MAX = 20_000
"""Events remembered between two such writes; a cloud that takes more is checked at the end only."""
LITTLE: Final = "little"
"""So little waits that company is worth a moment."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A batch and its body as it is sent."""

    batch: Outgoing
    body: Body


class Watch(Protocol):
    """Told how sending went; it must be quick."""

    def now_s(self) -> float:
        """The instant that a request begins at."""

    def sent(self, batch: Sequence[Sent], began_s: float, failure: str = "") -> None:
        """The cloud has these events, or (``failure``: the kind of error) they were not taken."""


class Uplink:
    """One session's sender.  ``wake`` is called whenever events were written."""

    def __init__(
        self,
        gate: Gate,
        client: OmsClient,
        pacer: Pacer,
        limits: Limits,
        linger_s: float,
        *,
        sleep: Sleep,
        watch: Watch | None = None,
    ) -> None:
        self._gate = gate
        self._watch = watch
        self._client = client
        self._pacer = pacer
        self._limits = limits
        self._now = limits
        self._linger_s = linger_s
        self._sleep = sleep
        self._grew = asyncio.Event()
        self._enough = asyncio.Event()
        self._waiting = 0
        self._acked: dict[Lane, int] = {}
        self._unmarked: dict[Lane, int] = {}
        self._taken: list[int] = []
        self._marker: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()
        self._stuck = 0
        self.sent_events = 0
        self.requests = 0
        self.rejected = 0

    def wake(self, stream: str) -> None:
        """An event was written to ``stream``."""
        self._waiting += 1
        self._grew.set()
        if stream in URGENT_STREAMS or self._waiting >= self._limits.events:
            self._enough.set()

    async def run(self) -> None:
        """Send until cancelled.  Errors: what ends the session, or a failure of the database."""
        # A new session may have gone back: the stored watermarks are the truth.
        self._acked.clear()
        self._unmarked.clear()
        self._taken.clear()
        self._ending.clear()
        self._now, self._stuck = self._limits, 0
        try:
            while True:
                self._grew.clear()
                if not await self._round():
                    await self._grew.wait()
        finally:
            self._ending.set()
            await self._marked()

    async def _marked(self) -> None:
        """Wait until no watermark is on its way, however often this is cancelled: one stored after
        the next HELLO would undo what that went back to."""
        while self._marker is not None and not self._marker.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait((self._marker,))

    async def _round(self) -> bool:
        """Send one batch; False when there is nothing to send."""
        self._enough.clear()
        self._waiting = 0
        found = await self._next(patient=self._linger_s > 0)
        if found is LITTLE:
            await first_of(self._enough, self._linger_s, self._sleep)
            found = await self._next(patient=False)
        match found:
            case Ready():
                await self._push(found.batch, found.body)
            case MustPark():
                why = f"an earlier event of {found.aggregate} is parked"
                await self._gate.internal(CLOUD, ParkPoison(found.outbox_id, "follows", why))
            case _:
                return False
        return True

    async def _next(self, *, patient: bool) -> Ready | MustPark | Literal["little"] | None:
        """Read, wrapped and compressed in one go in a reader's thread."""
        acked, limits, store = dict(self._acked), self._now, self._gate.shop.store

        def prepare(rows: Any) -> Ready | MustPark | Literal["little"] | None:
            if patient and little_waits(rows, acked, limits):
                return LITTLE
            batch = next_batch(rows, store, acked, limits)
            if isinstance(batch, Outgoing):
                return Ready(batch, packed(batch.body, BATCH_CONTENT_TYPE))
            return batch

        found: Ready | MustPark | Literal["little"] | None = await self._gate.read(prepare)
        return found

    async def _push(self, batch: Outgoing, body: Body) -> None:
        if batch.missing:
            log.error(
                "the cloud asks for %d events that are acked since long and no longer kept here;"
                " markers go in their place, compare sales with the cloud's books",
                batch.missing,
            )
        self.requests += 1
        try:
            reply = await self._pacer.call(lambda _: self._watched(body, batch))
        except OmsError as error:
            # Where a place is reused, the OMS's watermark is about another history.
            reused = isinstance(error, SequenceReused)
            if error.problem is not None and error.problem.acked is not None and not reused:
                self._take(batch, error.problem.acked, error.problem.results or ())
                await self._unpark_taken(batch)
            await self._after_refusal(batch, error)
            return
        self._now = self._limits
        self._stuck = 0
        self._take(batch, reply.acked, reply.results)
        await self._unpark_taken(batch)

    async def _watched(self, body: Body, batch: Outgoing) -> EventsReply:
        if self._watch is None:
            return await self._posted(body, batch)
        began_s = self._watch.now_s()
        try:
            reply = await self._posted(body, batch)
        except OmsError as error:
            self._watch.sent(batch.sent, began_s, type(error).__name__)
            raise
        taken = [one for one in batch.sent if one.seq <= _mark(reply.acked, one.lane)]
        self._watch.sent(taken, began_s)
        return reply

    async def _posted(self, body: Body, batch: Outgoing) -> EventsReply:
        if len(body.content) > MAX_BATCH_BYTES and len(batch.sent) > 1:
            raise TooLarge("the batch is too large, even compressed")
        crashpoint("uplink.before-send")
        reply = await self._client.post("/events", body, EventsReply)
        crashpoint("uplink.answered")
        advanced = any(
            _mark(reply.acked, lane) > self._acked.get(lane, first_seq - 1)
            for lane, first_seq, _ in batch.spans
        )
        if not advanced:
            raise Transient("the OMS took a batch without acking any of it")
        return reply

    # What the OMS said ---------------------------------------------------------------------------

    def _take(self, batch: Outgoing, acked: Heads, results: tuple[EventResult, ...]) -> None:
        """Move the watermarks; the stored ones follow in one row per stream."""
        for span in batch.spans:
            seq = min(_mark(acked, span.lane), span.last_seq)
            before = self._acked.get(span.lane)
            if seq and (before is None or seq > before):
                self._set(span.lane, seq)
        self.sent_events += sum(map(self._taken_of, batch.spans))
        if log.isEnabledFor(logging.DEBUG):
            self._tell_taken(batch)
        for result in results:
            if result.status == "rejected":
                self.rejected += 1
                detail = result.problem.detail if result.problem else ""
                log.error(
                    "the cloud keeps event %s but contradicts it: %s",
                    result.id,
                    detail,
                    extra=events.EVENT_CONTRADICTED(event_id=result.id),
                )

    def _tell_taken(self, batch: Outgoing) -> None:
        """In the debug log: which event has arrived, by the number that its answer had."""
        for one in batch.sent:
            if one.seq <= self._acked.get(one.lane, 0):
                log.debug(
                    "the cloud has event %d",
                    one.outbox_id,
                    extra=events.EVENT_TAKEN(
                        seq=one.outbox_id, event_id=one.event_id, stream=one.lane[1]
                    ),
                )

    def _taken_of(self, span: Span) -> int:
        """How many of these events the cloud has."""
        upto = min(self._acked.get(span.lane, 0), span.last_seq)
        return max(0, upto - span.first_seq + 1)

    async def _unpark_taken(self, batch: Outgoing) -> None:
        """An event that was parked while it was on its way has arrived after all: it must not be
        sent again as another one."""
        acked = self._acked
        taken = [
            one.outbox_id
            for one in batch.sent
            if one.outbox_id and one.type != OUTBOX_PARKED and one.seq <= acked.get(one.lane, 0)
        ]
        self._taken += taken
        del self._taken[:-TAKEN_MAX]
        await self._unpark(taken)

    async def _unpark(self, taken: list[int]) -> None:
        for number in parked_among(self._gate.rows, taken):
            await self._gate.internal(CLOUD, Unpark(number))

    def _set(self, lane: Lane, seq: int) -> None:
        self._acked[lane] = seq
        self._unmarked[lane] = seq
        if self._marker is None or self._marker.done():
            self._marker = asyncio.create_task(self._mark_stored(), name="cloud-acks")

    async def _mark_stored(self) -> None:
        """Store the newest watermarks; at most one such write is on its way, and the next one comes
        a moment later.

        Until a watermark is stored, its events can be parked by hand; those that were are put back
        after it.
        """
        while self._unmarked:
            marks, self._unmarked = self._unmarked, {}
            taken, self._taken = self._taken, []
            try:
                await self._gate.internal(
                    CLOUD,
                    MarkAcked(tuple((uri, stream, seq) for (uri, stream), seq in marks.items())),
                )
                crashpoint("uplink.marked")
                await self._unpark(taken)
            except Exception as error:
                # Until then sent again after a restart, and known by their ids.
                log.warning("watermarks are not stored yet: %s", error)
                if self._ending.is_set():
                    return
                self._unmarked = marks | self._unmarked
                self._taken = [*taken, *self._taken][-TAKEN_MAX:]
                await first_of(self._ending, MARK_AGAIN_S, self._sleep)
                continue
            await first_of(self._ending, MARK_PAUSE_S, self._sleep)

    async def _after_refusal(self, batch: Outgoing, error: OmsError) -> None:
        match error:
            case SequenceGap():
                self._rewind(batch, error)
            case PoisonEvent():
                await self._park(batch, self._culprit(batch, error), error)
            case SequenceReused():
                await self._unpark_or_raise(batch, error)
            case TooLarge() | Permanent():
                await self._narrow(batch, error)
            case _:
                raise error

    def _rewind(self, batch: Outgoing, error: SequenceGap) -> None:
        problem = error.problem
        assert problem is not None
        if problem.source is None or problem.stream is None or problem.expected is None:
            raise Transient("the OMS reports a gap without saying where")
        lane = (problem.source, problem.stream)
        if lane not in {one.lane for one in batch.sent}:
            raise Transient(f"the OMS reports a gap in {lane}, which was not sent")
        log.warning("the cloud goes back to %d in %s %s", problem.expected, *lane)
        self._note_stuck()
        self._set(lane, problem.expected - 1)

    def _note_stuck(self) -> None:
        """A contradiction that comes back isn't answered at full speed."""
        self._stuck += 1
        if self._stuck > 3:
            raise Transient("the OMS contradicts itself again and again")

    def _culprit(self, batch: Outgoing, error: OmsError) -> Sent | None:
        problem = error.problem
        if problem is not None:
            for one in batch.sent:
                place = (problem.source, problem.stream, problem.expected)
                if one.event_id == problem.event_id or (*one.lane, one.seq) == place:
                    return one
        return batch.sent[0] if len(batch.sent) == 1 else None

    async def _park(self, batch: Outgoing, culprit: Sent | None, error: OmsError) -> None:
        if culprit is None:
            await self._narrow(batch, error)
            return
        code = error.problem.code if error.problem is not None else "refused"
        detail = error.problem.detail if error.problem is not None else str(error)
        parked = culprit.outbox_id != 0 and await self._gate.internal(
            CLOUD, ParkPoison(culprit.outbox_id, code, detail)
        )
        crashpoint("uplink.parked")
        if not parked:
            raise Transient(f"the OMS refuses the marker {culprit.event_id}: {detail}")

    async def _narrow(self, batch: Outgoing, error: OmsError) -> None:
        """Find the event that is refused by sending fewer at a time."""
        if len(batch.sent) == 1:
            await self._park(batch, batch.sent[0], error)
            return
        self._now = replace(self._now, events=max(1, len(batch.sent) // 2))

    async def _unpark_or_raise(self, batch: Outgoing, error: SequenceReused) -> None:
        """A reply that was lost before its event was parked looks like a reused place."""
        culprit = self._culprit(batch, error)
        if culprit is not None and culprit.type == OUTBOX_PARKED and culprit.outbox_id:
            self._note_stuck()
            if await self._gate.internal(CLOUD, Unpark(culprit.outbox_id)):
                return
        raise error


def _mark(acked: Mapping[str, Mapping[str, int]] | Heads, lane: Lane) -> int:
    streams: Mapping[str, int] = acked.get(lane[0], {})  # type: ignore[assignment]
    return streams.get(lane[1], 0)
