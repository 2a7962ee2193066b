"""What people said of payments whose outcome nobody can look up."""

from __future__ import annotations

from typing import NamedTuple

from hub.storage.rows import Rows, Tx

WORDS_MAX = 100


class WordRow(NamedTuple):
    """Somebody's word; ``step``: the payment's last one when it was said."""

    staff_id: str
    outcome: str
    evidence: str
    step: int
    at_ms: int


def say(tx: Tx, payment: int, staff_id: str, outcome: str, evidence: str, step: int) -> None:
    """Write somebody's word down, in place of an earlier one of theirs."""
    tx.run(
        "INSERT OR REPLACE INTO payment_words (payment, staff_id, outcome, evidence, step, at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        payment,
        staff_id,
        outcome,
        evidence,
        step,
        tx.now_ms,
    )


def of_payment(rows: Rows, payment: int) -> list[WordRow]:
    """All words about a payment."""
    found = rows.all(
        "SELECT staff_id, outcome, evidence, step, at_ms FROM payment_words WHERE payment = ?"
        " ORDER BY at_ms, staff_id LIMIT ?",
        payment,
        WORDS_MAX,
    )
    return [WordRow(*row) for row in found]
