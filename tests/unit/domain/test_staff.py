"""Who may do what, who can approve it, and what wrong PINs lead to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.errors import ApprovalRequired, Conflict, Forbidden
from hub.domain.staff import (
    MAX_LOCK_MS,
    NOT_APPROVABLE,
    Allowed,
    Asked,
    Denied,
    Grant,
    Lockout,
    NeedsApproval,
    Permission,
    after_elapsed,
    after_failure,
    after_success,
    approval_subject_hash,
    check_approval_fits,
    check_approver,
    decide,
    lock_ms,
    require,
)

CAPPED = [Grant(Permission.PRICE_OVERRIDE, max_minor=500, max_ppm=100_000)]


@pytest.mark.parametrize("permission", Permission)
def test_a_permission_is_granted_lent_or_denied(permission: Permission) -> None:
    assert decide(permission, [Grant(permission)], Asked(10**9, 10**6)) == Allowed()
    without = decide(permission, [])
    if permission in NOT_APPROVABLE:
        assert without == Denied(permission)
        with pytest.raises(Forbidden):
            require(without)
    else:
        assert without == NeedsApproval(permission, Asked(), over_maximum=False)
        with pytest.raises(ApprovalRequired) as refusal:
            require(without)
        assert refusal.value.context["permission"] == permission


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (Asked(500, 100_000), True),
        (Asked(501, 1), False),
        (Asked(1, 100_001), False),
        (Asked(0, 0), True),
    ],
)
def test_a_maximum_holds_for_the_amount_and_the_share(asked: Asked, allowed: bool) -> None:
    decision = decide(Permission.PRICE_OVERRIDE, CAPPED, asked)
    assert (decision == Allowed()) is allowed
    if not allowed:
        assert decision == NeedsApproval(Permission.PRICE_OVERRIDE, asked, over_maximum=True)


def test_one_of_several_grants_is_enough() -> None:
    grants = [*CAPPED, Grant(Permission.PRICE_OVERRIDE, max_minor=9000)]
    assert decide(Permission.PRICE_OVERRIDE, grants, Asked(8000, 900_000)) == Allowed()


def test_nobody_approves_for_themselves_or_beyond_their_own_maximum() -> None:
    kind = Permission.PRICE_OVERRIDE
    check_approver(kind, "anna", "bo", CAPPED, Asked(400, 0))
    with pytest.raises(Forbidden, match="own request"):
        check_approver(kind, "anna", "anna", CAPPED, Asked(400, 0))
    with pytest.raises(Forbidden):
        check_approver(kind, "anna", "bo", CAPPED, Asked(600, 0))


def test_an_approval_fits_its_subject_only() -> None:
    approved = approval_subject_hash(Permission.SALE_VOID, {"sale_id": "s1", "line_no": None})
    check_approval_fits(approved, approval_subject_hash(Permission.SALE_VOID, {"sale_id": "s1"}))
    for other in (
        approval_subject_hash(Permission.SALE_VOID, {"sale_id": "s2"}),
        approval_subject_hash(Permission.REFUND, {"sale_id": "s1"}),
    ):
        with pytest.raises(Conflict):
            check_approval_fits(approved, other)


def test_the_fifth_wrong_pin_locks_and_each_further_one_doubles_the_time() -> None:
    assert [lock_ms(n) // 1000 for n in range(4, 14)] == [
        0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600,
    ]  # fmt: skip
    assert lock_ms(10**6) == MAX_LOCK_MS


@given(st.lists(st.integers(0, 10_000_000), max_size=60))
def test_a_lock_is_never_shortened_by_trying(waits: list[int]) -> None:
    lockout = Lockout()
    for wait_ms in waits:
        before = lockout
        lockout = after_failure(lockout)
        assert lockout.remaining_ms >= before.remaining_ms
        assert after_success(lockout) == (lockout if lockout.locked else Lockout())
        lockout = after_elapsed(lockout, wait_ms)
        assert 0 <= lockout.remaining_ms <= MAX_LOCK_MS


def test_time_that_goes_backwards_does_not_lengthen_a_lock() -> None:
    assert after_elapsed(Lockout(5, 1000), -50).remaining_ms == 1000
