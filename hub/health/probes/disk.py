"""The disk that keeps the state: room, how fast it keeps a few bytes, wear."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import Final

from hub.clock import Clock
from hub.health.facts import Disk
from hub.health.probes import files

PROBE_NAME: Final = "disk-probe"
KEPT: Final = 5
CONTENT: Final = bytes(4096)


class DiskProbe:
    """``measure`` may block for as long as the disk does."""

    def __init__(self, state: Path, clock: Clock, root: Path = Path("/")) -> None:
        self._state = state
        self._clock = clock
        self._root = root
        self._took_ms: deque[int] = deque(maxlen=KEPT)

    def measure(self) -> Disk:
        """Room and wear as they are, the time to keep something as the median of five looks."""
        room = os.statvfs(self._state)
        free = room.f_bavail * room.f_frsize
        total = free + (room.f_blocks - room.f_bfree) * room.f_frsize  # as df counts
        error = self._keep() if free > 2 * len(CONTENT) else ""
        device, used = wear(self._root, self._state.stat().st_dev)
        return Disk(
            total_bytes=total,
            free_bytes=free,
            sync_ms=self._usual_ms(),
            sync_error=error,
            life_used_percent=used,
            device=device,
        )

    def _usual_ms(self) -> int | None:
        """The lower median."""
        took_ms = sorted(self._took_ms)
        return took_ms[(len(took_ms) - 1) // 2] if took_ms else None

    def _keep(self) -> str:
        """Write a block and have it kept; why it isn't, or nothing."""
        path = self._state / PROBE_NAME
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        try:
            handle = os.open(path, flags, 0o600)
            try:
                begun_s = self._clock.monotonic_s()
                os.pwrite(handle, CONTENT, 0)
                os.fsync(handle)
                self._took_ms.append(int((self._clock.monotonic_s() - begun_s) * 1000))
            finally:
                os.close(handle)
        except OSError as error:
            return error.strerror or str(error)
        return ""


def wear(root: Path, device: int) -> tuple[str, int | None]:
    """The device's name and how much of its life is used, in percent (the upper end of what it
    says, in steps of ten: JESD84-B51, DEVICE_LIFE_TIME_EST_TYP_A and _B)."""
    link = root / "sys/dev/block" / f"{os.major(device)}:{os.minor(device)}"
    try:
        block = link.resolve(strict=True)
    except OSError:
        return "", None
    if (block / "partition").exists():
        block = block.parent
    told = files.text(block / "device/life_time")
    steps = [int(one, 16) for one in (told or "").split() if one.startswith("0x")]
    known = [step for step in steps if 1 <= step <= 11]
    return block.name, min(110, 10 * max(known)) if known else None
