"""Signing in, lockouts, approvals and the audit log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hub.service import auditlog
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Request
from hub.service.handlers.signin import PinDesk
from hub.service.notices import ApprovalChanged
from tests.support.gatebench import PIN
from tests.support.shop import Shop

ANNA = {"staff_id": "anna", "pin": PIN}
WRONG = {"staff_id": "anna", "pin": "0000"}


def test_signing_in_and_out(shop: Shop) -> None:
    found = shop.ok("till-3", "staff/sign-in", ANNA)
    assert (found["name"], found["role"], found["expires_in_s"]) == ("Anna", "cashier", 43_200)
    assert shop.ok("till-3", "staff/who-am-i")["staff_id"] == "anna"
    shop.ok("till-3", "staff/sign-in", {"staff_id": "mia", "pin": PIN})
    assert shop.ok("till-3", "staff/who-am-i")["staff_id"] == "mia"
    shop.ok("till-3", "staff/sign-out")
    assert shop.no("till-3", "staff/who-am-i")["code"] == "unauthenticated"
    assert shop.ask("till-3", "staff/sign-out").ok


def test_who_asks_who_he_is_hears_what_he_may_do_as_at_sign_in(shop: Shop) -> None:
    signed_in = shop.ok("till-3", "staff/sign-in", ANNA)
    assert "sale.sell" in signed_in["permissions"]
    assert shop.ok("till-3", "staff/who-am-i")["permissions"] == signed_in["permissions"]


def test_a_sign_in_ends_with_its_time_whatever_the_wall_clock_says(shop: Shop) -> None:
    shop.ok("till-3", "staff/sign-in", ANNA)
    shop.clock.jump_wall(86_400)
    assert shop.ok("till-3", "staff/who-am-i")
    shop.restart()
    shop.clock.advance(43_199)
    assert shop.ok("till-3", "staff/who-am-i")["expires_in_s"] == 1
    shop.clock.advance(1)
    assert shop.no("till-3", "staff/who-am-i")["code"] == "unauthenticated"


def test_a_stranger_is_answered_like_a_wrong_pin(shop: Shop) -> None:
    shop.run("UPDATE staff SET active = 0 WHERE staff_id = 'ben'")
    answers = {
        shop.ask("till-3", "staff/sign-in", {"staff_id": who, "pin": pin}).text
        for who, pin in (("anna", "0000"), ("nobody", PIN), ("ben", PIN))
    }
    assert len(answers) == 1


def fail(shop: Shop, times: int) -> None:
    for _ in range(times):
        assert shop.no("till-3", "staff/sign-in", WRONG)["code"] == "unauthenticated"


def test_wrong_pins_lock_and_the_lock_grows(shop: Shop) -> None:
    fail(shop, 5)
    for wait_s in (30, 60, 120):
        found = shop.no("till-3", "staff/sign-in", ANNA)
        assert (found["code"], found["context"]["remaining_s"]) == ("forbidden", wait_s)
        shop.clock.jump_wall(86_400)
        shop.clock.advance(wait_s - 1)
        assert shop.no("till-3", "staff/sign-in", ANNA)["code"] == "forbidden"
        shop.clock.advance(1)
        fail(shop, 1)
    assert shop.ok("till-2", "staff/sign-in", ANNA), "only this person on this device is locked"
    shop.restart()
    assert shop.no("till-3", "staff/sign-in", ANNA)["context"]["remaining_s"] == 240
    assert len(shop.audited("staff.locked")) == 4


def test_tries_while_locked_make_it_no_longer(shop: Shop) -> None:
    fail(shop, 5)
    with shop.unchanged():
        for _ in range(10):
            shop.no("till-3", "staff/sign-in", ANNA)
    shop.clock.advance(30)
    assert shop.ok("till-3", "staff/sign-in", ANNA)
    fail(shop, 4)
    assert shop.ok("till-3", "staff/sign-in", ANNA)


def test_a_manager_ends_a_lockout(shop: Shop) -> None:
    fail(shop, 5)
    assert shop.no("till-1", "staff/clear-lockout", {"staff_id": "anna"})["code"] == "forbidden"
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "staff/clear-lockout", {"staff_id": "anna"})
    assert shop.ok("till-3", "staff/sign-in", ANNA)
    assert shop.audited("staff.lockout_cleared") == [{}]


# Real PINs ---------------------------------------------------------------------------------------


@pytest.fixture
def desk() -> Iterator[PinDesk]:
    desk = PinDesk()
    yield desk
    desk.close()


async def ask(shop: Shop, address: str, body: dict[str, Any], device: str = "till-3") -> Any:
    service, operation = address.split("/")
    caller = Caller(CallerKind.DEVICE, device)
    raw = json.dumps(body).encode()
    return json.loads(
        await shop.gate.answer(Request(caller, service, operation, raw, shop.ids.uuid7()))
    )


def codes(found: list[Any]) -> list[str]:
    return ["ok" if one["ok"] else one["problem"]["code"] for one in found]


async def test_many_tries_at_once_are_all_counted(
    make_shop: Callable[..., Shop], desk: PinDesk
) -> None:
    shop = make_shop(desk=desk)
    pins = iter(range(1000, 2000))
    found: list[str] = []
    for _ in range(3):
        tries = [WRONG | {"pin": str(next(pins))} for _ in range(12)]
        found += codes(await asyncio.gather(*(ask(shop, "staff/sign-in", one) for one in tries)))
    assert found.count("unauthenticated") == 5
    assert found.count("forbidden") + found.count("busy") == 31
    assert found[-12:].count("forbidden") >= 1
    assert codes([await ask(shop, "staff/sign-in", ANNA)]) == ["forbidden"]


async def test_a_right_pin_forgives_the_wrong_ones(
    make_shop: Callable[..., Shop], desk: PinDesk
) -> None:
    shop = make_shop(desk=desk)
    for pin in ("0000", "1111", "2222", "3333", PIN, "0000", PIN):
        found = await ask(shop, "staff/sign-in", WRONG | {"pin": pin})
        assert found["ok"] is (pin == PIN)


async def test_only_a_lock_that_came_about_is_written_down(
    make_shop: Callable[..., Shop], desk: PinDesk
) -> None:
    """Each try is counted before it is looked at; the fifth one may be right."""
    shop = make_shop(desk=desk)
    for pin in ("0000", "1111", "2222", "3333", PIN):
        await ask(shop, "staff/sign-in", WRONG | {"pin": pin})
    assert shop.audited("staff.locked") == []
    for pin in ("0000", "1111", "2222", "3333", "4444"):
        await ask(shop, "staff/sign-in", WRONG | {"pin": pin})
    assert shop.audited("staff.locked") == [{"device": "till-3"}]
    shop.clock.advance(30)
    assert codes([await ask(shop, "staff/sign-in", ANNA)]) == ["ok"]
    assert len(shop.audited("staff.locked")) == 1


async def test_the_same_try_repeated_while_it_is_verified_counts_once(
    make_shop: Callable[..., Shop], desk: PinDesk
) -> None:
    shop = make_shop(desk=desk)
    found = codes(await asyncio.gather(*(ask(shop, "staff/sign-in", WRONG) for _ in range(12))))
    assert found == ["unauthenticated"] * 12
    assert codes([await ask(shop, "staff/sign-in", ANNA)]) == ["ok"]


async def test_a_queue_of_pins_has_a_bound(make_shop: Callable[..., Shop], desk: PinDesk) -> None:
    shop = make_shop(desk=desk)
    tries = [{"staff_id": f"who-{n}", "pin": "0000"} for n in range(20)]
    found = codes(
        await asyncio.gather(
            *(ask(shop, "staff/sign-in", one, f"till-{n % 10}") for n, one in enumerate(tries))
        )
    )
    assert sorted(found) == ["busy"] * 4 + ["unauthenticated"] * 16


async def test_a_device_that_types_many_pins_leaves_places_for_the_others(
    make_shop: Callable[..., Shop], desk: PinDesk
) -> None:
    shop = make_shop(desk=desk)
    tries = [{"staff_id": f"who-{n}", "pin": "0000"} for n in range(20)]
    found = await asyncio.gather(
        *(ask(shop, "staff/sign-in", one) for one in tries),
        ask(shop, "staff/sign-in", ANNA, "till-2"),
    )
    assert codes(found)[-1] == "ok"
    assert sorted(codes(found)[:-1]) == ["busy"] * 18 + ["unauthenticated"] * 2
    waits = [one["problem"]["retry_after_ms"] for one in found if codes([one]) == ["busy"]]
    assert min(waits) > 0
    assert codes([await ask(shop, "staff/sign-in", ANNA)]) == ["ok"], "its places are free again"


# Approvals ---------------------------------------------------------------------------------------


def asked(shop: Shop, **changed: Any) -> dict[str, Any]:
    body = {
        "approval_id": shop.id(),
        "permission": "refund",
        "subject": {"sale_id": shop.id(), "amount_minor": 100},
        "reason": "no receipt",
    }
    return body | changed


def decision(approval: Any, **changed: Any) -> dict[str, Any]:
    body = {"approval_id": approval["approval_id"], "approve": True, "staff_id": "mia", "pin": PIN}
    return body | changed


def test_an_approval_waits_is_listed_and_decided_once(shop: Shop) -> None:
    shop.writer.notices.clear()
    body = asked(shop)
    shop.ok("till-1", "approval/request", body)
    (waiting,) = shop.ok("till-2", "approval/list")["approvals"]
    assert (waiting["requested_by"], waiting["requested_on"]) == ("anna", "till-1")
    assert (
        ApprovalChanged(body["approval_id"], "pending", "refund", "till-1") in shop.writer.notices
    )

    shop.ok("till-2", "approval/decide", decision(body, approve=False))
    assert shop.no("till-2", "approval/decide", decision(body))["code"] == "conflict"
    assert shop.ok("till-2", "approval/list")["approvals"] == []
    assert [one["by"] for one in shop.audited("approval.refused")] == ["mia"]


def test_nobody_approves_for_themselves_or_beyond_their_own(shop: Shop) -> None:
    body = asked(shop, subject={"sale_id": shop.id(), "amount_minor": 6000})
    shop.ok("till-1", "approval/request", body)
    for who, pin, code in (
        ("anna", PIN, "forbidden"),
        ("ben", PIN, "forbidden"),
        ("mia", "0000", "unauthenticated"),
    ):
        found = shop.no("till-2", "approval/decide", decision(body, staff_id=who, pin=pin))
        assert found["code"] == code
    assert shop.value("SELECT state FROM approvals") == "pending"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"permission": "sale.sell"}, "validation"),
        ({"permission": "hub.admin"}, "validation"),
        ({"permission": "fly"}, "validation"),
        ({"subject": {"sale": "x"}}, "validation"),
        ({"reason": ""}, "validation"),
    ],
)
def test_some_things_can_not_be_approved(shop: Shop, changed: dict[str, Any], code: str) -> None:
    with shop.unchanged():
        assert shop.no("till-1", "approval/request", asked(shop, **changed))["code"] == code


def test_whoever_lends_several_permissions_has_them_all(shop: Shop) -> None:
    for also, code in (
        (["hub.admin"], "validation"),
        (["nonsense"], "validation"),
        (["sale.void"] * 4, "validation"),
    ):
        assert shop.no("till-1", "approval/request", asked(shop, also=also))["code"] == code
    body = asked(shop, also=["sale.void", "sale.void", "refund"])
    assert shop.ok("till-1", "approval/request", body)["also"] == ["sale.void"]
    (waiting,) = shop.ok("till-2", "approval/list")["approvals"]
    assert (waiting["permission"], waiting["also"]) == ("refund", ["sale.void"])
    shop.staff({"manager": {"refund": None}, "cashier": {"sale.sell": None}})
    found = shop.no("till-2", "approval/decide", decision(body))
    assert (found["code"], found["context"]["permission"]) == ("forbidden", "sale.void")
    shop.staff({"manager": {"refund": None, "sale.void": None}, "cashier": {"sale.sell": None}})
    shop.ok("till-2", "approval/decide", decision(body))


def test_an_approval_ends_with_its_time(shop: Shop) -> None:
    body = asked(shop)
    shop.ok("till-1", "approval/request", body)
    shop.clock.advance(600)
    assert shop.ok("till-2", "approval/list")["approvals"] == []
    assert shop.no("till-2", "approval/decide", decision(body))["code"] == "conflict"
    shop.clock.advance(31 * 86_400)
    shop.housekeep()
    assert shop.value("SELECT count(*) FROM approvals") == 0


def test_so_many_approvals_wait_and_no_more(shop: Shop) -> None:
    for _ in range(50):
        shop.ok("till-1", "approval/request", asked(shop))
    with shop.unchanged():
        assert shop.no("till-1", "approval/request", asked(shop))["code"] == "conflict"


# The audit log -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE audit SET staff_id = 'ben' WHERE seq = 2",
        "UPDATE audit SET at_ms = at_ms + 1 WHERE seq = 2",
        "UPDATE audit SET data = '{}' WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 1",
    ],
)
def test_an_audit_log_that_somebody_touched_does_not_verify(shop: Shop, damage: str) -> None:
    write_audit(shop)
    assert auditlog.verify(shop.rows).broken_seq is None
    conn = shop.core.conn
    before = [conn.execute("SELECT * FROM audit").fetchall()][0]
    shop.run(damage)
    assert auditlog.verify(shop.rows).broken_seq in (1, 2)
    shop.run("DELETE FROM audit")
    for row in before:
        shop.run(f"INSERT INTO audit VALUES ({', '.join('?' * len(row))})", *row)


def write_audit(shop: Shop) -> None:
    shop.ok("till-3", "staff/sign-in", ANNA)
    basket = shop.basket("till-3", "tea", "milk")
    basket = shop.change("till-3", basket, "remove-line", line_no=1)
    shop.change("till-3", basket, "abandon", reason="gone")


def test_a_log_cut_short_or_written_anew_shows_by_the_head_kept_elsewhere(shop: Shop) -> None:
    write_audit(shop)
    found = auditlog.verify(shop.rows)
    kept = (found.entries, bytes.fromhex(found.head_hash))
    assert auditlog.verify(shop.rows, kept).broken_seq is None
    last = shop.all("SELECT * FROM audit ORDER BY seq DESC LIMIT 1")[0]
    shop.run("DELETE FROM audit WHERE seq = ?", found.entries)
    assert auditlog.verify(shop.rows).broken_seq is None
    assert auditlog.verify(shop.rows, kept).broken_seq == found.entries
    shop.run(f"INSERT INTO audit VALUES ({', '.join('?' * len(last))})", *last)


def test_the_head_of_the_log_goes_to_the_cloud_once_a_day(shop: Shop) -> None:
    write_audit(shop)
    for _ in range(3):
        shop.housekeep()
    shop.clock.advance(86_400)
    shop.housekeep()
    heads = shop.events("com.storehub.audit.head.v1")
    assert [one["business_day"] for one in heads] == ["2026-01-01", "2026-01-02"]
    assert heads[-1]["head_hash"] == auditlog.verify(shop.rows).head_hash
