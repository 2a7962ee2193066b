"""Looking products up."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hub.contract.base import LevelQty, Outgoing, Query, Sku


class LevelView(Outgoing):
    """One product's stock, in base units.

    ``available`` is what may be promised outward (never below 0); ``counter_sellable`` is what a
    till may sell without asking.
    """

    sku: str
    sellable: LevelQty
    available: LevelQty
    counter_sellable: LevelQty
    staged: LevelQty = 0
    quarantine: LevelQty = 0
    refurbish: LevelQty = 0
    damaged: LevelQty = 0
    transit_in: LevelQty = 0
    reserved: LevelQty = 0
    held: LevelQty = 0
    allotted: LevelQty = 0
    safety: LevelQty = 0
    ledger_seq: int = 0


class ProductView(Outgoing):
    """A product with the price in force now.  ``qty`` is set when the code carried a weight,
    ``code_price_minor`` when it carried a price."""

    sku: str
    name: str
    gtin: str | None = None
    price_minor: int | None = None
    currency: str
    uom: str
    scale: int
    tax_code: str
    category: str = ""
    age_min: int | None = None
    active: bool = True
    generation: str = ""
    qty: int | None = None
    code_price_minor: int | None = None
    lot: str | None = None
    serial: str | None = None
    expiry_date: str | None = None
    level: LevelView


class LookUp(Query):
    """Find the product of a scanned or typed code: GTIN-8/12/13/14, GS1 element string, DataMatrix,
    Digital Link, variable-measure code, or the SKU itself."""

    service: ClassVar[str] = "catalog"
    operation: ClassVar[str] = "look-up"
    code: str = Field(min_length=1, max_length=512)


class Search(Query):
    """Find products by the beginnings of words in their names and categories."""

    service: ClassVar[str] = "catalog"
    operation: ClassVar[str] = "search"
    text: str = Field(min_length=1, max_length=100)
    limit: int = Field(default=20, ge=1, le=50)


class SearchHit(Outgoing):
    """One product found."""

    sku: Sku
    name: str
    price_minor: int | None = None
    category: str = ""


class SearchResult(Outgoing):
    """Best first; ``more`` when the limit cut the list."""

    hits: tuple[SearchHit, ...]
    more: bool = False
