"""Stock: levels, goods received, adjustments, counts."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hub.contract.base import (
    MAX_LINES,
    Command,
    Incoming,
    Outgoing,
    Qty,
    Query,
    Reason,
    SignedQty,
    Sku,
    UniqueId,
)
from hub.contract.catalog import LevelView


class GetLevels(Query):
    """The levels of up to 100 products."""

    service: ClassVar[str] = "stock"
    operation: ClassVar[str] = "levels"
    skus: tuple[Sku, ...] = Field(min_length=1, max_length=100)


class Levels(Outgoing):
    """Levels in the order asked; a product never moved has zeros."""

    levels: tuple[LevelView, ...]


class ReceivedLine(Incoming):
    """Goods of one product."""

    sku: Sku
    qty: Qty


class ReceiveStock(Command):
    """Book a delivery into ``sellable`` (permission ``stock.receive``)."""

    service: ClassVar[str] = "stock"
    operation: ClassVar[str] = "receive"
    receipt_id: UniqueId
    reference: str = Field(default="", max_length=64)
    lines: tuple[ReceivedLine, ...] = Field(min_length=1, max_length=MAX_LINES)


class AdjustStock(Command):
    """Correct a level by a difference, against ``shrink`` (permission ``stock.adjust``)."""

    service: ClassVar[str] = "stock"
    operation: ClassVar[str] = "adjust"
    adjustment_id: UniqueId
    sku: Sku
    qty: SignedQty
    bucket: str = Field(default="sellable", max_length=16)
    reason: Reason


class OpenCount(Command):
    """Begin to count one product's ``sellable`` stock, blind; remembers the ledger's place."""

    service: ClassVar[str] = "stock"
    operation: ClassVar[str] = "open-count"
    count_id: UniqueId
    sku: Sku


class CountOpened(Outgoing):
    """Where the ledger stood when the count began; the book's quantity is not told."""

    count_id: str
    sku: str
    ledger_seq: int


class CloseCount(Command):
    """End a count: variance = counted - book at the ledger's place of the beginning."""

    service: ClassVar[str] = "stock"
    operation: ClassVar[str] = "close-count"
    count_id: UniqueId
    counted_qty: int = Field(ge=0, le=1_000_000_000, strict=True)


class CountClosed(Outgoing):
    """The outcome; the adjustment is booked already."""

    count_id: str
    sku: str
    counted_qty: int
    variance_qty: int
    level: LevelView


class StockBooked(Outgoing):
    """The levels after a booking."""

    levels: tuple[LevelView, ...]
