"""paho-mqtt on a transport of the running event loop: no thread, no blocking call.

:class:`Wire` is an asyncio protocol that looks like a socket to paho.  PUBLISH and its PUBACK,
which come once per request, are handled right here; every other frame is handed to paho, which
keeps the state of the connection.  Outgoing bytes of one turn of the loop leave in one write.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final, cast

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from hub.mqtt.frames import (
    PUBACK,
    PUBLISH,
    Inbound,
    InboundProperties,
    MalformedFrame,
    decode_puback,
    decode_publish,
    encode_puback,
    encode_publish,
    frame_at,
)

MessageCallback = Callable[[str, bytes, InboundProperties], None]

_FIRST_PACKET_ID: Final = 0x8000  # the ids below are paho's, for its subscriptions
_MAX_INBOUND_FRAME_BYTES: Final = 1_048_576  # four times what our own broker lets through

_log = logging.getLogger("hub.mqtt.session")


class LoopClient(mqtt.Client):
    """A paho client whose connection was made for it."""

    def __init__(self, client_id: str, wire: Wire) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        self._wire = wire
        wire.client = self

    def _create_socket(self) -> mqtt.SocketLike:
        # The one private name of paho used here; a test notices when it goes.
        return cast("mqtt.SocketLike", self._wire)

    def start(self, keepalive_s: int, receive_max_bytes: int) -> None:
        """Send CONNECT: a clean start, nothing kept by the broker when the connection ends."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0
        properties.MaximumPacketSize = receive_max_bytes
        self.connect("wire", 1, keepalive_s, clean_start=True, properties=properties)


class Wire(asyncio.Protocol):
    """One connection.  ``on_message`` runs in the loop for every PUBLISH; what it raises is logged
    and the message counts as delivered (the reply is the acknowledgement that matters)."""

    def __init__(self, on_message: MessageCallback) -> None:
        self.client: LoopClient | None = None
        self.closed = asyncio.Event()
        self.reason = "the broker closed the connection"
        self._on_message = on_message
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._partial = b""  # bytes of a frame that isn't complete yet
        self._for_paho = b""
        self._out: list[bytes] = []
        self._out_bytes = 0
        self.receive_maximum = 20
        """How many QoS 1 messages the broker takes without having acknowledged one."""
        self._last_packet_id = _FIRST_PACKET_ID
        self._unacked: set[int] = set()
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._waiting_bytes = 0

    @property
    def backlog_bytes(self) -> int:
        """Bytes written here that the kernel has not taken yet."""
        waiting = self._out_bytes + self._waiting_bytes
        if self._transport is None:
            return waiting
        return waiting + self._transport.get_write_buffer_size()

    @property
    def unacked_messages(self) -> int:
        """QoS 1 messages, sent or waiting, that the broker has not acknowledged."""
        return len(self._unacked) + len(self._waiting)

    def publish(
        self, topic: str, payload: bytes, properties: bytes, *, retain: bool, tracked: bool
    ) -> None:
        """Send one message, with QoS 1 if ``tracked``; the caller keeps to its bounds first."""
        if not tracked:
            self.send(encode_publish(topic, payload, retain=retain, properties=properties))
            return
        packet_id = self._new_packet_id()
        frame = encode_publish(
            topic, payload, retain=retain, packet_id=packet_id, properties=properties
        )
        if len(self._unacked) < self.receive_maximum:
            self._unacked.add(packet_id)
            self.send(frame)
        else:
            self._waiting.append((packet_id, frame))
            self._waiting_bytes += len(frame)

    # -- asyncio.Protocol ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        buffer = self._partial + data if self._partial else data
        position, have = 0, len(buffer)
        try:
            while position < have and not self.closed.is_set():
                frame = frame_at(buffer, position, _MAX_INBOUND_FRAME_BYTES)
                if frame is None:
                    break
                start, end = frame
                first = buffer[position]
                kind = first & 0xF0
                if kind == PUBLISH:
                    self._deliver(decode_publish(first, buffer[start:end]))
                elif kind == PUBACK:
                    self._acknowledged(*decode_puback(buffer[start:end]))
                else:
                    self._feed_paho(buffer[position:end])
                position = end
        except MalformedFrame as error:
            self.fail(f"the broker sent a malformed frame: {error}")
            return
        self._partial = buffer[position:] if position else buffer

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self.reason = f"the connection broke: {exc}"
        self._transport = None
        self._end()

    # -- what paho takes for a socket -----------------------------------------------------------

    def recv(self, count: int) -> bytes:
        chunk, self._for_paho = self._for_paho[:count], self._for_paho[count:]
        if not chunk:
            raise BlockingIOError
        return chunk

    def send(self, data: bytes | bytearray) -> int:
        if self.closed.is_set():
            raise ConnectionError(self.reason)
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(bytes(data))
        self._out_bytes += len(data)
        return len(data)

    def fileno(self) -> int:
        return -1

    def setblocking(self, flag: bool) -> None:
        """Nothing here blocks."""

    def close(self) -> None:
        self._flush()
        if self._transport is not None:
            self._transport.close()
        self._end()

    # -- our own ------------------------------------------------------------------------------

    def fail(self, reason: str) -> None:
        """Give this connection up at once; the first reason is the one that counts."""
        if not self.closed.is_set():
            self.reason = reason
        if self._transport is not None:
            self._transport.abort()
        self._end()

    def _end(self) -> None:
        self._out.clear()
        self._waiting.clear()
        self._out_bytes = self._waiting_bytes = 0
        self.closed.set()

    def _deliver(self, message: Inbound) -> None:
        try:
            self._on_message(message.topic, message.payload, message.properties)
        except Exception:
            _log.exception("a message on %s could not be handled", message.topic)
        if message.packet_id and not self.closed.is_set():
            self.send(encode_puback(message.packet_id))

    def _acknowledged(self, packet_id: int, reason: int) -> None:
        if reason >= 0x80:
            _log.warning("the broker refused a message of the hub: reason 0x%02x", reason)
        self._unacked.discard(packet_id)
        while self._waiting and len(self._unacked) < self.receive_maximum:
            waiting_id, frame = self._waiting.popleft()
            self._waiting_bytes -= len(frame)
            self._unacked.add(waiting_id)
            self.send(frame)

    def _new_packet_id(self) -> int:
        """An id that nobody uses: the bound on unacknowledged messages is far below 32,768."""
        packet_id = self._last_packet_id + 1
        if packet_id > 0xFFFF:
            packet_id = _FIRST_PACKET_ID
        while packet_id in self._unacked:
            packet_id = packet_id + 1 if packet_id < 0xFFFF else _FIRST_PACKET_ID
        self._last_packet_id = packet_id
        return packet_id

    def _feed_paho(self, frame: bytes) -> None:
        client = self.client
        if client is None:
            return
        self._for_paho += frame
        try:
            while self._for_paho and not self.closed.is_set():
                if client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    self.fail("the broker sent a frame that paho refuses")
                    return
            if client.want_write():  # queued while one of paho's callbacks ran
                client.loop_write()
        except Exception as error:
            _log.exception("a frame of the broker could not be handled")
            self.fail(f"a frame of the broker could not be handled: {error!r}")

    def _flush(self) -> None:
        if self._out and self._transport is not None:
            data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
            self._out.clear()
            self._out_bytes = 0
            self._transport.write(data)
