"""A wire over a non-blocking file descriptor: device nodes, ttys, sockets, pipes.

Nothing is buffered here: what isn't read stays with the kernel, and a write ends when the kernel
has all of it.  A cancelled write has sent a beginning of its bytes, and sends no more.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

from devices.peripherals.model import Gone
from devices.peripherals.transports.opening import words

WRITE_CHUNK_BYTES: Final = 8192
"""As much as the kernel's usblp takes at once; a tty takes less by itself."""
CHECK_EVERY_S: Final = 2.0
EMPTY_PAUSE_S: Final = 0.05


class FdWire:
    """See the module's text.  It owns ``fd`` and closes it with ``release`` in a thread.

    ``check``: asked every two seconds while something is waited for; raises :class:`Gone` when
    the other side is known to be away although the kernel doesn't say so.  ``empty_is_end``: False
    where a read of nothing isn't the end (zero-length packets of USB).
    """

    def __init__(
        self,
        fd: int,
        address: str,
        *,
        check: Callable[[], None] | None = None,
        release: Callable[[int], None] = os.close,
        empty_is_end: bool = True,
        write_settles: bool = False,
        check_every_s: float = CHECK_EVERY_S,
    ) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._address = address
        self._check = check
        self._release = release
        self._empty_is_end = empty_is_end
        self._write_settles = write_settles
        self._check_every_s = check_every_s
        self._reading: asyncio.Future[None] | None = None
        self._writing: asyncio.Future[None] | None = None
        self._busy_reading = False
        self._busy_writing = False
        self._closing: asyncio.Future[None] | None = None

    @property
    def fd(self) -> int:
        """For ioctls; not to be closed."""
        return self._fd

    async def read(self, max_bytes: int = 4096) -> bytes:
        if self._busy_reading:
            raise RuntimeError(f"{self._address} is being read already")
        self._busy_reading = True
        try:
            return await self._read(max_bytes)
        finally:
            self._busy_reading = False

    async def write(self, data: bytes) -> None:
        if self._busy_writing:
            raise RuntimeError(f"{self._address} is being written to already")
        self._busy_writing = True
        try:
            await self._write(memoryview(data))
        finally:
            self._busy_writing = False

    async def close(self) -> None:
        """A tty's close may wait for what is still to go out: the thread waits, not the loop."""
        if self._closing is None:
            for waiting in (self._reading, self._writing):
                if waiting is not None:
                    _wake(waiting)
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._fd)
            loop.remove_writer(self._fd)
            try:
                self._closing = loop.run_in_executor(None, self._let_go)
            except RuntimeError:  # the loop is ending and has no threads any more
                self._closing = loop.create_future()
                self._closing.set_result(None)
                self._let_go()
        await asyncio.shield(self._closing)

    def _let_go(self) -> None:
        try:
            self._release(self._fd)
        except OSError:
            return  # whatever it was, the descriptor is closed (close(2))

    # Reading and writing -------------------------------------------------------------------------

    async def _read(self, max_bytes: int) -> bytes:
        # A device that always has something more must not keep the loop for itself.
        await asyncio.sleep(0)
        while True:
            self._open_or_gone()
            try:
                data = os.read(self._fd, max_bytes)
            except (BlockingIOError, InterruptedError):
                await self._readable()
                continue
            except OSError as error:
                if await self._unreadable(error):
                    continue
                raise self._gone(words(error)) from error
            if data:
                return data
            if self._empty_is_end:
                raise self._gone("it ended the connection")
            self._checked()
            await asyncio.sleep(EMPTY_PAUSE_S)

    async def _unreadable(self, error: OSError) -> bool:
        """Whether to try again after an error; for what can only be written to."""
        return False

    async def _write(self, rest: memoryview) -> None:
        while rest:
            await asyncio.sleep(0)
            self._open_or_gone()
            try:
                taken = os.write(self._fd, rest[:WRITE_CHUNK_BYTES])
            except (BlockingIOError, InterruptedError):
                await self._writable()
            except OSError as error:
                raise self._gone(words(error)) from error
            else:
                rest = rest[taken:]
        if self._write_settles:
            await self._writable()

    # Waiting -------------------------------------------------------------------------------------

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        self._reading = waiting = loop.create_future()
        loop.add_reader(self._fd, _wake, waiting)
        try:
            await self._wait(waiting)
        finally:
            self._reading = None
            if self._closing is None:
                loop.remove_reader(self._fd)

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        self._open_or_gone()
        self._writing = waiting = loop.create_future()
        loop.add_writer(self._fd, _wake, waiting)
        try:
            await self._wait(waiting)
        finally:
            self._writing = None
            if self._closing is None:
                loop.remove_writer(self._fd)

    async def _wait(self, waiting: asyncio.Future[None]) -> None:
        while True:
            every_s = None if self._check is None else self._check_every_s
            done, _ = await asyncio.wait([waiting], timeout=every_s)
            if done:
                waiting.result()
                return
            self._checked()

    def _checked(self) -> None:
        if self._check is not None:
            self._check()

    def _open_or_gone(self) -> None:
        if self._closing is not None:
            raise self._gone("it was closed here")

    def _gone(self, why: str) -> Gone:
        return Gone(f"{self._address} is gone: {why}")


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
