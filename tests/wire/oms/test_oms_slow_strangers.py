"""Connections that say nothing, or not enough, are ended; the others don't notice."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from dataclasses import replace
from typing import Any

import pytest
import zstandard

from cloud_link.sandbox.door import DoorBounds
from tests.wire.oms.cloud_room import Cloud, StartCloud

PATIENT = DoorBounds(
    connections=6, handshake_s=60.0, head_s=60.0, body_s=60.0, request_s=60.0, idle_s=60.0
)
HEAD = "POST /v1/stores/demo/hub-sessions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\n"


@pytest.fixture
def quick() -> dict[str, float]:
    """Bounds that a test wants to see reached; in all else the machine may be slow."""
    return {}


@pytest.fixture(params=["https", "http"])
async def cloud(
    request: pytest.FixtureRequest, start_cloud: StartCloud, quick: dict[str, Any]
) -> Cloud:
    return await start_cloud(plain_http=request.param == "http", door=replace(PATIENT, **quick))


async def said_until_closed(cloud: Cloud, *parts: bytes, plain: bool = False) -> bytes:
    """What the sandbox says until it closes the connection."""
    scheme, _, rest = cloud.running.url.partition("://")
    host, _, port = rest.rpartition(":")
    trust = None
    if scheme == "https" and not plain:
        trust = ssl.create_default_context(cafile=cloud.running.ca)
    async with asyncio.timeout(40):
        reader, writer = await asyncio.open_connection(host, int(port), ssl=trust)
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


def head(cloud: Cloud, *more: str) -> bytes:
    lines = (HEAD.format(cloud.running.secrets.token), *(f"{one}\r\n" for one in more), "\r\n")
    return "".join(lines).encode()


@pytest.mark.parametrize("quick", [{"handshake_s": 1.0, "head_s": 0.5}])
async def test_a_client_that_says_nothing_is_cut_off(cloud: Cloud) -> None:
    assert await said_until_closed(cloud) == b""
    assert await said_until_closed(cloud, plain=True) == b""


@pytest.mark.parametrize("quick", [{"head_s": 0.5}])
@pytest.mark.parametrize("said", [b"GET /v1/sto", b"GET / HTTP/1.1\r\nHost: h\r\nX-Slow: "])
async def test_a_half_sent_head_is_cut_off(cloud: Cloud, said: bytes) -> None:
    assert b" 200 " not in await said_until_closed(cloud, said)


@pytest.mark.parametrize("quick", [{"body_s": 0.5, "idle_s": 0.5}])
async def test_a_half_sent_body_is_refused_and_the_connection_closed(cloud: Cloud) -> None:
    said = await said_until_closed(cloud, head(cloud, "Content-Length: 400") + b'{"hub_id":')
    assert said.startswith(b"HTTP/1.1 422")
    said = await said_until_closed(cloud, head(cloud, "Transfer-Encoding: chunked") + b"5\r\n{")
    assert said.startswith(b"HTTP/1.1 422")


@pytest.mark.parametrize("quick", [{"idle_s": 0.5}])
async def test_a_kept_connection_is_closed_when_nothing_follows(cloud: Cloud) -> None:
    said = await said_until_closed(cloud, b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("quick", [{"idle_s": 0.5}])
async def test_a_body_beyond_the_bound_is_refused_however_it_comes(cloud: Cloud) -> None:
    many = b" " * 2_000_000
    chunk = f"{len(many):x}\r\n".encode() + many + b"\r\n"
    for sent in (
        head(cloud, f"Content-Length: {len(many)}") + many,
        head(cloud, "Transfer-Encoding: chunked") + chunk + b"0\r\n\r\n",
    ):
        said = await said_until_closed(cloud, sent)
        assert said.startswith(b"HTTP/1.1 413"), said[:100]


@pytest.mark.parametrize("quick", [{"idle_s": 0.5}])
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_a_bomb_is_refused(cloud: Cloud, encoding: str) -> None:
    plain = bytes(64_000_000)
    bomb = gzip.compress(plain, 9) if encoding == "gzip" else zstandard.compress(plain, 19)
    assert len(bomb) < 100_000
    more = (f"Content-Encoding: {encoding}", f"Content-Length: {len(bomb)}")
    said = await said_until_closed(cloud, head(cloud, *more) + bomb)
    assert said.startswith(b"HTTP/1.1 413"), said[:100]


async def test_an_endless_head_is_refused(cloud: Cloud) -> None:
    said = await said_until_closed(cloud, b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n")
    assert b" 400 " in said.split(b"\r\n")[0]


@pytest.mark.parametrize("quick", [{"handshake_s": 3.0, "head_s": 3.0}])
async def test_too_many_connections_are_dropped_and_room_comes_back(cloud: Cloud) -> None:
    cut = await asyncio.gather(*(said_until_closed(cloud) for _ in range(20)))
    assert cut == [b""] * 20
    answer = await cloud.caller.get("/health")
    assert answer.status == 200


def test_by_default_every_phase_ends_within_15_seconds() -> None:
    bounds = DoorBounds()
    assert max(bounds.handshake_s, bounds.head_s, bounds.body_s, bounds.idle_s) < 14
