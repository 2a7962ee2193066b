"""The page of orders, and what devices are told of them."""

from __future__ import annotations

from hub.contract.local import OrdersStatus
from hub.contract.orders import OrderHead
from hub.contract.pages.orders import (
    OrderCounts,
    OrderOnPage,
    OrderQuery,
    OrdersPage,
    OrdersQuery,
    OrderStep,
)
from hub.service.gate import ReadUnit
from hub.service.orders.views import head, some, whole
from hub.service.pages import dotted, numbers
from hub.storage import orderrows
from hub.storage.pages import orders
from hub.storage.rows import Rows


def listed(unit: ReadUnit, query: OrdersQuery) -> OrdersPage:
    """Orders, or those that a number or an id names."""
    found, cursor = (
        _search(unit, query.q.strip(), query.cursor, query.limit)
        if query.q.strip()
        else some(unit, query.which, query.cursor, query.limit)
    )
    sums = orderrows.sums(unit.rows, unit.now_ms)
    return OrdersPage(
        counts=OrderCounts(
            open=sums.open,
            short=sums.short,
            late=sums.late,
            next_promise_at_ms=sums.next_due_ms,
        ),
        orders=found,
        next_cursor=cursor,
    )


def _search(
    unit: ReadUnit, text: str, cursor: str | None, limit: int
) -> tuple[tuple[OrderHead, ...], str | None]:
    named = orders.one(unit.rows, text)
    if named is not None:
        return (head(unit, named),), None
    (after,) = numbers(cursor, (0,))
    rows = orders.by_number(unit.rows, text, after, limit + 1)
    following = dotted(rows[limit - 1].id) if len(rows) > limit else None
    return tuple(head(unit, row) for row in rows[:limit]), following


def one(unit: ReadUnit, query: OrderQuery) -> OrderOnPage:
    """One order.  Errors: ``not-found``."""
    shown, lines, row = whole(unit, query.order_id)
    return OrderOnPage(
        order=shown,
        taken_at_ms=row.taken_at_ms,
        lines=lines,
        steps=tuple(
            OrderStep(at_ms=step.at_ms, what=step.what, detail=step.detail)
            for step in orderrows.steps(unit.rows, row.id)
        ),
    )


def status(rows: Rows, now_ms: int) -> OrdersStatus:
    """For the status page and its checks."""
    sums = orderrows.sums(rows, now_ms)
    return OrdersStatus(
        open=sums.open,
        short=sums.short,
        late=sums.late,
        late_since_ms=sums.late_since_ms,
        next_promise_at_ms=sums.next_due_ms,
    )
