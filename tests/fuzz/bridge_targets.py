"""MQTT over WebSocket: raw bytes after the handshake, with a broker behind it that echoes."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from hub.mqtt.bridge import BridgeLimits, WebSocketBridge
from tests.fuzz.engine import Target, loop, run_async, scratch

_HANDSHAKE: Final = (
    b"GET /mqtt HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
_MQTT: Final = b"Sec-WebSocket-Protocol: mqtt\r\n"
_ANSWER_S: Final = 5.0


@dataclass
class Bridge:
    """The bridge, its server and the broker behind it."""

    bridge: WebSocketBridge
    runner: web.AppRunner
    broker: asyncio.Server
    door: Path
    folder: Path


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    writer.transport.abort()


@functools.cache
def bridge() -> Bridge:
    """Started once; :func:`stop` ends it."""
    return loop().run_until_complete(_open())


async def _open() -> Bridge:
    folder = Path(tempfile.mkdtemp(prefix="ws-", dir=scratch()))
    broker = await asyncio.start_unix_server(_echo, folder / "b")
    made = WebSocketBridge(folder / "b", BridgeLimits(message_bytes=20_000))
    app = web.Application()
    app.router.add_get("/mqtt", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.UnixSite(runner, str(folder / "w")).start()
    return Bridge(made, runner, broker, folder / "w", folder)


def stop() -> None:
    """End it, if it runs."""
    if bridge.cache_info().currsize:
        one = bridge()
        bridge.cache_clear()
        loop().run_until_complete(_close(one))
        shutil.rmtree(one.folder, ignore_errors=True)


async def _close(one: Bridge) -> None:
    await one.bridge.close()
    await one.runner.cleanup()
    one.broker.close()
    await asyncio.sleep(0)


def frames(data: bytes) -> None:
    """One byte of choice, then what a client sends; afterwards nobody is left."""
    run_async(_sent(bridge(), data))


async def _sent(one: Bridge, data: bytes) -> None:
    choice, rest = (data[0] if data else 0), data[1:]
    reader, writer = await asyncio.open_unix_connection(one.door)
    try:
        head = _HANDSHAKE + (_MQTT if choice & 1 else b"") + b"\r\n"
        writer.write((rest if choice & 2 else head) + (head if choice & 2 else rest))
        with contextlib.suppress(OSError):
            await writer.drain()
            if choice & 4:
                writer.write_eof()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01 if choice & 1 else 0.1):
                    answer = await reader.read(65_536)
                    assert b" 500 " not in answer[:20], answer[:200]
    finally:
        writer.transport.abort()
    async with asyncio.timeout(_ANSWER_S):
        while one.bridge.connections:
            await asyncio.sleep(0.001)


def _frame(kind: int, payload: bytes) -> bytes:
    """A client's frame (RFC 6455, section 5.2), masked with zeros."""
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes((kind,)) + length + b"\0\0\0\0" + payload


def targets() -> tuple[Target, ...]:
    """All of this room."""
    connect = b"\x10\x10\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x03abc"
    seeds = (
        b"\1" + _frame(0x82, connect),
        b"\1" + _frame(0x02, connect[:5]) + _frame(0x80, connect[5:]) + _frame(0x88, b"\x03\xe8"),
        b"\1" + _frame(0x89, b"ping") + _frame(0x8A, b"") + _frame(0x81, "täxt".encode()),
        b"\5" + _frame(0x82, b"x" * 300) + b"\x82\xff" + (1 << 40).to_bytes(8, "big"),
        b"\3" + b"\r\n\r\n",
        b"\0" + connect,
    )
    return (Target("websocket", frames, seeds, prefix=1, weight=1),)
