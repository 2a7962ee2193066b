"""Who sets the box's clock, and whether it is set."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hub.health.facts import ClockSource

STA_UNSYNC: Final = 0x40
_TIMEX_BYTES: Final = 256
_STATUS_AT: Final = 40
"""Offset of ``status`` in ``struct timex`` where longs have eight bytes (adjtimex(2))."""

PROGRAMS: Final = (
    ("run/systemd/timesync", "systemd-timesyncd"),
    ("run/chrony/chronyd.pid", "chrony"),
    ("run/chronyd.pid", "chrony"),
    ("run/ntpd.pid", "ntpd"),
)


def kernel_is_synchronised() -> bool | None:
    """Whether the kernel counts its clock as set by somebody; None where it may not be asked."""
    if ctypes.sizeof(ctypes.c_long) != 8:
        return None
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)  # modes = 0: nothing is changed
    if ctypes.CDLL(None).adjtimex(timex) < 0:
        return None
    status = int.from_bytes(timex.raw[_STATUS_AT : _STATUS_AT + 4], "little", signed=True)
    return not status & STA_UNSYNC


def measure(
    root: Path = Path("/"), kernel: Callable[[], bool | None] = kernel_is_synchronised
) -> ClockSource:
    """The kernel's word if it may be asked, else what systemd-timesyncd left."""
    by = next((name for path, name in PROGRAMS if (root / path).exists()), "")
    synchronised = kernel()
    if synchronised is None and by == "systemd-timesyncd":
        synchronised = (root / "run/systemd/timesync/synchronized").exists()
    return ClockSource(synchronised=synchronised, by=by)
