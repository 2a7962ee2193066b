"""What is sealed about payments: tokens, kept while they are needed, and customers' contacts, kept
while they may be needed; then shredded."""

from __future__ import annotations

from typing import Final, Literal

from hub.domain.payments.tokens import SealedToken
from hub.storage.rows import Rows, Tx

Kind = Literal["token", "contact"]
_TABLES: Final[dict[Kind, str]] = {"token": "payment_secrets", "contact": "payment_contacts"}


def put(tx: Tx, payment: int, token: SealedToken, kind: Kind = "token") -> None:
    """Keep a payment's secret of this kind, in place of one that is kept already."""
    tx.run(
        f"INSERT INTO {_TABLES[kind]} (payment, key_id, wrapped, sealed) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET key_id = excluded.key_id, wrapped = excluded.wrapped,"
        " sealed = excluded.sealed",
        payment,
        token.key_id,
        token.wrapped,
        token.sealed,
    )


def get(rows: Rows, payment: int, kind: Kind = "token") -> SealedToken | None:
    """A payment's secret; None: it never had one here, or it is shredded."""
    sql = f"SELECT key_id, wrapped, sealed FROM {_TABLES[kind]} WHERE payment = ?"
    row = rows.one(sql, payment)
    return SealedToken(*row) if row else None


def shred(tx: Tx, payment: int, kind: Kind = "token") -> bool:
    """Forget a secret for good; whether there was one.

    Its bytes are overwritten before the row goes: SQLite leaves those of a deleted row on the page.
    """
    gone = tx.run(
        f"UPDATE {_TABLES[kind]} SET wrapped = zeroblob(length(wrapped)),"
        " sealed = zeroblob(length(sealed)) WHERE payment = ?",
        payment,
    )
    return bool(gone) and tx.run(f"DELETE FROM {_TABLES[kind]} WHERE payment = ?", payment) > 0


def not_under(
    rows: Rows, key_id: str, limit: int, kind: Kind = "token"
) -> list[tuple[int, str, SealedToken]]:
    """Secrets that another key than this wraps: ``(payment, payment_id, token)``."""
    found = rows.all(
        f"SELECT s.payment, p.payment_id, s.key_id, s.wrapped, s.sealed FROM {_TABLES[kind]} s"
        " JOIN payments p ON p.id = s.payment WHERE s.key_id <> ? ORDER BY s.payment LIMIT ?",
        key_id,
        limit,
    )
    return [(number, name, SealedToken(*rest)) for number, name, *rest in found]


def not_under_any(rows: Rows, key_ids: tuple[str, ...], kind: Kind) -> int:
    """How many secrets of this kind none of these keys wraps."""
    marks = ", ".join("?" * len(key_ids))
    sql = f"SELECT count(*) FROM {_TABLES[kind]} WHERE key_id NOT IN ({marks})"
    row = rows.one(sql, *key_ids)
    return int(row[0]) if row else 0


def keys_in_use(rows: Rows) -> frozenset[str]:
    """The names of the keys that any kept secret needs."""
    found = rows.all(
        "SELECT DISTINCT key_id FROM payment_secrets UNION SELECT key_id FROM payment_contacts"
    )
    return frozenset(row[0] for row in found)
