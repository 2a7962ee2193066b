"""X and Z: the totals of a till or of the shop."""

from __future__ import annotations

from typing import Final

from hub.contract.documents import XReportFacts, ZReportFacts
from hub.documents.compose.sales import tender_name
from hub.documents.compose.sheet import Sheet
from hub.documents.layout import BOLD, Align, Cell, Layout, Row, Space, Text
from hub.documents.plain import letters_wide
from hub.documents.templates import Paper, Template

AnyReport = XReportFacts | ZReportFacts
_SHARES: Final = (6, 2, 4)


def report(facts: AnyReport, template: Template, paper: Paper) -> Layout:
    """X: what it is now.  Z: numbered, at the close."""
    sheet = Sheet(facts, template, paper)
    match facts:
        case ZReportFacts():
            title = f"{sheet.w.z_report} {facts.number}"
        case XReportFacts():
            title = sheet.w.x_report
    sheet.head(title)
    if isinstance(facts, XReportFacts):
        sheet.centered(sheet.w.nothing_closed)
    _about(sheet, facts)
    _turnover(sheet, facts)
    _payments(sheet, facts)
    _taxes(sheet, facts)
    _drawer(sheet, facts)
    if isinstance(facts, ZReportFacts):
        sheet.signature(sheet.w.staff_signature)
    return sheet.finish(title)


def _about(sheet: Sheet, facts: AnyReport) -> None:
    w, f = sheet.w, sheet.f
    printed = w.closed_at if isinstance(facts, ZReportFacts) else w.printed_at
    receipts = [number for number in (facts.first_receipt_no, facts.last_receipt_no) if number]
    sheet.section(w.business_day + (f" {f.day(facts.business_day)}" if facts.business_day else ""))
    sheet.pairs(
        (w.till, facts.till),
        (w.served_by, facts.staff),
        (w.opened_at, f.moment(facts.opened_at_ms) if facts.opened_at_ms else ""),
        (printed, f.moment(facts.at_ms) if facts.at_ms else ""),
        (w.receipts, " - ".join(dict.fromkeys(receipts))),
    )


def _counted(sheet: Sheet, rows: list[tuple[str, int | None, str]]) -> None:
    """Label, how many, amount: in shares of the line, so that the tables of a report line up."""
    texts = [
        (label, "" if count is None else sheet.f.quantity(count, 0), amount)
        for label, count, amount in rows
    ]
    fits = all(
        letters_wide(text) < sheet.paper.columns * share // sum(_SHARES)
        for row in texts
        for text, share in zip(row[1:], _SHARES[1:], strict=True)
    )
    if not fits:
        for label, many, amount in texts:
            sheet.halves(label, many)
            sheet.add(Text(amount, Align.END))
        return
    if sheet.f.rtl:
        # Here the last digits line up in columns as wide as their numbers only.
        sheet.table(
            [
                Row((Cell(label, weight=1), sheet.figure(many), sheet.figure(amount)))
                for label, many, amount in texts
            ]
        )
        return
    first, second, third = _SHARES
    sheet.table(
        [
            Row((Cell(label, weight=first), _end(many, second), _end(amount, third)))
            for label, many, amount in texts
        ]
    )


def _end(text: str, weight: int) -> Cell:
    return Cell(text, Align.END, weight)


def _turnover(sheet: Sheet, facts: AnyReport) -> None:
    w, f, money = sheet.w, sheet.f, facts.currency
    sheet.section(f"{w.turnover} ({money})")
    rows: list[tuple[str, int | None, str]] = [
        (w.sales, facts.sales_count, f.amount(facts.sales_minor, money)),
        (w.refunds, facts.refunds_count, f.amount(-facts.refunds_minor, money)),
    ]
    if facts.rounding_minor:
        rows.append((w.rounding, None, f.amount(facts.rounding_minor, money)))
    _counted(sheet, rows)
    net = facts.sales_minor - facts.refunds_minor + facts.rounding_minor
    sheet.total(w.turnover, f.money(net, money))
    _counted(
        sheet,
        [
            (w.voids, facts.voids_count, f.amount(facts.voids_minor, money)),
            (w.discounts, None, f.amount(facts.discounts_minor, money)),
            (w.items, facts.items_count, ""),
        ],
    )


def _payments(sheet: Sheet, facts: AnyReport) -> None:
    if not facts.tenders:
        return
    sheet.section(sheet.w.payments)
    _counted(
        sheet,
        [
            (
                tender_name(sheet, tender.kind)
                + (f" ({sheet.w.offline})" if tender.offline else ""),
                tender.count,
                sheet.f.amount(tender.amount_minor, facts.currency),
            )
            for tender in facts.tenders
        ],
    )


def _taxes(sheet: Sheet, facts: AnyReport) -> None:
    if not facts.taxes:
        return
    w, money = sheet.w, facts.currency
    head = (Cell(w.taxes, weight=1), *map(sheet.figure, (w.net, w.tax, w.gross)))
    rows = [Row(head, BOLD)]
    for tax in facts.taxes:
        amounts = (tax.net_minor, tax.tax_minor, tax.gross_minor)
        cells = (sheet.figure(sheet.f.amount(amount, money)) for amount in amounts)
        rows.append(Row((Cell(sheet.f.percent(tax.rate_ppm), weight=1), *cells)))
    if sheet.table_fits(rows):
        sheet.section(w.taxes)
        sheet.table(rows)
        return
    sheet.section(w.taxes)
    for row in rows[1:]:
        sheet.add(Text(row.cells[0].text, Align.START, BOLD))
        names = (w.net, w.tax, w.gross)
        sheet.sums([(name, cell.text) for name, cell in zip(names, row.cells[1:], strict=True)])


def _drawer(sheet: Sheet, facts: AnyReport) -> None:
    w, f, money = sheet.w, sheet.f, facts.currency
    sheet.section(w.drawer)
    amounts = [
        (w.opening_float, facts.float_minor),
        (w.paid_in, facts.paid_in_minor),
        (w.paid_out, -facts.paid_out_minor),
        (w.safe_drops, -facts.drops_minor),
    ]
    strong = [(w.expected_cash, facts.expected_cash_minor)]
    if facts.counted_cash_minor is not None:
        strong += [
            (w.counted_cash, facts.counted_cash_minor),
            (w.difference, facts.counted_cash_minor - facts.expected_cash_minor),
        ]
    sheet.sums(
        [(label, f.amount(minor, money)) for label, minor in amounts],
        strong=[(label, f.amount(minor, money)) for label, minor in strong],
    )
    sheet.add(Space())
    sheet.sums([(w.no_sale, f.quantity(facts.no_sale_count, 0))])
