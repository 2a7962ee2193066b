"""What receipts and slips state, taken from the rows: :mod:`hub.contract.documents`.

The same rows give the same facts whenever they are asked for, so a copy says what the original
said; only names of staff, tills and units of measure are those of today.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from hub.contract.documents import (
    TAXES_MAX,
    GiftFacts,
    Item,
    PricedItem,
    ReturnFacts,
    SaleFacts,
    TaxTotal,
    TenderTotal,
    VoidFacts,
)
from hub.contract.sale import RefundView
from hub.domain.errors import DomainError
from hub.domain.quantity import line_gross_minor
from hub.domain.tax import TaxMode
from hub.service import pricing
from hub.service.creditcodes import code_for_copy
from hub.service.shop import Shop
from hub.storage import catalogrows, devicerows, paymentrows, salerows, staffrows
from hub.storage.rows import Rows
from hub.storage.salerows import ReturnLineRow, ReturnRow, SaleLineRow, SaleRow, TenderRow
from hub.storage.staffrows import SignedInRow


class Source(Protocol):
    """Where facts are taken from: a unit of work, or a reader beside the writer."""

    @property
    def tx(self) -> Rows:
        """The rows."""

    @property
    def shop(self) -> Shop:
        """The shop's own facts."""

    @property
    def staff(self) -> SignedInRow | None:
        """Who is signed in."""

    @property
    def now_ms(self) -> int:
        """UTC milliseconds."""


class Made(NamedTuple):
    """When, where and by whom something was done."""

    at_ms: int
    business_day: str
    device_id: str
    staff_id: str | None


class Voided(NamedTuple):
    """Why a sale was undone, what was given back, and who let it be done."""

    reason: str
    refunds: tuple[RefundView, ...]
    approved_by: str | None = None


class _Taxed(NamedTuple):
    """What one line adds to the table of taxes; ``net_minor`` as on the line."""

    code: str
    net_minor: int
    tax_minor: int


def sale_facts(
    unit: Source,
    sale: SaleRow,
    lines: list[SaleLineRow],
    tenders: list[TenderRow],
    *,
    is_copy: bool = False,
) -> SaleFacts:
    """A sale's receipt."""
    made = Made(sale.at_ms, sale.business_day, sale.device_id, sale.staff_id)
    includes, rates = _taxes_of(sale)
    taxed = [_Taxed(line.tax_code, line.net_minor, line.tax_minor) for line in lines]
    return SaleFacts(
        **_head(unit, made, is_copy),
        receipt_no=sale.receipt_no,
        sale_id=sale.sale_id,
        currency=sale.currency,
        lines=_priced(unit, lines),
        total_minor=sale.total_minor,
        tax_minor=sale.tax_minor,
        prices_include_tax=includes,
        taxes=_table(taxed, rates, includes=includes),
        tenders=tuple(
            TenderTotal(
                kind=one.kind,
                amount_minor=one.amount_minor,
                last4=one.last4,
                approval_code=one.approval_code,
                offline=_was_offline(unit, one),
                **_added(unit, one),
                left_minor=_left_minor(unit, one),
            )
            for one in tenders
        ),
        rounding_minor=sale.rounding_minor,
        change_minor=sale.change_minor,
        savings_minor=sum(map(_saved_minor, lines)),
    )


def of_sale(unit: Source, sale: SaleRow) -> SaleFacts | VoidFacts:
    """A sale's receipt as it was made, or the slip of its void."""
    tenders = salerows.tenders(unit.tx, sale.id)
    if sale.state != "voided":
        return sale_facts(unit, sale, salerows.lines(unit.tx, sale.id), tenders)
    given_back = tuple(
        RefundView(
            kind=one.kind,
            amount_minor=one.refunded_minor,
            payment_id=one.payment_id,
            **_added(unit, one),
        )
        for one in tenders
        if one.refunded_minor
    )
    made = Made(sale.voided_at_ms or 0, sale.business_day, sale.device_id, None)
    return void_facts(unit, sale, Voided(sale.void_reason or "", given_back), made)


def gift_facts(unit: Source, sale: SaleRow, line_nos: tuple[int, ...] = ()) -> GiftFacts:
    """Goods of a sale without prices; of all its lines when none are named."""
    made = Made(sale.at_ms, sale.business_day, sale.device_id, sale.staff_id)
    lines = [
        line
        for line in salerows.lines(unit.tx, sale.id)
        if not line_nos or line.line_no in line_nos
    ]
    return GiftFacts(
        **_head(unit, made, False),
        receipt_no=sale.receipt_no,
        sale_id=sale.sale_id,
        lines=tuple(Item(**_goods(unit, line, line.qty)) for line in lines),
    )


def void_facts(
    unit: Source, sale: SaleRow, voided: Voided, made: Made, *, is_copy: bool = False
) -> VoidFacts:
    """The slip of a void."""
    return VoidFacts(
        **_head(unit, made, is_copy),
        receipt_no=sale.receipt_no,
        sale_id=sale.sale_id,
        sold_at_ms=sale.at_ms,
        currency=sale.currency,
        lines=_priced(unit, salerows.lines(unit.tx, sale.id)),
        total_minor=sale.total_minor,
        refunds=_given_back(unit, sale, voided.refunds),
        reason=voided.reason,
        approved_by=_staff_name(unit, voided.approved_by),
    )


def return_facts(
    unit: Source,
    sale: SaleRow,
    row: ReturnRow,
    lines: list[ReturnLineRow],
    made: Made,
    *,
    is_copy: bool = False,
) -> ReturnFacts:
    """The receipt of goods taken back."""
    sold = {line.line_no: line for line in salerows.lines(unit.tx, sale.id)}
    includes, rates = _taxes_of(sale)
    refunds = tuple(RefundView.model_validate(one) for one in json.loads(row.refund))
    items, taxed = [], []
    for line in lines:
        of = sold.get(line.sale_line)
        net_minor = line.refund_minor - (0 if includes else line.tax_minor)
        code = of.tax_code if of else ""
        goods = _goods(unit, of, line.qty) if of else {"name": line.sku, "qty": line.qty}
        price_minor = of.unit_price_minor if of else 0
        items.append(
            PricedItem(**goods, unit_price_minor=price_minor, net_minor=net_minor, tax_code=code)
        )
        taxed.append(_Taxed(code, net_minor, line.tax_minor))
    return ReturnFacts(
        **_head(unit, made, is_copy),
        return_id=row.return_id,
        sale_id=sale.sale_id,
        sale_receipt_no=sale.receipt_no,
        currency=sale.currency,
        lines=tuple(items),
        total_minor=row.total_minor,
        tax_minor=row.tax_minor,
        prices_include_tax=includes,
        taxes=_table(taxed, rates, includes=includes),
        refunds=_given_back(unit, sale, refunds),
        rounding_minor=sum(one.amount_minor for one in refunds) - row.total_minor,
        credit_code=_credit_code(unit, row, refunds),
    )


# Parts -------------------------------------------------------------------------------------------


def _head(unit: Source, made: Made, is_copy: bool) -> dict[str, Any]:
    device = devicerows.get(unit.tx, made.device_id)
    return {
        "at_ms": made.at_ms,
        "business_day": made.business_day,
        "till": device.name if device else made.device_id,
        "staff": _staff_name(unit, made.staff_id),
        "training": unit.shop.training,
        "is_copy": is_copy,
        "shop": unit.shop.name,
    }


def _staff_name(unit: Source, staff_id: str | None) -> str:
    if not staff_id:
        return ""
    if unit.staff is not None and unit.staff.staff_id == staff_id:
        return unit.staff.name
    member = staffrows.member(unit.tx, staff_id)
    return member.name if member else staff_id


def _goods(unit: Source, line: SaleLineRow, qty: int) -> dict[str, Any]:
    """The unit of measure only matters for what isn't sold by the piece."""
    product = catalogrows.by_sku(unit.tx, line.sku, unit.now_ms) if line.scale else None
    return {
        "name": line.name,
        "sku": line.sku,
        "gtin": line.gtin,
        "qty": qty,
        "scale": line.scale,
        "uom": product.uom if product else "",
    }


def _priced(unit: Source, lines: Iterable[SaleLineRow]) -> tuple[PricedItem, ...]:
    return tuple(
        PricedItem(
            **_goods(unit, line, line.qty),
            unit_price_minor=line.unit_price_minor,
            discount_minor=line.discount_minor,
            net_minor=line.net_minor,
            tax_code=line.tax_code,
        )
        for line in lines
    )


def _saved_minor(line: SaleLineRow) -> int:
    """What the customer didn't pay of the listed price."""
    if line.unit_price_minor >= line.list_price_minor:
        return line.discount_minor
    listed_minor = line_gross_minor(line.list_price_minor, line.qty, line.scale)
    return max(0, listed_minor - line.gross_minor) + line.discount_minor


def _was_offline(unit: Source, tender: TenderRow) -> bool:
    """Whether a terminal approved it without the processor; the customer is told so."""
    row = paymentrows.get(unit.tx, tender.payment_id) if tender.payment_id else None
    return row is not None and row.offline_seq is not None


def _added(unit: Source, tender: TenderRow) -> dict[str, int]:
    """What the card was charged on top of what its tender pays."""
    row = paymentrows.get(unit.tx, tender.payment_id) if tender.payment_id else None
    if row is None:
        return {}
    return {"tip_minor": row.tip_minor, "surcharge_minor": row.surcharge_minor}


def _left_minor(unit: Source, tender: TenderRow) -> int | None:
    """What was left on a gift card, where its issuer told it."""
    row = paymentrows.get(unit.tx, tender.payment_id) if tender.payment_id else None
    return row.balance_minor if row is not None and not row.account else None


def _credit_code(unit: Source, row: ReturnRow, refunds: tuple[RefundView, ...]) -> str:
    """Of the store credit that a return gave, if it gave any."""
    given = any(one.kind == "store_credit" and one.payment_id is None for one in refunds)
    return code_for_copy(unit.tx, unit.shop, row.return_id) if given else ""


def _taxes_of(sale: SaleRow) -> tuple[bool, dict[str, int]]:
    """Whether prices include tax, and the rates (ppm) by code, as they were applied.

    A sale that came back from the cloud may have a policy of today that nobody can read.
    """
    try:
        policy, rates = pricing.unstamp(sale.tax)
    except (DomainError, ValueError, KeyError, TypeError):
        return True, {}
    return policy.mode is TaxMode.INCLUSIVE, {code: one.rate_ppm for code, one in rates.items()}


def _table(
    lines: Iterable[_Taxed], rates: dict[str, int], *, includes: bool
) -> tuple[TaxTotal, ...]:
    """The sums by tax code, in order of first appearance; each line's tax is rounded already.

    None when a code's rate isn't known any more, or there are more than a paper has room for.
    """
    sums: dict[str, tuple[int, int]] = {}
    for line in lines:
        net, tax = sums.get(line.code, (0, 0))
        own = line.net_minor - line.tax_minor if includes else line.net_minor
        sums[line.code] = (net + own, tax + line.tax_minor)
    if len(sums) > TAXES_MAX or not sums.keys() <= rates.keys():
        return ()
    return tuple(
        TaxTotal(
            code=code,
            rate_ppm=rates[code],
            net_minor=net,
            tax_minor=tax,
            gross_minor=net + tax,
        )
        for code, (net, tax) in sums.items()
    )


def _given_back(
    unit: Source, sale: SaleRow, refunds: tuple[RefundView, ...]
) -> tuple[TenderTotal, ...]:
    cards = {
        one.payment_id: one.last4
        for one in salerows.tenders(unit.tx, sale.id)
        if one.payment_id is not None
    }
    return tuple(
        TenderTotal(
            kind=one.kind,
            amount_minor=one.amount_minor,
            last4=cards.get(one.payment_id) if one.payment_id else None,
            tip_minor=one.tip_minor or 0,
            surcharge_minor=one.surcharge_minor or 0,
        )
        for one in refunds
    )
