"""What the cloud's commands do to an order, in the transaction that moves their cursor.

Everything is harmless when it is repeated or comes late: a command whose version is known already
changes nothing.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import replace
from typing import Any, Final

from hub.contract.oms import Command as CloudCommand
from hub.contract.oms_envelope import MAX_INTEGER
from hub.contract.oms_events import FulfilmentMoved
from hub.contract.oms_orders import (
    FULFILMENT_FACTS,
    MAX_OPEN_ORDERS,
    ORDER_COMMANDS,
    OpenOrder,
    OrderAssigned,
    OrderCancelled,
    OrderChanged,
    OrderCommand,
)
from hub.contract.screening import screen
from hub.domain import cards
from hub.domain.errors import Conflict, DomainError
from hub.domain.orders import (
    CLOSED,
    GONE,
    TOLD,
    Covered,
    OrderEvent,
    OrderKind,
    OrderState,
    Wanted,
    advance,
)
from hub.domain.stock import Bucket, Counterparty, Movement, MovementType
from hub.service import clouddata
from hub.service.ledger import Ledger
from hub.service.orders import HEAD_COSTS, LINES_AT_ONCE, book, longover, shortages
from hub.service.unit import Unit
from hub.storage import hubrow, orderrows, relinkrows, stockrows
from hub.storage.orderrows import LineRow, OrderRow

log = logging.getLogger(__name__)

REFILLED_AT_ONCE: Final = 50
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
DONE: Final = ("done", "")
_WHOLE: Final = frozenset({"number", "kind", "placed_at_ms", "lines"})
_ENDS: Final = {
    OrderEvent.TOLD_HANDED_OVER: OrderState.HANDED_OVER,
    OrderEvent.TOLD_SHIPPED: OrderState.SHIPPED,
    OrderEvent.EXPIRE: OrderState.EXPIRED,
    OrderEvent.RESTOCK: OrderState.RESTOCKED,
    OrderEvent.CANCEL: OrderState.CANCELLED,
}
_LEAVES: Final = {
    OrderState.HANDED_OVER: MovementType.HANDOVER,
    OrderState.SHIPPED: MovementType.SHIP,
}


def told(unit: Unit, one: CloudCommand) -> tuple[str, str]:
    """Carry a command out: ``(outcome, remark)``.  Errors: ValueError, DomainError."""
    asked = clouddata.read(ORDER_COMMANDS[one.type], one.data)
    screen(asked)
    row = orderrows.get(unit.tx, asked.order_id)
    if row is not None and asked.version <= row.version:
        return "done", f"version {row.version} is known already"
    if row is None:
        remark = longover.is_told(unit, asked.order_id, asked.version, _end_told(asked))
        if remark is not None:
            return "done", remark
    match asked:
        case OrderAssigned():
            _assigned(unit, row, asked)
        case OrderChanged():
            _changed(unit, row, asked)
        case OrderCancelled():
            _cancelled(unit, row, asked)
    return DONE


def refused(unit: Unit, one: CloudCommand, why: str) -> None:
    """A command couldn't be carried out: an order that isn't here for it was not taken in."""
    order_id, version = one.data.get("order_id"), one.data.get("version")
    if one.type == "order.cancelled" or not isinstance(order_id, str):
        return
    if one.type == "order.changed" and _WHOLE - one.data.keys():
        return  # what it changes may still come
    if _ID.fullmatch(order_id) is None or cards.find_in_reference(order_id) is not None:
        return
    known = longover.known_version(unit.tx, order_id)
    if hubrow.get(unit.tx).fence == "superseded" or known is not None:
        return
    data = {
        "order_id": order_id,
        "version": version if type(version) is int and 0 <= version <= MAX_INTEGER else 0,
        "state": OrderState.REJECTED.value,
        "why": cards.mask(why),
        "occurred_at_ms": unit.now_ms,
    }
    key = (order_id, one.id, str(unit.now_ms))
    unit.emit_aside("orders", FULFILMENT_FACTS["rejected"], order_id, data, *key)


def _end_told(asked: OrderCommand) -> OrderState | None:
    """How an order ended, if the command says nothing else of it."""
    if isinstance(asked, OrderCancelled):
        return OrderState.CANCELLED
    if isinstance(asked, OrderChanged) and asked.state is not None and asked.lines is None:
        return _ENDS.get(TOLD[asked.state])
    return None


# Taking in ---------------------------------------------------------------------------------------


def _assigned(unit: Unit, row: OrderRow | None, asked: OrderAssigned) -> None:
    if row is None:
        _take_in(unit, asked)
        return
    row = replace(row, promised_at_ms=asked.promised_at_ms)
    fields = asked.model_dump(exclude={"lines"})
    _renew(unit, row, OrderChanged(**fields, lines=asked.lines))


def _take_in(unit: Unit, asked: OrderAssigned) -> OrderRow:
    if orderrows.open_count(unit.tx, MAX_OPEN_ORDERS) >= MAX_OPEN_ORDERS:
        raise Conflict(f"{MAX_OPEN_ORDERS} orders are open in this shop: no more are taken in.")
    kind = OrderKind(asked.kind)
    row = orderrows.add(
        unit.tx,
        OrderRow(
            id=0,
            order_id=asked.order_id,
            version=asked.version,
            number=asked.number,
            part=asked.part,
            kind=kind.value,
            state=advance(kind, OrderState.ASSIGNED, OrderEvent.ACCEPT).value,
            short_lines=0,
            placed_at_ms=asked.placed_at_ms,
            promised_at_ms=asked.promised_at_ms,
            taken_at_ms=unit.now_ms,
            changed_at_ms=unit.now_ms,
            ended_at_ms=None,
            told=0,
            customer_name=asked.customer_name,
            note=asked.note,
        ),
    )
    orderrows.add_step(unit.tx, row.id, "accepted")
    return _reserve(unit, row, _wanted(asked))


def _wanted(asked: OrderAssigned | OrderChanged) -> list[Wanted]:
    lines = sorted(asked.lines or (), key=lambda line: line.line_no)
    return [Wanted(line.line_no, line.sku, line.qty) for line in lines]


def _reserve(unit: Unit, row: OrderRow, lines: list[Wanted]) -> OrderRow:
    ledger = book.new_ledger(unit, row)
    covered = book.reserve(unit, ledger, row, lines)
    ledger.finish()
    return book.cover_again(unit, row, covered)


# Changing ----------------------------------------------------------------------------------------


def _changed(unit: Unit, row: OrderRow | None, asked: OrderChanged) -> None:
    if row is None:
        whole = asked.model_dump(exclude={"state"}, exclude_none=True)
        if _WHOLE - whole.keys():
            raise Conflict("This order isn't known here: send order.assigned.")
        row = _take_in(unit, OrderAssigned(**whole))
        asked = OrderChanged(order_id=asked.order_id, version=asked.version, state=asked.state)
        if asked.state is None:
            return
    _renew(unit, row, asked)


def _renew(unit: Unit, row: OrderRow, asked: OrderChanged) -> None:
    if row.ended_at_ms is not None and (asked.state is None or asked.lines is not None):
        raise Conflict(f"Order {row.number} has ended ({row.state}): it can't be changed any more.")
    given = asked.model_dump(exclude={"order_id", "lines", "state"}, exclude_none=True)
    if row.ended_at_ms is not None:
        given = {"version": asked.version}
    row = replace(row, **given, changed_at_ms=unit.now_ms)
    orderrows.save(unit.tx, row)
    if asked.lines is not None:
        orderrows.add_step(unit.tx, row.id, "changed")
        row = _reserve(unit, row, _wanted(asked))
    if asked.state is not None:
        _become(unit, row, TOLD[asked.state])
    elif asked.lines is None:
        orderrows.add_step(unit.tx, row.id, "changed")
        book.announce(unit, row)


def _become(unit: Unit, row: OrderRow, event: OrderEvent, why: str = "") -> None:
    """The step, and what it does to reservations and goods.  Errors: ``conflict``."""
    if _ENDS.get(event) == row.state:
        orderrows.save(unit.tx, row)  # told again
        return
    after = advance(OrderKind(row.kind), OrderState(row.state), event)
    orderrows.add_step(unit.tx, row.id, after.value, why)
    if after in GONE:
        _give_out(unit, row, after)
        return
    if after in (OrderState.CANCELLED, OrderState.EXPIRED):
        ledger = book.new_ledger(unit, row)
        book.release(unit, ledger, row)
        ledger.finish()
        book.tell(unit, book.end(unit, row, after), after.value, why=why)
        return
    row = replace(row, state=after.value, changed_at_ms=unit.now_ms)
    orderrows.save(unit.tx, row)
    book.announce(unit, row)


def _cancelled(unit: Unit, row: OrderRow | None, asked: OrderCancelled) -> None:
    if row is not None:
        row = replace(row, version=asked.version)
        _become(unit, row, OrderEvent.CANCEL, asked.reason)
        return
    state = OrderState.CANCELLED
    row = _ended(unit, asked.order_id, asked.version, OrderKind.PICKUP, state)
    orderrows.add_step(unit.tx, row.id, "cancelled", asked.reason)
    book.tell(unit, row, "cancelled", why=asked.reason)


def _ended(unit: Unit, order_id: str, version: int, kind: OrderKind, state: OrderState) -> OrderRow:
    """An order of which nothing but its end is known here, so that nothing older takes it in."""
    return orderrows.add(
        unit.tx,
        OrderRow(
            id=0,
            order_id=order_id,
            version=version,
            number=order_id[:40],
            part="",
            kind=kind.value,
            state=state.value,
            short_lines=0,
            placed_at_ms=unit.now_ms,
            promised_at_ms=None,
            taken_at_ms=unit.now_ms,
            changed_at_ms=unit.now_ms,
            ended_at_ms=unit.now_ms,
            told=0,
            customer_name="",
            note="",
        ),
    )


# Goods leave -------------------------------------------------------------------------------------


def _give_out(unit: Unit, row: OrderRow, after: OrderState) -> None:
    """The goods have left: out of the shelf as far as the book has them, the reservation with them.

    What the book lacks is counted: a person has given out what it says isn't there.
    """
    ledger = book.new_ledger(unit, row)
    had = orderrows.reserved(unit.tx, row.order_id)
    book.release(unit, ledger, row)
    lines = orderrows.lines(unit.tx, row.id)
    given = _move(unit, ledger, row, lines, _LEAVES[after])
    gone = Counter[str]()
    for line in lines:
        gone[line.sku] += given[line.line_no]
    for sku, qty in gone.items():
        if sku not in had or qty > had[sku][1]:  # it may have been somebody else's
            shortages.report(unit, ledger, sku, row.order_id)
    movements = ledger.finish()
    ended = book.end(unit, row, after, list(given.items()))
    book.tell(unit, ended, after.value, movements=movements)


def _move(
    unit: Unit, ledger: Ledger, row: OrderRow, lines: list[LineRow], kind: MovementType
) -> dict[int, int]:
    """Line → the quantity that the book could give."""
    given: dict[int, int] = {}
    missing = Counter[str]()
    for line in lines:
        qty = min(line.qty, max(0, ledger.level(line.sku).levels.sellable))
        missing[line.sku] += line.qty - qty
        given[line.line_no] = qty
        if qty:
            movement = Movement(kind, Bucket.SELLABLE, Counterparty.CUSTOMER, qty)
            ledger.move(line.sku, movement, line.line_no)
    for sku, qty in missing.items():
        if qty:
            log.warning("order %s took %d more of %s than the book has", row.order_id, qty, sku)
            reason = f"order {row.number} took {qty} more than the book had"
            stockrows.add_count_task(unit.tx, ledger.level(sku).sku_id, reason)
    return given


# By itself ---------------------------------------------------------------------------------------


def look_again(unit: Unit) -> int:
    """Reserve what has come for orders that lack it, the earliest promise first, and take from the
    newest what isn't there any more; a bounded number, and how many."""
    if hubrow.source_and_fence(unit.tx)[1] == "restored":
        return 0  # what the cloud knows of orders and goods comes first
    left, done = LINES_AT_ONCE, 0
    for sku, last_seq in stockrows.overreserved(unit.tx, REFILLED_AT_ONCE):
        if left <= 0:
            return done
        ledger = Ledger.of(unit, "order")
        ref = f"book:{last_seq}:{unit.now_ms}:{ledger.level(sku).levels.reserved}"
        left -= shortages.report(unit, ledger, sku, ref, lines_at_most=left)
        ledger.finish()
        done += 1
    for order_id in orderrows.refillable(unit.tx, REFILLED_AT_ONCE):
        if left <= 0:
            return done
        row = orderrows.get(unit.tx, order_id)
        assert row is not None
        wanted = book.wanted_of(unit, row)
        _reserve(unit, row, wanted)
        left -= HEAD_COSTS + len(wanted)
        done += 1
    return done


# After a restore ---------------------------------------------------------------------------------


def take_back(unit: Unit, fact: FulfilmentMoved) -> None:
    """What this hub told of an order's end before it was put back; its goods have moved already."""
    if fact.state not in CLOSED or fact.state == OrderState.REJECTED:
        return
    after = OrderState(fact.state)
    row = orderrows.get(unit.tx, fact.order_id)
    if row is None:
        if longover.known_version(unit.tx, fact.order_id) is not None:
            return
        kind = OrderKind.SHIP if after is OrderState.SHIPPED else OrderKind.PICKUP
        row = _ended(unit, fact.order_id, fact.version, kind, after)
        lines = [Covered(one.line_no, one.sku, one.qty, one.qty) for one in fact.lines]
        orderrows.put_lines(unit.tx, row.id, lines)
    elif row.ended_at_ms is not None and fact.version <= row.version:
        return
    ledger = book.new_ledger(unit, row)
    book.release(unit, ledger, row)
    ledger.finish()
    orderrows.add_step(unit.tx, row.id, after.value, fact.why[:200])
    gone = [(one.line_no, one.gone_qty) for one in fact.lines]
    row = book.end(unit, replace(row, version=max(row.version, fact.version)), after, gone)
    orderrows.save(unit.tx, row)
    book.announce(unit, row)


def take_open(unit: Unit, orders: tuple[OpenOrder, ...]) -> int:
    """Take in what the cloud says is open, as far as it isn't known; how many were new."""
    new = 0
    for one in orders:
        known = longover.known_version(unit.tx, one.order_id)
        if one.version < 1 or (known is not None and known >= one.version):
            continue
        try:
            with relinkrows.apart(unit.tx):
                _take_open(unit, one)
        except (DomainError, ValueError) as error:
            unit.undo()
            log.warning("open order %s isn't taken in: %s", cards.mask(one.order_id), error)
            continue
        new += 1
    return new


def _take_open(unit: Unit, one: OpenOrder) -> None:
    data: dict[str, Any] = one.model_dump(exclude={"state"}, exclude_none=True)
    asked = clouddata.read(OrderAssigned, data | {"number": one.number or one.order_id[:40]})
    screen(asked)
    known = orderrows.get(unit.tx, one.order_id)
    if known is None:
        longover.is_told(unit, one.order_id, one.version, None)
    _assigned(unit, known, asked)
    row = orderrows.get(unit.tx, one.order_id)
    if one.state == OrderState.READY and row is not None and row.ended_at_ms is None:
        _become(unit, row, OrderEvent.TOLD_READY)
