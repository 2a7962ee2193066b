"""Sending events: by priority, in order, each exactly once, one request on its way at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import replace

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
from hub.contract.oms import BATCH_CONTENT_TYPE, MAX_BATCH_BYTES, EventResult, EventsReply
from hub.contract.oms_events import OUTBOX_PARKED, Heads
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
    next_batch,
)

log = logging.getLogger(__name__)


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
    ) -> None:
        self._gate = gate
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
        self._marker: asyncio.Task[None] | None = None
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
        self._now, self._stuck = self._limits, 0
        try:
            while True:
                self._grew.clear()
                if not await self._round():
                    await self._grew.wait()
        finally:
            if self._marker is not None:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(self._marker)

    async def _round(self) -> bool:
        """Send one batch; False when there is nothing to send."""
        self._enough.clear()
        self._waiting = 0
        batch = await self._next()
        if isinstance(batch, Outgoing) and not (batch.full or batch.urgent) and self._linger_s:
            await first_of(self._enough, self._linger_s, self._sleep)
            batch = await self._next()
        match batch:
            case None:
                return False
            case MustPark():
                why = f"an earlier event of {batch.aggregate} is parked"
                await self._gate.internal(CLOUD, ParkPoison(batch.outbox_id, "follows", why))
            case Outgoing():
                await self._push(batch)
        return True

    async def _next(self) -> Outgoing | MustPark | None:
        acked, limits, store = dict(self._acked), self._now, self._gate.shop.store
        found: Outgoing | MustPark | None = await self._gate.read(
            lambda rows: next_batch(rows, store, acked, limits)
        )
        return found

    async def _push(self, batch: Outgoing) -> None:
        if batch.missing:
            log.error(
                "the cloud asks for %d events that are acked since long and no longer kept here;"
                " markers go in their place, compare sales with the cloud's books",
                batch.missing,
            )
        body = await asyncio.to_thread(packed, batch.body, BATCH_CONTENT_TYPE)
        self.requests += 1
        try:
            reply = await self._pacer.call(lambda _: self._posted(body, batch))
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

    async def _posted(self, body: Body, batch: Outgoing) -> EventsReply:
        if len(body.content) > MAX_BATCH_BYTES and len(batch.sent) > 1:
            raise TooLarge("the batch is too large, even compressed")
        reply = await self._client.post("/events", body, EventsReply)
        advanced = any(
            _mark(reply.acked, one.lane) > self._acked.get(one.lane, one.seq - 1)
            for one in batch.sent
        )
        if not advanced:
            raise Transient("the OMS took a batch without acking any of it")
        return reply

    # What the OMS said ---------------------------------------------------------------------------

    def _take(self, batch: Outgoing, acked: Heads, results: tuple[EventResult, ...]) -> None:
        """Move the watermarks; the stored ones follow in one row per stream."""
        last: dict[Lane, int] = {}
        for one in batch.sent:
            last[one.lane] = one.seq
        for lane, sent_seq in last.items():
            seq = min(_mark(acked, lane), sent_seq)
            before = self._acked.get(lane)
            if seq and (before is None or seq > before):
                self._set(lane, seq)
        self.sent_events += sum(one.seq <= self._acked.get(one.lane, 0) for one in batch.sent)
        for result in results:
            if result.status == "rejected":
                self.rejected += 1
                detail = result.problem.detail if result.problem else ""
                log.error("the cloud keeps event %s but contradicts it: %s", result.id, detail)

    async def _unpark_taken(self, batch: Outgoing) -> None:
        """An event that was parked while it was on its way has arrived after all: it must not be
        sent again as another one."""
        taken = (
            one.outbox_id
            for one in batch.sent
            if one.outbox_id
            and one.type != OUTBOX_PARKED
            and one.seq <= self._acked.get(one.lane, 0)
        )
        for number in parked_among(self._gate.rows, taken):
            await self._gate.internal(CLOUD, Unpark(number))

    def _set(self, lane: Lane, seq: int) -> None:
        self._acked[lane] = seq
        self._unmarked[lane] = seq
        if self._marker is None or self._marker.done():
            self._marker = asyncio.create_task(self._mark_stored(), name="cloud-acks")

    async def _mark_stored(self) -> None:
        """Store the newest watermarks; at most one such write is on its way."""
        while self._unmarked:
            marks, self._unmarked = self._unmarked, {}
            try:
                await self._gate.internal(
                    CLOUD,
                    MarkAcked(tuple((uri, stream, seq) for (uri, stream), seq in marks.items())),
                )
            except Exception as error:
                # Sent again after a restart, and known by their ids then.
                log.warning("watermarks are not stored: %s", error)
                return

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
