"""Connections of the sandbox within bounds: aiohttp alone would wait minutes for a silent client.

Each connection has a deadline in every phase: TLS handshake, head of a request, request (with its
long poll), what follows.  At a bound it is closed without an answer.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from hub.contract.oms import MAX_WAIT_S

SWEEP_S = 1.0


@dataclass(frozen=True, slots=True)
class DoorBounds:
    """``idle_s`` begins with the end of a request: for reading its answer and the next head;
    ``request_s`` leaves room for a long poll and a minute of misbehaviour."""

    connections: int = 256
    handshake_s: float = 10.0
    head_s: float = 10.0
    body_s: float = 10.0
    request_s: float = MAX_WAIT_S + 70.0
    idle_s: float = 12.0


class Watched(asyncio.Protocol):
    """Passes everything on to aiohttp's protocol."""

    def __init__(self, inner: asyncio.Protocol, door: Door) -> None:
        self._inner = inner
        self._door = door
        self.deadline_s = 0.0
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._door.take(cast(asyncio.Transport, transport), self):
            self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._door.release(self):
            self._inner.connection_lost(exc)


class Door:
    """The connections of one sandbox."""

    def __init__(self, bounds: DoorBounds) -> None:
        self.bounds = bounds
        self._open: dict[Watched, asyncio.Transport] = {}
        self._by_transport: dict[asyncio.Transport, Watched] = {}

    @asynccontextmanager
    async def listening(
        self,
        make: Callable[[], asyncio.Protocol],
        bind: str,
        port: int,
        context: ssl.SSLContext | None,
    ) -> AsyncIterator[int]:
        """Listen while the block runs; the value is the port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Watched(make(), self),
            bind,
            port,
            ssl=context,
            ssl_handshake_timeout=self.bounds.handshake_s if context else None,
            ssl_shutdown_timeout=2.0 if context else None,
            backlog=128,
        )
        sweeping = loop.create_task(self._sweep(), name="sandbox-door")
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)

    def take(self, transport: asyncio.Transport, watched: Watched) -> bool:
        """Let a connection in, or drop it at the bound."""
        if len(self._open) >= self.bounds.connections:
            transport.abort()
            return False
        self._open[watched] = transport
        self._by_transport[transport] = watched
        watched.deadline_s = asyncio.get_running_loop().time() + self.bounds.head_s
        return True

    def release(self, watched: Watched) -> bool:
        """A connection has ended; False when it was never let in."""
        transport = self._open.pop(watched, None)
        if transport is not None:
            self._by_transport.pop(transport, None)
        return transport is not None

    def begins(self, transport: asyncio.BaseTransport | None) -> None:
        """The head of a request is complete."""
        self._until(transport, self.bounds.request_s)

    def ends(self, transport: asyncio.BaseTransport | None) -> None:
        """Its answer is on its way."""
        self._until(transport, self.bounds.idle_s)

    def _until(self, transport: asyncio.BaseTransport | None, after_s: float) -> None:
        watched = self._by_transport.get(cast(asyncio.Transport, transport))
        if watched is not None:
            watched.deadline_s = asyncio.get_running_loop().time() + after_s

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            now_s = asyncio.get_running_loop().time()
            for watched, transport in tuple(self._open.items()):
                if watched.deadline_s < now_s:
                    transport.abort()
