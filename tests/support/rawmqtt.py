"""A stranger's device: paho as it comes, knowing nothing but the published contract."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.tidypaho import TidyClient, heard

WAIT_S = 40.0
CLOSED_SLOWLY_S = 60.0


@dataclass(frozen=True, slots=True)
class Login:
    """How a device gets in; ``port`` of the listener that fits."""

    device_id: str
    port: int
    tls: ssl.SSLContext | None
    password: str | None = None
    websocket: bool = False
    old: bool = False
    """MQTT 3.1.1."""


@dataclass
class Raw:
    """A connected client, or one that was refused: see ``outcome``."""

    login: Login
    root: str
    client: mqtt.Client
    outcome: asyncio.Future[str]
    inbox: asyncio.Queue[tuple[str, bytes, Any, bool]] = field(default_factory=asyncio.Queue)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)
    acks: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    @property
    def own(self) -> str:
        return f"{self.root}/dev/{self.login.device_id}"

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, **given: Any
    ) -> str:
        """Send; the broker's reason code in words (QoS 1)."""
        properties = None
        if not self.login.old:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            for name, value in given.items():
                setattr(properties, name, value)
        self.client.publish(topic, payload, qos, retain, properties)
        if qos == 0:
            return ""
        async with asyncio.timeout(WAIT_S):
            return await self.acks.get()

    async def ask(
        self, address: str, body: object, *, key: str | None = "", timeout_s: float = WAIT_S
    ) -> dict[str, Any]:
        """The reply to a request; ``body`` bytes go as they are, ``key`` None sends none."""
        await self.subscribed.wait()
        mark = uuid.uuid4().hex
        given: dict[str, Any] = {"CorrelationData": mark.encode()}
        if key is not None:
            given["UserProperty"] = [("idk", key or new_key())]
        await self.publish(f"{self.own}/req/{address}", encoded(body), **given)
        return await self.reply(mark, timeout_s)

    async def reply(self, mark: str, timeout_s: float = WAIT_S) -> dict[str, Any]:
        """The next reply whose correlation (property or body) is ``mark``."""
        async with asyncio.timeout(timeout_s):
            while True:
                topic, payload, properties, _ = await self.inbox.get()
                if topic != f"{self.own}/rep":
                    continue
                found: dict[str, Any] = json.loads(payload)
                data = getattr(properties, "CorrelationData", None)
                if mark in (data.decode() if data else None, found.get("correlation")):
                    return found

    async def silent(self, seconds: float = 0.5) -> list[tuple[str, bytes]]:
        """Everything on the own reply topic within this time."""
        await asyncio.sleep(seconds)
        found = []
        while not self.inbox.empty():
            topic, payload, _, _ = self.inbox.get_nowait()
            if topic.endswith("/rep"):
                found.append((topic, payload))
        return found

    async def say_ready(self, session: str, **meta: Any) -> None:
        """The retained state and meta of the contract."""
        text = json.dumps({"state": "ready", "session": session}).encode()
        await self.publish(f"{self.own}/state", text, retain=True)
        if meta:
            await self.publish(f"{self.own}/meta", json.dumps(meta).encode(), retain=True)

    async def cut(self) -> None:
        """Wait until the connection is gone."""
        async with asyncio.timeout(CLOSED_SLOWLY_S):
            await self.gone.wait()


def new_key() -> str:
    return uuid.uuid4().hex


def encoded(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


@contextlib.asynccontextmanager
async def raw_device(login: Login, store: str, *, subscribe: bool = True) -> AsyncIterator[Raw]:
    """Connect once (no reconnects); ``await raw.outcome`` is ``Success`` or why not."""
    client = TidyClient(
        CallbackAPIVersion.VERSION2,
        client_id=login.device_id,
        protocol=mqtt.MQTTv311 if login.old else mqtt.MQTTv5,
        transport="websockets" if login.websocket else "tcp",
        reconnect_on_failure=False,
    )
    if login.websocket:
        client.ws_set_options("/mqtt")
    if login.password is not None:
        client.username_pw_set(login.device_id, login.password)
    if login.tls is not None:
        client.tls_set_context(login.tls)
    it = Raw(login, f"sh/1/{store}", client, asyncio.get_running_loop().create_future())

    def first() -> None:
        if subscribe:
            client.subscribe([(f"{it.own}/rep", 1), (f"{it.root}/hub/#", 1)])

    call = heard(client, it.outcome, it.gone, it.acks, first=first)
    client.on_subscribe = lambda *_: call(it.subscribed.set)
    client.on_message = lambda _c, _u, m: call(
        it.inbox.put_nowait, (m.topic, bytes(m.payload), m.properties, m.retain)
    )
    client.connect_async("127.0.0.1", login.port, keepalive=30)
    client.loop_start()
    try:
        async with asyncio.timeout(WAIT_S):
            await asyncio.wait({it.outcome})
        yield it
    finally:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)
