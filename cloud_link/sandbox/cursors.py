"""Cursors: ``{oms_incarnation}.{n}``, so that one from before a restore can be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hub.contract.oms import OmsCode

from .problems import refuse

if TYPE_CHECKING:
    from sqlite3 import Connection


def cursor_text(oms_incarnation: str, n: int) -> str:
    return f"{oms_incarnation}.{n}"


def split_cursor(cursor: str) -> tuple[str, int]:
    """``(oms_incarnation, n)``; refuses what was never a cursor of this OMS."""
    life, _, number = cursor.rpartition(".")
    if not life or not number.isascii() or not number.isdigit() or len(number) > 15:
        raise refuse(
            OmsCode.VALIDATION, "The cursor is not one this OMS gave; begin with an empty one."
        )
    return life, int(number)


def resume_at(
    db: Connection, cursor: str, log: Literal["commands", "events"], oms_incarnation: str
) -> int:
    """The row after which to go on.

    A cursor of an earlier life goes back to where the logs stood when that life ended; one of a
    life nobody remembers begins again (rows have ids, a repeat does no harm).
    """
    if not cursor:
        return 0
    life, n = split_cursor(cursor)
    if life == oms_incarnation:
        return n
    row = db.execute(
        "SELECT commands_head, events_head FROM past_lives WHERE oms_incarnation=?", (life,)
    ).fetchone()
    if row is None:
        return 0
    commands_head, events_head = int(row[0]), int(row[1])
    return min(n, commands_head if log == "commands" else events_head)
