"""USB printers by the kernel's printer class driver: ``/dev/usb/lp*``.

``usb://04b8:0e15/X1AB…`` names a printer by what it says of itself (vendor, product, serial
number), so that it keeps its name in whichever socket it is; ``?port=1-1.2`` by the socket, for
twins without serial numbers; ``usb:///dev/usb/lp0`` whichever came first.  Where there is no such
driver: :mod:`devices.peripherals.transports.usbraw`.
"""

from __future__ import annotations

import asyncio
import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from devices.peripherals.model import Gone, Unreachable
from devices.peripherals.transports.fd import CHECK_EVERY_S, FdWire
from devices.peripherals.transports.opening import OPEN_TIMEOUT_S, Opener
from devices.peripherals.transports.usbtree import (
    PRINTERS_MAX,
    SYSTEM,
    PluggedPrinter,
    Roots,
    plugged_printers,
    said,
)

__all__ = ["PRINTERS_MAX", "SYSTEM", "Roots", "UsbConnector", "UsbPrinter", "usb_printers"]


@dataclass(frozen=True, slots=True)
class UsbPrinter:
    """One printer of the kernel's printer class, as its descriptors say.

    ``node``: ``/dev/usb/lp0``; ``port``: where it is plugged in, e.g. ``1-1.2``; ``ieee1284``: the
    printer's own words of itself (IEEE 1284 device id), empty when it says none.
    """

    node: Path
    vendor: str
    product: str
    serial: str
    port: str
    maker: str = ""
    model: str = ""
    ieee1284: str = ""

    @property
    def address(self) -> str:
        """The stable one."""
        ids = f"usb://{self.vendor}:{self.product}"
        return f"{ids}/{quote(self.serial, safe='')}" if self.serial else f"{ids}?port={self.port}"


def usb_printers(roots: Roots = SYSTEM) -> list[UsbPrinter]:
    """Those plugged in now, by node; at most ``PRINTERS_MAX``."""
    try:
        names = sorted(os.listdir(roots.sys / "class" / "usbmisc"))
    except OSError:
        return []
    found = []
    for name in [name for name in names if name.startswith("lp")][:PRINTERS_MAX]:
        # The interface; its device is the directory above it.
        interface = Path(os.path.realpath(roots.sys / "class" / "usbmisc" / name / "device"))
        device = interface.parent
        if not (vendor := said(device / "idVendor")):
            continue  # unplugged while we look
        found.append(
            UsbPrinter(
                node=roots.dev / "usb" / name,
                vendor=vendor.lower(),
                product=said(device / "idProduct").lower(),
                serial=said(device / "serial"),
                port=device.name,
                maker=said(device / "manufacturer"),
                model=said(device / "product"),
                ieee1284=said(interface / "ieee1284_id"),
            )
        )
    return found


@dataclass
class UsbConnector:
    """``node`` if the settings name the node; else ``vendor``, ``product`` (four hexadecimal
    digits each) and, if given, ``serial`` or ``port`` say which."""

    address: str
    node: Path | None = None
    vendor: str = ""
    product: str = ""
    serial: str = ""
    port: str = ""
    roots: Roots = SYSTEM
    open_timeout_s: float = OPEN_TIMEOUT_S
    _opener: Opener = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._opener = Opener(self.address, self.open_timeout_s)

    async def open(self) -> FdWire:
        node, fd = await self._opener.open(self._open_node, lambda made: os.close(made[1]))
        return UsbWire(fd, self.address, node)

    def _open_node(self) -> tuple[Path, int]:
        node = self.node if self.node is not None else self._find().node
        return node, os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)

    def _find(self) -> UsbPrinter:
        there = usb_printers(self.roots)
        fits = [one for one in there if self._is(one)]
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise Unreachable(
                f"{self.address} fits {len(fits)} printers: write one of"
                f" {', '.join(sorted(self._exact(one) for one in fits))}"
            )
        for raw in plugged_printers(self.roots):
            if self._is(raw) and raw.driver != "usblp":
                raise Unreachable(
                    f"{self.address} is plugged in, but not with the driver usblp: modprobe usblp,"
                    f" or give it the address {raw.address}"
                )
        others = ", ".join(one.address for one in there)
        raise Unreachable(
            f"{self.address} is not plugged in or not switched on"
            + (f"; there are: {others}" if others else "")
        )

    def _is(self, one: UsbPrinter | PluggedPrinter) -> bool:
        return (
            (one.vendor, one.product) == (self.vendor, self.product)
            and self.serial in {"", one.serial}
            and self.port in {"", one.port}
        )

    @staticmethod
    def _exact(one: UsbPrinter) -> str:
        return f"usb://{one.vendor}:{one.product}?port={one.port}"


class UsbWire(FdWire):
    """The kernel's usblp: a printer that can only be written to refuses to be read (EINVAL); a
    packet of nothing isn't the end; a write is out when the descriptor is writable again."""

    def __init__(
        self, fd: int, address: str, node: Path, check_every_s: float = CHECK_EVERY_S
    ) -> None:
        self._node = node
        super().__init__(
            fd,
            address,
            check=self._still_there,
            empty_is_end=False,
            write_settles=True,
            check_every_s=check_every_s,
        )

    def _still_there(self) -> None:
        if not os.path.lexists(self._node):
            raise Gone(f"{self._address} is gone: it was unplugged or switched off")

    async def _unreadable(self, error: OSError) -> bool:
        if error.errno != errno.EINVAL:
            return False
        self._still_there()
        await asyncio.sleep(self._check_every_s)
        return True
