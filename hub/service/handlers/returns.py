"""Taking goods of this shop's sales back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hub.contract.base import Command
from hub.contract.oms_events import RETURN_COMPLETED
from hub.contract.problems import Code, refuse
from hub.contract.sale import CommitReturn, RefundView, ReturnDone, ReturnLine
from hub.contract.staff import ApprovalSubject
from hub.domain.basket import check_price
from hub.domain.dayparts import business_day
from hub.domain.money import round_cash
from hub.domain.staff import Asked, Permission
from hub.domain.stock import return_movements
from hub.domain.tax import refund_amount_minor, refund_tax_minor
from hub.service import permits, receipts
from hub.service.gate import Handler
from hub.service.incoming import same_request
from hub.service.items import line_due_minor
from hub.service.ledger import Ledger
from hub.service.notices import SaleMade
from hub.service.payments import claims, credits, surcharges
from hub.service.unit import Unit
from hub.storage import salerows
from hub.storage.salerows import ReturnLineRow, ReturnRow, SaleLineRow, SaleRow, TenderRow


@dataclass(frozen=True, slots=True)
class _Back:
    """What comes back of a sold line, with its money."""

    asked: ReturnLine
    sold: SaleLineRow
    refund_minor: int
    tax_minor: int


def commit_return(unit: Unit, command: CommitReturn) -> ReturnDone:
    """See :class:`CommitReturn`.  A return id that is known answers with the return it names."""
    body_hash = unit.body_hash
    known = salerows.get_return(unit.tx, command.return_id)
    if known is not None:
        return _repeat(unit, known, command, body_hash)
    sale = salerows.get(unit.tx, command.sale_id)
    if sale is None:
        raise refuse(Code.NOT_FOUND, "This shop has no such sale: check the number on the receipt.")
    if sale.state == "voided":
        raise refuse(Code.CONFLICT, "This sale was voided: its money is given back already.")
    backs = _backs(unit, sale, command.lines)
    total = sum(back.refund_minor for back in backs)
    tax = sum(back.tax_minor for back in backs)
    approver = permits.need(
        unit,
        Permission.REFUND,
        Asked(amount_minor=total),
        approval_id=command.approval_id,
        subject=ApprovalSubject(sale_id=command.sale_id),
    )
    if command.total_minor is not None:
        check_price(command.total_minor, total, "refund")
    to_credit = command.refund_to == "store-credit"
    if to_credit:
        credits.check(unit, sale)
    give = credits.issue if to_credit else _refund
    refunds = give(unit, sale, command.return_id, total)
    done = _write(unit, command, sale, backs, (total, tax), refunds, body_hash)
    unit.note(
        "return.completed",
        command.return_id,
        {"sale_id": sale.sale_id, "total_minor": total, "approved_by": approver},
    )
    return done


def _repeat(unit: Unit, known: ReturnRow, command: CommitReturn, body_hash: bytes) -> ReturnDone:
    if not same_request(known.hash, body_hash) or known.sale_id != command.sale_id:
        raise refuse(
            Code.CONFLICT,
            "This return id belongs to another return: make a fresh id for every return.",
        )
    unit.cite(known.outbox_id)
    views = (RefundView.model_validate(one) for one in json.loads(known.refund))
    return ReturnDone(
        return_id=known.return_id,
        sale_id=known.sale_id,
        total_minor=known.total_minor,
        tax_minor=known.tax_minor,
        refund=tuple(claims.as_it_is(unit, one, known.return_id) for one in views),
        at_ms=known.at_ms,
    )


def _backs(unit: Unit, sale: SaleRow, asked: tuple[ReturnLine, ...]) -> list[_Back]:
    """What each line gives back.  The same line may be named more than once (two conditions)."""
    sold = {line.line_no: line for line in salerows.lines(unit.tx, sale.id)}
    before = {line_no: line.returned_qty for line_no, line in sold.items()}
    found = []
    for line in asked:
        row = sold.get(line.line_no)
        if row is None:
            raise refuse(Code.NOT_FOUND, f"The sale has no line {line.line_no}.")
        left = row.qty - before[line.line_no]
        if line.qty > left:
            raise refuse(
                Code.CONFLICT,
                f"Of line {line.line_no} only {left} can still come back: correct the quantity.",
                line_no=line.line_no,
                left_qty=left,
            )
        due = line_due_minor(row.net_minor, row.tax_minor, sale.tax)
        refund = refund_amount_minor(due, row.qty, before[line.line_no], line.qty)
        tax = refund_tax_minor(row.tax_minor, row.qty, before[line.line_no], line.qty)
        before[line.line_no] += line.qty
        found.append(_Back(line, row, refund, tax))
    return found


def _refund(unit: Unit, sale: SaleRow, return_id: str, total_minor: int) -> tuple[RefundView, ...]:
    """Give the money back to the original tenders: cards first, up to what each paid."""
    left, refunds = total_minor, []
    tenders = salerows.tenders(unit.tx, sale.id)
    for tender in tenders:
        amount = min(left, tender.amount_minor - tender.refunded_minor)
        if tender.kind == "cash" or amount <= 0:
            continue
        salerows.set_refunded(unit.tx, sale.id, tender.n, tender.refunded_minor + amount)
        name, before = tender.payment_id, tender.refunded_minor
        tip = claims.tip_with(unit, name, amount, _to_card_minor(unit, sale, name))
        added = surcharges.going_back(unit, name, before, amount)
        refunds.append(
            RefundView(
                kind=tender.kind,
                amount_minor=amount,
                payment_id=name,
                by=claims.refund(
                    unit, name, amount, return_id, tip_minor=tip or 0, surcharge_minor=added
                ),
                tip_minor=tip,
                surcharge_minor=added or None,
            )
        )
        left -= amount
    if left:
        refunds.append(_refund_cash(unit, sale, tenders, left))
    return tuple(refunds)


def _to_card_minor(unit: Unit, sale: SaleRow, payment_id: str | None) -> int:
    """What earlier returns gave back to this payment's card: not for store credit."""
    views = (
        RefundView.model_validate(one)
        for _, told in salerows.refunds_of(unit.tx, sale.id)
        for one in json.loads(told)
    )
    return sum(view.amount_minor for view in views if view.payment_id == payment_id)


def _refund_cash(
    unit: Unit, sale: SaleRow, tenders: list[TenderRow], left_minor: int
) -> RefundView:
    """The cash part, rounded as a whole over all returns: parts never make more than the drawer
    took in."""
    back = sum(line.returned_minor for line in salerows.lines(unit.tx, sale.id))
    by_card = sum(one.refunded_minor for one in tenders if one.kind != "cash")
    paid_out = sum(one.refunded_minor for one in tenders if one.kind == "cash")
    rounding = unit.shop.cash_rounding
    due = round_cash(back - by_card + left_minor, rounding.step_minor, rounding.rounding)
    cash = max(0, due - paid_out)
    for tender in tenders:
        if tender.kind == "cash":
            salerows.set_refunded(unit.tx, sale.id, tender.n, tender.refunded_minor + cash)
            break
    return RefundView(kind="cash", amount_minor=cash)


def _write(
    unit: Unit,
    command: CommitReturn,
    sale: SaleRow,
    backs: list[_Back],
    sums: tuple[int, int],
    refunds: tuple[RefundView, ...],
    body_hash: bytes,
) -> ReturnDone:
    """Write the return, take the goods in, tell the cloud."""
    total_minor, tax_minor = sums
    day = business_day(unit.now_ms, unit.shop.zone, unit.shop.day_cutover_hour).isoformat()
    plain = [one.model_dump(exclude_defaults=True) for one in refunds]
    row = ReturnRow(
        id=0,
        return_id=command.return_id,
        hash=body_hash,
        sale=sale.id,
        sale_id=sale.sale_id,
        total_minor=total_minor,
        tax_minor=tax_minor,
        refund=json.dumps(plain, separators=(",", ":")),
        at_ms=unit.now_ms,
        outbox_id=0,
    )
    lines = _line_rows(backs)
    number = salerows.add_return(
        unit.tx,
        row,
        lines,
        device_id=unit.caller.id,
        staff_id=unit.staff_id,
        business_day=day,
    )
    ledger = Ledger.of(unit, "return", number)
    _take_goods(unit, sale, ledger, backs)
    told = [
        {name: one[name] for name in one if (name, one[name]) != ("by", "till")} for one in plain
    ]
    data = _event(command, backs, told, total_minor, ledger.finish())
    outbox_id = unit.emit("sales", RETURN_COMPLETED, sale.sale_id, data, command.return_id)
    salerows.set_return_outbox_id(unit.tx, number, outbox_id)
    salerows.add_to_day(unit.tx, day, returned_minor=total_minor)
    unit.tell(SaleMade())
    if any(one.kind == "cash" for one in refunds):
        receipts.queue_kick(unit, "return", command.return_id)
    to_credit = command.refund_to == "store-credit"
    wanted = command.print_receipt or to_credit
    printed = wanted and receipts.queue_return(unit, sale, row, lines, day)
    if to_credit and not printed:
        raise credits.on_no_paper()
    return ReturnDone(
        return_id=command.return_id,
        sale_id=sale.sale_id,
        total_minor=total_minor,
        tax_minor=tax_minor,
        refund=refunds,
        at_ms=unit.now_ms,
        receipt_printed=printed,
    )


def _line_rows(backs: list[_Back]) -> list[ReturnLineRow]:
    return [
        ReturnLineRow(
            line_no=number,
            sale_line=back.sold.line_no,
            sku=back.sold.sku,
            qty=back.asked.qty,
            refund_minor=back.refund_minor,
            tax_minor=back.tax_minor,
            disposition=back.asked.disposition,
            reason=back.asked.reason,
        )
        for number, back in enumerate(backs, start=1)
    ]


def _take_goods(unit: Unit, sale: SaleRow, ledger: Ledger, backs: list[_Back]) -> None:
    """Move the goods in and count them against the sale's lines."""
    returned: dict[int, tuple[int, int]] = {}
    for line_no, back in enumerate(backs, start=1):
        for n, movement in enumerate(return_movements(back.asked.disposition, back.asked.qty)):
            ledger.move(back.sold.sku, movement, line_no, n)
        sold = back.sold
        qty, minor = returned.get(sold.line_no, (sold.returned_qty, sold.returned_minor))
        returned[sold.line_no] = (qty + back.asked.qty, minor + back.refund_minor)
    for line_no, (qty, minor) in returned.items():
        salerows.set_returned(unit.tx, sale.id, line_no, qty, minor)


def _event(
    command: CommitReturn,
    backs: list[_Back],
    tenders: list[dict[str, Any]],
    total_minor: int,
    movements: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "return_id": command.return_id,
        "sale_id": command.sale_id,
        "lines": [
            {
                "line_no": back.sold.line_no,
                "sku": back.sold.sku,
                "qty": back.asked.qty,
                "refund_minor": back.refund_minor,
                "tax_minor": back.tax_minor,
                "disposition": back.asked.disposition,
            }
            for back in backs
        ],
        "tenders": tenders,
        "total_minor": total_minor,
        "movements": movements,
    }


WRITES: dict[type[Command], Handler] = {CommitReturn: commit_return}
