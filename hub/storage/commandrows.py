"""The cloud's last commands and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hub.storage.rows import Rows, Tx

KEPT = 1000


class CommandRow(NamedTuple):
    """A command as it was carried out; ``outcome`` is ``done``, ``failed`` or ``passed_over``."""

    number: int
    command_id: str
    type: str
    outcome: str
    why: str
    at_ms: int


def add(tx: Tx, rows: Sequence[tuple[str, str, str, str]]) -> None:
    """Write ``(command_id, type, outcome, why)`` of what was carried out now; beyond 1,000 the
    oldest are forgotten."""
    tx.many(
        "INSERT INTO commands (command_id, type, outcome, why, at_ms) VALUES (?, ?, ?, ?, ?)",
        [(*row, tx.now_ms) for row in rows],
    )
    tx.run("DELETE FROM commands WHERE number <= (SELECT max(number) FROM commands) - ?", KEPT)


def newest(rows: Rows, *, before: int | None, limit: int) -> list[CommandRow]:
    """Commands with a number below ``before``, newest first."""
    found = rows.all(
        "SELECT number, command_id, type, outcome, why, at_ms FROM commands WHERE number < ?"
        " ORDER BY number DESC LIMIT ?",
        (1 << 62) if before is None else before,
        limit,
    )
    return [CommandRow(*row) for row in found]


def find(rows: Rows, command_id: str) -> tuple[str, str] | None:
    """``(outcome, why)`` of a command that is kept."""
    row = rows.one(
        "SELECT outcome, why FROM commands WHERE command_id = ? ORDER BY number DESC LIMIT 1",
        command_id,
    )
    return (row[0], row[1]) if row else None


def set_outcome(tx: Tx, command_id: str, outcome: str, why: str) -> None:
    """What became of one that took its time."""
    tx.run(
        "UPDATE commands SET outcome = ?, why = ? WHERE command_id = ?", outcome, why, command_id
    )
