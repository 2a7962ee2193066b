"""Levels, goods received, adjustments and counts."""

from __future__ import annotations

import json
from typing import Any

from hub.contract.base import Command
from hub.contract.oms_events import STOCK_COUNTED, STOCK_MOVED
from hub.contract.problems import Code, refuse
from hub.contract.stock import (
    AdjustStock,
    CloseCount,
    CountClosed,
    CountOpened,
    GetLevels,
    Levels,
    OpenCount,
    ReceiveStock,
    StockBooked,
)
from hub.domain.staff import Permission
from hub.domain.stock import (
    Bucket,
    Counterparty,
    Movement,
    MovementType,
    count_movement,
    count_variance,
)
from hub.service import permits
from hub.service.gate import Handler, Reader, ReadUnit
from hub.service.handlers.catalog import level_of, levels_of
from hub.service.ledger import Ledger
from hub.service.retelling import recovered_id
from hub.service.unit import Unit, canonical
from hub.storage import catalogrows, stockrows
from hub.storage.stockrows import DocumentRow, LevelRow


def get_levels(unit: ReadUnit, query: GetLevels) -> Levels:
    """Levels in the order asked."""
    return Levels(levels=tuple(levels_of(unit.rows, query.skus)))


def receive_stock(unit: Unit, command: ReceiveStock) -> StockBooked:
    """Book a delivery."""
    skus = tuple(dict.fromkeys(line.sku for line in command.lines))
    if _known(unit, command, command.receipt_id, "receipt"):
        return _booked(unit, skus)
    permits.need(unit, Permission.STOCK_RECEIVE)
    _check_products(unit, skus)
    number = _add_document(unit, command, command.receipt_id, "receipt", command.reference, "{}")
    ledger = Ledger.of(unit, "receipt", number)
    for line_no, line in enumerate(command.lines, start=1):
        movement = Movement(MovementType.RECEIVE, Counterparty.SUPPLIER, Bucket.SELLABLE, line.qty)
        ledger.move(line.sku, movement, line_no)
    _emit_moved(unit, ledger, command.receipt_id, command.reference)
    return _booked(unit, skus)


def adjust_stock(unit: Unit, command: AdjustStock) -> StockBooked:
    """Correct a level by a difference."""
    if _known(unit, command, command.adjustment_id, "adjustment"):
        return _booked(unit, (command.sku,))
    permits.need(unit, Permission.STOCK_ADJUST)
    _check_products(unit, (command.sku,))
    if command.bucket not in set(Bucket):
        raise refuse(
            Code.VALIDATION, f"{command.bucket} is no bucket; there are {', '.join(Bucket)}."
        )
    movement = count_movement(Bucket(command.bucket), command.qty)
    if movement is None:
        raise refuse(Code.VALIDATION, "An adjustment by 0 changes nothing: give the difference.")
    number = _add_document(unit, command, command.adjustment_id, "adjustment", command.reason, "{}")
    ledger = Ledger.of(unit, "adjustment", number)
    ledger.move(command.sku, movement, 1)
    _emit_moved(unit, ledger, command.adjustment_id, command.reason)
    unit.note(
        "stock.adjusted",
        command.sku,
        {"qty": command.qty, "bucket": command.bucket, "reason": command.reason},
    )
    return _booked(unit, (command.sku,))


def open_count(unit: Unit, command: OpenCount) -> CountOpened:
    """Begin a blind count; the book's quantity is not told."""
    known = stockrows.document(unit.tx, command.count_id)
    if known is None and (told := _recovered(unit, STOCK_COUNTED, command.count_id)):
        seq = told.get("ledger_seq", 0)
        return CountOpened(count_id=command.count_id, sku=command.sku, ledger_seq=seq)
    if known is None:
        permits.need(unit, Permission.STOCK_COUNT)
        _check_products(unit, (command.sku,))
        seq = stockrows.ledger_head(unit.tx)[0]
        data = canonical({"sku": command.sku, "ledger_seq": seq, "closed": False})
        _add_document(unit, command, command.count_id, "count", command.sku, data)
        return CountOpened(count_id=command.count_id, sku=command.sku, ledger_seq=seq)
    _check_same(unit, known, "count")
    begun = json.loads(known.data)
    return CountOpened(count_id=command.count_id, sku=begun["sku"], ledger_seq=begun["ledger_seq"])


def close_count(unit: Unit, command: CloseCount) -> CountClosed:
    """End a count against the book at its beginning, and book the variance."""
    if told := _recovered(unit, STOCK_COUNTED, command.count_id):
        return _closed_before(unit, command, told)
    permits.need(unit, Permission.STOCK_COUNT)
    document = stockrows.document(unit.tx, command.count_id)
    if document is None or document.kind != "count":
        raise refuse(Code.NOT_FOUND, "There is no such count: begin one (stock/open-count).")
    count = json.loads(document.data)
    if count["closed"]:
        raise refuse(Code.CONFLICT, "This count is closed already: begin another one.")
    sku: str = count["sku"]
    ledger = Ledger.of(unit, "count", document.id)
    book = _book_at(unit, ledger.level(sku), count["ledger_seq"])
    variance = count_variance(command.counted_qty, book)
    movement = count_movement(Bucket.SELLABLE, variance)
    if movement is not None:
        ledger.move(sku, movement, 1)
    stockrows.clear_count_task(unit.tx, ledger.level(sku).sku_id)
    closed = count | {"closed": True, "counted_qty": command.counted_qty, "book_qty": book}
    stockrows.set_document_data(unit.tx, document.id, canonical(closed))
    unit.emit(
        "stock",
        STOCK_COUNTED,
        sku,
        {
            "count_id": command.count_id,
            "staff_id": unit.staff_id,
            "lines": [
                {
                    "sku": sku,
                    "bucket": "sellable",
                    "counted_qty": command.counted_qty,
                    "book_qty": book,
                    "variance_qty": variance,
                    "ledger_seq": count["ledger_seq"],
                }
            ],
            "movements": ledger.finish(),
        },
        command.count_id,
    )
    unit.note("stock.counted", sku, {"counted": command.counted_qty, "variance": variance})
    return CountClosed(
        count_id=command.count_id,
        sku=sku,
        counted_qty=command.counted_qty,
        variance_qty=variance,
        level=level_of(unit.tx, sku),
    )


def _closed_before(unit: Unit, command: CloseCount, told: dict[str, Any]) -> CountClosed:
    """The answer to a count whose end came back from the cloud.  Errors: ``conflict``."""
    if told.get("counted_qty") != command.counted_qty:
        raise refuse(Code.CONFLICT, "This count is closed already: begin another one.")
    unit.cover_all()
    return CountClosed(
        count_id=command.count_id,
        sku=told["sku"],
        counted_qty=command.counted_qty,
        variance_qty=told["variance_qty"],
        level=level_of(unit.tx, told["sku"]),
    )


def _book_at(unit: Unit, level: LevelRow, ledger_seq: int) -> int:
    """What the book said of ``sellable`` when the ledger stood at ``ledger_seq``."""
    qty = level.levels.sellable
    for row in stockrows.product_ledger(unit.tx, level.last_seq, down_to=ledger_seq):
        qty -= row.qty * ((row.dst == Bucket.SELLABLE) - (row.src == Bucket.SELLABLE))
    return qty


def _known(unit: Unit, command: Command, document_id: str, kind: str) -> bool:
    """Whether this very document is booked already.  Errors: ``conflict`` for another one."""
    known = stockrows.document(unit.tx, document_id)
    if known is None and _recovered(unit, STOCK_MOVED, document_id) is None:
        return False
    if known is not None:
        _check_same(unit, known, kind)
    unit.cover_all()
    return True


def _recovered(unit: Unit, type_: str, document_id: str) -> dict[str, Any] | None:
    """What came back from the cloud about a document of this hub, after a restore."""
    known = stockrows.document(unit.tx, recovered_id(unit.event_id(type_, document_id)))
    return None if known is None else json.loads(known.data)


def _check_same(unit: Unit, known: DocumentRow, kind: str) -> None:
    if known.kind != kind or known.hash != unit.body_hash:
        raise refuse(Code.CONFLICT, "This id belongs to another document: make a fresh one.")


def _check_products(unit: Unit, skus: tuple[str, ...]) -> None:
    for sku in skus:
        if catalogrows.by_sku(unit.tx, sku, unit.now_ms) is None:
            raise refuse(Code.NOT_FOUND, f"There is no product {sku} in the catalogue.", sku=sku)


def _add_document(
    unit: Unit, command: Command, document_id: str, kind: str, reference: str, data: str
) -> int:
    return stockrows.add_document(
        unit.tx,
        document_id=document_id,
        kind=kind,
        body_hash=unit.body_hash,
        device_id=unit.caller.key,
        staff_id=unit.staff_id,
        reference=reference,
        data=data,
    )


def _emit_moved(unit: Unit, ledger: Ledger, document_id: str, reason: str) -> None:
    movements = ledger.finish()
    unit.emit(
        "stock", STOCK_MOVED, document_id, {"movements": movements, "reason": reason}, document_id
    )


def _booked(unit: Unit, skus: tuple[str, ...]) -> StockBooked:
    return StockBooked(levels=tuple(levels_of(unit.tx, skus)))


WRITES: dict[type[Command], Handler] = {
    ReceiveStock: receive_stock,
    AdjustStock: adjust_stock,
    OpenCount: open_count,
    CloseCount: close_count,
}
READS: dict[type[Command], Reader] = {GetLevels: get_levels}
