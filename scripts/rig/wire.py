"""A cable between two parts of the shop that can be cut, frozen, slowed down and mended."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self

_CHUNK_BYTES = 65_536


class Wire:
    """Forwards TCP from its own ``port`` on this machine to ``target_port``.

    ``cut``: connections break and new ones break at once.  ``strand``: the connections of now stay
    open and silent for ever, new ones work.  ``freeze``: everything stands still until ``mend``.
    ``delay_s`` slows each chunk down.
    """

    def __init__(self, target_port: int, *, port: int = 0, host: str = "127.0.0.1") -> None:
        self.port = port
        self.delay_s = 0.0
        self._host = host
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._open: set[_Pair] = set()
        self._is_cut = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.cuts = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        while self._open:
            await asyncio.wait({pair.task for pair in self._open})

    @property
    def connections(self) -> int:
        return len(self._open)

    def cut(self) -> None:
        """Break everything (a reset, as a rebooted switch gives) until ``mend``."""
        self.cuts += 1
        self._is_cut = True
        for pair in list(self._open):
            pair.task.cancel()

    def strand(self) -> None:
        """Leave the present connections half-open: no byte moves, no end is seen."""
        self.cuts += 1
        for pair in self._open:
            pair.stranded = True

    def freeze(self) -> None:
        """Hold every byte back until ``mend``."""
        self.cuts += 1
        self._flowing.clear()

    def mend(self) -> None:
        """Whole again; what was stranded stays so."""
        self._is_cut = False
        self._flowing.set()

    async def _accept(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._is_cut:
            back.transport.abort()
            return
        pair = _Pair(task)
        self._open.add(pair)
        ends = [back]
        try:
            far, onward = await asyncio.open_connection(self._host, self._target_port)
            ends.append(onward)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(pair, near, onward))
                both.create_task(self._pump(pair, far, back))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        except* asyncio.CancelledError:
            pass
        finally:
            for end in ends:
                end.transport.abort()
            self._open.discard(pair)

    async def _pump(
        self, pair: _Pair, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        while chunk := await source.read(_CHUNK_BYTES):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            await self._flowing.wait()
            if pair.stranded:
                await asyncio.get_running_loop().create_future()
            sink.write(chunk)
            await sink.drain()
        if pair.stranded:
            await asyncio.get_running_loop().create_future()
        with suppress(OSError, RuntimeError):
            sink.write_eof()


class _Pair:
    """A connection through the wire."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task = task
        self.stranded = False
