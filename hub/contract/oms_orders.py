"""Online orders that the cloud gives to a shop, and what the shop tells of them.

``order_id`` names this shop's part of an order for ever.  Every command carries the ``version`` of
what it says: a hub that knows the same or a newer one changes nothing.  An order is taken in even
where goods are missing: what is missing is told (``fulfilment.short``) and reserved as soon as it
is there.  A command that can't be carried out is answered by ``command.ended`` with outcome
``failed``, and by ``fulfilment.rejected`` when it was to take an order in.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hub.contract.base import Incoming, InstantMs, LineNo, Outgoing, Qty, Sku
from hub.contract.oms_envelope import Id, Seq
from hub.contract.oms_facts import PREFIX, Part

MAX_ORDER_LINES = 200
MAX_OPEN_ORDERS = 10_000
INSTANT_MS_MAX = 10**13
"""In the year 2286: what lies behind is a slip."""

OrderVersion = Annotated[
    int, Field(strict=True, ge=1, le=2**53 - 1, description="Higher is newer, per order.")
]
OrderNumber = Annotated[
    str, Field(min_length=1, max_length=40, description="What people call the order.")
]


def _is_near(at_ms: int) -> int:
    if at_ms > INSTANT_MS_MAX:
        raise ValueError("is no time of day that anybody can be promised")
    return at_ms


OrderInstant = Annotated[InstantMs, AfterValidator(_is_near)]
OrderKind = Literal["pickup", "ship"]
CustomerName = Annotated[
    str,
    Field(max_length=80, description="Kept only while the order is open, and never told again."),
]


class OrderLine(Outgoing):
    """A line of an open order."""

    line_no: int
    sku: str
    qty: int


class AssignedLine(Incoming):
    """``qty`` in base units of the product; the SKU need not be known to the shop."""

    line_no: LineNo
    sku: Sku
    qty: Qty


Lines = Annotated[tuple[AssignedLine, ...], Field(min_length=1, max_length=MAX_ORDER_LINES)]


def _numbered_once(lines: tuple[AssignedLine, ...]) -> None:
    if len({line.line_no for line in lines}) != len(lines):
        raise ValueError("two lines have the same line_no")


class OrderAssigned(Incoming):
    """``order.assigned``: this shop is to serve the order.  At most 10,000 may be open."""

    order_id: Id
    version: OrderVersion
    number: OrderNumber
    part: Annotated[str, Field(max_length=20, description="Which part of it: `1 of 2`.")] = ""
    kind: OrderKind
    placed_at_ms: OrderInstant
    promised_at_ms: OrderInstant | None = None
    customer_name: CustomerName = ""
    lines: Lines
    note: Annotated[str, Field(max_length=200)] = ""

    @model_validator(mode="after")
    def _lines_are_numbered(self) -> Self:
        _numbered_once(self.lines)
        return self


class OrderChanged(Incoming):
    """``order.changed``: what is given is so from now on, all else stays.

    ``lines`` are all lines, not only the changed ones.  ``state``: what became of the order
    elsewhere; with ``handed_over`` and ``shipped`` the goods leave the shop's stock.  Of an order
    that the hub doesn't know, everything that ``order.assigned`` needs has to be given.
    """

    order_id: Id
    version: OrderVersion
    number: OrderNumber | None = None
    part: Annotated[str, Field(max_length=20)] | None = None
    kind: OrderKind | None = None
    placed_at_ms: OrderInstant | None = None
    promised_at_ms: OrderInstant | None = None
    customer_name: CustomerName | None = None
    lines: Lines | None = None
    note: Annotated[str, Field(max_length=200)] | None = None
    state: Literal["ready", "handed_over", "shipped", "expired", "restocked"] | None = None

    @model_validator(mode="after")
    def _lines_are_numbered(self) -> Self:
        _numbered_once(self.lines or ())
        return self


class OrderCancelled(Incoming):
    """``order.cancelled``: nobody wants it any more.  After the hand-over it is refused: such goods
    come back as a return."""

    order_id: Id
    version: OrderVersion
    reason: Annotated[str, Field(max_length=200)] = ""


OrderCommand = OrderAssigned | OrderChanged | OrderCancelled
ORDER_COMMANDS: Mapping[str, type[OrderCommand]] = MappingProxyType(
    {
        "order.assigned": OrderAssigned,
        "order.changed": OrderChanged,
        "order.cancelled": OrderCancelled,
    }
)


class OpenOrder(Outgoing):
    """An unfulfilled order (part) assigned to this shop: with its fields a hub that was put back or
    begins anew takes it in again.  Without ``version`` it is passed over."""

    order_id: str
    state: str
    version: int = 0
    number: str = ""
    part: str = ""
    kind: str = "pickup"
    placed_at_ms: int = 0
    promised_at_ms: int | None = None
    customer_name: str = ""
    note: str = ""
    lines: tuple[OrderLine, ...] = ()


# --- facts ----------------------------------------------------------------------------------------


class FulfilmentLine(Part):
    """``reserved_qty``: of ``qty`` set apart for the order; ``gone_qty``: given out."""

    line_no: LineNo
    sku: Sku
    qty: Qty
    reserved_qty: Seq = 0
    gone_qty: Seq = 0


FULFILMENT_FACTS: Mapping[str, str] = MappingProxyType(
    {
        fact: f"{PREFIX}fulfilment.{fact}.v1"
        for fact in (
            "accepted",
            "short",
            "rejected",
            "handed_over",
            "shipped",
            "cancelled",
            "expired",
        )
    }
)
"""The types of what is told of orders, by the fact."""
