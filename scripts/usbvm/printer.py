"""The gadget side of a receipt printer: reads ``/dev/g_printerN``, answers, and can be cut off."""

from __future__ import annotations

import asyncio
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.usbvm.gadget import Gadget, Looks
from scripts.usbvm.tape import Tape

_LOOK_MS: Final = 50
_READ_BYTES: Final = 8192
_STALL_S: Final = 1.5


@dataclass(slots=True)
class Trap:
    """When it springs: at the ``nth`` GS r from now on, before that is answered; the first is that
    of a job's head, when nothing of it is on paper.  ``cut``: or as soon as a paper was cut.
    ``stall``: it takes nothing any more for a moment first, so that the cable is pulled out of a
    transfer that goes on.  ``power``: it is switched off, which makes it forget."""

    nth: int = 0
    cut: bool = False
    stall: bool = False
    power: bool = False


class Printer:
    """Played by a thread of its own, from :meth:`start` to :meth:`stop`.

    ``springing``: called in its thread when a trap springs, before it is unplugged; ``sprung``: in
    the loop, when it is unplugged.
    """

    def __init__(self, number: int, looks: Looks, controller: str) -> None:
        about = f"MFG:{looks.maker};CMD:ESC/POS;MDL:{looks.model};CLS:PRINTER;"
        # One transfer is taken at a time: what the hub has sent is what was read, and one more.
        self.gadget = Gadget(
            f"printer{number}", looks, f"printer.{number}", controller,
            {"q_len": b"1", "pnp_string": about.encode()},
        )  # fmt: skip
        self.tape = Tape()
        self.tape.confirming = self._confirming
        self.springing: Callable[[], None] = lambda: None
        self.sprung: Callable[[], None] = lambda: None
        self._node = Path(f"/dev/g_printer{number}")
        self._trap: Trap | None = None
        self._fired = False
        self._before = (0, 0)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._play, name=f"printer{number}", daemon=True)

    def start(self) -> None:
        """Plugs nothing in yet."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """Returns when its thread has ended."""
        self._ended.set()
        self._thread.join(10)

    def set_trap(self, trap: Trap | None) -> None:
        """Replaces one that hasn't sprung."""
        with self._lock:
            self._trap = trap
            self._before = (self.tape.confirmed, len(self.tape.papers))

    def put_paper_in(self, there: bool) -> None:
        """Or take it out."""
        with self._lock:
            self.tape.out_of_paper = not there

    @property
    def address(self) -> str:
        """As the hub's settings name it."""
        looks = self.gadget.looks
        return f"usb://{looks.vendor}:{looks.product}/{looks.serial}"

    # In its thread -------------------------------------------------------------------------------

    def _play(self) -> None:
        while not self._ended.is_set():
            try:
                fd = os.open(self._node, os.O_RDWR | os.O_NONBLOCK)
            except OSError:
                time.sleep(_LOOK_MS / 1000)
                continue
            try:
                with suppress(OSError):  # it was unplugged: until it is plugged in again
                    self._serve(fd)
            finally:
                os.close(fd)
            time.sleep(_LOOK_MS / 1000)

    def _serve(self, fd: int) -> None:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        while not self._ended.is_set():
            happened = poll.poll(_LOOK_MS)
            if any(bits & (select.POLLERR | select.POLLHUP) for _, bits in happened):
                return
            data = b""
            if happened:
                with suppress(BlockingIOError):
                    data = os.read(fd, _READ_BYTES)
            with self._lock:
                answers = self.tape.feed(data) if data else self.tape.work()
            if self._fired:
                self._cut_off()
                return
            if answers:
                _write(fd, answers)

    def _confirming(self) -> bool:
        trap = self._trap
        if trap is None or self._fired:
            return not self._fired
        confirmed, papers = self._before
        due = trap.nth and self.tape.confirmed - confirmed >= trap.nth
        self._fired = bool(due) or (trap.cut and len(self.tape.papers) > papers)
        return not self._fired

    def _cut_off(self) -> None:
        trap, self._trap = self._trap, None
        assert trap is not None
        assert self._loop is not None
        self.springing()
        if trap.stall:
            time.sleep(_STALL_S)
        self.gadget.unplug()
        if trap.power:
            self.tape.switched_off()
        self._fired = False
        self._loop.call_soon_threadsafe(self.sprung)


def _write(fd: int, data: bytes) -> None:
    """All of it; the host may be slow to fetch it."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            if any(bits & (select.POLLERR | select.POLLHUP) for _, bits in poll.poll(1000)):
                return
