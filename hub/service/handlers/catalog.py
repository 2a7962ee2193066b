"""Looking a product up by what was scanned or typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

from hub.contract.base import Command
from hub.contract.catalog import LevelView, LookUp, ProductView
from hub.domain.stock import StockRow, available, counter_sellable
from hub.service import pricing
from hub.service.answers import quoted
from hub.service.gate import Reader, ReadUnit
from hub.service.pricing import Found
from hub.storage import scanrows, stockrows
from hub.storage.rows import Rows
from hub.storage.scanrows import ScanRow
from hub.storage.stockrows import LevelRow

NO_STOCK = StockRow()


def level_view(sku: str, levels: StockRow, ledger_seq: int) -> LevelView:
    """One product's stock as devices see it."""
    return LevelView(
        sku=sku,
        sellable=levels.sellable,
        available=available(levels),
        counter_sellable=counter_sellable(levels),
        staged=levels.staged,
        quarantine=levels.quarantine,
        refurbish=levels.refurbish,
        damaged=levels.damaged,
        transit_in=levels.transit_in,
        reserved=levels.reserved,
        held=levels.held,
        allotted=levels.allotted,
        safety=levels.safety,
        ledger_seq=ledger_seq,
    )


def level_of(rows: Rows, sku: str) -> LevelView:
    """The levels of a product; zeros if it never moved."""
    row = stockrows.level(rows, sku)
    return level_view(sku, row.levels, row.last_seq) if row else level_view(sku, NO_STOCK, 0)


def levels_of(rows: Rows, skus: Sequence[str]) -> list[LevelView]:
    """The levels of several products in the order given."""
    found = stockrows.levels(rows, skus)
    return [
        level_view(sku, found[sku].levels, found[sku].last_seq)
        if sku in found
        else level_view(sku, NO_STOCK, 0)
        for sku in skus
    ]


def levels_json(rows: Rows, skus: Sequence[str]) -> str:
    """The same as a JSON array."""
    found = stockrows.levels(rows, skus)
    return f"[{','.join(_one_json(sku, found.get(sku)) for sku in skus)}]"


def _one_json(sku: str, row: LevelRow | None) -> str:
    if row is None:
        return _level_json(quoted(sku), NO_STOCK, 0)
    return _level_json(quoted(sku), row.levels, row.last_seq)


def _level_json(sku: str, levels: StockRow, ledger_seq: int) -> str:
    """A :func:`level_view` as JSON; ``sku`` is JSON already."""
    return (
        f'{{"sku":{sku},"sellable":{levels.sellable},"available":{available(levels)},'
        f'"counter_sellable":{counter_sellable(levels)},"staged":{levels.staged},'
        f'"quarantine":{levels.quarantine},"refurbish":{levels.refurbish},'
        f'"damaged":{levels.damaged},"transit_in":{levels.transit_in},'
        f'"reserved":{levels.reserved},"held":{levels.held},"allotted":{levels.allotted},'
        f'"safety":{levels.safety},"ledger_seq":{ledger_seq}}}'
    )


def look_up(unit: ReadUnit, query: LookUp) -> ProductView | str:
    """See :class:`LookUp`.  A bare article number that is known, which nearly every scan is, is one
    look-up, and its result is put together from the columns."""
    known = of_bare_number(unit, query.code)
    return known.view_json if known is not None else _look_closer(unit, query)


class KnownArticle(NamedTuple):
    """The product of a bare article number; ``gtin14`` is None when the number was its SKU."""

    row: ScanRow
    gtin14: str | None
    view_json: str


def of_bare_number(unit: ReadUnit, code: str) -> KnownArticle | None:
    """The product of a bare article number, if it is one that is known, by a single look-up.
    ``view_json`` is its :class:`ProductView`."""
    gtin14 = _bare_gtin(code)
    row = scanrows.by_code(unit.rows, code, gtin14, unit.now_ms) if gtin14 is not None else None
    if row is None:
        return None
    if row.sku == code:
        gtin14 = None
    return KnownArticle(row, gtin14, _product_json(row, gtin14, unit.shop.currency))


def _bare_gtin(code: str) -> str | None:
    """An article number without anything around it, as 14 digits."""
    bare = len(code) in (8, 12, 13, 14) and code.isascii() and code.isdigit()
    return code.zfill(14) if bare else None


def _product_json(row: ScanRow, gtin14: str | None, currency: str) -> str:
    """A :class:`ProductView` as JSON, without fields that are None.  Levels are those of
    :func:`level_view`."""
    gtin = f'"gtin":"{gtin14}",' if gtin14 is not None else ""
    price = f'"price_minor":{row.price_minor},' if row.price_minor is not None else ""
    age = f'"age_min":{row.age_min},' if row.age_min is not None else ""
    sku = quoted(row.sku)
    levels = cast("StockRow", row)  # it has the same names
    return (
        f'{{"sku":{sku},"name":{quoted(row.name)},{gtin}{price}"currency":"{currency}",'
        f'"uom":{quoted(row.uom)},"scale":{row.scale},"tax_code":{quoted(row.tax_code)},'
        f'"category":{quoted(row.category)},{age}"active":{"true" if row.active else "false"},'
        f'"generation":"{row.generation}","level":{_level_json(sku, levels, row.ledger_seq)}}}'
    )


def _look_closer(unit: ReadUnit, query: LookUp) -> ProductView:
    """Any other code, taken apart."""
    return view_of(unit, find(unit, query.code))


def find(unit: ReadUnit, code: str) -> Found:
    """The product of any code.  Errors: ``not-found``, ``validation``, ``card-data-refused``."""
    return pricing.find(unit.rows, code, unit.now_ms, unit.books.code_rules(unit.rows))


def view_of(unit: ReadUnit, found: Found) -> ProductView:
    """A product as devices see it, with its levels."""
    product, scanned = found.product, found.scanned
    qty = None
    if scanned is not None and scanned.weight_g is not None and product.price_minor is not None:
        qty = pricing.measure(found, None, product.price_minor).qty
    return ProductView(
        sku=product.sku,
        name=product.name,
        gtin=found.gtin,
        price_minor=product.price_minor,
        currency=unit.shop.currency,
        uom=product.uom,
        scale=product.scale,
        tax_code=product.tax_code,
        category=product.category,
        age_min=product.age_min,
        active=product.active,
        generation=str(product.generation),
        qty=qty,
        code_price_minor=scanned.price_minor if scanned else None,
        lot=scanned.lot if scanned else None,
        serial=scanned.serial if scanned else None,
        expiry_date=scanned.expiry_date.isoformat() if scanned and scanned.expiry_date else None,
        level=level_of(unit.rows, product.sku),
    )


READS: dict[type[Command], Reader] = {LookUp: look_up}
