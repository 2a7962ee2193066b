"""The hub's own MQTT 5 session: one connection to the broker, for as long as the hub runs.

It reconnects for ever with jittered backoff, subscribes again each time, and keeps nothing over a
break: what was not sent then is gone, and devices repeat what was not answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from hub import events
from hub.clock import Randomness
from hub.domain.schedule import restart_s
from hub.mqtt.endpoint import (
    LastWill,
    SessionConfig,
    Subscription,
    TcpEndpoint,
    UnixEndpoint,
    parse_endpoint,
)
from hub.mqtt.frames import InboundProperties, pack_properties
from hub.mqtt.wire import LoopClient, MessageCallback, Wire

__all__ = [
    "HubSession",
    "InboundProperties",
    "LastWill",
    "MessageTooLarge",
    "PublishRefused",
    "SessionBusy",
    "SessionConfig",
    "SessionDown",
    "Subscription",
    "TcpEndpoint",
    "UnixEndpoint",
    "parse_endpoint",
]

_CONNECT_TIMEOUT_S: Final = 10.0
_BACKOFF_FIRST_S: Final = 0.1
_BACKOFF_MAX_S: Final = 15.0
_INFLIGHT_MESSAGES: Final = 1_000
_FRAME_OVERHEAD_BYTES: Final = 16  # fixed header, packet id and length fields, rounded up
_ENDED_WITH_WILL = ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message")

_log = logging.getLogger("hub.mqtt.session")


class PublishRefused(Exception):
    """A message was not taken for sending; nothing was sent.  See the subclasses."""


class SessionDown(PublishRefused):
    """There is no connection to the broker now; it is being made again."""


class SessionBusy(PublishRefused):
    """The outgoing queue is at its bound: the broker reads slower than the hub writes."""


class MessageTooLarge(PublishRefused):
    """The broker would close the hub's connection over a message of this size."""


class HubSession:
    """Publish, receive, stay connected.

    All callbacks run in the event loop and must not block.  ``on_message(topic, payload,
    properties)`` gets every message except those of :meth:`route`; stored ones may come before
    ``on_up()``, which comes when all subscriptions stand; ``on_down(reason)`` comes after each
    connection that had been up.
    """

    def __init__(
        self,
        config: SessionConfig,
        randomness: Randomness,
        on_message: MessageCallback,
        on_up: Callable[[], None] = lambda: None,
        on_down: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._config = config
        self._randomness = randomness
        self._on_message = on_message
        self._on_up = on_up
        self._on_down = on_down
        self._routes: dict[str, Callable[[bytes], None]] = {}
        self._wire: Wire | None = None
        self._client: LoopClient | None = None
        self._up = asyncio.Event()
        self._down_reason = "not connected yet"
        self._packet_bytes = config.packet_bytes
        self._task: asyncio.Task[None] | None = None
        self.connects = 0
        """How often a connection came up."""

    @property
    def is_up(self) -> bool:
        return self._up.is_set() and self._wire is not None and not self._wire.closed.is_set()

    @property
    def down_reason(self) -> str:
        """Why the session is not up; the last reason, if it is."""
        return self._down_reason

    async def wait_up(self) -> None:
        await self._up.wait()

    def route(self, topic: str, callback: Callable[[bytes], None]) -> None:
        """Give the messages of one exact ``$`` topic to ``callback`` instead of ``on_message``.

        Its subscription belongs into the configuration.
        """
        if not topic.startswith("$"):
            raise ValueError(f"only $ topics are routed here, not {topic!r}")
        self._routes[topic] = callback

    def start(self) -> None:
        """Begin to connect; returns at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="hub-mqtt-session")

    async def stop(self) -> None:
        """Leave the broker; it then publishes the last will, so that everybody knows."""
        task, self._task = self._task, None
        if task is None:
            return
        if self._client is not None and self._up.is_set():
            self._client.disconnect(_ENDED_WITH_WILL)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        correlation: bytes | None = None,
        user_properties: Iterable[tuple[str, str]] = (),
        expiry_s: int | None = None,
    ) -> None:
        """Hand one message to the connection; never blocks.

        QoS 1 means that the broker keeps it for a device that sleeps; either way a broken
        connection loses what the broker hasn't got.  Raises :class:`SessionDown`,
        :class:`SessionBusy` or :class:`MessageTooLarge`, and ``ValueError`` for QoS 2 or a
        property over 65,535 bytes; then nothing was sent.
        """
        if qos not in (0, 1):
            raise ValueError(f"QoS {qos}: the hub publishes with 0 or 1")
        wire = self._wire
        if wire is None or wire.closed.is_set() or not self._up.is_set():
            raise SessionDown(wire.reason if wire is not None else self._down_reason)
        properties = pack_properties(correlation, expiry_s, user_properties)
        size = len(payload) + len(topic) * 4 + len(properties) + _FRAME_OVERHEAD_BYTES
        if size > self._packet_bytes:
            raise MessageTooLarge(
                f"a message of {len(payload)} bytes on {topic}: "
                f"the broker takes packets up to {self._packet_bytes} bytes"
            )
        if wire.backlog_bytes + size > self._config.out_bytes:
            raise SessionBusy(f"{wire.backlog_bytes} bytes wait for the broker")
        if qos and wire.unacked_messages >= self._config.out_messages:
            raise SessionBusy(f"{wire.unacked_messages} messages wait for the broker's ack")
        wire.publish(topic, payload, properties, retain=retain, tracked=qos > 0)

    # -- the connection ---------------------------------------------------------------------

    async def _run(self) -> None:
        attempt = 0
        while True:
            was_up = False
            try:
                was_up = await self._live_once()
            except (OSError, TimeoutError) as error:
                self._down_reason = f"{self._config.endpoint}: {str(error) or 'no answer in time'}"
            except Exception as error:  # a defect here must not leave the shop without a session
                self._down_reason = f"{self._config.endpoint}: {error!r}"
                _log.exception("the session with the broker failed unexpectedly")
            attempt = 0 if was_up else attempt + 1
            _log.log(
                logging.WARNING if was_up or attempt == 1 else logging.DEBUG,
                "no session with the broker: %s",
                self._down_reason,
                extra=events.BROKER_SESSION_DOWN(),
            )
            uniform = self._randomness.uniform
            await asyncio.sleep(restart_s(attempt, _BACKOFF_FIRST_S, _BACKOFF_MAX_S, uniform))

    async def _live_once(self) -> bool:
        """Connect, stay until the connection ends, and tell whether it had been up."""
        opened = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            wire = await self._open()
        client = self._new_client(wire, opened)
        self._client, self._wire = client, wire
        try:
            client.start(self._config.keepalive_s, self._config.packet_bytes)
            closing = asyncio.ensure_future(wire.closed.wait())
            try:
                async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                    await asyncio.wait({opened, closing}, return_when=asyncio.FIRST_COMPLETED)
                if not opened.done():
                    self._down_reason = wire.reason
                    return False
                if opened.result() is not None:
                    self._down_reason = opened.result()
                    return False
                await self._keep_alive(client, closing)
            finally:
                closing.cancel()
            self._down_reason = wire.reason
            return True
        finally:
            self._fall(wire)

    async def _open(self) -> Wire:
        loop = asyncio.get_running_loop()
        match self._config.endpoint:
            case UnixEndpoint(path):
                _, wire = await loop.create_unix_connection(lambda: Wire(self._receive), str(path))
            case TcpEndpoint(host, port, tls):
                # asyncio sets TCP_NODELAY on every TCP connection.
                _, wire = await loop.create_connection(
                    lambda: Wire(self._receive), host, port, ssl=tls
                )
        return wire

    def _new_client(self, wire: Wire, opened: asyncio.Future[str | None]) -> LoopClient:
        config = self._config
        client = LoopClient(config.client_id, wire)
        client.username_pw_set(config.username, config.password)
        if config.will is not None:
            client.will_set(config.will.topic, config.will.payload, qos=1, retain=True)

        def settle(problem: str | None) -> None:
            if not opened.done():
                if problem is None:
                    self._rise()
                opened.set_result(problem)

        def on_connect(_c: Any, _u: Any, _f: Any, code: ReasonCode, given: Any) -> None:
            if code.is_failure:
                settle(f"the broker refused the hub: {code}")
                return
            self._take_limits(wire, given)
            options = [
                (s.pattern, SubscribeOptions(s.qos, retainHandling=0 if s.stored else 2))
                for s in config.subscriptions
            ]
            if options:
                client.subscribe(options)
            else:
                settle(None)

        def on_subscribe(_c: Any, _u: Any, _m: Any, codes: list[ReasonCode], _p: Any) -> None:
            refused = [
                f"{s.pattern} ({code})"
                for s, code in zip(config.subscriptions, codes, strict=True)
                if code.is_failure
            ]
            settle(f"the broker refused subscriptions: {', '.join(refused)}" if refused else None)

        def on_disconnect(_c: Any, _u: Any, flags: Any, code: ReasonCode, _p: Any) -> None:
            if flags.is_disconnect_packet_from_server:
                wire.reason = f"the broker ended the session: {code}"
            elif code == "Keep alive timeout":
                wire.reason = "the broker does not answer any more"

        client.on_connect = on_connect
        client.on_subscribe = on_subscribe
        client.on_disconnect = on_disconnect
        return client

    def _take_limits(self, wire: Wire, given: Any) -> None:
        """Keep to what the broker announced in its CONNACK (MQTT 5, 3.2.2.3)."""
        announced = getattr(given, "MaximumPacketSize", self._config.packet_bytes)
        self._packet_bytes = min(self._config.packet_bytes, announced)
        wire.receive_maximum = min(_INFLIGHT_MESSAGES, getattr(given, "ReceiveMaximum", 65_535))

    async def _keep_alive(self, client: LoopClient, closing: asyncio.Future[Any]) -> None:
        interval_s = self._config.keepalive_s / 4
        while not closing.done():
            await asyncio.wait({closing}, timeout=interval_s)
            client.loop_misc()

    def _receive(self, topic: str, payload: bytes, properties: InboundProperties) -> None:
        if topic[:1] == "$":
            callback = self._routes.get(topic)
            if callback is not None:
                callback(payload)
                return
        self._on_message(topic, payload, properties)

    def _rise(self) -> None:
        self.connects += 1
        self._up.set()
        _log.info(
            "session with the broker at %s is up",
            self._config.endpoint,
            extra=events.BROKER_SESSION_UP(),
        )
        _guarded(self._on_up)

    def _fall(self, wire: Wire) -> None:
        was_up = self._up.is_set()
        self._up.clear()
        self._wire = self._client = None
        wire.close()
        if was_up:
            _guarded(self._on_down, self._down_reason)


def _guarded(callback: Callable[..., None], *arguments: Any) -> None:
    try:
        callback(*arguments)
    except Exception:
        _log.exception("a callback of the broker session failed")
