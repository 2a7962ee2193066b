"""The sessions of the web page."""

from __future__ import annotations

from dataclasses import dataclass

from hub.storage.rows import Rows, Tx


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session; ``token_hash`` is all that is kept of its token.

    ``staff_id`` and ``pin_mark`` (sha256 of the PIN's stored form at sign-in) are of the member of
    staff who signed in; None for the technician's code.
    """

    token_hash: bytes
    role: str
    expires_budget_ms: int
    staff_id: str | None = None
    pin_mark: bytes | None = None


_SESSION = "SELECT token_hash, role, expires_budget_ms, staff_id, pin_mark FROM web_sessions"


def get(rows: Rows, token_hash: bytes, budget_ms: int) -> SessionRow | None:
    """A session whose time is not over."""
    row = rows.one(
        f"{_SESSION} WHERE token_hash = ? AND expires_budget_ms > ?", token_hash, budget_ms
    )
    return SessionRow(*row) if row else None


def of_staff(rows: Rows) -> list[SessionRow]:
    """The sessions that members of staff opened; as few as :func:`add` leaves."""
    found = rows.all(f"{_SESSION} WHERE staff_id IS NOT NULL ORDER BY token_hash")
    return [SessionRow(*row) for row in found]


def add(tx: Tx, session: SessionRow, *, most: int, most_each: int) -> None:
    """Write a session; beyond ``most`` of all, or ``most_each`` of one person, the one that would
    end first does, but not the new one."""
    tx.run("DELETE FROM web_sessions WHERE expires_budget_ms <= ?", tx.budget_ms)
    tx.run(
        "INSERT INTO web_sessions"
        " (token_hash, role, opened_at_ms, expires_budget_ms, staff_id, pin_mark)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        session.token_hash,
        session.role,
        tx.now_ms,
        session.expires_budget_ms,
        session.staff_id,
        session.pin_mark,
    )
    if session.staff_id is not None:
        tx.run(
            "DELETE FROM web_sessions WHERE staff_id = ? AND token_hash NOT IN"
            " (SELECT token_hash FROM web_sessions WHERE staff_id = ?"
            " ORDER BY token_hash = ? DESC, expires_budget_ms DESC, token_hash LIMIT ?)",
            session.staff_id,
            session.staff_id,
            session.token_hash,
            most_each,
        )
    tx.run(
        "DELETE FROM web_sessions WHERE token_hash NOT IN (SELECT token_hash FROM web_sessions"
        " ORDER BY token_hash = ? DESC, expires_budget_ms DESC, token_hash LIMIT ?)",
        session.token_hash,
        most,
    )


def end_all(tx: Tx) -> None:
    """These books are a copy: who signed out since it was made must not be in again."""
    tx.run("DELETE FROM web_sessions")


def end(tx: Tx, token_hash: bytes) -> int:
    """End a session; how many there were."""
    return tx.run("DELETE FROM web_sessions WHERE token_hash = ?", token_hash)
