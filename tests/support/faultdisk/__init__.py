"""A disk that can lose power, fail and fill up, under the SQLite that the hub runs on.

::

    disk = FaultDisk(tmp_path)              # before the first file below it is opened
    conn = open_database(tmp_path / "hub.db")
    disk.fail(Op.SYNC, nth=3)               # the third sync from now fails, once
    disk.fail(Op.ALL, nth=120, times=None)  # power is going: nothing works from there on
    disk.cut(seed=7)                        # what the platters hold; ``conn`` is dead now
    conn = open_database(tmp_path / "hub.db")
    disk.close()

The shim is a VFS compiled from ``faultdisk.c`` (its head says what is modelled) and becomes the
process's default.  It watches files below a disk's directory and leaves all others to SQLite's own
VFS.  Many disks may be in use at once.  Only files that SQLite opens are seen: what Python writes
by itself, and files replaced while nobody has them open, count as durable.

The same seed, operations and paths below the directory give the same result in any process (and
with :meth:`FaultDisk.seed_sqlite` the same bytes).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from pathlib import Path
from types import TracebackType
from typing import Self

from hub.storage import sqlite
from tests.support.faultdisk.build import NoCompiler, built

__all__ = ["Counts", "Cut", "Fault", "FaultDisk", "Files", "NoCompiler", "Op"]


class Op(IntFlag):
    """Kinds of operations; they combine."""

    OPEN = 1
    READ = 2
    WRITE = 4
    SYNC = 8
    TRUNCATE = 16
    DELETE = 32
    LOCK = 64
    """Locks of the file itself: taken at opening, in log mode hardly ever afterwards."""
    SHM = 128
    """The log's index in shared memory grows by 32 KiB."""
    CHANGES = WRITE | SYNC | TRUNCATE | DELETE
    ALL = CHANGES | OPEN | READ | LOCK | SHM


class Files(IntFlag):
    """Which files; they combine."""

    DB = 1
    WAL = 2
    JOURNAL = 4
    OTHER = 8
    ANY = 15


class Fault(IntEnum):
    """What the operation meets.  In brackets, what SQLite makes of it."""

    EIO = 1
    """Any operation (IOERR of its kind; CANTOPEN at opening). A sync loses what it was to write."""
    ENOSPC = 2
    """Writes and truncates (FULL), creating a file (CANTOPEN), syncs and shared memory (IOERR)."""
    SHORT_READ = 3
    """Half of what was asked for, then the file's end (zeros, as SQLite reads past an end)."""
    SHORT_WRITE = 4
    """Half is written, then the disk is full (FULL)."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Operations per kind."""

    open: int
    read: int
    write: int
    sync: int
    truncate: int
    delete: int
    lock: int
    shm: int

    @property
    def total(self) -> int:
        """All of them."""
        names = ("open", "read", "write", "sync", "truncate", "delete", "lock", "shm")
        return sum(int(getattr(self, name)) for name in names)


@dataclass(frozen=True, slots=True)
class Cut:
    """What became of the sectors that were written but not synced, and of unsynced names."""

    kept: int
    lost: int
    torn: int
    files_gone: int
    """Created, never synced, not there any more."""
    files_back: int
    """Deleted without a sync of the directory, there again."""


class _Library:
    """The compiled disk's functions."""

    def __init__(self, path: Path) -> None:
        lib = ctypes.CDLL(str(path))
        int64s = ctypes.POINTER(ctypes.c_int64)
        double, number = ctypes.c_double, ctypes.c_int64
        self.open = lib.faultdisk_open
        self.open.argtypes = [ctypes.c_char_p, ctypes.c_int]
        self.close = lib.faultdisk_close
        self.close.argtypes = [ctypes.c_int]
        self.fail = lib.faultdisk_fail
        self.fail.argtypes = [
            ctypes.c_int,
            ctypes.c_int,
            number,
            ctypes.c_int,
            number,
            ctypes.c_int,
        ]
        self.clear = lib.faultdisk_clear
        self.clear.argtypes = [ctypes.c_int]
        self.counts = lib.faultdisk_counts
        self.counts.argtypes = [ctypes.c_int, int64s, int64s]
        self.cut = lib.faultdisk_cut
        self.cut.argtypes = [ctypes.c_int, ctypes.c_uint64, ctypes.c_int, double, double, int64s]
        self.kill = lib.faultdisk_kill
        self.kill.argtypes = [ctypes.c_int]
        self.seed = lib.faultdisk_seed
        self.seed.argtypes = [ctypes.c_uint64, ctypes.c_int]
        for function in (self.close, self.clear, self.counts, self.cut, self.kill, self.seed):
            function.restype = None


_loaded: list[_Library] = []
_KINDS = 8
_UINT64 = (1 << 64) - 1


class FaultDisk:
    """Everything SQLite keeps below one directory, until :meth:`close`.

    ``track=False`` leaves power cuts out and saves their price (a read before each first write of a
    block): faults can still be injected, and a cut then loses nothing.
    """

    @staticmethod
    def install() -> None:
        """Make the shim this process's default VFS; again: nothing happens.

        Errors: :class:`NoCompiler`.
        """
        if _loaded:
            return
        library = built()
        conn = sqlite.connect(":memory:")
        try:
            conn.enable_load_extension(True)
            conn.load_extension(str(library))
        finally:
            conn.close()
        _loaded.append(_Library(library))

    @classmethod
    def seed_sqlite(cls, seed: int | None) -> None:
        """Draw SQLite's own random numbers (the salts of a log) from ``seed``, process-wide.

        Call it at the beginning of what is to have the same bytes again; None gives chance back.
        """
        cls.install()
        _loaded[0].seed((seed or 0) & _UINT64, int(seed is not None))

    def __init__(self, directory: Path, *, track: bool = True) -> None:
        self.install()
        self._lib = _loaded[0]
        prefix = str(directory.resolve()).rstrip("/") + "/"
        self._slot: int = self._lib.open(prefix.encode(), int(track))
        if self._slot < 0:
            raise RuntimeError("256 faulty disks are open: close those that aren't needed any more")

    def fail(
        self,
        ops: Op,
        *,
        nth: int = 1,
        fault: Fault = Fault.EIO,
        times: int | None = 1,
        files: Files = Files.ANY,
    ) -> None:
        """Let the ``nth`` of such operations from now on fail, and ``times`` - 1 after it.

        ``times=None``: all after it.  Up to 8 such orders stand until :meth:`clear`; each counts
        for itself, and the first that wants to fail an operation does.
        """
        assert self._slot >= 0, "this disk is closed"
        assert nth > 0
        assert times is None or times > 0
        if not self._lib.fail(self._slot, int(ops), nth, int(fault), times or 0, int(files)):
            raise ValueError(f"{ops!r} can't meet {fault!r}, or 8 faults are ordered already")

    def clear(self) -> None:
        """Heal: nothing more fails by order.  What a failed sync lost stays lost."""
        assert self._slot >= 0, "this disk is closed"
        self._lib.clear(self._slot)

    def fired(self) -> int:
        """How many operations were made to fail since the disk was made."""
        return self.fired_by_kind().total

    def fired_by_kind(self) -> Counts:
        """The same per kind."""
        return self._counts()[1]

    def counts(self) -> Counts:
        """All operations since the disk was made, those that failed too."""
        return self._counts()[0]

    def _counts(self) -> tuple[Counts, Counts]:
        assert self._slot >= 0, "this disk is closed"
        done, fired = (ctypes.c_int64 * _KINDS)(), (ctypes.c_int64 * _KINDS)()
        self._lib.counts(self._slot, done, fired)
        return Counts(*done), Counts(*fired)

    def cut(
        self,
        seed: int,
        *,
        sector_bytes: int = 512,
        keep_probability: float = 0.5,
        torn_share: float = 0.125,
    ) -> Cut:
        """The power fails, and comes back.

        Each unsynced sector is kept with ``keep_probability``, independently; of those,
        ``torn_share`` only in part.  Synced bytes are never touched.  Faults by order stay in
        force: :meth:`clear` them.  Connections from before are dead: whatever they are asked, they
        fail and change nothing; they may be closed at leisure.
        """
        assert sector_bytes in {512, 4096}
        found = (ctypes.c_int64 * 5)()
        self._lib.cut(self._slot, seed & _UINT64, sector_bytes, keep_probability, torn_share, found)
        return Cut(*found)

    def kill(self) -> None:
        """The process dies, the machine stays up: connections are dead, what they wrote is there.

        Unsynced sectors stay unsynced: a later :meth:`cut` may still take them.
        """
        self._lib.kill(self._slot)

    def close(self) -> None:
        """Stop watching.  Connections that are still open are dead from now on."""
        if self._slot >= 0:
            self._lib.close(self._slot)
            self._slot = -1

    @contextmanager
    def failing(
        self, ops: Op, *, fault: Fault = Fault.EIO, files: Files = Files.ANY
    ) -> Iterator[None]:
        """All such operations fail inside the block; afterwards every order is cleared."""
        self.fail(ops, fault=fault, times=None, files=files)
        try:
            yield
        finally:
            self.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()
