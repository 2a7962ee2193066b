"""Who may do what, up to which amount, and what happens after wrong PINs.

The shop's rules: permissions come from roles; some have a maximum; what a cashier may not do a
person with the permission can approve on any device; every approval is recorded and fits exactly
one subject.  After 5 wrong PINs a (person, device) is locked for a time that doubles, cleared by a
manager.  Lockouts are budgets in milliseconds counted down on a monotonic clock, never instants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, assert_never

from hub.domain.errors import ApprovalRequired, Conflict, Forbidden, Json
from hub.domain.hashchain import digest


class Permission(StrEnum):
    """What a role can allow."""

    SALE_SELL = "sale.sell"
    SALE_DISCOUNT = "sale.discount"
    SALE_VOID_LINE = "sale.void_line"
    SALE_VOID = "sale.void"
    PRICE_OVERRIDE = "price.override"
    REFUND = "refund"
    REFUND_NO_RECEIPT = "refund.no_receipt"
    DRAWER_NO_SALE = "drawer.no_sale"
    OFFLINE_ACCEPT = "offline.accept"
    STOCK_OVERRIDE = "stock.override"
    STOCK_RECEIVE = "stock.receive"
    STOCK_COUNT = "stock.count"
    STOCK_ADJUST = "stock.adjust"
    SHIFT_CLOSE = "shift.close"
    DEVICE_PAIR = "device.pair"
    HUB_ADMIN = "hub.admin"
    HUB_VIEW = "hub.view"
    HUB_MANAGE = "hub.manage"
    TRAINING = "training"


NOT_APPROVABLE: Final = frozenset(
    {
        Permission.SALE_SELL,
        Permission.DEVICE_PAIR,
        Permission.HUB_ADMIN,
        Permission.HUB_VIEW,
        Permission.HUB_MANAGE,
        Permission.TRAINING,
    }
)
"""Permissions that nobody can lend for one action: the person must sign in."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A permission of a role, with its maxima: an amount in book currency and a share of the listed
    price in parts per million.  None means without limit; both apply where both are set."""

    permission: Permission
    max_minor: int | None = None
    max_ppm: int | None = None


class PageRole(StrEnum):
    """Who somebody is at the hub's page: looks on, mends the hub, or answers for the shop."""

    VIEWER = "viewer"
    TECHNICIAN = "technician"
    MANAGER = "manager"


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of grants from the staff dataset."""

    name: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """How much of a permission an action needs.  0 for actions that have no amount."""

    amount_minor: int = 0
    share_ppm: int = 0


NO_AMOUNT: Final = Asked()


@dataclass(frozen=True, slots=True)
class Allowed:
    """Go on."""


@dataclass(frozen=True, slots=True)
class NeedsApproval:
    """Someone with the permission (up to the amount) can allow it; ``over_maximum`` says that the
    person has the permission, but not for as much."""

    permission: Permission
    asked: Asked
    over_maximum: bool


@dataclass(frozen=True, slots=True)
class Denied:
    """No, and nobody can approve it on the spot."""

    permission: Permission


Decision = Allowed | NeedsApproval | Denied


def decide(permission: Permission, grants: Iterable[Grant], asked: Asked = NO_AMOUNT) -> Decision:
    """May a person with these grants do it?  One grant that suffices is enough."""
    held = [grant for grant in grants if grant.permission is permission]
    if any(_covers(grant, asked) for grant in held):
        return Allowed()
    if permission in NOT_APPROVABLE:
        return Denied(permission)
    return NeedsApproval(permission, asked, over_maximum=bool(held))


def page_role(grants: Iterable[Grant]) -> PageRole | None:
    """Who a person with these grants is at the hub's page; None: they have nothing to do there.

    ``hub.admin`` counts as ``hub.manage``: it was there first.  A maximum of 0 is how a cloud says
    no that writes ``false``.
    """
    held = {one.permission for one in grants if one.max_minor is None or one.max_minor > 0}
    if held & {Permission.HUB_MANAGE, Permission.HUB_ADMIN}:
        return PageRole.MANAGER
    return PageRole.VIEWER if Permission.HUB_VIEW in held else None


def require(decision: Decision) -> None:
    """Refuse what wasn't allowed: ``approval-required`` or ``forbidden``."""
    match decision:
        case Allowed():
            return
        case NeedsApproval(permission, asked, over_maximum):
            why = "This is above your maximum" if over_maximum else "Your role doesn't include it"
            raise ApprovalRequired(
                f"{why}: ask someone with {permission} to approve it.",
                permission=permission,
                amount_minor=asked.amount_minor or None,
            )
        case Denied(permission):
            raise Forbidden(
                f"This needs {permission}: sign in as someone who has it.",
                context={"permission": str(permission)},
            )
        case _:
            assert_never(decision)


def check_approver(
    permission: Permission,
    requester_id: str,
    approver_id: str,
    approver_grants: Iterable[Grant],
    asked: Asked = NO_AMOUNT,
) -> None:
    """Refuse an approver who asks for themselves or lacks the permission for that amount."""
    if requester_id == approver_id:
        raise Forbidden("Nobody approves their own request: ask another person.")
    if not isinstance(decide(permission, approver_grants, asked), Allowed):
        raise Forbidden(
            f"{approver_id} may not approve this: ask someone with {permission} up to the amount.",
            context={"permission": str(permission), "amount_minor": asked.amount_minor},
        )


def approval_subject_hash(permission: Permission, subject: Mapping[str, Json]) -> str:
    """What an approval is for, as 64 hexadecimal characters; fields that are None don't count."""
    fields: dict[str, Json] = {key: val for key, val in subject.items() if val is not None}
    return digest({"permission": str(permission), "subject": fields})


def check_approval_fits(approved_hash: str, wanted_hash: str) -> None:
    """Refuse (``conflict``) to use an approval for anything else than its subject."""
    if approved_hash != wanted_hash:
        raise Conflict("That approval is for something else: ask for a new one.")


FREE_TRIES: Final = 5
FIRST_LOCK_MS: Final = 30_000
MAX_LOCK_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Lockout:
    """Wrong PINs in a row of one (person, device), and how long it is still locked."""

    failures: int = 0
    remaining_ms: int = 0

    @property
    def locked(self) -> bool:
        """Whether a PIN isn't even looked at."""
        return self.remaining_ms > 0


def lock_ms(failures: int) -> int:
    """0 up to the 4th failure, 30 s at the 5th, then doubling: 60 s, 2 min, 4 min … 1 h."""
    if failures < FREE_TRIES:
        return 0
    doublings = min(failures - FREE_TRIES, 16)
    return min(MAX_LOCK_MS, FIRST_LOCK_MS << doublings)


def after_failure(lockout: Lockout) -> Lockout:
    """One wrong PIN more.  The lock starts anew; it never gets shorter by trying."""
    failures = min(lockout.failures + 1, 1000)
    return Lockout(failures, max(lockout.remaining_ms, lock_ms(failures)))


def after_success(lockout: Lockout) -> Lockout:
    """A right PIN forgets the failures, unless it came while locked: then it changes nothing."""
    return lockout if lockout.locked else Lockout()


def after_elapsed(lockout: Lockout, elapsed_ms: int) -> Lockout:
    """Time has passed on the monotonic clock; the failures stay counted."""
    return replace(lockout, remaining_ms=max(0, lockout.remaining_ms - max(0, elapsed_ms)))


def _covers(grant: Grant, asked: Asked) -> bool:
    within_amount = grant.max_minor is None or asked.amount_minor <= grant.max_minor
    return within_amount and (grant.max_ppm is None or asked.share_ppm <= grant.max_ppm)
