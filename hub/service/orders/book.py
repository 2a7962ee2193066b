"""The book of orders: reservations, what is missing, and what the cloud and the devices are told.

Everything here runs in the transaction of whatever caused it.  A reservation is a claim on stock;
the sum of an order's reservations is what its lines aren't short of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from hub.contract.oms_orders import FULFILMENT_FACTS
from hub.domain.orders import Covered, OrderState, Wanted, cover, free_for_orders, total_of
from hub.domain.stock import claim
from hub.service.ledger import Ledger
from hub.service.notices import OrderMoved
from hub.service.unit import Unit
from hub.storage import orderrows, stockrows
from hub.storage.orderrows import OrderRow

ONCE: Final = frozenset({"handed_over", "shipped", "cancelled", "expired"})
"""Facts that an order has at most once, for ever."""


def new_ledger(unit: Unit, row: OrderRow) -> Ledger:
    """For the movements and claims of one order."""
    return Ledger.of(unit, "order", row.id)


def reserve(
    unit: Unit, ledger: Ledger, row: OrderRow, lines: Sequence[Wanted]
) -> tuple[Covered, ...]:
    """Reserve what the lines want, as far as it is free; what the order has it keeps."""
    wanted = total_of(lines)
    had = orderrows.reserved(unit.tx, row.order_id)
    known = stockrows.booked_levels(unit.tx, list({**wanted, **had}))
    reserved: dict[str, int] = {}
    for sku, level in known.items():
        own = had[sku][1] if sku in had else 0
        levels = ledger.level(sku).levels
        qty = min(wanted.get(sku, 0), max(own, free_for_orders(levels, own)))
        if qty != own:
            ledger.claim(sku, claim(levels, "reserved", qty - own))
            orderrows.set_reservation(unit.tx, row.order_id, level.sku_id, qty)
        reserved[sku] = qty
    return cover(lines, reserved)


def release(unit: Unit, ledger: Ledger, row: OrderRow) -> None:
    """Give all of an order's reservations back."""
    for sku, (sku_id, qty) in orderrows.reserved(unit.tx, row.order_id).items():
        ledger.claim(sku, claim(ledger.level(sku).levels, "reserved", -qty))
        orderrows.set_reservation(unit.tx, row.order_id, sku_id, 0)


def wanted_of(unit: Unit, row: OrderRow) -> list[Wanted]:
    """An order's lines as they stand."""
    return [Wanted(line.line_no, line.sku, line.qty) for line in orderrows.lines(unit.tx, row.id)]


def cover_again(unit: Unit, row: OrderRow, covered: Sequence[Covered]) -> OrderRow:
    """Write what is reserved for each line, and tell the cloud: all of it, or what is missing."""
    orderrows.put_lines(unit.tx, row.id, covered)
    short = sum(1 for line in covered if line.short_qty)
    row = replace(row, short_lines=short, changed_at_ms=unit.now_ms)
    detail = ", ".join(line.sku for line in covered if line.short_qty)
    orderrows.add_step(unit.tx, row.id, "short" if short else "reserved", detail[:200])
    return tell(unit, row, "short" if short else "accepted")


def end(
    unit: Unit, row: OrderRow, state: OrderState, gone: Sequence[tuple[int, int]] = ()
) -> OrderRow:
    """The order as it is over, without whose it was.  Its reservations are given back already."""
    orderrows.end_lines(unit.tx, row.id, gone)
    return replace(
        row,
        state=state.value,
        short_lines=0,
        changed_at_ms=unit.now_ms,
        ended_at_ms=row.ended_at_ms or unit.now_ms,
        customer_name="",
        note="",
    )


def tell(
    unit: Unit,
    row: OrderRow,
    fact: str,
    *,
    why: str = "",
    movements: Sequence[dict[str, Any]] = (),
) -> OrderRow:
    """Tell the cloud and the devices, and write the order's head; it is the one that comes back."""
    row = replace(row, told=row.told + 1)
    orderrows.save(unit.tx, row)
    key = (row.order_id,) if fact in ONCE else (row.order_id, str(unit.now_ms), str(row.told))
    is_open = row.ended_at_ms is None
    data = {
        "order_id": row.order_id,
        "version": row.version,
        "state": row.state,
        "lines": [
            {
                "line_no": line.line_no,
                "sku": line.sku,
                "qty": line.qty,
                "reserved_qty": line.qty - line.short_qty if is_open else 0,
                "gone_qty": line.gone_qty,
            }
            for line in orderrows.lines(unit.tx, row.id)
        ],
        "why": why,
        "occurred_at_ms": unit.now_ms,
        "movements": list(movements),
    }
    unit.emit_aside("orders", FULFILMENT_FACTS[fact], row.order_id, data, *key)
    announce(unit, row)
    return row


def announce(unit: Unit, row: OrderRow) -> None:
    """Tell the devices that there is something new about it."""
    unit.tell(OrderMoved(row.order_id, row.state, row.short_lines > 0))


def lose(unit: Unit, ledger: Ledger, order_id: str, sku: str, qty: int) -> None:
    """Goods reserved for the order are gone: it is short of them from now on."""
    row = orderrows.get(unit.tx, order_id)
    had = orderrows.reserved(unit.tx, order_id)
    if row is None or sku not in had:
        return
    sku_id, reserved = had[sku]
    ledger.claim(sku, claim(ledger.level(sku).levels, "reserved", -qty))
    orderrows.set_reservation(unit.tx, order_id, sku_id, reserved - qty)
    left = {name: held for name, (_, held) in had.items()} | {sku: reserved - qty}
    cover_again(unit, row, cover(wanted_of(unit, row), left))
