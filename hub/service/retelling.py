"""Writing movements again as an event tells them, after a restore."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from hub.contract.oms_events import Movement as ToldMovement
from hub.domain.errors import InsufficientStock
from hub.domain.stock import Bucket, Counterparty, Movement, MovementType, Place
from hub.service.ledger import Ledger
from hub.service.unit import Unit
from hub.storage import stockrows

log = logging.getLogger(__name__)


def recovered_id(event_id: str) -> str:
    """The id of the document under which an event's movements are written again."""
    return f"event:{event_id}"


def move_as_told(unit: Unit, ref_type: str, number: int, told: Sequence[ToldMovement]) -> None:
    """Write movements as they were told.  A level that can't be right any more (sales went on
    since the restore) goes below zero rather than lose what happened."""
    ledger = Ledger.of(unit, ref_type, number)
    used: dict[tuple[int, str], int] = {}
    for position, one in enumerate(told, start=1):
        kind = MovementType(one.type)
        movement = Movement(kind, _place(one.from_), _place(one.to), one.qty)
        named = one.ref_line or ""
        line = int(named) if named.isdigit() else position
        try:
            _once(ledger, one.sku, movement, line, used)
        except InsufficientStock:
            if movement.source is not Bucket.SELLABLE:
                raise
            short = one.qty - max(0, ledger.level(one.sku).levels.sellable)
            _below_zero(unit, ledger, one.sku, movement, line, used)
            log.warning("%s is %d short after taking back %s", one.sku, short, ref_type)
    ledger.finish()


def _once(
    ledger: Ledger, sku: str, movement: Movement, line: int, used: dict[tuple[int, str], int]
) -> None:
    key = (line, movement.type.value)
    n = used.get(key, 0)
    ledger.move(sku, movement, line, n)
    used[key] = n + 1


def _below_zero(
    unit: Unit,
    ledger: Ledger,
    sku: str,
    movement: Movement,
    line: int,
    used: dict[tuple[int, str], int],
) -> None:
    """Goods that left although the book has none: as an override, and counted."""
    if movement.target is Counterparty.CUSTOMER:
        override = Movement(
            MovementType.SALE_OVERRIDE, Bucket.SELLABLE, Counterparty.CUSTOMER, movement.qty
        )
        _once(ledger, sku, override, line, used)
    else:
        missing = movement.qty - max(0, ledger.level(sku).levels.sellable)
        found = Movement(MovementType.COUNT_ADJUST, Counterparty.SHRINK, Bucket.SELLABLE, missing)
        _once(ledger, sku, found, line, used)
        _once(ledger, sku, movement, line, used)
    stockrows.add_count_task(unit.tx, ledger.level(sku).sku_id, "short after a restore")


def _place(name: str) -> Place:
    return Bucket(name) if name in set(Bucket) else Counterparty(name)
