"""Serial lines, real ones and those of USB adapters, by pyserial's port.

pyserial sets the line up and locks it (an open in a thread); from then on the loop drives its
descriptor.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios
import time
from dataclasses import dataclass, field
from typing import Final, Literal

from devices.peripherals.model import Unreachable
from devices.peripherals.transports.fd import FdWire
from devices.peripherals.transports.opening import OPEN_TIMEOUT_S, Opener

BAUDS: Final = (1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400)
DRAIN_S: Final = 2.0
_DRAIN_STEP_S: Final = 0.02

Parity = Literal["n", "e", "o"]
Flow = Literal["none", "rtscts", "xonxoff"]


@dataclass(frozen=True, slots=True)
class Line:
    """How bytes are on the line; the defaults are most devices' own."""

    baud: int = 9600
    bits: int = 8
    parity: Parity = "n"
    stop: int = 1
    flow: Flow = "none"


@dataclass
class SerialConnector:
    """Opens, locks and sets up a line by its path (use ``/dev/serial/by-id/``: it stays)."""

    address: str
    path: str
    line: Line = Line()
    open_timeout_s: float = OPEN_TIMEOUT_S
    _opener: Opener = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._opener = Opener(self.address, self.open_timeout_s)

    async def open(self) -> FdWire:
        fd = await self._opener.open(self._open_line, release)
        return FdWire(fd, self.address, release=release)

    def _open_line(self) -> int:
        import serial

        try:
            port = serial.Serial(
                self.path,
                baudrate=self.line.baud,
                bytesize=self.line.bits,
                parity=self.line.parity.upper(),
                stopbits=self.line.stop,
                rtscts=self.line.flow == "rtscts",
                xonxoff=self.line.flow == "xonxoff",
                timeout=0,
                write_timeout=0,
                exclusive=True,
            )
        except serial.SerialException as error:
            if error.errno is None:
                raise Unreachable(
                    f"{self.address} is no serial line, or can't be set up as one: {error}"
                ) from error
            raise OSError(error.errno, os.strerror(error.errno)) from error
        except (ValueError, termios.error) as error:
            raise self._unfit(error) from error
        try:
            _wait_for_bytes(port.fileno())
            with contextlib.suppress(OSError):
                # pyserial's lock is heard by those who ask for it; this by all but root.
                fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
            # The same open line, lock included, without pyserial's pipes for its own waiting.
            return os.dup(port.fileno())
        except termios.error as error:
            raise self._unfit(error) from error
        finally:
            port.close()

    def _unfit(self, error: Exception) -> Unreachable:
        return Unreachable(f"{self.address} can't be set up so: {error}")


def _wait_for_bytes(fd: int) -> None:
    """pyserial has the kernel answer a read with nothing (VMIN 0): that would look like the end."""
    told = termios.tcgetattr(fd)
    told[6][termios.VMIN] = 1
    termios.tcsetattr(fd, termios.TCSANOW, told)


def release(fd: int) -> None:
    """Close a line; waits ``DRAIN_S`` at most for what is still to go out.

    Linux itself would wait thirty seconds for a device that holds its flow control.
    """
    with contextlib.suppress(OSError, termios.error):
        for _ in range(int(DRAIN_S / _DRAIN_STEP_S)):
            waiting = fcntl.ioctl(fd, termios.TIOCOUTQ, struct.pack("i", 0))
            if struct.unpack("i", waiting)[0] == 0:
                break
            time.sleep(_DRAIN_STEP_S)
        else:
            termios.tcflush(fd, termios.TCOFLUSH)
    os.close(fd)
