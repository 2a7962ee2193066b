"""Sales by business day, one sale whole, and baskets.  No names, notes, labels, card digits or
tokens.

- ``GET /api/1/days``                   → :class:`DaysPage`
- ``GET /api/1/sales``                  → :class:`SalesPage`
- ``GET /api/1/sales/{sale_id}``        → :class:`SaleWhole`
- ``GET /api/1/baskets``                → :class:`BasketsPage`
- ``GET /api/1/baskets/{basket_id}``    → :class:`BasketWhole`
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hub.contract.base import Incoming, Outgoing, UniqueId
from hub.contract.basket import BasketLine
from hub.contract.pages.base import BusinessDay, PageQuery
from hub.contract.pages.payments import PaymentOnPage
from hub.contract.sale import SaleLineView


class DaysQuery(PageQuery):
    """Which days."""


class DayView(Outgoing):
    """One business day.  ``count`` and ``total_minor`` are without what was voided; returns stand
    apart."""

    business_day: str
    count: int
    total_minor: int
    voided: int
    voided_minor: int
    returned_minor: int
    currency: str
    last_at_ms: int | None = None


class DaysPage(Outgoing):
    """Business days with trade, newest first."""

    days: tuple[DayView, ...]
    next_cursor: str | None = None


class SalesQuery(PageQuery):
    """Without ``day`` and ``q``: all, newest first.  ``q`` is a receipt number or its beginning
    (``002-0000``), or a whole sale id; it looks in all days."""

    day: BusinessDay | None = None
    q: str = Field(default="", max_length=36, pattern=r"^[0-9a-f-]*$")


class SaleOnPage(Outgoing):
    """A sale's head."""

    sale_id: str
    receipt_no: str
    state: Literal["completed", "voided"]
    device_id: str
    business_day: str
    at_ms: int
    currency: str
    total_minor: int
    lines: int = Field(description="How many.")
    tenders: tuple[str, ...] = Field(description="`cash`, `card`: each kind once.")
    has_returns: bool = False


class SalesPage(Outgoing):
    """Sales, newest first; ``day`` when a day was asked for."""

    day: DayView | None = None
    sales: tuple[SaleOnPage, ...]
    next_cursor: str | None = None


class SaleQuery(Incoming):
    """Which sale."""

    sale_id: UniqueId


class TenderSeen(Outgoing):
    """A tender as taken, and what was given back of it."""

    kind: str
    amount_minor: int
    refunded_minor: int = 0
    payment_id: str | None = None


class ReturnLineSeen(Outgoing):
    """What came back of a line of the sale."""

    line_no: int
    sale_line: int = Field(description="0: not known.")
    sku: str
    qty: int
    refund_minor: int
    tax_minor: int
    disposition: str
    reason: str


class ReturnSeen(Outgoing):
    """Goods of the sale that came back."""

    return_id: str
    at_ms: int
    business_day: str
    device_id: str
    total_minor: int
    tax_minor: int
    lines: tuple[ReturnLineSeen, ...]


class SaleWhole(Outgoing):
    """A sale with everything that became of it; ``told`` is how far the cloud knows of it."""

    sale: SaleOnPage
    tax_minor: int
    rounding_minor: int
    change_minor: int
    voided_at_ms: int | None = None
    void_reason: str | None = None
    lines: tuple[SaleLineView, ...]
    tenders: tuple[TenderSeen, ...]
    payments: tuple[PaymentOnPage, ...] = Field(
        default=(), description="Card payments begun for it through the hub, oldest first."
    )
    returns: tuple[ReturnSeen, ...] = Field(default=(), description="At most 200, oldest first.")
    outbox_id: int = Field(description="Its event; 0: none.")
    told: Literal["waiting", "acked", "parked", "unknown"]


class BasketsQuery(PageQuery):
    """Which baskets: those open, those suspended, or both."""

    state: Literal["live", "open", "suspended"] = "live"


class BasketQuery(Incoming):
    """Which basket."""

    basket_id: UniqueId


class BasketOnPage(Outgoing):
    """A basket's head."""

    basket_id: str
    state: str
    owner: str = Field(description="A device.")
    opened_at_ms: int
    changed_at_ms: int
    lines: int = Field(description="How many.")


class BasketsPage(Outgoing):
    """Baskets, changed last first."""

    baskets: tuple[BasketOnPage, ...]
    next_cursor: str | None = None


class BasketWhole(Outgoing):
    """A basket with its lines and sums."""

    basket: BasketOnPage
    lines: tuple[BasketLine, ...]
    total_minor: int
    tax_minor: int
    currency: str
    warnings: tuple[str, ...] = ()
