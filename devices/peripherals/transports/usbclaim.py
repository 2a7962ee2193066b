"""Takes the printer's interface of a USB device for this process, by libusb, and gives it back.

All of it blocks: it is called in threads.  pyusb's backends are spoken to directly, for its devices
claim interfaces by themselves: asking the second interface for its device id would take the first.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import threading
from array import array
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, Protocol

from devices.peripherals.model import Unreachable

log = logging.getLogger(__name__)

PIECE_BYTES: Final = 2048
"""Of one transfer; small enough that a slow printer takes it within the time-out."""
SEND_TIMEOUT_MS: Final = 2000
RECEIVE_BYTES: Final = 4096
"""Whole packets of any speed: a device may fill the last one."""
RECEIVE_TIMEOUT_MS: Final = 500
ASK_TIMEOUT_MS: Final = 1000
RELEASE_WAIT_S: Final = 10.0
"""For the transfers under way, which end by themselves long before."""
_LIBRARY: Final = "libusb-1.0.so.0"
_PRINTER_CLASS: Final = 7
_PROTOCOLS: Final = (2, 1, 3)
"""Bidirectional, unidirectional, IEEE 1284.4 (used without its packets), the best first."""
_ENDPOINT_IN: Final = 0x80
_BULK: Final = 2
_GET_DEVICE_ID: Final = (0xA1, 0)
_DEVICE_ID_BYTES: Final = 1023


class Usb(Protocol):
    """What is used of ``usb.backend.IBackend``; its errors are OSError with an errno."""

    def enumerate_devices(self) -> Iterable[Any]: ...
    def get_device_descriptor(self, dev: Any) -> Any: ...
    def get_configuration_descriptor(self, dev: Any, config: int) -> Any: ...
    def get_interface_descriptor(self, dev: Any, intf: int, alt: int, config: int) -> Any: ...
    def get_endpoint_descriptor(
        self, dev: Any, ep: int, intf: int, alt: int, config: int
    ) -> Any: ...
    def open_device(self, dev: Any) -> Any: ...
    def close_device(self, dev_handle: Any) -> None: ...
    def get_configuration(self, dev_handle: Any) -> int: ...
    def set_configuration(self, dev_handle: Any, config_value: int) -> None: ...
    def set_interface_altsetting(self, dev_handle: Any, intf: int, altsetting: int) -> None: ...
    def claim_interface(self, dev_handle: Any, intf: int) -> None: ...
    def release_interface(self, dev_handle: Any, intf: int) -> None: ...
    def bulk_write(
        self, dev_handle: Any, ep: int, intf: int, data: array[int], timeout: int
    ) -> int: ...
    def bulk_read(
        self, dev_handle: Any, ep: int, intf: int, buff: array[int], timeout: int
    ) -> int: ...
    def ctrl_transfer(
        self,
        handle: Any,
        kind: int,
        request: int,
        value: int,
        index: int,
        data: array[int],
        timeout: int,
        /,
    ) -> int: ...
    def clear_halt(self, dev_handle: Any, ep: int) -> None: ...
    def is_kernel_driver_active(self, dev_handle: Any, intf: int) -> bool: ...
    def detach_kernel_driver(self, dev_handle: Any, intf: int) -> None: ...
    def attach_kernel_driver(self, dev_handle: Any, intf: int) -> None: ...


def libusb() -> Usb:
    """This system's.  Errors: :class:`Unreachable` with what to install."""
    try:
        ctypes.CDLL(_LIBRARY)
        from usb.backend import libusb1
    except (OSError, ImportError) as error:
        missing = "libusb-1.0-0" if isinstance(error, OSError) else "pyusb (pip)"
        raise Unreachable(f"raw USB takes a library that is missing: install {missing}") from error
    backend: Usb | None = libusb1.get_backend(find_library=lambda _name: _LIBRARY)
    if backend is None:
        raise Unreachable("libusb can't begin: does this box have USB, and is /dev/bus/usb there?")
    return backend


@dataclass(frozen=True, slots=True)
class Way:
    """Into and out of a printer: numbers of its descriptors.  ``back``: None where it can only be
    written to; ``alternates``: how many settings its interface has."""

    configuration: int
    interface: int
    setting: int
    alternates: int
    out: int
    back: int | None


class Claimed:
    """An interface that is ours until :meth:`release`; one sender and one receiver at a time."""

    def __init__(
        self, usb: Usb, handle: Any, way: Way, device_id: str, undo: Callable[[], None]
    ) -> None:
        self.device_id = device_id
        self._usb = usb
        self._handle = handle
        self._way = way
        self._undo = undo
        self._sending = threading.Lock()
        self._receiving = threading.Lock()
        self._ended = False

    @property
    def speaks(self) -> bool:
        """Whether it can be read."""
        return self._way.back is not None

    def send(self, piece: bytes) -> int:
        """How much of it was taken within the time-out.  Errors: OSError; some may be out."""
        with self._sending:
            self._still_ours()
            data = array("B", piece)
            write = self._usb.bulk_write
            return self._moved(write, self._way.out, data, SEND_TIMEOUT_MS)

    def receive(self) -> bytes:
        """What came, nothing after the time-out.  Errors: OSError."""
        assert self._way.back is not None
        with self._receiving:
            self._still_ours()
            data = array("B", bytes(RECEIVE_BYTES))
            read = self._usb.bulk_read
            return data[: self._moved(read, self._way.back, data, RECEIVE_TIMEOUT_MS)].tobytes()

    def _moved(
        self,
        move: Callable[[Any, int, int, array[int], int], int],
        endpoint: int,
        data: array[int],
        timeout_ms: int,
    ) -> int:
        try:
            return move(self._handle, endpoint, self._way.interface, data, timeout_ms)
        except OSError as error:
            if error.errno == errno.ETIMEDOUT:
                return 0
            if error.errno == errno.EPIPE:  # it stalled: whoever opens it next finds it free
                _quietly("clear", self._usb.clear_halt, self._handle, endpoint)
            raise

    def _still_ours(self) -> None:
        if self._ended:
            raise OSError(errno.ENODEV, "given back already")

    def release(self) -> None:
        """Give it back, to its driver if one had it.  Waits for what is under way; never raises;
        nothing at the second time."""
        if self._ended:
            return
        self._ended = True
        both = (self._sending, self._receiving)
        idle = [lock.acquire(timeout=RELEASE_WAIT_S) for lock in both]
        for lock, ours in zip(both, idle, strict=True):
            if ours:
                lock.release()
        if all(idle):
            self._undo()
        else:
            log.error("A USB transfer doesn't end; its printer stays claimed. Restart the hub")


def claim(usb: Usb, device: Any) -> Claimed:
    """Errors: OSError; :class:`Unreachable` for one that has no way in.  Nothing of it stays."""
    with ExitStack() as undo:
        handle = usb.open_device(device)
        undo.callback(_quietly, "close", usb.close_device, handle)
        way = find_way(usb, device, _configuration(usb, device, handle))
        if _taken_from_kernel(usb, handle, way.interface):
            give = usb.attach_kernel_driver
            undo.callback(_quietly, "give back", give, handle, way.interface)
        usb.claim_interface(handle, way.interface)
        undo.callback(_quietly, "release", usb.release_interface, handle, way.interface)
        if way.alternates > 1:
            usb.set_interface_altsetting(handle, way.interface, way.setting)
        said = _device_id(usb, handle, way)
        return Claimed(usb, handle, way, said, undo.pop_all().close)


def find_way(usb: Usb, device: Any, configuration: int) -> Way:
    """The best of its printer interfaces.  Errors: :class:`Unreachable`."""
    ways: list[tuple[int, Way]] = []
    described = usb.get_configuration_descriptor(device, configuration)
    for index in range(described.bNumInterfaces):
        settings = _settings(usb, device, index, configuration)
        for alternate, one in enumerate(settings):
            if one.bInterfaceClass != _PRINTER_CLASS or one.bInterfaceProtocol not in _PROTOCOLS:
                continue
            ends = [
                usb.get_endpoint_descriptor(device, end, index, alternate, configuration)
                for end in range(one.bNumEndpoints)
            ]
            bulk = [end.bEndpointAddress for end in ends if end.bmAttributes & 3 == _BULK]
            out = next((end for end in bulk if not end & _ENDPOINT_IN), None)
            back = next((end for end in bulk if end & _ENDPOINT_IN), None)
            if out is None:
                continue
            if one.bInterfaceProtocol == 1:
                back = None
            number, setting = one.bInterfaceNumber, one.bAlternateSetting
            way = Way(configuration, number, setting, len(settings), out, back)
            ways.append((_PROTOCOLS.index(one.bInterfaceProtocol), way))
    if not ways:
        raise Unreachable("it has no printer interface that takes bytes (class 7, bulk)")
    return min(ways, key=lambda one: one[0])[1]


def _settings(usb: Usb, device: Any, index: int, configuration: int) -> list[Any]:
    found: list[Any] = []
    try:
        while len(found) < 256:
            found.append(usb.get_interface_descriptor(device, index, len(found), configuration))
    except IndexError:
        pass  # that was the last one
    return found


def _configuration(usb: Usb, device: Any, handle: Any) -> int:
    """The index of the active one; the first is chosen where there is none."""
    count = usb.get_device_descriptor(device).bNumConfigurations
    values = [
        usb.get_configuration_descriptor(device, index).bConfigurationValue
        for index in range(count)
    ]
    active = usb.get_configuration(handle)
    if active in values:
        return values.index(active)
    usb.set_configuration(handle, values[0])
    return 0


def _taken_from_kernel(usb: Usb, handle: Any, interface: int) -> bool:
    try:
        if not usb.is_kernel_driver_active(handle, interface):
            return False
        usb.detach_kernel_driver(handle, interface)
    except NotImplementedError:
        return False
    except OSError as error:
        if error.errno != errno.ENOENT:  # its driver has let go of it meanwhile
            raise
        return False
    return True


def _device_id(usb: Usb, handle: Any, way: Way) -> str:
    """GET_DEVICE_ID; empty where it says nothing, which some printers do."""
    data = array("B", bytes(_DEVICE_ID_BYTES))
    where = way.interface << 8 | way.setting
    try:
        count = usb.ctrl_transfer(
            handle, *_GET_DEVICE_ID, way.configuration, where, data, ASK_TIMEOUT_MS
        )
    except OSError as error:
        log.debug("A USB printer doesn't say what it is: %s", error)
        return ""
    # Its first two bytes are its length, which not every printer gets right.
    return data[2:count].tobytes().decode("utf-8", "replace").strip("\0 \r\n")


def _quietly(what: str, do: Callable[..., object], *args: object) -> None:
    """On the way out: a device that is gone can't be given back."""
    try:
        do(*args)
    except (OSError, NotImplementedError) as error:
        gone = isinstance(error, OSError) and error.errno in {errno.ENODEV, errno.ENOENT}
        log.log(logging.DEBUG if gone else logging.INFO, "USB: can't %s: %s", what, error)
