"""A scanned code on its way to a till, with what the shop knows about it."""

from __future__ import annotations

from types import MappingProxyType
from typing import ClassVar, Final, Literal

from pydantic import Field

from hub.contract.base import DeviceId, InstantMs, Outgoing, Query, UniqueId
from hub.contract.catalog import ProductView

SCAN_COMMAND: Final = "scan"
"""``cmd/scan`` tells, it doesn't ask: nobody answers it."""
SCAN_LIFE_S: Final = 10
"""A scan older than this is nobody's intention any more: it is dropped on the way."""

WhyNot = Literal[
    "unknown",
    "malformed",
    "card-data",
    "expired",
    "recalled",
    "not-sold",
    "no-price",
    "unavailable",
    "receipt",
    "not-genuine",
    "unknown-shop",
]

SYMBOLOGIES: Final = MappingProxyType(
    {
        "A": "Code 39",
        "C": "Code 128",
        "E": "EAN/UPC",
        "F": "Codabar",
        "G": "Code 93",
        "I": "Interleaved 2 of 5",
        "J": "DotCode",
        "L": "PDF417",
        "M": "MSI",
        "Q": "QR Code",
        "S": "Standard 2 of 5",
        "U": "MaxiCode",
        "X": "other",
        "d": "Data Matrix",
        "e": "GS1 DataBar",
        "z": "Aztec Code",
    }
)
"""Second character of an AIM identifier (ISO/IEC 15424) → the symbology."""
_GS1: Final = MappingProxyType(
    {
        "]C1": "GS1-128",
        "]E4": "EAN-8",
        "]J1": "GS1 DotCode",
        "]Q3": "GS1 QR Code",
        "]d2": "GS1 DataMatrix",
    }
)


def symbology_of(aim: str) -> str:
    """The symbology behind an AIM identifier; empty when it tells none that is known here."""
    return _GS1.get(aim) or SYMBOLOGIES.get(aim[1:2], "")


class ScanElements(Outgoing):
    """What a code says beyond its article: GS1 application identifiers, or the measure of a
    restricted number.  Dates: ISO 8601."""

    lot: str | None = None
    serial: str | None = None
    expiry_date: str | None = None
    best_before_date: str | None = None
    weight_g: int | None = None
    price_minor: int | None = None
    count: int | None = None
    sscc: str | None = None


class ScannedReceipt(Outgoing):
    """A sale, as the signed code of its receipt states it: it was made so, not that nothing was
    brought back since.  ``ours``: this shop made it.  A gift receipt's code tells no total."""

    store: str
    ours: bool
    receipt_no: str
    sale_id: UniqueId
    business_day: str = Field(description="ISO 8601")
    total_minor: int | None = None
    currency: str | None = None
    state: str | None = Field(
        default=None,
        description="`completed` or `voided`, of a sale that is in this hub: `sale/get` has it.",
    )


class ScanResolved(Outgoing):
    """A code and what it is here.

    Without ``why_not`` the product may be sold.  ``expired``, ``recalled`` (the lot is called
    back), ``not-sold`` (out of the range) and ``no-price`` still name their product; ``unknown``,
    ``malformed`` and ``card-data`` have none; ``unavailable``: the hub failed, look it up yourself.
    ``receipt``: the code of a receipt, and ``receipt`` says which; ``not-genuine``: one that its
    shop never signed; ``unknown-shop``: one of a shop whose key isn't known here.
    ``code`` is empty when it must not be repeated (card data) or never was a text.
    """

    code: str
    aim: str = Field(
        default="", description="ISO/IEC 15424, e.g. `]C1`; empty: the scanner sent none."
    )
    symbology: str = ""
    gtin: str | None = Field(default=None, description="14 digits")
    elements: ScanElements | None = None
    product: ProductView | None = None
    receipt: ScannedReceipt | None = None
    why_not: WhyNot | None = None
    detail: str = Field(default="", description="For people: what is wrong and what to do.")


class Scan(ScanResolved):
    """What a till gets as ``data`` of ``cmd/scan`` when its scanner has read something."""

    scan_id: UniqueId
    scanner: DeviceId
    scanned_at_ms: InstantMs


class ScanEvent(Outgoing):
    """On ``hub/dev/{scanner}/evt/scan``: a scan that came to nothing, for whoever looks after the
    shop.  ``length_bytes``: how much the scanner sent."""

    scan_id: UniqueId
    scanner: DeviceId
    scanned_at_ms: InstantMs
    why_not: WhyNot
    code: str = ""
    aim: str = ""
    length_bytes: int = 0
    detail: str = ""


class ResolveScan(Query):
    """What a scanned code is: the same that a till gets told when its scanner at the hub reads it.
    A code that can't be right is an answer, too (``why_not``), not a refusal."""

    service: ClassVar[str] = "scan"
    operation: ClassVar[str] = "resolve"
    code: str = Field(max_length=512)
    aim: str = Field(default="", pattern=r"^(\][A-Za-z][0-9A-Za-z])?$")


__all__ = [
    "SCAN_COMMAND",
    "SCAN_LIFE_S",
    "SYMBOLOGIES",
    "ResolveScan",
    "Scan",
    "ScanElements",
    "ScanEvent",
    "ScanResolved",
    "ScannedReceipt",
    "WhyNot",
    "symbology_of",
]
