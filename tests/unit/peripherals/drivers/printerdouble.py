"""A printer that answers by the book, at the other end of a wire in memory.

It takes in what a 4 KiB buffer holds and works on it in order, unless it is stopped.
"""

from __future__ import annotations

import asyncio
import re

from devices.peripherals.model import Gone, Unreachable, Wire
from devices.peripherals.transports.memory import MemoryWire, pair

BUFFER_BYTES = 4096
_REQUEST = re.compile(rb"\x10\x04([\x01-\x04])|\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08")


class PrinterDouble:
    """``stopped``: it has no paper.  ``mute``: it answers nothing.  ``deaf_to_confirm``: it
    answers DLE EOT, and GS r never.  ``done``: all that it has worked through."""

    address = "memory://printer"

    def __init__(self) -> None:
        self.stopped = False
        self.mute = False
        self.deaf_to_confirm = False
        self.off = False
        self.pin3_high = False
        self.done = bytearray()
        self.waiting = bytearray()
        self.most_waiting = 0
        self.cleared = 0
        self.opened = 0
        self._wire: MemoryWire | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> Wire:
        if self.off:
            raise Unreachable("it is off")
        self.opened += 1
        ours, theirs = pair(self.address)
        self._wire = theirs
        self._task = asyncio.create_task(self._work(theirs))
        return ours

    def cut(self) -> None:
        """The cable is pulled out; what it had is kept."""
        if self._wire is not None:
            self._wire.cut()

    async def close(self) -> None:
        self.cut()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def resume(self) -> None:
        """Paper is in again."""
        self.stopped = False
        await self._print()

    async def _work(self, wire: MemoryWire) -> None:
        try:
            while True:
                data = await wire.read()
                await self._take(wire, data)
        except Gone:
            return

    async def _take(self, wire: MemoryWire, data: bytes) -> None:
        for found in _REQUEST.finditer(data):
            if found[1] is None:
                self.cleared += 1
                self.waiting.clear()
            elif not self.mute:
                await wire.write(bytes((self._status(found[1][0]),)))
        self.waiting += _REQUEST.sub(b"", data)
        self.most_waiting = max(self.most_waiting, len(self.waiting))
        await self._print()

    def _status(self, n: int) -> int:
        match n:
            case 1:
                return 0x12 | (0x08 if self.stopped else 0) | (0x04 if self.pin3_high else 0)
            case 2:
                return 0x32 if self.stopped else 0x12
            case 4:
                return 0x7E if self.stopped else 0x12
            case _:
                return 0x12

    async def _print(self) -> None:
        if self.stopped or self._wire is None:
            return
        data, self.waiting = bytes(self.waiting), bytearray()
        self.done += data
        if b"\x1bp" in data:
            self.pin3_high = True
        if not (self.mute or self.deaf_to_confirm):
            for _ in range(data.count(b"\x1dr\x01")):
                await self._wire.write(b"\x00")
