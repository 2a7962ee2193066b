"""Documents as pictures: as they look on paper at 203 dots an inch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Final, assert_never

from PIL import Image as Pictures
from PIL import ImageDraw, UnidentifiedImageError

from hub.documents.codes import QUIET_BARS, bar_runs, bars, squares
from hub.documents.columns import widths, wrap
from hub.documents.drawing import Pen, line_height_px, paint, text_width_px
from hub.documents.layout import (
    Align,
    Barcode,
    Block,
    Cell,
    Image,
    Layout,
    QrCode,
    Row,
    Rule,
    Space,
    Style,
    Table,
    Text,
)
from hub.documents.templates import Paper

DOTS_PER_MM: Final = 8
DPI: Final = 203
HEIGHT_MAX_PX: Final = 60_000
LOGO_MAX_PX: Final = 4_000_000
_SIZES: Final = {1: 20, 2: 34}
_WHITE, _BLACK = 255, 0
_MARGIN: Final = 24
_GAP: Final = 14
_TIGHTER: Final = ((0, _GAP), (0, 8), (2, 8), (4, 8), (6, 6))
_Draw = Callable[[Pictures.Image, ImageDraw.ImageDraw, int], None]


def picture(layout: Layout) -> Pictures.Image:
    """The document in grey levels, the paper's margins included."""
    return _Press(layout).print()


def png(layout: Layout) -> bytes:
    """The picture as PNG, with its true size."""
    out = BytesIO()
    picture(layout).save(out, "PNG", dpi=(DPI, DPI), optimize=True)
    return out.getvalue()


def pdf(layout: Layout) -> bytes:
    """The picture as a PDF page of its true size, for who wants a file; text that can be read
    aloud and searched is in the HTML (its print style makes a PDF with any browser)."""
    out = BytesIO()
    # The time in the file would make every copy another file.
    stamp = (2000, 1, 1, 0, 0, 0, 5, 1, -1)
    picture(layout).save(
        out,
        "PDF",
        resolution=float(DPI),
        title=layout.title,
        creationDate=_fixed(stamp),
        modDate=_fixed(stamp),
    )
    return out.getvalue()


def _fixed(stamp: tuple[int, ...]) -> object:
    import time

    return time.struct_time(stamp)


@dataclass(frozen=True, slots=True)
class _Step:
    """Something drawn at its height."""

    y: int
    draw: _Draw


class _Press:
    """Sets the blocks below each other, then draws them on paper that is as long as needed."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        paper = Paper(layout.width_mm, layout.height_mm)
        self._label = layout.height_mm > 0
        self._paper_px = layout.width_mm * DOTS_PER_MM
        self._width = paper.printable_mm * DOTS_PER_MM
        self._left = (self._paper_px - self._width) // 2
        self._y = 8 if self._label else _MARGIN
        self._steps: list[_Step] = []

    def print(self) -> Pictures.Image:
        for block in self._layout.blocks:
            if self._y < HEIGHT_MAX_PX:
                self._set(block)
        height = max(
            self._y + (8 if self._label else _MARGIN), self._layout.height_mm * DOTS_PER_MM
        )
        sheet = Pictures.new("L", (self._paper_px, height), _WHITE)
        canvas = ImageDraw.Draw(sheet)
        for step in self._steps:
            step.draw(sheet, canvas, step.y)
        return sheet

    def _set(self, block: Block) -> None:
        match block:
            case Text():
                self._text(block)
            case Row():
                self._rows((block,))
            case Table():
                self._rows(block.rows)
            case Rule():
                self._rule(4 if block.heavy else 2)
            case Space():
                self._y += block.lines * line_height_px(_SIZES[1]) * 2 // 3
            case Barcode():
                self._bars(block)
            case QrCode():
                self._squares(block)
            case Image():
                self._image(block)
            case _:
                assert_never(block)

    def _later(self, height: int, draw: _Draw) -> None:
        self._steps.append(_Step(self._y, draw))
        self._y += height

    # Text ------------------------------------------------------------------------------------

    def _pen(self, style: Style, smaller_px: int = 0) -> Pen:
        return Pen(_SIZES[style.scale] - smaller_px, style.bold, self._layout.rtl)

    def _text(self, block: Text) -> None:
        pen = self._pen(block.style)
        pad = 5 if block.style.inverse else 0
        lines = wrap(block.text, lambda text: text_width_px(text, pen), self._width - 2 * pad)
        height = line_height_px(pen.size_px)
        self._bar(block.style, len(lines) * height + 2 * pad)
        for n, line in enumerate(lines):
            x = self._left + self._place(text_width_px(line, pen), self._width, block.align)
            self._line(line, pen, block.style, (x, self._y + pad + n * height))
        self._y += len(lines) * height + 2 * pad

    def _bar(self, style: Style, height: int) -> None:
        if not style.inverse:
            return
        box = (self._left, self._y, self._left + self._width - 1, self._y + height - 1)
        self._steps.append(_Step(self._y, lambda _, canvas, y: canvas.rectangle(box, fill=_BLACK)))

    def _line(self, line: str, pen: Pen, style: Style, at: tuple[int, int]) -> None:
        ink = _WHITE if style.inverse else _BLACK
        wide = text_width_px(line, pen)

        def draw(_: Pictures.Image, canvas: ImageDraw.ImageDraw, y: int) -> None:
            paint(canvas, (at[0], y), line, pen, ink)
            if style.underline:
                below = y + line_height_px(pen.size_px) - 2
                canvas.line((at[0], below, at[0] + wide, below), fill=ink, width=2)

        self._steps.append(_Step(at[1], draw))

    def _place(self, own: int, width: int, align: Align) -> int:
        start, end = (width - own, 0) if self._layout.rtl else (0, width - own)
        return {Align.START: start, Align.CENTER: (width - own) // 2, Align.END: end}[align]

    # Columns ---------------------------------------------------------------------------------

    def _rows(self, rows: tuple[Row, ...]) -> None:
        if not rows:
            return
        # What fits into a printer's letters always fits here, if need be in smaller ones.
        small, gap, shares = 0, _GAP, None
        for small, gap in _TIGHTER:
            measures = [partial(text_width_px, pen=self._pen(row.style, small)) for row in rows]
            shares = widths(rows, measures, self._width, gap)
            if shares is not None:
                break
        for row in rows:
            if shares is None:
                for cell in row.cells:
                    if cell.text:
                        self._text(Text(cell.text, cell.align, row.style))
            else:
                self._row(row, shares, self._pen(row.style, small), gap)

    def _row(self, row: Row, shares: list[int], pen: Pen, gap: int) -> None:
        height = line_height_px(pen.size_px)
        x, most = 0, 0
        found: list[tuple[int, int, Cell, list[str]]] = []
        for cell, share in zip(row.cells, shares, strict=False):
            if share:
                measured = wrap(cell.text, lambda text: text_width_px(text, pen), share)
                lines = measured if cell.weight else [cell.text]
                found.append((x, share, cell, lines))
                most = max(most, len(lines))
                x += share + gap
        self._bar(row.style, most * height)
        for x, share, cell, lines in found:
            left = self._width - x - share if self._layout.rtl else x
            for n, line in enumerate(lines):
                at = self._left + left + self._place(text_width_px(line, pen), share, cell.align)
                self._line(line, pen, row.style, (at, self._y + n * height))
        self._y += most * height

    # Lines, codes and pictures ---------------------------------------------------------------

    def _rule(self, thick: int) -> None:
        def draw(_: Pictures.Image, canvas: ImageDraw.ImageDraw, y: int) -> None:
            right = self._left + self._width - 1
            canvas.rectangle((self._left, y + 6, right, y + 5 + thick), fill=_BLACK)

        self._later(12 + thick, draw)

    def _bars(self, block: Barcode) -> None:
        modules = bars(block)
        if modules is None:
            self._text(Text(block.data, Align.CENTER))
            return
        wide = 3 if (len(modules) + 2 * QUIET_BARS) * 3 <= self._width else 2
        wide = wide if (len(modules) * wide) <= self._width else 1
        left = self._left + (self._width - len(modules) * wide) // 2
        height = block.height_mm * DOTS_PER_MM

        def draw(_: Pictures.Image, canvas: ImageDraw.ImageDraw, y: int) -> None:
            for at, run in bar_runs(modules):
                x = left + at * wide
                canvas.rectangle((x, y, x + run * wide - 1, y + height - 1), fill=_BLACK)

        self._later(height + 4, draw)
        if block.text:
            self._text(Text(block.text, Align.CENTER))

    def _squares(self, block: QrCode) -> None:
        modules = squares(block)
        if modules is None:
            self._text(Text(block.data, Align.CENTER))
            return
        count = len(modules)
        room = min(block.size_mm * DOTS_PER_MM, self._width)
        wide = max(2, round(room / count))
        wide = wide if wide * count <= self._width else max(1, self._width // count)
        left = self._left + (self._width - count * wide) // 2

        def draw(_: Pictures.Image, canvas: ImageDraw.ImageDraw, y: int) -> None:
            for down, line in enumerate(modules):
                for across, black in enumerate(line):
                    if black:
                        x, top = left + across * wide, y + 8 + down * wide
                        canvas.rectangle((x, top, x + wide - 1, top + wide - 1), fill=_BLACK)

        self._later(count * wide + 16, draw)

    def _image(self, block: Image) -> None:
        drawn = black_and_white(block.png, min(block.width_mm * DOTS_PER_MM, self._width))
        if drawn is None:
            self._text(Text(block.alt, Align.CENTER))
            return
        left = self._left + (self._width - drawn.width) // 2

        def draw(sheet: Pictures.Image, _: ImageDraw.ImageDraw, y: int) -> None:
            sheet.paste(drawn, (left, y))

        self._later(drawn.height + 6, draw)


def black_and_white(data: bytes, width_px: int) -> Pictures.Image | None:
    """A PNG as it is printed (mode ``1``); None when it is none, or has over 4 million pixels."""
    try:
        with Pictures.open(BytesIO(data), formats=("PNG",)) as opened:
            if opened.width * opened.height > LOGO_MAX_PX:
                return None
            found = opened.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return None
    white = Pictures.new("RGBA", found.size, "white")
    flat = Pictures.alpha_composite(white, found).convert("L")
    if flat.width != width_px:
        height = max(1, round(flat.height * width_px / flat.width))
        flat = flat.resize((width_px, height), Pictures.Resampling.LANCZOS)
    return flat.convert("1")
