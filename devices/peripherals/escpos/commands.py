"""The ESC/POS commands that are sent, as bytes (Epson's ESC/POS Command Reference)."""

from __future__ import annotations

import re
from typing import Final

LF: Final = b"\n"
NUL: Final = b"\x00"

INITIALISE: Final = b"\x1b@"
KANJI_OFF: Final = b"\x1c."
"""FS .: printers made for China start in a mode where two high bytes are one sign."""
CHARACTERS_USA: Final = b"\x1bR\x00"
"""ESC R 0: without a national set ``#$@[]^{}`` print as themselves."""
LINE_SPACING: Final = b"\x1b2"
ASB_OFF: Final = b"\x1da\x00"

HEAD: Final = INITIALISE + KANJI_OFF + CHARACTERS_USA + LINE_SPACING
"""Of each job: whatever was set before is forgotten."""

CONFIRM: Final = b"\x1dr\x01"
"""GS r 1: answered in its turn, when all that came before is done; never while it is stopped."""

SELECT_PRINTER: Final = b"\x1b=\x01"
SELECT_DISPLAY: Final = b"\x1b=\x02"

CLEAR_BUFFERS: Final = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
"""DLE DC4 8: forget, at once, what was received and isn't printed yet (TM printers; others ignore
it)."""

ALIGN: Final = {"left": b"\x1ba\x00", "center": b"\x1ba\x01", "right": b"\x1ba\x02"}

_REAL_TIME = re.compile(rb"\x10[\x04\x05\x14]")


def status_request(n: int) -> bytes:
    """DLE EOT n: answered at once."""
    return bytes((0x10, 0x04, n))


def bold(on: bool) -> bytes:
    return b"\x1bE\x01" if on else b"\x1bE\x00"


def underline(on: bool) -> bytes:
    return b"\x1b-\x01" if on else b"\x1b-\x00"


def inverse(on: bool) -> bytes:
    return b"\x1dB\x01" if on else b"\x1dB\x00"


def size(scale: int) -> bytes:
    """GS !: ``scale`` 1 to 8, in both directions."""
    return bytes((0x1D, 0x21, (scale - 1) << 4 | (scale - 1)))


def feed(lines: int) -> bytes:
    """ESC d, 0 to 255 lines."""
    return bytes((0x1B, 0x64, max(0, min(lines, 255))))


def feed_dots(dots: int) -> bytes:
    """ESC J, 0 to 255 dots."""
    return bytes((0x1B, 0x4A, dots))


def code_page(number: int) -> bytes:
    return bytes((0x1B, 0x74, number))


def cut(*, full: bool) -> bytes:
    """GS V 65/66: feed to the cutter, and cut."""
    return b"\x1dVA\x00" if full else b"\x1dVB\x00"


def pulse(connector_pin: int, pulse_ms: int) -> bytes:
    """ESC p m t1 t2; ``connector_pin`` 2 or 5; the pause after the pulse is 200 ms or more."""
    on = max(1, min(round(pulse_ms / 2), 255))
    return bytes((0x1B, 0x70, {2: 0, 5: 1}[connector_pin], on, max(on, 100)))


def real_time_within(data: bytes) -> bool:
    """Whether a printer would find a real-time command (DLE EOT, DLE ENQ, DLE DC4) in ``data``.

    Printers look for these in pictures and codes, too: DLE DC4 opens the drawer or switches the
    printer off.
    """
    return _REAL_TIME.search(data) is not None


def without_real_time(dots: bytes) -> bytes:
    """A picture's bytes with one dot more where they would be a real-time command."""
    return _REAL_TIME.sub(lambda found: bytes((0x10, found[0][1] | 0x08)), dots)
