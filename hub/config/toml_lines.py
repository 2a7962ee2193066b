"""On which line of a TOML text each key stands (``tomllib`` doesn't tell)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

Path = tuple[str, ...]


def key_lines(text: str) -> dict[Path, int]:
    """The first line (from 1) of every table and key of a *valid* TOML document.

    The text is cut into statements, each of which is TOML by itself: the shortest run of lines
    from here that parses.  A table header sets the prefix of the statements after it.
    """
    found: dict[Path, int] = {}
    prefix: Path = ()
    for line, statement in _statements(text):
        if statement.lstrip().startswith("["):
            prefix = _deepest(tomllib.loads(statement))
            found.setdefault(prefix, line)
            continue
        for path in _paths(tomllib.loads(statement)):
            found.setdefault(prefix + path, line)
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    # Not splitlines(): TOML knows no other line ends.
    lines = text.split("\n")
    start = 0
    while start < len(lines):
        first = lines[start].strip()
        if not first or first.startswith("#"):
            start += 1
            continue
        end = _end_of_statement(lines, start)
        yield start + 1, "\n".join(lines[start:end])
        start = end


def _end_of_statement(lines: list[str], start: int) -> int:
    for end in range(start + 1, len(lines) + 1):
        try:
            tomllib.loads("\n".join(lines[start:end]))
        except tomllib.TOMLDecodeError:
            continue
        return end
    raise ValueError(f"line {start + 1} begins a statement that never ends")


def _deepest(table: dict[str, Any]) -> Path:
    path: Path = ()
    value: Any = table
    while value:
        if isinstance(value, list):
            value = value[0]
            continue
        ((key, value),) = value.items()
        path = (*path, key)
    return path


def _paths(table: dict[str, Any]) -> Iterator[Path]:
    for key, value in table.items():
        yield (key,)
        if isinstance(value, dict):
            for rest in _paths(value):
                yield (key, *rest)
