"""A layout as ESC/POS: commands that are whole in themselves, in the order of the paper.

No character is lost without a word: what no code page of the printer holds is drawn, with its
whole line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import Final

from PIL.Image import Image as Picture

from devices.peripherals.escpos import commands, raster
from devices.peripherals.escpos.codes import BadCode, barcode, qr, qr_picture
from devices.peripherals.escpos.lines import Line, Piece, paragraph, table
from devices.peripherals.escpos.pages import Page, Pages, plain
from hub.documents.fonts import FontMissing, uncovered
from hub.documents.layout import (
    PLAIN,
    Align,
    Barcode,
    Block,
    Cell,
    Cut,
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

LINES_MAX: Final = 2000
LINES_TO_TEAR_BAR: Final = 5
QUIET_DOTS: Final = 16
"""Above codes and below QR codes."""


class Unprintable(ValueError):
    """It can't be printed as it is; the text says which part and why."""


@dataclass(frozen=True, slots=True)
class Paper:
    """What is printed on.  ``columns``: letters of font A in a line."""

    width_mm: int = 80
    columns: int = 48
    cutter: bool = True
    own_qr: bool = True
    """Whether the printer draws QR codes by itself."""

    @property
    def width_dots(self) -> int:
        return self.columns * raster.LETTER_WIDTH


NARROW: Final = Paper(58, 32)
WIDE: Final = Paper(80, 48)


@dataclass(frozen=True, slots=True)
class Job:
    """``segments``: commands, none broken between two; ``drawn``: the texts that became pictures;
    ``missing``: characters that no font has either (drawn as boxes)."""

    segments: tuple[bytes, ...]
    drawn: tuple[str, ...] = ()
    missing: frozenset[str] = frozenset()

    @property
    def data(self) -> bytes:
        return b"".join(self.segments)


def encode(layout: Layout, paper: Paper, pages: Pages) -> Job:
    """The whole document; the width is the printer's, whatever the layout was made for.

    Errors: :class:`Unprintable`.  Takes milliseconds, with pictures tens of them: use a thread.
    """
    drawing = _Encoding(layout, paper, pages)
    try:
        for block in layout.blocks:
            drawing.block(block)
    except (BadCode, raster.BadPicture, FontMissing) as error:
        raise Unprintable(str(error)) from error
    drawing.end()
    job = Job(tuple(drawing.segments), tuple(drawing.drawn), frozenset(drawing.missing))
    assert not commands.real_time_within(job.data), "a picture or code holds a real-time command"
    return job


@dataclass(slots=True)
class _Encoding:
    layout: Layout
    paper: Paper
    pages: Pages
    segments: list[bytes] = field(default_factory=list)
    drawn: list[str] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    page: Page | None = None
    align: str = "left"
    lines: int = 0

    def block(self, block: Block) -> None:
        match block:
            case Text():
                clean = Text(_clean(block.text), block.align, block.style)
                columns = self.paper.columns // block.style.scale
                self.print_lines(paragraph(clean, columns, self.width_of(block.style)))
            case Row():
                self.block(Table((block,)))
            case Table():
                self.table(block)
            case Rule():
                self.rule(heavy=block.heavy)
            case Space():
                self.segments.append(commands.feed(block.lines))
            case Barcode():
                self.barcode(block)
            case QrCode():
                self.qr(block)
            case Image():
                shown = raster.picture(block.png, block.width_mm, self.paper.width_dots)
                self.picture(shown, Align.CENTER)

    def end(self) -> None:
        if self.layout.cut is Cut.NONE or not self.paper.cutter:
            self.segments.append(commands.feed(LINES_TO_TEAR_BAR))
        else:
            self.segments.append(commands.cut(full=self.layout.cut is Cut.FULL))

    # Text -----------------------------------------------------------------------------------

    def table(self, block: Table) -> None:
        """Rows of one scale at a time, as the width of a letter depends on it."""
        rows = [
            Row(
                tuple(Cell(_clean(one.text), one.align, one.weight) for one in row.cells), row.style
            )
            for row in block.rows
        ]
        start = 0
        for n in range(1, len(rows) + 1):
            if n == len(rows) or rows[n].style.scale != rows[start].style.scale:
                part = Table(tuple(rows[start:n]))
                columns = self.paper.columns // rows[start].style.scale
                bold = any(row.style.bold for row in part.rows)
                width, squeezed = self.widths_of(part, bold=bold)
                rtl = self.layout.rtl
                self.print_lines(table(part, columns, width, rtl=rtl, squeezed=squeezed))
                start = n

    def width_of(self, style: Style) -> _Widths:
        return _Widths(self, style.bold)

    def widths_of(self, part: Table, *, bold: bool) -> tuple[_Widths, _Widths]:
        """As they are, and squeezed.  Where one cell is drawn its whole line is, and the others
        need the room that they take as pictures."""
        drawn = any(self.is_drawn(cell.text) for row in part.rows for cell in row.cells)
        return _Widths(self, bold, drawn), _Widths(self, bold, drawn, raster.SQUEEZED_PERCENT)

    def is_drawn(self, text: str) -> bool:
        """In a document from right to left all text is drawn: a printer orders nothing."""
        return not self.pages.hold(text) or (self.layout.rtl and bool(text.strip()))

    def print_lines(self, lines: list[Line]) -> None:
        self.lines += len(lines)
        if self.lines > LINES_MAX:
            raise Unprintable(f"the document has more than {LINES_MAX} lines")
        for line in lines:
            if any(self.is_drawn(piece.text) for piece in line.pieces):
                self.draw(line)
            else:
                self.type(line)

    def draw(self, line: Line) -> None:
        self.drawn.append(line.text)
        self.missing |= uncovered(line.text)
        self.picture(raster.draw_line(line, self.paper.width_dots, rtl=self.layout.rtl))

    def picture(self, picture: Picture, align: Align = Align.START) -> None:
        self.justify("left")
        self.segments += raster.bands(picture, self.paper.width_dots, align)

    def type(self, line: Line) -> None:
        """One line of letters."""
        style, out = line.style, b""
        alone = line.pieces[0] if len(line.pieces) == 1 else None
        columns = self.paper.columns // style.scale
        if alone is not None and alone.left == 0 and alone.room == columns:
            self.justify(self.side(alone.align))
            out = self.letters(self.pages.typed(alone.text))
        else:
            self.justify("left")
            out = self.letters(self.spaced(line, columns))
        self.segments.append(_on(style) + out + commands.LF + _off(style))

    def spaced(self, line: Line, columns: int) -> str:
        """The pieces at their columns; an inverse row is black from edge to edge."""
        text = ""
        for piece in line.pieces:
            typed = self.pages.typed(piece.text)
            slack = max(0, piece.room - len(typed))
            before = {"left": 0, "center": slack // 2, "right": slack}[self.side(piece.align)]
            text = text.ljust(piece.left + before) + typed
        return text.ljust(columns) if line.style.inverse else text

    def side(self, align: Align) -> str:
        match align:
            case Align.CENTER:
                return "center"
            case Align.START:
                return "right" if self.layout.rtl else "left"
            case Align.END:
                return "left" if self.layout.rtl else "right"

    def letters(self, text: str) -> bytes:
        out = b""
        for run in self.pages.runs(text, self.page):
            if run.page is not self.page:
                out += commands.code_page(run.page.number)
                self.page = run.page
            out += run.data
        return out

    def justify(self, side: str) -> None:
        if side != self.align:
            self.align = side
            self.segments.append(commands.ALIGN[side])

    # Everything else ------------------------------------------------------------------------

    def rule(self, *, heavy: bool) -> None:
        sign = next(one for one in ("═=" if heavy else "─-") if self.pages.hold(one))
        line = Line((Piece(sign * self.paper.columns, 0, self.paper.columns, Align.START),), PLAIN)
        self.type(line)

    def barcode(self, block: Barcode) -> None:
        """Too wide for the paper, it becomes a QR code of the same data."""
        made = barcode(block, self.paper.width_dots)
        if made is None:
            self.qr(QrCode(block.data))
        else:
            self.justify("center")
            self.segments.append(commands.feed_dots(QUIET_DOTS) + made)
        if block.text:
            self.block(Text(block.text, Align.CENTER))

    def qr(self, block: QrCode) -> None:
        self.segments.append(commands.feed_dots(QUIET_DOTS))
        own = qr(block, self.paper.width_dots) if self.paper.own_qr else None
        if own is None:
            self.picture(qr_picture(block, self.paper.width_dots), Align.CENTER)
        else:
            self.justify("center")
            self.segments.append(own)
        self.segments.append(commands.feed_dots(QUIET_DOTS))


@dataclass(frozen=True, slots=True)
class _Widths:
    """Columns that a text takes; drawn ones what they need.

    ``drawn``: typed ones as much as they would need as pictures; ``percent``: of their size.
    """

    encoding: _Encoding
    bold: bool
    drawn: bool = False
    percent: int = 100

    def __call__(self, text: str) -> int:
        if not text:
            return 0
        is_drawn = self.encoding.is_drawn(text)
        letters = 0 if is_drawn else len(self.encoding.pages.typed(text))
        if not (is_drawn or self.drawn):
            return letters
        dots = raster.text_width(text, bold=self.bold, rtl=self.encoding.layout.rtl)
        return max(letters, ceil(dots * self.percent / 100 / raster.LETTER_WIDTH))


def _clean(text: str) -> str:
    return "\n".join(plain(part) for part in text.replace("\r\n", "\n").split("\n"))


def _on(style: Style) -> bytes:
    return (
        (commands.bold(True) if style.bold else b"")
        + (commands.underline(True) if style.underline else b"")
        + (commands.inverse(True) if style.inverse else b"")
        + (commands.size(style.scale) if style.scale != 1 else b"")
    )


def _off(style: Style) -> bytes:
    return (
        (commands.size(1) if style.scale != 1 else b"")
        + (commands.inverse(False) if style.inverse else b"")
        + (commands.underline(False) if style.underline else b"")
        + (commands.bold(False) if style.bold else b"")
    )
