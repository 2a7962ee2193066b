"""What the terminal has done, on disk before anybody is told: a line of JSON each, synced.

After a kill the last line may be torn: it was never answered for, and is dropped.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any, Final

LINE_BYTES_MAX: Final = 16_384
LINES_MAX: Final = 200_000


class JournalBroken(ValueError):
    """The file isn't a journal, or somebody changed it."""


class Journal:
    """Append-only.  Methods block: call them in a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = 0
        self._file: int | None = None

    def open(self) -> list[dict[str, Any]]:
        """All entries, oldest first; from then on it can be written to."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        raw = self._path.read_bytes()
        whole, newline, torn = raw.rpartition(b"\n")
        entries = [self._entry(line) for line in whole.split(b"\n")] if newline else []
        if torn:
            os.ftruncate(self._file, len(raw) - len(torn))
            os.fsync(self._file)
        self._lines = len(entries)
        return entries

    def append(self, entry: dict[str, Any]) -> None:
        """Returns when it is on disk."""
        assert self._file is not None, "the journal isn't open"
        if self._lines >= LINES_MAX:
            raise JournalBroken(f"{self._path} has {LINES_MAX} lines: move it away")
        text = json.dumps(entry, separators=(",", ":"))
        line = f"{zlib.crc32(text.encode()):08x} {text}\n".encode()
        assert len(line) <= LINE_BYTES_MAX
        os.write(self._file, line)
        os.fsync(self._file)
        self._lines += 1

    def close(self) -> None:
        """Safe to call twice."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _entry(self, line: bytes) -> dict[str, Any]:
        checksum, _, text = line.partition(b" ")
        if checksum != b"%08x" % zlib.crc32(text):
            raise JournalBroken(f"{self._path} has a line that nobody wrote so")
        found = json.loads(text)
        if not isinstance(found, dict):
            raise JournalBroken(f"{self._path} has a line that is no entry")
        return found
