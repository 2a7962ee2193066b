"""Undoing a whole sale of the same day."""

from __future__ import annotations

from hub.contract.oms_events import SALE_VOIDED
from hub.contract.problems import Code, refuse
from hub.contract.sale import RefundView, SaleVoided, VoidSale
from hub.contract.staff import ApprovalSubject
from hub.domain.dayparts import business_day
from hub.domain.staff import Permission
from hub.domain.stock import Bucket, Counterparty, Movement, MovementType, Place
from hub.service import permits, receipts
from hub.service.incoming import same_request
from hub.service.ledger import Ledger
from hub.service.notices import SaleMade
from hub.service.payments import claims, surcharges
from hub.service.unit import Unit
from hub.storage import salerows, stockrows
from hub.storage.salerows import SaleRow


def void_sale(unit: Unit, command: VoidSale) -> SaleVoided:
    """See :class:`VoidSale`.  A repeat answers with the void as it was written."""
    sale = salerows.get(unit.tx, command.sale_id)
    if sale is None:
        raise refuse(Code.NOT_FOUND, "There is no such sale in this shop.")
    if sale.state == "voided":
        return _void_again(unit, sale, command)
    day = business_day(unit.now_ms, unit.shop.zone, unit.shop.day_cutover_hour).isoformat()
    if sale.business_day != day:
        raise refuse(
            Code.CONFLICT,
            f"The sale is of {sale.business_day}: only today's can be voided; take a return.",
        )
    if salerows.has_returns(unit.tx, sale.id):
        raise refuse(Code.CONFLICT, "Goods of this sale came back already: take a return instead.")
    approver = permits.need(
        unit,
        Permission.SALE_VOID,
        approval_id=command.approval_id,
        subject=ApprovalSubject(sale_id=command.sale_id),
    )
    ledger = Ledger.of(unit, "void", sale.id)
    for movement in stockrows.movements_of(unit.tx, "sale", sale.id):
        sold = Movement(
            MovementType(movement.type), _place(movement.src), _place(movement.dst), movement.qty
        )
        ledger.move(movement.sku, sold.reversed(), movement.ref_line, movement.n)
    salerows.mark_voided(unit.tx, sale.id, unit.body_hash, command.reason)
    refunds = _give_back_all(unit, sale)
    told = unit.emit(
        "sales",
        SALE_VOIDED,
        sale.sale_id,
        {
            "sale_id": sale.sale_id,
            "reason": command.reason,
            "staff_id": unit.staff_id,
            "movements": ledger.finish(),
        },
    )
    salerows.add_to_day(unit.tx, day, voided=1, voided_minor=sale.total_minor)
    unit.note(
        "sale.voided",
        sale.sale_id,
        {"reason": command.reason, "total_minor": sale.total_minor, "approved_by": approver},
    )
    salerows.set_void_event(unit.tx, sale.id, told)
    unit.tell(SaleMade())
    for one in refunds:
        claims.undo(unit, one.payment_id, command.reason)
    if any(one.kind == "cash" for one in refunds):
        receipts.queue_kick(unit, "void", sale.sale_id)
    printed = command.print_receipt and receipts.queue_void(
        unit, sale, command.reason, approver, refunds
    )
    return SaleVoided(
        sale_id=sale.sale_id, voided_at_ms=unit.now_ms, refund=refunds, receipt_printed=printed
    )


def _void_again(unit: Unit, sale: SaleRow, command: VoidSale) -> SaleVoided:
    if not same_request(sale.void_hash, unit.body_hash):
        raise refuse(Code.CONFLICT, "This sale is voided already.", voided_at_ms=sale.voided_at_ms)
    if sale.void_outbox_id is None:
        unit.cover_all()
    else:  # with the record, for another key needs one of its own
        unit.cite(sale.void_outbox_id)
    assert sale.voided_at_ms is not None
    refunds = tuple(
        RefundView(
            kind=one.kind,
            amount_minor=one.refunded_minor,
            payment_id=one.payment_id,
            by=claims.who_gives_back(unit, one.payment_id),
            tip_minor=claims.tip_with(unit, one.payment_id, one.refunded_minor),
            surcharge_minor=surcharges.going_back(unit, one.payment_id, 0, one.refunded_minor)
            or None,
        )
        for one in salerows.tenders(unit.tx, sale.id)
        if one.refunded_minor
    )
    return SaleVoided(sale_id=sale.sale_id, voided_at_ms=sale.voided_at_ms, refund=refunds)


def _place(name: str) -> Place:
    return Bucket(name) if name in set(Bucket) else Counterparty(name)


def _give_back_all(unit: Unit, sale: SaleRow) -> tuple[RefundView, ...]:
    """Every tender as it was taken; cash less the change that was given."""
    refunds = []
    change = sale.change_minor
    for tender in salerows.tenders(unit.tx, sale.id):
        amount = tender.amount_minor
        if tender.kind == "cash":
            given = min(change, amount)
            amount, change = amount - given, change - given
        if amount == 0:
            continue
        salerows.set_refunded(unit.tx, sale.id, tender.n, amount)
        refunds.append(
            RefundView(
                kind=tender.kind,
                amount_minor=amount,
                payment_id=tender.payment_id,
                by=claims.who_gives_back(unit, tender.payment_id),
                tip_minor=claims.tip_with(unit, tender.payment_id, amount),
                surcharge_minor=surcharges.going_back(unit, tender.payment_id, 0, amount) or None,
            )
        )
    return tuple(refunds)
