"""Staff at the page of a whole hub: in with the till's PIN, out when the cloud says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from cloud_link.sandbox import demo
from hub.security import pins
from tests.fakes import SeededRandomness
from tests.support.hubbox import CASHIER, MANAGER, Box, open_box

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("hub-page-staff")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box() -> AsyncIterator[Box]:
    async with open_box() as opened:
        yield opened


async def sign_in(page: aiohttp.ClientSession, box: Box, who: tuple[str, str]) -> int:
    body = {"staff_no": who[0], "pin": who[1]}
    async with page.post(f"{box.url}/api/1/session", json=body) as answer:
        return answer.status


async def status_of(page: aiohttp.ClientSession, box: Box) -> int:
    async with page.get(f"{box.url}/api/1/me") as answer:
        return answer.status


async def test_a_manager_the_cloud_gives_another_pin_to_is_signed_out_and_in_again(
    box: Box,
) -> None:
    staff_id, name, role, _ = next(row for row in demo.DEMO_STAFF if row[0] == MANAGER[0])
    jar = aiohttp.CookieJar(unsafe=True)
    connector = aiohttp.TCPConnector(ssl=False)
    async with aiohttp.ClientSession(cookie_jar=jar, connector=connector) as page:
        assert await sign_in(page, box, CASHIER) == 403
        assert await sign_in(page, box, MANAGER) == 200
        async with page.get(f"{box.url}/api/1/me") as answer:
            me: dict[str, Any] = await answer.json()
        assert (me["user"], me["role"], me["signed_in_by"]) == (name, "manager", "pin")
        hashed = await asyncio.to_thread(pins.hash_pin, "864209", SeededRandomness(1))
        row = {
            "kind": "staff",
            "staff_id": staff_id,
            "name": name,
            "role": role,
            "pin_hash": hashed,
            "active": True,
        }
        await box.rig.oms_admin._call("POST", "datasets/staff/rows", {"rows": [row]})

        async def signed_out() -> bool:
            return await status_of(page, box) == 401

        await box.until(signed_out)
        assert await sign_in(page, box, MANAGER) == 401
        assert await sign_in(page, box, (staff_id, "864209")) == 200
    told = box.rows("SELECT staff_id FROM audit WHERE action = 'web.sign-in'")
    assert told == [(staff_id,)] * 2
