"""A device that is not ours: paho alone, and what it hears."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.tidypaho import TidyClient, heard

WAIT_S = 40.0
"""For what comes at once on a machine that has time."""


@dataclass
class Received:
    topic: str
    payload: bytes
    retain: bool
    properties: Any = field(default=None, compare=False)


@dataclass
class Peer:
    """A paho client with its own thread: what a stranger's device would use."""

    client: mqtt.Client
    messages: asyncio.Queue[Received]
    connected: asyncio.Future[str]
    gone: asyncio.Event
    suback: asyncio.Queue[list[str]]
    puback: asyncio.Queue[str]

    async def subscribe(self, pattern: str, qos: int = 1) -> str:
        self.client.subscribe(pattern, qos)
        async with asyncio.timeout(WAIT_S):
            return (await self.suback.get())[0]

    async def publish(
        self, topic: str, payload: bytes = b"x", *, qos: int = 1, retain: bool = False, **given: Any
    ) -> str:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        for name, value in given.items():
            setattr(properties, name, value)
        self.client.publish(topic, payload, qos, retain, properties)
        if qos == 0:
            return ""
        async with asyncio.timeout(WAIT_S):
            return await self.puback.get()

    async def next(self) -> Received:
        async with asyncio.timeout(WAIT_S):
            return await self.messages.get()

    async def leave(self) -> None:
        self.client.disconnect()
        await asyncio.to_thread(self.client.loop_stop)


def _listening(client: TidyClient) -> Peer:
    """What the client's thread hears is handed to this loop."""
    it = Peer(
        client,
        asyncio.Queue(),
        asyncio.get_running_loop().create_future(),
        asyncio.Event(),
        asyncio.Queue(),
        asyncio.Queue(),
    )
    call = heard(client, it.connected, it.gone, it.puback)
    client.on_subscribe = lambda _c, _u, _m, codes, _p: call(
        it.suback.put_nowait, [str(code) for code in codes]
    )
    client.on_message = lambda _c, _u, m: call(
        it.messages.put_nowait, Received(m.topic, bytes(m.payload), m.retain, m.properties)
    )
    return it


@contextlib.asynccontextmanager
async def peer(
    host: str,
    port: int,
    *,
    username: str | None = None,
    password: str | None = None,
    client_id: str = "",
    tls: ssl.SSLContext | None = None,
    transport: Any = "tcp",
    will: tuple[str, bytes] | None = None,
    path: str = "/mqtt",
) -> AsyncIterator[Peer]:
    """Connected, or refused: ``await peer.connected`` says ``Success`` or why not."""
    client = TidyClient(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=mqtt.MQTTv5,
        transport=transport,
        reconnect_on_failure=False,
    )
    if username is not None:
        client.username_pw_set(username, password)
    if tls is not None:
        client.tls_set_context(tls)
    if transport == "websockets":
        client.ws_set_options(path)
    if will is not None:
        client.will_set(will[0], will[1], 1, retain=False)
    it = _listening(client)
    client.connect_async(host, port, keepalive=30)
    client.loop_start()
    try:
        async with asyncio.timeout(WAIT_S):
            await asyncio.wait({it.connected})
        yield it
    finally:
        await it.leave()
