"""Documents as monospaced text, for logs, lists and tests.

Text stays in reading order: in a document from right to left the first column is still written
first, and whoever shows it sees to the direction.
"""

from __future__ import annotations

import unicodedata
from typing import assert_never

from hub.documents.columns import is_wide, widths, wrap
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
    Table,
    Text,
)
from hub.documents.templates import Paper


def plain(layout: Layout, columns: int = 0) -> str:
    """The document in lines of at most ``columns`` letters (0: as many as a printer has)."""
    width = columns or Paper(layout.width_mm, layout.height_mm).columns
    lines = [line.rstrip() for block in layout.blocks for line in _lines(block, width)]
    return "\n".join(lines) + "\n"


def letters_wide(text: str) -> int:
    """Columns that a monospaced text takes: two for ideographs, none for marks."""
    return sum(
        0 if unicodedata.category(char) in {"Mn", "Me", "Cf"} else 2 if is_wide(char) else 1
        for char in text
    )


def _lines(block: Block, width: int) -> list[str]:
    match block:
        case Text():
            letters = width // block.style.scale
            found = wrap(block.text, letters_wide, letters)
            return [_aligned(line, block.align, width) for line in found]
        case Row():
            return _rows((block,), width)
        case Table():
            return _rows(block.rows, width)
        case Rule():
            return [("=" if block.heavy else "-") * width]
        case Space():
            return [""] * block.lines
        case Barcode():
            return _code(f"{block.symbology} {block.text or block.data}", width)
        case QrCode():
            return _code(f"qr {block.data}", width)
        case Image():
            return _code(block.alt or "image", width)
        case _:
            assert_never(block)


def _code(text: str, width: int) -> list[str]:
    return [_aligned(line, Align.CENTER, width) for line in wrap(f"[{text}]", letters_wide, width)]


def _rows(rows: tuple[Row, ...], width: int) -> list[str]:
    shares = widths(rows, [letters_wide] * len(rows), width, 1)
    lines: list[str] = []
    for row in rows:
        if shares is None:
            lines += _stacked(row, width)
        else:
            lines += _side_by_side(row, shares)
    return lines


def _stacked(row: Row, width: int) -> list[str]:
    return [
        _aligned(line, cell.align, width)
        for cell in row.cells
        if cell.text
        for line in wrap(cell.text, letters_wide, width)
    ]


def _side_by_side(row: Row, shares: list[int]) -> list[str]:
    cells = [
        (wrap(cell.text, letters_wide, share) if cell.weight else [cell.text], cell, share)
        for cell, share in zip(_filled(row, len(shares)), shares, strict=True)
        if share
    ]
    height = max((len(lines) for lines, _, _ in cells), default=0)
    return [
        " ".join(
            _aligned(lines[n] if n < len(lines) else "", cell.align, share)
            for lines, cell, share in cells
        )
        for n in range(height)
    ]


def _filled(row: Row, count: int) -> tuple[Cell, ...]:
    return row.cells + (Cell(""),) * (count - len(row.cells))


def _aligned(text: str, align: Align, width: int) -> str:
    room = max(0, width - letters_wide(text))
    match align:
        case Align.START:
            return text + " " * room
        case Align.CENTER:
            return " " * (room // 2) + text + " " * (room - room // 2)
        case Align.END:
            return " " * room + text
