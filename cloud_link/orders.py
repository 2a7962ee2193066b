"""Orders come in bites that don't hold up the tills."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from hub.contract.oms import Command

LINES_AT_ONCE: Final = 400
"""In one transaction: some 30 ms of the writer."""

_T = TypeVar("_T")


def in_parts(items: Sequence[_T], weight: Callable[[_T], int]) -> Iterator[Sequence[_T]]:
    """The items in order, in parts of at most 400 lines (a heavier one by itself)."""
    part: list[_T] = []
    total = 0
    for item in items:
        size = weight(item)
        if part and total + size > LINES_AT_ONCE:
            yield part
            part, total = [], 0
        part.append(item)
        total += size
    if part:
        yield part


def lines_of(command: Command) -> int:
    """How many lines of an order a command carries; 1 for any other."""
    lines = command.data.get("lines")
    return max(1, len(lines)) if isinstance(lines, list) else 1
