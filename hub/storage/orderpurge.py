"""Forgetting orders that ended long ago, but for how they ended and by which version.

That little stays for ever: ``order_id`` names the shop's part of an order for ever, so a word of
the cloud that comes late, or again after it was put back from a backup, is known as such.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hub.storage import outbox
from hub.storage.rows import Rows, Tx

AT_ONCE: Final = 50
LINES_AT_ONCE: Final = 500
"""Lines and steps that are deleted in one transaction, and those of one order more."""


class Forgotten(NamedTuple):
    """What is left of an order."""

    version: int
    state: str


def find(rows: Rows, order_id: str) -> Forgotten | None:
    """What is left of an order that is forgotten."""
    row = rows.one("SELECT version, state FROM orders_forgotten WHERE order_id = ?", order_id)
    return Forgotten(*row) if row else None


def set_version(tx: Tx, order_id: str, version: int) -> None:
    """The cloud told the same end by a newer version."""
    tx.run("UPDATE orders_forgotten SET version = ? WHERE order_id = ?", version, order_id)


def purge(tx: Tx, before_ms: int) -> int:
    """Forget up to 50 orders that ended before then and had nothing happen to them since; how many.

    What the cloud has not taken yet, or what of it waits aside, stays.  So does the newest order:
    the next one's number follows from it, and movements know orders by their numbers.
    """
    waits_ms = outbox.oldest_by_stream_ms(tx).get("orders", before_ms)
    old = tx.all(
        "SELECT o.id, (SELECT count(*) FROM order_lines l WHERE l.order_no = o.id)"
        " + (SELECT count(*) FROM order_steps s WHERE s.order_no = o.id)"
        " FROM orders o INDEXED BY orders_ended"
        " WHERE o.ended_at_ms IS NOT NULL AND o.ended_at_ms < ?1 AND o.changed_at_ms < ?1"
        " AND o.id < (SELECT max(id) FROM orders) AND NOT EXISTS (SELECT 1 FROM parked p"
        " WHERE p.aggregate = o.order_id AND p.resent_at_ms IS NULL)"
        " ORDER BY o.ended_at_ms, o.id LIMIT ?2",
        min(before_ms, waits_ms),
        AT_ONCE,
    )
    done = deleted = 0
    for number, parts in old:
        if deleted >= LINES_AT_ONCE:
            break
        tx.run(
            "INSERT INTO orders_forgotten (order_id, version, state)"
            " SELECT order_id, version, state FROM orders WHERE id = ?",
            number,
        )
        for table in ("order_lines", "order_steps"):
            tx.run(f"DELETE FROM {table} WHERE order_no = ?", number)
        tx.run("DELETE FROM orders WHERE id = ?", number)
        deleted += parts
        done += 1
    return done
