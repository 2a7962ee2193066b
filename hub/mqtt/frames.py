"""The frames of MQTT 5 that come once per request: PUBLISH both ways and its PUBACK.

paho-mqtt handles everything else (CONNECT, SUBSCRIBE, keep-alive, DISCONNECT).  Its work on one
PUBLISH builds several tables of all properties each time; these functions read and write only what
the contract uses.  Pure: bytes in, values out.  Sections are those of the OASIS MQTT 5.0
specification.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import Final, NamedTuple

PUBLISH: Final = 0x30
PUBACK: Final = 0x40
MAX_FRAME_BYTES: Final = 268_435_455  # 1.5.5, four bytes of seven bits

_EXPIRY, _CONTENT_TYPE, _RESPONSE_TOPIC, _CORRELATION = 0x02, 0x03, 0x08, 0x09
_FORMAT, _SUBSCRIPTION, _ALIAS, _USER = 0x01, 0x0B, 0x23, 0x26

_U16 = Struct("!H")
_U32 = Struct("!I")


class MalformedFrame(Exception):
    """The peer sent bytes that are not MQTT 5; the connection has to be closed."""


class InboundProperties(NamedTuple):
    """What came with a message.

    ``correlation`` is the requester's opaque bytes, ``idk`` the user property of that name (the
    idempotency key), ``record`` that of its name, ``expiry_s`` what was left of the message's life
    when the broker sent it.
    ``retain`` tells a stored message from a live one.  The Response Topic is not here on purpose:
    it is never followed.
    """

    correlation: bytes | None = None
    idk: str | None = None
    expiry_s: int | None = None
    qos: int = 0
    retain: bool = False
    dup: bool = False
    record: str | None = None


class Inbound(NamedTuple):
    """One PUBLISH; ``packet_id`` is 0 with QoS 0."""

    topic: str
    payload: bytes
    properties: InboundProperties
    packet_id: int


def frame_at(buffer: bytes | bytearray, start: int, max_bytes: int) -> tuple[int, int] | None:
    """The body (start, end) of the frame whose first byte is ``buffer[start]``; None if it isn't
    all there yet.  Raises :class:`MalformedFrame` when it would be over ``max_bytes``."""
    have = len(buffer)
    length = shift = 0
    position = start + 1
    while True:
        if position >= have:
            return None
        byte = buffer[position]
        position += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 21:
            raise MalformedFrame("remaining length of more than four bytes")
    if length > max_bytes:
        raise MalformedFrame(f"a frame of {length} bytes, allowed are {max_bytes}")
    end = position + length
    return (position, end) if end <= have else None


def decode_publish(first: int, body: bytes) -> Inbound:
    """A PUBLISH with QoS 0 or 1 from its first byte and everything after the length (3.3)."""
    try:
        qos = (first >> 1) & 3
        topic_end = 2 + _U16.unpack_from(body, 0)[0]
        topic = body[2:topic_end].decode()
        packet_id = 0
        if qos:
            packet_id = _U16.unpack_from(body, topic_end)[0]
            topic_end += 2
        size = body[topic_end]
        position = topic_end + 1
        if size >= 0x80:
            size, position = _varint(body, topic_end)
        correlation, idk, expiry_s, record = None, None, None, None
        end = position + size
        if end > len(body):
            raise MalformedFrame("properties longer than their frame")
        if size:
            correlation, idk, expiry_s, record = _read_properties(body, position, end)
    except (IndexError, ValueError, StructError) as error:
        raise MalformedFrame(f"unreadable PUBLISH: {error}") from error
    properties = InboundProperties(
        correlation, idk, expiry_s, qos, bool(first & 1), bool(first & 8), record
    )
    return Inbound(topic, body[end:], properties, packet_id)


def _read_properties(
    body: bytes, position: int, end: int
) -> tuple[bytes | None, str | None, int | None, str | None]:
    correlation: bytes | None = None
    idk: str | None = None
    record: str | None = None
    expiry_s: int | None = None
    while position < end:
        kind = body[position]
        position += 1
        if kind == _USER:
            name_end = position + 2 + _U16.unpack_from(body, position)[0]
            value_end = name_end + 2 + _U16.unpack_from(body, name_end)[0]
            name = body[position + 2 : name_end]
            if idk is None and name == b"idk":
                idk = body[name_end + 2 : value_end].decode()
            elif record is None and name == b"record":
                record = body[name_end + 2 : value_end].decode()
            position = value_end
        elif kind in (_CORRELATION, _CONTENT_TYPE, _RESPONSE_TOPIC):
            value_end = position + 2 + _U16.unpack_from(body, position)[0]
            if kind == _CORRELATION:
                correlation = body[position + 2 : value_end]
            position = value_end
        elif kind == _EXPIRY:
            expiry_s = _U32.unpack_from(body, position)[0]
            position += 4
        elif kind == _FORMAT:
            position += 1
        elif kind == _SUBSCRIPTION:
            _, position = _varint(body, position)
        elif kind == _ALIAS:
            raise MalformedFrame("a topic alias, though none was offered")
        else:
            raise MalformedFrame(f"property 0x{kind:02x} in a PUBLISH")
    if position != end:
        raise MalformedFrame("properties that don't add up to their length")
    return correlation, idk, expiry_s, record


def encode_publish(
    topic: str,
    payload: bytes,
    *,
    retain: bool = False,
    packet_id: int = 0,
    properties: bytes = b"\0",
) -> bytes:
    """A PUBLISH, with QoS 1 if it has a packet id (3.3); ``properties`` from
    :func:`pack_properties`."""
    name = topic.encode()
    if packet_id:
        first, packed_id = PUBLISH | 2 | retain, _U16.pack(packet_id)
    else:
        first, packed_id = PUBLISH | retain, b""
    length = 2 + len(name) + len(packed_id) + len(properties) + len(payload)
    return b"".join(
        (
            bytes((first,)),
            _encode_varint(length),
            _U16.pack(len(name)),
            name,
            packed_id,
            properties,
            payload,
        )
    )


def pack_properties(
    correlation: bytes | None = None,
    expiry_s: int | None = None,
    user: Iterable[tuple[str, str]] = (),
) -> bytes:
    """The properties of a PUBLISH with their length in front (3.3.2.3).

    Raises ``ValueError`` when one is longer than its two-byte length allows.
    """
    parts: list[bytes] = []
    if expiry_s is not None:
        parts.append(b"\x02" + _U32.pack(expiry_s))
    if correlation is not None:
        parts.append(b"\x09" + _counted(correlation))
    parts.extend(b"\x26" + _counted(k.encode()) + _counted(v.encode()) for k, v in user)
    if not parts:
        return b"\0"
    packed = b"".join(parts)
    return _encode_varint(len(packed)) + packed


def encode_puback(packet_id: int) -> bytes:
    """A PUBACK that says success (3.4)."""
    return b"\x40\x02" + _U16.pack(packet_id)


def decode_puback(body: bytes) -> tuple[int, int]:
    """Packet id and reason code; codes from 0x80 on are failures (3.4.2.1)."""
    if len(body) < 2:
        raise MalformedFrame("a PUBACK without packet id")
    return _U16.unpack_from(body, 0)[0], body[2] if len(body) > 2 else 0


def _counted(data: bytes) -> bytes:
    if len(data) > 0xFFFF:
        raise ValueError(f"an MQTT property of {len(data)} bytes, allowed are 65535")
    return _U16.pack(len(data)) + data


def _encode_varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    if value > MAX_FRAME_BYTES:
        raise ValueError(f"an MQTT frame of {value} bytes, allowed are {MAX_FRAME_BYTES}")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _varint(body: bytes, position: int) -> tuple[int, int]:
    """A variable byte integer and the position after it (1.5.5)."""
    value = shift = 0
    while True:
        byte = body[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 21:
            raise MalformedFrame("an integer of more than four bytes")
