"""Files that are whole or absent: written beside, synced, then renamed."""

from __future__ import annotations

import os
from pathlib import Path

SECRET_MODE = 0o600
PUBLIC_MODE = 0o644


def write_atomic(path: Path, content: bytes, mode: int) -> None:
    """Replace ``path`` by ``content``; after a power cut either the old or the new file is there.

    The temporary file has its final mode from the start, so a secret is never readable by others.
    Callers serialise writes to one path.
    """
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(handle, "wb") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(beside, path)
    sync_directory(path.parent)


def write_if_different(path: Path, content: bytes, mode: int) -> bool:
    """As ``write_atomic``, but leaves an equal file alone; True if it was written."""
    if path.is_file() and path.read_bytes() == content:
        return False
    write_atomic(path, content, mode)
    return True


def sync_directory(directory: Path) -> None:
    """Make renames and removals in ``directory`` survive a power cut."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
