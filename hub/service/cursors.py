"""Cursors of lists: whole numbers with dots between."""

from __future__ import annotations

from hub.contract.problems import Refusal, refuse
from hub.domain.errors import Code


def numbers(cursor: str | None, first: tuple[int, ...]) -> tuple[int, ...]:
    """A cursor of whole numbers with dots between; ``first`` where there is none.

    Errors: ``validation`` for one that no page gave.
    """
    if cursor is None:
        return first
    parts = cursor.split(".")
    if len(parts) != len(first) or not all(_is_number(part) for part in parts):
        raise bad_cursor()
    return tuple(int(part) for part in parts)


def dotted(*parts: int) -> str:
    """The cursor for them."""
    return ".".join(str(int(part)) for part in parts)


def bad_cursor() -> Refusal:
    """What somebody hears who made a cursor up."""
    return refuse(Code.VALIDATION, "cursor: send `next_cursor` of the page before, or none.")


def _is_number(part: str) -> bool:
    digits = part.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 18
