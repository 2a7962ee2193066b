"""Sessions of the status page.

Only a hash of the session's token arrives here.  The longest life is kept in the database by the
hub's own monotonic time; idleness is the web server's to watch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.contract.base import Command
from hub.contract.problems import Code, refuse
from hub.domain.staff import PageRole, Permission
from hub.service import pagestaff
from hub.service.gate import Handler, Reader
from hub.service.internal import InternalCommand
from hub.service.unit import Unit
from hub.storage import websessions
from hub.storage.websessions import SessionRow

SESSIONS_MAX = 50
SESSIONS_EACH_MAX = 5


@dataclass(frozen=True, slots=True)
class OpenWebSession(InternalCommand):
    """Somebody signed in with the technician's code; ``address`` is where from."""

    token_hash: bytes
    life_ms: int
    address: str


@dataclass(frozen=True, slots=True)
class OpenStaffSession(InternalCommand):
    """A member of staff gave the PIN whose stored form ``pin_hash`` is; the value is their role."""

    token_hash: bytes
    life_ms: int
    address: str
    staff_id: str
    pin_hash: str


@dataclass(frozen=True, slots=True)
class CloseWebSession(InternalCommand):
    """Somebody signed out, or was idle for too long; ``why`` says which."""

    token_hash: bytes
    role: str
    why: str


@dataclass(frozen=True, slots=True)
class NoteAccess(InternalCommand):
    """Something for the audit log: a technician's code was opened, or spent its tries."""

    action: str
    subject: str


def open_web_session(unit: Unit, command: OpenWebSession) -> None:
    """Beyond 50 sessions the oldest ends."""
    _open(unit, command.token_hash, PageRole.TECHNICIAN, command.life_ms)
    unit.note("web.sign-in", PageRole.TECHNICIAN, {"address": command.address, "by": "code"})


def open_staff_session(unit: Unit, command: OpenStaffSession) -> PageRole:
    """Beyond 5 sessions of one person, or 50 of all, the oldest ends.

    Errors: ``unauthenticated`` when the PIN was changed meanwhile, ``forbidden`` when the person's
    role doesn't let them in.
    """
    mark = pagestaff.pin_mark(command.pin_hash)
    member = pagestaff.known(unit.tx, command.staff_id, mark)
    if member is None:
        raise refuse(Code.UNAUTHENTICATED, "Staff id or PIN is wrong: try again.")
    if member.role is None:
        raise refuse(
            Code.FORBIDDEN,
            f"Your role doesn't include {Permission.HUB_VIEW}: ask central IT to add it, or use "
            "the technician's code.",
            permission=Permission.HUB_VIEW,
        )
    _open(unit, command.token_hash, member.role, command.life_ms, member.staff_id, mark)
    unit.note("web.sign-in", member.role, {"address": command.address, "by": "pin"})
    return member.role


def close_web_session(unit: Unit, command: CloseWebSession) -> None:
    """A repeat changes nothing."""
    if websessions.end(unit.tx, command.token_hash):
        unit.note("web.sign-out", command.role, {"why": command.why})


def note_access(unit: Unit, command: NoteAccess) -> None:
    """Write the entry."""
    unit.note(command.action, command.subject)


def _open(
    unit: Unit,
    token_hash: bytes,
    role: PageRole,
    life_ms: int,
    staff_id: str | None = None,
    mark: bytes | None = None,
) -> None:
    ends = unit.tx.budget_ms + life_ms
    session = SessionRow(token_hash, role, ends, staff_id, mark)
    websessions.add(unit.tx, session, most=SESSIONS_MAX, most_each=SESSIONS_EACH_MAX)


WRITES: dict[type[Command], Handler] = {}
READS: dict[type[Command], Reader] = {}
SLOW_READS: dict[type[Command], Reader] = {}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    OpenWebSession: open_web_session,
    OpenStaffSession: open_staff_session,
    CloseWebSession: close_web_session,
    NoteAccess: note_access,
}
