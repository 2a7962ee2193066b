"""What the cloud has set and asked for: settings, and support bundles."""

from __future__ import annotations

from dataclasses import dataclass

from hub.storage.rows import Rows, Tx

WAITING_MAX = 20
KEPT = 500


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting of the cloud.  ``value`` is JSON; None: the box's own is in force again.
    ``ends_budget_ms`` None: until it is changed."""

    key: str
    value: str | None
    command_id: str
    asked_by: str
    issued_at_ms: int
    set_at_ms: int
    ends_budget_ms: int | None


@dataclass(frozen=True, slots=True)
class SupportRow:
    """A bundle that the cloud asked for and hasn't got; ``tries``: how often one was made."""

    command_id: str
    asked_by: str
    asked_at_ms: int
    tries: int


_SETTING = "SELECT key, value, command_id, asked_by, issued_at_ms, set_at_ms, ends_budget_ms"


def settings(rows: Rows) -> list[SettingRow]:
    """All of them; there is one a key, and the keys are few."""
    return [SettingRow(*row) for row in rows.all(f"{_SETTING} FROM remote_settings ORDER BY key")]


def setting(rows: Rows, key: str) -> SettingRow | None:
    """What the cloud last said of this key."""
    row = rows.one(f"{_SETTING} FROM remote_settings WHERE key = ?", key)
    return SettingRow(*row) if row else None


def put(tx: Tx, row: SettingRow) -> None:
    """Write it in place of what was."""
    tx.run(
        "INSERT OR REPLACE INTO remote_settings (key, value, command_id, asked_by, issued_at_ms,"
        " set_at_ms, ends_budget_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
        row.key,
        row.value,
        row.command_id,
        row.asked_by,
        row.issued_at_ms,
        row.set_at_ms,
        row.ends_budget_ms,
    )


def known_request(rows: Rows, command_id: str) -> tuple[str, str] | None:
    """``(outcome, why)`` of a bundle that was asked for; the outcome is empty while it waits."""
    row = rows.one("SELECT outcome, why FROM support_requests WHERE command_id = ?", command_id)
    return (row[0], row[1]) if row else None


def ask(tx: Tx, command_id: str, asked_by: str, reason: str) -> bool:
    """Write a request down; False when 20 wait already.  Of those that ended 500 are kept."""
    waiting = tx.one("SELECT count(*) FROM support_requests WHERE outcome = ''")
    if waiting is not None and waiting[0] >= WAITING_MAX:
        return False
    tx.run(
        "INSERT INTO support_requests (command_id, asked_by, reason, asked_at_ms)"
        " VALUES (?, ?, ?, ?)",
        command_id,
        asked_by,
        reason,
        tx.now_ms,
    )
    tx.run(
        "DELETE FROM support_requests WHERE command_id IN (SELECT command_id FROM support_requests"
        " WHERE outcome <> '' ORDER BY asked_at_ms DESC LIMIT -1 OFFSET ?)",
        KEPT,
    )
    return True


def next_request(rows: Rows) -> SupportRow | None:
    """The one that has waited longest."""
    row = rows.one(
        "SELECT command_id, asked_by, asked_at_ms, tries FROM support_requests WHERE outcome = ''"
        " ORDER BY asked_at_ms LIMIT 1"
    )
    return SupportRow(*row) if row else None


def count_try(tx: Tx, command_id: str) -> None:
    """A bundle is about to be made for it."""
    tx.run("UPDATE support_requests SET tries = tries + 1 WHERE command_id = ?", command_id)


def end_request(tx: Tx, command_id: str, outcome: str, why: str, size: int) -> bool:
    """Write down what came of it; False when that is known already."""
    return (
        tx.run(
            "UPDATE support_requests SET outcome = ?, why = ?, bytes = ?, ended_at_ms = ?"
            " WHERE command_id = ? AND outcome = ''",
            outcome,
            why,
            size,
            tx.now_ms,
            command_id,
        )
        > 0
    )
