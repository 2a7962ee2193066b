"""The cable between the hub and a printer: it knows how far a job has come, and can stop there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from devices.peripherals.escpos.commands import HEAD, cut

HOST = "127.0.0.1"
_CHUNK_BYTES = 65_536
_STATUS_REQUEST = b"\x10\x04"
_CUTS = (cut(full=True), cut(full=False))
_USUAL_BYTES = 1500
_LAST_WORDS_S = 10.0


@dataclass(slots=True)
class Trap:
    """``fire`` is called once: when ``part`` (0 to 1) of a usual job's bytes have gone through and
    before the next one does; with ``part`` above 1 when the whole of it is on paper, before the
    hub hears of that."""

    part: float
    fire: Callable[[], None]
    sprung: bool = False


class Line:
    """Forwards TCP from its own ``port`` to a printer's.  ``jobs`` counts those begun on it."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.jobs = 0
        self.trap: Trap | None = None
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._usual_bytes = _USUAL_BYTES

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def set_trap(self, part: float, fire: Callable[[], None]) -> Trap:
        """For the next job that gets so far."""
        self.trap = Trap(part, fire)
        return self.trap

    async def _accept(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        ends = [back]
        try:
            far, onward = await asyncio.open_connection(HOST, self._target_port)
            ends.append(onward)
            whole = _Progress()
            answers = asyncio.create_task(self._answers(whole, far, back))
            try:
                await self._jobs(whole, near, onward)
                # What the hub had sent when it died the printer still gets.
                onward.write_eof()
                async with asyncio.timeout(_LAST_WORDS_S):
                    await far.read(-1) if answers.done() else await answers
            finally:
                answers.cancel()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            for end in ends:
                with suppress(OSError):
                    end.close()
            self._tasks.discard(task)

    async def _jobs(
        self, job: _Progress, near: asyncio.StreamReader, onward: asyncio.StreamWriter
    ) -> None:
        """What the hub sends."""
        while chunk := await _some(near):
            if HEAD in chunk:
                job.begin()
                self.jobs += 1
                allowed = len(chunk)
            elif chunk.startswith(_STATUS_REQUEST) and len(chunk) % 3 == 0:
                allowed = len(chunk)
            else:
                allowed = self._allowed(job, chunk)
                job.sent += allowed
                job.cut = job.cut or any(one in chunk for one in _CUTS)
            onward.write(chunk[:allowed])
            await onward.drain()
            if allowed < len(chunk):
                self._spring()

    def _allowed(self, job: _Progress, chunk: bytes) -> int:
        """How much of it goes through before the trap springs."""
        trap = self.trap
        if trap is None or trap.part > 1 or not job.begun:
            return len(chunk)
        left = round(trap.part * self._usual_bytes) - job.sent
        if left >= len(chunk):
            return len(chunk)
        return max(0, left)

    async def _answers(
        self, job: _Progress, far: asyncio.StreamReader, back: asyncio.StreamWriter
    ) -> None:
        """What the printer says."""
        while chunk := await _some(far):
            if job.cut:
                self._usual_bytes = job.sent
                job.end()
                if self.trap is not None and self.trap.part > 1:
                    self._spring()
                    return
            with suppress(OSError):
                back.write(chunk)
                await back.drain()

    def _spring(self) -> None:
        trap, self.trap = self.trap, None
        if trap is not None and not trap.sprung:
            trap.sprung = True
            trap.fire()


@dataclass(slots=True)
class _Progress:
    """Of the job on a connection: bytes after its head; ``cut``: its last command has passed."""

    begun: bool = False
    sent: int = 0
    cut: bool = False

    def begin(self) -> None:
        self.begun, self.sent, self.cut = True, 0, False

    def end(self) -> None:
        self.begun, self.sent, self.cut = False, 0, False


async def _some(reader: asyncio.StreamReader) -> bytes:
    """Empty at the end, however it ended."""
    try:
        return await reader.read(_CHUNK_BYTES)
    except OSError:
        return b""
