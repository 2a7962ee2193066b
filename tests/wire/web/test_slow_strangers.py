"""Connections that say nothing, or not enough, are ended; the others don't notice."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.web.listener import Bounds
from tests.hubparts import HubParts, hub_parts

PATIENT = Bounds(
    connections=6,
    per_address=6,
    handshake_s=60.0,
    head_s=60.0,
    body_s=60.0,
    request_s=60.0,
    idle_s=60.0,
    shutdown_s=0.2,
    linger_s=0.1,
)
HEAD = b"POST /api/1/pair HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"


@pytest.fixture
def quick() -> dict[str, float]:
    """Bounds that a test wants to see reached; in all else the machine may be slow."""
    return {}


@pytest.fixture
async def hub(tmp_state: Path, quick: dict[str, Any]) -> AsyncIterator[HubParts]:
    async with hub_parts(tmp_state, bounds=replace(PATIENT, **quick)) as running:
        yield running


async def said_until_closed(hub: HubParts, *parts: bytes, tls: bool = True) -> bytes:
    """What the hub says until it closes the connection."""
    context = hub.trust() if tls else None
    async with asyncio.timeout(40):
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.web.port, ssl=context)
        try:
            for part in parts:
                writer.write(part)
            said = b""
            while data := await reader.read(65536):
                said += data
            return said
        except ConnectionError:
            return b""
        finally:
            writer.transport.abort()


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("quick", [{"handshake_s": 0.5}])
async def test_a_stranger_that_never_begins_tls_is_cut_off(hub: HubParts) -> None:
    await said_until_closed(hub, tls=False)
    await said_until_closed(hub, b"\x16\x03", tls=False)


@pytest.mark.parametrize("quick", [{"handshake_s": 0.5}])
async def test_plain_http_is_not_spoken(hub: HubParts) -> None:
    said = await said_until_closed(hub, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", tls=False)
    assert b"HTTP/1.1 200" not in said


@pytest.mark.parametrize("quick", [{"head_s": 0.5}])
async def test_a_connection_without_a_request_is_cut_off(hub: HubParts) -> None:
    assert await said_until_closed(hub) == b""


@pytest.mark.parametrize("quick", [{"head_s": 0.5}])
async def test_a_half_sent_head_is_cut_off(hub: HubParts) -> None:
    await said_until_closed(hub, b"GET /api/1/hello HTTP/1.1\r\nHost: h\r\nX-Slow: ")


@pytest.mark.parametrize("quick", [{"body_s": 0.5}])
async def test_a_half_sent_body_gets_408(hub: HubParts) -> None:
    said = await said_until_closed(hub, HEAD + b"Content-Length: 400\r\n\r\n" + b'{"code":')
    assert said.startswith(b"HTTP/1.1 408")


async def test_a_head_in_the_same_flight_as_the_handshake_is_answered(hub: HubParts) -> None:
    said = await said_until_closed(
        hub, b"GET /api/1/hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    )
    assert said.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("quick", [{"head_s": 0.5}])
async def test_a_half_sent_request_line_is_cut_off(hub: HubParts) -> None:
    assert b" 200 " not in await said_until_closed(hub, b"GET /api/1/he")


@pytest.mark.parametrize("quick", [{"body_s": 0.5}])
async def test_a_half_sent_chunk_gets_408(hub: HubParts) -> None:
    said = await said_until_closed(hub, HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{")
    assert said.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("quick", [{"idle_s": 0.5}])
async def test_a_kept_connection_is_closed_when_nothing_follows(hub: HubParts) -> None:
    said = await said_until_closed(hub, b"GET /api/1/hello HTTP/1.1\r\nHost: h\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("quick", [{"idle_s": 0.5}])
async def test_a_kept_connection_with_half_of_the_next_head_is_cut_off(hub: HubParts) -> None:
    ask = b"GET /api/1/hello HTTP/1.1\r\nHost: h\r\n"
    said = await said_until_closed(hub, ask + b"\r\n", ask)
    assert said.count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize("quick", [{"idle_s": 0.5, "request_s": 3.0}])
async def test_whoever_reads_the_answer_byte_by_byte_is_cut_off(hub: HubParts) -> None:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", hub.web.port))
    reader, writer = await asyncio.open_connection(
        sock=sock, ssl=hub.trust(), server_hostname="127.0.0.1", limit=1024
    )
    try:
        writer.write(b"GET /app.js HTTP/1.1\r\nHost: h\r\n\r\n" * 2000)
        async with asyncio.timeout(60):
            await until(lambda: hub.web.connections == 1)
            while hub.web.connections:
                assert await reader.read(1)
                await asyncio.sleep(0.01)
    finally:
        writer.transport.abort()


async def test_an_endless_head_is_refused(hub: HubParts) -> None:
    said = await said_until_closed(hub, b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n")
    assert b" 400 " in said.split(b"\r\n")[0]


@pytest.mark.parametrize("quick", [{"handshake_s": 3.0}])
async def test_too_many_connections_are_dropped_and_room_comes_back(hub: HubParts) -> None:
    held = [await asyncio.open_connection("127.0.0.1", hub.web.port) for _ in range(6)]
    try:
        assert await said_until_closed(hub, tls=False) == b""
        for reader, _ in held:
            async with asyncio.timeout(40):
                try:
                    await reader.read()
                except ConnectionError:
                    continue
    finally:
        for _, writer in held:
            writer.transport.abort()
    async with hub.client() as http, http.get("/api/1/hello") as answer:
        assert answer.status == 200
