"""Paragraphs and tables broken into lines of a fixed number of columns.

What is as wide as a column is decided by ``width``: printed letters take one, drawn ones what they
need.  Pure.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from hub.documents.layout import Align, Row, Style, Table, Text

Width = Callable[[str], int]
"""How many columns a text takes."""

GAP: Final = 1
NARROWEST: Final = 6
"""Columns that a wrapped cell gets at least; else it is put on lines of its own."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text in a box of a line.  ``left`` and ``room`` in columns, from the left edge."""

    text: str
    left: int
    room: int
    align: Align


@dataclass(frozen=True, slots=True)
class Line:
    """One line; its pieces don't overlap and go from left to right."""

    pieces: tuple[Piece, ...]
    style: Style

    @property
    def text(self) -> str:
        return " ".join(piece.text for piece in self.pieces)


def paragraph(block: Text, columns: int, width: Width) -> list[Line]:
    """A text as lines; an empty one is an empty line."""
    return [
        Line((Piece(one, 0, columns, block.align),), block.style)
        for one in wrap(block.text, columns, width)
    ]


def table(
    block: Table, columns: int, width: Width, *, rtl: bool, squeezed: Width | None = None
) -> list[Line]:
    """All rows, with columns that line up.

    Cells without weight are never cut or wrapped: where they leave too little for those with a
    weight, these get lines of their own above.  ``squeezed``: how narrow a word can be made before
    it has to be broken.
    """
    rooms = _rooms(block, columns, width)
    found: list[Line] = []
    for row in block.rows:
        if rooms is None:
            found += _stacked(row, columns, width)
        else:
            found += _row(row, rooms, width, squeezed or width)
    return [_mirrored(line, columns) for line in found] if rtl else found


def _rooms(block: Table, columns: int, width: Width) -> tuple[int, ...] | None:
    """How wide each column is; None: they don't fit beside each other."""
    count = max((len(row.cells) for row in block.rows), default=0)
    weights, widths = [0] * count, [0] * count
    for row in block.rows:
        for n, cell in enumerate(row.cells):
            weights[n] = max(weights[n], cell.weight)
            if not cell.weight:
                widths[n] = max(widths[n], width(cell.text))
    left = columns - GAP * max(0, count - 1)
    left -= sum(room for room, weight in zip(widths, weights, strict=True) if not weight)
    shares = sum(weights)
    if left < (NARROWEST * sum(1 for weight in weights if weight)):
        return None
    if not shares:
        if count == 1 or (count and _pushed(block)):
            widths[0] += left  # the rest stands at the far end
        return tuple(widths)
    rooms, given, seen = [], 0, 0
    for room, weight in zip(widths, weights, strict=True):
        seen += weight
        share = left * seen // shares - given
        given += share
        rooms.append(share if weight else room)
    kept = [
        (cell, room) for row in block.rows for cell, room in zip(row.cells, rooms, strict=False)
    ]
    if any(not cell.weight and width(cell.text) > room for cell, room in kept):
        return None
    return tuple(rooms)


def _pushed(block: Table) -> bool:
    return any(cell.align is Align.END for row in block.rows for cell in row.cells[1:])


def _row(row: Row, rooms: tuple[int, ...], width: Width, squeezed: Width) -> list[Line]:
    stacks = []
    for cell, room in zip(row.cells, rooms, strict=False):
        stacks.append(wrap(cell.text, room, width, squeezed) if cell.weight else [cell.text])
    lines = []
    for n in range(max(map(len, stacks), default=1)):
        pieces, left = [], 0
        for cell, stack, room in zip(row.cells, stacks, rooms, strict=False):
            if n < len(stack) and stack[n]:
                pieces.append(Piece(stack[n], left, room, cell.align))
            left += room + GAP
        lines.append(Line(tuple(pieces), row.style))
    return lines


def _stacked(row: Row, columns: int, width: Width) -> list[Line]:
    """Each cell with a weight on its own lines, the others together below, or alone if need be."""
    lines, rest = [], []
    for cell in row.cells:
        if cell.weight:
            lines += [
                Line((Piece(one, 0, columns, cell.align),), row.style)
                for one in wrap(cell.text, columns, width)
            ]
        elif cell.text:
            rest.append(cell)
    if sum(width(cell.text) + GAP for cell in rest) - GAP <= columns:
        right, pieces = columns, []
        for cell in reversed(rest):
            right -= width(cell.text)
            pieces.append(Piece(cell.text, right, width(cell.text), Align.START))
            right -= GAP
        lines += [Line(tuple(reversed(pieces)), row.style)] if pieces else []
    else:
        for n, cell in enumerate(rest):
            side = Align.END if n and n == len(rest) - 1 else cell.align
            lines += [
                Line((Piece(one, 0, columns, side),), row.style)
                for one in wrap(cell.text, columns, width)
            ]
    return lines


def _mirrored(line: Line, columns: int) -> Line:
    pieces = [replace(one, left=columns - one.left - one.room) for one in line.pieces]
    return replace(line, pieces=tuple(reversed(pieces)))


def wrap(text: str, room: int, width: Width, squeezed: Width | None = None) -> list[str]:
    """Lines no wider than ``room`` columns; a word that is longer is broken.  Never empty."""
    lines: list[str] = []
    for part in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        lines += _wrapped(part.replace("\t", " "), max(1, room), width, squeezed or width)
    return lines


def _wrapped(text: str, room: int, width: Width, squeezed: Width) -> list[str]:
    lines: list[str] = []
    line = ""
    for word in _words(text):
        if width((line + word).rstrip(" ")) <= room:
            line += word
            continue
        if line.strip(" "):
            lines.append(line.rstrip(" "))
        line = word.lstrip(" ")
        while squeezed(line.rstrip(" ")) > room:
            head, line = _broken(line, room, width)
            lines.append(head)
    return [*lines, line.rstrip(" ")]


def _words(text: str) -> list[str]:
    """Words with the spaces before them; each wide character (CJK) is a word."""
    words: list[str] = []
    for char in text:
        before = words[-1][-1] if words else " "
        fresh = not words or (char == " " and before != " ")
        if fresh or _wide(before) or (_wide(char) and before != " "):
            if words and _joins(before, char):
                words[-1] += char
            else:
                words.append(char)
        else:
            words[-1] += char
    return words


def _wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in ("W", "F")


def _joins(before: str, char: str) -> bool:
    """Whether no line may end between the two: marks, joiners, skin tones, closing punctuation."""
    if char == "\u200d" or before == "\u200d" or "\U0001f3fb" <= char <= "\U0001f3ff":
        return True
    return unicodedata.category(char) in ("Mn", "Me", "Mc", "Cf", "Pe", "Pf", "Po")


def _broken(word: str, room: int, width: Width) -> tuple[str, str]:
    """The longest head of ``word`` that fits, but at least one letter with its marks."""
    cut = 1
    while cut < len(word) and _joins(word[cut - 1], word[cut]):
        cut += 1
    at = cut
    while at < len(word):
        at += 1
        if at < len(word) and _joins(word[at - 1], word[at]):
            continue
        if width(word[:at]) > room:
            break
        cut = at
    return word[:cut], word[cut:]
