"""A box's ``/dev`` and ``/sys`` in a directory, and things to plug in."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from devices.peripherals.transports.usblp import Roots


@dataclass
class Box:
    """Its directories are made as udev makes them: with the first thing that is plugged in."""

    root: Path

    @property
    def roots(self) -> Roots:
        return Roots(dev=self.root / "dev", sys=self.root / "sys")

    def node(self, name: str) -> Path:
        """Something below ``/dev``: a pipe in the place of a device."""
        path = self.root / "dev" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)
        return path

    def link(self, name: str, behind: Path) -> Path:
        """A name by id, e.g. ``serial/by-id/usb-…``."""
        path = self.root / "dev" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(behind)
        return path

    def usb_printer(
        self, lp: str, port: str, ids: str = "04b8:0e15", serial: str = "", model: str = ""
    ) -> Path:
        """Its node, and what sysfs says of it."""
        device = self.root / "sys" / "devices" / port
        interface = device / f"{port}:1.0"
        interface.mkdir(parents=True)
        vendor, product = ids.split(":")
        told = {"idVendor": vendor, "idProduct": product, "serial": serial, "product": model}
        for name, value in told.items():
            if value:
                (device / name).write_text(value + "\n")
        entry = self.root / "sys" / "class" / "usbmisc" / lp
        entry.mkdir(parents=True)
        (entry / "device").symlink_to(interface)
        return self.node(f"usb/{lp}")

    def raw_printer(
        self,
        port: str,
        device: int,
        ids: str = "04b8:0e15",
        serial: str = "",
        model: str = "",
        *,
        driver: str = "",
        protocol: str = "02",
    ) -> Path:
        """What sysfs says of a printer, and the node of the bus by which it is opened."""
        root = self.root / "sys" / "devices" / port
        interface = root / f"{port}:1.0"
        interface.mkdir(parents=True, exist_ok=True)
        vendor, product = ids.split(":")
        told = {"idVendor": vendor, "idProduct": product, "serial": serial, "product": model}
        told |= {"busnum": "1", "devnum": str(device)}
        for name, value in told.items():
            if value:
                (root / name).write_text(value + "\n")
        (interface / "bInterfaceClass").write_text("07\n")
        (interface / "bInterfaceProtocol").write_text(protocol + "\n")
        if driver:
            (interface / "driver").symlink_to(f"../../../bus/usb/drivers/{driver}")
        tree = self.root / "sys" / "bus" / "usb" / "devices"
        tree.mkdir(parents=True, exist_ok=True)
        for one in (root, interface):
            (tree / one.name).symlink_to(one)
        return self.node(f"bus/usb/001/{device:03}")

    def pull_out(self, port: str) -> None:
        """A raw printer."""
        tree = self.root / "sys" / "bus" / "usb" / "devices"
        number = int((tree / port / "devnum").read_text())
        (self.root / "dev" / "bus" / "usb" / "001" / f"{number:03}").unlink()
        for name in (port, f"{port}:1.0"):
            (tree / name).unlink()
        shutil.rmtree(self.root / "sys" / "devices" / port)


def open_fds() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))
