"""A device kit's connection on the simulated network, in the place of MQTT over TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Any

from devices.kit.errors import LinkLost
from devices.kit.identity import Identity, IdentityStore
from devices.kit.link import Greeting, Message
from tests.simulation.kernel import Process
from tests.simulation.shop.broker import KEEPALIVE_S
from tests.simulation.shop.messages import Publish
from tests.simulation.shop.stream import (
    Ack,
    Body,
    Bye,
    Connection,
    Delivery,
    Hello,
    Packet,
    Ping,
    Segment,
    Stream,
    Welcome,
)
from tests.simulation.shop.wiretap import Wiretap

BROKER = "broker"
CONNECT_S = 10.0


class PairedStore(IdentityStore):
    """A device that was paired in another life: nothing here is secret."""

    def __init__(self, folder: Path, store: str, device: str) -> None:
        super().__init__(folder)
        self._identity = Identity(
            device_id=device,
            name=device,
            kind="till",
            store=store,
            auth="mtls",
            host="hub",
            https_port=8443,
            mqtt_host=BROKER,
            mqtt_port=8884,
            ca_fingerprint="",
        )

    def load(self) -> Identity:
        return self._identity

    def tls_context(self, *, with_certificate: bool) -> SSLContext:
        del with_certificate
        return SSLContext(PROTOCOL_TLS_CLIENT)


class SimLink:
    """See :class:`devices.kit.link.Connection`; what passes is told to the wiretap."""

    def __init__(
        self,
        process: Process,
        connection: Connection,
        greeting: Greeting,
        on_message: Callable[[Message], None],
        tap: Wiretap,
        keepalive_s: float = KEEPALIVE_S,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._process = process
        self._greeting = greeting
        self._on_message = on_message
        self._tap = tap
        self._keepalive_s = keepalive_s
        self._acks: dict[int, asyncio.Future[int]] = {}
        self._mid = 0
        self._opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[str] = loop.create_future()
        self.stream = Stream(process, BROKER, connection, self._take, self._break)

    async def open(self) -> None:
        """Raises LinkLost or TimeoutError."""
        name = self._process.name
        will = Publish(name, self._greeting.will_topic, self._greeting.will, retain=True)
        self.stream.send(Hello(will))
        try:
            async with asyncio.timeout(CONNECT_S):
                ends: list[asyncio.Future[Any]] = [self._opened, self.closed]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not self._opened.done():
                raise LinkLost(self.closed.result())
        except BaseException:
            self.drop("the connection was not taken up")
            raise
        self.stream.heard_s = self._process.world.loop.time()
        self._process.later(self._keepalive_s, self._tick)

    def heard(self, segment: Segment) -> None:
        """Take what the network brought."""
        if not self.closed.done() and segment.connection == self.stream.connection:
            self.stream.heard(segment)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        correlation: str | None = None,
        key: str | None = None,
        expiry_s: int | None = None,
        record: str | None = None,
    ) -> asyncio.Future[int]:
        """See :class:`devices.kit.link.Link`."""
        if self.closed.done():
            raise LinkLost(self.closed.result())
        name = self._process.name
        self._tap.sent(name, topic, payload, key, correlation)
        raw = correlation.encode() if correlation is not None else None
        self._mid += 1
        ack: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._acks[self._mid] = ack
        self.stream.send(
            Packet(self._mid, Publish(name, topic, payload, raw, key, expiry_s, retain, record))
        )
        return ack

    async def bye(self) -> None:
        """Leave without a last will."""
        if not self.closed.done():
            self.stream.send(Bye())
            self.drop("closed by this device")

    def drop(self, why: str) -> None:
        """End this connection; the broker hears of it when it can."""
        if self.closed.done():
            return
        self.stream.reset(why)
        self._break(why)

    def _break(self, why: str) -> None:
        if self.closed.done():
            return
        self.closed.set_result(why)
        for ack in self._acks.values():
            if not ack.done():
                ack.set_exception(LinkLost(why))
                ack.exception()
        self._acks.clear()

    def _take(self, body: Body) -> None:
        match body:
            case Welcome():
                if not self._opened.done():
                    self._opened.set_result(None)
            case Ack(mid, reason):
                ack = self._acks.pop(mid, None)
                if ack is not None and not ack.done():
                    ack.set_result(reason)
            case Delivery(publish):
                self._deliver(publish)
            case Ping():
                pass
            case _:
                self._process.world.violated(f"the broker sent {body!r}")

    def _deliver(self, publish: Publish) -> None:
        correlation = None
        if publish.correlation is not None:
            correlation = publish.correlation.decode("ascii", "replace")
        self._tap.heard(self._process.name, publish.topic, publish.payload, correlation)
        self._on_message(Message(publish.topic, publish.payload, publish.retain, correlation))

    def _tick(self) -> None:
        """Ping in a quiet time; an end that is silent for too long is gone."""
        if self.closed.done():
            return
        now_s, stream = self._process.world.loop.time(), self.stream
        if now_s - stream.heard_s > 1.5 * self._keepalive_s:
            self._process.world.count("broker silent for too long")
            self.drop("keep-alive")
            return
        stream.send(Ping())
        self._process.later(self._keepalive_s, self._tick)
