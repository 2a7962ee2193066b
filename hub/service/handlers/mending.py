"""What a technician has the hub do to mend itself: written down, and where it changes rows, done
in the same transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.contract.admin import RetryParked
from hub.contract.base import Command
from hub.domain import cards
from hub.service.gate import Handler, Reader
from hub.service.handlers import parking
from hub.service.internal import InternalCommand
from hub.service.unit import Unit
from hub.storage import outbox, relinkrows

TEXT_MAX = 300
AGGREGATES_MAX = 200


@dataclass(frozen=True, slots=True)
class NoteAction(InternalCommand):
    """For the audit log: the action ``key`` was ``asked`` for, or what came of it."""

    key: str
    outcome: str
    text: str


@dataclass(frozen=True, slots=True)
class ResendParked(InternalCommand):
    """Send what the cloud refused again.  The value: how many events."""


def resend_parked(unit: Unit, _command: ResendParked) -> int:
    """Each aggregate as ``outbox/retry`` does; at most 200 aggregates or 500 events and the rest of
    one aggregate, what is left is sent by another call.  Errors: ``superseded``."""
    unit.check_fence()
    before = outbox.count_parked(unit.tx)
    for aggregate in sorted(outbox.parked_aggregates(unit.tx))[:AGGREGATES_MAX]:
        if before - outbox.count_parked(unit.tx) >= parking.RESEND_MAX:
            break
        ((number, *_),) = relinkrows.parked_of(unit.tx, aggregate, 1)
        parking.retry_parked(unit, RetryParked(outbox_id=number))
    return before - outbox.count_parked(unit.tx)


def note_action(unit: Unit, command: NoteAction) -> None:
    """Write the entry; who asked is the unit's caller."""
    data = {"outcome": command.outcome}
    if command.text:
        data["text"] = cards.mask(command.text[:TEXT_MAX])
    unit.note("action.asked" if command.outcome == "asked" else "action.ended", command.key, data)


WRITES: dict[type[Command], Handler] = {}
READS: dict[type[Command], Reader] = {}
SLOW_READS: dict[type[Command], Reader] = {}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    NoteAction: note_action,
    ResendParked: resend_parked,
}
