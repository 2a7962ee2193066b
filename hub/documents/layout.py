"""A document as it will look, without saying on what: blocks from top to bottom.

Everything that draws (ESC/POS, ZPL, pictures, HTML) reads only this.  Text is Unicode in logical
order; who draws it sees to code pages, fonts and direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Align(StrEnum):
    """``start`` and ``end`` follow the direction of the document."""

    START = "start"
    CENTER = "center"
    END = "end"


class Cut(StrEnum):
    """How the paper is cut after the document."""

    FULL = "full"
    PARTIAL = "partial"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Style:
    """``scale``: 1, or 2 for double width and height."""

    bold: bool = False
    underline: bool = False
    inverse: bool = False
    scale: Literal[1, 2] = 1


PLAIN = Style()
BOLD = Style(bold=True)
LARGE = Style(bold=True, scale=2)


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; wrapped at spaces."""

    text: str
    align: Align = Align.START
    style: Style = PLAIN


@dataclass(frozen=True, slots=True)
class Cell:
    """``weight``: its share of the width; 0: as wide as its text, never cut."""

    text: str
    align: Align = Align.START
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """Columns side by side.  Cells with a weight wrap; the others keep together."""

    cells: tuple[Cell, ...]
    style: Style = PLAIN


@dataclass(frozen=True, slots=True)
class Table:
    """Rows whose columns line up: a column without weight is as wide as its widest cell."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across; ``heavy`` is double or thick."""

    heavy: bool = False


@dataclass(frozen=True, slots=True)
class Space:
    """Empty lines."""

    lines: int = 1


Symbology = Literal["code128", "ean13", "ean8", "upca", "code39", "itf"]


@dataclass(frozen=True, slots=True)
class Barcode:
    """A one-dimensional code; ``text``: printed below it (empty: none)."""

    symbology: Symbology
    data: str
    text: str = ""
    height_mm: int = 12


@dataclass(frozen=True, slots=True)
class QrCode:
    """ISO/IEC 18004; ``size_mm``: its side, at most the paper's width."""

    data: str
    size_mm: int = 28
    correction: Literal["L", "M", "Q", "H"] = "M"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture (PNG bytes), drawn in black and white; ``width_mm`` at most the paper's."""

    png: bytes
    width_mm: int
    alt: str = ""


Block = Text | Row | Table | Rule | Space | Barcode | QrCode | Image


@dataclass(frozen=True, slots=True)
class Layout:
    """A whole document.

    ``width_mm``: of the paper, 58 or 80 (labels: their own); ``height_mm`` 0: as long as needed.
    ``locale``: BCP 47, e.g. ``de-DE``; ``rtl``: it reads from right to left.  ``title``: for lists
    and HTML, not printed.  ``after_torn``: half of another document may stand on the paper above
    it, which printers that cut roll paper cut off first.
    """

    title: str
    blocks: tuple[Block, ...]
    width_mm: int = 80
    height_mm: int = 0
    locale: str = "en-GB"
    rtl: bool = False
    cut: Cut = Cut.PARTIAL
    after_torn: bool = False
