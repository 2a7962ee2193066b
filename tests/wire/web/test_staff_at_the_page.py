"""Staff at the page: in with their PIN, as far as their role goes, out with their place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hub.contract.health import ActionDone
from hub.contract.registry import OPERATIONS, Door
from hub.domain.staff import PageRole
from hub.health.mending import Action, Done
from hub.service.caller import CLOUD, Caller
from hub.service.handlers.datasets import SwapStaging
from hub.web.rights import (
    CALLS,
    MAY,
    OPEN_CALLS,
    OPERATION_CALL,
    OPERATION_RIGHTS,
    OWN_CALLS,
    Right,
)
from tests.hubparts import HubParts, ShiftedClock, hub_parts
from tests.wire.web.staffed import (
    OTHER_PIN,
    PIN,
    at_the_page,
    change,
    hire,
    person,
    stored,
    written,
)

ALL = sorted(right.value for right in Right)
CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/api/1/actions/outbox.retry", {}),
    ("/api/1/actions/drill.start", {}),
    ("/api/1/pairing/open", {}),
    ("/api/1/device/rename", {"device_id": "till-01", "name": "x"}),
    ("/api/1/device/revoke", {"device_id": "till-01", "reason": "x"}),
    ("/api/1/staff/clear-lockout", {"staff_id": "1001"}),
    ("/api/1/log/level", {"level": "debug", "for_s": 60}),
)


@pytest.fixture
async def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
async def ran() -> list[str]:
    return []


@pytest.fixture
async def hub(tmp_state: Path, clock: ShiftedClock, ran: list[str]) -> AsyncIterator[HubParts]:
    async def run(caller: Caller) -> Done:
        ran.append(caller.key)
        return Done("done", "It is done.")

    actions = [
        Action(key=key, title="t", what="w", confirm="", run=run, pause_s=0)
        for key in ("outbox.retry", "drill.start")
    ]
    async with hub_parts(tmp_state, clock=clock, actions=actions) as running:
        await hire(running)
        yield running


async def sign_in(http: aiohttp.ClientSession, **fields: Any) -> tuple[int, dict[str, Any]]:
    async with http.post("/api/1/session", json=fields) as answer:
        return answer.status, await answer.json()


async def status_of(http: aiohttp.ClientSession, path: str = "/api/1/session") -> int:
    async with http.get(path) as answer:
        return answer.status


# Who ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("staff_no", "role", "may"),
    [("1002", "viewer", ["support"]), ("1003", "manager", ALL), ("1004", "manager", ALL)],
)
async def test_the_role_follows_from_the_permissions(
    hub: HubParts, staff_no: str, role: str, may: list[str]
) -> None:
    async with at_the_page(hub, staff_no) as (http, _), http.get("/api/1/me") as answer:
        me = await answer.json()
    assert me.pop("expires_at_ms") > hub.gate.clock.wall_ms() + 8 * 3_600_000 - 60_000
    assert me == {"user": f"Name {staff_no}", "role": role, "may": may, "signed_in_by": "pin"}


async def test_the_technician_is_one_by_the_code(hub: HubParts) -> None:
    async with hub.technician() as (http, _), http.get("/api/1/me") as answer:
        me = await answer.json()
    assert (me["user"], me["role"], me["signed_in_by"]) == ("technician", "technician", "code")
    assert me["may"] == [one for one in ALL if one not in ("staff", "payments")]


async def test_who_has_nothing_to_do_there_is_told_what_is_missing(hub: HubParts) -> None:
    async with hub.client() as http:
        status, problem = await sign_in(http, staff_no="1001", pin=PIN)
        assert (status, problem["code"], problem["context"]["permission"]) == (
            403,
            "forbidden",
            "hub.view",
        )
        assert await status_of(http) == 401


@pytest.mark.parametrize("staff_no", ["1003", "nobody"])
async def test_a_wrong_pin_and_an_unknown_number_look_the_same(
    hub: HubParts, staff_no: str
) -> None:
    async with hub.client() as http:
        status, problem = await sign_in(http, staff_no=staff_no, pin=OTHER_PIN)
        assert (status, problem["code"]) == (401, "unauthenticated")
        assert problem["detail"] == "Staff id or PIN is wrong: try again."


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"pin": "97531864"},
        {"staff_no": "97531864"},
        {"code": "ZZZZ-ZZZZ", "staff_no": "1003", "pin": "97531864"},
        {"staff_no": "97531864 ", "pin": "975"},
        {"code": 97531864},
    ],
)
async def test_half_a_sign_in_is_refused_and_not_repeated(
    hub: HubParts, body: dict[str, Any]
) -> None:
    async with hub.client() as http:
        status, problem = await sign_in(http, **body)
    assert (status, problem["code"]) == (422, "validation")
    assert "97531864" not in str(problem)


# May ---------------------------------------------------------------------------------------------


async def post(
    http: aiohttp.ClientSession, headers: dict[str, str], path: str, body: Any, key: str = "k"
) -> tuple[int, dict[str, Any]]:
    keyed = headers | {"Idempotency-Key": f"page-{key:0>12}"}
    async with http.post(path, json=body, headers=keyed) as answer:
        return answer.status, await answer.json()


async def test_a_viewer_reads_and_changes_nothing(hub: HubParts, ran: list[str]) -> None:
    async with at_the_page(hub, "1002") as (http, headers):
        for path in ("/api/1/status", "/api/1/devices", "/api/1/actions"):
            assert await status_of(http, path) == 200
        assert (await post(http, headers, "/api/1/device/list", {}))[0] == 200
        for path, body in CHANGES:
            status, problem = await post(http, headers, path, body)
            assert (status, problem["code"]) == (403, "forbidden"), path
            assert problem["context"]["permission"] == "hub.manage"
    assert ran == []
    rows = await hub.gate.read(lambda found: found.all("SELECT action FROM audit"))
    assert [action for (action,) in rows] == ["web.sign-in"]


async def test_a_manager_may_what_the_page_offers(hub: HubParts, ran: list[str]) -> None:
    async with at_the_page(hub, "1003") as (http, headers):
        for number, (path, body) in enumerate(CHANGES):
            status, _ = await post(http, headers, path, body, str(number))
            assert status in {200, 404}, path  # there is no till-01
    assert len(ran) == 2


async def test_the_technician_leaves_people_to_the_manager(hub: HubParts) -> None:
    async with hub.technician() as (http, headers):
        for number, (path, body) in enumerate(CHANGES):
            status, problem = await post(http, headers, path, body, str(number))
            if path.startswith("/api/1/staff/"):
                assert (status, problem["context"]["right"]) == (403, "staff")
            else:
                assert status in {200, 404}, path


async def test_what_was_done_says_who_did_it(hub: HubParts) -> None:
    async with at_the_page(hub, "1003") as (http, headers):
        _, done = await post(http, headers, "/api/1/actions/outbox.retry", {})
        assert ActionDone.model_validate(done).outcome == "done"
        async with http.delete("/api/1/session", headers=headers) as answer:
            assert answer.status == 204
    rows = await hub.gate.read(
        lambda found: found.all("SELECT action, staff_id, caller FROM audit ORDER BY seq")
    )
    assert [row[0] for row in rows] == [
        "web.sign-in",
        "action.asked",
        "action.ended",
        "web.sign-out",
    ]
    assert {row[1] for row in rows} == {"1003"}
    assert all(row[2].startswith("web:manager-") for row in rows[1:])


async def test_a_change_needs_the_csrf_token_of_this_session(hub: HubParts, ran: list[str]) -> None:
    async with at_the_page(hub, "1003") as (http, _), at_the_page(hub, "1003") as (_, others):
        for wrong in ({}, {"X-CSRF-Token": "x" * 43}, others):
            status, problem = await post(http, wrong, "/api/1/actions/outbox.retry", {})
            assert (status, problem["code"]) == (403, "forbidden")
            async with http.delete("/api/1/session", headers=wrong) as answer:
                assert answer.status == 403
    assert ran == []


def test_every_call_that_changes_something_is_in_the_tables(hub: HubParts) -> None:
    known = OPEN_CALLS | OWN_CALLS | set(CALLS) | {OPERATION_CALL}
    found = {
        (route.method, route.resource.canonical)
        for route in hub.web._app().router.routes()
        if route.method not in {"GET", "HEAD"} and route.resource is not None
    }
    assert found == known


def test_every_operation_of_the_page_has_its_right() -> None:
    offered = {address for address, row in OPERATIONS.items() if Door.ADMIN in row.doors}
    assert set(OPERATION_RIGHTS) == offered
    assert {address for address, right in OPERATION_RIGHTS.items() if right is None} == {
        address for address in offered if OPERATIONS[address].is_query
    } - {("peripheral", "find"), ("peripheral", "try")}  # they do something
    assert MAY[PageRole.VIEWER] == {Right.SUPPORT}


async def test_an_operation_nobody_decided_about_is_refused_to_all(
    hub: HubParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_the_page(hub, "1003") as (http, headers):
        assert (await post(http, headers, "/api/1/sale/commit", {}))[0] == 404
        monkeypatch.delitem(OPERATION_RIGHTS, ("device", "rename"))
        body = {"device_id": "till-01", "name": "x"}
        assert (await post(http, headers, "/api/1/device/rename", body))[0] == 404


# Until when --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        person("1003", active=False),
        person("1003", pin_hash=stored(OTHER_PIN)),
        person("1003", role="cashier"),
        {"kind": "role", "role": "manager", "permissions": {"sale.void": None}},
    ],
    ids=["blocked", "another-pin", "another-role", "the-role-lost-it"],
)
async def test_whoever_may_not_stay_is_signed_out_everywhere_at_once(
    hub: HubParts, row: dict[str, Any]
) -> None:
    async with (
        at_the_page(hub, "1003") as (phone, _),
        at_the_page(hub, "1003") as (desk, _),
        at_the_page(hub, "1004") as (other, _),
        desk.get("/api/1/status/stream") as stream,
    ):
        await stream.content.readuntil(b"\n\n")
        await change(hub, row)
        assert [await status_of(one) for one in (phone, desk, other)] == [401, 401, 200]
        async with asyncio.timeout(60):
            assert b"signed-out" in await stream.content.read()
        await change(hub, person("1003"))  # taking it back opens no old session again
        assert await status_of(phone) == 401
    rows = await hub.gate.read(
        lambda found: found.all("SELECT caller, data FROM audit WHERE action = 'web.sign-out'")
    )
    assert [row[0] for row in rows] == ["cloud:oms"] * 2
    assert all('"staff":"1003"' in row[1] for row in rows)


async def test_another_list_of_staff_signs_out_who_isnt_on_it(hub: HubParts) -> None:
    async with at_the_page(hub, "1003") as (http, _):
        await hub.write(lambda tx: tx.run("UPDATE datasets SET staging = 2, staging_label = 'g2'"))
        assert await hub.gate.internal(CLOUD, SwapStaging("staff", 2, "g2", "c", 0))
        assert await status_of(http) == 401
    left = await hub.gate.read(lambda found: found.one("SELECT count(*) FROM web_sessions"))
    assert left == (0,)


async def test_a_new_role_counts_from_the_next_request_on(hub: HubParts) -> None:
    async with at_the_page(hub, "1003") as (http, headers):
        await change(hub, person("1003", role="clerk"))
        assert await status_of(http) == 200
        assert (await post(http, headers, "/api/1/pairing/open", {}))[0] == 403


async def test_a_members_session_ends_when_idle_and_when_old(
    hub: HubParts, clock: ShiftedClock
) -> None:
    async with at_the_page(hub, "1003") as (http, _):
        clock.ahead_s += 800
        assert await status_of(http) == 200
        clock.ahead_s += 901
        assert await status_of(http) == 401
    clock.ahead_s += 300
    async with at_the_page(hub, "1003") as (http, _):
        seen = []
        for _ in range(37):
            clock.ahead_s += 800
            seen.append(await status_of(http))
        assert seen == [200] * 35 + [401] * 2


async def test_one_person_has_five_sessions_and_the_oldest_goes_first(
    hub: HubParts, clock: ShiftedClock
) -> None:
    clients = [hub.client() for _ in range(6)]
    opened = [await one.__aenter__() for one in clients]
    try:
        for http in opened:
            assert (await sign_in(http, staff_no="1003", pin=PIN))[0] == 200
            clock.ahead_s += 60
        assert [await status_of(http) for http in opened] == [401] + [200] * 5
    finally:
        for one in clients:
            await one.__aexit__(None, None, None)


# Trying ------------------------------------------------------------------------------------------


async def test_wrong_pins_lock_the_person_out_of_the_page_whatever_the_address(
    hub: HubParts, clock: ShiftedClock
) -> None:
    async with hub.client() as http:
        for _ in range(5):
            assert (await sign_in(http, staff_no="1003", pin=OTHER_PIN))[0] == 401
        status, problem = await sign_in(http, staff_no="1003", pin=PIN)
        assert (status, problem["code"]) == (429, "busy")
    elsewhere = aiohttp.TCPConnector(ssl=hub.trust(), local_addr=("127.0.0.2", 0))
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(hub.base, connector=elsewhere, cookie_jar=jar) as http:
        status, problem = await sign_in(http, staff_no="1003", pin=PIN)
        assert (status, problem["code"]) == (403, "forbidden")
        assert 0 < problem["context"]["remaining_s"] <= 30
        assert "wait" in problem["detail"]
        assert (await sign_in(http, staff_no="1004", pin=PIN))[0] == 200
        clock.ahead_s += 31
        assert (await sign_in(http, staff_no="1003", pin=PIN))[0] == 200
    rows = await hub.gate.read(
        lambda found: found.all("SELECT subject, data FROM audit WHERE action = 'staff.locked'")
    )
    assert rows == [("1003", '{"device":"page"}')]


async def test_no_pin_and_no_code_is_kept_or_logged(
    hub: HubParts, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        code = hub.web.technician.open()
        async with hub.client() as http:
            assert (await sign_in(http, staff_no="1003", pin="864209"))[0] == 401
            assert (await sign_in(http, staff_no="1003", pin=PIN))[0] == 200
            assert (await sign_in(http, code="QQQQ-7777"))[0] == 403
            assert (await sign_in(http, code=code))[0] == 200
            cookie = next(iter(http.cookie_jar)).value
    kept = written(hub) + caplog.text.encode()
    for secret in ("864209", PIN, "QQQQ", code, cookie.partition(".")[0]):
        assert secret.encode() not in kept
    remembered = await hub.gate.read(lambda found: found.one("SELECT count(*) FROM requests"))
    assert remembered == (0,)
