"""Every bound of the HTTPS door is reached, refused in its words, and harms nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from hub.web.listener import Bounds
from tests.hubparts import HubParts, ShiftedClock, hub_parts
from tests.wire.web.strangers import stranger

BODY_MAX = 262_144


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
async def hub(tmp_state: Path, clock: ShiftedClock) -> AsyncIterator[HubParts]:
    bounds = Bounds(connections=12, per_address=4)
    async with hub_parts(tmp_state, clock=clock, bounds=bounds) as running:
        yield running


async def problem_of(answer: aiohttp.ClientResponse) -> tuple[int, str]:
    return answer.status, (await answer.json(content_type=None))["code"]


async def test_a_body_of_too_many_bytes_is_refused_whether_or_not_its_length_is_said(
    hub: HubParts,
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 8192

    json = {"Content-Type": "application/json"}
    async with hub.client() as http:
        for body in (b" " * (BODY_MAX + 1), pieces()):
            async with http.post("/api/1/pair", data=body, headers=json) as answer:
                assert await problem_of(answer) == (413, "too-large")
        async with http.post("/api/1/pair", data=b" " * BODY_MAX, headers=json) as answer:
            assert await problem_of(answer) == (422, "validation")


async def test_a_compressed_body_is_not_opened(hub: HubParts) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    async with (
        hub.client() as http,
        http.post("/api/1/pair", data=b"\x1f\x8b\x08\x00", headers=headers) as answer,
    ):
        assert await problem_of(answer) == (422, "validation")


async def test_wrong_pairing_codes_are_slowed_by_address_and_nobody_elses(
    hub: HubParts, clock: ShiftedClock
) -> None:
    async def attempt(http: aiohttp.ClientSession) -> tuple[int, str]:
        wrong = {"code": "AAAA-AAAA", "auth": "password"}
        async with http.post("/api/1/pair", json=wrong) as answer:
            if answer.status == 429:
                assert int(answer.headers["Retry-After"]) > 0
            return await problem_of(answer)

    async with stranger(hub, "127.0.0.2") as bad, stranger(hub, "127.0.0.3") as other:
        found = [await attempt(bad) for _ in range(20)]
        assert found[0] == (403, "forbidden")
        assert found[-1] == (429, "busy")
        assert await attempt(other) == (403, "forbidden")
        clock.ahead_s += 60
        assert await attempt(bad) == (403, "forbidden")


async def test_wrong_technician_codes_are_slowed_by_address_and_nobody_elses(
    hub: HubParts, clock: ShiftedClock
) -> None:
    async def attempt(http: aiohttp.ClientSession, code: str = "AAAA-AAAA") -> int:
        async with http.post("/api/1/session", json={"code": code}) as answer:
            return answer.status

    async with stranger(hub, "127.0.0.2") as bad, stranger(hub, "127.0.0.3") as other:
        found = [await attempt(bad) for _ in range(8)]
        assert found == [403] * 5 + [429] * 3
        assert await attempt(bad, hub.web.technician.open()) == 429
        assert await attempt(other, hub.web.technician.open()) == 200
        clock.ahead_s += 300
        assert await attempt(bad, hub.web.technician.open()) == 200


async def test_one_address_can_not_take_all_connections(hub: HubParts) -> None:
    held = []
    try:
        for _ in range(10):
            held.append(  # noqa: PERF401 - one after another
                await asyncio.open_connection(
                    "127.0.0.1", hub.web.port, local_addr=("127.0.0.2", 0)
                )
            )
        async with asyncio.timeout(30):
            while hub.web.connections != 4:
                await asyncio.sleep(0.01)
        async with stranger(hub, "127.0.0.3") as http, http.get("/api/1/hello") as answer:
            assert answer.status == 200
    finally:
        for _, writer in held:
            writer.transport.abort()
