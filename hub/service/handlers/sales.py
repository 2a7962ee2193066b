"""Selling: the heart of the shop."""

from __future__ import annotations

from collections import Counter
from datetime import date, tzinfo
from functools import lru_cache
from typing import Any

from hub.contract.base import Command
from hub.contract.basket import BasketCommand
from hub.contract.oms_events import SALE_COMPLETED
from hub.contract.problems import Code, refuse
from hub.contract.sale import (
    CommitSale,
    SaleDone,
    SaleLine,
    Tender,
    VoidSale,
)
from hub.contract.staff import ApprovalSubject
from hub.domain.basket import BasketEvent, check_price
from hub.domain.dayparts import business_day, local_time
from hub.domain.staff import Permission
from hub.domain.stock import (
    Bucket,
    Counterparty,
    Movement,
    MovementType,
    check_sale,
    counter_sellable,
)
from hub.service import deviations, permits, pricing, receipts
from hub.service.gate import Handler
from hub.service.handlers import baskets
from hub.service.handlers.voids import void_sale
from hub.service.incoming import same_request
from hub.service.items import Item, Priced, price
from hub.service.ledger import Ledger
from hub.service.notices import BasketChanged, SaleMade
from hub.service.orders import shortages
from hub.service.payments import claims
from hub.service.unit import Unit
from hub.storage import basketrows, salerows, stockrows
from hub.storage.salerows import SaleLineRow, SaleRow, TenderRow


def commit_sale(unit: Unit, command: CommitSale) -> SaleDone:
    """See :class:`CommitSale`.  A sale id that is known answers with the sale it names."""
    body_hash = unit.body_hash
    known = salerows.get(unit.tx, command.sale_id)
    if known is not None:
        return _repeat(unit, known, command, body_hash)
    permits.need(unit, Permission.SALE_SELL)
    items, basket = _items(unit, command)
    priced = price(items)
    check_price(command.total_minor, priced.total_minor, "total")
    settlement, cards = claims.settled(unit, command, priced.total_minor)
    leftover = claims.check_others(unit, command, cards)
    ledger = Ledger.of(unit, "sale")
    short = _check_goods(unit, command, ledger, items, basket)
    day, _ = _days(unit.now_ms // 60_000, unit.shop.zone, unit.shop.day_cutover_hour)
    receipt_no, outbox_id = salerows.next_receipt_no(unit.tx, unit.caller.id)
    sale = SaleRow(
        id=0,
        sale_id=command.sale_id,
        hash=body_hash,
        state="completed",
        receipt_no=receipt_no,
        device_id=unit.caller.id,
        staff_id=unit.staff_id,
        business_day=day,
        at_ms=unit.now_ms,
        currency=unit.shop.currency,
        total_minor=priced.total_minor,
        tax_minor=priced.tax_minor,
        rounding_minor=settlement.rounding_minor,
        change_minor=settlement.change_minor,
        tax=_stamp(items),
        outbox_id=outbox_id,
        note=command.note,
    )
    number = salerows.add(unit.tx, sale)
    lines = _line_rows(priced)
    salerows.add_lines(unit.tx, number, lines)
    paid = claims.filled(command.tenders, cards)
    tenders = _tender_rows(paid)
    salerows.add_tenders(unit.tx, number, tenders)
    ledger.ref_id = number
    _take_goods(unit, command.sale_id, ledger, items, short)
    data = _event(sale, lines, paid, ledger.finish())
    if unit.emit("sales", SALE_COMPLETED, sale.sale_id, data) != outbox_id:
        salerows.set_outbox_id(unit.tx, number, unit.seq)  # claims that fell short came before it
    claims.pay(unit, cards, leftover)
    salerows.add_to_day(unit.tx, day, sales=1, total_minor=sale.total_minor)
    unit.tell(SaleMade())
    if any(one.kind == "cash" for one in tenders):
        receipts.queue_kick(unit, "sale", sale.sale_id)
    printed = command.print_receipt and receipts.queue_sale(unit, sale, lines, tenders)
    return _done(sale, printed=printed)


@lru_cache(maxsize=8)
def _days(minute: int, zone: tzinfo, cutover_hour: int) -> tuple[str, date]:
    """The business day and the calendar day of a UTC minute: days begin with one."""
    at_ms = minute * 60_000
    return business_day(at_ms, zone, cutover_hour).isoformat(), local_time(at_ms, zone).date()


def _repeat(unit: Unit, known: SaleRow, command: CommitSale, body_hash: bytes) -> SaleDone:
    if not same_request(known.hash, body_hash) or known.total_minor != command.total_minor:
        raise refuse(
            Code.CONFLICT,
            "This sale id belongs to another sale: make a fresh id for every sale.",
            sale_id=known.sale_id,
        )
    unit.cite(known.outbox_id)
    return _done(known, printed=False)


def _done(sale: SaleRow, *, printed: bool) -> SaleDone:
    return SaleDone(
        sale_id=sale.sale_id,
        receipt_no=sale.receipt_no,
        business_day=sale.business_day,
        total_minor=sale.total_minor,
        tax_minor=sale.tax_minor,
        rounding_minor=sale.rounding_minor,
        change_minor=sale.change_minor,
        currency=sale.currency,
        at_ms=sale.at_ms,
        receipt_printed=printed,
    )


# Lines -------------------------------------------------------------------------------------------


def _items(unit: Unit, command: CommitSale) -> tuple[list[Item], int | None]:
    """The lines to sell, and the number of the basket they come from."""
    if command.basket_id is None:
        return _rung_up(unit, command), None
    assert command.version is not None
    closing = BasketCommand(basket_id=command.basket_id, version=command.version)
    basket = baskets.begin(unit, closing, BasketEvent.CLOSE)
    lines = basketrows.lines(unit.tx, basket.id)
    if not lines:
        raise refuse(Code.CONFLICT, "The basket is empty: add a line or abandon it.")
    basketrows.save_head(unit.tx, basket)
    unit.tell(BasketChanged(basket.basket_id, basket.state, basket.owner))
    return [baskets.item_of(line) for line in lines], basket.id


def _rung_up(unit: Unit, command: CommitSale) -> list[Item]:
    shelf = unit.books.opened(unit.tx, unit.now_ms)
    found = [shelf.find(line.code) for line in command.lines]
    stamp = shelf.taxes.stamp({one.product.tax_code for one in found})
    deviations: list[dict[str, Any]] = []
    items = []
    _, today = _days(unit.now_ms // 60_000, unit.shop.zone, unit.shop.day_cutover_hour)
    for line_no, (line, one) in enumerate(zip(command.lines, found, strict=True), start=1):
        pricing.check_expiry(one, today)
        listed_minor = pricing.sellable_price(one.product)
        check_price(line.unit_price_minor, listed_minor, f"price of {one.product.sku}")
        overridden = line.override_price_minor
        item = Item(
            line_no=line_no,
            sku=one.product.sku,
            gtin=one.gtin,
            name=one.product.name,
            qty=line.qty,
            uom=one.product.uom,
            scale=one.product.scale,
            list_price_minor=listed_minor,
            unit_price_minor=listed_minor if overridden is None else overridden,
            discount_minor=line.discount_minor,
            tax_code=one.product.tax_code,
            tax=stamp,
            generation=one.product.generation,
            reason=line.reason,
        )
        items.append(item)
        if line.discount_minor or overridden is not None:
            deviations.append(_permit(unit, command, item, line))
    if deviations:
        unit.note("sale.deviations", command.sale_id, {"lines": deviations})
    return items


def _permit(unit: Unit, command: CommitSale, item: Item, line: SaleLine) -> dict[str, Any]:
    """Check the permissions of a line that isn't sold at its listed price; its audit entry."""
    subject = ApprovalSubject(sale_id=command.sale_id, line_no=item.line_no, sku=item.sku)
    approvers = []
    if line.override_price_minor is not None:
        approvers.append(deviations.permit_override(unit, item, line.approval_id, subject))
    if line.discount_minor:
        approvers.append(deviations.permit_discount(unit, item, line.approval_id, subject))
    return {
        "line": item.line_no,
        "sku": item.sku,
        "list_minor": item.list_price_minor,
        "unit_minor": item.unit_price_minor,
        "discount_minor": item.discount_minor,
        "reason": item.reason,
        "approved_by": next((one for one in approvers if one), None),
    }


def _stamp(items: list[Item]) -> str:
    """The taxes of the sale; of a basket that saw a change of taxes, those of its newest lines."""
    stamps = list(dict.fromkeys(item.tax for item in items))
    return stamps[0] if len(stamps) == 1 else pricing.merged(stamps)


def _line_rows(priced: Priced) -> list[SaleLineRow]:
    return [
        SaleLineRow(
            line_no=line.item.line_no,
            sku=line.item.sku,
            gtin=line.item.gtin,
            name=line.item.name,
            qty=line.item.qty,
            scale=line.item.scale,
            list_price_minor=line.item.list_price_minor,
            unit_price_minor=line.item.unit_price_minor,
            gross_minor=line.amounts.gross_minor,
            discount_minor=line.amounts.discount_minor,
            net_minor=line.amounts.net_minor,
            tax_code=line.item.tax_code,
            tax_minor=line.tax_minor,
            reason=line.item.reason,
        )
        for line in priced.lines
    ]


# Tenders -----------------------------------------------------------------------------------------


def _tender_rows(tenders: tuple[Tender, ...]) -> list[TenderRow]:
    return [
        TenderRow(
            n, one.kind, one.amount_minor, one.payment_id, one.last4, one.token, one.approval_code
        )
        for n, one in enumerate(tenders, start=1)
    ]


# Goods -------------------------------------------------------------------------------------------


def _check_goods(
    unit: Unit, command: CommitSale, ledger: Ledger, items: list[Item], basket: int | None
) -> set[str]:
    """Products that only an override can sell.  Nothing of the sale is written yet: a refusal is
    cheapest now.  Errors: ``insufficient-stock``."""
    if basket is not None:
        baskets.release_holds(unit, ledger, basket)
    wanted: Counter[str] = Counter()
    for item in items:
        wanted[item.sku] += item.qty
    return _check_stock(unit, command, ledger, wanted)


def _take_goods(
    unit: Unit, sale_id: str, ledger: Ledger, items: list[Item], short: set[str]
) -> None:
    """Move the goods to the customer."""
    for item in items:
        kind = MovementType.SALE_OVERRIDE if item.sku in short else MovementType.SALE
        movement = Movement(kind, Bucket.SELLABLE, Counterparty.CUSTOMER, item.qty)
        ledger.move(item.sku, movement, item.line_no)
    for sku in sorted(short):
        reason = f"sold by override in {sale_id}"
        stockrows.add_count_task(unit.tx, ledger.level(sku).sku_id, reason)
        shortages.report(unit, ledger, sku, sale_id, sale_id)


def _check_stock(unit: Unit, command: CommitSale, ledger: Ledger, wanted: Counter[str]) -> set[str]:
    """Products that only an override can sell."""
    ledger.look_at(wanted)
    short: set[str] = set()
    for sku, qty in wanted.items():
        levels = ledger.level(sku).levels
        if qty <= counter_sellable(levels):
            continue
        if command.stock_override is None:
            check_sale(levels, qty, 0, sku)
        short.add(sku)
    if short:
        assert command.stock_override is not None
        approver = permits.need(
            unit,
            Permission.STOCK_OVERRIDE,
            approval_id=command.stock_override.approval_id,
            subject=ApprovalSubject(sale_id=command.sale_id),
        )
        unit.note(
            "stock.override",
            command.sale_id,
            {
                "skus": sorted(short),
                "reason": command.stock_override.reason,
                "approved_by": approver,
            },
        )
    return short


def _event(
    sale: SaleRow,
    lines: list[SaleLineRow],
    tenders: tuple[Tender, ...],
    movements: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "sale_id": sale.sale_id,
        "receipt_no": sale.receipt_no,
        "device_id": sale.device_id,
        "staff_id": sale.staff_id,
        "business_day": sale.business_day,
        "occurred_at_ms": sale.at_ms,
        "currency": sale.currency,
        "lines": [
            {
                "line_no": line.line_no,
                "sku": line.sku,
                "gtin": line.gtin,
                "qty": line.qty,
                "scale": line.scale,
                "unit_price_minor": line.unit_price_minor,
                "gross_minor": line.gross_minor,
                "discount_minor": line.discount_minor,
                "net_minor": line.net_minor,
                "tax_code": line.tax_code,
                "tax_minor": line.tax_minor,
                "reason": line.reason,
            }
            for line in lines
        ],
        "tenders": [
            {
                "kind": tender.kind,
                "amount_minor": tender.amount_minor,
                "payment_id": tender.payment_id,
                "last4": tender.last4,
            }
            for tender in tenders
        ],
        "total_minor": sale.total_minor,
        "tax_minor": sale.tax_minor,
        "rounding_minor": sale.rounding_minor,
        "change_minor": sale.change_minor,
        "movements": movements,
    }


WRITES: dict[type[Command], Handler] = {CommitSale: commit_sale, VoidSale: void_sale}
