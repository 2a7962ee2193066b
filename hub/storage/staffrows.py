"""Staff, roles, sign-ins, lockouts and approvals."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hub.storage.rows import Rows, Tx


@dataclass(frozen=True, slots=True)
class StaffRow:
    """A member of staff of the generation in force. ``permissions``: name → maximum (an amount in
    minor units, an object of maxima, or None)."""

    staff_id: str
    name: str
    role: str
    pin_hash: str
    active: bool
    permissions: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SignedInRow:
    """Who is signed in on a device; ``permissions`` is JSON, as in :class:`StaffRow`."""

    staff_id: str
    name: str
    role: str
    permissions: str
    expires_budget_ms: int


_STAFF = """
FROM datasets d
JOIN staff s ON s.generation = d.generation
LEFT JOIN roles r ON r.generation = d.generation AND r.role = s.role
"""


def member(rows: Rows, staff_id: str) -> StaffRow | None:
    """A member of staff, active or not."""
    row = rows.one(
        "SELECT s.staff_id, s.name, s.role, s.pin_hash, s.active, coalesce(r.permissions, '{}')"
        f"{_STAFF} WHERE d.dataset = 'staff' AND s.staff_id = ?",
        staff_id,
    )
    if row is None:
        return None
    return StaffRow(row[0], row[1], row[2], row[3], bool(row[4]), json.loads(row[5]))


def signed_in(rows: Rows, device_id: str, budget_ms: int) -> SignedInRow | None:
    """Who is signed in on a device now; nobody after expiry or when no longer on the staff."""
    row = rows.one(
        "SELECT s.staff_id, s.name, s.role, coalesce(r.permissions, '{}'), i.expires_budget_ms"
        f" {_STAFF} JOIN sign_ins i ON i.staff_id = s.staff_id"
        " WHERE d.dataset = 'staff' AND i.device_id = ? AND i.expires_budget_ms > ?"
        " AND s.active = 1",
        device_id,
        budget_ms,
    )
    return SignedInRow(*row) if row else None


def device_kind(rows: Rows, device_id: str) -> str | None:
    """What a paired device is; None if it isn't paired (any more)."""
    row = rows.one("SELECT kind FROM devices WHERE device_id = ? AND status = 'paired'", device_id)
    return row[0] if row else None


def sign_in(tx: Tx, device_id: str, staff_id: str, expires_budget_ms: int) -> None:
    """Sign somebody in, in place of whoever was."""
    tx.run(
        "INSERT INTO sign_ins (device_id, staff_id, at_ms, expires_budget_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (device_id) DO UPDATE SET staff_id = excluded.staff_id,"
        " at_ms = excluded.at_ms, expires_budget_ms = excluded.expires_budget_ms",
        device_id,
        staff_id,
        tx.now_ms,
        expires_budget_ms,
    )


def sign_out(tx: Tx, device_id: str) -> None:
    """Sign out whoever is signed in."""
    tx.run("DELETE FROM sign_ins WHERE device_id = ?", device_id)


def lockout(rows: Rows, staff_id: str, device_id: str) -> tuple[int, int]:
    """``(failures, until_budget_ms)`` of a member of staff on a device."""
    row = rows.one(
        "SELECT failures, until_budget_ms FROM lockouts WHERE staff_id = ? AND device_id = ?",
        staff_id,
        device_id,
    )
    return (row[0], row[1]) if row else (0, 0)


def set_lockout(tx: Tx, staff_id: str, device_id: str, failures: int, until_budget_ms: int) -> None:
    """Write how often a wrong PIN came, and until when it is locked."""
    tx.run(
        "INSERT INTO lockouts (staff_id, device_id, failures, until_budget_ms)"
        " VALUES (?, ?, ?, ?) ON CONFLICT (staff_id, device_id) DO UPDATE SET"
        " failures = excluded.failures, until_budget_ms = excluded.until_budget_ms",
        staff_id,
        device_id,
        failures,
        until_budget_ms,
    )


def clear_lockouts(tx: Tx, staff_id: str) -> int:
    """Forget the failed tries of a member of staff on all devices."""
    return tx.run("DELETE FROM lockouts WHERE staff_id = ?", staff_id)


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """An approval; ``subject`` is canonical JSON, ``state`` pending, approved, refused or used.

    ``permission`` is one, or several joined by ``+``.
    """

    approval_id: str
    permission: str
    subject: str
    reason: str
    state: str
    staff_id: str | None
    device_id: str
    decided_by: str | None
    decided_on: str | None
    at_ms: int
    expires_budget_ms: int

    @property
    def permissions(self) -> tuple[str, ...]:
        """All that it lends, the one that was asked for first."""
        return tuple(self.permission.split("+"))


_APPROVAL = (
    "SELECT approval_id, permission, subject, reason, state, staff_id, device_id, decided_by,"
    " decided_on, at_ms, expires_budget_ms FROM approvals"
)


def approval(rows: Rows, approval_id: str) -> ApprovalRow | None:
    """One approval."""
    row = rows.one(f"{_APPROVAL} WHERE approval_id = ?", approval_id)
    return ApprovalRow(*row) if row else None


def pending_approvals(rows: Rows, budget_ms: int, limit: int = 50) -> list[ApprovalRow]:
    """Approvals that wait for a manager, oldest first."""
    found = rows.all(
        f"{_APPROVAL} WHERE state = 'pending' AND expires_budget_ms > ?"
        " ORDER BY expires_budget_ms LIMIT ?",
        budget_ms,
        limit,
    )
    return [ApprovalRow(*row) for row in found]


def add_approval(tx: Tx, row: ApprovalRow) -> None:
    """Write a new approval."""
    tx.run(
        "INSERT INTO approvals (approval_id, permission, subject, reason, state, staff_id,"
        " device_id, decided_by, decided_on, at_ms, expires_budget_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.approval_id,
        row.permission,
        row.subject,
        row.reason,
        row.state,
        row.staff_id,
        row.device_id,
        row.decided_by,
        row.decided_on,
        row.at_ms,
        row.expires_budget_ms,
    )


def decide_approval(tx: Tx, approval_id: str, state: str, by: str, on: str) -> None:
    """Write a manager's word."""
    tx.run(
        "UPDATE approvals SET state = ?, decided_by = ?, decided_on = ? WHERE approval_id = ?",
        state,
        by,
        on,
        approval_id,
    )


def use_approval(tx: Tx, approval_id: str) -> None:
    """Spend an approval."""
    tx.run("UPDATE approvals SET state = 'used' WHERE approval_id = ?", approval_id)


def purge_approvals(tx: Tx, before_ms: int, limit: int = 1000) -> int:
    """Forget approvals made before ``before_ms`` (the audit log keeps what they did)."""
    return tx.run(
        "DELETE FROM approvals WHERE approval_id IN"
        " (SELECT approval_id FROM approvals WHERE at_ms < ? LIMIT ?)",
        before_ms,
        limit,
    )
