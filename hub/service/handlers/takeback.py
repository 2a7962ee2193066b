"""Writing a fact again that this database lost: from the cloud's log, or from a device's record.

Sales, voids and returns are known by their ids, other documents by their own id or by their
event's: whatever comes twice is written once.  Nothing is judged; it has happened.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.contract.oms_events import (
    OUTBOX_PARKED,
    FulfilmentMoved,
    ReturnCompleted,
    SaleCompleted,
    SaleVoided,
    StockCounted,
    StockMoved,
    movements_of,
)
from hub.contract.oms_facts import Fact
from hub.contract.oms_payment_events import PaymentMoved
from hub.domain.dayparts import business_day
from hub.service.orders import commands as orders
from hub.service.payments import book, claims, credits
from hub.service.retelling import move_as_told, recovered_id
from hub.service.unit import Unit, canonical
from hub.storage import catalogrows, relinkrows, salerows, stockrows
from hub.storage.outbox import Emitted
from hub.storage.salerows import ReturnLineRow, ReturnRow, SaleLineRow, SaleRow, TenderRow

log = logging.getLogger(__name__)

RECOVERED = b""
"""The hash of a row that came back from the cloud: its request is not known any more."""
_RECEIPT = re.compile(r"(\d{3,9})-(\d{6,12})")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a fact comes from.

    ``outbox_id``: its event here; ``hash``: its request's.  ``device_id`` and ``staff_id`` where
    the fact doesn't say; ``request``: the request's fields that the event leaves out.
    """

    event: Emitted
    outbox_id: int
    hash: bytes = RECOVERED
    device_id: str | None = None
    request: dict[str, Any] = field(default_factory=dict)

    @property
    def at_ms(self) -> int:
        return self.event.at_ms


def is_known(unit: Unit, event: Emitted, fact: Fact) -> bool | None:
    """Whether the fact is here; None for one without an effect on the shop's rows."""
    match fact:
        case SaleCompleted():
            return salerows.get(unit.tx, fact.sale_id) is not None
        case SaleVoided():
            sale = salerows.get(unit.tx, fact.sale_id)
            return sale is not None and sale.state == "voided"
        case ReturnCompleted() if fact.sale_id is not None:
            return salerows.get_return(unit.tx, fact.return_id) is not None
        case PaymentMoved():
            return book.is_told(unit, fact)
        case _ if (document_id := _document_id(event, fact)) is not None:
            return _is_document_known(unit, event, fact, document_id)
        case _:
            return None


def clashes(unit: Unit, event: Emitted, fact: Fact, body_hash: bytes) -> bool:
    """Whether what is known under the fact's id came of another request."""
    row: SaleRow | ReturnRow | stockrows.DocumentRow | None = None
    match fact:
        case SaleCompleted():
            row = salerows.get(unit.tx, fact.sale_id)
        case ReturnCompleted():
            row = salerows.get_return(unit.tx, fact.return_id)
        case StockMoved():
            row = stockrows.document(unit.tx, event.aggregate)
        case _:
            pass
    return row is not None and row.hash not in (RECOVERED, body_hash)


def missing_sale(unit: Unit, fact: Fact) -> str | None:
    """The id of the sale that a void or return is about, if it isn't here."""
    match fact:
        case SaleVoided() | ReturnCompleted() if fact.sale_id is not None:
            return None if salerows.get(unit.tx, fact.sale_id) is not None else fact.sale_id
        case _:
            return None


def take(unit: Unit, fact: Fact, origin: Origin) -> str:
    """Write it: ``applied``, ``known``, or ``kept`` when it has no effect on the shop's rows.

    Errors: ``ValueError`` when the sale that it is about isn't here.
    """
    known = is_known(unit, origin.event, fact)
    if known is None:
        if isinstance(fact, FulfilmentMoved):
            orders.take_back(unit, fact)
        return "kept"
    if known:
        return "known"
    if (sale_id := missing_sale(unit, fact)) is not None:
        raise ValueError(f"the sale {sale_id} is not here")
    match fact:
        case SaleCompleted():
            _sale(unit, fact, origin)
        case SaleVoided():
            _void(unit, fact, origin)
        case ReturnCompleted():
            _return(unit, fact, origin)
        case PaymentMoved():
            claims.retake(unit, fact)
        case _:
            _document(unit, fact, origin)
            if isinstance(fact, FulfilmentMoved):
                orders.take_back(unit, fact)
    return "applied"


# Sales -------------------------------------------------------------------------------------------


def _sale(unit: Unit, fact: SaleCompleted, origin: Origin) -> None:
    tx = unit.tx
    number = salerows.add(
        tx,
        SaleRow(
            id=0,
            sale_id=fact.sale_id,
            hash=origin.hash,
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
            outbox_id=origin.outbox_id,
            note=origin.request.get("note", ""),
        ),
    )
    salerows.add_lines(tx, number, [_line(unit, line) for line in fact.lines])
    tenders = _tenders(unit, fact, origin.request.get("tenders", ()))
    salerows.add_tenders(tx, number, tenders)
    claims.joined(unit, fact.sale_id, [one.payment_id for one in tenders])
    move_as_told(unit, "sale", number, fact.movements)
    before_ms = salerows.day(tx, fact.business_day).last_at_ms
    salerows.add_to_day(tx, fact.business_day, sales=1, total_minor=fact.total_minor)
    relinkrows.set_last_sale_ms(tx, fact.business_day, fact.occurred_at_ms, before_ms)
    receipt = _RECEIPT.fullmatch(fact.receipt_no)
    if receipt:
        relinkrows.raise_receipt_count(tx, int(receipt[1]), int(receipt[2]))


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


def _tenders(unit: Unit, fact: SaleCompleted, asked: Sequence[dict[str, Any]]) -> list[TenderRow]:
    rows = []
    for n, one in enumerate(fact.tenders, start=1):
        more = asked[n - 1] if len(asked) == len(fact.tenders) else {}
        payment_id = one.payment_id
        if payment_id is not None:
            other = salerows.sale_of_payment(unit.tx, payment_id)
            if other is not None:  # since the restore another sale was let have it
                unit.note("payment.of_two_sales", payment_id, {"sales": [other, fact.sale_id]})
                payment_id = None
        token, approval_code = more.get("token"), more.get("approval_code")
        rows.append(
            TenderRow(n, one.kind, one.amount_minor, payment_id, one.last4, token, approval_code)
        )
    return rows


def _tax_stamp(unit: Unit, codes: set[str]) -> str:
    """The event doesn't carry the tax policy: the one in force is the best there is."""
    policy, rates = catalogrows.taxes(unit.tx)
    known = {code: rates.get(code) for code in sorted(codes)}
    return json.dumps({"policy": policy, "rates": known}, separators=(",", ":"))


def _void(unit: Unit, fact: SaleVoided, origin: Origin) -> None:
    sale = salerows.get(unit.tx, fact.sale_id)
    assert sale is not None
    salerows.mark_voided(unit.tx, sale.id, origin.hash, fact.reason, origin.at_ms)
    salerows.set_void_event(unit.tx, sale.id, origin.outbox_id)
    move_as_told(unit, "void", sale.id, fact.movements)
    salerows.add_to_day(unit.tx, sale.business_day, voided=1, voided_minor=sale.total_minor)
    change = sale.change_minor
    for tender in salerows.tenders(unit.tx, sale.id):
        given = min(change, tender.amount_minor) if tender.kind == "cash" else 0
        change -= given
        refunded = tender.refunded_minor + tender.amount_minor - given
        salerows.set_refunded(unit.tx, sale.id, tender.n, refunded)
        claims.undo(unit, tender.payment_id, fact.reason)
    if any(line.returned_qty for line in salerows.lines(unit.tx, sale.id)):
        _note_twice(unit, sale, "void", sale.sale_id)


def _return(unit: Unit, fact: ReturnCompleted, origin: Origin) -> None:
    tx = unit.tx
    sale = salerows.get(tx, fact.sale_id or "")
    assert sale is not None
    refund = [one.model_dump(exclude_none=True) for one in fact.tenders]
    row = ReturnRow(
        id=0,
        return_id=fact.return_id,
        hash=origin.hash,
        sale=sale.id,
        sale_id=sale.sale_id,
        total_minor=fact.total_minor,
        tax_minor=sum(line.tax_minor for line in fact.lines),
        refund=json.dumps(refund, separators=(",", ":")),
        at_ms=origin.at_ms,
        outbox_id=origin.outbox_id,
    )
    day = business_day(origin.at_ms, unit.shop.zone, unit.shop.day_cutover_hour).isoformat()
    number = salerows.add_return(
        tx,
        row,
        _return_lines(fact, origin.request.get("lines", ())),
        device_id=origin.device_id or sale.device_id,
        staff_id=None,
        business_day=day,
    )
    move_as_told(unit, "return", number, fact.movements)
    _give_back(unit, sale, fact)
    salerows.add_to_day(tx, day, returned_minor=fact.total_minor)


def _return_lines(fact: ReturnCompleted, asked: Sequence[dict[str, Any]]) -> list[ReturnLineRow]:
    reasons = [one.get("reason") for one in asked] if len(asked) == len(fact.lines) else []
    return [
        ReturnLineRow(
            line_no=n,
            sale_line=one.line_no,
            sku=one.sku,
            qty=one.qty,
            refund_minor=one.refund_minor,
            tax_minor=one.tax_minor,
            disposition=one.disposition,
            reason=(reasons[n - 1] if reasons else None) or "recovered",
        )
        for n, one in enumerate(fact.lines, start=1)
    ]


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
        if paid_back.kind == credits.KIND and paid_back.payment_id is None:
            credits.count(unit, sale, paid_back.amount_minor)
            continue
        for tender in tenders:
            if (tender.kind, tender.payment_id) == (paid_back.kind, paid_back.payment_id):
                refunded = tender.refunded_minor + paid_back.amount_minor
                salerows.set_refunded(unit.tx, sale.id, tender.n, refunded)
                back_minor = paid_back.amount_minor
                if back_minor:
                    claims.refund(
                        unit,
                        tender.payment_id,
                        back_minor,
                        fact.return_id,
                        tip_minor=paid_back.tip_minor or 0,
                        surcharge_minor=paid_back.surcharge_minor or 0,
                        told="hub" if paid_back.by == "hub" else "till",
                    )
                break
    if sale.state == "voided" or any(
        qty > sold[number].qty for number, (qty, _minor) in returned.items()
    ):
        _note_twice(unit, sale, "return", fact.return_id)


def _note_twice(unit: Unit, sale: SaleRow, by: str, number: str) -> None:
    """Before and after the restore somebody was let have the same money: for a person to see."""
    unit.note("sale.given_back_twice", sale.sale_id, {"by": by, "id": number})


# Stock -------------------------------------------------------------------------------------------


def _document_id(event: Emitted, fact: Fact) -> str | None:
    """The id of a receipt, an adjustment, a count, or whatever else moved goods."""
    if isinstance(fact, StockCounted):
        return fact.count_id
    if event.type != OUTBOX_PARKED and movements_of(fact):
        return event.aggregate
    return None


def _is_document_known(unit: Unit, event: Emitted, fact: Fact, document_id: str) -> bool:
    recovered = recovered_id(fact.original_id or event.event_id)  # however often it was sent anew
    if stockrows.document(unit.tx, recovered) is not None:
        return True
    known = stockrows.document(unit.tx, document_id)
    return known is not None and _is_booked(unit, known.kind, known)


def _is_booked(unit: Unit, kind: str, document: stockrows.DocumentRow) -> bool:
    """Booked here again under its own id, by whoever offered it again."""
    if kind == "count":
        return bool(json.loads(document.data).get("closed"))
    return bool(stockrows.movements_of(unit.tx, kind, document.id, limit=1))


_KINDS = {"receipt_id": "receipt", "adjustment_id": "adjustment", "count_id": "count"}


def _document(unit: Unit, fact: Fact, origin: Origin) -> None:
    """Under its own id where the request is known, else under the event's."""
    named = _document_id(origin.event, fact)
    assert named is not None
    kind = next((_KINDS[name] for name in origin.request if name in _KINDS), "recovered")
    data = {"type": origin.event.type} | _counted(fact)
    begun = stockrows.document(unit.tx, named) if kind == "count" else None
    if begun is not None:
        number = begun.id
        stockrows.set_document_data(unit.tx, number, canonical(data))
    else:
        recovered = recovered_id(fact.original_id or origin.event.event_id)
        number = stockrows.add_document(
            unit.tx,
            document_id=recovered if kind == "recovered" else named,
            kind=kind,
            body_hash=origin.hash,
            device_id=origin.device_id or "cloud:oms",
            staff_id=None,
            reference=named if kind == "recovered" else _reference(fact),
            data=canonical(data),
        )
    move_as_told(unit, kind, number, movements_of(fact))


def _reference(fact: Fact) -> str:
    match fact:
        case StockMoved():
            return fact.reason
        case StockCounted() if fact.lines:
            return fact.lines[0].sku
        case _:
            return ""


def _counted(fact: Fact) -> dict[str, Any]:
    """What a count's device is told when it offers the count again."""
    lines = fact.lines if isinstance(fact, StockCounted) else ()
    return lines[0].model_dump(mode="json") | {"closed": True} if lines else {}
