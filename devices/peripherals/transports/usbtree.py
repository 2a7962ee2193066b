"""USB printers as sysfs shows them, whichever driver has them or none: nothing is opened here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

PRINTERS_MAX: Final = 64
INTERFACES_MAX: Final = 1024
_PRINTER_CLASS: Final = "07"
_IPP_OVER_USB: Final = "04"
"""Speaks HTTP; nothing for us."""


@dataclass(frozen=True, slots=True)
class Roots:
    """Where the system shows its devices; tests show their own."""

    dev: Path = Path("/dev")
    sys: Path = Path("/sys")


SYSTEM: Final = Roots()


@dataclass(frozen=True, slots=True)
class PluggedPrinter:
    """A device with an interface of the printer class (USB Device Class Definition for Printing
    Devices 1.1).

    ``port``: its socket, e.g. ``1-1.2``; ``bus``, ``device``: its numbers until it is unplugged;
    ``driver``: the kernel's that has the interface, empty if none has.
    """

    vendor: str
    product: str
    serial: str
    port: str
    bus: int
    device: int
    driver: str = ""
    maker: str = ""
    model: str = ""

    @property
    def address(self) -> str:
        """The stable one."""
        ids = f"usb-raw://{self.vendor}:{self.product}"
        return f"{ids}/{quote(self.serial, safe='')}" if self.serial else f"{ids}?port={self.port}"

    def node(self, roots: Roots = SYSTEM) -> Path:
        """By which it is opened."""
        return roots.dev / "bus" / "usb" / f"{self.bus:03}" / f"{self.device:03}"


def plugged_printers(roots: Roots = SYSTEM) -> list[PluggedPrinter]:
    """Those plugged in now, by socket, each device once; at most ``PRINTERS_MAX``."""
    tree = roots.sys / "bus" / "usb" / "devices"
    try:
        names = sorted(os.listdir(tree))
    except OSError:
        return []
    found: dict[str, PluggedPrinter] = {}
    for name in [name for name in names if ":" in name][:INTERFACES_MAX]:
        if said(tree / name / "bInterfaceClass") != _PRINTER_CLASS:
            continue
        if said(tree / name / "bInterfaceProtocol") == _IPP_OVER_USB:
            continue
        one = _printer(Path(os.path.realpath(tree / name)))
        if one is not None and len(found) < PRINTERS_MAX:
            found.setdefault(one.port, one)
    return list(found.values())


def _printer(interface: Path) -> PluggedPrinter | None:
    device = interface.parent
    vendor, bus, number = (said(device / name) for name in ("idVendor", "busnum", "devnum"))
    if not (vendor and bus.isdecimal() and number.isdecimal()):
        return None  # unplugged while we look
    return PluggedPrinter(
        vendor=vendor.lower(),
        product=said(device / "idProduct").lower(),
        serial=said(device / "serial"),
        port=device.name,
        bus=int(bus),
        device=int(number),
        driver=_driver(interface),
        maker=said(device / "manufacturer"),
        model=said(device / "product"),
    )


def _driver(interface: Path) -> str:
    try:
        return Path(os.readlink(interface / "driver")).name
    except OSError:
        return ""


def said(path: Path) -> str:
    """A line of sysfs; empty where there is none."""
    try:
        return path.read_bytes()[:1024].decode("utf-8", "replace").strip()
    except OSError:
        return ""
