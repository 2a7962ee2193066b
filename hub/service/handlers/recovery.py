"""After a restore: taking the hub's own facts back in from the cloud.

The cloud holds what this database lost.  Each fact is written as it was (sale, void, return,
movements, day totals) and its event put back at its own place, as acked, so that nothing is sent
twice.  Everything is harmless when repeated.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from hub.contract.oms_envelope import CloudEvent, EventSource, Heads
from hub.contract.oms_events import DeviceRevoked, parse_data
from hub.contract.problems import Refusal
from hub.domain.errors import DomainError
from hub.service.handlers import devices, takeback
from hub.service.handlers.takeback import Origin
from hub.service.internal import InternalCommand
from hub.service.notices import AckedMoved, HubChanged, SaleMade
from hub.service.unit import Unit
from hub.storage import devicerows, hubrow, relinkrows
from hub.storage.outbox import OutboxRow

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecoverEvents(InternalCommand):
    """A page of the hub's own facts, in the order the cloud took them."""

    events: tuple[CloudEvent, ...]
    times_ms: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recovered:
    """``applied``: written again; ``known``: were here; ``kept``: events without an effect on the
    shop's rows; ``failed``: could not be written, see the log."""

    applied: int = 0
    known: int = 0
    kept: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class FinishRecovery(InternalCommand):
    """All facts up to ``acked`` are back: lift the fence."""

    acked: Heads
    counts: Recovered


def recover_events(unit: Unit, command: RecoverEvents) -> Recovered:
    """See :class:`RecoverEvents`; one fact that can't be written doesn't hold up the others."""
    counts = {"applied": 0, "known": 0, "kept": 0, "failed": 0}
    own = hubrow.get(unit.tx).source_uri
    for event, at_ms in zip(command.events, command.times_ms, strict=True):
        if event.source == own:
            counts["known"] += 1
            continue
        try:
            with relinkrows.apart(unit.tx):
                counts[_recover(unit, event, at_ms)] += 1
        except (DomainError, Refusal, ValidationError, ValueError) as error:
            counts["failed"] += 1
            _put_back(unit, event, at_ms)
            log.error("%s %s can't be taken back in: %s", event.type, event.id, error)
            unit.note("recovery.failed", event.id, {"type": event.type, "why": str(error)[:200]})
    if counts["applied"]:
        unit.tell(SaleMade())
    return Recovered(**counts)


def _recover(unit: Unit, event: CloudEvent, at_ms: int) -> str:
    source = EventSource.parse(event.source)
    number = relinkrows.known_source(unit.tx, event.source, source.incarnation, source.fork)
    there = relinkrows.row_at(unit.tx, number, event.stream, event.seq)
    if event.seq <= relinkrows.head(unit.tx, number, event.stream)[0] and (
        there is None or there.event_id == event.id
    ):
        return "known"
    row = _put_back(unit, event, at_ms)
    fact = parse_data(event)
    if isinstance(fact, DeviceRevoked):
        return _revoked(unit, fact)
    return takeback.take(unit, fact, Origin(row.event, row.id))


def _put_back(unit: Unit, event: CloudEvent, at_ms: int) -> OutboxRow:
    """Write the event at its own place, as acked; the row with its work sequence."""
    source = EventSource.parse(event.source)
    number = relinkrows.known_source(unit.tx, event.source, source.incarnation, source.fork)
    data = json.dumps(event.data, separators=(",", ":"), ensure_ascii=False)
    row = OutboxRow(
        0,
        number,
        event.source,
        event.stream,
        event.seq,
        event.id,
        event.type,
        event.partitionkey,
        at_ms,
        data,
    )
    return replace(row, id=relinkrows.put_back(unit.tx, row))


def _revoked(unit: Unit, fact: DeviceRevoked) -> str:
    """A device that was shut out stays out."""
    device = devicerows.get(unit.tx, fact.device_id)
    if device is None or device.status == "revoked":
        return "known"
    devices.shut_out(unit, fact.device_id, fact.reason)
    return "applied"


# The end -----------------------------------------------------------------------------------------


def finish_recovery(unit: Unit, command: FinishRecovery) -> None:
    """See :class:`FinishRecovery`.  Every stream the cloud knows is known here from now on."""
    hub = hubrow.get(unit.tx)
    for uri, streams in command.acked.items():
        if uri == hub.source_uri:
            continue
        source = EventSource.parse(uri)
        number = relinkrows.known_source(unit.tx, uri, source.incarnation, source.fork)
        for stream, seq in streams.items():
            if seq > relinkrows.head(unit.tx, number, stream)[0]:
                relinkrows.raise_head(unit.tx, number, stream, seq)
    if hub.fence == "restored":
        hubrow.set_fence(unit.tx, "")
    counts = command.counts
    unit.note(
        "recovery.finished",
        hub.hub_id,
        {"applied": counts.applied, "known": counts.known, "failed": counts.failed},
    )
    unit.tell(HubChanged())
    unit.tell(AckedMoved())


INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    RecoverEvents: recover_events,
    FinishRecovery: finish_recovery,
}
