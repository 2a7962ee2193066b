"""Lines of text as pictures: any script, shaped and in its direction, in black and white.

A printer whose code pages lack a letter prints the line as such a picture.  Shaping and the
bidirectional algorithm (UAX #9) are libraqm's, which comes with Pillow and wants libfribidi0.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Final

from PIL import Image, ImageDraw, ImageFont, features

from hub.documents.columns import is_wide
from hub.documents.fonts import FontMissing, Run, first_face, font, runs

WIDTH_MAX_PX: Final = 8192
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL"})
_SIGNS: Final = frozenset("\u2010\u2013\u2014\u2018\u2019\u201c\u201d\u2026\u20ac")
_MARKS: Final = dict.fromkeys(map(ord, "\u200e\u200f\u061c"))


@dataclass(frozen=True, slots=True)
class Pen:
    """How letters are drawn: em in pixels, weight, and the direction of the whole line."""

    size_px: int
    bold: bool = False
    rtl: bool = False


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run as it is drawn, from left to right."""

    run: Run
    rtl: bool


def line_height_px(size_px: int) -> int:
    """Height of a line: of every picture that :func:`draw_text` makes at that size."""
    ascent, descent = font(first_face(), size_px).getmetrics()
    return ascent + descent


def has_rtl(text: str) -> bool:
    """Whether any of it reads from right to left."""
    return any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in text)


def text_width_px(text: str, pen: Pen) -> int:
    """How wide :func:`draw_text` makes one line of text."""
    return round(sum(_advance(piece, pen) for piece in _pieces(text, pen.rtl)))


def draw_text(text: str, pen: Pen) -> Image.Image:
    """One line, black on white in mode ``1``, as wide as its text (at most 8192 pixels).

    ``text`` is in logical order and has no line breaks.  Errors: :class:`FontMissing`.
    """
    width = min(max(1, text_width_px(text, pen)), WIDTH_MAX_PX)
    picture = Image.new("1", (width, line_height_px(pen.size_px)), 1)
    paint(ImageDraw.Draw(picture), (0, 0), text, pen)
    return picture


def paint(
    canvas: ImageDraw.ImageDraw, at: tuple[int, int], text: str, pen: Pen, ink: int = 0
) -> None:
    """Draw one line into a picture; ``at`` is the upper left corner of the line."""
    x, baseline = float(at[0]), at[1] + font(first_face(), pen.size_px).getmetrics()[0]
    for piece in _pieces(text, pen.rtl):
        _paint_piece(canvas, (x, baseline), piece, pen, ink)
        x += _advance(piece, pen)


def _paint_piece(
    canvas: ImageDraw.ImageDraw, at: tuple[float, int], piece: _Piece, pen: Pen, ink: int
) -> None:
    face = piece.run.face
    if face is None:
        _paint_boxes(canvas, at, len(piece.run.text), pen, ink)
        return
    canvas.text(
        at,
        piece.run.text,
        fill=ink,
        font=font(face, pen.size_px, pen.bold, _is_shaped(piece)),
        anchor="ls",
        direction="rtl" if piece.rtl else None,
        stroke_width=_stroke(piece.run, pen),
    )


def _stroke(run: Run, pen: Pen) -> float:
    """What makes letters bold whose font has no bold ones."""
    thin = run.face is not None and run.face.bold is None
    return pen.size_px / 40 if pen.bold and thin else 0


def _paint_boxes(
    canvas: ImageDraw.ImageDraw, at: tuple[float, int], count: int, pen: Pen, ink: int
) -> None:
    # A letter that nobody can draw is seen to be missing.
    x, side = round(at[0]), pen.size_px * 7 // 10
    for _ in range(count):
        canvas.rectangle((x + 1, at[1] - side, x + side - 1, at[1]), outline=ink, width=1)
        x += side + 1


def _advance(piece: _Piece, pen: Pen) -> float:
    face = piece.run.face
    if face is None:
        return len(piece.run.text) * (pen.size_px * 7 // 10 + 1)
    return font(face, pen.size_px, pen.bold, _is_shaped(piece)).getlength(
        piece.run.text, direction="rtl" if piece.rtl else None
    )


def _is_shaped(piece: _Piece) -> bool:
    # Latin, Greek and Cyrillic without marks of their own, ideographs and kana stand one by one.
    return piece.rtl or not all(
        char < "\u0300" or "\u0370" <= char < "\u0483" or is_wide(char) or char in _SIGNS
        for char in piece.run.text
    )


def _pieces(text: str, rtl: bool) -> list[_Piece]:
    """Runs in the order in which they stand on the paper."""
    if not has_rtl(text) and not rtl:
        return [_Piece(run, False) for run in runs(text.translate(_MARKS))]
    _need_shaping()
    whole = runs(text)
    if len(whole) == 1:
        return [_Piece(whole[0], rtl)]
    # Several fonts: stretches of one direction, each shaped by itself (levels 0 to 2 of UAX #9;
    # numbers within a right-to-left stretch are libraqm's).
    pieces: list[_Piece] = []
    for stretch, direction in _stretches(text, rtl):
        found = [_Piece(run, direction) for run in runs(stretch)]
        found = found[::-1] if direction else found
        pieces = found + pieces if rtl else pieces + found
    return pieces


def _stretches(text: str, rtl: bool) -> list[tuple[str, bool]]:
    """``text`` cut where the direction changes; what has none goes with both its neighbours if
    they agree, else with the line."""
    strong = _directions(text, rtl)
    before, after = list(strong), list(strong)
    for n in range(1, len(strong)):
        before[n] = before[n - 1] if strong[n] is None else strong[n]
    for n in range(len(strong) - 2, -1, -1):
        after[n] = after[n + 1] if strong[n] is None else strong[n]
    found: list[tuple[str, bool]] = []
    for char, own, left, right in zip(text, strong, before, after, strict=True):
        near = {rtl if side is None else side for side in (left, right)}
        direction = own if own is not None else (near.pop() if len(near) == 1 else rtl)
        if found and found[-1][1] == direction:
            found[-1] = (found[-1][0] + char, direction)
        else:
            found.append((char, direction))
    return found


def _directions(text: str, rtl: bool) -> list[bool | None]:
    """Whether each letter reads from right to left; numbers go with the letters before them."""
    found: list[bool | None] = []
    latest = rtl
    for char in text:
        match unicodedata.bidirectional(char):
            case "R" | "AL":
                latest = True
                found.append(True)
            case "L":
                latest = False
                found.append(False)
            case "EN" | "AN":
                found.append(latest)
            case _:
                found.append(None)
    return found


@cache
def _need_shaping() -> None:
    if not (features.check("raqm") and features.check("fribidi")):
        raise FontMissing(
            "Text from right to left can't be shaped: run apt-get install libfribidi0, and restart."
        )
    if ImageFont.core is None:  # pragma: no cover - Pillow without FreeType has no raqm either
        raise FontMissing("Pillow has no FreeType: install Pillow's wheel.")
