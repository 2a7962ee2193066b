"""Online orders that this shop serves: heads, lines, steps, and what is reserved for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from hub.domain.orders import Covered
from hub.storage.rows import Rows, Tx

NO_PROMISE_MS: Final = 1 << 53
"""Where orders without a promise stand among the others: behind."""
STEPS_KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order's head; ``ended_at_ms`` None while it is open, ``short_lines`` lack goods."""

    id: int
    order_id: str
    version: int
    number: str
    part: str
    kind: str
    state: str
    short_lines: int
    placed_at_ms: int
    promised_at_ms: int | None
    taken_at_ms: int
    changed_at_ms: int
    ended_at_ms: int | None
    told: int
    customer_name: str
    note: str

    @property
    def due_ms(self) -> int:
        """What open orders are sorted by."""
        return NO_PROMISE_MS if self.promised_at_ms is None else self.promised_at_ms


_COLUMNS = (
    "id, order_id, version, number, part, kind, state, short_lines, placed_at_ms, promised_at_ms,"
    " taken_at_ms, changed_at_ms, ended_at_ms, told, customer_name, note"
)
SELECT: Final = f"SELECT {_COLUMNS} FROM orders"


def get(rows: Rows, order_id: str) -> OrderRow | None:
    """An order by its id."""
    row = rows.one(f"{SELECT} WHERE order_id = ?", order_id)
    return OrderRow(*row) if row else None


def add(tx: Tx, row: OrderRow) -> OrderRow:
    """Write a new order; the same with its number."""
    number = tx.insert(
        f"INSERT INTO orders ({_COLUMNS.removeprefix('id, ')}, due_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *_values(row),
        row.due_ms,
    )
    return OrderRow(number, *_values(row))


def save(tx: Tx, row: OrderRow) -> None:
    """Write an order's head."""
    names = (*_COLUMNS.split(", ")[1:], "due_ms")
    tx.update("orders", row.id, dict(zip(names, (*_values(row), row.due_ms), strict=True)))


def _values(row: OrderRow) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _COLUMNS.split(", ")[1:])


def open_count(rows: Rows, most: int) -> int:
    """How many orders are open, counted up to ``most``."""
    row = rows.one(
        "SELECT count(*) FROM (SELECT 1 FROM orders WHERE ended_at_ms IS NULL LIMIT ?)", most
    )
    return int(row[0]) if row else 0


# Lines -------------------------------------------------------------------------------------------


class LineRow(NamedTuple):
    """A line; ``short_qty`` isn't reserved, ``gone_qty`` was given out."""

    line_no: int
    sku: str
    qty: int
    short_qty: int
    gone_qty: int


def lines(rows: Rows, order_no: int) -> list[LineRow]:
    """An order's lines (at most 200)."""
    found = rows.all(
        "SELECT line_no, sku, qty, short_qty, gone_qty FROM order_lines WHERE order_no = ?"
        " ORDER BY line_no",
        order_no,
    )
    return [LineRow(*row) for row in found]


def line_count(rows: Rows, order_id: str) -> int:
    """How many lines an order has."""
    row = rows.one(
        "SELECT count(*) FROM order_lines"
        " WHERE order_no = (SELECT id FROM orders WHERE order_id = ?)",
        order_id,
    )
    return int(row[0]) if row else 0


def put_lines(tx: Tx, order_no: int, covered: Iterable[Covered]) -> None:
    """Write an order's lines anew."""
    tx.run("DELETE FROM order_lines WHERE order_no = ?", order_no)
    tx.many(
        "INSERT INTO order_lines (order_no, line_no, sku, qty, short_qty) VALUES (?, ?, ?, ?, ?)",
        [(order_no, one.line_no, one.sku, one.qty, one.short_qty) for one in covered],
    )


def end_lines(tx: Tx, order_no: int, gone: Sequence[tuple[int, int]] = ()) -> None:
    """Nothing is missing any more; ``gone``: (line, what was given out)."""
    tx.run("UPDATE order_lines SET short_qty = 0 WHERE order_no = ?", order_no)
    tx.many(
        "UPDATE order_lines SET gone_qty = ?3 WHERE order_no = ?1 AND line_no = ?2",
        [(order_no, line_no, qty) for line_no, qty in gone],
    )


# Reservations ------------------------------------------------------------------------------------


def reserved(rows: Rows, order_id: str) -> dict[str, tuple[int, int]]:
    """SKU → ``(sku_id, qty)`` reserved for an order."""
    found = rows.all(
        "SELECT k.sku, r.sku_id, r.qty FROM reservations r JOIN skus k ON k.id = r.sku_id"
        " WHERE r.order_id = ?",
        order_id,
    )
    return {sku: (sku_id, qty) for sku, sku_id, qty in found}


def set_reservation(tx: Tx, order_id: str, sku_id: int, qty: int) -> None:
    """Write what is reserved of a product for an order; 0 removes the reservation."""
    if qty == 0:
        tx.run("DELETE FROM reservations WHERE order_id = ? AND sku_id = ?", order_id, sku_id)
        return
    tx.run(
        "INSERT INTO reservations (order_id, sku_id, qty, at_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (order_id, sku_id) DO UPDATE SET qty = excluded.qty",
        order_id,
        sku_id,
        qty,
        tx.now_ms,
    )


def refillable(rows: Rows, limit: int) -> list[str]:
    """Ids of orders that lack something of which there is some now, the earliest promise first."""
    found = rows.all(
        "SELECT DISTINCT o.order_id, o.due_ms, o.id FROM order_lines l"
        " CROSS JOIN skus k ON k.sku = l.sku CROSS JOIN stock s ON s.sku_id = k.id"
        " CROSS JOIN orders o ON o.id = l.order_no WHERE l.short_qty > 0"
        " AND s.sellable > s.reserved + s.held + s.allotted ORDER BY o.due_ms, o.id LIMIT ?",
        limit,
    )
    return [row[0] for row in found]


# Steps -------------------------------------------------------------------------------------------


class StepRow(NamedTuple):
    """What happened to an order; ``detail`` in the hub's or the cloud's own words."""

    n: int
    at_ms: int
    what: str
    detail: str


def add_step(tx: Tx, order_no: int, what: str, detail: str = "") -> None:
    """Note what happened now.  Of more than 100 steps the first and the last are kept."""
    tx.run(
        "INSERT INTO order_steps (order_no, n, at_ms, what, detail) SELECT ?1,"
        " 1 + coalesce((SELECT max(n) FROM order_steps WHERE order_no = ?1), 0), ?2, ?3, ?4",
        order_no,
        tx.now_ms,
        what,
        detail,
    )
    tx.run(
        "DELETE FROM order_steps WHERE order_no = ?1 AND n > 1 AND n <="
        " (SELECT max(n) FROM order_steps WHERE order_no = ?1) - ?2",
        order_no,
        STEPS_KEPT - 1,
    )


def steps(rows: Rows, order_no: int) -> list[StepRow]:
    """What happened, the first first."""
    found = rows.all(
        "SELECT n, at_ms, what, detail FROM order_steps WHERE order_no = ? ORDER BY n", order_no
    )
    return [StepRow(*row) for row in found]


# Looking -----------------------------------------------------------------------------------------


class Sums(NamedTuple):
    """How many are open; of these: that lack goods, that nobody has ready although they were
    promised by now; the promise that comes next."""

    open: int
    short: int
    late: int
    late_since_ms: int | None
    next_due_ms: int | None


DONE_HERE: Final = ("ready", "arrived")
"""States in which the shop has done its part: who is late then is the customer."""


_IN_DONE: Final = "({})".format(", ".join(f"'{state}'" for state in DONE_HERE))


def sums(rows: Rows, now_ms: int) -> Sums:
    """All open orders (at most 10,000) in figures."""
    waits = f"state NOT IN {_IN_DONE} AND promised_at_ms"
    row = rows.one(
        "SELECT count(*), count(CASE WHEN short_lines > 0 THEN 1 END),"
        f" count(CASE WHEN {waits} < ?1 THEN 1 END), min(CASE WHEN {waits} < ?1 THEN"
        f" promised_at_ms END), min(CASE WHEN {waits} >= ?1 THEN promised_at_ms END)"
        " FROM orders INDEXED BY orders_open WHERE ended_at_ms IS NULL",
        now_ms,
    )
    return Sums(*row) if row else Sums(0, 0, 0, None, None)
