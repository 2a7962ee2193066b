"""Forgetting card payments that are long over, and what the processor's old reports said.

What may still need somebody stays: open ones, receivables, money that is to go back or was never
sold for, refunds that wait, and captured money that no report has paid out where reports come in.
A sale keeps its tender, so that its payment's id is known as taken for ever.
"""

from __future__ import annotations

from typing import Final

from hub.storage.rows import Tx

KEEP_DAYS: Final = 400
AT_ONCE: Final = 100
LINES_AT_ONCE: Final = 500

_PARTS: Final = (
    *("payment_secrets", "payment_contacts", "payment_steps", "payment_words"),
    *("payment_refunds", "payment_links"),
)
_OVER: Final = (
    "state IN ('refused', 'abandoned', 'voided', 'captured', 'settled', 'reversed', 'refunded',"
    " 'recovered', 'written_off') AND changed_at_ms < ?"
    " AND (state NOT IN ('captured', 'settled') OR (in_sale = 1 AND void_asked = 0))"
    " AND (state <> 'captured' OR kind <> 'card' OR NOT EXISTS (SELECT 1 FROM settlement_files))"
    " AND NOT EXISTS (SELECT 1 FROM payment_refunds r WHERE r.payment = payments.id"
    " AND (r.state NOT IN ('done', 'refused') OR r.changed_at_ms >= ?))"
    " AND NOT EXISTS (SELECT 1 FROM payment_links l WHERE l.payment = payments.id"
    " AND l.state = 'surplus')"
)


def purge(tx: Tx, before_ms: int) -> int:
    """Forget up to 100 payments that nothing has happened to since then, and up to 500 lines of
    reports imported before; how many."""
    old = tx.all(
        f"SELECT id, terminal_id, offline_seq FROM payments WHERE {_OVER}"
        " ORDER BY changed_at_ms LIMIT ?",
        before_ms,
        before_ms,
        AT_ONCE,
    )
    for number, terminal_id, offline_seq in old:
        for table in _PARTS:
            tx.run(f"DELETE FROM {table} WHERE payment = ?", number)
        tx.run("DELETE FROM payments WHERE id = ?", number)
        if offline_seq is not None:
            tx.run(
                "UPDATE terminal_sequences SET forgotten = forgotten + 1 WHERE terminal_id = ?",
                terminal_id,
            )
    return len(old) + _purge_reports(tx, before_ms)


def _purge_reports(tx: Tx, before_ms: int) -> int:
    """The file goes with its last lines: until then the same file changes nothing."""
    file = tx.one(
        "SELECT id FROM settlement_files WHERE imported_at_ms < ? ORDER BY imported_at_ms LIMIT 1",
        before_ms,
    )
    if file is None:
        return 0
    lines = tx.run(
        "DELETE FROM settlement_lines WHERE file = ? AND n IN (SELECT n FROM settlement_lines"
        " WHERE file = ? ORDER BY n LIMIT ?)",
        file[0],
        file[0],
        LINES_AT_ONCE,
    )
    if lines < LINES_AT_ONCE:
        tx.run("DELETE FROM settlement_files WHERE id = ?", file[0])
    return max(1, lines)
