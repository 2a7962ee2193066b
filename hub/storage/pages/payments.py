"""Card payments as their page lists them, with the names of whom they are about."""

from __future__ import annotations

from typing import Final, NamedTuple

from hub.storage import paymentrows
from hub.storage.paymentrows import AT_RISK, OPEN, SURCHARGE_GONE, PaymentRow
from hub.storage.refundrows import IS_SHORT, OTHERWISE
from hub.storage.rows import Rows
from hub.storage.settlementrows import NOTED

TERMINALS_MAX: Final = 100
WINDOW: Final = 20_000
"""So many payments are looked through for one page of some of them."""
REPORTED_MAX: Final = 50_000
_FIELDS: Final = ", ".join(f"p.{name}" for name in PaymentRow._fields)
_HEAD: Final = f"""
SELECT {_FIELDS},
       coalesce((SELECT d.name FROM devices d WHERE d.device_id = p.device_id), ''),
       coalesce((SELECT d.name FROM devices d WHERE d.device_id = p.terminal_id), ''),
       coalesce((SELECT s.receipt_no FROM sales s WHERE s.sale_id = p.sale_id), '')
FROM payments p
"""
_SOME: Final = {
    "all": "1",
    "offline": "p.offline_seq IS NOT NULL",
    "failed": "p.state IN ('refused', 'declined', 'expired', 'recovery', 'recovered',"
    " 'written_off')",
    "back": "p.state IN ('voided', 'reversed', 'refunded') OR p.refunded_minor > 0",
}


class PaymentHead(NamedTuple):
    """A payment with names; they are empty where nobody has them."""

    row: PaymentRow
    device_name: str
    terminal_name: str
    receipt_no: str


def one(rows: Rows, payment_id: str) -> PaymentHead | None:
    """A payment."""
    row = rows.one(f"{_HEAD} WHERE p.payment_id = ?", payment_id)
    return _head(row) if row else None


def of_sale(rows: Rows, sale_id: str) -> list[PaymentHead]:
    """The payments begun for a sale, oldest first."""
    sql = f"{_HEAD} WHERE p.sale_id = ? ORDER BY p.id LIMIT 100"
    return [_head(row) for row in rows.all(sql, sale_id)]


def in_states(rows: Rows, states: tuple[str, ...], limit: int) -> list[PaymentHead]:
    """Open payments in these states, oldest first."""
    marks = ", ".join("?" * len(states))
    sql = f"{_HEAD} WHERE {OPEN} AND p.state IN ({marks}) ORDER BY p.id LIMIT ?"
    return [_head(row) for row in rows.all(sql, *states, limit)]


def without_sale(rows: Rows, before_ms: int, limit: int) -> list[PaymentHead]:
    """Money that was taken before then for a sale that isn't written, and that nobody gave up."""
    sql = (
        f"{_HEAD} WHERE {OPEN} AND p.state IN ('stored', 'authorised') AND p.in_sale = 0"
        " AND p.void_asked = 0 AND p.changed_at_ms < ? ORDER BY p.id LIMIT ?"
    )
    return [_head(row) for row in rows.all(sql, before_ms, limit)]


def to_give_back(rows: Rows, limit: int) -> list[PaymentHead]:
    """Money that is there and is to go back, oldest first."""
    sql = (
        f"{_HEAD} WHERE p.void_asked = 1 AND p.state IN ('authorised', 'captured', 'settled')"
        " ORDER BY p.id LIMIT ?"
    )
    return [_head(row) for row in rows.all(sql, limit)]


def paid_twice(rows: Rows, limit: int) -> list[PaymentHead]:
    """Payments that a customer paid by a link although nothing was owed, and nobody has seen to."""
    sql = (
        f"{_HEAD} WHERE p.id IN (SELECT payment FROM payment_links WHERE state = 'surplus'"
        " ORDER BY payment LIMIT ?) ORDER BY p.id"
    )
    return [_head(row) for row in rows.all(sql, limit)]


def surcharged(rows: Rows, since_ms: int, limit: int) -> list[PaymentHead]:
    """See :func:`paymentrows.surcharged`."""
    found = [one(rows, row.payment_id) for row in paymentrows.surcharged(rows, since_ms, limit)]
    return [head for head in found if head is not None]


def is_surcharged(row: PaymentRow) -> bool:
    """The same of one payment, whenever it was begun."""
    return bool(row.surcharge_unasked) and row.state not in SURCHARGE_GONE


def noted(rows: Rows, since_ms: int, limit: int) -> list[tuple[str, PaymentHead]]:
    """Payments that a processor told two references of since then, whose money couldn't be given
    back and wasn't since, or went back twice, as the audit log says: (action, payment)."""
    found = rows.all(
        f"SELECT DISTINCT action, subject FROM audit WHERE {NOTED} AND at_ms >= ?"
        " AND (action <> 'payment.refund_refused' OR EXISTS"
        " (SELECT 1 FROM payments p JOIN payment_refunds r ON r.payment = p.id"
        " WHERE p.payment_id = audit.subject AND r.state = 'refused'"
        f" AND r.reason NOT LIKE '{OTHERWISE}%'"
        " AND (p.state IN ('authorised', 'captured', 'settled', 'recovered')"
        f" OR {IS_SHORT}))) LIMIT ?",
        since_ms,
        limit,
    )
    heads = [(action, one(rows, subject)) for action, subject in found]
    return [(action, head) for action, head in heads if head is not None]


def listed(rows: Rows, which: str, before: int, limit: int) -> tuple[list[PaymentHead], int | None]:
    """Some payments with a number below ``before``, newest first, and where to go on (None: that is
    all)."""
    newest = rows.one("SELECT coalesce(max(id), 0) FROM payments WHERE id < ?", before)
    top = int(newest[0]) if newest else 0
    floor = max(0, top - WINDOW)
    found = rows.all(
        f"{_HEAD} WHERE p.id <= ? AND p.id > ? AND ({_SOME[which]}) ORDER BY p.id DESC LIMIT ?",
        top,
        floor,
        limit + 1,
    )
    heads = [_head(row) for row in found[:limit]]
    if len(found) > limit:
        return heads, heads[-1].row.id
    return heads, floor + 1 if floor else None


class Share(NamedTuple):
    """What a terminal holds of what is at risk."""

    terminal_id: str
    name: str
    payments: int
    minor: int


def shares(rows: Rows) -> list[Share]:
    """Of each terminal, the largest first."""
    found = rows.all(
        "SELECT terminal_id, count(*), sum(amount_minor),"
        " coalesce((SELECT d.name FROM devices d WHERE d.device_id = terminal_id), '')"
        f" FROM payments WHERE {AT_RISK} GROUP BY terminal_id ORDER BY 3 DESC, 1 LIMIT ?",
        TERMINALS_MAX,
    )
    return [Share(row[0], row[3], row[1], row[2]) for row in found]


class OpenSum(NamedTuple):
    """Open payments in one state; ``oldest_at_ms``: of the one that changed longest ago."""

    payments: int
    minor: int
    oldest_at_ms: int


def open_sums(rows: Rows) -> dict[str, OpenSum]:
    """Of each state that isn't final; of what is authorised only what no sale has, as the rest
    waits for nothing but the night."""
    found = rows.all(
        "SELECT state, count(*), sum(amount_minor), min(changed_at_ms) FROM payments"
        f" WHERE {OPEN} AND (state <> 'authorised' OR in_sale = 0) GROUP BY state LIMIT 30"
    )
    return {row[0]: OpenSum(*row[1:]) for row in found}


def stored_between(rows: Rows, from_ms: int, to_ms: int) -> dict[str, OpenSum]:
    """Of those accepted offline then, as they stand now, by state; among the newest 50,000."""
    found = rows.all(
        "SELECT state, count(*), sum(amount_minor), min(changed_at_ms) FROM payments"
        " WHERE id > (SELECT coalesce(max(id), 0) FROM payments) - ?"
        " AND stored_at_ms >= ? AND stored_at_ms <= ? GROUP BY state LIMIT 30",
        REPORTED_MAX,
        from_ms,
        to_ms,
    )
    return {row[0]: OpenSum(*row[1:]) for row in found}


class Kept(NamedTuple):
    """What the hub keeps: payments in a sale that it is to present, the first of them stored at
    ``waiting_since_ms``; and tokens."""

    waiting: int
    waiting_since_ms: int | None
    sealed: int


def kept(rows: Rows) -> Kept:
    """See :class:`Kept`."""
    waiting = rows.one(
        f"SELECT count(*), min(stored_at_ms) FROM payments WHERE {OPEN} AND state IN ('stored',"
        " 'forwarding', 'forward_unknown') AND custody = 'hub' AND in_sale = 1"
    )
    sealed = rows.one("SELECT count(*) FROM payment_secrets")
    assert waiting is not None
    assert sealed is not None
    return Kept(*waiting, *sealed)


def newest(rows: Rows) -> int:
    """The number of the payment begun last; 0: none."""
    row = rows.one("SELECT coalesce(max(id), 0) FROM payments")
    return int(row[0]) if row else 0


class RefundRow(NamedTuple):
    """Money of a payment that goes back."""

    refund_id: str
    made_at_ms: int
    changed_at_ms: int
    amount_minor: int
    state: str
    reason: str
    giver: str


def refunds(rows: Rows, number: int) -> list[RefundRow]:
    """What goes back of a payment, or went, oldest first."""
    found = rows.all(
        "SELECT refund_id, made_at_ms, changed_at_ms, amount_minor, state, reason, giver"
        " FROM payment_refunds WHERE payment = ? ORDER BY id LIMIT 100",
        number,
    )
    return [RefundRow(*row) for row in found]


def _head(row: tuple[object, ...]) -> PaymentHead:
    split = len(PaymentRow._fields)
    device_name, terminal_name, receipt_no = row[split:]
    return PaymentHead(
        PaymentRow._make(row[:split]),
        str(device_name),
        str(terminal_name),
        str(receipt_no),
    )
