"""Outage drills as the hub's rows know them: the row says whether the link to the cloud is cut.

Whoever keeps the link looks at the row after every change and after a start, so that a drill
survives a restart and ends at its time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from hub.contract.base import Command
from hub.contract.oms_events import DRILL_ENDED
from hub.contract.oms_remote import DRILL_MAX_MINUTES, DRILL_MIN_MINUTES
from hub.contract.problems import Code, refuse
from hub.service.gate import Handler, Reader
from hub.service.internal import InternalCommand
from hub.service.notices import DrillChanged, HubChanged
from hub.service.unit import Unit
from hub.storage import drillrows, hubrow
from hub.storage.drillrows import DrillRow
from hub.storage.rows import Rows

MINUTE_MS = 60_000
PAUSE_MS = 10 * MINUTE_MS
"""Least time between the end of a drill and the next one."""
How = Literal["time", "person", "clock"]


@dataclass(frozen=True, slots=True)
class BeginDrill(InternalCommand):
    """Cut the link to the cloud for so long.  The value is the drill's id."""

    minutes: int


@dataclass(frozen=True, slots=True)
class EndDrill(InternalCommand):
    """It is over.  The value is False when it was before."""

    drill_id: str
    how: How


@dataclass(frozen=True, slots=True)
class FinishDrill(InternalCommand):
    """Tell the cloud what came of it; ``caught_up_ms`` None: no longer waited for."""

    drill_id: str
    caught_up_ms: int | None


def why_not(rows: Rows, now_ms: int, budget_ms: int) -> str:
    """Why no drill may begin now, as far as the rows know; else empty."""
    match hubrow.get(rows).fence:
        case "restored":
            return "This hub is being put back from a copy: wait until it has everything again."
        case "superseded":
            return "Another box has taken this hub's place."
    last = drillrows.last(rows)
    if last is None:
        return ""
    if last.ended_at_ms is None:
        return "A drill is running already."
    since_ms = budget_ms - (last.ended_budget_ms or 0)
    # While the hub was off only the wall clock went on.
    since_ms = max(since_ms, now_ms - last.ended_at_ms)
    if since_ms < PAUSE_MS:
        left = -(-(PAUSE_MS - since_ms) // MINUTE_MS)
        return f"The last drill ended a moment ago: begin another one in {left} min."
    return ""


def begin(unit: Unit, minutes: int, asked_by: str, command_id: str | None = None) -> str:
    """Write it down.  Errors: ``conflict`` with the reason."""
    if not DRILL_MIN_MINUTES <= minutes <= DRILL_MAX_MINUTES:
        raise refuse(
            Code.VALIDATION, f"A drill lasts {DRILL_MIN_MINUTES} to {DRILL_MAX_MINUTES} minutes."
        )
    if why := why_not(unit.tx, unit.now_ms, unit.tx.budget_ms):
        raise refuse(Code.CONFLICT, why)
    drill_id = unit.ids.uuid7()
    drillrows.begin(
        unit.tx,
        drill_id=drill_id,
        command_id=command_id,
        asked_by=asked_by,
        length_ms=minutes * MINUTE_MS,
    )
    unit.note("drill.began", drill_id, {"minutes": minutes, "asked_by": asked_by})
    unit.tell(DrillChanged())
    unit.tell(HubChanged())
    return drill_id


def begin_drill(unit: Unit, command: BeginDrill) -> str:
    """See :class:`BeginDrill`."""
    return begin(unit, command.minutes, unit.caller.key)


def end_drill(unit: Unit, command: EndDrill) -> bool:
    """See :class:`EndDrill`."""
    row = drillrows.running(unit.tx)
    if row is None or row.drill_id != command.drill_id:
        return False
    drillrows.end(unit.tx, row, command.how)
    unit.note("drill.ended", row.drill_id, {"how": command.how})
    unit.tell(DrillChanged())
    unit.tell(HubChanged())
    return True


def finish_drill(unit: Unit, command: FinishDrill) -> None:
    """See :class:`FinishDrill`; a repeat changes nothing."""
    row = drillrows.last(unit.tx)
    if row is None or row.drill_id != command.drill_id or row.ended_at_ms is None or row.told:
        return
    drillrows.finish(unit.tx, row.drill_id, command.caught_up_ms)
    unit.note("drill.outcome", row.drill_id, {"caught_up_ms": command.caught_up_ms})
    if hubrow.get(unit.tx).fence != "superseded":
        data = outcome(row) | {"caught_up_ms": command.caught_up_ms}
        unit.emit("telemetry", DRILL_ENDED, "drill", data, row.drill_id)


def outcome(row: DrillRow) -> dict[str, Any]:
    """What came of it, as the event tells it."""
    return {
        "drill_id": row.drill_id,
        "command_id": row.command_id,
        "began_at_ms": row.began_at_ms,
        "ended_at_ms": row.ended_at_ms,
        "length_ms": row.length_ms,
        "how": row.how,
        "devices_began": row.devices_began,
        "devices_ended": row.devices_ended,
        "devices_selling": row.devices_selling,
        "sales": row.sales,
        "total_minor": row.total_minor,
        "waiting": row.waiting,
        "caught_up_ms": row.caught_up_ms,
    }


WRITES: dict[type[Command], Handler] = {}
READS: dict[type[Command], Reader] = {}
SLOW_READS: dict[type[Command], Reader] = {}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    BeginDrill: begin_drill,
    EndDrill: end_drill,
    FinishDrill: finish_drill,
}
