"""Sale, return, gift receipt and void."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hub.contract.documents import (
    GiftFacts,
    Item,
    PricedItem,
    ReturnFacts,
    SaleFacts,
    TaxTotal,
    TenderTotal,
    VoidFacts,
)
from hub.documents.compose.sheet import Sheet
from hub.documents.layout import BOLD, Align, Cell, Layout, QrCode, Row, Rule, Space, Text
from hub.documents.templates import Paper, Template

_INDENT: Final = "\xa0\xa0"
_QR_MM: Final = 34


def sale(facts: SaleFacts, template: Template, paper: Paper) -> Layout:
    """The customer's receipt."""
    sheet = Sheet(facts, template, paper)
    sheet.head()
    _about(sheet, sheet.labelled(sheet.w.receipt, facts.receipt_no))
    letters = tax_letters(facts.taxes, facts.lines)
    priced_lines(sheet, facts.lines, facts.currency, letters)
    _before_total(sheet, facts)
    sheet.total(sheet.w.total, sheet.f.money(facts.total_minor, facts.currency))
    rounded = _rounding_row(sheet, facts.rounding_minor, facts.currency)
    change = [(sheet.w.change, sheet.f.amount(facts.change_minor, facts.currency))]
    paid = tender_rows(sheet, facts.tenders, facts.currency)
    saved = [(sheet.w.you_saved, sheet.f.amount(facts.savings_minor, facts.currency))]
    sheet.sums(
        rounded + paid + (change if facts.change_minor else []),
        strong=saved if template.shows.savings and facts.savings_minor > 0 else [],
    )
    if any(tender.offline for tender in facts.tenders):
        sheet.add(Space())
        sheet.banner(sheet.w.offline, sheet.w.offline_note)
    tax_table(sheet, facts, letters)
    sheet.foot()
    _codes(sheet, facts)
    return sheet.finish(sheet.labelled(sheet.w.receipt, facts.receipt_no))


def goods_back(facts: ReturnFacts, template: Template, paper: Paper) -> Layout:
    """The customer's proof of a return."""
    sheet = Sheet(facts, template, paper)
    sheet.head(sheet.w.return_receipt)
    number = facts.receipt_no or facts.return_id
    _about(sheet, number)
    sheet.halves(sheet.w.original_receipt, facts.sale_receipt_no or facts.sale_id)
    letters = tax_letters(facts.taxes, facts.lines)
    priced_lines(sheet, facts.lines, facts.currency, letters)
    sheet.total(sheet.w.to_refund, sheet.f.money(facts.total_minor, facts.currency))
    rounded = _rounding_row(sheet, facts.rounding_minor, facts.currency)
    sheet.sums(rounded + tender_rows(sheet, facts.refunds, facts.currency, back=True))
    if facts.pending:
        sheet.add(Space(), Text(sheet.w.refund_pending, Align.START, BOLD))
    if facts.credit_code:
        sheet.add(Space(), QrCode(facts.credit_code, size_mm=_QR_MM, correction="M"))
        sheet.add(Text(facts.credit_code, Align.CENTER, BOLD))
        sheet.centered(sheet.w.credit_note)
    tax_table(sheet, facts, letters)
    sheet.signature(sheet.w.customer_signature)
    sheet.foot()
    sheet.code(facts.receipt_no)
    return sheet.finish(f"{sheet.w.return_receipt} {number}")


def gift(facts: GiftFacts, template: Template, paper: Paper) -> Layout:
    """What was bought, without what it cost."""
    sheet = Sheet(facts, template, paper)
    sheet.head(sheet.w.gift_receipt)
    _about(sheet, sheet.labelled(sheet.w.receipt, facts.receipt_no))
    sheet.add(Rule())
    item_lines(sheet, facts.lines)
    sheet.add(Rule(), Space())
    sheet.centered(sheet.w.gift_note)
    sheet.foot()
    _codes(sheet, facts)
    return sheet.finish(f"{sheet.w.gift_receipt} {facts.receipt_no}")


def void(facts: VoidFacts, template: Template, paper: Paper) -> Layout:
    """A sale that is undone: who, why, and what is given back."""
    sheet = Sheet(facts, template, paper)
    sheet.head()
    sheet.banner(sheet.w.void)
    sheet.add(Space())
    _about(sheet, sheet.labelled(sheet.w.receipt, facts.receipt_no))
    sold = sheet.f.moment(facts.sold_at_ms) if facts.sold_at_ms else ""
    sheet.halves(sheet.w.sold_at if sold else "", sold)
    priced_lines(sheet, facts.lines, facts.currency, {})
    sheet.total(sheet.w.to_refund, sheet.f.money(facts.total_minor, facts.currency))
    sheet.sums(tender_rows(sheet, facts.refunds, facts.currency, back=True))
    sheet.add(Space())
    sheet.pairs((sheet.w.reason, facts.reason), (sheet.w.approved_by, facts.approved_by))
    sheet.signature(sheet.w.staff_signature)
    sheet.foot()
    sheet.code(facts.receipt_no)
    return sheet.finish(f"{sheet.w.void} {facts.receipt_no}")


# Parts -------------------------------------------------------------------------------------------


def _about(sheet: Sheet, number: str) -> None:
    facts, shows = sheet.facts, sheet.template.shows
    sheet.halves(number, sheet.f.moment(facts.at_ms) if facts.at_ms else "")
    till = sheet.labelled(sheet.w.till, facts.till) if shows.till else ""
    staff = sheet.labelled(sheet.w.served_by, facts.staff) if shows.staff else ""
    sheet.halves(till, staff)


def priced_lines(
    sheet: Sheet, lines: Sequence[PricedItem], currency: str, letters: dict[str, str]
) -> None:
    """Name, tax and amount; below the name how the amount came about."""
    rows = [Row((Cell("", weight=1), Cell(""), sheet.figure(currency)))]
    for line in lines:
        amount = sheet.f.amount(line.net_minor, currency)
        letter = letters.get(line.tax_code, "")
        name = Cell(line.name, weight=1)
        rows.append(Row((name, Cell(letter), sheet.figure(amount)), BOLD))
        rows += [Row((Cell(_INDENT + text, weight=1),)) for text in _details(sheet, line, currency)]
    sheet.add(Rule())
    if len(rows) > 1:
        sheet.table(rows)


def item_lines(sheet: Sheet, lines: Sequence[Item]) -> None:
    """Quantity and name, without prices."""
    rows: list[Row] = []
    for line in lines:
        quantity = sheet.f.quantity(line.qty, line.scale, line.uom)
        rows.append(Row((sheet.figure(quantity), Cell(line.name, weight=1))))
        rows += [Row((Cell(""), Cell(text, weight=1))) for text in identity(sheet, line)]
    if rows:
        sheet.table(rows)


def identity(sheet: Sheet, line: Item, sku: bool = False) -> list[str]:
    """What tells this piece from others."""
    found = []
    if sku and line.sku:
        found.append(sheet.labelled(sheet.w.sku, line.sku))
    if line.serial:
        found.append(sheet.labelled(sheet.w.serial, line.serial))
    if line.lot:
        found.append(sheet.labelled(sheet.w.lot, line.lot))
    return found


def _details(sheet: Sheet, line: PricedItem, currency: str) -> list[str]:
    found = []
    if line.qty != 1 or line.scale or line.discount_minor:
        quantity = sheet.f.quantity(line.qty, line.scale, line.uom)
        found.append(f"{quantity} × {sheet.f.amount(line.unit_price_minor, currency)}")  # noqa: RUF001
    if line.discount_minor:
        off = sheet.f.amount(-line.discount_minor, currency)
        found.append(f"{sheet.w.discount} {off}")
    return found + identity(sheet, line, sheet.template.shows.sku)


def tax_letters(taxes: Sequence[TaxTotal], lines: Sequence[PricedItem]) -> dict[str, str]:
    """A short mark for every tax code: the code itself if all are short, else A, B, C, ..."""
    codes = list(dict.fromkeys([tax.code for tax in taxes] + [line.tax_code for line in lines]))
    codes = [code for code in codes if code]
    if all(len(code) <= 2 for code in codes):
        return {code: code for code in codes}
    if not taxes:
        return {}
    return {code: chr(ord("A") + n) if n < 26 else str(n) for n, code in enumerate(codes)}


def _before_total(sheet: Sheet, facts: SaleFacts) -> None:
    if facts.prices_include_tax or not facts.tax_minor:
        return
    net = sheet.f.amount(facts.total_minor - facts.tax_minor, facts.currency)
    rows = [(sheet.w.subtotal, net)]
    if not facts.taxes:
        rows.append((sheet.w.tax, sheet.f.amount(facts.tax_minor, facts.currency)))
    for tax in facts.taxes:
        label = f"{sheet.w.tax} {sheet.f.percent(tax.rate_ppm)}"
        rows.append((label, sheet.f.amount(tax.tax_minor, facts.currency)))
    sheet.add(Rule())
    sheet.sums(rows)


def _rounding_row(sheet: Sheet, minor: int, currency: str) -> list[tuple[str, str]]:
    return [(sheet.w.rounding, sheet.f.amount(minor, currency))] if minor else []


def tender_rows(
    sheet: Sheet, tenders: Sequence[TenderTotal], currency: str, *, back: bool = False
) -> list[tuple[str, str]]:
    """One row for every payment; a card by its last four digits.  ``back``: it is given back."""
    rows: list[tuple[str, str]] = []
    for tender in tenders:
        label = tender_name(sheet, tender.kind)
        if tender.last4:
            label += f" **** {tender.last4}"
        if tender.offline:
            label += f" ({sheet.w.offline})"
        rows.append((label, sheet.f.amount(tender.amount_minor, currency)))
        rows += _added_rows(sheet, tender, currency, back=back)
        if tender.left_minor is not None:
            rows.append((_INDENT + sheet.w.left, sheet.f.amount(tender.left_minor, currency)))
        if tender.approval_code:
            rows.append((_INDENT + sheet.w.approval.format(tender.approval_code), ""))
    return rows


def _added_rows(
    sheet: Sheet, tender: TenderTotal, currency: str, *, back: bool
) -> list[tuple[str, str]]:
    """What the card was charged on top, each a line of its own, and the sum."""
    w = sheet.w
    added = [(w.tip, tender.tip_minor), (w.surcharge, tender.surcharge_minor)]
    rows = [(name, minor) for name, minor in added if minor]
    if rows:
        whole_minor = tender.amount_minor + sum(minor for _, minor in rows)
        rows.append((w.given_back if back else w.charged, whole_minor))
    return [(_INDENT + name, sheet.f.amount(minor, currency)) for name, minor in rows]


def tender_name(sheet: Sheet, kind: str) -> str:
    """A kind of money in the document's language."""
    w = sheet.w
    names = {
        "cash": w.cash,
        "card": w.card,
        "gift_card": w.gift_card,
        "store_credit": w.store_credit,
    }
    return names.get(kind, kind)


def tax_table(sheet: Sheet, facts: SaleFacts | ReturnFacts, letters: dict[str, str]) -> None:
    """Net, tax and gross of each rate; of queues before that, the tax in one line."""
    if not facts.taxes:
        if facts.tax_minor and facts.prices_include_tax:
            included = sheet.f.amount(facts.tax_minor, facts.currency)
            sheet.sums([(sheet.w.includes_tax, included)])
        return
    w, money = sheet.w, facts.currency
    head = (Cell(w.tax, weight=1), *map(sheet.figure, (w.net, w.tax, w.gross)))
    rows = [Row(head, BOLD)]
    for tax in facts.taxes:
        rate = f"{letters.get(tax.code, tax.code)} {sheet.f.percent(tax.rate_ppm)}"
        amounts = (tax.net_minor, tax.tax_minor, tax.gross_minor)
        cells = [sheet.figure(sheet.f.amount(amount, money)) for amount in amounts]
        rows.append(Row((Cell(rate, weight=1), *cells)))
    sheet.add(Space())
    if sheet.table_fits(rows):
        sheet.table(rows)
        return
    names = (w.net, w.tax, w.gross)
    for row in rows[1:]:
        sheet.add(Text(f"{w.tax} {row.cells[0].text}", Align.START, BOLD))
        sheet.sums([(name, cell.text) for name, cell in zip(names, row.cells[1:], strict=True)])


def _codes(sheet: Sheet, facts: SaleFacts | GiftFacts) -> None:
    shows, signer = sheet.template.shows, sheet.template.signer
    return_code = facts.return_code or (signer.code_of(facts) if signer else "")
    if return_code and shows.return_code and not facts.training:
        sheet.add(Space(), QrCode(return_code, size_mm=_QR_MM, correction="M"))
        sheet.centered(sheet.w.return_code_note)
        if sheet.paper.narrow:
            return
    if shows.barcode:
        sheet.code(facts.receipt_no)
