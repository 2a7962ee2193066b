"""Bars and squares of codes, as modules that anybody can draw."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from hub.documents.layout import Barcode, QrCode

QUIET_BARS: Final = 10
"""Modules of white on both sides of bars (ISO/IEC 15417: ten)."""
QUIET_QR: Final = 4
"""Modules of white around a QR code (ISO/IEC 18004)."""


def bars(code: Barcode) -> str | None:
    """Modules from left to right, ``1`` is black; None when the symbology can't say the data."""
    import barcode
    from barcode.errors import BarcodeError

    try:
        made = barcode.get(code.symbology, code.data).build()
    except (BarcodeError, ValueError, KeyError, IndexError):
        return None
    return str(made[0])


def bar_runs(modules: str) -> list[tuple[int, int]]:
    """Start and width of each black bar."""
    found, at = [], 0
    for black, run in groupby(modules):
        width = len(list(run))
        if black == "1":
            found.append((at, width))
        at += width
    return found


def squares(code: QrCode) -> Sequence[Sequence[int]] | None:
    """Rows of modules, 1 is black, without the quiet zone; None when the data is too long."""
    import segno

    try:
        made = segno.make_qr(code.data, error=code.correction, boost_error=False)
    except segno.DataOverflowError:
        return None
    return [list(row) for row in made.matrix]
