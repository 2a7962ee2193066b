"""Lending this device's printer to the hub: each document is printed once, however often it comes.

What was begun is on disk before the first byte goes to the printer.  So a device that dies while
it prints says ``unknown`` when the hub asks again, and doesn't print again by itself.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from devices.kit import linefile
from hub.contract.lending import DrawerKick, LentPrinter, PieceTaken, PrintPiece
from hub.contract.problems import Code, refuse

_log = logging.getLogger(__name__)

Print = Callable[[bytes], Awaitable[PieceTaken]]
Look = Callable[[], Awaitable[LentPrinter]]
Kick = Callable[[int, int], Awaitable[PieceTaken]]

REMEMBERED: Final = 256
UNFINISHED_MAX: Final = 4
"""Documents of which pieces are missing; the oldest is forgotten at the bound."""
_BEGUN: Final = "begun"


class PrintMemory:
    """Which documents were begun and how they ended, in a file: one line of JSON each.

    The last 256 are kept; the file is written anew when it has become four times as long.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: OrderedDict[str, str] = OrderedDict()
        self._lines = 0
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """Read what an earlier run has left.  Errors: OSError."""
        for line in await asyncio.to_thread(linefile.read, self._path):
            try:
                job_id, said = json.loads(line)
            except (ValueError, TypeError):
                continue  # a line that was being written when the power went
            self._keep(str(job_id), str(said))
            self._lines += 1

    def answer(self, job_id: str) -> PieceTaken | None:
        """How it ended; None when it was never begun."""
        said = self._known.get(job_id)
        if said is None:
            return None
        if said == _BEGUN:
            return PieceTaken(
                outcome="unknown", reason="The device was switched off while it printed."
            )
        return PieceTaken.model_validate_json(said)

    async def begin(self, job_id: str) -> None:
        """On disk when it returns.  Errors: OSError; then it doesn't count as begun."""
        await self._write(job_id, _BEGUN)
        self._keep(job_id, _BEGUN)

    async def end(self, job_id: str, taken: PieceTaken) -> None:
        """Errors: OSError; then it is known until the device is switched off."""
        said = taken.model_dump_json()
        self._keep(job_id, said)
        await self._write(job_id, said)

    async def _write(self, job_id: str, said: str) -> None:
        async with self._writing:
            self._lines += 1
            if self._lines > 4 * REMEMBERED:
                lines = [*self._known.items(), (job_id, said)]
                self._lines = len(lines)
                await asyncio.to_thread(linefile.replace, self._path, lines)
            else:
                await asyncio.to_thread(linefile.append, self._path, (job_id, said))

    def _keep(self, job_id: str, said: str) -> None:
        self._known[job_id] = said
        self._known.move_to_end(job_id)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


@dataclass(slots=True)
class _Document:
    pieces: int
    held: dict[int, bytes] = field(default_factory=dict)

    @property
    def data(self) -> bytes | None:
        if len(self.held) < self.pieces:
            return None
        return b"".join(self.held[number] for number in range(self.pieces))


class Lending:
    """The handlers of ``cmd/print``, ``cmd/printer-look`` and ``cmd/drawer-kick``."""

    def __init__(self, memory: PrintMemory, print_: Print, look: Look, kick: Kick | None) -> None:
        self._memory = memory
        self._print = print_
        self._look = look
        self._kick = kick
        self._documents: OrderedDict[str, _Document] = OrderedDict()
        self._running: dict[str, asyncio.Task[PieceTaken]] = {}
        self._printer = asyncio.Lock()
        self._loaded: asyncio.Task[None] | None = None

    async def on_print(self, data: dict[str, Any]) -> dict[str, Any]:
        """A piece; the last one to come is answered when the document is printed."""
        try:
            piece = PrintPiece.model_validate(data)
            raw = base64.b64decode(piece.data, validate=True)
        except (ValidationError, binascii.Error, ValueError):
            raise refuse(
                Code.VALIDATION, "This is no piece of a document: update the hub."
            ) from None
        await self._load()
        return (await self._take(piece, raw)).model_dump(mode="json")

    async def on_look(self, _data: dict[str, Any]) -> dict[str, Any]:
        """How the printer is."""
        return (await self._look()).model_dump(mode="json")

    async def on_kick(self, data: dict[str, Any]) -> dict[str, Any]:
        """Open the drawer."""
        try:
            asked = DrawerKick.model_validate(data)
        except ValidationError:
            raise refuse(
                Code.VALIDATION, "This is no way to open a drawer: update the hub."
            ) from None
        if self._kick is None:
            return PieceTaken(outcome="refused", reason="No drawer hangs here.").model_dump()
        if self._printer.locked():  # it may wait for paper; a drawer opens now or not at all
            return PieceTaken(outcome="not-begun", reason="The printer is at work.").model_dump()
        async with self._printer:
            return (await self._kick(asked.pin, asked.pulse_ms)).model_dump(mode="json")

    async def close(self) -> None:
        """End what is being printed; it was begun, so it will be ``unknown``."""
        tasks = [*self._running.values(), *([self._loaded] if self._loaded else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- inside --------------------------------------------------------------------------------

    async def _load(self) -> None:
        if self._loaded is None:
            self._loaded = asyncio.create_task(self._memory.load())
        await asyncio.shield(self._loaded)

    async def _take(self, piece: PrintPiece, raw: bytes) -> PieceTaken:
        running = self._running.get(piece.job_id)
        if running is not None:
            return await asyncio.shield(running)
        known = self._memory.answer(piece.job_id)
        if known is not None:
            return known
        document = self._documents.setdefault(piece.job_id, _Document(piece.pieces))
        if piece.pieces != document.pieces or piece.piece >= piece.pieces:
            raise refuse(Code.VALIDATION, "The pieces don't belong together: print it anew.")
        document.held[piece.piece] = raw
        whole = document.data
        if whole is None:
            self._documents.move_to_end(piece.job_id)
            while len(self._documents) > UNFINISHED_MAX:
                self._documents.popitem(last=False)
            return PieceTaken(outcome="held")
        del self._documents[piece.job_id]
        task = asyncio.create_task(self._run(piece.job_id, whole))
        self._running[piece.job_id] = task
        task.add_done_callback(lambda _: self._running.pop(piece.job_id, None))
        return await asyncio.shield(task)

    async def _run(self, job_id: str, data: bytes) -> PieceTaken:
        async with self._printer:
            try:
                await self._memory.begin(job_id)
            except OSError as error:
                _log.error("what is printed can't be written down: %s", error)
                return PieceTaken(outcome="not-begun", reason=f"The device's disk failed: {error}")
            try:
                taken = await self._print(data)
            except Exception as error:
                _log.exception("printing failed")
                taken = PieceTaken(outcome="unknown", reason=f"The device failed: {error!r}")
            try:
                await self._memory.end(job_id, taken)
            except OSError as error:  # after a restart it is unknown, which is safe
                _log.error("how a document ended can't be written down: %s", error)
            return taken
