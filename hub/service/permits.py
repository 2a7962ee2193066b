"""Permission at the gate: what the signed-in person may do, or a manager has approved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from hub.contract.problems import Code, refuse
from hub.contract.staff import ApprovalSubject
from hub.domain.errors import ApprovalRequired
from hub.domain.staff import (
    NO_AMOUNT,
    Allowed,
    Asked,
    Grant,
    Permission,
    check_approver,
    decide,
    require,
)
from hub.service.notices import ApprovalChanged
from hub.service.unit import Unit, canonical
from hub.storage import staffrows

KIOSK_GRANTS = (Grant(Permission.SALE_SELL), Grant(Permission.SALE_VOID_LINE))
"""What a self-service kiosk may do with nobody signed in."""
_KNOWN = {permission.value: permission for permission in Permission}


def grants_of(permissions: Mapping[str, Any]) -> tuple[Grant, ...]:
    """A role's permissions as grants: name → None, an amount in minor units, or an object with
    ``max_minor`` and ``max_ppm``.  Names this version doesn't know are passed over."""
    found = []
    for name, maximum in permissions.items():
        permission = _KNOWN.get(name)
        if permission is None:
            continue
        match maximum:
            case None:
                found.append(Grant(permission))
            case int():
                found.append(Grant(permission, max_minor=maximum))
            case {}:
                found.append(Grant(permission, maximum.get("max_minor"), maximum.get("max_ppm")))
            case _:
                continue
    return tuple(found)


@lru_cache(maxsize=64)
def grants_in(permissions: str) -> tuple[Grant, ...]:
    """The same of JSON; a shop has few roles."""
    return grants_of(json.loads(permissions))


def grants(unit: Unit) -> tuple[Grant, ...]:
    """What the caller may do here and now.

    Errors: ``unauthenticated`` when nobody is signed in on a device that needs it.
    """
    if unit.caller.is_admin:
        return (Grant(Permission.HUB_ADMIN), Grant(Permission.DEVICE_PAIR))
    if unit.staff is not None:
        return grants_in(unit.staff.permissions)
    if staffrows.device_kind(unit.tx, unit.caller.id) == "kiosk":
        return KIOSK_GRANTS
    raise refuse(
        Code.UNAUTHENTICATED, "Nobody is signed in on this device: sign in with staff id and PIN."
    )


def need(
    unit: Unit,
    permission: Permission,
    asked: Asked = NO_AMOUNT,
    *,
    approval_id: str | None = None,
    subject: ApprovalSubject | None = None,
) -> str | None:
    """Go on if the caller may do it or spends a fitting approval; who approved it, if anybody.

    Errors: ``approval-required``, ``forbidden``, ``unauthenticated``, ``conflict``.
    """
    verdict = decide(permission, grants(unit), asked)
    if isinstance(verdict, Allowed):
        return None
    if approval_id is None:
        require(verdict)
    assert approval_id is not None
    return _spend(unit, permission, approval_id, asked, subject or ApprovalSubject())


def _spend(
    unit: Unit, permission: Permission, approval_id: str, asked: Asked, subject: ApprovalSubject
) -> str:
    row = staffrows.approval(unit.tx, approval_id)
    if row is None or row.device_id != unit.caller.id:
        raise refuse(Code.NOT_FOUND, "There is no such approval for this device: ask for one.")
    taken = unit.spent.setdefault(approval_id, set())
    fresh = row.state == "approved" or (row.state == "used" and bool(taken - {permission.value}))
    if not fresh or row.expires_budget_ms <= unit.tx.budget_ms:
        raise refuse(
            Code.CONFLICT,
            f"This approval is {row.state if row.state != 'approved' else 'expired'}: ask again.",
        )
    approved = ApprovalSubject.model_validate_json(row.subject)
    fits = subject_text(approved.model_copy(update={"amount_minor": None})) == subject_text(
        subject.model_copy(update={"amount_minor": None})
    )
    lent = permission.value in row.permissions
    if fits and not lent and taken:
        raise ApprovalRequired(
            f"This needs {permission}, too: ask for one approval that names it under `also`.",
            permission=permission,
            amount_minor=asked.amount_minor or None,
        )
    if not (fits and lent) or asked.amount_minor > (approved.amount_minor or 0):
        raise refuse(
            Code.CONFLICT, "That approval is for something else or for less: ask for a new one."
        )
    assert row.decided_by is not None
    approver = staffrows.member(unit.tx, row.decided_by)
    if approver is None or not approver.active:
        raise refuse(Code.CONFLICT, "Whoever approved this is no longer on the staff: ask again.")
    check_approver(
        permission, row.staff_id or "", row.decided_by, grants_of(approver.permissions), asked
    )
    staffrows.use_approval(unit.tx, approval_id)
    taken.add(permission.value)
    unit.tell(ApprovalChanged(approval_id, "used", row.permissions[0], row.device_id))
    return row.decided_by


def subject_text(subject: ApprovalSubject) -> str:
    """A subject as canonical JSON."""
    return canonical(subject.model_dump(exclude_none=True))
