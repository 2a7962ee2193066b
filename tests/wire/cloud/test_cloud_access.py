"""TLS, OAuth2 and signed bodies against a real OMS; answers that must not be believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cloud_link.errors import Permanent, Transient
from cloud_link.http import OmsClient, _plain
from cloud_link.transport import AiohttpTransport, HttpReply, HttpRequest, TlsFiles
from hub.clock import SystemClock, SystemIds, SystemRandomness
from hub.config.models import Cloud
from tests.flow.cloud.cloudshop import Oms, hub_side, oms_process

CLOCK = SystemClock()
IDS = SystemIds(CLOCK, SystemRandomness())


@pytest.fixture
async def tls_oms(tmp_path: Path) -> AsyncIterator[Oms]:
    async with oms_process(tmp_path / "oms", "--signed", plain=False) as oms:
        yield oms


def settings_of(oms: Oms, **changed: Any) -> Cloud:
    ready = oms.ready
    return Cloud.model_validate(
        {
            "url": ready["url"],
            "client_id": ready["client_id"],
            "client_secret": ready["client_secret"],
            "token_url": ready["url"] + "/oauth/token",
            "ca_file": ready["ca"],
            "signing": "standard-webhooks",
            "signing_secret": ready["signing_secret"],
        }
        | changed
    )


async def test_a_hub_signs_in_with_client_credentials_and_signs_its_bodies(
    tmp_path: Path, tls_oms: Oms
) -> None:
    async with hub_side(tmp_path / "hub", settings_of(tls_oms)) as hub:
        await hub.synced("taxes")
        await hub.drained()
        assert hub.link.status().state == "up"


async def test_a_cloud_whose_certificate_is_not_known_is_not_talked_to(
    tmp_path: Path, tls_oms: Oms
) -> None:
    async with hub_side(tmp_path / "hub", settings_of(tls_oms, ca_file=None)) as hub:
        await hub.until(lambda: hub.link.status().state == "down")
        assert "certificate" in hub.link.status().detail.lower()


async def test_wrong_secrets_are_told_apart_from_an_absent_cloud(
    tmp_path: Path, tls_oms: Oms
) -> None:
    wrong = settings_of(tls_oms, client_secret="nope")
    async with hub_side(tmp_path / "one", wrong) as hub:
        await hub.until(lambda: hub.link.status().state == "refused")
        assert "client_secret" in hub.link.status().detail
    unsigned = settings_of(tls_oms, signing="none", signing_secret=None)
    async with hub_side(tmp_path / "two", unsigned) as hub:
        await hub.until(lambda: hub.link.status().state == "refused")
        assert "signature" in hub.link.status().detail


async def test_the_token_is_not_carried_to_another_place() -> None:
    settings = Cloud.model_validate({"url": "http://127.0.0.1:9", "token": "secret"})
    transport = AiohttpTransport(TlsFiles(), 1.0)
    client = OmsClient(
        settings, "367", transport, clock=CLOCK, ids=IDS, on_server_time=lambda _: None
    )
    for url in ("https://evil.example/chunk", "//evil.example/chunk", "http://127.0.0.1:8/x"):
        with pytest.raises(Permanent, match="another place"):
            await client.get_text(url)
    await client.close()


DATED = b"Date: Sun, 22 Nov 2026 16:03:51 GMT"
AT_MS = 1_795_363_431_000


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (DATED, [AT_MS]),
        (DATED.replace(b"GMT", b"-0000"), [AT_MS]),
        (DATED + b"\r\nAge: 9", []),
        (b"Date: yesterday", []),
        (b"Date: Sun, 22 Nov 99999 16:03:51 GMT", []),
        (b"X-Date: none", []),
    ],
)
async def test_the_date_of_an_answer_is_told_if_it_can_be_believed(
    header: bytes, told: list[int]
) -> None:
    async def dated(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + header + b"\r\n\r\n{}")
        await writer.drain()

    heard: list[int] = []
    async with raw_server(dated) as port:
        settings = Cloud.model_validate({"url": f"http://127.0.0.1:{port}", "token": "secret"})
        client = OmsClient(
            settings,
            "367",
            AiohttpTransport(TlsFiles(), 20.0),
            clock=CLOCK,
            ids=IDS,
            on_server_time=lambda _: None,
            on_date=heard.append,
        )
        await client.get_text("/x")
        await client.close()
    assert heard == told


@asynccontextmanager
async def raw_server(
    answer: Callable[[asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await answer(writer)
        except ConnectionError:
            pass
        finally:
            writer.close()
            ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.wait_for(ended.wait(), 40)


async def send(port: int, **how: Any) -> HttpReply:
    transport = AiohttpTransport(TlsFiles(), 40.0)
    try:
        return await transport.send(HttpRequest("GET", f"http://127.0.0.1:{port}/", **how))
    finally:
        await transport.close()


async def test_an_endless_answer_is_cut_off() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
            await writer.drain()

    async with raw_server(endless) as port:
        with pytest.raises(Transient, match="more than 100000 bytes"):
            await send(port, max_bytes=100_000, timeout_s=60.0)


async def test_an_answer_that_never_ends_is_given_up() -> None:
    silent = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        await silent.wait()

    async with raw_server(hang) as port:
        with pytest.raises(Transient, match="no answer within"):
            await send(port, timeout_s=2.0)
        silent.set()


async def test_nobody_listening_and_broken_answers_are_no_answers() -> None:
    async def nonsense(writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")

    async with raw_server(nonsense) as port:
        with pytest.raises(Transient):
            await send(port)
    with pytest.raises(Transient):
        await send(port)


def test_a_bomb_does_not_unfold() -> None:
    import zstandard

    bomb = zstandard.compress(bytes(64 << 20), 3)
    with pytest.raises(Transient, match="more than"):
        _plain(HttpReply(200, {"content-encoding": "zstd"}, bomb))
    with pytest.raises(Transient, match="intact"):
        _plain(HttpReply(200, {"content-encoding": "zstd"}, b"nonsense"))
    with pytest.raises(Transient, match="asked for"):
        _plain(HttpReply(200, {"content-encoding": "br"}, b"x"))
