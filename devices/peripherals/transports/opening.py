"""Opening things that may take their time, in a thread, without ever losing what was opened."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from devices.peripherals.model import Unreachable

OPEN_TIMEOUT_S: Final = 10.0

T = TypeVar("T")


class _Handover(Generic[T]):
    """Given from the thread that opened it to whoever waits, or thrown away if nobody does."""

    def __init__(self, make: Callable[[], T], discard: Callable[[T], object]) -> None:
        self._make = make
        self._discard = discard
        self._lock = threading.Lock()
        self._abandoned = False
        self._made: list[T] = []
        self.ended = False

    def run(self) -> T:
        try:
            made = self._make()
            with self._lock:
                abandoned = self._abandoned
                if not abandoned:
                    self._made.append(made)
            if abandoned:
                self._discard(made)
            return made
        finally:
            self.ended = True

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
        for made in self._made:
            self._discard(made)


class Opener:
    """One connector's way of opening: at most one thread, however often it is tried.

    A driver of the kernel that hangs must not take thread after thread.
    """

    def __init__(self, address: str, timeout_s: float = OPEN_TIMEOUT_S) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._last: _Handover[object] | None = None

    async def open(self, make: Callable[[], T], discard: Callable[[T], object]) -> T:
        """What ``make`` makes in a thread; when nobody waits any more, ``discard`` gets it.

        Errors: :class:`Unreachable` after the time-out or while an earlier try still hangs;
        whatever ``make`` raises, an ``OSError`` as :class:`Unreachable`.
        """
        if self._last is not None and not self._last.ended:
            raise Unreachable(
                f"{self._address} is still being opened since the last try: unplug it and plug it"
                " in again; if that doesn't help, restart the box"
            )
        handover = _Handover(make, discard)
        self._last = handover  # type: ignore[assignment]
        running = asyncio.get_running_loop().run_in_executor(None, handover.run)
        # Nobody may be there to hear of its end.
        running.add_done_callback(_heard)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.shield(running)
        except TimeoutError:
            handover.abandon()
            raise Unreachable(
                f"{self._address} didn't open within {self._timeout_s:g} s: unplug it and plug it"
                " in again"
            ) from None
        except asyncio.CancelledError:
            handover.abandon()
            raise
        except OSError as error:
            raise unreachable(self._address, error) from error


def _heard(done: asyncio.Future[T]) -> None:
    if not done.cancelled():
        done.exception()


def unreachable(address: str, error: OSError) -> Unreachable:
    """The system's word as one for a technician: what is wrong and the next step."""
    match error.errno:
        case errno.ENOENT | errno.ENODEV | errno.ENXIO | errno.EIO:
            why = "is not there: is it plugged in and switched on?"
        case errno.EACCES | errno.EPERM:
            why = (
                "may not be opened by the hub's user: add it to the groups lp, dialout and input,"
                " or install the hub's unit again"
            )
        case errno.EBUSY | errno.EAGAIN:
            why = "is in use by another program: stop it (often CUPS or ModemManager)"
        case _:
            why = f"can't be opened: {words(error)}"
    return Unreachable(f"{address} {why}")


def words(error: OSError) -> str:
    """The system's text for an error, without paths and numbers."""
    return os.strerror(error.errno) if error.errno else (str(error) or type(error).__name__)
