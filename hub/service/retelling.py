"""Writing movements again as an event tells them, after a restore."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from hub.contract.oms_events import STOCK_MOVED
from hub.contract.oms_events import Movement as ToldMovement
from hub.domain.errors import InsufficientStock
from hub.domain.stock import Bucket, Counterparty, Movement, MovementType, Place
from hub.service.ledger import Ledger
from hub.service.unit import Unit
from hub.storage import hubrow, stockrows

log = logging.getLogger(__name__)

SHORT = "short after a restore"


def recovered_id(event_id: str) -> str:
    """The id of the document under which an event's movements are written again."""
    return f"event:{event_id}"


def move_as_told(unit: Unit, ref_type: str, number: int, told: Sequence[ToldMovement]) -> None:
    """Write movements as they were told.  A level that can't be right any more (sales went on
    since the restore) goes below zero rather than lose what happened; where only a sale may take it
    there, what the book lacks is found first, and the cloud told of it."""
    ledger = Ledger.of(unit, ref_type, number)
    used: dict[tuple[int, str], int] = {}
    found: list[int] = []
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
            found += _below_zero(unit, ledger, one.sku, movement, line, used)
            log.warning("%s is %d short after taking back %s", one.sku, short, ref_type)
    moved = ledger.finish()
    if found:
        key = ("found", ref_type, str(number), hubrow.get(unit.tx).source_uri)
        unit.emit_aside(
            "stock",
            STOCK_MOVED,
            unit.event_id(STOCK_MOVED, *key),
            {"movements": [one for one in moved if one["seq"] in found], "reason": SHORT},
            *key,
        )


def _once(
    ledger: Ledger, sku: str, movement: Movement, line: int, used: dict[tuple[int, str], int]
) -> int:
    key = (line, movement.type.value)
    n = used.get(key, 0)
    used[key] = n + 1
    return ledger.move(sku, movement, line, n)


def _below_zero(
    unit: Unit,
    ledger: Ledger,
    sku: str,
    movement: Movement,
    line: int,
    used: dict[tuple[int, str], int],
) -> list[int]:
    """Goods that left although the book has none: as an override, and counted.

    The ledger's sequence numbers of what had to be found first.
    """
    found: list[int] = []
    if movement.target is Counterparty.CUSTOMER:
        override = Movement(
            MovementType.SALE_OVERRIDE, Bucket.SELLABLE, Counterparty.CUSTOMER, movement.qty
        )
        _once(ledger, sku, override, line, used)
    else:
        missing = movement.qty - max(0, ledger.level(sku).levels.sellable)
        back = Movement(MovementType.COUNT_ADJUST, Counterparty.SHRINK, Bucket.SELLABLE, missing)
        found.append(_once(ledger, sku, back, line, used))
        _once(ledger, sku, movement, line, used)
    stockrows.add_count_task(unit.tx, ledger.level(sku).sku_id, SHORT)
    return found


def _place(name: str) -> Place:
    return Bucket(name) if name in set(Bucket) else Counterparty(name)
