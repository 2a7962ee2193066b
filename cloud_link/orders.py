"""Orders come in bites that don't hold up the tills."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from hub.contract.oms import Command
from hub.contract.oms_orders import ORDER_COMMANDS
from hub.service.orders import HEAD_COSTS, LINES_AT_ONCE

LINES_TOLD_APART: Final = 20
"""What an order is taken to have whose command doesn't bring its lines."""

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
    """How many lines' work a command about an order is; 1 for any other."""
    if command.type not in ORDER_COMMANDS:
        return 1
    lines = command.data.get("lines")
    return HEAD_COSTS + (len(lines) if isinstance(lines, list) else LINES_TOLD_APART)
