"""Reading small files of the kernel."""

from __future__ import annotations

from pathlib import Path

LENGTH_MAX = 65_536


def text(path: Path) -> str | None:
    """The file's text without the spaces around it; None if it can't be read."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(LENGTH_MAX).strip()
    except OSError:  # no trouble: many boxes don't offer it
        return None


def number(path: Path) -> int | None:
    """The file's whole number; None if there is none."""
    found = text(path)
    try:
        return int(found) if found else None
    except ValueError:
        return None
