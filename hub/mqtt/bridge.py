"""MQTT over WebSocket for browser kiosks: bytes copied to the broker's unix socket.

The broker's own WebSocket listener ignores its packet bound before login, so the hub takes the
WebSocket (with its TLS and bounds) and the broker sees a plain connection.  Nothing is parsed
here; devices log in with user name and password, as on the password listener.  Source of the
framing: MQTT 5.0, section 6 (binary frames, subprotocol ``mqtt``, frames and packets need not
align).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web

SUBPROTOCOL: Final = "mqtt"
_CHUNK_BYTES: Final = 65_536
_CLOSE_S: Final = 2.0  # for the client to answer our close

_log = logging.getLogger("hub.mqtt.bridge")


@dataclass(frozen=True, slots=True)
class BridgeLimits:
    """At a bound the connection is refused (503) or closed with a WebSocket close code."""

    connections: int = 100
    message_bytes: int = 262_144
    login_timeout_s: float = 10.0
    """Until the broker has answered a CONNECT; for clients that connect and stay silent."""
    idle_timeout_s: float = 1_800.0
    """Without a byte from the client; the broker's keep-alive normally acts long before."""
    write_timeout_s: float = 30.0
    """For a client that doesn't read what it asked for."""


class WebSocketBridge:
    """The connections of one broker; create one and call it from the HTTP route."""

    def __init__(self, ws_socket: Path, limits: BridgeLimits | None = None) -> None:
        self._ws_socket = ws_socket
        self._limits = limits or BridgeLimits()
        self._open: set[web.WebSocketResponse] = set()

    @property
    def connections(self) -> int:
        return len(self._open)

    async def close(self) -> None:
        """Close every connection (1001, going away): for the end of the hub."""
        await asyncio.gather(
            *(ws.close(code=WSCloseCode.GOING_AWAY) for ws in tuple(self._open)),
            return_exceptions=True,
        )

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The aiohttp handler.

        503 at the bound of connections or without a broker, 400 without subprotocol ``mqtt``.
        """
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        if SUBPROTOCOL not in [name.strip() for name in offered.split(",")]:
            raise web.HTTPBadRequest(text="this is MQTT over WebSocket: ask for subprotocol mqtt\n")
        if len(self._open) >= self._limits.connections:
            raise web.HTTPServiceUnavailable(
                text="all MQTT connections are taken: try again later\n",
                headers={"Retry-After": "5"},
            )
        ws = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,),
            max_msg_size=self._limits.message_bytes,
            compress=False,
            autoping=True,
            timeout=_CLOSE_S,
        )
        self._open.add(ws)
        try:
            try:
                reader, writer = await asyncio.open_unix_connection(str(self._ws_socket))
            except OSError as error:
                _log.warning("no broker for a WebSocket client: %s", error)
                raise web.HTTPServiceUnavailable(
                    text="the broker is not running: try again soon\n",
                    headers={"Retry-After": "2"},
                ) from error
            try:
                await ws.prepare(request)
                _no_delay(request)
                if not await self._copy(ws, reader, writer) and request.transport is not None:
                    request.transport.abort()  # or aiohttp waits for it much longer
            finally:
                writer.transport.abort()
        finally:
            self._open.discard(ws)
        return ws

    async def _copy(
        self, ws: web.WebSocketResponse, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Both ways until one side ends; then the other is closed.  False if it didn't take it."""
        answered = asyncio.Event()
        up = asyncio.create_task(self._upward(ws, writer, answered), name="mqtt-ws-up")
        down = asyncio.create_task(self._downward(ws, reader, answered), name="mqtt-ws-down")
        try:
            done, _ = await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            code, reason = next(iter(done)).result()
        except OSError as error:
            code, reason = WSCloseCode.GOING_AWAY, f"connection lost: {error}"
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
        if ws.closed:
            return True
        try:
            async with asyncio.timeout(self._limits.write_timeout_s):
                return await ws.close(code=code, message=reason.encode()[:120])
        except (OSError, TimeoutError):
            return False

    async def _upward(
        self, ws: web.WebSocketResponse, writer: asyncio.StreamWriter, answered: asyncio.Event
    ) -> tuple[int, str]:
        loop = asyncio.get_running_loop()
        login_by_s = loop.time() + self._limits.login_timeout_s
        while True:
            logged_in = answered.is_set()
            wait_s = self._limits.idle_timeout_s if logged_in else login_by_s - loop.time()
            try:
                message = await ws.receive(timeout=max(wait_s, 0.001))
            except TimeoutError:
                if answered.is_set() and not logged_in:
                    continue  # it logged in while we waited with the shorter bound
                return WSCloseCode.POLICY_VIOLATION, "nothing was sent for too long"
            match message.type:
                case WSMsgType.BINARY:
                    writer.write(message.data)
                    await writer.drain()
                case WSMsgType.TEXT:
                    return WSCloseCode.UNSUPPORTED_DATA, "MQTT goes in binary frames"
                case WSMsgType.ERROR:
                    return WSCloseCode.MESSAGE_TOO_BIG, "message too big or malformed"
                case _:
                    return WSCloseCode.OK, ""

    async def _downward(
        self, ws: web.WebSocketResponse, reader: asyncio.StreamReader, answered: asyncio.Event
    ) -> tuple[int, str]:
        while data := await reader.read(_CHUNK_BYTES):
            answered.set()
            try:
                async with asyncio.timeout(self._limits.write_timeout_s):
                    await ws.send_bytes(data)
            except TimeoutError:
                return WSCloseCode.POLICY_VIOLATION, "what was asked for is not read"
        return WSCloseCode.GOING_AWAY, "the broker closed the connection"


def _no_delay(request: web.Request) -> None:
    """aiohttp sets it too; a reply must not wait for Nagle whatever its version does."""
    sock = request.transport.get_extra_info("socket") if request.transport else None
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
