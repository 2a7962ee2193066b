"""The hub's own session with a real broker, and with brokers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hub.mqtt.endpoint import Subscription, TcpEndpoint, UnixEndpoint
from hub.mqtt.session import (
    HubSession,
    InboundProperties,
    MessageTooLarge,
    SessionBusy,
    SessionDown,
)
from tests.wire.mqtt.broker_peer import WAIT_S, Received
from tests.wire.mqtt.broker_shop import RANDOM, TOPICS, Shop, session_config


async def reach(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def frozen(shop: Shop) -> AsyncIterator[None]:
    pid = shop.supervisor.status.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_request_and_its_reply_carry_their_properties(shop: Shop) -> None:
    async with shop.password_peer("till-1") as till:
        await till.subscribe(TOPICS.reply("till-1"))
        await till.publish(
            TOPICS.request("till-1", "sale", "commit"),
            b"{}",
            CorrelationData=b"\x00c1",
            UserProperty=[("trace", "x"), ("idk", "0190-key"), ("idk", "second")],
            MessageExpiryInterval=10,
            ResponseTopic="elsewhere",
            ContentType="application/json",
            PayloadFormatIndicator=1,
        )
        topic, payload, properties = await shop.next()
        assert TOPICS.parse_request(topic) == ("till-1", "sale", "commit")
        assert payload == b"{}"
        assert properties == InboundProperties(b"\x00c1", "0190-key", 10, qos=1)
        for qos in (0, 1):
            shop.session.publish(
                TOPICS.reply("till-1"),
                b"{}",
                qos=qos,
                correlation=properties.correlation,
                user_properties=[("trace", "ü")],
                expiry_s=60,
            )
            reply = await till.next()
            assert reply.payload == b"{}"
            assert reply.properties.CorrelationData == b"\x00c1"
            assert reply.properties.UserProperty == [("trace", "ü")]
            assert reply.properties.MessageExpiryInterval == 60


async def test_many_messages_arrive_in_order_beyond_the_brokers_window(shop: Shop) -> None:
    async with shop.password_peer("till-1") as till:
        await till.subscribe(TOPICS.reply("till-1"))
        for number in range(400):
            shop.session.publish(TOPICS.reply("till-1"), b"%d" % number, qos=1)
        assert [int((await till.next()).payload) for _ in range(400)] == list(range(400))


async def test_the_last_will_is_published_when_the_hub_stops_or_dies(shop: Shop) -> None:
    async with shop.password_peer("till-1") as till:
        await till.subscribe(f"{TOPICS.prefix}/hub/#")
        shop.session.publish(TOPICS.hub_state, b"online", qos=1, retain=True)
        assert (await till.next()).payload == b"online"
        assert shop.session._wire is not None
        shop.session._wire.fail("the cable is cut")
        assert (await till.next()).payload == b'{"mode":"away"}'
        await reach(lambda: shop.session.is_up)
        assert shop.downs == ["the cable is cut"]
        shop.session.publish(TOPICS.hub_state, b"online", qos=1, retain=True)
        assert (await till.next()).payload == b"online"
        await shop.session.stop()
        assert (await till.next()).payload == b'{"mode":"away"}'
    async with shop.password_peer("till-2") as late:
        await late.subscribe(TOPICS.hub_state)
        assert await late.next() == Received(TOPICS.hub_state, b'{"mode":"away"}', retain=True)


async def test_a_retained_request_is_not_taken_for_a_request(shop: Shop) -> None:
    request = TOPICS.request("till-1", "sale", "commit")
    async with shop.password_peer("till-1") as till:
        await till.publish(request, b"live", retain=True)
        assert (await shop.next())[1] == b"live"
        await shop.session.stop()
        await shop.connect()
        await till.publish(TOPICS.fact("till-1", "end"))
        assert (await shop.next())[0] == TOPICS.fact("till-1", "end")


async def test_a_callback_that_fails_loses_its_message_and_nothing_else(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    await shop.session.stop()
    seen: asyncio.Queue[bytes] = asyncio.Queue()

    def handle(topic: str, payload: bytes, properties: object) -> None:
        if payload == b"bad":
            raise RuntimeError("broken handler")
        seen.put_nowait(payload)

    session = HubSession(session_config(shop.plan), RANDOM, handle, on_up=lambda: 1 / 0)  # type: ignore[arg-type]
    session.start()
    try:
        await reach(lambda: session.is_up)
        async with shop.password_peer("till-1") as till:
            await till.publish(TOPICS.fact("till-1", "scan"), b"bad")
            await till.publish(TOPICS.fact("till-1", "scan"), b"good")
            async with asyncio.timeout(WAIT_S):
                assert await seen.get() == b"good"
        assert session.connects == 1
        assert "broken handler" in caplog.text
        assert "ZeroDivisionError" in caplog.text
    finally:
        await session.stop()


async def test_publishing_is_refused_while_there_is_no_connection(shop: Shop) -> None:
    await shop.session.stop()
    with pytest.raises(SessionDown):
        shop.session.publish(TOPICS.reply("till-1"), b"late")


async def test_a_message_that_the_broker_would_not_take_is_refused_here(shop: Shop) -> None:
    with pytest.raises(MessageTooLarge, match="packets up to 262144 bytes"):
        shop.session.publish(TOPICS.reply("till-1"), b"x" * 262_144)
    with pytest.raises(ValueError, match="QoS 2"):
        shop.session.publish(TOPICS.reply("till-1"), b"x", qos=2)
    with pytest.raises(ValueError, match="65536"):
        shop.session.publish(TOPICS.reply("till-1"), b"x", correlation=b"x" * 65_536)
    async with shop.password_peer("till-1") as till:
        await till.subscribe(TOPICS.reply("till-1"))
        shop.session.publish(TOPICS.reply("till-1"), b"x" * 261_900, qos=1)
        assert len((await till.next()).payload) == 261_900
    assert shop.downs == []


@pytest.mark.parametrize("qos", [0, 1])
async def test_a_broker_that_reads_no_more_makes_the_session_busy(shop: Shop, qos: int) -> None:
    sent = 0
    async with frozen(shop):
        with contextlib.suppress(SessionBusy):
            for _ in range(5_000):
                shop.session.publish(TOPICS.reply("till-1"), b"x" * 4_000, qos=qos)
                sent += 1
                await asyncio.sleep(0)
        assert 900 <= sent <= 2_000
    await reach(lambda: shop.session._wire is not None and not shop.session._wire.backlog_bytes)
    shop.session.publish(TOPICS.reply("till-1"), b"again", qos=qos)
    assert shop.downs == []


async def test_a_broker_that_hangs_is_noticed(shop: Shop) -> None:
    await shop.session.stop()
    shop.downs.clear()
    await shop.connect(keepalive_s=1)
    async with frozen(shop):
        await reach(lambda: bool(shop.downs))
    # A broker that is only slow is taken for one that hangs, too.
    assert set(shop.downs) == {"the broker does not answer any more"}
    await reach(lambda: shop.session.is_up)


async def test_a_refused_login_is_named_and_tried_again(shop: Shop) -> None:
    config = session_config(shop.plan, password="wrong", client_id="other")
    session = HubSession(config, RANDOM, lambda *message: None)
    session.start()
    try:
        await reach(lambda: "refused the hub: Not authorized" in session.down_reason)
        assert not session.is_up
    finally:
        await session.stop()


async def test_a_refused_subscription_is_named(shop: Shop) -> None:
    config = session_config(shop.plan, subscriptions=(Subscription("elsewhere/#"),))
    await shop.session.stop()
    session = HubSession(config, RANDOM, lambda *message: None)
    session.start()
    try:
        await reach(lambda: "refused subscriptions: elsewhere/#" in session.down_reason)
    finally:
        await session.stop()


async def test_an_external_broker_is_reached_over_tls(shop: Shop) -> None:
    assert shop.plan.password_port is not None
    endpoint = TcpEndpoint("localhost", shop.plan.password_port, shop.authority.client_context())
    config = session_config(
        shop.plan,
        endpoint=endpoint,
        client_id="till-1",
        username="till-1",
        password="pw-1",
        will=None,
        subscriptions=(Subscription(TOPICS.reply("till-1")),),
    )
    seen: asyncio.Queue[bytes] = asyncio.Queue()
    session = HubSession(config, RANDOM, lambda _t, payload, _p: seen.put_nowait(payload))
    session.start()
    try:
        await reach(lambda: session.is_up)
        shop.session.publish(TOPICS.reply("till-1"), b"hello" * 10_000, qos=1)
        async with asyncio.timeout(WAIT_S):
            assert await seen.get() == b"hello" * 10_000
    finally:
        await session.stop()


CONNACK = b"\x20\x06\x00\x00\x03\x21\x00\x02"  # Receive Maximum 2
SUBACK = b"\x90\x04\x00\x01\x00\x01"


class FakeBroker:
    """A wire that answers what a test says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connections = 0
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()
        self.writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writer = writer
        try:
            while True:
                head = await reader.readexactly(2)
                length = head[1]
                if length & 0x80:
                    length = (length & 0x7F) | (await reader.readexactly(1))[0] << 7
                body = await reader.readexactly(length)
                kind = head[0] & 0xF0
                if kind == 0x10:
                    writer.write(CONNACK)
                elif kind == 0x80:
                    writer.write(SUBACK)
                else:
                    self.frames.put_nowait(head[:1] + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def fake_broker(shop: Shop) -> AsyncIterator[tuple[FakeBroker, HubSession]]:
    fake = FakeBroker(shop.plan.run_dir / "b")
    server = await asyncio.start_unix_server(fake.serve, str(fake.path))
    config = session_config(
        shop.plan,
        endpoint=UnixEndpoint(fake.path),
        subscriptions=(Subscription("a"),),
        out_messages=10,
    )
    session = HubSession(config, RANDOM, lambda *message: None)
    session.start()
    try:
        await reach(lambda: session.is_up)
        yield fake, session
    finally:
        await session.stop()
        server.close()
        if fake.writer is not None:
            fake.writer.close()
        await asyncio.sleep(0)


async def test_no_more_is_in_flight_than_the_broker_asked_for(shop_on_paper: Shop) -> None:
    async with fake_broker(shop_on_paper) as (fake, session):
        for number in range(10):
            session.publish("a", b"%d" % number, qos=1)
        with pytest.raises(SessionBusy, match="10 messages wait"):
            session.publish("a", b"11", qos=1)
        taken: list[int] = []
        for expected in range(2, 12):
            if expected == 2:
                taken += [_packet_id(await fake.frames.get()), _packet_id(await fake.frames.get())]
            assert fake.frames.empty()
            assert fake.writer is not None
            fake.writer.write(b"\x40\x02" + struct.pack("!H", taken.pop(0)))
            if expected < 10:
                taken.append(_packet_id(await fake.frames.get()))
        await reach(lambda: session._wire is not None and not session._wire.unacked_messages)


def _packet_id(frame: bytes) -> int:
    topic_end = 3 + int.from_bytes(frame[1:3], "big")
    return int.from_bytes(frame[topic_end : topic_end + 2], "big")


@pytest.mark.parametrize(
    "noise",
    [
        b"\x30\xff\xff\xff\xff\x01",
        b"\x30\xff\xff\xff\x7f",
        b"\x30\x03\x00\x09a",
        b"\x30\x05\x00\x01a\x7fb",
        b"\x40\x01\x00",
        b"\xf0\x00",
        b"\x20\x01\x00",
    ],
)
async def test_bytes_that_are_not_mqtt_end_the_connection_and_not_the_session(
    shop_on_paper: Shop, noise: bytes
) -> None:
    async with fake_broker(shop_on_paper) as (fake, session):
        assert fake.writer is not None
        fake.writer.write(noise)
        await reach(lambda: fake.connections == 2 and session.is_up)


async def test_a_broker_that_never_answers_is_given_up_in_time(
    shop_on_paper: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.mqtt.session._CONNECT_TIMEOUT_S", 0.05)
    path = shop_on_paper.plan.run_dir / "mute"
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_unix_server(lambda _r, w: writers.append(w), str(path))
    config = session_config(shop_on_paper.plan, endpoint=UnixEndpoint(path))
    session = HubSession(config, RANDOM, lambda *message: None)
    session.start()
    try:
        await reach(lambda: len(writers) >= 2)
        assert session.down_reason == f"{path}: no answer in time"
    finally:
        await session.stop()
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.sleep(0.01)
