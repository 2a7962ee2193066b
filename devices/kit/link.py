"""One MQTT 5 connection: paho driven by the running event loop, without a thread.

A link is used once.  Whatever it still had to send when it is lost is forgotten with it: repeating
is decided above, with the same idempotency key, never by a transport that can't know the outcome.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from devices.kit.errors import LinkLost, TooMuch

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

_log = logging.getLogger(__name__)

KEEPALIVE_S = 10
_CONNECT_S = 10.0
_TICK_S = 1.0
_READS_PER_TURN = 32
_INFLIGHT = 20
_QUEUED = 500
NOBODY_LISTENS = 0x10
"""PUBACK reason "no matching subscribers": the hub is not there."""
_NOT_LET_IN = frozenset({0x86, 0x87})
"""Reasons "bad user name or password" and "not authorized": a password's at CONNACK, an unknown
certificate's of the hub's own authority at SUBACK."""
_UNKNOWN_HERE = (
    "; the hub doesn't know it: pair it again (it was revoked, or paired after the copy was made"
    " from which this hub was restored)"
)


@dataclass(frozen=True, slots=True)
class Message:
    """What arrived."""

    topic: str
    payload: bytes
    retained: bool
    correlation: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """How a connection introduces itself; ``will`` is published retained when it breaks."""

    client_id: str
    username: str | None
    password: str | None
    will_topic: str
    will: bytes
    topics: Sequence[str]


class Connection(Protocol):
    """What a device's session needs of a connection to the broker; see :class:`Link`."""

    @property
    def closed(self) -> asyncio.Future[str]:
        """Resolves to the reason when the connection is over."""

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
        """Send; the broker's reason code."""

    async def bye(self) -> None:
        """Say goodbye and close."""

    def drop(self, why: str) -> None:
        """Cut the connection."""


class Link:
    """An open connection; ``closed`` resolves to the reason when it is over."""

    def __init__(
        self, sock: ssl.SSLSocket, greeting: Greeting, on_message: Callable[[Message], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._greeting = greeting
        self._on_message = on_message
        self._handle = sock.fileno()
        self._hooked = False
        self._acks: dict[int, asyncio.Future[int]] = {}
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[str] = self._loop.create_future()
        self._tick: asyncio.TimerHandle | None = None
        self._paho = self._make_paho()

    async def open(self) -> None:
        """CONNECT, then SUBSCRIBE; raises LinkLost with what the broker said, or TimeoutError."""
        self._loop.add_reader(self._handle, self._read)
        self._hooked = True
        self._tick = self._loop.call_later(_TICK_S, self._on_tick)
        ends: set[asyncio.Future[Any]] = {self._opened, self.closed}
        try:
            self._paho.connect("hub", 1, KEEPALIVE_S, clean_start=True)
            async with asyncio.timeout(_CONNECT_S):
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not self._opened.done():
                raise LinkLost(self.closed.result())
        except BaseException:
            self.drop("the connection was not taken up")
            raise

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
        """Send; the future is the broker's reason code (0: it has subscribers, 0x10: it has none),
        or LinkLost.  Raises LinkLost when the link is over, TooMuch at the bound of 500 unsent."""
        if self.closed.done():
            raise LinkLost(self.closed.result())
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if correlation is not None:
            properties.CorrelationData = correlation.encode()
        user = [(name, value) for name, value in (("idk", key), ("record", record)) if value]
        if user:
            properties.UserProperty = user
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        sent = self._paho.publish(topic, payload, qos=qos, retain=retain, properties=properties)
        if sent.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            raise TooMuch(f"{_QUEUED} messages wait for the broker already")
        ack: asyncio.Future[int] = self._loop.create_future()
        if qos == 0:
            ack.set_result(0)
        else:
            self._acks[sent.mid] = ack
        return ack

    async def bye(self) -> None:
        """Say goodbye (no last will) and close; at most a second."""
        if self.closed.done():
            return
        self._paho.disconnect()
        await asyncio.wait({self.closed}, timeout=1.0)
        self.drop("closed by this device")

    def drop(self, why: str) -> None:
        """Cut the connection; the broker publishes the last will."""
        if self._tick is not None:
            self._tick.cancel()
        self._unhook()
        self._sock.close()
        if not self.closed.done():
            self.closed.set_result(why)
        for ack in self._acks.values():
            if not ack.done():
                ack.set_exception(LinkLost(why))
                ack.exception()  # whoever doesn't wait for it need not hear of it
        self._acks.clear()

    # -- paho's side ---------------------------------------------------------------------------

    def _make_paho(self) -> Client:
        greeting = self._greeting
        paho = _PahoOnSocket(self._sock, greeting.client_id)
        paho.max_inflight_messages_set(_INFLIGHT)
        paho.max_queued_messages_set(_QUEUED)
        paho.will_set(greeting.will_topic, greeting.will, qos=1, retain=True)
        if greeting.username is not None:
            paho.username_pw_set(greeting.username, greeting.password)
        paho.on_connect = self._on_connect
        paho.on_subscribe = self._on_subscribe
        paho.on_publish = self._on_publish
        paho.on_message = self._on_paho_message
        paho.on_disconnect = self._on_disconnect
        paho.on_socket_close = self._on_socket_close
        paho.on_socket_register_write = self._on_register_write
        paho.on_socket_unregister_write = self._on_unregister_write
        return paho

    def _read(self) -> None:
        try:
            for _ in range(_READS_PER_TURN):
                self._paho.loop_read()
                if self.closed.done() or self._sock.pending() == 0:
                    return
        except Exception as error:  # whatever paho can't digest ends this link, not the program
            self._fail("read", error)
            return
        self._loop.call_soon(self._read_more)

    def _read_more(self) -> None:
        if not self.closed.done():
            self._read()

    def _write(self) -> None:
        try:
            self._paho.loop_write()
        except Exception as error:
            self._fail("write", error)

    def _on_tick(self) -> None:
        if self.closed.done():
            return
        try:
            self._paho.loop_misc()
        except Exception as error:
            self._fail("keep-alive", error)
            return
        self._tick = self._loop.call_later(_TICK_S, self._on_tick)

    def _fail(self, doing: str, error: Exception) -> None:
        _log.warning("the MQTT link fails at its %s: %r", doing, error)
        self.drop(f"{doing}: {error!r}")

    def _unhook(self) -> None:
        """Once: afterwards the socket's number may be another link's (paho comes here again when
        it is collected)."""
        if self._hooked and not self._loop.is_closed():
            self._loop.remove_reader(self._handle)
            self._loop.remove_writer(self._handle)
        self._hooked = False

    def _on_connect(
        self, paho: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _p: Any
    ) -> None:
        if reason.is_failure:
            self.drop(f"the broker refuses this device: {_told(reason)}")
            return
        options = SubscribeOptions(qos=1)
        paho.subscribe([(topic, options) for topic in self._greeting.topics])

    def _on_subscribe(
        self, _paho: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _p: Any
    ) -> None:
        for topic, reason in zip(self._greeting.topics, reasons, strict=False):
            if reason.is_failure:
                self.drop(f"the broker refuses the subscription to {topic}: {_told(reason)}")
                return
        if not self._opened.done():
            self._opened.set_result(None)

    def _on_publish(self, _paho: Client, _data: Any, mid: int, reason: ReasonCode, _p: Any) -> None:
        ack = self._acks.pop(mid, None)
        if ack is not None and not ack.done():
            ack.set_result(reason.value)

    def _on_paho_message(self, _paho: Client, _data: Any, message: MQTTMessage) -> None:
        raw = getattr(message.properties, "CorrelationData", None)
        correlation = raw.decode("ascii", "replace") if isinstance(raw, bytes) else None
        self._on_message(
            Message(message.topic, bytes(message.payload), message.retain, correlation)
        )

    def _on_disconnect(
        self, _paho: Client, _data: Any, _flags: DisconnectFlags, reason: ReasonCode, _p: Any
    ) -> None:
        self.drop(f"the connection ended: {reason}")

    def _on_socket_close(self, _paho: Client, _data: Any, _sock: SocketLike) -> None:
        self._unhook()

    def _on_register_write(self, _paho: Client, _data: Any, _sock: SocketLike) -> None:
        if self._hooked:
            self._loop.add_writer(self._handle, self._write)

    def _on_unregister_write(self, _paho: Client, _data: Any, _sock: SocketLike) -> None:
        if self._hooked and not self._loop.is_closed():
            self._loop.remove_writer(self._handle)


def _told(reason: ReasonCode) -> str:
    return f"{reason}{_UNKNOWN_HERE if reason.value in _NOT_LET_IN else ''}"


class _PahoOnSocket(Client):
    """paho on a socket that is connected already: its own way of connecting blocks the loop."""

    def __init__(self, sock: ssl.SSLSocket, client_id: str) -> None:
        self._ready_socket = sock
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )

    def _create_socket(self) -> SocketLike:
        return self._ready_socket
