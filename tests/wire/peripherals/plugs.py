"""A box's ``/dev`` and ``/sys`` in a directory, and things to plug in."""

from __future__ import annotations

import os
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


def open_fds() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))
