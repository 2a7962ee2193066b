"""The pages of stock."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from hub.contract.pages.stock import (
    ClaimView,
    CountsPage,
    CountsQuery,
    CountTaskView,
    DriftView,
    LedgerEntry,
    LedgerPage,
    LedgerQuery,
    OpenCountView,
    ProductOnPage,
    ProductPage,
    ProductQuery,
    ProductsPage,
    ProductsQuery,
)
from hub.contract.problems import Code, Refusal, refuse
from hub.domain.stock import Bucket, available
from hub.service.gate import ReadUnit
from hub.service.handlers.catalog import NO_STOCK, level_view
from hub.service.pages import bad_cursor, dotted, numbers
from hub.storage import catalogrows, searchindex, stockrows
from hub.storage.pages import orders as order_pages
from hub.storage.pages import stock
from hub.storage.pages.stock import DocumentHead, TaskRow
from hub.storage.stockrows import LevelRow, MovementRow

CLAIMS_MAX = 200
OPEN_COUNTS_MAX = 200
FOUND_MAX = 100


def products(unit: ReadUnit, query: ProductsQuery) -> ProductsPage:
    """A search, or the catalogue by SKU."""
    text = query.q.strip()
    if not text:
        skus = stock.skus_from(unit.rows, query.cursor or "", query.limit + 1)
        more = len(skus) > query.limit
        shown = skus[: query.limit]
        return ProductsPage(
            products=_products(unit, shown), next_cursor=shown[-1] if more else None
        )
    limit = min(query.limit, FOUND_MAX)
    found = list(dict.fromkeys(_found(unit, text, limit + 1)))
    return ProductsPage(products=_products(unit, found[:limit]), more=len(found) > limit)


def _found(unit: ReadUnit, text: str, limit: int) -> Iterable[str]:
    """SKUs that fit, the best first: the SKU or article number itself, SKUs that begin so, names.
    Some may come twice."""
    if " " not in text:
        if text.isascii() and text.isdigit() and 8 <= len(text) <= 14:
            scanned = catalogrows.by_gtin(unit.rows, text.zfill(14), unit.now_ms)
            if scanned is not None:
                yield scanned.sku
        for typed in dict.fromkeys((text, text.upper(), text.lower())):
            yield from stock.skus_like(unit.rows, typed, limit)
    for hit in searchindex.search(unit.rows, text, limit):
        yield hit.sku


def _products(unit: ReadUnit, skus: list[str]) -> tuple[ProductOnPage, ...]:
    levels = stockrows.levels(unit.rows, skus)
    return tuple(_product(unit, sku, levels.get(sku)) for sku in skus)


def _product(unit: ReadUnit, sku: str, level: LevelRow | None) -> ProductOnPage:
    row = catalogrows.by_sku(unit.rows, sku, unit.now_ms)
    levels = level.levels if level else NO_STOCK
    return ProductOnPage(
        sku=sku,
        name=row.name if row else "",
        category=row.category if row else "",
        price_minor=row.price_minor if row else None,
        currency=unit.shop.currency,
        uom=row.uom if row else "",
        scale=row.scale if row else 0,
        active=row.active if row else False,
        sellable=levels.sellable,
        available=available(levels),
        held=levels.held,
        reserved=levels.reserved,
    )


def product(unit: ReadUnit, query: ProductQuery) -> ProductPage:
    """One product.  Errors: ``not-found``."""
    level = stockrows.level(unit.rows, query.sku)
    shown = _product(unit, query.sku, level)
    if level is None and not shown.name:
        raise _unknown()
    number = level.sku_id if level else 0
    task = stock.count_task(unit.rows, number)
    drift = stock.drift_of(unit.rows, query.sku)
    levels, last_seq = (level.levels, level.last_seq) if level else (NO_STOCK, 0)
    return ProductPage(
        product=shown,
        level=level_view(query.sku, levels, last_seq),
        claims=_claims(unit, number),
        count_task=_task(unit, task) if task else None,
        drift=DriftView(found_at_ms=drift[0], hub=drift[1], oms=drift[2]) if drift else None,
    )


def _claims(unit: ReadUnit, sku_id: int) -> tuple[ClaimView, ...]:
    holds = stockrows.holds_of_sku(unit.rows, sku_id, CLAIMS_MAX)
    orders = order_pages.claims_of_sku(unit.rows, sku_id, CLAIMS_MAX)
    found = [
        *(ClaimView(kind="basket", id=basket, qty=qty) for basket, qty, _ in holds),
        *(ClaimView(kind="order", id=id_, qty=qty, number=number) for id_, qty, number in orders),
    ]
    return tuple(found[:CLAIMS_MAX])


def ledger(unit: ReadUnit, query: LedgerQuery) -> LedgerPage:
    """A product's movements, the newest first.  Errors: ``not-found``, ``validation``.

    The cursor holds the next movement's number and ``sellable`` after it.
    """
    level = stockrows.level(unit.rows, query.sku)
    if level is None:
        if catalogrows.by_sku(unit.rows, query.sku, unit.now_ms) is None:
            raise _unknown()
        return LedgerPage(sku=query.sku, entries=())
    seq, sellable = numbers(query.cursor, (level.last_seq, level.levels.sellable))
    rows = list(islice(stockrows.product_ledger(unit.rows, seq), query.limit))
    if any(row.sku != query.sku for row in rows) or (query.cursor and not rows):
        raise bad_cursor()
    entries = []
    for row in rows:
        entry = _entry(row, sellable, _document(unit, row))
        entries.append(entry)
        sellable -= entry.sellable_change
    follows = rows[-1].prev_seq if rows else 0
    return LedgerPage(
        sku=query.sku,
        entries=tuple(entries),
        next_cursor=dotted(follows, sellable) if follows else None,
    )


def _document(unit: ReadUnit, row: MovementRow) -> DocumentHead:
    return stock.document_of(unit.rows, row.ref_type, row.ref_id, row.ref_line)


def _entry(row: MovementRow, sellable: int, document: DocumentHead) -> LedgerEntry:
    change = row.qty * ((row.dst == Bucket.SELLABLE) - (row.src == Bucket.SELLABLE))
    return LedgerEntry(
        seq=row.seq,
        at_ms=document.at_ms,
        type=row.type,
        qty=row.qty,
        source=row.src,
        target=row.dst,
        sellable_change=change,
        sellable_after=sellable,
        document=row.ref_type,
        document_id=document.document,
        sale_id=document.sale_id,
        receipt_no=document.receipt_no,
        line=row.ref_line,
        device_id=document.device_id,
        reason=document.reason if row.ref_type != "count" else "",
    )


def counts(unit: ReadUnit, query: CountsQuery) -> CountsPage:
    """What has to be counted, and what is being counted."""
    (after,) = numbers(query.cursor, (0,))
    rows = stock.count_tasks(unit.rows, after, query.limit + 1)
    shown, more = rows[: query.limit], len(rows) > query.limit
    return CountsPage(
        tasks=tuple(_task(unit, row) for row in shown),
        under_way=tuple(
            OpenCountView(
                count_id=row.count_id,
                sku=row.sku,
                name=_name(unit, row.sku),
                device_id=row.device_id,
                at_ms=row.at_ms,
            )
            for row in stock.open_counts(unit.rows, OPEN_COUNTS_MAX)
        ),
        next_cursor=dotted(shown[-1].sku_id) if more else None,
    )


def _task(unit: ReadUnit, row: TaskRow) -> CountTaskView:
    return CountTaskView(sku=row.sku, name=_name(unit, row.sku), reason=row.reason, at_ms=row.at_ms)


def _name(unit: ReadUnit, sku: str) -> str:
    row = catalogrows.by_sku(unit.rows, sku, unit.now_ms)
    return row.name if row else ""


def _unknown() -> Refusal:
    return refuse(
        Code.NOT_FOUND, "This product is neither in the catalogue nor was it ever in stock here."
    )
