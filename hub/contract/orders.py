"""Online orders that this shop serves, as devices and the technician's page see them.

Whose an order is stands in ``order/get`` alone, while the order is open and somebody is signed in
at the till that asks.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hub.contract.base import Outgoing, Query
from hub.contract.oms_envelope import Id

WHICH = Literal["all", "open", "short"]


class ListOrders(Query):
    """Orders: ``open`` ones (the earliest promise first), those of them that are ``short`` of
    goods, or ``all``: the open ones, then those that ended, the last one first."""

    service: ClassVar[str] = "order"
    operation: ClassVar[str] = "list"
    which: WHICH = "open"
    cursor: str | None = Field(default=None, max_length=64, description="`next_cursor`.")
    limit: int = Field(default=50, ge=1, le=200)


class GetOrder(Query):
    """One order with its lines."""

    service: ClassVar[str] = "order"
    operation: ClassVar[str] = "get"
    order_id: Id


class OrderHead(Outgoing):
    """An order (this shop's part of it).

    States: ``accepted`` (taken in), ``picking``, ``staged``, ``packed``, ``ready``, ``arrived`` are
    open; ``handed_over``, ``shipped``, ``expired``, ``restocked``, ``cancelled`` are its end.
    """

    order_id: str
    number: str = Field(description="What people call it.")
    part: str = ""
    kind: str = Field(description="`pickup` or `ship`.")
    state: str
    open: bool
    placed_at_ms: int
    promised_at_ms: int | None = None
    late: bool = Field(default=False, description="Promised by now, and not ready.")
    changed_at_ms: int
    ended_at_ms: int | None = None
    lines: int = Field(description="How many.")
    short_lines: int = Field(default=0, description="How many of them lack goods.")


class Orders(Outgoing):
    """What was found."""

    orders: tuple[OrderHead, ...]
    next_cursor: str | None = None


class OrderLineView(Outgoing):
    """A line in base units: reserved or missing while the order is open, given out at its end."""

    line_no: int
    sku: str
    name: str = Field(default="", description="Empty for what the catalogue doesn't have.")
    uom: str = ""
    scale: int = 0
    qty: int
    reserved_qty: int = 0
    short_qty: int = 0
    gone_qty: int = 0


class OrderWhole(Outgoing):
    """An order with its lines, and whose it is, if whoever asks may know."""

    order: OrderHead
    lines: tuple[OrderLineView, ...]
    customer_name: str = ""
    note: str = ""
