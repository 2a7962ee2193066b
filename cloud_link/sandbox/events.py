"""Taking a batch of events: order, dedup, poison; what an event means is in ``effects``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hub.contract.oms import EventResult, EventsPage, OmsCode, OmsProblem, oms_problem
from hub.contract.oms_envelope import CloudEvent, EventSource, Heads, Stream, sequence_text
from hub.contract.oms_events import OUTBOX_PARKED, movements_of, parse_data
from hub.contract.oms_facts import Fact

from .cursors import cursor_text, resume_at
from .effects import apply_fact, known_as, resolve_parked
from .levels import apply_movements
from .sessions import Holder

if TYPE_CHECKING:
    from sqlite3 import Connection

Lane = tuple[str, Stream]


@dataclass(slots=True)
class Intake:
    """The progress of one batch within its transaction."""

    store: str
    holder: Holder
    now_ms: int
    acked: dict[Lane, int] = field(default_factory=dict)
    results: list[EventResult] = field(default_factory=list)
    problem: OmsProblem | None = None
    gaps: set[Lane] = field(default_factory=set)

    def heads(self) -> Heads:
        heads: Heads = {}
        for (source, stream), seq in self.acked.items():
            heads.setdefault(source, {})[stream] = seq
        return heads

    def stop(self, code: OmsCode, detail: str, event: CloudEvent, expected: int) -> None:
        """Keep the batch's first problem."""
        if self.problem is None:
            self.problem = oms_problem(
                code,
                detail,
                source=event.source,
                stream=event.stream,
                expected=expected,
                event_id=event.id,
            )


def take_batch(db: Connection, intake: Intake, items: list[Any]) -> None:
    """Take events in the order given; what was taken is in ``intake`` and stays committed.

    A gap ends its own stream's part of the batch, poison and a reused sequence end the batch.
    """
    for item in items:
        event = _envelope(intake, item)
        if event is None:
            break
        lane: Lane = (event.source, event.stream)
        if lane not in intake.acked:
            intake.acked[lane] = _watermark(db, intake.store, lane)
        if lane not in intake.gaps and not _take_one(db, intake, lane, event):
            break
    for (source, stream), seq in intake.acked.items():
        if seq:
            db.execute(
                "INSERT INTO watermarks VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET seq=excluded.seq",
                (intake.store, source, stream, seq),
            )


def _envelope(intake: Intake, item: Any) -> CloudEvent | None:
    """The event, or None after noting why it can't be read."""
    try:
        event = CloudEvent.model_validate(item)
        source = EventSource.parse(event.source)
    except (ValidationError, ValueError) as wrong:
        given = item.get("id") if isinstance(item, dict) else None
        intake.problem = intake.problem or oms_problem(
            OmsCode.POISON_EVENT,
            f"The event's envelope is not well formed: {_why(wrong)}",
            event_id=given if isinstance(given, str) else None,
        )
        return None
    holder = intake.holder
    ours = source.store == intake.store and source.hub_id == holder.hub_id
    if ours and source.incarnation <= holder.incarnation and event.seq >= 1:
        return event
    intake.stop(
        OmsCode.POISON_EVENT,
        f"{event.source} sequence {event.seq} can't come from hub {holder.hub_id} of store "
        f"{intake.store}, incarnation {holder.incarnation}.",
        event,
        event.seq,
    )
    return None


def _why(wrong: Exception) -> str:
    if isinstance(wrong, ValidationError):
        first = wrong.errors(include_url=False, include_input=False, include_context=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(wrong)


def _watermark(db: Connection, store: str, lane: Lane) -> int:
    row = db.execute(
        "SELECT seq FROM watermarks WHERE store=? AND source=? AND stream=?", (store, *lane)
    ).fetchone()
    return int(row[0]) if row else 0


def _take_one(db: Connection, intake: Intake, lane: Lane, event: CloudEvent) -> bool:
    """False ends the batch."""
    head = intake.acked[lane]
    if event.seq <= head:
        return _take_repeat(db, intake, event)
    if event.seq > head + 1:
        intake.gaps.add(lane)
        intake.stop(
            OmsCode.SEQUENCE_GAP,
            f"Stream {event.stream} of {event.source} stands at {head}; send {head + 1} next.",
            event,
            head + 1,
        )
        return True
    known = _event_of_id(db, intake.store, event.id)
    if known is None:
        try:
            fact = parse_data(event)
        except ValidationError as wrong:
            detail = f"{event.type} {event.id}: {_why(wrong)}. Send outbox.parked in its place."
            intake.stop(OmsCode.POISON_EVENT, detail, event, event.seq)
            return False
        known = _known_otherwise(db, intake.store, event, fact)
        if known is None:
            _store(db, intake, event, fact)
            intake.acked[lane] = event.seq
            return True
    _place(db, intake.store, event, known)
    intake.acked[lane] = event.seq
    intake.results.append(EventResult(id=event.id, status="duplicate"))
    return True


def _take_repeat(db: Connection, intake: Intake, event: CloudEvent) -> bool:
    (placed,) = db.execute(
        "SELECT id FROM placements WHERE store=? AND source=? AND stream=? AND seq=?",
        (intake.store, event.source, event.stream, event.seq),
    ).fetchone()
    if placed == event.id:
        intake.results.append(EventResult(id=event.id, status="duplicate"))
        return True
    intake.stop(
        OmsCode.SEQUENCE_REUSED,
        f"{event.source} {event.stream} {event.seq} is event {placed}, not {event.id}: this"
        " database was copied or restored. Say HELLO with reason 'restored'.",
        event,
        event.seq,
    )
    return False


def _event_of_id(db: Connection, store: str, event_id: str) -> int | None:
    row = db.execute(
        "SELECT event FROM event_ids WHERE store=? AND id=?", (store, event_id)
    ).fetchone()
    return int(row[0]) if row else None


def _known_otherwise(db: Connection, store: str, event: CloudEvent, fact: Fact) -> int | None:
    """An event that said the same under another id: a resend, or the same sale or return."""
    if fact.original_id is not None and event.type != OUTBOX_PARKED:
        resent = db.execute(
            "SELECT resolved_by FROM parked WHERE store=? AND original_id=?",
            (store, fact.original_id),
        ).fetchone()
        if resent is not None and resent[0] is not None:
            return int(resent[0])
        original = _event_of_id(db, store, fact.original_id)
        if original is not None:
            return original
    return known_as(db, store, fact)


def _place(db: Connection, store: str, event: CloudEvent, number: int) -> None:
    db.execute(
        "INSERT INTO placements VALUES (?, ?, ?, ?, ?, ?)",
        (store, event.source, event.stream, event.seq, event.id, number),
    )
    db.execute("INSERT OR IGNORE INTO event_ids VALUES (?, ?, ?)", (store, event.id, number))


def _store(db: Connection, intake: Intake, event: CloudEvent, fact: Fact) -> None:
    done = db.execute(
        "INSERT INTO events (store, source, stream, seq, id, type, partitionkey, subject, time,"
        " data, status, received_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'applied', ?)",
        (
            intake.store,
            event.source,
            event.stream,
            event.seq,
            event.id,
            event.type,
            event.partitionkey,
            event.subject,
            event.time,
            json.dumps(event.data, ensure_ascii=False, separators=(",", ":")),
            intake.now_ms,
        ),
    )
    number = done.lastrowid
    assert number is not None
    _place(db, intake.store, event, number)
    apply_movements(db, intake.store, number, movements_of(fact))
    conflict = apply_fact(db, intake.store, number, event, fact)
    parked_for = None
    if event.type != OUTBOX_PARKED and fact.original_id is not None:
        parked_for = resolve_parked(db, intake.store, fact.original_id, number)
    result = EventResult(
        id=event.id,
        status="parked" if event.type == OUTBOX_PARKED else "rejected" if conflict else "applied",
        parked_for=parked_for,
        problem=oms_problem(OmsCode.CONFLICT, conflict) if conflict else None,
    )
    db.execute(
        "UPDATE events SET status=?, parked_for=?, problem=? WHERE event=?",
        (result.status, parked_for, conflict, number),
    )
    intake.results.append(result)


def events_after(
    db: Connection, store: str, after: str, source_prefix: str, limit: int, oms_incarnation: str
) -> EventsPage:
    """A page of a hub's own facts, oldest first, each once."""
    start = resume_at(db, after, "events", oms_incarnation)
    rows = db.execute(
        "SELECT event, source, stream, seq, id, type, partitionkey, subject, time, data"
        " FROM events WHERE store=? AND event>? AND substr(source, 1, ?)=?"
        " ORDER BY event LIMIT ?",
        (store, start, len(source_prefix), source_prefix, limit + 1),
    ).fetchall()
    events = tuple(
        CloudEvent(
            source=source,
            stream=stream,
            sequence=sequence_text(seq),
            id=event_id,
            type=kind,
            partitionkey=key,
            subject=subject,
            time=time,
            data=json.loads(data),
        )
        for _, source, stream, seq, event_id, kind, key, subject, time, data in rows[:limit]
    )
    last = rows[:limit][-1][0] if rows else start
    return EventsPage(
        events=events,
        cursor=cursor_text(oms_incarnation, last),
        more=len(rows) > limit,
        oms_incarnation=oms_incarnation,
    )
