"""Sessions of the page at their ends: how one begins, and that it is over when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hub.domain.staff import PageRole
from hub.service.caller import HUB
from hub.service.handlers.webaccess import OpenStaffSession
from hub.storage.errors import StorageFull
from tests.hubparts import HubParts, ShiftedClock, hub_parts
from tests.wire.web.staffed import OTHER_PIN, PIN, at_the_page, change, hire, person, stored


@pytest.fixture
async def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
async def hub(tmp_state: Path, clock: ShiftedClock) -> AsyncIterator[HubParts]:
    async with hub_parts(tmp_state, clock=clock) as running:
        await hire(running)
        yield running


async def sign_in(http: aiohttp.ClientSession, **fields: str) -> int:
    async with http.post("/api/1/session", json=fields) as answer:
        return answer.status


async def status_of(http: aiohttp.ClientSession, path: str = "/api/1/session") -> int:
    async with http.get(path) as answer:
        return answer.status


async def full(*_: Any) -> Any:
    raise StorageFull("the disk is full")


async def test_a_new_session_is_kept_though_older_ones_end_later(hub: HubParts) -> None:
    for number, life_ms in enumerate([28_800_000] * 5 + [3_600_000]):
        opened = OpenStaffSession(bytes([number]) * 32, life_ms, "::1", "1003", stored(PIN))
        assert await hub.gate.internal(HUB, opened) == PageRole.MANAGER
    kept = await hub.gate.read(lambda found: found.all("SELECT token_hash FROM web_sessions"))
    assert len(kept) == 5
    assert (bytes([5]) * 32,) in kept


async def test_an_idle_session_is_over_for_everything_asked_at_once(
    hub: HubParts, clock: ShiftedClock
) -> None:
    async with at_the_page(hub, "1003") as (http, _):
        clock.ahead_s += 901
        paths = ("/api/1/me", "/api/1/cloud", "/api/1/actions", "/api/1/session")
        assert await asyncio.gather(*(status_of(http, path) for path in paths)) == [401] * 4


async def test_a_session_ends_also_when_nothing_can_be_written(
    hub: HubParts, clock: ShiftedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_the_page(hub, "1003") as (idle, _), at_the_page(hub, "1004") as (left, csrf):
        clock.ahead_s += 800
        assert await status_of(left) == 200
        clock.ahead_s += 200
        with monkeypatch.context() as disk:
            disk.setattr(hub.gate, "internal", full)
            assert [await status_of(idle) for _ in range(2)] == [401] * 2
            async with left.delete("/api/1/session", headers=csrf) as answer:
                assert answer.status == 507
            assert await status_of(left) == 401
        assert [await status_of(one) for one in (idle, left)] == [401] * 2
    rows = await hub.gate.read(lambda found: found.one("SELECT count(*) FROM web_sessions"))
    assert rows == (0,)


async def test_a_code_that_let_nobody_in_is_still_good(
    hub: HubParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = hub.web.technician.open()
    async with hub.client() as http:
        with monkeypatch.context() as disk:
            disk.setattr(hub.gate, "internal", full)
            assert await sign_in(http, code=code) == 507
        assert await sign_in(http, code=code) == 200
        assert await sign_in(http, code=code) == 403


async def test_who_gets_in_uses_up_nobodys_tries(hub: HubParts) -> None:
    async with hub.client() as http:
        for staff_no in ("1002", "1003", "1004") * 4:
            assert await sign_in(http, staff_no=staff_no, pin=PIN) == 200
        found = [await sign_in(http, staff_no="1003", pin=OTHER_PIN) for _ in range(5)]
        assert found == [401] * 3 + [429] * 2


async def test_a_damaged_pin_is_named_as_what_it_is(hub: HubParts) -> None:
    await change(hub, person("1003", pin_hash="$argon2id$torn"))
    async with hub.client() as http:
        asked = {"staff_no": "1003", "pin": PIN}
        async with http.post("/api/1/session", json=asked) as answer:
            problem = await answer.json()
    assert (answer.status, problem["code"]) == (409, "conflict")
    assert "Set a new PIN" in problem["detail"]


async def test_a_permission_that_the_cloud_says_no_to_lets_nobody_in(hub: HubParts) -> None:
    denied = {"kind": "role", "role": "manager", "permissions": {"hub.manage": False}}
    await change(hub, denied)
    async with hub.client() as http:
        assert await sign_in(http, staff_no="1003", pin=PIN) == 403
