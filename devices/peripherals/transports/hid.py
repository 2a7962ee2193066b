"""Scanners that are keyboards: the raw stream of ``struct input_event`` from ``/dev/input``.

What comes is bytes as the kernel writes them (linux/input.h, 24 bytes each on 64-bit machines),
whole events in each read: recorded streams, pipes and files serve as well as a device.  A real one
is grabbed (EVIOCGRAB), so that what is scanned isn't typed into anything else.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from devices.peripherals.model import Unfit, Unreachable
from devices.peripherals.transports.fd import FdWire
from devices.peripherals.transports.opening import OPEN_TIMEOUT_S, Opener

INPUT_EVENT: Final = struct.Struct("llHHi")
"""``struct input_event``: seconds, microseconds, type, code, value; the machine's own sizes."""
EVIOCGRAB: Final = 0x40044590
_INPUT_MAJOR: Final = 13


@dataclass
class HidConnector:
    """Opens and grabs an input device by its path."""

    address: str
    path: Path
    open_timeout_s: float = OPEN_TIMEOUT_S
    _opener: Opener = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._opener = Opener(self.address, self.open_timeout_s)

    async def open(self) -> HidWire:
        fd = await self._opener.open(self._open_grabbed, os.close)
        return HidWire(fd, self.address)

    def _open_grabbed(self) -> int:
        fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            _grab(fd)
        except OSError as error:
            os.close(fd)
            if error.errno == errno.EBUSY:
                raise Unreachable(
                    f"{self.address} is in use by another program that keeps its keys to itself:"
                    " stop that one"
                ) from error
            raise
        return fd


def _grab(fd: int) -> None:
    told = os.fstat(fd)
    if stat.S_ISCHR(told.st_mode) and os.major(told.st_rdev) == _INPUT_MAJOR:
        fcntl.ioctl(fd, EVIOCGRAB, 1)


class HidWire(FdWire):
    """Read only.  Each read gives whole events, at least one, and at most ``max_bytes`` of them
    (one event if that is less)."""

    _torn = b""

    async def _read(self, max_bytes: int) -> bytes:
        most = max(max_bytes // INPUT_EVENT.size, 1) * INPUT_EVENT.size
        # A device gives whole events; a pipe may tear one.
        while True:
            data = self._torn + await super()._read(most - len(self._torn))
            whole = len(data) - len(data) % INPUT_EVENT.size
            self._torn = data[whole:]
            if whole:
                return data[:whole]

    async def write(self, data: bytes) -> None:
        raise Unfit(
            f"{self._address} is a keyboard and takes no bytes: {len(data)} were sent to it"
        )
