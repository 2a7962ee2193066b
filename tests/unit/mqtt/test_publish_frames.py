"""PUBLISH and PUBACK bytes, checked against paho's own coding."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from hub.mqtt.frames import (
    MalformedFrame,
    decode_puback,
    decode_publish,
    encode_puback,
    encode_publish,
    frame_at,
    pack_properties,
)

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"))


def paho_properties(**values: Any) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


@given(
    st.binary(max_size=300),
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(TEXT, TEXT), max_size=3),
)
def test_properties_are_packed_as_paho_packs_them(
    correlation: bytes, expiry_s: int, user: list[tuple[str, str]]
) -> None:
    theirs = paho_properties(CorrelationData=correlation, MessageExpiryInterval=expiry_s)
    for pair in user:
        theirs.UserProperty = pair
    assert pack_properties(correlation, expiry_s, user) == theirs.pack()  # type: ignore[no-untyped-call]


@given(
    st.binary(max_size=20_000),
    st.booleans(),
    st.integers(0, 65_535),
    st.binary(max_size=50),
    st.integers(0, 2**32 - 1),
    TEXT.filter(lambda key: len(key.encode()) < 1000),
)
def test_what_is_written_is_read_back(
    payload: bytes, retain: bool, packet_id: int, correlation: bytes, expiry_s: int, key: str
) -> None:
    properties = pack_properties(correlation, expiry_s, [("a", "b"), ("idk", key), ("record", key)])
    frame = encode_publish(
        "sh/ü", payload, retain=retain, packet_id=packet_id, properties=properties
    )
    span = frame_at(frame, 0, 1_000_000)
    assert span is not None
    assert span[1] == len(frame)
    read = decode_publish(frame[0], frame[span[0] : span[1]])
    assert (read.topic, read.payload, read.packet_id) == ("sh/ü", payload, packet_id)
    qos = 1 if packet_id else 0
    assert read.properties == (correlation, key, expiry_s, qos, retain, False, key)
    for cut in range(min(len(frame), 8)):
        assert frame_at(frame[:cut] or b"0", 0, 1_000_000) is None


def test_properties_nobody_asks_for_are_skipped() -> None:
    properties = paho_properties(
        PayloadFormatIndicator=1,
        ContentType="application/json",
        ResponseTopic="elsewhere",
        SubscriptionIdentifier=[300],
        CorrelationData=b"c",
    ).pack()  # type: ignore[no-untyped-call]
    frame = encode_publish("t", b"p", properties=bytes(properties))
    assert decode_publish(frame[0], frame[2:]).properties.correlation == b"c"


@pytest.mark.parametrize(
    "properties", [b"\x01\x26", b"\x02\x23\x00", b"\x03\x23\x00\x01", b"\x01\x7f", b"\x01\x02"]
)
def test_properties_that_are_not_those_of_a_publish_are_malformed(properties: bytes) -> None:
    frame = encode_publish("t", b"", properties=properties)
    with pytest.raises(MalformedFrame):
        decode_publish(frame[0], frame[2:])


@given(st.integers(0, 255), st.binary(max_size=60))
def test_any_bytes_are_a_message_or_malformed(first: int, body: bytes) -> None:
    with contextlib.suppress(MalformedFrame):
        decode_publish(first, body)
    with contextlib.suppress(MalformedFrame):
        frame_at(bytes([first]) + body, 0, 1000)
    with contextlib.suppress(MalformedFrame):
        decode_puback(body)


def test_a_frame_over_the_bound_is_malformed_before_it_arrives() -> None:
    with pytest.raises(MalformedFrame, match="allowed are 1000"):
        frame_at(b"\x30\xff\x7f", 0, 1000)
    with pytest.raises(MalformedFrame, match="four bytes"):
        frame_at(b"\x30\xff\xff\xff\xff\x01", 0, 1000)


def test_acknowledgements() -> None:
    assert encode_puback(0x1234) == b"\x40\x02\x12\x34"
    assert decode_puback(b"\x12\x34") == (0x1234, 0)
    assert decode_puback(b"\x12\x34\x10\x00") == (0x1234, 0x10)


def test_a_property_over_its_length_field_is_refused() -> None:
    with pytest.raises(ValueError, match="65535"):
        pack_properties(b"x" * 65_536)
