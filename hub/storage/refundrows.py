"""Money of card payments that is to be given back: what is wanted, under way and done."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from hub.storage.rows import Rows, Tx

REFUNDS_MAX: Final = 200
OTHERWISE: Final = "given otherwise:"
"""How the reason of a refused refund begins whose money a person gave in another way."""

IS_SHORT: Final = "p.state = 'refunded' AND p.refunded_minor < p.amount_minor"
"""Of a payment that was given back whole, and turned out to be more since."""
_OPEN = "state NOT IN ('done', 'refused')"
"""As in the index: SQLite uses it only for the very same words."""


class RefundRow(NamedTuple):
    """One refund; ``payment`` is the payment's number, instants are UTC milliseconds, budgets the
    hub's own.  ``giver``: ``hub`` by one of its hands, or the ``till`` at its own terminal, which
    tells when it has."""

    id: int
    refund_id: str
    payment: int
    subject: str
    amount_minor: int
    state: str
    fence: int
    tries: int
    due_budget_ms: int
    lease_budget_ms: int
    sent_at_ms: int | None
    psp_ref: str
    reason: str
    made_at_ms: int
    changed_at_ms: int
    giver: str = "hub"


_REFUND = f"SELECT {', '.join(RefundRow._fields)} FROM payment_refunds"
_SETTABLE = frozenset(RefundRow._fields) - {"id", "refund_id", "payment", "amount_minor", "giver"}


def is_otherwise(refund: RefundRow) -> bool:
    """Whether a person gave its money in another way."""
    return refund.state == "refused" and refund.reason.startswith(OTHERWISE)


def is_settled(refund: RefundRow, how: str) -> bool:
    """Whether it is what a person would make it by saying so: ``given-back``, or ``otherwise``."""
    return refund.state == "done" if how == "given-back" else is_otherwise(refund)


# Reading -----------------------------------------------------------------------------------------


def get(rows: Rows, refund_id: str) -> RefundRow | None:
    """A refund by its id."""
    row = rows.one(f"{_REFUND} WHERE refund_id = ?", refund_id)
    return RefundRow(*row) if row else None


def of_payment(rows: Rows, payment: int) -> list[RefundRow]:
    """The refunds of a payment, oldest first."""
    sql = f"{_REFUND} WHERE payment = ? ORDER BY id LIMIT ?"
    return [RefundRow(*row) for row in rows.all(sql, payment, REFUNDS_MAX)]


def unsettled(rows: Rows, payment: int) -> list[RefundRow]:
    """Refunds of a payment of which somebody has to say what became of them, oldest first: left to
    a till that hasn't told, or refused, and nobody gave the money in another way."""
    sql = (
        f"{_REFUND} WHERE payment = ? AND (state = 'wanted' AND giver = 'till' OR state = 'refused'"
        f" AND reason NOT LIKE '{OTHERWISE}%') ORDER BY id LIMIT ?"
    )
    return [RefundRow(*row) for row in rows.all(sql, payment, REFUNDS_MAX)]


def taken_minor(rows: Rows, payment: int) -> int:
    """What of a payment is given back or going to be."""
    row = rows.one(
        "SELECT coalesce(sum(amount_minor), 0) FROM payment_refunds WHERE payment = ?"
        " AND state <> 'refused'",
        payment,
    )
    assert row is not None
    return int(row[0])


def back_minor(rows: Rows, payment: int) -> int:
    """What of a payment goods came back for, whether its money can go back or not; without what
    somebody gave in another way."""
    row = rows.one(
        "SELECT coalesce(sum(amount_minor), 0) FROM payment_refunds WHERE payment = ?"
        f" AND (state <> 'refused' OR reason NOT LIKE '{OTHERWISE}%')",
        payment,
    )
    assert row is not None
    return int(row[0])


def sent_minor(rows: Rows, payment: int) -> int:
    """What of a payment is given back, or may be."""
    row = rows.one(
        "SELECT coalesce(sum(amount_minor), 0) FROM payment_refunds WHERE payment = ?"
        " AND state IN ('sending', 'unknown', 'done')",
        payment,
    )
    assert row is not None
    return int(row[0])


def done_minor(rows: Rows, payment: int) -> int:
    """What of a payment is given back for certain, by its refunds."""
    row = rows.one(
        "SELECT coalesce(sum(amount_minor), 0) FROM payment_refunds WHERE payment = ?"
        " AND state = 'done'",
        payment,
    )
    assert row is not None
    return int(row[0])


def open_ones(rows: Rows, limit: int = REFUNDS_MAX) -> list[RefundRow]:
    """Refunds without an end, oldest first."""
    return [
        RefundRow(*row) for row in rows.all(f"{_REFUND} WHERE {_OPEN} ORDER BY +id LIMIT ?", limit)
    ]


def due(
    rows: Rows,
    budget_ms: int,
    payment_states: tuple[str, ...],
    terminals: tuple[str, ...] | None = None,
    *,
    of_issuers: bool = False,
) -> list[RefundRow]:
    """Up to 200 refunds that something can be done about now, oldest first: those of payments in
    one of these states, and what is in doubt of one of which all is known to have gone back;
    ``terminals``: only of these, as far as the hub drives them; ``of_issuers``: of gift cards and
    store credit, or of none of those.  What is let go whole isn't among them."""
    marks = ", ".join("?" * len(payment_states))
    names = ", ".join(f"r.{name}" for name in RefundRow._fields)
    where = f" AND p.kind {'<>' if of_issuers else '='} 'card'"
    if terminals is not None:
        where += (
            f" AND p.driven_by = 'hub' AND p.terminal_id IN ({', '.join('?' * len(terminals))})"
        )
    sql = (
        f"SELECT {names} FROM payment_refunds r JOIN payments p ON p.id = r.payment"
        f" WHERE r.state IN ('wanted', 'unknown') AND r.{_OPEN} AND r.giver = 'hub'"
        " AND r.due_budget_ms <= ?"
        f" AND r.lease_budget_ms <= ? AND (p.state IN ({marks})"
        f" OR p.state = 'refunded' AND r.state = 'unknown' OR {IS_SHORT})"
        f" AND NOT (p.state = 'authorised' AND p.void_asked = 1){where} ORDER BY r.id LIMIT ?"
    )
    found = rows.all(sql, budget_ms, budget_ms, *payment_states, *(terminals or ()), REFUNDS_MAX)
    return [RefundRow(*row) for row in found]


def overdue(rows: Rows, budget_ms: int) -> list[RefundRow]:
    """Up to 200 refunds under way whose lease is over."""
    sql = f"{_REFUND} WHERE {_OPEN} AND state = 'sending' AND lease_budget_ms <= ? LIMIT ?"
    return [RefundRow(*row) for row in rows.all(sql, budget_ms, REFUNDS_MAX)]


def pointless(rows: Rows, *, copied: bool) -> list[RefundRow]:
    """Up to 200 refunds that wait although their payment ended without money being taken, or are
    told again of one that did.  ``copied``: those, too, that :func:`doubt_copied` has put in doubt
    (what has no money by now never had any that could have been given back)."""
    names = ", ".join(f"r.{name}" for name in RefundRow._fields)
    sql = (
        f"SELECT {names} FROM payment_refunds r JOIN payments p ON p.id = r.payment"
        f" WHERE r.{_OPEN} AND (r.state = 'wanted' OR r.state = 'unknown' AND r.sent_at_ms IS NULL"
        " AND p.state <> 'refunded' OR r.state = 'unknown' AND r.giver = 'hub' AND ?"
        " AND p.state IN ('voided', 'recovered', 'written_off'))"
        " AND p.state IN ('refused', 'abandoned', 'voided', 'reversed', 'refunded', 'recovered',"
        f" 'written_off') AND NOT ({IS_SHORT}) LIMIT ?"
    )
    return [RefundRow(*row) for row in rows.all(sql, int(copied), REFUNDS_MAX)]


def handless(rows: Rows) -> list[RefundRow]:
    """Up to 200 refunds that wait for the hub, of money that a till's own terminal has taken.  What
    goes back whole is told apart."""
    names = ", ".join(f"r.{name}" for name in RefundRow._fields)
    sql = (
        f"SELECT {names} FROM payment_refunds r JOIN payments p ON p.id = r.payment"
        f" WHERE r.{_OPEN} AND r.state IN ('wanted', 'unknown') AND r.giver = 'hub'"
        " AND p.kind = 'card' AND p.driven_by = 'till' AND (p.void_asked = 0"
        f" AND p.state IN ('authorised', 'captured', 'settled') OR {IS_SHORT}) LIMIT ?"
    )
    return [RefundRow(*row) for row in rows.all(sql, REFUNDS_MAX)]


# Writing -----------------------------------------------------------------------------------------


def add(
    tx: Tx, refund_id: str, payment: int, subject: str, amount_minor: int, giver: str = "hub"
) -> RefundRow:
    """Want a refund; the row as written."""
    tx.run(
        "INSERT INTO payment_refunds (refund_id, payment, subject, amount_minor, state,"
        " due_budget_ms, made_at_ms, changed_at_ms, giver)"
        " VALUES (?, ?, ?, ?, 'wanted', ?, ?, ?, ?)",
        refund_id,
        payment,
        subject,
        amount_minor,
        tx.budget_ms,
        tx.now_ms,
        tx.now_ms,
        giver,
    )
    row = get(tx, refund_id)
    assert row is not None
    return row


def change(tx: Tx, row: RefundRow, **values: Any) -> RefundRow:
    """Write some columns of a refund; the row as it is now."""
    assert values.keys() <= _SETTABLE, f"can't be set: {sorted(values.keys() - _SETTABLE)}"
    values["changed_at_ms"] = tx.now_ms
    tx.update("payment_refunds", row.id, values)
    return row._replace(**values)


def doubt_copied(tx: Tx) -> int:
    """This database is a copy: what waits in it may have been sent since, by another box; how
    many.  They are looked up before anything else.  What a till gives back the till tells."""
    return tx.run(
        "UPDATE payment_refunds SET state = 'unknown', lease_budget_ms = 0, fence = fence + 1,"
        f" due_budget_ms = 0, sent_at_ms = coalesce(sent_at_ms, made_at_ms)"
        f" WHERE {_OPEN} AND giver = 'hub'"
    )
