"""What the box prints about itself, and the page that tests a printer."""

from __future__ import annotations

from typing import Final

from hub.contract.documents import StatusTicketFacts, TestPageFacts
from hub.documents.compose.sheet import Sheet
from hub.documents.layout import (
    BOLD,
    LARGE,
    Align,
    Barcode,
    Cell,
    Layout,
    QrCode,
    Row,
    Rule,
    Space,
    Style,
    Text,
)
from hub.documents.templates import Paper, Template

_QR_MM: Final = 34
_SAMPLE: Final = (
    "ABCDEFGHIJKLM nopqrstuvwxyz",
    "0123456789 .,:;!?%&@#*+-=/",
    "Ää Öö Üü ß Éé Çç Ññ Åå Øø Łł Čč",
    "€ £ ¥ $ ₪ ©",
    "Ελληνικά Кириллица",
    "العربية ١٢٣ עברית",
    "日本語 中文 한국어",
)
_EAN: Final = "4006381333931"


def status(facts: StatusTicketFacts, template: Template, paper: Paper) -> Layout:
    """How to reach this box and how it is."""
    sheet = Sheet(facts, template, paper)
    w = sheet.w
    sheet.mark_training()
    sheet.heading(facts.hub_name)
    sheet.centered(w.status_ticket, template.shop_name or facts.shop)
    sheet.add(Rule(heavy=True))
    cloud = {True: w.cloud_linked, False: w.cloud_apart, None: ""}[facts.cloud_linked]
    sheet.pairs(
        (w.store, facts.store),
        (w.date, sheet.f.moment(facts.at_ms) if facts.at_ms else ""),
        (w.version, sheet.technical(facts.version)),
        (w.link, _link(sheet, facts)),
        (w.signal, _signal(sheet, facts.signal_percent)),
        (w.cloud, cloud),
        *(
            (("" if n else w.address), sheet.technical(one))
            for n, one in enumerate(facts.addresses)
        ),
    )
    _conditions(sheet, facts)
    _doors(sheet, facts)
    return sheet.finish(f"{w.status_ticket} {facts.hub_name}")


def _link(sheet: Sheet, facts: StatusTicketFacts) -> str:
    speed = f"{sheet.f.quantity(facts.link_mbps, 0)} Mbit/s" if facts.link_mbps else ""
    return ", ".join(text for text in (facts.link, speed) if text)


def _signal(sheet: Sheet, percent: int | None) -> str:
    if percent is None:
        return ""
    w = sheet.w
    word = w.signal_good if percent >= 67 else w.signal_fair if percent >= 34 else w.signal_weak
    return f"{sheet.f.percent(percent * 10_000)} ({word})"


def _conditions(sheet: Sheet, facts: StatusTicketFacts) -> None:
    if not facts.conditions:
        sheet.add(Space(), Text(sheet.w.all_well, Align.CENTER, BOLD))
        return
    sheet.section(sheet.w.attention)
    rows = [Row((Cell("!"), Cell(text, weight=1))) for text in facts.conditions]
    sheet.table(rows)


def _doors(sheet: Sheet, facts: StatusTicketFacts) -> None:
    target = facts.qr or facts.url
    if target:
        pairing = bool(facts.pairing_code)
        sheet.add(Space(), QrCode(target, size_mm=_QR_MM))
        sheet.centered(sheet.w.scan_to_pair if pairing else sheet.w.scan_to_open)
    if facts.url:
        sheet.add(Text(sheet.technical(facts.url), Align.CENTER, BOLD))
    if facts.pairing_code:
        sheet.add(Space())
        sheet.centered(sheet.w.pairing_code)
        sheet.heading(facts.pairing_code)


def test_page(facts: TestPageFacts, template: Template, paper: Paper) -> Layout:
    """Every kind of block once."""
    sheet = Sheet(facts, template, paper)
    w = sheet.w
    sheet.head(w.test_page)
    sheet.pairs(
        (w.printer, facts.printer),
        (w.driver, facts.driver),
        (w.address, sheet.technical(facts.address)),
        (w.date, sheet.f.moment(facts.at_ms) if facts.at_ms else ""),
    )
    sheet.section(w.letters)
    for line in _SAMPLE:
        sheet.add(Text(line))
    for text, style in (
        ("Bold", BOLD),
        ("Underline", Style(underline=True)),
        ("Inverse", Style(inverse=True)),
        ("Large", LARGE),
    ):
        sheet.add(Text(text, Align.CENTER, style))
    sheet.section(w.columns)
    digits = "1234567890" * 12
    sheet.add(Row((Cell(digits[: paper.columns]),)))
    names = ((Align.START, "start"), (Align.CENTER, "center"), (Align.END, "end"))
    sheet.add(Row(tuple(Cell(name, align, weight=1) for align, name in names)))
    sheet.add(Rule(), Rule(heavy=True))
    sheet.section(w.codes)
    sheet.add(Barcode("ean13", _EAN, _EAN), Space())
    sheet.code("TEST-1")
    sheet.add(Space(), QrCode(facts.address or facts.printer or "TEST", size_mm=22))
    sheet.add(Space(), Text(w.test_well, Align.CENTER, BOLD))
    return sheet.finish(f"{w.test_page} {facts.printer}")
