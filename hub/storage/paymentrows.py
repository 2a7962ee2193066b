"""Card payments, the steps each has taken, and what people said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from hub.storage.rows import Rows, Tx

LISTED_MAX: Final = 200

OPEN: Final = (
    "state NOT IN ('refused', 'abandoned', 'voided', 'settled', 'reversed', 'refunded',"
    " 'recovered', 'written_off', 'captured')"
)
"""As in the index: SQLite uses it only for the very same words."""
_RISK = (
    "kind = 'card' AND (offline_allowed = 1 OR state IN ('unknown', 'manual'))"
    " AND state IN ('intent', 'at_terminal',"
    " 'unknown', 'stored', 'void_pending', 'forwarding', 'forward_unknown', 'forwarded',"
    " 'declined', 'retry_wait', 'lost', 'manual')"
)
SURCHARGE_GONE: Final = ("voided", "reversed", "refunded")
"""States in which nobody has paid a surcharge (any more)."""
AT_RISK: Final = f"{OPEN} AND {_RISK}"
"""For queries elsewhere in this layer."""


class PaymentRow(NamedTuple):
    """One payment; instants are UTC milliseconds, budgets the hub's own.  ``amount_minor``: what
    the card is charged, ``tip_minor`` of it being the tip and ``surcharge_minor`` what its terminal
    added; ``surcharge_unasked``: more than the shop had allowed."""

    id: int
    payment_id: str
    hash: bytes
    sale_id: str
    basket_id: str
    device_id: str
    staff_id: str | None
    terminal_id: str
    driven_by: str
    state: str
    custody: str
    amount_minor: int
    currency: str
    offline_allowed: int
    offline_seq: int | None
    in_sale: int
    void_asked: int
    attempt: int
    fence: int
    forwards: int
    declines: int
    lookups: int
    due_budget_ms: int
    lease_budget_ms: int
    doubt_budget_ms: int
    begun_at_ms: int
    begun_budget_ms: int
    stored_at_ms: int | None
    stored_budget_ms: int | None
    sent_at_ms: int | None
    sent_budget_ms: int | None
    changed_at_ms: int
    psp_ref: str
    terminal_ref: str
    approval_code: str
    last4: str
    scheme: str
    token_ref: str
    decline_code: str
    refunded_minor: int
    mirrored: int
    reason: str
    kind: str
    account: str
    account_epoch: int
    balance_minor: int | None
    tip_minor: int
    surcharge_minor: int
    surcharge_unasked: int

    @property
    def is_value(self) -> bool:
        """Whether an issuer keeps the money: a gift card or store credit."""
        return self.kind != "card"

    @property
    def sale_minor(self) -> int:
        """What its sale is paid with: what the card is charged, without tip and surcharge."""
        return self.amount_minor - self.tip_minor - self.surcharge_minor


class NewPayment(NamedTuple):
    """A payment to begin."""

    payment_id: str
    hash: bytes
    sale_id: str
    basket_id: str
    device_id: str
    staff_id: str | None
    terminal_id: str
    driven_by: str
    custody: str
    amount_minor: int
    currency: str
    offline_allowed: bool
    kind: str = "card"
    tip_minor: int = 0
    surcharge_minor: int = 0
    surcharge_unasked: bool = False


class StepRow(NamedTuple):
    """One step; ``by``: who said so."""

    n: int
    at_ms: int
    event: str
    before: str
    after: str
    by: str
    detail: str


PAYMENT: Final = f"SELECT {', '.join(PaymentRow._fields)} FROM payments"
_ADD: Final = (
    f"INSERT INTO payments ({', '.join(NewPayment._fields)}, state, due_budget_ms, begun_at_ms,"
    f" begun_budget_ms, changed_at_ms) VALUES ({', '.join('?' * len(NewPayment._fields))},"
    f" 'intent', ?, ?, ?, ?) RETURNING {', '.join(PaymentRow._fields)}"
)
_SETTABLE = frozenset(PaymentRow._fields) - {"id", "payment_id", "hash", "currency", "kind"}
"""The amount only together with a tip or a surcharge that was added at the terminal."""


# Reading -----------------------------------------------------------------------------------------


def get(rows: Rows, payment_id: str) -> PaymentRow | None:
    """A payment by its id."""
    return _first(rows.one(f"{PAYMENT} WHERE payment_id = ?", payment_id))


def numbered(rows: Rows, number: int) -> PaymentRow | None:
    """A payment by its number."""
    return _first(rows.one(f"{PAYMENT} WHERE id = ?", number))


def newest(rows: Rows) -> int:
    """The number of the last payment that was begun; 0: none ever was."""
    row = rows.one("SELECT max(id) FROM payments")
    return int(row[0] or 0) if row else 0


def of_sale(rows: Rows, sale_id: str) -> list[PaymentRow]:
    """The payments begun for a sale, oldest first."""
    return _many(rows.all(f"{PAYMENT} WHERE sale_id = ? ORDER BY id LIMIT 100", sale_id))


def of_basket(rows: Rows, basket_id: str) -> list[PaymentRow]:
    """The payments begun for a basket that isn't sold, oldest first."""
    sql = f"{PAYMENT} WHERE basket_id = ? AND basket_id <> '' AND in_sale = 0 ORDER BY id LIMIT 100"
    return _many(rows.all(sql, basket_id))


def at_terminal(rows: Rows, terminal_id: str) -> PaymentRow | None:
    """The payment that a terminal has in hand: one at most."""
    return _first(
        rows.one(
            f"{PAYMENT} WHERE state = 'at_terminal' AND kind = 'card' AND terminal_id = ?",
            terminal_id,
        )
    )


def in_state(rows: Rows, state: str, limit: int = LISTED_MAX) -> list[PaymentRow]:
    """Open payments in one state, those due first."""
    sql = f"{PAYMENT} WHERE {OPEN} AND state = ? ORDER BY due_budget_ms, id LIMIT ?"
    return _many(rows.all(sql, state, limit))


def authorised_and_sold(rows: Rows, begun_before_budget_ms: int) -> list[PaymentRow]:
    """Authorised payments by card that a sale was paid with, begun before then."""
    sql = (
        f"{PAYMENT} WHERE {OPEN} AND state = 'authorised' AND in_sale = 1 AND void_asked = 0"
        " AND kind = 'card' AND begun_budget_ms <= ? LIMIT ?"
    )
    return _many(rows.all(sql, begun_before_budget_ms, LISTED_MAX))


def surcharged(rows: Rows, since_ms: int, limit: int = LISTED_MAX) -> list[PaymentRow]:
    """Payments begun since then to which a terminal added more than the shop allowed, and that
    didn't go back, newest first."""
    sql = (
        f"{PAYMENT} WHERE surcharge_unasked = 1 AND begun_at_ms >= ?"
        f" AND state NOT IN {SURCHARGE_GONE} ORDER BY begun_at_ms DESC LIMIT ?"
    )
    return _many(rows.all(sql, since_ms, limit))


def open_ones(rows: Rows, limit: int = LISTED_MAX) -> list[PaymentRow]:
    """Payments that still need something, oldest first."""
    return _many(rows.all(f"{PAYMENT} WHERE {OPEN} ORDER BY id LIMIT ?", limit))


def latest(rows: Rows, *, before: int | None = None, limit: int = 20) -> list[PaymentRow]:
    """Payments with a number below ``before``, newest first."""
    sql = f"{PAYMENT} WHERE id < ? ORDER BY id DESC LIMIT ?"
    return _many(rows.all(sql, before or (1 << 62), limit))


def steps(rows: Rows, number: int) -> list[StepRow]:
    """What happened to a payment, in order."""
    found = rows.all(
        "SELECT n, at_ms, event, before, after, by, detail FROM payment_steps WHERE payment = ?"
        " ORDER BY n LIMIT 1000",
        number,
    )
    return [StepRow(*row) for row in found]


def last_step(rows: Rows, number: int) -> int:
    """The number of the last thing that happened to a payment; 0: nothing."""
    row = rows.one("SELECT max(n) FROM payment_steps WHERE payment = ?", number)
    return int(row[0] or 0) if row else 0


class RiskRow(NamedTuple):
    """What is at risk: sums in minor units, in the shop and at one terminal; ``oldest_*`` of what
    the shop stored longest ago."""

    payments: int
    minor: int
    terminal_payments: int
    terminal_minor: int
    oldest_at_ms: int | None
    oldest_budget_ms: int | None


def at_risk(rows: Rows, terminal_id: str | None = None) -> RiskRow:
    """The exposure of the shop, and of a terminal."""
    row = rows.one(
        "SELECT count(*), coalesce(sum(amount_minor), 0),"
        " coalesce(sum(terminal_id = ?1), 0),"
        " coalesce(sum(amount_minor) FILTER (WHERE terminal_id = ?1), 0),"
        f" min(stored_at_ms), min(stored_budget_ms) FROM payments WHERE {OPEN} AND {_RISK}",
        terminal_id,
    )
    assert row is not None
    return RiskRow(*row)


def oldest_to_present(rows: Rows) -> tuple[int | None, int | None]:
    """When the first of what expires unless it is presented was stored: wall and budget."""
    row = rows.one(
        "SELECT min(stored_at_ms), min(stored_budget_ms) FROM payments"
        f" WHERE {OPEN} AND state IN ('stored', 'retry_wait')"
    )
    assert row is not None
    return row[0], row[1]


def stored_with_token(rows: Rows, token_ref: str, since_ms: int, until_id: int) -> int:
    """How many payments of one card were accepted offline since then, before this one."""
    row = rows.one(
        "SELECT count(*) FROM payments WHERE token_ref = ? AND token_ref <> ''"
        " AND stored_at_ms >= ? AND id <> ? AND state <> 'voided'",
        token_ref,
        since_ms,
        until_id,
    )
    assert row is not None
    return int(row[0])


def counts(rows: Rows) -> dict[str, tuple[int, int]]:
    """Every state that payments are in: how many, and their sum in minor units."""
    found = rows.all("SELECT state, count(*), sum(amount_minor) FROM payments GROUP BY state")
    return {state: (int(count), int(minor)) for state, count, minor in found}


def _first(row: tuple[Any, ...] | None) -> PaymentRow | None:
    return PaymentRow(*row) if row else None


def _many(found: Sequence[tuple[Any, ...]]) -> list[PaymentRow]:
    return [PaymentRow(*row) for row in found]


# Writing -----------------------------------------------------------------------------------------


def add(tx: Tx, new: NewPayment, due_budget_ms: int = 0) -> PaymentRow:
    """Begin a payment in ``intent``; the row as written."""
    row = _first(
        tx.one(
            _ADD,
            *(int(one) if isinstance(one, bool) else one for one in new),
            due_budget_ms,
            tx.now_ms,
            tx.budget_ms,
            tx.now_ms,
        )
    )
    assert row is not None
    return row


def change(tx: Tx, row: PaymentRow, **values: Any) -> PaymentRow:
    """Write some columns of a payment; the row as it is now."""
    assert values.keys() <= _SETTABLE, f"can't be set: {sorted(values.keys() - _SETTABLE)}"
    values["changed_at_ms"] = tx.now_ms
    tx.update("payments", row.id, values)
    return row._replace(**values)


def add_step(tx: Tx, row: PaymentRow, event: str, after: str, by: str, detail: str) -> int:
    """Note that a payment goes from ``row.state`` to ``after``; the step's number: 1, 2, 3…"""
    added = tx.one(
        "INSERT INTO payment_steps (payment, n, at_ms, event, before, after, by, detail)"
        " SELECT ?, coalesce(max(n), 0) + 1, ?, ?, ?, ?, ?, ? FROM payment_steps WHERE payment = ?"
        " RETURNING n",
        row.id,
        tx.now_ms,
        event,
        row.state,
        after,
        by,
        detail,
        row.id,
    )
    assert added is not None
    return int(added[0])


def put_step(tx: Tx, row: PaymentRow, n: int, after: str, by: str, detail: str) -> None:
    """Note a step of another time under its own number; behind the last one where this hub has
    given that number to another step since."""
    taken = tx.one("SELECT after FROM payment_steps WHERE payment = ? AND n = ?", row.id, n)
    if taken is not None and taken[0] == after:
        return
    if taken is not None:
        n = last_step(tx, row.id) + 1
    tx.run(
        "INSERT INTO payment_steps (payment, n, at_ms, event, before, after, by, detail)"
        " VALUES (?, ?, ?, 'told', ?, ?, ?, ?)",
        row.id,
        n,
        tx.now_ms,
        row.state,
        after,
        by,
        detail,
    )


def raise_offline_seq(tx: Tx, terminal_id: str, offline_seq: int) -> bool:
    """Count on from ``offline_seq`` at least; False when a payment here has that number."""
    tx.run(
        "INSERT INTO terminal_sequences (terminal_id, offline_seq) VALUES (?, ?)"
        " ON CONFLICT DO UPDATE SET offline_seq = max(offline_seq, excluded.offline_seq)",
        terminal_id,
        offline_seq,
    )
    there = tx.one(
        "SELECT 1 FROM payments WHERE terminal_id = ? AND offline_seq = ?", terminal_id, offline_seq
    )
    return there is None


def next_offline_seq(tx: Tx, terminal_id: str) -> int:
    """The next number of a terminal's payments that were approved offline: 1, 2, 3…"""
    row = tx.one(
        "INSERT INTO terminal_sequences (terminal_id, offline_seq) VALUES (?, 1)"
        " ON CONFLICT DO UPDATE SET offline_seq = offline_seq + 1 RETURNING offline_seq",
        terminal_id,
    )
    assert row is not None
    return int(row[0])
