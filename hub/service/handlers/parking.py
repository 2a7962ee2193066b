"""Parking: an event the cloud can't understand waits aside, a marker takes its place, the later
events of its aggregate wait behind it, and all are sent again together."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hub import events
from hub.contract.admin import GiveUpParked, ParkEvent, RetryParked
from hub.contract.base import Command, Nothing
from hub.contract.oms_events import OUTBOX_PARKED
from hub.contract.problems import Code, refuse
from hub.crashpoints import crashpoint
from hub.domain import cards
from hub.domain.staff import Permission
from hub.service import permits
from hub.service.gate import Handler
from hub.service.internal import InternalCommand
from hub.service.notices import OutboxGrew
from hub.service.unit import Unit, derived_id
from hub.storage import hubrow, outbox, relinkrows
from hub.storage.outbox import OutboxRow, ParkedRow
from hub.storage.rows import Rows

log = logging.getLogger(__name__)

RESEND_MAX = 500
DETAIL_MAX = 500


@dataclass(frozen=True, slots=True)
class ParkPoison(InternalCommand):
    """Park one event, by its work sequence.  ``code`` and ``detail``: what the OMS said of it, or
    ``follows`` for one that waits behind a parked one."""

    outbox_id: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Unpark(InternalCommand):
    """The OMS has the event itself in this place, not the marker: put it back.  The value is False
    when there is nothing parked there."""

    outbox_id: int


def park_poison(unit: Unit, command: ParkPoison) -> bool:
    """See :class:`ParkPoison`; False when it is a marker or gone."""
    row = outbox.get(unit.tx, command.outbox_id)
    if row is None or row.type == OUTBOX_PARKED:
        return False
    _park(unit, row, command.code, command.detail)
    log.error(
        "event %s (%s of %s) is parked: %s; see `store-hub outbox show %d`",
        row.event_id,
        row.type,
        row.aggregate,
        command.detail,
        row.id,
        extra=events.EVENT_PARKED(seq=row.id, event_id=row.event_id, event_type=row.type),
    )
    return True


def unpark(unit: Unit, command: Unpark) -> bool:
    """See :class:`Unpark`."""
    back = relinkrows.unpark(unit.tx, command.outbox_id)
    if back:
        unit.note("outbox.unparked", str(command.outbox_id))
    return back


def parked_among(rows: Rows, outbox_ids: Iterable[int]) -> list[int]:
    """Which of these events are parked now.  Nearly always none is, which costs one look."""
    if outbox.count_parked(rows) == 0:
        return []
    found = ((number, outbox.parked_row(rows, number)) for number in outbox_ids)
    return [number for number, row in found if row is not None and row.resent_at_ms is None]


def park_event(unit: Unit, command: ParkEvent) -> Nothing:
    """Park a pending event by hand."""
    permits.need(unit, Permission.HUB_ADMIN)
    row = outbox.get(unit.tx, command.outbox_id)
    if row is None:
        raise refuse(Code.NOT_FOUND, "There is no such event; `store-hub outbox list` shows them.")
    if row.type == OUTBOX_PARKED:
        raise refuse(Code.CONFLICT, "This event is parked already.")
    if row.seq <= relinkrows.head(unit.tx, row.source, row.stream)[1]:
        raise refuse(Code.CONFLICT, "The cloud has this event: there is nothing to park.")
    _park(unit, row, "by-hand", command.reason)
    return Nothing()


def _park(unit: Unit, row: OutboxRow, code: str, detail: str) -> None:
    detail = cards.mask(detail[:DETAIL_MAX])
    marker = {
        "original_id": _root_id(row.event_id, json.loads(row.data)),
        "original_type": row.type,
        "aggregate_id": row.aggregate,
        "code": code,
        "detail": detail,
    }
    outbox.park(
        unit.tx,
        row,
        derived_id(unit.shop.store, OUTBOX_PARKED, row.event_id, str(row.id)),
        OUTBOX_PARKED,
        json.dumps(marker, separators=(",", ":"), ensure_ascii=False),
        f"{code}: {detail}",
    )
    crashpoint("parking.marked")
    unit.note(
        "outbox.parked",
        row.event_id,
        {"type": row.type, "aggregate": row.aggregate, "code": code, "detail": detail},
    )


def _root_id(event_id: str, data: dict[str, Any]) -> str:
    """The event as the cloud first heard of it; a resend names it."""
    return str(data.get("original_id") or event_id)


def retry_parked(unit: Unit, command: RetryParked) -> Nothing:
    """Send a parked event's whole aggregate again, in order, as new events naming the old ones.

    At most 500 at a time; the rest stays parked and is sent by another retry.
    """
    permits.need(unit, Permission.HUB_ADMIN)
    parked = outbox.parked_row(unit.tx, command.outbox_id)
    if parked is None:
        raise refuse(Code.NOT_FOUND, "No event is parked under this number.")
    if parked.resent_at_ms is not None:
        raise refuse(Code.CONFLICT, "This event was sent again already.")
    source, _ = hubrow.source_and_fence(unit.tx)
    rows = relinkrows.parked_of(unit.tx, parked.aggregate, RESEND_MAX)
    for outbox_id, stream, event_id, type_, text in rows:
        data = json.loads(text)
        data["original_id"] = _root_id(event_id, data)
        unit.seq = outbox.append(
            unit.tx,
            source=source,
            stream=stream,
            event_id=derived_id(unit.shop.store, "resend", event_id, str(outbox_id)),
            type_=type_,
            aggregate=parked.aggregate,
            data=json.dumps(data, separators=(",", ":"), ensure_ascii=False),
        )
        outbox.mark_resent(unit.tx, outbox_id)
        unit.tell(OutboxGrew(stream))
    unit.note("outbox.resent", parked.aggregate, {"events": len(rows)})
    return Nothing()


def why_not_given_up(rows: Rows, row: ParkedRow) -> str:
    """Why a parked event may not be thrown away; empty when it may."""
    if row.stream in outbox.DURABLE_STREAMS:
        return (
            "This is about money, goods or orders: without it the books of shop and cloud would "
            "differ for good. Have the cloud's side corrected, then send it again."
        )
    place = outbox.get(rows, row.outbox_id)
    if place is not None and place.seq > relinkrows.head(rows, place.source, place.stream)[1]:
        # Found there, it is put back; without it the hub would have to take itself for a copy.
        return (
            "The cloud hasn't taken the note in this event's place yet, and may have the event "
            "itself: wait until it is reached."
        )
    return ""


def give_up_parked(unit: Unit, command: GiveUpParked) -> Nothing:
    """See :class:`GiveUpParked`.  The marker stays in the event's place of the stream."""
    permits.need(unit, Permission.HUB_ADMIN)
    parked = outbox.parked_row(unit.tx, command.outbox_id)
    if parked is None:
        raise refuse(Code.NOT_FOUND, "No event is parked under this number.")
    if parked.resent_at_ms is not None:
        raise refuse(Code.CONFLICT, "This event was sent again already.")
    if why_not := why_not_given_up(unit.tx, parked):
        raise refuse(Code.CONFLICT, why_not)
    outbox.forget_parked(unit.tx, command.outbox_id)
    unit.note(
        "outbox.given_up",
        parked.event_id,
        {
            "type": parked.type,
            "aggregate": parked.aggregate,
            "parked_for": parked.reason,
            "reason": command.reason,
        },
    )
    return Nothing()


WRITES: dict[type[Command], Handler] = {
    RetryParked: retry_parked,
    ParkEvent: park_event,
    GiveUpParked: give_up_parked,
}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    ParkPoison: park_poison,
    Unpark: unpark,
}
