"""Online orders that this shop serves.  Nobody's name.

- ``GET /api/1/orders``                 → :class:`OrdersPage`
- ``GET /api/1/orders/{order_id}``      → :class:`OrderOnPage`
"""

from __future__ import annotations

from pydantic import Field

from hub.contract.base import Incoming, Outgoing
from hub.contract.oms_envelope import Id
from hub.contract.orders import WHICH, OrderHead, OrderLineView
from hub.contract.pages.base import PageQuery


class OrdersQuery(PageQuery):
    """``which``: as ``order/list``; ``q``: a number or its beginning, or a whole order id, among
    all orders."""

    which: WHICH = "all"
    q: str = Field(default="", max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")


class OrderCounts(Outgoing):
    """Open orders in figures.  ``late``: promised by now, and not ready."""

    open: int
    short: int
    late: int
    next_promise_at_ms: int | None = None


class OrdersPage(Outgoing):
    """Open orders first, the earliest promise first; then those that ended, the last one first."""

    counts: OrderCounts
    orders: tuple[OrderHead, ...]
    next_cursor: str | None = None


class OrderQuery(Incoming):
    """Which order."""

    order_id: Id


class OrderStep(Outgoing):
    """What happened: ``accepted``, ``reserved`` (all of it), ``short``, ``changed``, or the state
    that the order came to be in.  ``detail``: what is missing, or why."""

    at_ms: int
    what: str
    detail: str = ""


class OrderOnPage(Outgoing):
    """An order with its lines and what happened to it."""

    order: OrderHead
    taken_at_ms: int = Field(description="When the cloud gave it to this shop.")
    lines: tuple[OrderLineView, ...]
    steps: tuple[OrderStep, ...] = Field(description="At most 100: the first, and the last ones.")
