"""How columns share a line, and how text is wrapped: for any unit of width.

``measure`` tells the width of a text in the unit that ``width`` is given in (letters or pixels).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache

from hub.documents.layout import Cell, Row

Measure = Callable[[str], int]


def widths(
    rows: Sequence[Row], measures: Sequence[Measure], width: int, gap: int
) -> list[int] | None:
    """The width of every column, or None when what must not be cut leaves too little room: the
    cells are then set below each other.

    A column without weight is as wide as its widest cell; the others share what is left by their
    weights, the last of them taking the remainder.  ``measures``: one for each row.
    """
    count = max((len(row.cells) for row in rows), default=0)
    if count == 0:
        return []
    columns = [
        [
            (row.cells[n], measure)
            for row, measure in zip(rows, measures, strict=True)
            if n < len(row.cells)
        ]
        for n in range(count)
    ]
    weights = [max(cell.weight for cell, _ in column) for column in columns]
    fixed = [
        0 if weight else max(measure(cell.text) for cell, measure in column)
        for column, weight in zip(columns, weights, strict=True)
    ]
    # A column without any text takes no gap either.
    gaps = gap * (sum(1 for w, f in zip(weights, fixed, strict=True) if w or f) - 1)
    left = width - sum(fixed) - max(0, gaps)
    total = sum(weights)
    if left < 0 or (total and left < sum(map(_least, columns, weights))):
        return None
    shares = [left * weight // total if total else 0 for weight in weights]
    if total:
        shares[max(n for n, weight in enumerate(weights) if weight)] += left - sum(shares)
    return [
        share if weight else own for share, weight, own in zip(shares, weights, fixed, strict=True)
    ]


def _least(column: list[tuple[Cell, Measure]], weight: int) -> int:
    """What a wrapping column needs at least: its widest word, but not more than eight letters
    (longer words are broken)."""
    if not weight:
        return 0
    words = ((measure, word) for cell, measure in column for word in cell.text.split())
    return max((min(measure(word), measure("0" * 8)) for measure, word in words), default=0)


def wrap(text: str, measure: Measure, width: int) -> list[str]:
    """``text`` in lines of at most ``width``: broken at spaces, between letters of scripts that
    have none, and within a word that is wider than a line.  Nothing is lost but the spaces at the
    breaks.  A single letter wider than the line stands alone."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in _pieces(paragraph):
            if measure((line + piece).rstrip(" ")) <= width:
                line += piece
                continue
            if line.strip(" "):
                lines.append(line.rstrip(" "))
            line = ""
            for letter in piece:
                if line and measure(line + letter) > width:
                    lines.append(line)
                    line = ""
                line += letter
        lines.append(line.rstrip(" "))
    return lines


def _pieces(text: str) -> list[str]:
    """Where a line may end: after spaces and around ideographs and kana."""
    pieces: list[str] = []
    current = ""
    for char in text:
        wide = is_wide(char)
        if current and (
            (current[-1] == " " and char != " ")
            or ((wide or is_wide(current[-1])) and not _starts_no_line(char))
        ):
            pieces.append(current)
            current = ""
        current += char
    if current:
        pieces.append(current)
    return pieces


@lru_cache(maxsize=4096)
def _starts_no_line(char: str) -> bool:
    """Closing marks, small kana, and what lengthens or repeats the letter before it."""
    kind = unicodedata.category(char)
    return kind in {"Po", "Pe", "Pf", "Lm", "Mn", "Zs"} or "SMALL" in unicodedata.name(char, "")


def is_wide(char: str) -> bool:
    """Ideographs, kana and hangul: two columns wide in monospaced text, and no spaces between."""
    code = ord(char)
    return (
        0x1100 <= code <= 0x115F
        or 0x2E80 <= code <= 0xA4CF
        or 0xAC00 <= code <= 0xD7A3
        or 0xF900 <= code <= 0xFAFF
        or 0xFE30 <= code <= 0xFE6F
        or 0xFF00 <= code <= 0xFF60
        or 0xFFE0 <= code <= 0xFFE6
        or 0x20000 <= code <= 0x3FFFD
    )
