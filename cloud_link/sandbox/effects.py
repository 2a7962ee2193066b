"""What a fact means to the OMS: sales, tenders, returns, voids, parked events, orders."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from hub.contract.oms_envelope import MAX_INTEGER, CloudEvent
from hub.contract.oms_events import (
    HubReturnKey,
    OutboxParked,
    ReturnCompleted,
    SaleCompleted,
    SaleVoided,
)
from hub.contract.oms_facts import PREFIX, Fact
from hub.contract.oms_value import AllotmentReturned, CreditIssued

from .commands import hub_says
from .returnkeys import share_key
from .value import Issuer

if TYPE_CHECKING:
    from sqlite3 import Connection

_FULFILMENT = PREFIX + "fulfilment."


def apply_fact(
    db: Connection, store: str, number: int, event: CloudEvent, fact: Fact
) -> str | None:
    """Write what the fact says.  Returns in which way it contradicts what is known, if it does."""
    match fact:
        case SaleCompleted():
            return _apply_sale(db, store, number, fact)
        case SaleVoided():
            return _apply_void(db, store, number, fact)
        case ReturnCompleted():
            return _apply_return(db, store, number, fact)
        case OutboxParked():
            db.execute(
                "INSERT OR IGNORE INTO parked VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                (
                    store,
                    fact.original_id,
                    fact.original_type,
                    fact.aggregate_id,
                    fact.code,
                    fact.detail,
                    number,
                ),
            )
        case AllotmentReturned():
            Issuer(db, store, 0).take_returned(fact)
        case CreditIssued():
            Issuer(db, store, 0).take_issued(fact)
        case HubReturnKey():
            share_key(db, store, fact.public_key)
        case _ if event.type.startswith(_FULFILMENT):
            order_id = event.data.get("order_id")
            if isinstance(order_id, str):
                state = event.type.removeprefix(_FULFILMENT).partition(".")[0]
                hub_says(db, store, order_id, state)
        case _:
            pass  # kept in the log as it is
    return None


def known_as(db: Connection, store: str, fact: Fact) -> int | None:
    """The event by which the very same sale or return is known already, under another id.

    A restored hub writes down again what its tills offer it again.
    """
    match fact:
        case SaleCompleted():
            row = db.execute(
                "SELECT event, fingerprint FROM sales WHERE store=? AND sale_id=?",
                (store, fact.sale_id),
            ).fetchone()
        case ReturnCompleted():
            row = db.execute(
                "SELECT event, fingerprint FROM returns WHERE store=? AND return_id=?",
                (store, fact.return_id),
            ).fetchone()
        case _:
            return None
    return int(row[0]) if row is not None and row[1] == fingerprint(fact) else None


def fingerprint(fact: SaleCompleted | ReturnCompleted) -> str:
    """What makes two reports of a sale or return the same: money and goods, not numbering."""
    goods = [[move.sku, move.qty, move.from_, move.to] for move in fact.movements]
    tenders = [[tender.kind, tender.amount_minor, tender.payment_id] for tender in fact.tenders]
    match fact:
        case SaleCompleted():
            lines = [[row.line_no, row.sku, row.qty, row.net_minor] for row in fact.lines]
            head = [fact.device_id, fact.currency, fact.tax_minor, fact.change_minor]
        case ReturnCompleted():
            lines = [[row.line_no, row.sku, row.qty, row.refund_minor] for row in fact.lines]
            head = [fact.sale_id]
    text = json.dumps([head, fact.total_minor, lines, tenders, goods])
    return hashlib.sha256(text.encode()).hexdigest()


def _apply_sale(db: Connection, store: str, number: int, sale: SaleCompleted) -> str | None:
    voided = db.execute(
        "SELECT 1 FROM voids WHERE store=? AND sale_id=?", (store, sale.sale_id)
    ).fetchone()
    done = db.execute(
        "INSERT OR IGNORE INTO sales VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            store,
            sale.sale_id,
            "voided" if voided else "completed",
            sale.receipt_no,
            sale.device_id,
            sale.staff_id,
            sale.business_day,
            min(sale.occurred_at_ms, MAX_INTEGER),  # the event keeps what was sent
            sale.currency,
            sale.total_minor,
            sale.tax_minor,
            sale.rounding_minor,
            sale.change_minor,
            fingerprint(sale),
            number,
        ),
    )
    if done.rowcount == 0:
        return f"Sale {sale.sale_id} is known with another content; a person has to compare them."
    _write_sale_parts(db, store, sale)
    return None


def _write_sale_parts(db: Connection, store: str, sale: SaleCompleted) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO sale_lines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                store,
                sale.sale_id,
                line.line_no,
                line.sku,
                line.gtin,
                line.qty,
                line.scale,
                line.unit_price_minor,
                line.gross_minor,
                line.discount_minor,
                line.net_minor,
                line.tax_code,
                line.tax_minor,
                line.reason,
            )
            for line in sale.lines
        ],
    )
    db.executemany(
        "INSERT INTO tenders VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (store, sale.sale_id, n, one.kind, one.amount_minor, one.payment_id, one.last4)
            for n, one in enumerate(sale.tenders, 1)
        ],
    )


def _apply_void(db: Connection, store: str, number: int, void: SaleVoided) -> str | None:
    done = db.execute(
        "INSERT OR IGNORE INTO voids VALUES (?, ?, ?, ?, ?)",
        (store, void.sale_id, void.reason, void.staff_id, number),
    )
    if done.rowcount == 0:
        return f"Sale {void.sale_id} is voided already by another event."
    db.execute("UPDATE sales SET state='voided' WHERE store=? AND sale_id=?", (store, void.sale_id))
    return None


def _apply_return(db: Connection, store: str, number: int, back: ReturnCompleted) -> str | None:
    done = db.execute(
        "INSERT OR IGNORE INTO returns VALUES (?, ?, ?, ?, ?, ?)",
        (store, back.return_id, back.sale_id, back.total_minor, fingerprint(back), number),
    )
    if done.rowcount == 0:
        return f"Return {back.return_id} is known with another content; compare them."
    db.executemany(
        "INSERT OR REPLACE INTO return_lines VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                store,
                back.return_id,
                line.line_no,
                line.sku,
                line.qty,
                line.refund_minor,
                line.tax_minor,
                line.disposition,
            )
            for line in back.lines
        ],
    )
    db.executemany(
        "INSERT INTO refunds VALUES (?, ?, ?, ?, ?, ?)",
        [
            (store, back.return_id, n, one.kind, one.amount_minor, one.payment_id)
            for n, one in enumerate(back.tenders, 1)
        ],
    )
    return None


def resolve_parked(db: Connection, store: str, original_id: str, number: int) -> str | None:
    """Note that a parked event came in after all; returns its id when it was parked."""
    done = db.execute(
        "UPDATE parked SET resolved_by=? WHERE store=? AND original_id=? AND resolved_by IS NULL",
        (number, store, original_id),
    )
    return original_id if done.rowcount else None
