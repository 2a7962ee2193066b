"""Which payments something can be done about just now, by whose hand; which ones time is over for.

Every query begins with the words of a partial index: SQLite uses it only so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from hub.domain.payments.states import CONTACT_ALONE, STORED_AWAY
from hub.storage.paymentrows import OPEN, PAYMENT, PaymentRow
from hub.storage.rows import Rows

AT_ONCE_MAX: Final = 200

_FREE = "due_budget_ms <= ? AND lease_budget_ms <= ?"
_STORED_AWAY: Final = "({})".format(", ".join(f"'{one}'" for one in sorted(STORED_AWAY)))
_CONTACT_ALONE: Final = "({})".format(", ".join(f"'{one}'" for one in sorted(CONTACT_ALONE)))
_OLDEST = "ORDER BY coalesce(stored_budget_ms, begun_budget_ms), id LIMIT ?"


def for_processor(rows: Rows, budget_ms: int, limit: int) -> list[PaymentRow]:
    """What the processor may be asked for now, what was stored first at the front."""
    return _many(
        rows,
        f"{OPEN} AND {_FREE} AND kind = 'card' AND ("
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
        f"{OPEN} AND {_FREE} AND kind = 'card' AND driven_by = 'hub' AND terminal_id IN ({marks})"
        " AND ("
        "state = 'unknown'"
        " OR (state IN ('stored', 'void_pending') AND custody = 'terminal')"
        " OR (state = 'authorised' AND void_asked = 1))"
        f" {_OLDEST}",
        budget_ms,
        budget_ms,
        *terminals,
        limit,
    )


_ISSUERS: Final = (
    f"{OPEN} AND kind <> 'card' AND lease_budget_ms <= ? AND (state = 'intent'"
    " OR (due_budget_ms <= ? AND (state = 'unknown'"
    " OR (state = 'authorised' AND (in_sale = 1 OR void_asked = 1)))))"
)


def for_issuer(rows: Rows, budget_ms: int, limit: int) -> list[PaymentRow]:
    """What the issuer may be asked for now: customers who wait first."""
    order = "ORDER BY state <> 'intent', begun_budget_ms, id LIMIT ?"
    return _many(rows, f"{_ISSUERS} {order}", budget_ms, budget_ms, limit)


def leases_over(rows: Rows, budget_ms: int) -> list[PaymentRow]:
    """On their way, and whoever has them had time enough."""
    return _many(
        rows,
        f"{OPEN} AND state = 'forwarding' AND lease_budget_ms <= ? ORDER BY id LIMIT ?",
        budget_ms,
        AT_ONCE_MAX,
    )


def unanswered(rows: Rows, budget_ms: int) -> list[PaymentRow]:
    """Not sent to a terminal in time, or not answered by it (or by the till that asked it)."""
    return _many(
        rows,
        f"{OPEN} AND state IN ('intent', 'at_terminal') AND due_budget_ms <= ? ORDER BY id LIMIT ?",
        budget_ms,
        AT_ONCE_MAX,
    )


def unsold(rows: Rows, begun_before_budget_ms: int) -> list[PaymentRow]:
    """Money that is there for a sale that was never written."""
    return _many(
        rows,
        "in_sale = 0 AND void_asked = 0 AND state IN ('authorised', 'captured', 'settled')"
        " AND begun_budget_ms <= ? ORDER BY begun_budget_ms LIMIT ?",
        begun_before_budget_ms,
        AT_ONCE_MAX,
    )


def not_wanted_back(rows: Rows, *, by_hub: bool, limit: int = AT_ONCE_MAX) -> list[PaymentRow]:
    """Money that is there, is to go back, and isn't asked for yet, oldest first; ``by_hub``: only
    of terminals that the hub drives."""
    driven = " AND driven_by = 'hub'" if by_hub else ""
    return _many(
        rows,
        "void_asked = 1 AND state IN ('authorised', 'captured', 'settled')"
        f" AND state <> 'authorised'{driven} AND NOT EXISTS (SELECT 1 FROM payment_refunds r"
        " WHERE r.payment = payments.id AND r.subject = payments.sale_id) ORDER BY id LIMIT ?",
        limit,
    )


def not_mirrored(rows: Rows, limit: int) -> list[PaymentRow]:
    """Stored payments of which the second keeper doesn't have what is sealed, oldest first."""
    return _many(
        rows,
        f"{OPEN} AND state IN {_STORED_AWAY} AND mirrored = 0 AND EXISTS"
        " (SELECT 1 FROM payment_secrets s WHERE s.payment = payments.id) ORDER BY id LIMIT ?",
        limit,
    )


_CONTACTS: Final = (
    f"{OPEN} AND state IN {_CONTACT_ALONE} AND void_asked = 0"
    " AND (stored_at_ms IS NOT NULL OR state <> 'authorised')"
    " AND EXISTS (SELECT 1 FROM payment_contacts c WHERE c.payment = payments.id)"
)
"""Those whose contact is kept twice, without a token.  What was approved online and is captured at
once needs nobody."""


def contacts_not_mirrored(rows: Rows, limit: int) -> list[PaymentRow]:
    """Payments of which the second keeper doesn't have the contact alone, oldest first."""
    return _many(rows, f"{_CONTACTS} AND mirrored = 0 ORDER BY id LIMIT ?", limit)


def contacts_mirrored(rows: Rows) -> int:
    """Of how many payments the second keeper has the contact alone."""
    row = rows.one(f"SELECT count(*) FROM payments WHERE {_CONTACTS} AND mirrored = 1")
    assert row is not None
    return int(row[0])


def is_contact_kept(rows: Rows, number: int) -> bool:
    """Whether this payment's contact alone is to be kept twice."""
    sql = f"SELECT 1 FROM payments WHERE {_CONTACTS} AND id = ?"
    return rows.one(sql, number) is not None


class Crowd(NamedTuple):
    """Payments on their way to a terminal or in doubt there: a till's, and the whole shop's; and
    how many of the till's people have to decide."""

    till: int
    shop: int
    till_undecided: int


def crowd_of(rows: Rows, device_id: str, *, value: bool) -> Crowd:
    """How many are under way.  ``value``: of those with gift cards, or by card: an issuer that
    can't tell is in no terminal's way."""
    row = rows.one(
        "SELECT coalesce(sum(state <> 'manual' AND device_id = ?1), 0),"
        " coalesce(sum(state <> 'manual'), 0),"
        " coalesce(sum(state = 'manual' AND device_id = ?1), 0)"
        f" FROM payments WHERE {OPEN} AND state IN ('intent', 'at_terminal', 'unknown', 'manual')"
        f" AND kind {'<>' if value else '='} 'card'",
        device_id,
    )
    assert row is not None
    return Crowd(*row)


def not_captured(rows: Rows, before_ms: int, limit: int = AT_ONCE_MAX) -> list[PaymentRow]:
    """Payments that sales were paid with, begun before then and still not captured."""
    return _many(
        rows,
        f"{OPEN} AND state = 'authorised' AND in_sale = 1 AND void_asked = 0 AND begun_at_ms < ?"
        " ORDER BY id LIMIT ?",
        before_ms,
        limit,
    )


def not_given_back(rows: Rows, before_ms: int, limit: int = AT_ONCE_MAX) -> list[PaymentRow]:
    """Payments begun before then whose money is there and is to go back; those whose refund was
    refused are told as such."""
    return _many(
        rows,
        "void_asked = 1 AND state IN ('authorised', 'captured', 'settled') AND begun_at_ms < ?"
        " AND NOT EXISTS (SELECT 1 FROM payment_refunds r WHERE r.payment = payments.id"
        " AND r.state = 'refused') ORDER BY id LIMIT ?",
        before_ms,
        limit,
    )


def oldest_stored(rows: Rows, limit: int = AT_ONCE_MAX) -> list[PaymentRow]:
    """Stored payments that have a deadline, oldest first."""
    return _many(
        rows,
        f"{OPEN} AND (state IN ('stored', 'retry_wait')"
        f" OR (state = 'void_pending' AND custody = 'terminal')) {_OLDEST}",
        limit,
    )


def _many(rows: Rows, where: str, *params: Any) -> list[PaymentRow]:
    return [PaymentRow(*row) for row in rows.all(f"{PAYMENT} WHERE {where}", *params)]
