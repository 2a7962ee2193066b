"""Members of staff at the hub's page: who they are there, and until when.

A session opened with a PIN lasts only as long as that person is on the staff, has that PIN, and a
role that lets them in.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256

from hub.domain.staff import PageRole, page_role
from hub.service import permits
from hub.service.unit import Unit
from hub.storage import staffrows, websessions
from hub.storage.rows import Rows
from hub.storage.staffrows import StaffRow
from hub.storage.websessions import SessionRow

CHANGED = "blocked, another PIN, or no role for the page"


@dataclass(frozen=True, slots=True)
class Member:
    """A member of staff at the page; ``role`` None: their role doesn't let them in."""

    staff_id: str
    name: str
    role: PageRole | None


def pin_mark(pin_hash: str) -> bytes:
    """Names a stored PIN without being usable in its place."""
    return sha256(pin_hash.encode()).digest()


def known(rows: Rows, staff_id: str, mark: bytes) -> Member | None:
    """The person, if still on the staff with the PIN of ``mark``."""
    row = staffrows.member(rows, staff_id)
    if row is None or not row.active or not hmac.compare_digest(pin_mark(row.pin_hash), mark):
        return None
    return Member(row.staff_id, row.name, _role(row))


def of_session(rows: Rows, session: SessionRow) -> Member | None:
    """Whose session it is; None if it has ended by what was done to the staff."""
    found = known(rows, session.staff_id or "", session.pin_mark or b"")
    return found if found is not None and found.role is not None else None


def end_sessions(unit: Unit) -> None:
    """The staff has changed: sign out, everywhere, whoever may not stay."""
    for session in websessions.of_staff(unit.tx):
        if of_session(unit.tx, session) is None:
            websessions.end(unit.tx, session.token_hash)
            unit.note("web.sign-out", session.role, {"staff": session.staff_id, "why": CHANGED})


def _role(row: StaffRow) -> PageRole | None:
    return page_role(permits.grants_of(row.permissions))
