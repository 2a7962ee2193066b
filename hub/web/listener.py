"""Accepting connections within bounds that silent and slow strangers can't stretch.

A connection counts from the moment it is accepted, before its TLS handshake, and has a deadline in
every phase: handshake, first request's head, request, idle.  aiohttp itself would wait minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, cast

from hub import events

_log = logging.getLogger(__name__)

_SWEEP_S: Final = 1.0
_BACKLOG: Final = 128


@dataclass(frozen=True, slots=True)
class Bounds:
    """At a bound the connection is closed without an answer; ``body_s`` answers 408.

    A client that says nothing, or not enough, or doesn't read its answer, is gone within 15 s in
    every phase; ``request_s`` is for the hub's own work.
    """

    connections: int = 200
    per_address: int = 60
    handshake_s: float = 10.0
    head_s: float = 10.0
    body_s: float = 10.0
    request_s: float = 30.0
    idle_s: float = 12.0
    """From the end of a request: for reading its answer, and for the next one's head."""
    shutdown_s: float = 2.0
    linger_s: float = 2.0
    """For the rest of a body that nobody wants, so that its sender still hears why."""


class Connection(asyncio.Protocol):
    """Between TLS and aiohttp's own protocol: passes everything on, and watches the clock."""

    def __init__(self, inner: asyncio.Protocol, listener: Listener, address: str) -> None:
        self._inner = inner
        self._listener = listener
        self.address = address
        self.transport: asyncio.Transport | None = None
        self.deadline_s: float | None = None
        self._early: list[bytes] = []
        self._lost = False

    def start(self, transport: asyncio.Transport) -> None:
        """The handshake is done.  (asyncio says so after the first bytes may have come.)"""
        if self._lost:
            return
        self.transport = transport
        self._inner.connection_made(transport)
        for data in self._early:
            self._inner.data_received(data)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        if self.transport is None:
            self._early.append(data)
        else:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self.transport is not None else None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._lost:
            return
        self._lost = True
        self._listener.released(self)
        if self.transport is not None:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


class _Accepted(asyncio.Protocol):
    """A fresh TCP connection, until TLS takes it over."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._listener.accepted(cast(asyncio.Transport, transport))


class Listener:
    """One HTTPS port, or one unix socket in plain.  ``make`` makes aiohttp's protocol for a
    connection."""

    def __init__(self, make: Callable[[], asyncio.Protocol], bounds: Bounds) -> None:
        self._make = make
        self._bounds = bounds
        self._context: ssl.SSLContext | None = None
        self._server: asyncio.Server | None = None
        self._open: set[Connection] = set()
        self._by_transport: dict[asyncio.Transport, Connection] = {}
        self._per_address: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused = 0

    @property
    def connections(self) -> int:
        """Open ones, with those in their handshake."""
        return len(self._open)

    @property
    def port(self) -> int:
        """The port in use."""
        assert self._server is not None, "the listener is not started"
        return int(self._server.sockets[0].getsockname()[1])

    def use(self, context: ssl.SSLContext) -> None:
        """Answer new connections with this context; open ones keep theirs."""
        self._context = context

    async def start(self, bind: str, port: int) -> None:
        """Listen.  Raises OSError when the port is taken."""
        assert self._context is not None, "use a TLS context first"
        loop = asyncio.get_running_loop()
        host = bind or ("0.0.0.0" if port == 0 else None)  # noqa: S104 - every address is meant
        self._server = await loop.create_server(
            lambda: _Accepted(self), host, port, backlog=_BACKLOG
        )
        self._spawn(self._sweep())

    async def start_clear(self, host: str, port: int) -> None:
        """Listen without TLS: for this machine only.  Raises OSError when the port is taken."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Accepted(self), host, port, backlog=_BACKLOG
        )
        self._spawn(self._sweep())

    async def start_plain(self, sock: socket.socket) -> None:
        """Listen on a bound unix socket, without TLS."""
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: _Accepted(self), sock=sock, backlog=_BACKLOG
        )
        self._spawn(self._sweep())

    def stop_accepting(self) -> None:
        """No new connections."""
        if self._server is not None:
            self._server.close()

    async def close(self) -> None:
        """End what is still open."""
        self.stop_accepting()
        for connection in tuple(self._open):
            if connection.transport is not None:
                connection.transport.abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- phases -------------------------------------------------------------------------------

    def request_begins(self, transport: asyncio.BaseTransport | None) -> None:
        """The head of a request is complete."""
        self._deadline(transport, self._bounds.request_s)

    def request_streams(self, transport: asyncio.BaseTransport | None) -> None:
        """The answer has no end; whoever sends it bounds each write."""
        self._deadline(transport, None)

    def request_ends(self, transport: asyncio.BaseTransport | None) -> None:
        """The answer is on its way; then the connection may wait for the next request."""
        self._deadline(transport, self._bounds.idle_s)

    def _deadline(self, transport: asyncio.BaseTransport | None, after_s: float | None) -> None:
        connection = self._by_transport.get(cast(asyncio.Transport, transport))
        if connection is not None:
            now_s = asyncio.get_running_loop().time()
            connection.deadline_s = None if after_s is None else now_s + after_s

    # --- connections --------------------------------------------------------------------------

    def accepted(self, transport: asyncio.Transport) -> None:
        """Take a TCP connection in, or drop it at the bound."""
        address = network_of((transport.get_extra_info("peername") or ("?",))[0])
        bounds = self._bounds
        if len(self._open) >= bounds.connections or self._per_address[address] >= (
            bounds.per_address
        ):
            self._refused += 1
            if self._refused & (self._refused - 1) == 0:
                _log.warning(
                    "connections refused at the bound so far: %d",
                    self._refused,
                    extra=events.CONNECTIONS_REFUSED(count=self._refused),
                )
            transport.abort()
            return
        connection = Connection(self._make(), self, address)
        self._open.add(connection)
        self._per_address[address] += 1
        if self._context is None:
            transport.set_protocol(connection)
            self._begin(connection, transport)
        else:
            transport.pause_reading()  # the first bytes are TLS's
            self._spawn(self._secure(transport, connection))

    def released(self, connection: Connection) -> None:
        """A connection has ended."""
        self._open.discard(connection)
        if connection.transport is not None:
            self._by_transport.pop(connection.transport, None)
        self._per_address[connection.address] -= 1
        if self._per_address[connection.address] <= 0:
            del self._per_address[connection.address]

    async def _secure(self, transport: asyncio.Transport, connection: Connection) -> None:
        assert self._context is not None
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(
                transport,
                connection,
                self._context,
                server_side=True,
                ssl_handshake_timeout=self._bounds.handshake_s,
                ssl_shutdown_timeout=self._bounds.shutdown_s,
            )
        except (OSError, ssl.SSLError) as error:  # scanners, and devices that don't trust us
            _log.debug("TLS handshake with %s failed: %s", connection.address, error)
            transport.abort()
            connection.connection_lost(None)
            return
        except BaseException:
            transport.abort()
            connection.connection_lost(None)
            raise
        assert secured is not None
        self._begin(connection, secured)

    def _begin(self, connection: Connection, transport: asyncio.Transport) -> None:
        connection.start(transport)
        if connection.transport is not None:
            self._by_transport[connection.transport] = connection
            connection.deadline_s = asyncio.get_running_loop().time() + self._bounds.head_s

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_S)
            now_s = loop.time()
            for connection in tuple(self._open):
                late = connection.deadline_s is not None and connection.deadline_s < now_s
                if late and connection.transport is not None:
                    connection.transport.abort()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def network_of(address: str) -> str:
    """The address for counting: an IPv6 host has a whole /64 to choose from."""
    with contextlib.suppress(ValueError):
        parsed = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(parsed, ipaddress.IPv6Address):
            if parsed.ipv4_mapped is not None:
                return str(parsed.ipv4_mapped)
            return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
