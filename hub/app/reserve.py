"""Disk space put by while there is enough, given back when there isn't.

Without it a disk that somebody else filled up would leave the hub unable to write down even that:
clocks, acknowledgements of the cloud, the state of devices, and at its start its own start.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from pathlib import Path

from hub.security.files import SECRET_MODE

log = logging.getLogger(__name__)

FILE_NAME = "disk.reserve"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


class Reserve:
    """A file of ``size_bytes`` that is allocated and holds nothing."""

    def __init__(self, state: Path, size_bytes: int) -> None:
        self._path = state / FILE_NAME
        self._size_bytes = size_bytes
        self._warned = False

    @property
    def held(self) -> bool:
        """True while the space is put by."""
        try:
            return self._path.stat().st_size >= self._size_bytes
        except OSError:
            return False

    def hold(self, room_bytes: int) -> bool:
        """Put the space by if ``room_bytes`` allow it; False when there is no room for it.

        A disk that has room but can't keep a reserve does not stop the shop: True, and a warning.
        """
        if self.held:
            return True
        if room_bytes < self._size_bytes:
            return False
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, SECRET_MODE)
            try:
                os.posix_fallocate(handle, 0, self._size_bytes)
            finally:
                os.close(handle)
        except OSError as error:
            self.release()
            if error.errno in NO_ROOM:
                return False
            if not self._warned:
                log.warning("no reserve of disk space can be kept: %s", error)
                self._warned = True
        return True

    def release(self) -> bool:
        """Give the space back; True if there was any."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
            return True
        return False
