"""A layout for a label as ZPL II (Zebra Programming Guide): 203 dpi, UTF-8 (``^CI28``).

Lines are placed by us from top to bottom.  What the printer's own font is sure to have is sent as
text, everything else is drawn; what doesn't fit the label's height is refused, for half a price is
worse than none.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from PIL import Image as Pictures
from PIL import ImageDraw

from devices.peripherals.escpos.codes import BadCode, fit_for, qr_modules
from devices.peripherals.escpos.lines import Line, Piece, Width, paragraph, table
from devices.peripherals.escpos.pages import ALIKE, inkless, plain
from devices.peripherals.escpos.raster import DOTS_PER_MM, BadPicture, picture
from hub.documents.drawing import Pen, draw_text, text_width_px
from hub.documents.fonts import FontMissing, uncovered
from hub.documents.layout import (
    Align,
    Barcode,
    Block,
    Image,
    Layout,
    QrCode,
    Row,
    Rule,
    Space,
    Style,
    Symbology,
    Table,
    Text,
)

MARGIN: Final = 12
UNIT: Final = 4
"""Widths are counted in steps of so many dots."""
_OWN: Final = frozenset(
    chr(code) for code in (*range(0x20, 0x7F), *range(0xA1, 0x180), 0x20AC) if code != 0xAD
)
"""ASCII, Latin-1, Latin Extended-A and the euro sign: in font 0 of every firmware with ^CI28."""
_ESCAPES: Final = str.maketrans({"^": "_5E", "~": "_7E", "_": "_5F", "\\": "_5C"})
_KINDS: Final[dict[Symbology, str]] = {
    "code128": "^BCN,{height},N,N,N,A",
    "ean13": "^BEN,{height},N,N",
    "ean8": "^B8N,{height},N,N",
    "upca": "^BUN,{height},N,N,N",
    "code39": "^B3N,N,{height},N,N",
    "itf": "^B2N,{height},N,N,N",
}


class Unprintable(ValueError):
    """It can't be printed as it is; the text says which part and why."""


@dataclass(frozen=True, slots=True)
class Label:
    """``zpl``: one format, from ^XA to ^XZ; ``missing``: characters that no font has."""

    zpl: bytes
    missing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Sizes:
    """In dots; ``bars_percent``: of the height that bar codes are given."""

    letters: int
    line: int
    top: int
    bars_percent: int


# A label has the height it has: what doesn't fit is set smaller, down to letters of two mm.
_TRIED: Final = (_Sizes(24, 28, 12, 100), _Sizes(20, 24, 8, 85), _Sizes(16, 19, 6, 70))


def encode(layout: Layout) -> Label:
    """A whole label, in the largest letters that fit.  Errors: :class:`Unprintable`."""
    if not 15 <= layout.width_mm <= 220 or not 0 <= layout.height_mm <= 1000:
        raise Unprintable(f"no label is {layout.width_mm} by {layout.height_mm} mm")
    for sizes in _TRIED:
        made = _Label(layout, sizes)
        try:
            for block in layout.blocks:
                made.block(block)
        except (BadCode, BadPicture, FontMissing) as error:
            raise Unprintable(str(error)) from error
        height = layout.height_mm * DOTS_PER_MM or made.y + MARGIN
        if made.y <= height:
            return made.whole(height)
    raise Unprintable(
        f"the label needs {ceil(made.y / DOTS_PER_MM)} mm of height and has {layout.height_mm}"
    )


@dataclass(slots=True)
class _Label:
    layout: Layout
    sizes: _Sizes
    y: int = 0
    fields: list[str] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.y = self.sizes.top

    def whole(self, height: int) -> Label:
        head = f"^XA^CI28^PW{self.width}^LL{height}^LH0,0^LT0"
        # ^PQ1: one label, whatever was set before.
        text = head + "".join(self.fields) + "^PQ1^XZ\n"
        return Label(text.encode(), frozenset(self.missing))

    @property
    def width(self) -> int:
        return self.layout.width_mm * DOTS_PER_MM

    @property
    def room(self) -> int:
        return self.width - 2 * MARGIN

    def block(self, block: Block) -> None:
        match block:
            case Text():
                clean = Text(plain(block.text.replace("\n", " ")), block.align, block.style)
                self.lines(paragraph(clean, self.room // UNIT, self.widths(block.style)))
            case Row():
                self.block(Table((block,)))
            case Table():
                for row in block.rows:  # a style of its own each, as on a receipt
                    width = self.widths(row.style)
                    one = Table((row,))
                    self.lines(table(one, self.room // UNIT, width, rtl=self.layout.rtl))
            case Rule():
                thick = 4 if block.heavy else 2
                self.put(MARGIN, self.y + 6, f"^GB{self.room},{thick},{thick}")
                self.y += 12 + thick
            case Space():
                self.y += self.sizes.line * block.lines
            case Barcode():
                self.barcode(block)
            case QrCode():
                self.qr(block)
            case Image():
                shown = picture(block.png, block.width_mm, self.room)
                self.graphic(shown, MARGIN + (self.room - shown.width) // 2)
                self.y += shown.height + 4

    def put(self, x: int, y: int, command: str) -> None:
        self.fields.append(f"^FO{x},{y}{command}^FS")

    # Text -----------------------------------------------------------------------------------

    def pen(self, style: Style) -> Pen:
        return Pen((self.sizes.letters - 2) * style.scale, bold=style.bold, rtl=self.layout.rtl)

    def widths(self, style: Style) -> Width:
        pen = self.pen(style)
        return lambda text: ceil(text_width_px(text, pen) / UNIT) if text else 0

    def lines(self, lines: list[Line]) -> None:
        for line in lines:
            pen = self.pen(line.style)
            for piece in line.pieces:
                self.piece(piece, line.style, pen)
            self.y += self.sizes.line * line.style.scale

    def piece(self, piece: Piece, style: Style, pen: Pen) -> None:
        """In the printer's letters, which are narrower than ours; else a picture."""
        left, room = MARGIN + piece.left * UNIT, piece.room * UNIT
        clean = "".join(char for char in piece.text.translate(ALIKE) if not inkless(char))
        own = all(char in _OWN for char in clean) and not (self.layout.rtl or style.underline)
        if own and not style.bold and not style.inverse:
            size = self.sizes.letters * style.scale
            side = {Align.START: "L", Align.CENTER: "C", Align.END: "R"}[piece.align]
            data = clean.translate(_ESCAPES)
            self.put(left, self.y, f"^A0N,{size},{size}^FB{room},1,0,{side}^FH_^FD{data}")
            return
        self.missing |= uncovered(piece.text)
        drawn = draw_text(piece.text, pen)
        if style.inverse:
            drawn = drawn.convert("L").point(lambda shade: 255 - shade).convert("1")
        if style.underline:
            ImageDraw.Draw(drawn).line((0, drawn.height - 2, drawn.width, drawn.height - 2), 0, 2)
        self.graphic(drawn, left + self._shift(piece.align, max(0, room - drawn.width)))

    def _shift(self, align: Align, slack: int) -> int:
        if align is Align.CENTER:
            return slack // 2
        return slack if (align is Align.END) is not self.layout.rtl else 0

    def graphic(self, drawn: Pictures.Image, left: int) -> None:
        """^GFA: bits in hexadecimal, black is 1."""
        row_bytes = -(-drawn.width // 8)
        padded = Pictures.new("1", (row_bytes * 8, drawn.height), 1)
        padded.paste(drawn.convert("1"), (0, 0))
        data = padded.tobytes("raw", "1;I").hex().upper()
        total = row_bytes * drawn.height
        self.put(max(0, left), self.y, f"^GFA,{total},{total},{row_bytes},{data}")

    # Codes ----------------------------------------------------------------------------------

    def barcode(self, block: Barcode) -> None:
        data = fit_for(block.symbology, block.data)
        modules = {"ean13": 95, "upca": 95, "ean8": 67}.get(block.symbology)
        if modules is None:
            modules = (
                11 * (len(data) + 2) + 13 if block.symbology == "code128" else 18 * len(data) + 36
            )
        fitting = [one for one in (1, 2, 3) if (modules + 20) * one <= self.room]
        if not fitting:
            raise BadCode(f"{block.data!r} is too long for a bar code on {self.layout.width_mm} mm")
        height = max(24, block.height_mm * DOTS_PER_MM * self.sizes.bars_percent // 100)
        left = MARGIN + (self.room - modules * fitting[-1]) // 2
        kind = _KINDS[block.symbology].format(height=height)
        # EAN and UPC printers compute the check digit themselves.
        sent = data[:-1] if block.symbology in ("ean13", "ean8", "upca") else data
        body = sent.replace(">", ">0") if block.symbology == "code128" else sent
        self.put(left, self.y, f"^BY{fitting[-1]},2.5{kind}^FH_^FD{body.translate(_ESCAPES)}")
        self.y += height + 6
        if block.text:
            self.block(Text(block.text, Align.CENTER))

    def qr(self, block: QrCode) -> None:
        """^BQ draws up to 10 dots for a module and takes ASCII; anything else is a picture."""
        modules = qr_modules(block)
        module = max(1, min(round(block.size_mm * DOTS_PER_MM / modules), 10, self.room // modules))
        side = module * modules
        left = MARGIN + (self.room - side) // 2
        if block.data.isascii() and block.data.isprintable():
            data = block.data.translate(_ESCAPES)
            # Printers leave ten dots above the symbol.
            self.put(left, self.y, f"^BQN,2,{module}^FH_^FD{block.correction}A,{data}")
            self.y += side + 14
            return
        import segno

        out = io.BytesIO()
        made = segno.make_qr(block.data.encode(), error=block.correction, boost_error=False)
        made.save(out, kind="png", scale=module, border=0)
        self.graphic(Pictures.open(out).convert("1"), left)
        self.y += side + 8
