"""What issuers have set aside of gift cards and store credit for this shop."""

from __future__ import annotations

from typing import Final, NamedTuple

from hub.domain.payments.value import Allotment
from hub.storage.paymentrows import OPEN
from hub.storage.rows import Rows, Tx

ACCOUNTS_MAX: Final = 20_000
"""So many cards may have value set aside here."""
REFUSED_LOOKED_AT: Final = 100


class AccountRow(NamedTuple):
    """One card; ``token_ref`` is a keyed hash of what is read from it, amounts are in minor units
    and cumulative within ``epoch``."""

    account: str
    kind: str
    token_ref: str
    last4: str
    currency: str
    epoch: int
    granted_minor: int
    recalled_minor: int
    returned_minor: int
    spent_minor: int

    @property
    def allotment(self) -> Allotment:
        """The figures."""
        return Allotment(
            self.epoch,
            self.granted_minor,
            self.recalled_minor,
            self.returned_minor,
            self.spent_minor,
        )

    def at(self, allotment: Allotment) -> AccountRow:
        """The same card with these figures."""
        return self._replace(
            epoch=allotment.epoch,
            granted_minor=allotment.granted_minor,
            recalled_minor=allotment.recalled_minor,
            returned_minor=allotment.returned_minor,
            spent_minor=allotment.spent_minor,
        )


_ACCOUNT: Final = f"SELECT {', '.join(AccountRow._fields)} FROM value_accounts"


def get(rows: Rows, account: str) -> AccountRow | None:
    """A card by the issuer's name for it."""
    row = rows.one(f"{_ACCOUNT} WHERE account = ?", account)
    return AccountRow(*row) if row else None


def of_token(rows: Rows, token_ref: str, kind: str) -> AccountRow | None:
    """A card by the hash of what is read from it."""
    row = rows.one(f"{_ACCOUNT} WHERE token_ref = ? AND kind = ? LIMIT 1", token_ref, kind)
    return AccountRow(*row) if row and token_ref else None


def count(rows: Rows) -> int:
    """How many cards have value set aside here that wasn't spent or given back, in any epoch."""
    row = rows.one(
        "SELECT count(*) FROM value_accounts WHERE granted_minor > returned_minor + spent_minor"
    )
    assert row is not None
    return int(row[0])


def outstanding(rows: Rows, epoch: int | None) -> tuple[int, int]:
    """How many cards have value that may be spent in this epoch, and how much."""
    row = rows.one(
        "SELECT count(*), coalesce(sum(granted_minor - returned_minor - spent_minor), 0)"
        " FROM value_accounts WHERE epoch IS ? AND granted_minor > returned_minor + spent_minor",
        epoch,
    )
    assert row is not None
    return int(row[0]), int(row[1])


def put(tx: Tx, row: AccountRow) -> None:
    """Write a card, in place of what is known of it."""
    names = AccountRow._fields
    news = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    tx.run(
        f"INSERT INTO value_accounts ({', '.join(names)}, changed_at_ms)"
        f" VALUES ({', '.join('?' * len(names))}, ?)"
        f" ON CONFLICT DO UPDATE SET {news}, changed_at_ms = excluded.changed_at_ms",
        *row,
        tx.now_ms,
    )


def tries_lately(rows: Rows, device_id: str, since_ms: int) -> int:
    """How many of a till's cards issuers have refused since then that may have been guesses (with
    too little on them they aren't), up to 100, and how many they are being asked for."""
    row = rows.one(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM payments WHERE kind <> 'card'"
        " AND state = 'refused' AND device_id = ? AND changed_at_ms >= ?"
        " AND decline_code <> 'insufficient-value' LIMIT ?))"
        f" + (SELECT count(*) FROM payments WHERE {OPEN} AND kind <> 'card'"
        " AND state IN ('intent', 'at_terminal') AND device_id = ?)",
        device_id,
        since_ms,
        REFUSED_LOOKED_AT,
        device_id,
    )
    assert row is not None
    return int(row[0])


def purge(tx: Tx, before_ms: int, epoch: int, limit: int) -> int:
    """Forget cards of epochs before ``epoch`` that nothing has happened to since then; how many.
    Those of the present one stay: what is granted is told again now and then."""
    return tx.run(
        "DELETE FROM value_accounts WHERE account IN (SELECT account FROM value_accounts"
        " WHERE changed_at_ms < ? AND epoch < ? LIMIT ?)",
        before_ms,
        epoch,
        limit,
    )
