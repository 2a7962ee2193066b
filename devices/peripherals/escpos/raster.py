"""Pictures as ESC/POS raster images, in bands that a small receive buffer takes whole."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError

from devices.peripherals.escpos import commands
from devices.peripherals.escpos.lines import Line, Piece
from hub.documents.drawing import Pen, line_height_px, paint, text_width_px
from hub.documents.layout import Align

DOTS_PER_MM: Final = 8
"""203 dpi."""
LETTER_WIDTH: Final = 12
LINE_HEIGHT: Final = 30
"""Font A is 12 by 24 dots; lines are 30 apart."""
BAND_BYTES_MAX: Final = 2304
"""Of one raster command's data, so that it fits a 4 KiB buffer beside what is there already."""
PICTURE_HEIGHT_MAX: Final = 4096
SQUEEZED_PERCENT: Final = 70
_LETTERS: Final = 22


class BadPicture(ValueError):
    """It can't be drawn; the text says why."""


@lru_cache(maxsize=1024)
def text_width(text: str, *, bold: bool = False, rtl: bool = False) -> int:
    """Dots that a drawn text takes at scale 1."""
    return text_width_px(text, Pen(_LETTERS, bold=bold, rtl=rtl))


def draw_line(line: Line, width_dots: int, *, rtl: bool) -> Image.Image:
    """A whole line, as wide as the paper, black (0) on white (1).

    What is wider than its column is drawn smaller, down to ``SQUEEZED_PERCENT``.
    """
    style = line.style
    picture = Image.new("1", (width_dots, LINE_HEIGHT * style.scale), 1)
    canvas = ImageDraw.Draw(picture)
    ground = (picture.height + line_height_px(_LETTERS * style.scale)) // 2
    for piece in line.pieces:
        pen = Pen(_LETTERS * style.scale, bold=style.bold, rtl=rtl)
        room = piece.room * LETTER_WIDTH * style.scale
        width = text_width_px(piece.text, pen)
        if width > room:
            percent = max(SQUEEZED_PERCENT, 100 * room // width)
            pen = Pen(pen.size_px * percent // 100, bold=style.bold, rtl=rtl)
            width = text_width_px(piece.text, pen)
        left = max(0, min(_left(piece, width, style.scale, rtl=rtl), width_dots - width))
        if style.inverse:
            canvas.rectangle((left, 0, left + width, picture.height), fill=0)
        at = (left, ground - line_height_px(pen.size_px))
        paint(canvas, at, piece.text, pen, ink=1 if style.inverse else 0)
        if style.underline:
            canvas.line(
                (left, picture.height - 3, left + width, picture.height - 3), 0, style.scale
            )
    return picture


def _left(piece: Piece, width: int, scale: int, *, rtl: bool) -> int:
    cell = LETTER_WIDTH * scale
    slack = piece.room * cell - width
    match piece.align:
        case Align.CENTER:
            return piece.left * cell + slack // 2
        case Align.START:
            return piece.left * cell + (slack if rtl else 0)
        case Align.END:
            return piece.left * cell + (0 if rtl else slack)


def picture(png: bytes, width_mm: int, width_dots: int) -> Image.Image:
    """A PNG as black and white dots of the size it is printed.  Errors: :class:`BadPicture`."""
    try:
        with Image.open(io.BytesIO(png)) as opened:
            if opened.width * opened.height > 25_000_000:
                raise BadPicture(
                    f"a picture of {opened.width} by {opened.height} dots is too large"
                )
            source = opened.convert("RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadPicture(f"a picture can't be read: {error}") from error
    paper = Image.new("RGBA", source.size, "white")
    paper.alpha_composite(source)
    width = max(8, min(width_mm * DOTS_PER_MM, width_dots))
    height = max(1, min(round(source.height * width / source.width), PICTURE_HEIGHT_MAX))
    grey = paper.convert("L").resize((width, height), Image.Resampling.LANCZOS)
    shades = grey.histogram()
    # Drawings become crisp by a threshold, photographs need dither.
    drawn = sum(shades[:48]) + sum(shades[208:]) > 0.9 * width * height
    if drawn:
        return grey.point(lambda shade: 255 if shade > 140 else 0).convert(
            "1", dither=Image.Dither.NONE
        )
    return grey.convert("1")


def bands(image: Image.Image, width_dots: int, align: Align = Align.START) -> Iterator[bytes]:
    """GS v 0 commands, from top to bottom; each is whole in itself.

    What is left of the picture is made of white dots, as printers don't agree on whether
    justification holds for raster images; what is right of it isn't sent.
    """
    image = _placed(image.convert("1"), width_dots, align)
    ink = ImageOps.invert(image.convert("L")).getbbox()
    row_bytes = 1 if ink is None else max(1, -(-ink[2] // 8))
    rows = max(1, min(BAND_BYTES_MAX // row_bytes, 255))
    for top in range(0, image.height, rows):
        part = image.crop((0, top, row_bytes * 8, min(top + rows, image.height)))
        # Beyond its right edge a crop is black, which is 0 there as it is here: white is set.
        if row_bytes * 8 > image.width:
            part.paste(1, (image.width, 0, row_bytes * 8, part.height))
        dots = part.tobytes("raw", "1;I")
        header = b"\x1dv0\x00" + row_bytes.to_bytes(2, "little") + part.height.to_bytes(2, "little")
        yield header + commands.without_real_time(dots)


def _placed(image: Image.Image, width_dots: int, align: Align) -> Image.Image:
    left = {
        Align.START: 0,
        Align.CENTER: (width_dots - image.width) // 2,
        Align.END: width_dots - image.width,
    }[align]
    if left <= 0:
        return image
    paper = Image.new("1", (left + image.width, image.height), 1)
    paper.paste(image, (left, 0))
    return paper
