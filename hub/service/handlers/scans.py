"""What a scanned code is: looked up as ``catalog/look-up`` does it, and judged."""

from __future__ import annotations

from hub.contract.base import Command
from hub.contract.problems import Code, Refusal
from hub.contract.scans import ResolveScan, ScanElements, ScanResolved, WhyNot, symbology_of
from hub.domain import barcode
from hub.domain.barcode import ScannedCode
from hub.domain.cards import find_card_data
from hub.domain.checkdigits import gs1_valid
from hub.domain.dayparts import local_time
from hub.domain.errors import DomainError
from hub.service import pricing, receiptcodes
from hub.service.answers import quoted
from hub.service.gate import Reader, ReadUnit
from hub.service.handlers import catalog
from hub.service.handlers.catalog import KnownArticle
from hub.service.pricing import Found
from hub.storage.catalogrows import ProductRow

_GTIN_DIGITS = frozenset((8, 12, 13, 14))
_AS_BARE_NUMBERS = ("", "]E0")
_MEANING = ("]C1", "]J1", "]Q3", "]d2", "]e0", "]e1", "]e2", "]E3", "]E4", "]I1")
"""Identifiers that change how a code is read; others only name the print."""


def resolve(unit: ReadUnit, query: ResolveScan) -> ScanResolved | str:
    """See :class:`ResolveScan`.  A known bare number costs one look-up, as it does there."""
    if query.aim in _AS_BARE_NUMBERS:
        known = catalog.of_bare_number(unit, query.code)
        if known is not None and known.row.active and known.row.price_minor is not None:
            return _sellable_json(query, known)
    if receiptcodes.is_one(query.code):
        return _of_receipt(unit, query)
    try:
        found = _find(unit, query)
    except (Refusal, DomainError) as error:
        return _refused(unit, query, error)
    return _judged(unit, query, found)


def _of_receipt(unit: ReadUnit, query: ResolveScan) -> ScanResolved:
    said = receiptcodes.resolve(unit, query.code)
    shown = said.code if said.why_not == "receipt" else _repeatable(said.code, "unknown")
    symbology = symbology_of(query.aim)
    return said.model_copy(update={"code": shown, "aim": query.aim, "symbology": symbology})


def _sellable_json(query: ResolveScan, known: KnownArticle) -> str:
    """A :class:`ScanResolved` of a product that may be sold, as JSON."""
    gtin = f'"gtin":"{known.gtin14}",' if known.gtin14 is not None else ""
    aim = f'"aim":"{query.aim}","symbology":"{symbology_of(query.aim)}",' if query.aim else ""
    return f'{{"code":{quoted(query.code)},{aim}{gtin}"product":{known.view_json}}}'


def _find(unit: ReadUnit, query: ResolveScan) -> Found:
    """With what the identifier says of the code; without it when that finds nothing, for a shop may
    print its own numbers in any symbology."""
    if query.aim not in _MEANING:
        return catalog.find(unit, query.code)
    try:
        return catalog.find(unit, query.aim + query.code)
    except (Refusal, DomainError) as first:
        try:
            return catalog.find(unit, query.code)
        except (Refusal, DomainError):
            raise first from None


def _judged(unit: ReadUnit, query: ResolveScan, found: Found) -> ScanResolved:
    why_not: WhyNot | None = None
    detail = ""
    try:
        pricing.check_expiry(found, local_time(unit.now_ms, unit.shop.zone).date())
    except Refusal as refusal:
        why_not, detail = "expired", refusal.problem.detail
    if why_not is None:
        why_not, detail = _unsold(found.product)
    try:
        product = catalog.view_of(unit, found)
    except Refusal as refusal:  # a weight on a label of what isn't sold by weight
        return _said(query, found.scanned, why_not="malformed", detail=refusal.problem.detail)
    said = _said(query, found.scanned, why_not=why_not, detail=detail)
    return said.model_copy(update={"product": product, "gtin": found.gtin})


def _unsold(product: ProductRow) -> tuple[WhyNot | None, str]:
    try:
        pricing.sellable_price(product)
    except Refusal as refusal:
        return ("no-price" if product.active else "not-sold"), refusal.problem.detail
    return None, ""


_WHY: dict[Code, WhyNot] = {
    Code.NOT_FOUND: "unknown",
    Code.VALIDATION: "malformed",
    Code.CARD_DATA_REFUSED: "card-data",
}


def _refused(unit: ReadUnit, query: ResolveScan, error: Refusal | DomainError) -> ScanResolved:
    refusal = error.problem if isinstance(error, Refusal) else error
    why_not = _WHY.get(refusal.code, "malformed")
    scanned = _taken_apart(unit, query) if why_not == "unknown" else None
    return _said(query, scanned, why_not=why_not, detail=refusal.detail)


def _taken_apart(unit: ReadUnit, query: ResolveScan) -> ScannedCode | None:
    """What an unknown code says of itself: who adds the product wants to know."""
    code = query.aim + query.code if query.aim in _MEANING else query.code
    try:
        return barcode.parse(code, unit.books.code_rules(unit.rows))
    except DomainError:
        return None


def _said(
    query: ResolveScan, scanned: ScannedCode | None, *, why_not: WhyNot | None, detail: str
) -> ScanResolved:
    return ScanResolved(
        code=query.code if why_not is None else _repeatable(query.code, why_not),
        aim=query.aim,
        symbology=symbology_of(query.aim),
        gtin=scanned.gtin14 if scanned is not None else None,
        elements=_elements(scanned) if scanned is not None else None,
        why_not=why_not,
        detail=detail,
    )


def _repeatable(code: str, why_not: WhyNot) -> str:
    """A code that was refused is shown to people and told to others: nothing that could be a card's
    may be in it.  One in ten article numbers could, but for their own check digit."""
    if why_not == "card-data":
        return ""
    is_article = code.isascii() and code.isdigit() and len(code) in _GTIN_DIGITS and gs1_valid(code)
    return code if is_article or find_card_data(code) is None else ""


def _elements(scanned: ScannedCode) -> ScanElements | None:
    expiry, best_before = scanned.expiry_date, scanned.best_before_date
    said = ScanElements(
        lot=scanned.lot,
        serial=scanned.serial,
        expiry_date=expiry.isoformat() if expiry else None,
        best_before_date=best_before.isoformat() if best_before else None,
        weight_g=scanned.weight_g,
        price_minor=scanned.price_minor,
        count=scanned.count,
        sscc=scanned.sscc,
    )
    return said if said != _NOTHING_SAID else None


_NOTHING_SAID = ScanElements()

READS: dict[type[Command], Reader] = {ResolveScan: resolve}
