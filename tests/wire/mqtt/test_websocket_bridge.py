"""Browser kiosks: MQTT over the hub's WebSocket, on a real broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError, web
from aiohttp.test_utils import TestServer

from hub.mqtt.bridge import BridgeLimits, WebSocketBridge
from hub.mqtt.session import SessionBusy
from tests.wire.mqtt.broker_peer import WAIT_S, peer
from tests.wire.mqtt.broker_shop import TOPICS, Shop

CONNECT = b"\x10\x22\x00\x04MQTT\x05\xc2\x00\x3c\x00\x00\x06kiosk!\x00\x06till-1\x00\x04pw-1"
CONNECT = CONNECT[:1] + bytes([len(CONNECT) - 2]) + CONNECT[2:]
PINGREQ, PINGRESP = b"\xc0\x00", b"\xd0\x00"


@contextlib.asynccontextmanager
async def served(shop: Shop, **limits: Any) -> AsyncIterator[tuple[WebSocketBridge, TestServer]]:
    bridge = WebSocketBridge(shop.plan.ws_socket, BridgeLimits(**limits))
    app = web.Application()
    app.router.add_get("/mqtt", bridge.handle)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    try:
        yield bridge, server
    finally:
        await bridge.close()
        await server.close()


@contextlib.asynccontextmanager
async def socket_to(server: TestServer, **more: Any) -> AsyncIterator[Any]:
    given: dict[str, Any] = {"protocols": ("mqtt",), "max_msg_size": 0, **more}
    async with ClientSession() as http, http.ws_connect(server.make_url("/mqtt"), **given) as ws:
        yield ws


async def closed_with(ws: Any) -> int:
    async with asyncio.timeout(WAIT_S):
        while (message := await ws.receive()).type is WSMsgType.BINARY:
            pass
        assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING), message
        return int(ws.close_code)


async def freed(bridge: WebSocketBridge) -> None:
    async with asyncio.timeout(WAIT_S):
        while bridge.connections:
            await asyncio.sleep(0.01)


async def test_a_kiosk_works_over_a_websocket_as_over_tls(shop: Shop) -> None:
    async with served(shop) as (bridge, server):
        async with peer(
            "127.0.0.1", server.port or 0, username="till-1", password="pw-1",
            transport="websockets", client_id="whatever",
        ) as kiosk:  # fmt: skip
            assert await kiosk.connected == "Success"
            assert bridge.connections == 1
            await kiosk.subscribe(TOPICS.reply("till-1"))
            assert await kiosk.publish(TOPICS.fact("till-2", "scan")) == "Not authorized"
            assert await kiosk.publish(TOPICS.fact("till-1", "scan"), b"y" * 200_000) == "Success"
            assert (await shop.next())[1] == b"y" * 200_000
            shop.session.publish(TOPICS.reply("till-1"), b"z" * 200_000, qos=1)
            assert (await kiosk.next()).payload == b"z" * 200_000
        await freed(bridge)


@pytest.mark.parametrize("password", [None, "", "guess"])
async def test_a_certificate_device_cannot_come_in_over_a_websocket(
    shop: Shop, password: str | None
) -> None:
    async with (
        served(shop) as (_, server),
        peer(
            "127.0.0.1", server.port or 0, username="tablet-1", password=password,
            transport="websockets",
        ) as thief,
    ):  # fmt: skip
        assert await thief.connected != "Success"


async def test_packets_may_be_cut_and_joined_anywhere(shop: Shop) -> None:
    async with served(shop) as (_, server), socket_to(server) as ws:
        for byte in CONNECT:
            await ws.send_bytes(bytes([byte]))
        assert (await ws.receive_bytes())[0] == 0x20
        await ws.send_bytes(PINGREQ * 3)
        pongs = b""
        while len(pongs) < 6:
            pongs += await ws.receive_bytes()
        assert pongs == PINGRESP * 3


async def test_a_client_without_the_subprotocol_is_refused(shop: Shop) -> None:
    async with served(shop) as (bridge, server):
        for protocols in ((), ("chat",)):
            with pytest.raises(WSServerHandshakeError) as refused:
                async with socket_to(server, protocols=protocols):
                    pass
            assert refused.value.status == 400
        assert bridge.connections == 0


@pytest.mark.parametrize("said", [b"", CONNECT[:9]])
async def test_a_client_that_does_not_log_in_is_closed(shop: Shop, said: bytes) -> None:
    async with served(shop, login_timeout_s=1.0) as (bridge, server), socket_to(server) as ws:
        if said:
            await ws.send_bytes(said)
        assert await closed_with(ws) == 1008
        await freed(bridge)


async def test_a_client_that_logged_in_may_be_silent_longer(shop: Shop) -> None:
    async with served(shop, login_timeout_s=2.0) as (_, server), socket_to(server) as ws:
        await ws.send_bytes(CONNECT)
        await ws.receive_bytes()
        with pytest.raises(TimeoutError):
            await ws.receive(timeout=2.5)


async def test_a_client_that_is_silent_for_very_long_is_closed(shop: Shop) -> None:
    async with (
        served(shop, login_timeout_s=2.0, idle_timeout_s=0.3) as (_, server),
        socket_to(server) as ws,
    ):
        await ws.send_bytes(CONNECT)
        assert await closed_with(ws) == 1008


async def test_text_frames_are_refused(shop: Shop) -> None:
    async with served(shop) as (_, server), socket_to(server) as ws:
        await ws.send_str("hello")
        assert await closed_with(ws) == 1003


async def test_a_message_over_the_bound_is_refused(shop: Shop) -> None:
    async with served(shop) as (_, server), socket_to(server) as ws:
        with contextlib.suppress(ConnectionError):
            await ws.send_bytes(b"\x10" + b"\xff" * 10_000_000)
        assert await closed_with(ws) in (1009, 1006)
    assert shop.session.is_up


async def test_connections_over_the_bound_are_refused_and_freed_again(shop: Shop) -> None:
    async with served(shop, connections=2) as (bridge, server):
        async with socket_to(server), socket_to(server):
            with pytest.raises(WSServerHandshakeError) as refused:
                async with socket_to(server):
                    pass
            assert refused.value.status == 503
        await freed(bridge)
        async with socket_to(server):
            assert bridge.connections == 1


async def test_without_a_broker_a_client_is_told_to_come_back(shop_on_paper: Shop) -> None:
    async with served(shop_on_paper) as (bridge, server):
        with pytest.raises(WSServerHandshakeError) as refused:
            async with socket_to(server):
                pass
        assert refused.value.status == 503
        assert bridge.connections == 0


async def test_when_the_broker_goes_the_client_is_closed(shop: Shop) -> None:
    async with served(shop) as (_, server), socket_to(server) as ws:
        await ws.send_bytes(CONNECT)
        await ws.receive_bytes()
        await shop.supervisor.stop()
        assert await closed_with(ws) == 1001


async def test_the_end_of_the_hub_closes_every_client(shop: Shop) -> None:
    async with served(shop) as (bridge, server), socket_to(server) as ws:
        await ws.send_bytes(CONNECT)
        await ws.receive_bytes()
        await asyncio.gather(bridge.close(), closed_with(ws))
        assert ws.close_code == 1001


async def test_a_client_that_does_not_read_is_closed(shop: Shop) -> None:
    async with (
        served(shop, write_timeout_s=0.3) as (bridge, server),
        socket_to(server) as ws,
    ):
        await ws.send_bytes(CONNECT)
        await ws.receive_bytes()
        topic = TOPICS.reply("till-1").encode()
        body = b"\x00\x01\x00" + len(topic).to_bytes(2, "big") + topic + b"\x00"
        await ws.send_bytes(b"\x82" + bytes([len(body)]) + body)
        await ws.receive_bytes()
        assert bridge.connections == 1
        transport = ws._response.connection.transport
        transport.pause_reading()
        async with asyncio.timeout(WAIT_S):
            while bridge.connections:
                with contextlib.suppress(SessionBusy):
                    shop.session.publish(TOPICS.reply("till-1"), b"x" * 200_000)
                await asyncio.sleep(0.005)
        transport.abort()
    assert shop.session.is_up
