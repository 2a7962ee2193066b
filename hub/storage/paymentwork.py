"""Which payments something can be done about just now, by whose hand; which ones time is over for.

Every query begins with the words of a partial index: SQLite uses it only so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hub.storage.paymentrows import PaymentRow
from hub.storage.rows import Rows

AT_ONCE_MAX: Final = 200

_OPEN = (
    "state NOT IN ('refused', 'abandoned', 'voided', 'settled', 'reversed', 'refunded',"
    " 'recovered', 'written_off', 'captured')"
)
_PAYMENT = f"SELECT {', '.join(PaymentRow._fields)} FROM payments"
_FREE = "due_budget_ms <= ? AND lease_budget_ms <= ?"
_OLDEST = "ORDER BY coalesce(stored_budget_ms, begun_budget_ms), id LIMIT ?"


def for_processor(rows: Rows, budget_ms: int, limit: int) -> list[PaymentRow]:
    """What the processor may be asked for now, what was stored first at the front."""
    return _many(
        rows,
        f"{_OPEN} AND {_FREE} AND ("
        "(state IN ('stored', 'retry_wait') AND custody = 'hub' AND in_sale = 1 AND void_asked = 0)"
        " OR (state = 'void_pending' AND custody = 'hub')"
        " OR state IN ('forward_unknown', 'forwarded')"
        " OR (state = 'authorised' AND (in_sale = 1 OR void_asked = 1)))"
        f" {_OLDEST}",
        budget_ms,
        budget_ms,
        limit,
    )


def for_terminals(
    rows: Rows, budget_ms: int, terminals: Sequence[str], limit: int
) -> list[PaymentRow]:
    """What these terminals may be asked for now."""
    marks = ", ".join("?" * len(terminals))
    return _many(
        rows,
        f"{_OPEN} AND {_FREE} AND driven_by = 'hub' AND terminal_id IN ({marks}) AND ("
        "state = 'unknown'"
        " OR (state IN ('stored', 'void_pending') AND custody = 'terminal')"
        " OR (state = 'authorised' AND void_asked = 1))"
        f" {_OLDEST}",
        budget_ms,
        budget_ms,
        *terminals,
        limit,
    )


def leases_over(rows: Rows, budget_ms: int) -> list[PaymentRow]:
    """On their way, and whoever has them had time enough."""
    return _many(
        rows,
        f"{_OPEN} AND state = 'forwarding' AND lease_budget_ms <= ? ORDER BY id LIMIT ?",
        budget_ms,
        AT_ONCE_MAX,
    )


def unanswered(rows: Rows, budget_ms: int) -> list[PaymentRow]:
    """Not sent to a terminal in time, or not answered by it (or by the till that asked it)."""
    return _many(
        rows,
        f"{_OPEN} AND state IN ('intent', 'at_terminal') AND due_budget_ms <= ?"
        " ORDER BY id LIMIT ?",
        budget_ms,
        AT_ONCE_MAX,
    )


def unsold(rows: Rows, begun_before_budget_ms: int) -> list[PaymentRow]:
    """Money that is there for a sale that was never written."""
    return _many(
        rows,
        "in_sale = 0 AND void_asked = 0 AND state IN ('authorised', 'captured')"
        " AND begun_budget_ms <= ? ORDER BY begun_budget_ms LIMIT ?",
        begun_before_budget_ms,
        AT_ONCE_MAX,
    )


def oldest_stored(rows: Rows, limit: int = AT_ONCE_MAX) -> list[PaymentRow]:
    """Stored payments that have a deadline, oldest first."""
    return _many(
        rows,
        f"{_OPEN} AND (state IN ('stored', 'retry_wait')"
        f" OR (state = 'void_pending' AND custody = 'terminal')) {_OLDEST}",
        limit,
    )


def _many(rows: Rows, where: str, *params: Any) -> list[PaymentRow]:
    return [PaymentRow(*row) for row in rows.all(f"{_PAYMENT} WHERE {where}", *params)]
