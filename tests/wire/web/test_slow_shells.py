"""The admin socket doesn't wait for a client that says nothing, or not enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.web.adminsocket import BOUNDS
from hub.web.listener import Bounds
from tests.hubparts import HubParts, hub_parts

PATIENT = replace(
    BOUNDS, connections=4, head_s=60.0, body_s=60.0, request_s=60.0, idle_s=60.0, linger_s=0.1
)
HEAD = b"POST /api/1/pairing/open HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"


@pytest.fixture
def quick() -> dict[str, float]:
    """Bounds that a test wants to see reached; in all else the machine may be slow."""
    return {}


@pytest.fixture
async def hub(tmp_state: Path, quick: dict[str, Any]) -> AsyncIterator[HubParts]:
    async with hub_parts(tmp_state, admin_bounds=replace(PATIENT, **quick)) as running:
        yield running


async def said_until_closed(hub: HubParts, said: bytes = b"") -> bytes:
    """What the socket says until it closes the connection."""
    async with asyncio.timeout(40):
        reader, writer = await asyncio.open_unix_connection(str(hub.run / "admin.sock"))
        try:
            writer.write(said)
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.transport.abort()


@pytest.mark.parametrize("quick", [{"head_s": 0.5}])
@pytest.mark.parametrize("said", [b"", b"GET /sta", b"GET /status HTTP/1.1\r\nHost: h\r\nX: "])
async def test_a_client_without_a_request_is_cut_off(hub: HubParts, said: bytes) -> None:
    assert b" 200 " not in await said_until_closed(hub, said)


@pytest.mark.parametrize("quick", [{"body_s": 0.5}])
async def test_a_half_sent_body_gets_408(hub: HubParts) -> None:
    said = await said_until_closed(hub, HEAD + b'Content-Length: 99\r\n\r\n{"kind"')
    assert said.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("quick", [{"idle_s": 0.5}])
async def test_a_body_over_the_bound_gets_413(hub: HubParts) -> None:
    body = b" " * 300_000
    said = await said_until_closed(hub, HEAD + b"Content-Length: 300000\r\n\r\n" + body)
    assert said.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("quick", [{"idle_s": 0.5}])
async def test_a_kept_connection_is_closed_when_nothing_follows(hub: HubParts) -> None:
    said = await said_until_closed(hub, b"GET /status HTTP/1.1\r\nHost: h\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("quick", [{"head_s": 2.0, "idle_s": 2.0}])
async def test_too_many_connections_are_dropped_and_room_comes_back(hub: HubParts) -> None:
    assert await asyncio.gather(*(said_until_closed(hub) for _ in range(12))) == [b""] * 12
    said = await said_until_closed(hub, b"GET /status HTTP/1.1\r\nHost: h\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("bounds", [BOUNDS, Bounds()])
def test_by_default_every_phase_ends_within_15_seconds(bounds: Bounds) -> None:
    assert max(bounds.handshake_s, bounds.head_s, bounds.body_s + bounds.linger_s) < 14
    assert bounds.idle_s < 14
