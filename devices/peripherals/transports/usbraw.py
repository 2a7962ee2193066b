"""USB printers without the kernel's printer class driver, by libusb.

``usb-raw://04b8:0e15/X1AB…``: as ``usb://``, for a box that has no usblp, or where another driver
has the printer.  A driver that has it is sent away, and gets it back when the wire is closed; after
a hub that was killed it gets it back when the printer is plugged in anew.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from devices.peripherals.model import Gone, Identity, Unreachable
from devices.peripherals.transports import ieee1284
from devices.peripherals.transports.fd import CHECK_EVERY_S, EMPTY_PAUSE_S
from devices.peripherals.transports.opening import OPEN_TIMEOUT_S, Opener, unreachable, words
from devices.peripherals.transports.usbclaim import PIECE_BYTES, Claimed, Usb, claim, libusb
from devices.peripherals.transports.usbtree import SYSTEM, PluggedPrinter, Roots, plugged_printers

_THREADS: Final = 3
"""One reads, one writes, one closes."""

T = TypeVar("T")


@dataclass
class UsbRawConnector:
    """``vendor``, ``product``: four hexadecimal digits each; ``serial`` or ``port`` say which one.
    ``usb``: gets the library, in a thread."""

    address: str
    vendor: str
    product: str
    serial: str = ""
    port: str = ""
    roots: Roots = SYSTEM
    open_timeout_s: float = OPEN_TIMEOUT_S
    usb: Callable[[], Usb] = libusb
    check_every_s: float = CHECK_EVERY_S
    _opener: Opener = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._opener = Opener(self.address, self.open_timeout_s)

    async def open(self) -> UsbRawWire:
        printer, claimed = await self._opener.open(self._claim, lambda made: made[1].release())

        def there() -> bool:
            return printer.port in {
                one.port for one in plugged_printers(self.roots) if one.device == printer.device
            }

        identity = ieee1284.identity(claimed.device_id, printer.serial)
        return UsbRawWire(claimed, self.address, identity, there, self.check_every_s)

    def _claim(self) -> tuple[PluggedPrinter, Claimed]:
        printer = self._find()
        try:
            usb = self.usb()
            return printer, claim(usb, self._device(usb, printer))
        except Unreachable as error:
            raise Unreachable(f"{self.address}: {error}") from error
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EPERM}:
                raise unreachable(self.address, error) from error
            raise Unreachable(
                f"{self.address} may not be opened by the hub's user: add it to the group lp. If"
                f" {printer.node()} isn't that group's, write into"
                ' /etc/udev/rules.d/70-printer.rules: SUBSYSTEM=="usb",'
                f' ATTR{{idVendor}}=="{self.vendor}", ATTR{{idProduct}}=="{self.product}",'
                ' GROUP="lp", MODE="0660", and plug it in again'
            ) from error

    def _find(self) -> PluggedPrinter:
        there = plugged_printers(self.roots)
        fits = [one for one in there if self._is(one)]
        if len(fits) == 1:
            return fits[0]
        if fits:
            exact = sorted(f"usb-raw://{one.vendor}:{one.product}?port={one.port}" for one in fits)
            raise Unreachable(
                f"{self.address} fits {len(fits)} printers: write one of {', '.join(exact)}"
            )
        others = ", ".join(one.address for one in there)
        raise Unreachable(
            f"{self.address} is not plugged in or not switched on"
            + (f"; there are: {others}" if others else "")
        )

    def _is(self, one: PluggedPrinter) -> bool:
        return (
            (one.vendor, one.product) == (self.vendor, self.product)
            and self.serial in {"", one.serial}
            and self.port in {"", one.port}
        )

    @staticmethod
    def _device(usb: Usb, printer: PluggedPrinter) -> Any:
        for device in usb.enumerate_devices():
            told = usb.get_device_descriptor(device)
            if (told.bus, told.address) == (printer.bus, printer.device):
                return device
        raise Unreachable(
            f"libusb doesn't see {printer.node()}: if that doesn't change, restart the hub"
        )


class UsbRawWire:
    """Transfers in threads of its own, each bounded in time, so that none outlives a close.

    A cancelled read loses nothing: what its transfer brings is read next.  A cancelled write may
    have sent the piece (``PIECE_BYTES``) that was under way, and sends no more.  A printer that
    takes nothing (no paper) is waited for, as long as it is there.
    """

    def __init__(
        self,
        claimed: Claimed,
        address: str,
        identity: Identity,
        there: Callable[[], bool],
        check_every_s: float = CHECK_EVERY_S,
    ) -> None:
        self.identity = identity
        self._claimed = claimed
        self._address = address
        self._there = there
        self._check_every_s = check_every_s
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="usb-raw")
        self._came = bytearray()
        self._receiving: asyncio.Future[bytes] | None = None
        self._sending: asyncio.Future[int] | None = None
        self._busy_reading = False
        self._busy_writing = False
        self._broken = ""
        self._ended = asyncio.Event()
        self._released: Future[None] | None = None

    async def read(self, max_bytes: int = 4096) -> bytes:
        if self._busy_reading:
            raise RuntimeError(f"{self._address} is being read already")
        self._busy_reading = True
        try:
            # A printer that always has something more must not keep the loop for itself.
            await asyncio.sleep(0)
            while not self._came:
                await self._receive()
            data = bytes(self._came[:max_bytes])
            del self._came[:max_bytes]
            return data
        finally:
            self._busy_reading = False

    async def write(self, data: bytes) -> None:
        if self._busy_writing:
            raise RuntimeError(f"{self._address} is being written to already")
        self._busy_writing = True
        try:
            await self._send(memoryview(data))
        finally:
            self._busy_writing = False

    async def close(self) -> None:
        if self._released is None:
            self._ended.set()
            try:
                self._released = self._threads.submit(self._claimed.release)
            except RuntimeError:  # the process is ending and has no threads any more
                self._released = Future()
                self._released.set_result(None)
                self._claimed.release()
            self._threads.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(self._released))

    # One transfer after the other ----------------------------------------------------------------

    async def _receive(self) -> None:
        self._open_or_gone()
        if not self._claimed.speaks:
            await self._pause(self._check_every_s)
            await self._still_there()
            return
        if self._receiving is None:
            self._receiving = self._in_thread(self._claimed.receive)
        came = await self._of(self._receiving)
        self._receiving = None
        self._came += came
        if not came:
            await self._pause(EMPTY_PAUSE_S)

    async def _send(self, rest: memoryview) -> None:
        if self._sending is not None:  # a cancelled write's last piece
            await self._of(self._sending)
            self._sending = None
        while rest:
            await asyncio.sleep(0)
            self._open_or_gone()
            piece = bytes(rest[:PIECE_BYTES])
            self._sending = self._in_thread(partial(self._claimed.send, piece))
            taken = await self._of(self._sending)
            self._sending = None
            rest = rest[taken:]
            if not taken:
                await self._still_there()

    def _in_thread(self, do: Callable[[], T]) -> asyncio.Future[T]:
        running = asyncio.get_running_loop().run_in_executor(self._threads, do)
        # Nobody may be there to hear of its end.
        running.add_done_callback(_heard)
        return running

    async def _of(self, transfer: asyncio.Future[T]) -> T:
        try:
            return await asyncio.shield(transfer)
        except OSError as error:
            away = error.errno == errno.ENODEV
            self._broken = "it was unplugged or switched off" if away else words(error)
            self._open_or_gone()
            raise

    async def _still_there(self) -> None:
        self._open_or_gone()
        if not await self._in_thread(self._there):
            self._broken = "it was unplugged or switched off"
        self._open_or_gone()

    async def _pause(self, pause_s: float) -> None:
        try:
            async with asyncio.timeout(pause_s):
                await self._ended.wait()
        except TimeoutError:
            return

    def _open_or_gone(self) -> None:
        if self._ended.is_set():
            raise Gone(f"{self._address} is gone: it was closed here")
        if self._broken:
            raise Gone(f"{self._address} is gone: {self._broken}")


def _heard(done: asyncio.Future[T]) -> None:
    if not done.cancelled():
        done.exception()
