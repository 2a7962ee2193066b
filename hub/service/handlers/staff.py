"""Signing in, and a manager's approval.

A PIN is verified in a thread before the writer is asked (:mod:`hub.service.handlers.signin`); the
handlers here only act on a verified person.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from hub.contract.admin import ClearLockout
from hub.contract.base import Command, Nothing
from hub.contract.problems import Code, refuse
from hub.contract.staff import (
    Approval,
    Approvals,
    ApprovalSubject,
    ListApprovals,
    RequestApproval,
    SignedIn,
    SignOut,
    WhoAmI,
)
from hub.domain.staff import (
    NOT_APPROVABLE,
    Asked,
    Lockout,
    Permission,
    after_failure,
    check_approver,
)
from hub.service import permits
from hub.service.gate import Handler, Reader, ReadUnit
from hub.service.internal import InternalCommand
from hub.service.notices import ApprovalChanged
from hub.service.unit import Unit
from hub.storage import staffrows
from hub.storage.staffrows import ApprovalRow

MAX_PENDING = 50


@dataclass(frozen=True, slots=True)
class BeginTry(InternalCommand):
    """Count a PIN try before it is verified, so that many at once can't pass the limit.

    The value is the stored PIN hash to verify against (None for an unknown person).
    """

    staff_id: str
    device_id: str


@dataclass(frozen=True, slots=True)
class EndTry(InternalCommand):
    """A PIN was looked at.  If it was right the counted tries are forgotten; if not, the lock that
    they came to is written down."""

    staff_id: str
    device_id: str
    right: bool


class VerifiedSignIn(Command):
    """A :class:`SignIn` whose PIN was right."""

    service: ClassVar[str] = "staff"
    operation: ClassVar[str] = "sign-in"
    staff_id: str


class VerifiedDecision(Command):
    """A :class:`DecideApproval` whose PIN was right."""

    service: ClassVar[str] = "approval"
    operation: ClassVar[str] = "decide"
    approval_id: str
    approve: bool
    staff_id: str


def begin_try(unit: Unit, command: BeginTry) -> str | None:
    """See :class:`BeginTry`.  Errors: ``forbidden`` while locked out."""
    failures, until = staffrows.lockout(unit.tx, command.staff_id, command.device_id)
    now = unit.tx.budget_ms
    lockout = Lockout(failures, max(0, until - now))
    if lockout.locked:
        raise refuse(
            Code.FORBIDDEN,
            f"Too many wrong PINs: wait {-(-lockout.remaining_ms // 1000)} s, or have a manager "
            "clear it (on the hub's page: Support).",
            remaining_s=-(-lockout.remaining_ms // 1000),
        )
    member = staffrows.member(unit.tx, command.staff_id)
    if member is None:
        return None  # made-up ids fill no table; they fail like a wrong PIN
    after = after_failure(lockout)
    # 0, not now: after a crash the budget clock may stand a little earlier.
    locked_until = now + after.remaining_ms if after.locked else 0
    staffrows.set_lockout(
        unit.tx, command.staff_id, command.device_id, after.failures, locked_until
    )
    return member.pin_hash if member.active else None


def end_try(unit: Unit, command: EndTry) -> None:
    """See :class:`EndTry`."""
    if command.right:
        staffrows.set_lockout(unit.tx, command.staff_id, command.device_id, 0, 0)
        return
    _, until = staffrows.lockout(unit.tx, command.staff_id, command.device_id)
    if until > unit.tx.budget_ms:
        unit.note("staff.locked", command.staff_id, {"device": command.device_id})


def sign_in(unit: Unit, command: VerifiedSignIn) -> SignedIn:
    """Sign a verified person in on the calling device."""
    member = staffrows.member(unit.tx, command.staff_id)
    if member is None or not member.active:
        raise refuse(Code.UNAUTHENTICATED, "Staff id or PIN is wrong: try again.")
    ttl_ms = unit.shop.sign_in_ttl_ms
    staffrows.sign_in(unit.tx, unit.caller.id, command.staff_id, unit.tx.budget_ms + ttl_ms)
    unit.note("staff.signed_in", command.staff_id)
    return SignedIn(
        staff_id=member.staff_id,
        name=member.name,
        role=member.role,
        permissions=tuple(sorted(member.permissions)),
        expires_in_s=ttl_ms // 1000,
    )


def sign_out(unit: Unit, command: SignOut) -> Nothing:
    """Sign out whoever is signed in."""
    if unit.staff is not None:
        unit.note("staff.signed_out", unit.staff.staff_id)
        staffrows.sign_out(unit.tx, unit.caller.id)
    return Nothing()


def who_am_i(unit: ReadUnit, query: WhoAmI) -> SignedIn:
    """Who is signed in on the calling device."""
    found = staffrows.signed_in(unit.rows, unit.caller.id, unit.budget_ms)
    if found is None:
        raise refuse(Code.UNAUTHENTICATED, "Nobody is signed in on this device: sign in.")
    return SignedIn(
        staff_id=found.staff_id,
        name=found.name,
        role=found.role,
        permissions=tuple(sorted(json.loads(found.permissions))),
        expires_in_s=(found.expires_budget_ms - unit.budget_ms) // 1000,
    )


def clear_lockout(unit: Unit, command: ClearLockout) -> Nothing:
    """Let a locked-out person try again."""
    permits.need(unit, Permission.HUB_ADMIN)
    staffrows.clear_lockouts(unit.tx, command.staff_id)
    unit.note("staff.lockout_cleared", command.staff_id)
    return Nothing()


def request_approval(unit: Unit, command: RequestApproval) -> Approval:
    """Ask for a manager's word."""
    wanted = tuple(dict.fromkeys((command.permission, *command.also)))
    for name in wanted:
        if name not in set(Permission) - NOT_APPROVABLE:
            raise refuse(Code.VALIDATION, f"{name} is not a permission that can be approved.")
    if unit.staff is None:
        raise refuse(Code.UNAUTHENTICATED, "Nobody is signed in on this device: sign in first.")
    if staffrows.approval(unit.tx, command.approval_id) is not None:
        raise refuse(Code.CONFLICT, "This approval id is taken: make a fresh one.")
    if len(staffrows.pending_approvals(unit.tx, unit.tx.budget_ms, MAX_PENDING)) >= MAX_PENDING:
        raise refuse(Code.CONFLICT, f"{MAX_PENDING} approvals wait already: have them decided.")
    row = ApprovalRow(
        approval_id=command.approval_id,
        permission="+".join(wanted),
        subject=permits.subject_text(command.subject),
        reason=command.reason,
        state="pending",
        staff_id=unit.staff.staff_id,
        device_id=unit.caller.id,
        decided_by=None,
        decided_on=None,
        at_ms=unit.now_ms,
        expires_budget_ms=unit.tx.budget_ms + unit.shop.approval_ttl_ms,
    )
    staffrows.add_approval(unit.tx, row)
    unit.tell(ApprovalChanged(row.approval_id, "pending", wanted[0], row.device_id))
    return _view(row, unit.tx.budget_ms)


def decide_approval(unit: Unit, command: VerifiedDecision) -> Approval:
    """Write a verified manager's word."""
    row = staffrows.approval(unit.tx, command.approval_id)
    if row is None:
        raise refuse(Code.NOT_FOUND, "There is no such approval.")
    if row.state != "pending" or row.expires_budget_ms <= unit.tx.budget_ms:
        state = row.state if row.state != "pending" else "expired"
        raise refuse(Code.CONFLICT, f"This approval is {state} already.", state=state)
    member = staffrows.member(unit.tx, command.staff_id)
    assert member is not None
    subject = ApprovalSubject.model_validate_json(row.subject)
    for name in row.permissions:
        check_approver(
            Permission(name),
            row.staff_id or "",
            command.staff_id,
            permits.grants_of(member.permissions),
            Asked(amount_minor=subject.amount_minor or 0),
        )
    state = "approved" if command.approve else "refused"
    staffrows.decide_approval(unit.tx, command.approval_id, state, command.staff_id, unit.caller.id)
    unit.note(
        f"approval.{state}",
        command.approval_id,
        {
            "permission": row.permission,
            "by": command.staff_id,
            "for": row.staff_id,
            "device": row.device_id,
            "subject": row.subject,
            "reason": row.reason,
        },
    )
    unit.tell(ApprovalChanged(row.approval_id, state, row.permissions[0], row.device_id))
    decided = staffrows.approval(unit.tx, command.approval_id)
    assert decided is not None
    return _view(decided, unit.tx.budget_ms)


def list_approvals(unit: ReadUnit, query: ListApprovals) -> Approvals:
    """The approvals that wait."""
    found = staffrows.pending_approvals(unit.rows, unit.budget_ms, MAX_PENDING)
    return Approvals(approvals=tuple(_view(row, unit.budget_ms) for row in found))


def _view(row: ApprovalRow, budget_ms: int) -> Approval:
    return Approval(
        approval_id=row.approval_id,
        permission=row.permissions[0],
        also=row.permissions[1:],
        subject=ApprovalSubject.model_validate_json(row.subject),
        reason=row.reason,
        state=row.state,
        requested_by=row.staff_id or "",
        requested_on=row.device_id,
        decided_by=row.decided_by,
        expires_in_s=max(0, row.expires_budget_ms - budget_ms) // 1000,
    )


WRITES: dict[type[Command], Handler] = {
    VerifiedSignIn: sign_in,
    SignOut: sign_out,
    ClearLockout: clear_lockout,
    RequestApproval: request_approval,
    VerifiedDecision: decide_approval,
}
READS: dict[type[Command], Reader] = {WhoAmI: who_am_i, ListApprovals: list_approvals}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {BeginTry: begin_try, EndTry: end_try}
