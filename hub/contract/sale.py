"""Sales, voids and returns."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from hub.contract.base import (
    MAX_LINES,
    AmountMinor,
    Command,
    FreeText,
    Incoming,
    LineNo,
    MoneyMinor,
    Outgoing,
    Qty,
    Query,
    Reason,
    UniqueId,
    Version,
)
from hub.domain.stock import Disposition


class Tender(Incoming):
    """A part of the payment.  A card tender was approved by its terminal already: ``payment_id`` is
    unique in the shop for ever; a card number never comes here, its last four digits may.  One that
    was begun by ``payment/start`` has to be this sale's, of this amount and kind, and tenderable.
    A gift card or store credit always was."""

    kind: Literal["cash", "card", "gift_card", "store_credit"]
    amount_minor: AmountMinor
    payment_id: UniqueId | None = None
    last4: str | None = Field(default=None, pattern=r"^[0-9]{4}$")
    token: str | None = Field(default=None, max_length=200)
    approval_code: str | None = Field(default=None, max_length=12)

    @model_validator(mode="after")
    def _card_is_identified(self) -> Self:
        if self.kind != "cash" and self.payment_id is None:
            raise ValueError("a card tender needs the payment_id its terminal was asked with")
        return self


class SaleLine(Incoming):
    """A line rung up at the till itself (a sale without a basket at the hub).

    ``unit_price_minor`` is the till's idea of the hub's price and is checked.
    ``override_price_minor`` sells at another price; ``discount_minor`` takes an amount off the
    line: each needs its permission and the ``reason``.
    """

    code: str = Field(min_length=1, max_length=512)
    qty: Qty
    unit_price_minor: AmountMinor
    override_price_minor: AmountMinor | None = None
    discount_minor: AmountMinor = 0
    reason: Reason | None = None
    approval_id: UniqueId | None = None

    @model_validator(mode="after")
    def _deviation_has_a_reason(self) -> Self:
        deviates = self.discount_minor > 0 or self.override_price_minor is not None
        if deviates and self.reason is None:
            raise ValueError("a discount or another price needs a reason")
        return self


class StockOverride(Incoming):
    """Sell what the customer holds although the book says there is none (``stock.override``)."""

    reason: Reason
    approval_id: UniqueId | None = None


class CommitSale(Command):
    """Sell: from a basket at the hub (``basket_id`` and ``version``) or from ``lines``.

    ``total_minor`` is what the customer was told; another total is ``price-changed``.  The tenders
    cover it; change is given from cash only.
    """

    service: ClassVar[str] = "sale"
    operation: ClassVar[str] = "commit"
    sale_id: UniqueId
    basket_id: UniqueId | None = None
    version: Version | None = None
    lines: tuple[SaleLine, ...] = Field(default=(), max_length=MAX_LINES)
    total_minor: AmountMinor
    tenders: tuple[Tender, ...] = Field(max_length=20)
    stock_override: StockOverride | None = None
    note: FreeText = ""
    print_receipt: bool = False

    @model_validator(mode="after")
    def _one_source_of_lines(self) -> Self:
        if (self.basket_id is None) == (not self.lines):
            raise ValueError("give either basket_id and version, or lines")
        if self.basket_id is not None and self.version is None:
            raise ValueError("basket_id needs the basket's version")
        return self


class SaleDone(Outgoing):
    """What was sold, as it is written down."""

    sale_id: str
    receipt_no: str
    business_day: str
    total_minor: int
    tax_minor: int
    rounding_minor: int
    change_minor: int
    currency: str
    at_ms: int
    receipt_printed: bool = False


class VoidSale(Command):
    """Undo a whole sale of the same business day (``sale.void``): goods back, tenders reversed."""

    service: ClassVar[str] = "sale"
    operation: ClassVar[str] = "void"
    sale_id: UniqueId
    reason: Reason
    approval_id: UniqueId | None = None
    print_receipt: bool = False


class SaleVoided(Outgoing):
    """The void as it is written down."""

    sale_id: str
    voided_at_ms: int
    refund: tuple[RefundView, ...] = ()
    receipt_printed: bool = False


class RefundView(Outgoing):
    """Money to give back.  ``by``: who does it; what the hub gives back the till must not.
    ``by_person``: the hub was to and couldn't, so that a person sees to it, or has (told by repeats
    of the return).
    On top of ``amount_minor``, to the same card: ``tip_minor``, a tip that goes back when all of
    the payment does, with the last of its parts; and ``surcharge_minor``, of what a terminal had
    added as much as the part is of the payment."""

    kind: str
    amount_minor: int
    payment_id: str | None = None
    by: Literal["hub", "till"] = "till"
    by_person: bool = False
    tip_minor: AmountMinor | None = None
    surcharge_minor: AmountMinor | None = None


class GetSale(Query):
    """One sale with its lines, tenders and what was returned."""

    service: ClassVar[str] = "sale"
    operation: ClassVar[str] = "get"
    sale_id: UniqueId


class ListSales(Query):
    """The latest sales, newest first."""

    service: ClassVar[str] = "sale"
    operation: ClassVar[str] = "list"
    limit: int = Field(default=20, ge=1, le=200)
    before_seq: int | None = Field(default=None, ge=1)


class SaleLineView(Outgoing):
    """A line as sold."""

    line_no: int
    sku: str
    gtin: str | None = None
    name: str
    qty: int
    scale: int
    unit_price_minor: int
    gross_minor: int
    discount_minor: int
    net_minor: int
    tax_code: str
    tax_minor: int
    reason: str | None = None
    returned_qty: int = 0


class TenderView(Outgoing):
    """A tender as taken."""

    kind: str
    amount_minor: int
    payment_id: str | None = None
    last4: str | None = None


class SaleView(Outgoing):
    """A sale: state ``completed`` or ``voided``."""

    sale_id: str
    receipt_no: str
    state: str
    device_id: str
    staff_id: str | None = None
    business_day: str
    at_ms: int
    currency: str
    total_minor: int
    tax_minor: int
    rounding_minor: int
    change_minor: int
    lines: tuple[SaleLineView, ...] = ()
    tenders: tuple[TenderView, ...] = ()


class Sales(Outgoing):
    """A page of sales without their lines; ``next_before_seq`` continues it."""

    sales: tuple[SaleView, ...]
    next_before_seq: int | None = None


class ReturnLine(Incoming):
    """What comes back of one line of the sale."""

    line_no: LineNo
    qty: Qty
    disposition: Disposition
    reason: Reason


class CommitReturn(Command):
    """Take goods of one of this shop's sales back (permission ``refund``).

    The refund is computed from the sale (price paid and original tax); ``total_minor`` must equal
    it.  It goes to the original tenders, or becomes store credit, whose code is on the receipt that
    is printed then, and nowhere else.
    """

    service: ClassVar[str] = "return"
    operation: ClassVar[str] = "commit"
    return_id: UniqueId
    sale_id: UniqueId
    lines: tuple[ReturnLine, ...] = Field(min_length=1, max_length=MAX_LINES)
    total_minor: MoneyMinor | None = None
    refund_to: Literal["original", "store-credit"] = "original"
    approval_id: UniqueId | None = None
    print_receipt: bool = False


class ReturnDone(Outgoing):
    """The return as it is written down."""

    return_id: str
    sale_id: str
    total_minor: int
    tax_minor: int
    refund: tuple[RefundView, ...]
    at_ms: int
    receipt_printed: bool = False
