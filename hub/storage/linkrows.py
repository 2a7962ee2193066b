"""Payment links: what was asked for, sent, refused and paid."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from hub.storage.rows import Rows, Tx

LINKS_MAX: Final = 100
TRIES_MAX: Final = 50
"""So often an OMS may answer without saying whether a link was sent, or called back; then it is
asked no more.  A line that is away counts for nothing."""
_OPEN = "state IN ('wanted', 'sending', 'unknown')"
"""As in the index: SQLite uses it only for the very same words."""


class LinkRow(NamedTuple):
    """One link; ``payment`` is the payment's number, instants are UTC milliseconds, budgets the
    hub's own.  ``recall``: whether it is to be called back, was, or can't be."""

    id: int
    link_key: str
    payment: int
    amount_minor: int
    state: str
    fence: int
    tries: int
    due_budget_ms: int
    lease_budget_ms: int
    sent_at_ms: int | None
    expires_at_ms: int | None
    url: str
    psp_ref: str
    paid_minor: int
    reason: str
    by: str
    made_at_ms: int
    changed_at_ms: int
    recall: str


_LINK = f"SELECT {', '.join(LinkRow._fields)} FROM payment_links"
_SETTABLE = frozenset(LinkRow._fields) - {"id", "link_key", "payment", "amount_minor", "by"}


# Reading -----------------------------------------------------------------------------------------


def get(rows: Rows, link_key: str) -> LinkRow | None:
    """A link by its key."""
    row = rows.one(f"{_LINK} WHERE link_key = ?", link_key)
    return LinkRow(*row) if row else None


def of_payment(rows: Rows, payment: int) -> list[LinkRow]:
    """The links of a payment, oldest first."""
    sql = f"{_LINK} WHERE payment = ? ORDER BY id LIMIT ?"
    return [LinkRow(*row) for row in rows.all(sql, payment, LINKS_MAX)]


def surplus_of(rows: Rows, payment: int) -> list[LinkRow]:
    """Those of a payment that were paid for what isn't owed, and that nobody has seen to."""
    sql = f"{_LINK} WHERE state = 'surplus' AND payment = ? ORDER BY id LIMIT ?"
    return [LinkRow(*row) for row in rows.all(sql, payment, LINKS_MAX)]


def is_settled(link: LinkRow, how: str) -> bool:
    """Whether somebody has said of its money that so it was seen to."""
    return link.state == "settled" and link.reason.startswith(f"{how}: ")


def due(rows: Rows, budget_ms: int, limit: int) -> list[LinkRow]:
    """Links to be brought to the OMS now, those due first at the front."""
    sql = (
        f"{_LINK} WHERE {_OPEN} AND state <> 'sending' AND recall = '' AND due_budget_ms <= ?"
        " AND lease_budget_ms <= ? ORDER BY due_budget_ms, id LIMIT ?"
    )
    return [LinkRow(*row) for row in rows.all(sql, budget_ms, budget_ms, limit)]


def to_call_back(rows: Rows, budget_ms: int, limit: int) -> list[LinkRow]:
    """Links to be called back now, those due first at the front."""
    sql = (
        f"{_LINK} WHERE recall = 'wanted' AND state IN ('wanted', 'unknown', 'sent', 'refused')"
        " AND due_budget_ms <= ? AND lease_budget_ms <= ? ORDER BY due_budget_ms, id LIMIT ?"
    )
    return [LinkRow(*row) for row in rows.all(sql, budget_ms, budget_ms, limit)]


def overdue(rows: Rows, budget_ms: int) -> list[LinkRow]:
    """Up to 100 links under way whose lease is over."""
    sql = f"{_LINK} WHERE {_OPEN} AND state = 'sending' AND lease_budget_ms <= ? LIMIT ?"
    return [LinkRow(*row) for row in rows.all(sql, budget_ms, LINKS_MAX)]


def paid_by(rows: Rows, payment: int, psp_ref: str) -> LinkRow | None:
    """The link of this payment whose money has the processor's reference."""
    sql = f"{_LINK} WHERE psp_ref = ? AND psp_ref <> '' AND payment = ? LIMIT 1"
    row = rows.one(sql, psp_ref, payment) if psp_ref else None
    return LinkRow(*row) if row else None


def is_paid_by(rows: Rows, payment: int, psp_ref: str) -> bool:
    """Whether the processor's reference is that of what was paid by a link of this payment."""
    return paid_by(rows, payment, psp_ref) is not None


def has_paid(rows: Rows, payment: int) -> bool:
    """Whether a payment's receivable was paid by a link."""
    sql = "SELECT 1 FROM payment_links WHERE payment = ? AND state = 'paid' LIMIT 1"
    return rows.one(sql, payment) is not None


# Writing -----------------------------------------------------------------------------------------


def add(tx: Tx, link_key: str, payment: int, amount_minor: int, by: str) -> LinkRow:
    """Want a link; the row as written."""
    tx.run(
        "INSERT INTO payment_links (link_key, payment, amount_minor, state, by, due_budget_ms,"
        " made_at_ms, changed_at_ms) VALUES (?, ?, ?, 'wanted', ?, ?, ?, ?)",
        link_key,
        payment,
        amount_minor,
        by,
        tx.budget_ms,
        tx.now_ms,
        tx.now_ms,
    )
    row = get(tx, link_key)
    assert row is not None
    return row


def drop_wanted(tx: Tx, payment: int, reason: str) -> None:
    """A payment's links that nobody has been asked to send yet are not needed any more."""
    tx.run(
        "UPDATE payment_links SET state = 'dropped', reason = ?, changed_at_ms = ?"
        " WHERE payment = ? AND state = 'wanted' AND sent_at_ms IS NULL",
        reason,
        tx.now_ms,
        payment,
    )


def want_recall(tx: Tx, payment: int, owed_minor: int = 0) -> None:
    """Whatever of a payment's links may have reached the customer, and can still be paid, is to be
    called back, but for those that ask for what is owed; one that is under way as soon as that is
    answered.  Of one that the OMS was asked for too often nobody knows."""
    tx.run(
        "UPDATE payment_links SET recall = 'wanted', tries = 0, due_budget_ms = ?,"
        " changed_at_ms = ? WHERE payment = ? AND recall = ''"
        " AND (state IN ('wanted', 'sending', 'unknown', 'sent')"
        " OR state = 'refused' AND tries >= ?)"
        " AND sent_at_ms IS NOT NULL AND (expires_at_ms IS NULL OR expires_at_ms > ?)"
        " AND amount_minor <> ?",
        tx.budget_ms,
        tx.now_ms,
        payment,
        TRIES_MAX,
        tx.now_ms,
        owed_minor,
    )


def doubt_copied(tx: Tx) -> int:
    """This database is a copy: what is open in it may have been sent since, by another box; how
    many.  Each is asked for under its own key, or called back."""
    return tx.run(
        "UPDATE payment_links SET state = 'unknown', lease_budget_ms = 0, fence = fence + 1,"
        f" due_budget_ms = 0, sent_at_ms = coalesce(sent_at_ms, made_at_ms) WHERE {_OPEN}"
    )


def change(tx: Tx, row: LinkRow, **values: Any) -> LinkRow:
    """Write some columns of a link; the row as it is now."""
    assert values.keys() <= _SETTABLE, f"can't be set: {sorted(values.keys() - _SETTABLE)}"
    values["changed_at_ms"] = tx.now_ms
    tx.update("payment_links", row.id, values)
    return row._replace(**values)
