"""Who gets the metrics: this machine, or the network with TLS and the token."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hub.clock import SystemClock
from hub.config import Metrics
from hub.security.authority import Authority
from hub.web.metricsdoor import MetricsDoor

TOKEN = "a-token-nobody-guesses"
Open = Callable[..., Awaitable[MetricsDoor]]


async def text() -> bytes:
    return b"store_hub_training 0.0\n"


def no_tls() -> ssl.SSLContext:
    raise AssertionError("no TLS on the loopback")


def authority_in(folder: Path) -> Authority:
    now_ms = SystemClock().wall_ms()
    authority = Authority.open(folder, store_name="Shop", now_ms=now_ms, create=True)
    authority.ensure_server("hub", ["localhost"], ["127.0.0.1"], now_ms)
    return authority


def trust_in(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.bundle_pem().decode())


@pytest.fixture
async def open_door() -> AsyncIterator[Open]:
    doors: list[MetricsDoor] = []

    async def open_one(context: Callable[[], ssl.SSLContext] = no_tls, **fields: Any) -> Any:
        door = MetricsDoor(Metrics.model_validate({"port": 0, **fields}), text, context)
        doors.append(door)
        await door.keep()
        return door

    yield open_one
    for door in doors:
        await door.stop()


async def get(url: str, token: str | None = None, tls: ssl.SSLContext | bool = True) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as http,
        http.get(url, headers=headers) as answer,
    ):
        return answer.status, await answer.read(), answer.headers


async def test_this_machine_reads_them_without_a_token(open_door: Open) -> None:
    door = await open_door()
    status, body, headers = await get(f"http://127.0.0.1:{door.port}/metrics")
    assert (status, body) == (200, await text())
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    status, _, _ = await get(f"http://127.0.0.1:{door.port}/")
    assert status == 404


async def test_a_token_that_is_set_is_asked_for_on_this_machine_too(open_door: Open) -> None:
    door = await open_door(token=TOKEN)
    url = f"http://127.0.0.1:{door.port}/metrics"
    assert (await get(url))[0] == 401
    assert (await get(url, "another"))[0] == 401
    assert (await get(url, TOKEN))[0] == 200


async def test_the_network_reads_them_over_tls_with_the_token_only(
    open_door: Open, tmp_path: Path
) -> None:
    authority = await asyncio.to_thread(authority_in, tmp_path)

    def context() -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(authority.server_certificate_path, authority.server_key_path)
        return made

    trust = await asyncio.to_thread(trust_in, authority)
    door = await open_door(context, listen="lan", bind="127.0.0.1", token=TOKEN)
    url = f"https://127.0.0.1:{door.port}/metrics"
    assert (await get(url, tls=trust))[0] == 401
    assert (await get(url, TOKEN, trust))[0] == 200
    await door.reload_tls()
    assert (await get(url, TOKEN, trust))[0] == 200
    with pytest.raises(aiohttp.ClientError):
        await get(f"http://127.0.0.1:{door.port}/metrics", TOKEN)


async def test_a_taken_port_is_told_once_and_tried_again(
    open_door: Open, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", 0))
        thief.listen()
        port = thief.getsockname()[1]
        with caplog.at_level(logging.WARNING):
            door = await open_door(port=port)
            await door.keep()
        assert door.port is None
        assert [one.levelname for one in caplog.records] == ["WARNING"]
        assert "metrics.port" in caplog.text
    await door.keep()
    assert door.port == port
    assert (await get(f"http://127.0.0.1:{port}/metrics"))[0] == 200


async def test_nobody_listens_when_they_are_off(open_door: Open) -> None:
    door = await open_door(listen="off")
    assert door.port is None


def test_the_network_is_not_served_without_a_token() -> None:
    with pytest.raises(ValueError, match="token"):
        Metrics(listen="lan")
