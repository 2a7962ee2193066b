"""Signing in and a manager's approval."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, field_validator

from hub.contract.base import (
    AmountMinor,
    Command,
    LineNo,
    Nothing,
    Outgoing,
    Query,
    Reason,
    Sku,
    StaffId,
    UniqueId,
)


class SignIn(Command):
    """Sign a member of staff in on this device; replaces whoever was signed in here."""

    service: ClassVar[str] = "staff"
    operation: ClassVar[str] = "sign-in"
    staff_id: StaffId
    pin: SecretStr = Field(min_length=4, max_length=12)


class SignedIn(Outgoing):
    """Who is signed in and what they may do."""

    staff_id: str
    name: str
    role: str
    permissions: tuple[str, ...]
    expires_in_s: int


class SignOut(Command):
    """Sign out whoever is signed in on this device."""

    service: ClassVar[str] = "staff"
    operation: ClassVar[str] = "sign-out"


class WhoAmI(Query):
    """Who is signed in on this device."""

    service: ClassVar[str] = "staff"
    operation: ClassVar[str] = "who-am-i"


class ApprovalSubject(Outgoing):
    """What is to be approved; an approval fits exactly one subject."""

    basket_id: UniqueId | None = None
    sale_id: UniqueId | None = None
    line_no: LineNo | None = None
    sku: Sku | None = None
    amount_minor: AmountMinor | None = None


class RequestApproval(Command):
    """Ask a manager, on any device, to lend a permission for one action.

    ``also``: more permissions that the same action needs (a line with both a discount and another
    price), each up to the same ``amount_minor``.
    """

    service: ClassVar[str] = "approval"
    operation: ClassVar[str] = "request"
    approval_id: UniqueId
    permission: str = Field(max_length=40)
    also: tuple[Annotated[str, Field(max_length=40)], ...] = Field(default=(), max_length=3)
    subject: ApprovalSubject
    reason: Reason

    @field_validator("subject", mode="before")
    @classmethod
    def _no_typo(cls, value: object) -> object:
        if isinstance(value, dict) and value.keys() - ApprovalSubject.model_fields.keys():
            raise ValueError("it has a field that is not known")
        return value


class DecideApproval(Command):
    """A manager's word, with their own PIN, from any device."""

    service: ClassVar[str] = "approval"
    operation: ClassVar[str] = "decide"
    approval_id: UniqueId
    approve: bool
    staff_id: StaffId
    pin: SecretStr = Field(min_length=4, max_length=12)


class Approval(Outgoing):
    """An approval as it stands: pending, approved, refused, used or expired."""

    approval_id: str
    permission: str
    also: tuple[str, ...] = ()
    subject: ApprovalSubject
    reason: str
    state: str
    requested_by: str
    requested_on: str
    decided_by: str | None = None
    expires_in_s: int = 0


class ListApprovals(Query):
    """The approvals that wait for a manager."""

    service: ClassVar[str] = "approval"
    operation: ClassVar[str] = "list"


class Approvals(Outgoing):
    """Pending approvals, oldest first; at most 50."""

    approvals: tuple[Approval, ...]


SignedOut = Nothing
