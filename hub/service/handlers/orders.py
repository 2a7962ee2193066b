"""Online orders as devices ask for them, and what a hub that was put back takes in again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.contract.base import Command
from hub.contract.oms_orders import OpenOrder
from hub.contract.orders import GetOrder, ListOrders, Orders, OrderWhole
from hub.service.gate import Reader, ReadUnit
from hub.service.internal import InternalCommand
from hub.service.orders import commands, views
from hub.service.unit import Unit
from hub.storage import staffrows


@dataclass(frozen=True, slots=True)
class TakeOpenOrders(InternalCommand):
    """What the cloud says is open, after this hub's own facts are back; a repeat changes nothing.
    The value is how many were new."""

    orders: tuple[OpenOrder, ...]


def take_open(unit: Unit, command: TakeOpenOrders) -> int:
    """See :class:`TakeOpenOrders`."""
    return commands.take_open(unit, command.orders)


def list_orders(unit: ReadUnit, query: ListOrders) -> Orders:
    """See :class:`ListOrders`."""
    found, cursor = views.some(unit, query.which, query.cursor, query.limit)
    return Orders(orders=found, next_cursor=cursor)


def get_order(unit: ReadUnit, query: GetOrder) -> OrderWhole:
    """See :class:`GetOrder`.  Errors: ``not-found``."""
    head, lines, row = views.whole(unit, query.order_id)
    staffed = unit.caller.kind == "device" and (
        staffrows.signed_in(unit.rows, unit.caller.id, unit.budget_ms) is not None
    )
    return OrderWhole(
        order=head,
        lines=lines,
        customer_name=row.customer_name if staffed else "",
        note=row.note if staffed else "",
    )


SLOW_READS: dict[type[Command], Reader] = {ListOrders: list_orders, GetOrder: get_order}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {TakeOpenOrders: take_open}
