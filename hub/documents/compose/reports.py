"""X and Z: the totals of a till or of the shop."""

from __future__ import annotations

from hub.contract.documents import XReportFacts, ZReportFacts
from hub.documents.columns import widths
from hub.documents.compose.sales import tender_name
from hub.documents.compose.sheet import Sheet
from hub.documents.layout import BOLD, Align, Cell, Layout, Row, Text
from hub.documents.plain import letters_wide
from hub.documents.templates import Paper, Template

AnyReport = XReportFacts | ZReportFacts


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
    """Label, how many, amount."""
    table = []
    for label, count, amount in rows:
        many = "" if count is None else sheet.f.quantity(count, 0)
        table.append(Row((Cell(label, weight=1), Cell(many, Align.END), Cell(amount, Align.END))))
    if widths(table, letters_wide, sheet.paper.columns, 1) is not None:
        sheet.table(table)
        return
    for row in table:
        label, many, amount = (cell.text for cell in row.cells)
        sheet.halves(label, many)
        sheet.add(Text(amount, Align.END))


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
    head = (Cell(w.taxes, weight=1), *(Cell(text, Align.END) for text in (w.net, w.tax, w.gross)))
    rows = [Row(head, BOLD)]
    for tax in facts.taxes:
        amounts = (tax.net_minor, tax.tax_minor, tax.gross_minor)
        cells = (Cell(sheet.f.amount(amount, money), Align.END) for amount in amounts)
        rows.append(Row((Cell(sheet.f.percent(tax.rate_ppm), weight=1), *cells)))
    if widths(rows, letters_wide, sheet.paper.columns, 1) is not None:
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
    sheet.sums([(label, f.amount(minor, money)) for label, minor in amounts])
    sheet.sums([(w.expected_cash, f.amount(facts.expected_cash_minor, money))], BOLD)
    if facts.counted_cash_minor is not None:
        off = facts.counted_cash_minor - facts.expected_cash_minor
        sheet.sums([(w.counted_cash, f.amount(facts.counted_cash_minor, money))])
        sheet.sums([(w.difference, f.amount(off, money))], BOLD)
    sheet.sums([(w.no_sale, f.quantity(facts.no_sale_count, 0))])
