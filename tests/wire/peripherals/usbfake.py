"""A USB bus for pyusb: printers that take, answer, stop and vanish as they are told."""

from __future__ import annotations

import errno
import threading
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from usb.backend import IBackend
from usb.core import USBError, USBTimeoutError

OUT, BACK = 0x02, 0x81


def refused(number: int) -> USBError:
    """As libusb's errors come by pyusb."""
    return USBError("refused", -1, number)


def late() -> USBTimeoutError:
    """Nothing moved in time."""
    return USBTimeoutError("timed out", -7, errno.ETIMEDOUT)


@dataclass
class FakePrinter:
    """``interfaces``: of its one configuration, each the settings (class, protocol).  ``driver``:
    the kernel's that has the interface.  ``takes``: how much each transfer takes, the last one
    again and again; 0 is a time-out."""

    bus: int
    address: int
    interfaces: list[list[tuple[int, int]]] = field(default_factory=lambda: [[(7, 2)]])
    driver: str = ""
    device_id: bytes = b""
    configured: bool = True
    refusing: dict[str, int] = field(default_factory=dict)
    """What it refuses: the call, and by which errno."""
    takes: list[int] = field(default_factory=lambda: [1 << 20])
    paper: bytearray = field(default_factory=bytearray)
    transfers: list[int] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    claimed: set[int] = field(default_factory=set)
    opened: int = 0
    gone: bool = False
    sending: threading.Event = field(default_factory=threading.Event)
    may_send: threading.Event = field(default_factory=threading.Event)
    _answers: list[bytes] = field(default_factory=list)
    _moved: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.may_send.set()

    def answer(self, data: bytes) -> None:
        """One transfer on its way to whoever reads."""
        with self._moved:
            self._answers.append(data)
            self._moved.notify_all()

    def unplug(self) -> None:
        with self._moved:
            self.gone = True
            self._moved.notify_all()

    def asked(self, call: str) -> None:
        self.calls.append(call)
        if self.gone:
            raise refused(errno.ENODEV)
        if call in self.refusing:
            raise refused(self.refusing[call])

    def take(self, data: bytes) -> int:
        self.asked("write")
        self.sending.set()
        self.may_send.wait(30)
        if self.gone:
            raise refused(errno.ENODEV)
        room = self.takes.pop(0) if len(self.takes) > 1 else self.takes[0]
        if not room:
            threading.Event().wait(0.01)
            raise late()
        taken = data[:room]
        self.transfers.append(len(taken))
        self.paper += taken
        return len(taken)

    def give(self) -> bytes:
        with self._moved:
            self._moved.wait_for(lambda: self._answers or self.gone, 0.02)
            if self.gone:
                raise refused(errno.ENODEV)
            if not self._answers:
                raise late()
            return self._answers.pop(0)


class FakeUsb(IBackend):  # type: ignore[misc]
    """See the module's text; ``printers`` are its devices, and their handles."""

    def __init__(self, *printers: FakePrinter) -> None:
        super().__init__()
        self.printers = list(printers)

    def enumerate_devices(self) -> Iterator[FakePrinter]:
        return iter([one for one in self.printers if not one.gone])

    def get_device_descriptor(self, dev: FakePrinter) -> Any:
        return SimpleNamespace(bus=dev.bus, address=dev.address, bNumConfigurations=1)

    def get_configuration_descriptor(self, dev: FakePrinter, config: int) -> Any:
        return SimpleNamespace(bNumInterfaces=len(dev.interfaces), bConfigurationValue=1)

    def get_interface_descriptor(self, dev: FakePrinter, intf: int, alt: int, config: int) -> Any:
        class_, protocol = dev.interfaces[intf][alt]
        return SimpleNamespace(
            bInterfaceClass=class_,
            bInterfaceProtocol=protocol,
            bInterfaceNumber=intf,
            bAlternateSetting=alt,
            bNumEndpoints=1 if protocol == 1 else 2,
        )

    def get_endpoint_descriptor(
        self, dev: FakePrinter, ep: int, intf: int, alt: int, config: int
    ) -> Any:
        return SimpleNamespace(bEndpointAddress=(OUT, BACK)[ep], bmAttributes=2)

    def open_device(self, dev: FakePrinter) -> FakePrinter:
        dev.asked("open")
        dev.opened += 1
        return dev

    def close_device(self, dev_handle: FakePrinter) -> None:
        dev_handle.opened -= 1

    def get_configuration(self, dev_handle: FakePrinter) -> int:
        return 1 if dev_handle.configured else 0

    def set_configuration(self, dev_handle: FakePrinter, config_value: int) -> None:
        dev_handle.asked(f"configure {config_value}")
        dev_handle.configured = True

    def set_interface_altsetting(self, dev_handle: FakePrinter, intf: int, altsetting: int) -> None:
        dev_handle.asked(f"set {intf} {altsetting}")

    def claim_interface(self, dev_handle: FakePrinter, intf: int) -> None:
        dev_handle.asked("claim")
        if dev_handle.driver:
            raise refused(errno.EBUSY)
        dev_handle.claimed.add(intf)

    def release_interface(self, dev_handle: FakePrinter, intf: int) -> None:
        dev_handle.claimed.discard(intf)
        dev_handle.asked("release")

    def bulk_write(
        self, dev_handle: FakePrinter, ep: int, intf: int, data: array[int], timeout: int
    ) -> int:
        assert (ep, timeout > 0) == (OUT, True)
        assert intf in dev_handle.claimed
        return dev_handle.take(data.tobytes())

    def bulk_read(
        self, dev_handle: FakePrinter, ep: int, intf: int, buff: array[int], timeout: int
    ) -> int:
        assert (ep, timeout > 0) == (BACK, True)
        assert intf in dev_handle.claimed
        data = dev_handle.give()
        assert len(data) <= len(buff)
        buff[: len(data)] = array("B", data)
        return len(data)

    def ctrl_transfer(
        self,
        dev_handle: FakePrinter,
        bmRequestType: int,  # noqa: N803
        bRequest: int,  # noqa: N803
        wValue: int,  # noqa: N803
        wIndex: int,  # noqa: N803
        data: array[int],
        timeout: int,
    ) -> int:
        assert (bmRequestType, bRequest, wValue) == (0xA1, 0, 0)
        assert wIndex >> 8 in dev_handle.claimed
        dev_handle.asked("device id")
        whole = (len(dev_handle.device_id) + 2).to_bytes(2, "big") + dev_handle.device_id
        data[: len(whole)] = array("B", whole)
        return len(whole)

    def clear_halt(self, dev_handle: FakePrinter, ep: int) -> None:
        dev_handle.asked(f"clear {ep:02x}")

    def is_kernel_driver_active(self, dev_handle: FakePrinter, intf: int) -> bool:
        # libusb doesn't count another program.
        return dev_handle.driver not in {"", "usbfs"}

    def detach_kernel_driver(self, dev_handle: FakePrinter, intf: int) -> None:
        dev_handle.asked("detach")
        dev_handle.driver = ""

    def attach_kernel_driver(self, dev_handle: FakePrinter, intf: int) -> None:
        dev_handle.asked("attach")
        dev_handle.driver = "usblp"
