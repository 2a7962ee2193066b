"""Stock: finding a product, its levels, its ledger, and what is to be counted.

- ``GET /api/1/products``         → :class:`ProductsPage`
- ``GET /api/1/products/one``     → :class:`ProductPage`
- ``GET /api/1/products/ledger``  → :class:`LedgerPage`
- ``GET /api/1/counts``           → :class:`CountsPage`
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hub.contract.base import Incoming, Outgoing, Sku
from hub.contract.catalog import LevelView
from hub.contract.pages.base import PageQuery, SearchText


class ProductsQuery(PageQuery):
    """``q``: a SKU or its beginning, an article number (GTIN), or beginnings of words of the name;
    what is found has no next page.  Without ``q`` the catalogue is gone through by SKU."""

    q: SearchText = ""


class ProductOnPage(Outgoing):
    """A product with its stock in base units."""

    sku: str
    name: str = Field(description="Empty for one that the catalogue no longer has.")
    category: str = ""
    price_minor: int | None = None
    currency: str
    uom: str = ""
    scale: int = Field(default=0, description="Decimals of a quantity: 3 for goods by the kg.")
    active: bool = True
    sellable: int
    available: int = Field(description="What may be promised outward.")
    held: int = Field(description="Held for baskets.")
    reserved: int = Field(description="Reserved for orders.")


class ProductsPage(Outgoing):
    """Products found: by SKU without a search, else the best first."""

    products: tuple[ProductOnPage, ...]
    next_cursor: str | None = None
    more: bool = Field(
        default=False, description="A search found more than fits: type more of the word."
    )


class ProductQuery(Incoming):
    """Which product."""

    sku: Sku


class ClaimView(Outgoing):
    """Stock that is spoken for."""

    kind: Literal["basket", "order"]
    id: str = Field(description="Id of the basket or the order.")
    number: str = Field(default="", description="What people call the order.")
    qty: int


class DriftView(Outgoing):
    """A product of which hub and cloud count differently, by bucket."""

    found_at_ms: int
    hub: dict[str, int]
    oms: dict[str, int]


class CountTaskView(Outgoing):
    """A product that has to be counted."""

    sku: str
    name: str = ""
    reason: str
    at_ms: int = Field(description="When it was asked for.")


class OpenCountView(Outgoing):
    """A count that was begun and not ended."""

    count_id: str
    sku: str
    name: str = ""
    device_id: str
    at_ms: int


class ProductPage(Outgoing):
    """One product with everything about its stock."""

    product: ProductOnPage
    level: LevelView
    claims: tuple[ClaimView, ...] = Field(default=(), description="At most 200.")
    count_task: CountTaskView | None = None
    drift: DriftView | None = None


class LedgerQuery(PageQuery):
    """Whose ledger."""

    sku: Sku


class LedgerEntry(Outgoing):
    """One movement.  ``source`` and ``target`` are buckets (``sellable``, ``damaged``, …) or the
    world outside (``customer``, ``supplier``, ``shrink``, …)."""

    seq: int
    at_ms: int | None = None
    type: str
    qty: int
    source: str
    target: str
    sellable_change: int = Field(description="What it did to `sellable`.")
    sellable_after: int
    document: str = Field(
        description="`sale`, `void`, `return`, `receipt`, `adjustment`, `count`, …"
    )
    document_id: str | None = None
    sale_id: str | None = Field(default=None, description="Of a sale, a void or a return.")
    receipt_no: str | None = None
    line: int
    device_id: str | None = None
    reason: str = ""


class LedgerPage(Outgoing):
    """A product's movements, the newest first."""

    sku: str
    entries: tuple[LedgerEntry, ...]
    next_cursor: str | None = None


class CountsQuery(PageQuery):
    """Which page."""


class CountsPage(Outgoing):
    """What has to be counted, in pages of a fixed order; counts under way (at most 200, the same
    on every page)."""

    tasks: tuple[CountTaskView, ...]
    under_way: tuple[OpenCountView, ...] = ()
    next_cursor: str | None = None
