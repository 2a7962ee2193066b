"""The label at the shelf: name, price, price per unit, code."""

from __future__ import annotations

from io import BytesIO
from typing import Final

from hub.contract.documents import ShelfLabelFacts
from hub.documents.compose.sheet import Sheet, bars_fit
from hub.documents.drawing import Pen, draw_text, text_width_px
from hub.documents.layout import BOLD, PLAIN, Align, Barcode, Image, Layout, Symbology, Text
from hub.documents.templates import Paper, Template
from hub.domain.checkdigits import gs1_valid

_DOTS_PER_MM: Final = 8
_PRICE_MM: Final = 9
"""Height of the price's letters; they are as wide as they may be."""
_GTIN_CODES: Final[dict[int, Symbology]] = {13: "ean13", 8: "ean8", 12: "upca", 14: "itf"}


def label(facts: ShelfLabelFacts, template: Template, paper: Paper) -> Layout:
    """A small label has no room for the shop; the price is what is read from afar."""
    sheet = Sheet(facts, template, paper)
    sheet.mark_training()
    sheet.add(Text(facts.name, Align.START, BOLD))
    price = sheet.f.money(facts.price_minor, facts.currency)
    if facts.was_minor is not None:
        was = sheet.f.money(facts.was_minor, facts.currency)
        sheet.add(Text(sheet.w.was.format(was), Align.END, PLAIN))
    sheet.add(price_image(price, paper, sheet.f.rtl))
    if facts.base_price_minor is not None:
        base = sheet.f.money(facts.base_price_minor, facts.currency)
        unit = sheet.f.unit(facts.base_uom or facts.uom)
        sheet.add(Text(f"{sheet.w.per.format(base)} {unit}".strip(), Align.END, PLAIN))
    sheet.halves(facts.sku, _validity(sheet, facts))
    code = gtin_code(facts.gtin, paper)
    if code is not None:
        sheet.add(code)
    return sheet.finish(f"{sheet.w.shelf_label} {facts.sku}")


def _validity(sheet: Sheet, facts: ShelfLabelFacts) -> str:
    """How long the price holds matters to customers; else since when, so that an old label shows
    that it is one."""
    if facts.valid_until_ms:
        return sheet.w.valid_until.format(sheet.f.date_of(facts.valid_until_ms))
    if facts.valid_from_ms:
        return sheet.w.valid_from.format(sheet.f.date_of(facts.valid_from_ms))
    return ""


def price_image(price: str, paper: Paper, rtl: bool) -> Image:
    """The price, larger than printers' letters go."""
    room = paper.printable_mm * _DOTS_PER_MM
    size = _PRICE_MM * _DOTS_PER_MM
    wide = text_width_px(price, Pen(size, bold=True, rtl=rtl))
    if wide > room:
        size = max(16, size * room // wide)
    drawn = draw_text(price, Pen(size, bold=True, rtl=rtl))
    # Cropped to its letters: a font's own room above and below is lost on a small label.
    inked = drawn.convert("L").point(lambda level: 255 - level).getbbox()
    drawn = drawn.crop(inked) if inked else drawn
    out = BytesIO()
    drawn.save(out, "PNG")
    width_mm = min(-(-drawn.width // _DOTS_PER_MM), paper.printable_mm)
    return Image(out.getvalue(), width_mm, alt=price)


def gtin_code(gtin: str | None, paper: Paper) -> Barcode | None:
    """The code that a scanner reads at the shelf."""
    if not gtin:
        return None
    symbology = _GTIN_CODES.get(len(gtin)) if gtin.isdigit() and gs1_valid(gtin) else None
    if symbology is None:
        return Barcode("code128", gtin, gtin, height_mm=8) if bars_fit(gtin, paper) else None
    return Barcode(symbology, gtin, gtin, height_mm=8)
