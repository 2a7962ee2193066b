"""Log entries on disk until they are sent: files of JSON lines, oldest first, within a bound.

A file that is full is synced and closed; the newest one is written to once a second.  At the bound
the oldest file goes, and what was in it is counted.  A disk that is nearly full is the books': what
comes then is counted only.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

FILE_MAX_BYTES: Final = 256 * 1024
LINES_MAX: Final = 500
_SUFFIX: Final = ".jsonl"


class Spool:
    """Blocks: call it in a thread.  What a killed hub left is found again.  ``least_free_bytes``
    stay free on its disk."""

    def __init__(self, folder: Path, max_bytes: int, least_free_bytes: int = 0) -> None:
        self._lock = threading.Lock()
        self._least_free_bytes = least_free_bytes
        self._folder = folder
        self._max_bytes = max_bytes
        self._next = 0
        self._open: Path | None = None
        self._open_lines = 0
        self.dropped = 0
        self.bytes = 0

    def begin(self) -> None:
        """Find what is there.  Raises OSError."""
        with self._lock:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            files = self._files()
            self._next = int(files[-1].stem) + 1 if files else 0
            self._measure()

    def append(self, records: Sequence[dict[str, Any]]) -> None:
        """Keep them.  Raises OSError; then some of them may be kept."""
        with self._lock:
            if records and shutil.disk_usage(self._folder).free < self._least_free_bytes:
                self.dropped += len(records)
                return
            for at in range(0, len(records), LINES_MAX):
                lines = records[at : at + LINES_MAX]
                text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines)
                self._write(text.encode(errors="replace"), len(lines))
            self._measure()
            self._shrink()

    def oldest(self) -> tuple[Path, list[dict[str, Any]]] | None:
        """The first file with its records; it isn't written to any more.  A line that was cut off
        by a crash is left out.  Raises OSError."""
        with self._lock:
            files = self._files()
            if not files:
                return None
            if files[0] == self._open:
                self._open, self._open_lines = None, 0
            found = []
            for line in files[0].read_bytes().splitlines():
                try:
                    found.append(json.loads(line))
                except ValueError:
                    self.dropped += 1
            return files[0], found

    def done(self, path: Path) -> None:
        """It was sent, or can't be."""
        with self._lock:
            path.unlink(missing_ok=True)
            self._measure()

    def _write(self, data: bytes, lines: int) -> None:
        if self._open is None or self._open_lines + lines > LINES_MAX:
            self._close()
            self._open = self._folder / f"{self._next:012d}{_SUFFIX}"
            self._next += 1
        with self._open.open("ab") as file:
            file.write(data)
            size = file.tell()
        self._open_lines += lines
        if size >= FILE_MAX_BYTES:
            self._close()

    def _close(self) -> None:
        path, self._open, self._open_lines = self._open, None, 0
        if path is not None and path.exists():
            with path.open("rb") as file:
                os.fsync(file.fileno())

    def _shrink(self) -> None:
        for path in self._files():
            if self.bytes <= self._max_bytes:
                return
            self.dropped += path.read_bytes().count(b"\n")
            if path == self._open:
                self._open, self._open_lines = None, 0
            path.unlink()
            self._measure()

    def _files(self) -> list[Path]:
        return sorted(path for path in self._folder.glob(f"*{_SUFFIX}") if path.stem.isdecimal())

    def _measure(self) -> None:
        self.bytes = sum(path.stat().st_size for path in self._files())
