"""A bad line between an adapter and its processor: answers get lost, nobody answers, no way in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal
from urllib.parse import urlsplit

Mode = Literal["pass", "lose", "garble"]


class Relay:
    """Passes bytes between a port of this machine and ``host``:``port`` (plain HTTP only).

    ``lose``: requests arrive, answers don't; ``garble``: the answer is none.
    """

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self.mode: Mode = "pass"
        self.lost = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """Listen; its address."""
        self._server = await asyncio.start_server(self._taken, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _taken(self, down: asyncio.StreamReader, up: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            there = await asyncio.open_connection(*self._to)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_pour(down, there[1]))
                    group.create_task(self._back(there[0], up))
            finally:
                there[1].close()
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            up.close()

    async def _back(self, there: asyncio.StreamReader, up: asyncio.StreamWriter) -> None:
        while data := await there.read(65_536):
            match self.mode:
                case "lose":
                    self.lost += 1
                    raise ConnectionResetError
                case "garble":
                    self.lost += 1
                    up.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot JSON!")
                    await up.drain()
                    raise ConnectionResetError
                case "pass":
                    up.write(data)
                    await up.drain()
        up.close()


async def _pour(down: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
    while data := await down.read(65_536):
        there.write(data)
        await there.drain()
    there.close()


@asynccontextmanager
async def relay_to(url: str) -> AsyncIterator[tuple[Relay, str]]:
    """A relay in front of ``url``, and the URL by which it is reached."""
    parts = urlsplit(url)
    relay = Relay(parts.hostname or "127.0.0.1", parts.port or 80)
    try:
        yield relay, await relay.start() + parts.path.rstrip("/")
    finally:
        await relay.stop()
