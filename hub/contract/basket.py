"""Baskets kept at the hub: one owner, a version, frozen lines, holds on stock."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hub.contract.base import (
    AmountMinor,
    Command,
    LineNo,
    Outgoing,
    Qty,
    Query,
    Reason,
    UniqueId,
    Version,
)


class OpenBasket(Command):
    """Open an empty basket owned by this device."""

    service: ClassVar[str] = "basket"
    operation: ClassVar[str] = "open"
    basket_id: UniqueId


class BasketCommand(Command):
    """A change to a basket: ``version`` must be the current one, or the answer is ``conflict``."""

    basket_id: UniqueId
    version: Version


class AddLine(BasketCommand):
    """Add a product; price, tax and catalogue generation are frozen into the line.

    ``unit_price_minor`` is what the till shows: if the hub's price differs, the answer is
    ``price-changed`` with the hub's price.
    """

    service: ClassVar[str] = "basket"
    operation: ClassVar[str] = "add-line"
    code: str = Field(min_length=1, max_length=512)
    qty: Qty | None = None
    unit_price_minor: AmountMinor | None = None


class ChangeLine(BasketCommand):
    """Set a line's quantity."""

    service: ClassVar[str] = "basket"
    operation: ClassVar[str] = "change-line"
    line_no: LineNo
    qty: Qty


class RemoveLine(BasketCommand):
    """Take a line out again (permission ``sale.void_line``)."""

    service: ClassVar[str] = "basket"
    operation: ClassVar[str] = "remove-line"
    line_no: LineNo


class DiscountLine(BasketCommand):
    """Take an amount off a line (permission ``sale.discount``, up to its maximum)."""

    service: ClassVar[str] = "basket"
    operation: ClassVar[str] = "discount-line"
    line_no: LineNo
    discount_minor: AmountMinor
    reason: Reason
    approval_id: UniqueId | None = None


class OverridePrice(BasketCommand):
    """Sell a line at another unit price (permission ``price.override``, up to its maximum)."""

    service: ClassVar[str] = "basket"
    operation: ClassVar[str] = "override-price"
    line_no: LineNo
    unit_price_minor: AmountMinor
    reason: Reason
    approval_id: UniqueId | None = None


class SuspendBasket(BasketCommand):
    """Park a basket for any till to resume; its holds run on until their time is up."""

    service: ClassVar[str] = "basket"
    operation: ClassVar[str] = "suspend"
    label: str = Field(default="", max_length=60)


class ResumeBasket(BasketCommand):
    """Take a suspended basket over: compare-and-set; the loser is told who has it."""

    service: ClassVar[str] = "basket"
    operation: ClassVar[str] = "resume"


class AbandonBasket(BasketCommand):
    """Give a basket up: its holds are released."""

    service: ClassVar[str] = "basket"
    operation: ClassVar[str] = "abandon"
    reason: str = Field(default="", max_length=200)


class GetBasket(Query):
    """One basket as it stands."""

    service: ClassVar[str] = "basket"
    operation: ClassVar[str] = "get"
    basket_id: UniqueId


class ListBaskets(Query):
    """Open and suspended baskets, newest first; at most 100."""

    service: ClassVar[str] = "basket"
    operation: ClassVar[str] = "list"


class BasketLine(Outgoing):
    """A frozen line. ``held`` is what the hub holds for it; less than ``qty`` means that stock was
    short when it was last checked."""

    line_no: int
    sku: str
    gtin: str | None = None
    name: str
    qty: int
    uom: str
    scale: int
    unit_price_minor: int
    list_price_minor: int
    gross_minor: int
    discount_minor: int
    net_minor: int
    tax_code: str
    reason: str | None = None
    held: int = 0


class BasketView(Outgoing):
    """A basket: state ``open``, ``suspended``, ``closed`` or ``abandoned``."""

    basket_id: str
    version: int
    state: str
    owner: str
    staff_id: str | None = None
    label: str = ""
    lines: tuple[BasketLine, ...] = ()
    total_minor: int = 0
    tax_minor: int = 0
    currency: str = ""
    warnings: tuple[str, ...] = ()


class Baskets(Outgoing):
    """A list of baskets without their lines."""

    baskets: tuple[BasketView, ...]
