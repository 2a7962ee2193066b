"""What a technician has the hub do to mend itself: written down, and where it changes rows, done
in the same transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.contract.base import Command
from hub.domain import cards
from hub.service.gate import Handler, Reader
from hub.service.internal import InternalCommand
from hub.service.unit import Unit

TEXT_MAX = 300


@dataclass(frozen=True, slots=True)
class NoteAction(InternalCommand):
    """For the audit log: the action ``key`` was ``asked`` for, or what came of it."""

    key: str
    outcome: str
    text: str


def note_action(unit: Unit, command: NoteAction) -> None:
    """Write the entry; who asked is the unit's caller."""
    data = {"outcome": command.outcome}
    if command.text:
        data["text"] = cards.mask(command.text[:TEXT_MAX])
    unit.note("action.asked" if command.outcome == "asked" else "action.ended", command.key, data)


WRITES: dict[type[Command], Handler] = {}
READS: dict[type[Command], Reader] = {}
SLOW_READS: dict[type[Command], Reader] = {}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {NoteAction: note_action}
