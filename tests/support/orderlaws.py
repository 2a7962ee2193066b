"""What holds of orders in every hub's database at every instant."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hub.domain.orders import CLOSED, OPEN
from hub.storage.rows import Rows

_OPEN = ", ".join(f"'{one}'" for one in OPEN)


def reservations_are_what_lines_have(rows: Rows) -> Iterator[str]:
    """Each open order's reservations, product by product; one that ended has none."""
    for row in rows.all(
        "SELECT o.order_id, k.sku, r.qty FROM reservations r JOIN skus k ON k.id = r.sku_id"
        " LEFT JOIN orders o ON o.order_id = r.order_id WHERE o.ended_at_ms IS NOT NULL"
        " OR o.id IS NULL OR r.qty <> (SELECT coalesce(sum(l.qty - l.short_qty), 0)"
        " FROM order_lines l WHERE l.order_no = o.id AND l.sku = k.sku)"
    ):
        yield f"a reservation is not what the order's lines have: {row}"
    for row in rows.all(
        "SELECT o.order_id, l.sku, sum(l.qty - l.short_qty) AS has FROM orders o JOIN order_lines l"
        " ON l.order_no = o.id WHERE o.ended_at_ms IS NULL GROUP BY o.id, l.sku HAVING has <>"
        " coalesce((SELECT r.qty FROM reservations r JOIN skus k ON k.id = r.sku_id"
        " WHERE r.order_id = o.order_id AND k.sku = l.sku), 0)"
    ):
        yield f"a line has what is not reserved: {row}"


def orders_add_up(rows: Rows) -> Iterator[str]:
    """State, end and what is missing go together; nobody's name outlasts the order."""
    for order_id, state, ended, short, name, note, missing in rows.all(
        "SELECT order_id, state, ended_at_ms, short_lines, customer_name, note,"
        " (SELECT count(*) FROM order_lines l WHERE l.order_no = o.id AND l.short_qty > 0)"
        " FROM orders o"
    ):
        if (ended is None) != (state in OPEN) or state not in (*OPEN, *CLOSED):
            yield f"order {order_id} is {state}, ended at {ended}"
        if short != missing or (ended is not None and short):
            yield f"order {order_id} is short of {missing} lines, not {short}"
        if ended is not None and (name or note):
            yield f"order {order_id} has ended, and whose it was is still there"


def goods_of_orders_left_once(rows: Rows) -> Iterator[str]:
    """What lines say was given out moved, or was told by the cloud after a restore."""
    for row in rows.all(
        "SELECT o.order_id, l.line_no, l.gone_qty, sum(m.qty) AS moved FROM orders o"
        " JOIN order_lines l ON l.order_no = o.id JOIN movements m ON m.ref_type = 'order'"
        " AND m.ref_id = o.id AND m.ref_line = l.line_no GROUP BY o.id, l.line_no"
        " HAVING moved <> l.gone_qty"
    ):
        yield f"what left for an order is not what its line says: {row}"


def what_is_forgotten_has_ended(rows: Rows) -> Iterator[str]:
    """No order is here and forgotten; nobody waits for one that is."""
    for order_id, state in rows.all(
        "SELECT f.order_id, f.state FROM orders_forgotten f WHERE f.order_id IN"
        " (SELECT order_id FROM orders) OR f.order_id IN (SELECT order_id FROM reservations)"
    ):
        yield f"order {order_id} is forgotten as {state}, and still here"
    for order_id, state in rows.all("SELECT order_id, state FROM orders_forgotten"):
        if state not in CLOSED:
            yield f"order {order_id} is forgotten although it was {state}"


ORDERS: tuple[Callable[[Rows], Iterator[str]], ...] = (
    reservations_are_what_lines_have,
    orders_add_up,
    goods_of_orders_left_once,
    what_is_forgotten_has_ended,
)
