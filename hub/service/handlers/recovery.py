"""After a restore: taking the hub's own facts back in from the cloud.

The cloud holds what this database lost.  Each fact is written as it was (sale, void, return,
movements, day totals) and its event put back at its own place, as acked, so that nothing is sent
twice.  Everything is harmless when repeated.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from hub.contract.oms_events import (
    OUTBOX_PARKED,
    CloudEvent,
    DeviceRevoked,
    EventSource,
    Fact,
    Heads,
    ReturnCompleted,
    SaleCompleted,
    SaleVoided,
    StockCounted,
    movements_of,
    parse_data,
)
from hub.contract.problems import Refusal
from hub.domain.dayparts import business_day
from hub.domain.errors import DomainError
from hub.service.handlers import devices
from hub.service.internal import InternalCommand
from hub.service.notices import AckedMoved, HubChanged, SaleMade
from hub.service.retelling import move_as_told, recovered_id
from hub.service.unit import Unit
from hub.storage import catalogrows, devicerows, hubrow, relinkrows, salerows, stockrows
from hub.storage.outbox import OutboxRow
from hub.storage.salerows import ReturnLineRow, ReturnRow, SaleLineRow, SaleRow, TenderRow

log = logging.getLogger(__name__)

RECOVERED = b""
"""The hash of a row that came back: its request is not known any more."""
_RECEIPT = re.compile(r"(\d{3,9})-(\d{6,12})")


@dataclass(frozen=True, slots=True)
class RecoverEvents(InternalCommand):
    """A page of the hub's own facts, in the order the cloud took them."""

    events: tuple[CloudEvent, ...]
    times_ms: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recovered:
    """``applied``: written again; ``known``: were here; ``kept``: events without an effect on the
    shop's rows; ``failed``: could not be written, see the log."""

    applied: int = 0
    known: int = 0
    kept: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class FinishRecovery(InternalCommand):
    """All facts up to ``acked`` are back: lift the fence."""

    acked: Heads
    counts: Recovered


def recover_events(unit: Unit, command: RecoverEvents) -> Recovered:
    """See :class:`RecoverEvents`; one fact that can't be written doesn't hold up the others."""
    counts = {"applied": 0, "known": 0, "kept": 0, "failed": 0}
    own = hubrow.get(unit.tx).source_uri
    for event, at_ms in zip(command.events, command.times_ms, strict=True):
        if event.source == own:
            counts["known"] += 1
            continue
        try:
            with relinkrows.apart(unit.tx):
                counts[_recover(unit, event, at_ms)] += 1
        except (DomainError, Refusal, ValidationError, ValueError) as error:
            counts["failed"] += 1
            _put_back(unit, event, at_ms)
            log.error("%s %s can't be taken back in: %s", event.type, event.id, error)
            unit.note("recovery.failed", event.id, {"type": event.type, "why": str(error)[:200]})
    if counts["applied"]:
        unit.tell(SaleMade())
    return Recovered(**counts)


def _recover(unit: Unit, event: CloudEvent, at_ms: int) -> str:
    source = EventSource.parse(event.source)
    number = relinkrows.known_source(unit.tx, event.source, source.incarnation, source.fork)
    there = relinkrows.row_at(unit.tx, number, event.stream, event.seq)
    if event.seq <= relinkrows.head(unit.tx, number, event.stream)[0] and (
        there is None or there.event_id == event.id
    ):
        return "known"
    outbox_id = _put_back(unit, event, at_ms)
    return _apply(unit, event, parse_data(event), at_ms, outbox_id)


def _put_back(unit: Unit, event: CloudEvent, at_ms: int) -> int:
    source = EventSource.parse(event.source)
    number = relinkrows.known_source(unit.tx, event.source, source.incarnation, source.fork)
    data = json.dumps(event.data, separators=(",", ":"), ensure_ascii=False)
    row = OutboxRow(
        0,
        number,
        event.source,
        event.stream,
        event.seq,
        event.id,
        event.type,
        event.partitionkey,
        at_ms,
        data,
    )
    return relinkrows.put_back(unit.tx, row)


def _apply(unit: Unit, event: CloudEvent, fact: Fact, at_ms: int, outbox_id: int) -> str:
    match fact:
        case SaleCompleted():
            return _sale(unit, fact, outbox_id)
        case SaleVoided():
            return _void(unit, fact)
        case ReturnCompleted() if fact.sale_id is not None:
            return _return(unit, fact, fact.sale_id, at_ms, outbox_id)
        case StockCounted():
            return _document(unit, event, fact, fact.count_id)
        case DeviceRevoked():
            return _revoked(unit, fact)
        case _ if event.type != OUTBOX_PARKED and movements_of(fact):
            return _document(unit, event, fact, event.partitionkey)
        case _:
            return "kept"


def _revoked(unit: Unit, fact: DeviceRevoked) -> str:
    """A device that was shut out stays out."""
    device = devicerows.get(unit.tx, fact.device_id)
    if device is None or device.status == "revoked":
        return "known"
    devices.shut_out(unit, fact.device_id, fact.reason)
    return "applied"


# Sales -------------------------------------------------------------------------------------------


def _sale(unit: Unit, fact: SaleCompleted, outbox_id: int) -> str:
    tx = unit.tx
    if salerows.get(tx, fact.sale_id) is not None:
        return "known"
    number = salerows.add(
        tx,
        SaleRow(
            id=0,
            sale_id=fact.sale_id,
            hash=RECOVERED,
            state="completed",
            receipt_no=fact.receipt_no,
            device_id=fact.device_id,
            staff_id=fact.staff_id,
            business_day=fact.business_day,
            at_ms=fact.occurred_at_ms,
            currency=fact.currency,
            total_minor=fact.total_minor,
            tax_minor=fact.tax_minor,
            rounding_minor=fact.rounding_minor,
            change_minor=fact.change_minor,
            tax=_tax_stamp(unit, {line.tax_code for line in fact.lines}),
            outbox_id=outbox_id,
            note="",
        ),
    )
    salerows.add_lines(tx, number, [_line(unit, line) for line in fact.lines])
    tenders = [
        TenderRow(n, one.kind, one.amount_minor, one.payment_id, one.last4, None, None)
        for n, one in enumerate(fact.tenders, start=1)
    ]
    salerows.add_tenders(tx, number, tenders)
    move_as_told(unit, "sale", number, fact.movements)
    before_ms = salerows.day(tx, fact.business_day).last_at_ms
    salerows.add_to_day(tx, fact.business_day, sales=1, total_minor=fact.total_minor)
    relinkrows.set_last_sale_ms(tx, fact.business_day, fact.occurred_at_ms, before_ms)
    receipt = _RECEIPT.fullmatch(fact.receipt_no)
    if receipt:
        relinkrows.raise_receipt_count(tx, int(receipt[1]), int(receipt[2]))
    return "applied"


def _line(unit: Unit, line: Any) -> SaleLineRow:
    product = catalogrows.by_sku(unit.tx, line.sku, unit.now_ms)
    return SaleLineRow(
        line_no=line.line_no,
        sku=line.sku,
        gtin=line.gtin,
        name=product.name if product else line.sku,
        qty=line.qty,
        scale=line.scale,
        list_price_minor=line.unit_price_minor,
        unit_price_minor=line.unit_price_minor,
        gross_minor=line.gross_minor,
        discount_minor=line.discount_minor,
        net_minor=line.net_minor,
        tax_code=line.tax_code,
        tax_minor=line.tax_minor,
        reason=line.reason,
    )


def _tax_stamp(unit: Unit, codes: set[str]) -> str:
    """The event doesn't carry the tax policy: the one in force is the best there is."""
    policy, rates = catalogrows.taxes(unit.tx)
    known = {code: rates.get(code) for code in sorted(codes)}
    return json.dumps({"policy": policy, "rates": known}, separators=(",", ":"))


def _void(unit: Unit, fact: SaleVoided) -> str:
    sale = salerows.get(unit.tx, fact.sale_id)
    if sale is None:
        raise ValueError(f"the voided sale {fact.sale_id} is not here")
    if sale.state == "voided":
        return "known"
    salerows.mark_voided(unit.tx, sale.id, RECOVERED, fact.reason)
    move_as_told(unit, "void", sale.id, fact.movements)
    salerows.add_to_day(unit.tx, sale.business_day, voided=1, voided_minor=sale.total_minor)
    change = sale.change_minor
    for tender in salerows.tenders(unit.tx, sale.id):
        given = min(change, tender.amount_minor) if tender.kind == "cash" else 0
        change -= given
        salerows.set_refunded(unit.tx, sale.id, tender.n, tender.amount_minor - given)
    return "applied"


def _return(unit: Unit, fact: ReturnCompleted, sale_id: str, at_ms: int, outbox_id: int) -> str:
    tx = unit.tx
    if salerows.get_return(tx, fact.return_id) is not None:
        return "known"
    sale = salerows.get(tx, sale_id)
    if sale is None:
        raise ValueError(f"the sale {sale_id} of the return {fact.return_id} is not here")
    refund = [one.model_dump(exclude_none=True) for one in fact.tenders]
    row = ReturnRow(
        id=0,
        return_id=fact.return_id,
        hash=RECOVERED,
        sale=sale.id,
        sale_id=sale_id,
        total_minor=fact.total_minor,
        tax_minor=sum(line.tax_minor for line in fact.lines),
        refund=json.dumps(refund, separators=(",", ":")),
        at_ms=at_ms,
        outbox_id=outbox_id,
    )
    lines = [
        ReturnLineRow(
            line_no=n,
            sale_line=one.line_no,
            sku=one.sku,
            qty=one.qty,
            refund_minor=one.refund_minor,
            tax_minor=one.tax_minor,
            disposition=one.disposition,
            reason="recovered",
        )
        for n, one in enumerate(fact.lines, start=1)
    ]
    day = business_day(at_ms, unit.shop.zone, unit.shop.day_cutover_hour).isoformat()
    number = salerows.add_return(
        tx, row, lines, device_id=sale.device_id, staff_id=None, business_day=day
    )
    move_as_told(unit, "return", number, fact.movements)
    _give_back(unit, sale, fact)
    salerows.add_to_day(tx, day, returned_minor=fact.total_minor)
    return "applied"


def _give_back(unit: Unit, sale: SaleRow, fact: ReturnCompleted) -> None:
    """Count what came back against the sale's lines and tenders."""
    sold = {line.line_no: line for line in salerows.lines(unit.tx, sale.id)}
    returned = {number: (line.returned_qty, line.returned_minor) for number, line in sold.items()}
    for line in fact.lines:
        if line.line_no in returned:
            qty, minor = returned[line.line_no]
            returned[line.line_no] = (qty + line.qty, minor + line.refund_minor)
    for number, (qty, minor) in returned.items():
        salerows.set_returned(unit.tx, sale.id, number, qty, minor)
    tenders = salerows.tenders(unit.tx, sale.id)
    for paid_back in fact.tenders:
        for tender in tenders:
            if (tender.kind, tender.payment_id) == (paid_back.kind, paid_back.payment_id):
                refunded = tender.refunded_minor + paid_back.amount_minor
                salerows.set_refunded(unit.tx, sale.id, tender.n, refunded)
                break


# Stock -------------------------------------------------------------------------------------------


def _document(unit: Unit, event: CloudEvent, fact: Fact, document_id: str) -> str:
    """Receipts, adjustments, counts and whatever else moved goods; once per event."""
    own_id = recovered_id(fact.original_id or event.id)  # however often it was sent anew
    for known_id in (own_id, document_id):
        known = stockrows.document(unit.tx, known_id)
        if known is not None and (known_id == own_id or _is_booked(unit, known.kind, known)):
            return "known"
    number = stockrows.add_document(
        unit.tx,
        document_id=own_id,
        kind="recovered",
        body_hash=RECOVERED,
        device_id="cloud:oms",
        staff_id=None,
        reference=document_id,
        data=json.dumps({"type": event.type} | _counted(fact)),
    )
    move_as_told(unit, "recovered", number, movements_of(fact))
    return "applied"


def _counted(fact: Fact) -> dict[str, Any]:
    """What a count's device is told when it offers the count again."""
    lines = fact.lines if isinstance(fact, StockCounted) else ()
    return lines[0].model_dump(mode="json") if lines else {}


def _is_booked(unit: Unit, kind: str, document: stockrows.DocumentRow) -> bool:
    """Booked here again under its own id, by whoever offered it again."""
    if kind == "count":
        return bool(json.loads(document.data).get("closed"))
    return bool(stockrows.movements_of(unit.tx, kind, document.id, limit=1))


# The end -----------------------------------------------------------------------------------------


def finish_recovery(unit: Unit, command: FinishRecovery) -> None:
    """See :class:`FinishRecovery`.  Every stream the cloud knows is known here from now on."""
    hub = hubrow.get(unit.tx)
    for uri, streams in command.acked.items():
        if uri == hub.source_uri:
            continue
        source = EventSource.parse(uri)
        number = relinkrows.known_source(unit.tx, uri, source.incarnation, source.fork)
        for stream, seq in streams.items():
            if seq > relinkrows.head(unit.tx, number, stream)[0]:
                relinkrows.raise_head(unit.tx, number, stream, seq)
    if hub.fence == "restored":
        hubrow.set_fence(unit.tx, "")
    counts = command.counts
    unit.note(
        "recovery.finished",
        hub.hub_id,
        {"applied": counts.applied, "known": counts.known, "failed": counts.failed},
    )
    unit.tell(HubChanged())
    unit.tell(AckedMoved())


INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    RecoverEvents: recover_events,
    FinishRecovery: finish_recovery,
}
