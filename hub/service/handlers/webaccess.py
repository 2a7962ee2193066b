"""Sessions of the status page.

Only a hash of the session's token arrives here.  The longest life is kept in the database by the
hub's own monotonic time; idleness is the web server's to watch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.contract.base import Command
from hub.service.gate import Handler, Reader
from hub.service.internal import InternalCommand
from hub.service.unit import Unit
from hub.storage import devicerows

SESSIONS_MAX = 50


@dataclass(frozen=True, slots=True)
class OpenWebSession(InternalCommand):
    """Somebody signed in with the technician's code; ``address`` is where from."""

    token_hash: bytes
    role: str
    life_ms: int
    address: str


@dataclass(frozen=True, slots=True)
class CloseWebSession(InternalCommand):
    """Somebody signed out, or was idle for too long; ``why`` says which."""

    token_hash: bytes
    why: str


@dataclass(frozen=True, slots=True)
class NoteAccess(InternalCommand):
    """Something for the audit log: a technician's code was opened, or spent its tries."""

    action: str
    subject: str


def open_web_session(unit: Unit, command: OpenWebSession) -> None:
    """Beyond 50 sessions the oldest ends."""
    devicerows.open_session(
        unit.tx,
        command.token_hash,
        command.role,
        unit.tx.budget_ms + command.life_ms,
        SESSIONS_MAX,
    )
    unit.note("web.sign-in", command.role, {"address": command.address})


def close_web_session(unit: Unit, command: CloseWebSession) -> None:
    """A repeat changes nothing."""
    if devicerows.close_session(unit.tx, command.token_hash):
        unit.note("web.sign-out", "technician", {"why": command.why})


def note_access(unit: Unit, command: NoteAccess) -> None:
    """Write the entry."""
    unit.note(command.action, command.subject)


WRITES: dict[type[Command], Handler] = {}
READS: dict[type[Command], Reader] = {}
SLOW_READS: dict[type[Command], Reader] = {}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    OpenWebSession: open_web_session,
    CloseWebSession: close_web_session,
    NoteAccess: note_access,
}
