"""A file of JSON lines that is only added to, and written anew when it has grown too long.

A line that was being written when the power went is passed over when the file is read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def read(path: Path) -> list[str]:
    """The lines as they stand, torn ones among them; none when there is no file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def append(path: Path, value: Any) -> None:
    """On disk when it returns.  Errors: OSError."""
    is_new = not path.exists()
    # A line of its own even after one that was torn off: the empty line between is passed over.
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{json.dumps(value)}\n")
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_folder(path.parent)


def replace(path: Path, values: Iterable[Any]) -> None:
    """The old or the new file is there after a power cut.  Errors: OSError."""
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        file.write("".join(f"{json.dumps(value)}\n" for value in values))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
