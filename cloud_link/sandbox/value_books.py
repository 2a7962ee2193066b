"""What the sandbox's issuer writes down: its tables, what people ask of it, and its books.

Like the processor it is another party than the OMS: it survives the OMS's restore from a backup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from hub.contract.base import Incoming, MoneyMinor
from hub.contract.oms_payments import BookCurrency
from hub.contract.oms_value import ValueToken, ValueWord

if TYPE_CHECKING:
    from sqlite3 import Connection

SCHEMAS: Final = (
    """
CREATE TABLE IF NOT EXISTS value_cards (
    account       TEXT PRIMARY KEY,
    token_hash    TEXT NOT NULL UNIQUE,
    kind          TEXT NOT NULL,
    last4         TEXT NOT NULL,
    currency      TEXT NOT NULL,
    put_minor     INTEGER NOT NULL,
    balance_minor INTEGER NOT NULL CHECK (balance_minor >= 0),
    pin_hash      TEXT NOT NULL,
    status        TEXT NOT NULL
) STRICT
""",
    """
CREATE TABLE IF NOT EXISTS value_allotments (
    store          TEXT NOT NULL,
    account        TEXT NOT NULL,
    epoch          INTEGER NOT NULL,
    granted_minor  INTEGER NOT NULL DEFAULT 0,
    recalled_minor INTEGER NOT NULL DEFAULT 0,
    returned_minor INTEGER NOT NULL DEFAULT 0,
    spent_minor    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (store, account, epoch),
    CHECK (granted_minor >= returned_minor + spent_minor)
) STRICT
""",
    """
CREATE TABLE IF NOT EXISTS value_holds (
    store          TEXT NOT NULL,
    hold_id        TEXT NOT NULL,
    account        TEXT NOT NULL,
    status         TEXT NOT NULL,
    amount_minor   INTEGER NOT NULL,
    currency       TEXT NOT NULL,
    code           TEXT NOT NULL DEFAULT '',
    refunded_minor INTEGER NOT NULL DEFAULT 0,
    expires_at_ms  INTEGER,
    epoch          INTEGER,
    PRIMARY KEY (store, hold_id)
) STRICT
""",
    """
CREATE TABLE IF NOT EXISTS value_refunds (
    store        TEXT NOT NULL,
    hold_id      TEXT NOT NULL,
    key          TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    PRIMARY KEY (store, hold_id, key)
) STRICT
""",
)
TABLES: Final = ("value_cards", "value_allotments", "value_holds", "value_refunds")


class CardMade(Incoming):
    """``POST /sandbox/value/cards``: put a card into the world, or change its status."""

    account_ref: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$")]
    token: ValueToken
    kind: ValueWord = "gift_card"
    currency: BookCurrency = "EUR"
    balance_minor: MoneyMinor = 0
    pin: Annotated[str, Field(max_length=12)] = ""
    status: Annotated[str, Field(pattern=r"^(active|blocked|expired)$")] = "active"


class CardAllotted(Incoming):
    """``POST /sandbox/value/allot``: set so much more of a card aside for the store, or want so
    much more of it back."""

    account_ref: str
    store: str | None = None
    grant_minor: MoneyMinor = 0
    recall_minor: MoneyMinor = 0


def over(db: Connection, account: str, now_ms: int) -> list[tuple[str, str, int]]:
    """Store, id and amount of a card's holds whose time is over: their shop may never ask again."""
    found = db.execute(
        "SELECT store, hold_id, amount_minor FROM value_holds WHERE account=? AND status='held'"
        " AND expires_at_ms <= ?",
        (account, now_ms),
    )
    return found.fetchall()


def books(db: Connection) -> dict[str, Any]:
    """Every table, and of each card where its value is: ``put`` on it ever, less what is ``free``,
    ``held``, set ``aside`` and ``taken`` (0 is right)."""
    found: dict[str, Any] = {}
    for name in TABLES:
        rows = db.execute(f"SELECT * FROM {name} ORDER BY rowid LIMIT 10000")  # noqa: S608
        names = [column[0] for column in rows.description]
        found[name] = [dict(zip(names, row, strict=True)) for row in rows]
    found["missing"] = {
        account: put - free - held - aside - taken
        for account, put, free, held, aside, taken in db.execute(
            "SELECT account, put_minor, balance_minor,"
            " coalesce((SELECT sum(amount_minor) FROM value_holds h WHERE h.account = c.account"
            " AND status = 'held'), 0),"
            " coalesce((SELECT sum(granted_minor - returned_minor - spent_minor)"
            " FROM value_allotments a WHERE a.account = c.account), 0),"
            " coalesce((SELECT sum(amount_minor - refunded_minor) FROM value_holds h"
            " WHERE h.account = c.account AND status IN ('captured', 'refunded')), 0)"
            " FROM value_cards c"
        )
    }
    return found
