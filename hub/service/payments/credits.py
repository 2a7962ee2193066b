"""Store credit for goods that come back: made here, kept by the cloud from then on.

The credit's code is on the return's receipt and nowhere else.  What this shop gave is this
shop's to take in full, also offline, until the cloud recalls it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from hub.contract.oms_value import CREDIT_ISSUED
from hub.contract.problems import Code, Refusal, refuse
from hub.contract.sale import RefundView
from hub.domain.payments.states import PaymentState
from hub.service import receipts
from hub.service.creditcodes import account_of, code_of
from hub.service.payments import allotments, refunds
from hub.service.unit import Unit
from hub.storage import paymentrows, salerows, valuerows
from hub.storage.salerows import SaleRow
from hub.storage.valuerows import AccountRow

S = PaymentState

KIND: Final = "store_credit"
_UNPAID: Final = frozenset(
    {
        *(S.DECLINED, S.EXPIRED, S.LOST, S.MANUAL, S.RECOVERY, S.WRITTEN_OFF, S.RETRY_WAIT),
        *(S.STORED, S.FORWARDING, S.FORWARD_UNKNOWN, S.FORWARDED),  # it may be declined yet
    }
)


def check(unit: Unit, sale: SaleRow) -> None:
    """Whether credit can be given for goods of this sale now.  Errors: ``conflict``."""
    if not refunds.has_issuer(unit) or unit.shop.payments.vault is None:
        raise refuse(
            Code.CONFLICT,
            "This hub has no cloud that keeps store credit (or can't keep secrets): give the money"
            " back to the original tender.",
        )
    if not unit.shop.print_receipts or receipts.is_full(unit):
        raise refuse(
            Code.CONFLICT,
            "Store credit is on its receipt and nowhere else, and the hub can't print one now: see"
            " to the printer, or give the money back to the original tender.",
        )
    for tender in salerows.tenders(unit.tx, sale.id):
        row = paymentrows.get(unit.tx, tender.payment_id) if tender.payment_id else None
        if row is not None and row.state in _UNPAID:
            raise refuse(
                Code.CONFLICT,
                "The shop doesn't have this sale's money: take the goods back to the original"
                " tender, then nobody owes it any more.",
                payment_id=row.payment_id,
                state=row.state,
            )


def issue(unit: Unit, sale: SaleRow, return_id: str, amount_minor: int) -> tuple[RefundView, ...]:
    """Give credit of ``amount_minor`` (0: none is given) in place of the sale's tenders."""
    if amount_minor <= 0:
        return ()
    count(unit, sale, amount_minor)
    code = code_of(unit.shop, return_id)
    present = allotments.present_epoch(unit)
    account = AccountRow(
        account=account_of(return_id),
        kind=KIND,
        token_ref=allotments.fingerprint(unit, code),
        last4=code[-4:],
        currency=sale.currency,
        epoch=present or 0,
        granted_minor=amount_minor if present is not None else 0,
        recalled_minor=0,
        returned_minor=0,
        spent_minor=0,
    )
    valuerows.put(unit.tx, account)
    data = {
        "account_ref": account.account,
        "token_hash": sha256(code.encode()).hexdigest(),
        "last4": account.last4,
        "amount_minor": amount_minor,
        "currency": account.currency,
        "epoch": account.epoch,
        "return_id": return_id,
        "issued_at_ms": unit.now_ms,
    }
    # In the return's record, too: the code is on paper, and what it is worth must not be lost.
    unit.emit("payments", CREDIT_ISSUED, account.account, data, return_id)
    about = {"amount_minor": amount_minor, "last4": account.last4, "sale_id": sale.sale_id}
    unit.note("credit.issued", return_id, about)
    return (RefundView(kind=KIND, amount_minor=amount_minor, by="hub"),)


def on_no_paper() -> Refusal:
    """Its code is nowhere else."""
    return refuse(
        Code.CONFLICT,
        "This return is too long to be printed, and its store credit would be on no paper: take it"
        " back in parts, or to the original tender.",
    )


def count(unit: Unit, sale: SaleRow, amount_minor: int) -> None:
    """So much of the sale's tenders has gone back, as if to them: cards first, the rest in cash."""
    left_minor = amount_minor
    tenders = salerows.tenders(unit.tx, sale.id)
    for tender in sorted(tenders, key=lambda one: one.kind == "cash"):
        is_cash = tender.kind == "cash"
        part_minor = left_minor
        if not is_cash:
            part_minor = min(left_minor, tender.amount_minor - tender.refunded_minor)
        if part_minor > 0:
            refunded_minor = tender.refunded_minor + part_minor
            salerows.set_refunded(unit.tx, sale.id, tender.n, refunded_minor)
            left_minor -= part_minor
