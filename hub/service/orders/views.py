"""Orders in words, for devices and for the page."""

from __future__ import annotations

from typing import Final

from hub.contract.orders import OrderHead, OrderLineView
from hub.contract.problems import Code, refuse
from hub.service.cursors import dotted, numbers
from hub.service.gate import ReadUnit
from hub.storage import catalogrows, orderrows
from hub.storage.pages import LAST, orders
from hub.storage.pages.orders import OrderHeadRow

_OPEN: Final = 0
_ENDED: Final = 1


def some(
    unit: ReadUnit, which: str, cursor: str | None, limit: int
) -> tuple[tuple[OrderHead, ...], str | None]:
    """Orders and the cursor of what follows.  A cursor says in which of the two lists it stands.

    Errors: ``validation`` for a cursor that no page gave.
    """
    part, at_ms, number = numbers(cursor, (_OPEN, -1, 0))
    rows: list[OrderHeadRow] = []
    if part == _OPEN:
        rows = orders.open_ones(unit.rows, (at_ms, number), limit + 1, short=which == "short")
        at_ms, number = LAST, LAST
    if len(rows) <= limit and which == "all":
        rows += orders.ended_ones(unit.rows, (at_ms, number), limit + 1 - len(rows))
    shown = rows[:limit]
    more = len(rows) > limit
    return tuple(head(unit, row) for row in shown), _cursor(shown[-1]) if more else None


def _cursor(row: OrderHeadRow) -> str:
    if row.ended_at_ms is None:
        return dotted(_OPEN, row.due_ms, row.id)
    return dotted(_ENDED, row.ended_at_ms, row.id)


def head(unit: ReadUnit, row: OrderHeadRow) -> OrderHead:
    """An order's head as it stands now."""
    waits = row.ended_at_ms is None and row.state not in orderrows.DONE_HERE
    return OrderHead(
        order_id=row.order_id,
        number=row.number,
        part=row.part,
        kind=row.kind,
        state=row.state,
        open=row.ended_at_ms is None,
        placed_at_ms=row.placed_at_ms,
        promised_at_ms=row.promised_at_ms,
        late=waits and row.promised_at_ms is not None and row.promised_at_ms < unit.now_ms,
        changed_at_ms=row.changed_at_ms,
        ended_at_ms=row.ended_at_ms,
        lines=row.lines,
        short_lines=row.short_lines,
    )


def whole(
    unit: ReadUnit, order_id: str
) -> tuple[OrderHead, tuple[OrderLineView, ...], orderrows.OrderRow]:
    """An order with its lines.  Errors: ``not-found``."""
    named = orders.one(unit.rows, order_id)
    row = orderrows.get(unit.rows, order_id)
    if named is None or row is None:
        raise refuse(Code.NOT_FOUND, "There is no such order in this shop.")
    is_open = row.ended_at_ms is None
    lines = tuple(_line(unit, line, is_open=is_open) for line in orderrows.lines(unit.rows, row.id))
    return head(unit, named), lines, row


def _line(unit: ReadUnit, line: orderrows.LineRow, *, is_open: bool) -> OrderLineView:
    product = catalogrows.by_sku(unit.rows, line.sku, unit.now_ms)
    return OrderLineView(
        line_no=line.line_no,
        sku=line.sku,
        name=product.name if product else "",
        uom=product.uom if product else "",
        scale=product.scale if product else 0,
        qty=line.qty,
        reserved_qty=line.qty - line.short_qty if is_open else 0,
        short_qty=line.short_qty,
        gone_qty=line.gone_qty,
    )
