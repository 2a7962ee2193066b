"""Sealed tokens of stored payments: kept while they are needed, then shredded."""

from __future__ import annotations

from hub.domain.payments.tokens import SealedToken
from hub.storage.rows import Rows, Tx


def put(tx: Tx, payment: int, token: SealedToken) -> None:
    """Keep a payment's token, in place of one that is kept already."""
    tx.run(
        "INSERT INTO payment_secrets (payment, key_id, wrapped, sealed) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET key_id = excluded.key_id, wrapped = excluded.wrapped,"
        " sealed = excluded.sealed",
        payment,
        token.key_id,
        token.wrapped,
        token.sealed,
    )


def get(rows: Rows, payment: int) -> SealedToken | None:
    """A payment's token; None: it never had one here, or it is shredded."""
    row = rows.one("SELECT key_id, wrapped, sealed FROM payment_secrets WHERE payment = ?", payment)
    return SealedToken(*row) if row else None


def shred(tx: Tx, payment: int) -> bool:
    """Forget a token for good; whether there was one.

    Its bytes are overwritten before the row goes: SQLite leaves those of a deleted row on the page.
    """
    tx.run(
        "UPDATE payment_secrets SET wrapped = zeroblob(length(wrapped)),"
        " sealed = zeroblob(length(sealed)) WHERE payment = ?",
        payment,
    )
    return tx.run("DELETE FROM payment_secrets WHERE payment = ?", payment) > 0


def not_under(rows: Rows, key_id: str, limit: int) -> list[tuple[int, str, SealedToken]]:
    """Tokens that another key than this wraps: ``(payment, payment_id, token)``."""
    found = rows.all(
        "SELECT s.payment, p.payment_id, s.key_id, s.wrapped, s.sealed FROM payment_secrets s"
        " JOIN payments p ON p.id = s.payment WHERE s.key_id <> ? ORDER BY s.payment LIMIT ?",
        key_id,
        limit,
    )
    return [(number, name, SealedToken(*rest)) for number, name, *rest in found]


def keys_in_use(rows: Rows) -> frozenset[str]:
    """The names of the keys that any kept token needs."""
    return frozenset(row[0] for row in rows.all("SELECT DISTINCT key_id FROM payment_secrets"))
