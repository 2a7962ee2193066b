"""What a printed document says, as facts: no texts of the shop, no formats, no language.

A document is queued as these facts (JSON) in the transaction that it tells of, and composed when
it is printed, so that a copy made a year later says the same.  Names, addresses and texts of the
shop come from its template.  Readers ignore fields they don't know, and every field that a queue
of an older hub may lack has a default.

Amounts are in minor units of ``currency``, quantities in base units at ``scale``, instants in UTC
milliseconds.  Amounts of a return, a void and a report are positive; what they mean is the
document's matter.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from hub.contract.base import MAX_LINES, Outgoing

LINES_MAX = MAX_LINES
TAXES_MAX = 32
TENDERS_MAX = 40
TEXTS_MAX = 40


class Facts(Outgoing):
    """What every document knows.  ``business_day``: ISO 8601 date; ``till``: the device's name;
    ``staff``: a name to show.  ``is_copy``: printed again by a person's word."""

    at_ms: int = 0
    business_day: str = ""
    till: str = ""
    staff: str = ""
    training: bool = False
    is_copy: bool = False
    shop: str = ""


class Item(Outgoing):
    """Goods without a price."""

    name: str
    sku: str = ""
    gtin: str | None = None
    qty: int
    scale: int = 0
    uom: str = ""
    serial: str = ""
    lot: str = ""


class PricedItem(Item):
    """Goods as sold: ``net_minor`` is what the line costs after ``discount_minor``, with tax if
    prices include it."""

    unit_price_minor: int = 0
    discount_minor: int = 0
    net_minor: int = 0
    tax_code: str = ""


class PlacedItem(Item):
    """Goods to fetch: where they lie (``place``, e.g. aisle and shelf), how many were found."""

    place: str = ""
    picked_qty: int | None = None
    note: str = ""


class TaxTotal(Outgoing):
    """One rate: ``rate_ppm`` in parts per million (19% is 190000); net + tax = gross."""

    code: str
    rate_ppm: int
    net_minor: int
    tax_minor: int
    gross_minor: int


class TenderTotal(Outgoing):
    """Money that was taken or given back.  ``kind``: ``cash``, ``card`` or another word.
    ``offline``: approved without the processor.  ``count``: of how many payments (reports).
    ``tip_minor``, ``surcharge_minor``: what the card was charged on top, by the customer's wish and
    by the terminal.  ``left_minor``: what was left on a gift card, where its issuer told it."""

    kind: str
    amount_minor: int
    last4: str | None = None
    approval_code: str | None = None
    offline: bool = False
    count: int = 0
    tip_minor: int = 0
    surcharge_minor: int = 0
    left_minor: int | None = None


class SaleFacts(Facts):
    """A sale's receipt.  ``return_code``: signed, for returns in another shop (see
    ``hub.documents.returncode``); empty: none."""

    kind: Literal["sale"] = "sale"
    receipt_no: str
    sale_id: str
    currency: str
    lines: tuple[PricedItem, ...] = Field(default=(), max_length=LINES_MAX)
    total_minor: int
    tax_minor: int = 0
    prices_include_tax: bool = True
    taxes: tuple[TaxTotal, ...] = Field(default=(), max_length=TAXES_MAX)
    tenders: tuple[TenderTotal, ...] = Field(default=(), max_length=TENDERS_MAX)
    rounding_minor: int = 0
    change_minor: int = 0
    savings_minor: int = 0
    return_code: str = ""


class ReturnFacts(Facts):
    """Goods taken back: ``receipt_no`` is the return's own (may be empty), ``sale_receipt_no`` the
    one of the sale.  ``pending``: the sale isn't known here yet; the money follows.
    ``credit_code``: of the store credit that was given."""

    kind: Literal["return"] = "return"
    return_id: str
    receipt_no: str = ""
    sale_id: str = ""
    sale_receipt_no: str = ""
    currency: str
    lines: tuple[PricedItem, ...] = Field(default=(), max_length=LINES_MAX)
    total_minor: int
    tax_minor: int = 0
    prices_include_tax: bool = True
    taxes: tuple[TaxTotal, ...] = Field(default=(), max_length=TAXES_MAX)
    refunds: tuple[TenderTotal, ...] = Field(default=(), max_length=TENDERS_MAX)
    rounding_minor: int = 0
    pending: bool = False
    credit_code: str = ""


class GiftFacts(Facts):
    """A receipt for whom it is given to: what, and how to exchange it; no price."""

    kind: Literal["gift"] = "gift"
    receipt_no: str
    sale_id: str
    lines: tuple[Item, ...] = Field(default=(), max_length=LINES_MAX)
    return_code: str = ""


class VoidFacts(Facts):
    """A sale undone: ``at_ms`` of the void, ``sold_at_ms`` of the sale."""

    kind: Literal["void"] = "void"
    receipt_no: str
    sale_id: str
    sold_at_ms: int = 0
    currency: str
    lines: tuple[PricedItem, ...] = Field(default=(), max_length=LINES_MAX)
    total_minor: int
    refunds: tuple[TenderTotal, ...] = Field(default=(), max_length=TENDERS_MAX)
    reason: str = ""
    approved_by: str = ""


class Report(Facts):
    """A till's or the shop's totals.  ``sales_minor`` is what was sold with tax, before
    ``refunds_minor``; voided sales are in neither.

    ``expected_cash_minor``: float, cash taken and paid in, less cash given back, paid out, dropped.
    ``counted_cash_minor``: None while nobody has counted.
    """

    currency: str
    opened_at_ms: int = 0
    first_receipt_no: str = ""
    last_receipt_no: str = ""
    sales_count: int = 0
    sales_minor: int = 0
    refunds_count: int = 0
    refunds_minor: int = 0
    voids_count: int = 0
    voids_minor: int = 0
    discounts_minor: int = 0
    rounding_minor: int = 0
    items_count: int = 0
    taxes: tuple[TaxTotal, ...] = Field(default=(), max_length=TAXES_MAX)
    tenders: tuple[TenderTotal, ...] = Field(default=(), max_length=TENDERS_MAX)
    float_minor: int = 0
    paid_in_minor: int = 0
    paid_out_minor: int = 0
    drops_minor: int = 0
    expected_cash_minor: int = 0
    counted_cash_minor: int | None = None
    no_sale_count: int = 0


class XReportFacts(Report):
    """Totals so far; nothing is closed by it."""

    kind: Literal["x-report"] = "x-report"


class ZReportFacts(Report):
    """Totals at a close; ``number`` counts without gaps."""

    kind: Literal["z-report"] = "z-report"
    number: int


class OrderFacts(Facts):
    """What papers of an online order know.  ``order_no`` is what people say."""

    order_id: str
    order_no: str = ""
    customer: str = ""
    note: str = ""


class PickListFacts(OrderFacts):
    """What to fetch from the shelves, in walking order.  ``ship``: it goes by parcel."""

    kind: Literal["pick-list"] = "pick-list"
    due_at_ms: int = 0
    ship: bool = False
    lines: tuple[PlacedItem, ...] = Field(default=(), max_length=LINES_MAX)


class PackingSlipFacts(OrderFacts):
    """What is in a parcel.  ``address``: its lines, the name first."""

    kind: Literal["packing-slip"] = "packing-slip"
    address: tuple[str, ...] = Field(default=(), max_length=TEXTS_MAX)
    carrier: str = ""
    tracking_no: str = ""
    parcel: int = 1
    parcels: int = 1
    lines: tuple[Item, ...] = Field(default=(), max_length=LINES_MAX)


class HandOverFacts(OrderFacts):
    """What a customer collected.  ``proof``: ``code`` or ``id``, as it was shown; empty: the slip
    is printed before."""

    kind: Literal["hand-over"] = "hand-over"
    place: str = ""
    proof: str = ""
    lines: tuple[Item, ...] = Field(default=(), max_length=LINES_MAX)


class ShelfLabelFacts(Facts):
    """A price at the shelf.  ``base_price_minor``: the price of one ``base_uom``, as price
    indication wants it; ``was_minor``: the price before a reduction.  ``valid_from_ms`` and
    ``valid_until_ms``: since when and how long the price is in force; 0: always."""

    kind: Literal["shelf-label"] = "shelf-label"
    name: str
    sku: str
    gtin: str | None = None
    uom: str = ""
    currency: str
    price_minor: int
    base_price_minor: int | None = None
    base_uom: str = ""
    was_minor: int | None = None
    valid_from_ms: int = 0
    valid_until_ms: int = 0


class StatusTicketFacts(Facts):
    """What a fresh box prints on the first printer it finds, and on request.

    ``url``: of its page; ``pairing_code``: of one opening, if one is open; ``qr``: what the QR
    code says, the page's address when empty. ``link``: the network in words of the box,
    ``link_mbps`` its speed, ``signal_percent`` of a wireless one. ``conditions``: what is the
    matter, as sentences.
    """

    kind: Literal["status-ticket"] = "status-ticket"
    hub_name: str
    store: str = ""
    version: str = ""
    url: str = ""
    addresses: tuple[str, ...] = Field(default=(), max_length=TEXTS_MAX)
    link: str = ""
    link_mbps: int | None = None
    signal_percent: int | None = None
    cloud_linked: bool | None = None
    pairing_code: str = ""
    qr: str = ""
    conditions: tuple[str, ...] = Field(default=(), max_length=TEXTS_MAX)


class TestPageFacts(Facts):
    """Shows that a printer prints what it is sent: letters, columns, codes, cut."""

    __test__ = False

    kind: Literal["test-page"] = "test-page"
    printer: str
    driver: str = ""
    address: str = ""


AnyFacts = (
    SaleFacts
    | ReturnFacts
    | GiftFacts
    | VoidFacts
    | XReportFacts
    | ZReportFacts
    | PickListFacts
    | PackingSlipFacts
    | HandOverFacts
    | ShelfLabelFacts
    | StatusTicketFacts
    | TestPageFacts
)
DocumentFacts = Annotated[AnyFacts, Field(discriminator="kind")]
DocumentKind = Literal[
    "sale",
    "return",
    "gift",
    "void",
    "x-report",
    "z-report",
    "pick-list",
    "packing-slip",
    "hand-over",
    "shelf-label",
    "status-ticket",
    "test-page",
]


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(DocumentFacts)


def facts_of(document: str | bytes | dict[str, Any]) -> AnyFacts:
    """Facts from the queue, JSON or read already.  Errors: pydantic's ``ValidationError``."""
    if isinstance(document, dict):
        found: AnyFacts = _adapter().validate_python(document)
    else:
        found = _adapter().validate_json(document)
    return found
