"""A file of records that survives a power cut at any byte.

Each record is ``magic (4) · length (4) · CRC-32 (4) · payload``, integers big-endian.  Records are
only ever appended, then fsynced.  What a cut leaves half-written is always at the end, and is cut
off when the file is opened.  Bad bytes *before* good records are not a power cut but damage: the
good ones are kept, and the damaged file is copied aside for a person to look at.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from devices.kit.errors import JournalBroken, JournalInUse

_MAGIC = b"\x89SHJ"
_HEAD = struct.Struct(">4sII")
RECORD_BYTES_MAX = 1_048_576


def pack(payload: bytes) -> bytes:
    """One record."""
    if len(payload) > RECORD_BYTES_MAX:
        raise ValueError(f"a record of {len(payload)} bytes; {RECORD_BYTES_MAX} fit")
    return _HEAD.pack(_MAGIC, len(payload), zlib.crc32(payload)) + payload


@dataclass(frozen=True, slots=True)
class Scan:
    """What a file holds: the payloads, where the good part ends, and whether bytes before a good
    record were bad."""

    payloads: list[bytes]
    end: int
    damaged: bool


def scan(raw: bytes) -> Scan:
    """Read as many records as are whole."""
    payloads: list[bytes] = []
    position = end = 0
    damaged = gap = False
    while position < len(raw):
        payload = _record_at(raw, position)
        if payload is None:
            gap = True
            position = raw.find(_MAGIC, position + 1)
            if position < 0:
                break
            continue
        damaged = damaged or gap
        gap = False
        payloads.append(payload)
        position += _HEAD.size + len(payload)
        end = position
    return Scan(payloads, end, damaged)


def _record_at(raw: bytes, position: int) -> bytes | None:
    if position + _HEAD.size > len(raw):
        return None
    magic, length, crc = _HEAD.unpack_from(raw, position)
    start = position + _HEAD.size
    # Zeros where a sector was lost would be a right record of no bytes: there is none.
    if magic != _MAGIC or not 0 < length <= RECORD_BYTES_MAX or start + length > len(raw):
        return None
    payload = raw[start : start + length]
    return payload if zlib.crc32(payload) == crc else None


class JournalFile:
    """The open file; all methods block and are called from one thread at a time.

    ``size`` is the length of the good part.  After a failed write the file is cut back to it; if
    even that fails, nothing more is accepted until the file is opened again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.payloads: list[bytes] = []
        self.damaged_copy: Path | None = None
        self.size = 0
        self._broken = ""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except BlockingIOError as error:
            os.close(self._lock)
            raise JournalInUse(f"{path} is open in another process: stop that one") from error
        except OSError:
            os.close(self._lock)
            raise
        try:
            self._recover()
        except BaseException:
            self.close()
            raise

    def append(self, records: bytes) -> None:
        """Write and fsync; raises JournalBroken, and then nothing was added."""
        if self._broken:
            raise JournalBroken(self._broken)
        try:
            view = memoryview(records)
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError as error:
            self._cut_back(error)
            raise JournalBroken(f"{self.path}: {error}; free or mend the disk") from error
        self.size += len(records)

    def replace(self, payloads: Iterable[bytes]) -> None:
        """Write a new file with only ``payloads`` and put it in the old one's place."""
        beside = self.path.with_name(self.path.name + ".new")
        beside.unlink(missing_ok=True)
        records = b"".join(map(pack, payloads))
        try:
            fresh = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            try:
                view = memoryview(records)
                while view:
                    view = view[os.write(fresh, view) :]
                os.fsync(fresh)
                beside.replace(self.path)
            except OSError:
                os.close(fresh)
                beside.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise JournalBroken(f"{self.path}: {error}; free or mend the disk") from error
        os.close(self._file)
        self._file, self.size, self._broken = fresh, len(records), ""
        self._sync_folder()

    def close(self) -> None:
        os.close(self._file)
        os.close(self._lock)

    def _recover(self) -> None:
        raw = self.path.read_bytes()
        found = scan(raw)
        self.payloads, self.size = found.payloads, found.end
        if found.damaged:
            self.damaged_copy = self._free_name()
            self.damaged_copy.write_bytes(raw)
            self.replace(found.payloads)
        elif found.end < len(raw):
            os.ftruncate(self._file, found.end)
            os.fsync(self._file)
        self._sync_folder()

    def _cut_back(self, error: OSError) -> None:
        try:
            os.ftruncate(self._file, self.size)
            os.fsync(self._file)
        except OSError as worse:
            self._broken = f"{self.path}: {error}, then {worse}; restart once the disk is mended"

    def _free_name(self) -> Path:
        for number in range(1, 1000):
            path = self.path.with_name(f"{self.path.name}.damaged-{number}")
            if not path.exists():
                return path
        raise JournalBroken(f"{self.path.parent} holds 999 damaged journals: the disk is failing")

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
