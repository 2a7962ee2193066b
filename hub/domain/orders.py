"""The one table of an online order's states, and how much of it a shop can promise.

The shop's part of an order is taken in (``accepted``) with a reservation for what is free; it ends
when the goods have left (``handed_over``, ``shipped``) or nobody wants them any more.  Until people
in the shop pick orders with the hub, goods aren't moved to a staging bay: an order keeps its
reservation in every open state, and its goods leave from the shelf.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hub.domain.errors import Conflict
from hub.domain.stock import StockRow


class OrderKind(StrEnum):
    """How the customer gets it: fetched here, or sent from here."""

    PICKUP = "pickup"
    SHIP = "ship"


class OrderState(StrEnum):
    """Where an order (the shop's part of it) is."""

    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    PICKING = "picking"
    STAGED = "staged"
    READY = "ready"
    ARRIVED = "arrived"
    HANDED_OVER = "handed_over"
    PACKED = "packed"
    SHIPPED = "shipped"
    EXPIRED = "expired"
    RESTOCKED = "restocked"
    CANCELLED = "cancelled"


class OrderEvent(StrEnum):
    """What happens to an order.  ``TOLD_…``: the cloud says so, wherever the work was done."""

    ACCEPT = "accept"
    REJECT = "reject"
    PICK = "pick"
    STAGE = "stage"
    PACK = "pack"
    MAKE_READY = "make_ready"
    ARRIVE = "arrive"
    HAND_OVER = "hand_over"
    SHIP = "ship"
    TOLD_READY = "told_ready"
    TOLD_HANDED_OVER = "told_handed_over"
    TOLD_SHIPPED = "told_shipped"
    EXPIRE = "expire"
    RESTOCK = "restock"
    CANCEL = "cancel"


_S, _E = OrderState, OrderEvent
_BOTH: Final = frozenset(OrderKind)
_PICKUP: Final = frozenset({OrderKind.PICKUP})
_SHIP: Final = frozenset({OrderKind.SHIP})

OPEN: Final = (
    _S.ASSIGNED,
    _S.ACCEPTED,
    _S.PICKING,
    _S.STAGED,
    _S.READY,
    _S.ARRIVED,
    _S.PACKED,
)
"""Somebody still has to do something.  An order in one of these holds a reservation for all of it
that hasn't been picked."""
GONE: Final = (_S.HANDED_OVER, _S.SHIPPED)
"""The goods have left."""
RESERVING: Final = frozenset(OPEN)
CLOSED: Final = frozenset(_S) - RESERVING

_Steps = Mapping[tuple[OrderState, OrderEvent], tuple[OrderState, frozenset[OrderKind]]]
TRANSITIONS: Final[_Steps] = {
    # In the shop.
    (_S.ASSIGNED, _E.ACCEPT): (_S.ACCEPTED, _BOTH),
    (_S.ASSIGNED, _E.REJECT): (_S.REJECTED, _BOTH),
    (_S.ACCEPTED, _E.PICK): (_S.PICKING, _BOTH),
    (_S.PICKING, _E.STAGE): (_S.STAGED, _PICKUP),
    (_S.STAGED, _E.MAKE_READY): (_S.READY, _PICKUP),
    (_S.READY, _E.ARRIVE): (_S.ARRIVED, _PICKUP),
    (_S.READY, _E.HAND_OVER): (_S.HANDED_OVER, _PICKUP),
    (_S.ARRIVED, _E.HAND_OVER): (_S.HANDED_OVER, _PICKUP),
    (_S.PICKING, _E.PACK): (_S.PACKED, _SHIP),
    (_S.PACKED, _E.SHIP): (_S.SHIPPED, _SHIP),
    # As the cloud tells it.
    **{(one, _E.TOLD_READY): (_S.READY, _BOTH) for one in OPEN if one is not _S.ARRIVED},
    **{(one, _E.TOLD_HANDED_OVER): (_S.HANDED_OVER, _PICKUP) for one in OPEN},
    **{(one, _E.TOLD_SHIPPED): (_S.SHIPPED, _SHIP) for one in OPEN},
    **{(one, _E.EXPIRE): (_S.EXPIRED, _BOTH) for one in OPEN},
    **{(one, _E.CANCEL): (_S.CANCELLED, _BOTH) for one in OPEN},
    (_S.EXPIRED, _E.CANCEL): (_S.CANCELLED, _BOTH),
    (_S.EXPIRED, _E.RESTOCK): (_S.RESTOCKED, _BOTH),
}
"""``(state, event)`` → the state after it, and the kinds of orders that take this step.  Everything
else is a ``conflict``."""

TOLD: Final[Mapping[str, OrderEvent]] = {
    "ready": _E.TOLD_READY,
    "handed_over": _E.TOLD_HANDED_OVER,
    "shipped": _E.TOLD_SHIPPED,
    "expired": _E.EXPIRE,
    "restocked": _E.RESTOCK,
}
"""The states that the cloud may name, as events."""


def advance(kind: OrderKind, state: OrderState, event: OrderEvent) -> OrderState:
    """The state after ``event``.  Errors: ``conflict`` when the table has no such step."""
    after, kinds = TRANSITIONS.get((state, event), (None, _BOTH))
    if after is None or kind not in kinds:
        more = ": what was given out comes back as a return" if state in GONE else ""
        raise Conflict(
            f"An order to {_TO[kind]} that is {state} takes no step {event}{more}.",
            context={"state": str(state), "event": str(event)},
        )
    return after


_TO: Final = {OrderKind.PICKUP: "pick up", OrderKind.SHIP: "ship"}


def free_for_orders(row: StockRow, own_qty: int = 0) -> int:
    """What an order may reserve, its own reservation included; floor 0.

    Safety stock doesn't count: it limits what may be promised, and this is promised already.
    """
    return max(0, row.sellable - (row.reserved - own_qty) - row.held - row.allotted)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line: base units of a product."""

    line_no: int
    sku: str
    qty: int


@dataclass(frozen=True, slots=True)
class Covered:
    """A line and what is reserved for it."""

    line_no: int
    sku: str
    qty: int
    reserved_qty: int

    @property
    def short_qty(self) -> int:
        """What is missing."""
        return self.qty - self.reserved_qty


def total_of(lines: Iterable[Wanted]) -> dict[str, int]:
    """SKU → what all lines together want."""
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.qty
    return wanted


def cover(lines: Iterable[Wanted], reserved: Mapping[str, int]) -> tuple[Covered, ...]:
    """Share an order's reservations (by SKU) among its lines, the first line first."""
    left = dict(reserved)
    covered = []
    for line in lines:
        got = min(line.qty, left.get(line.sku, 0))
        left[line.sku] = left.get(line.sku, 0) - got
        covered.append(Covered(line.line_no, line.sku, line.qty, got))
    return tuple(covered)
