"""Barcodes and QR codes: as the printer's own commands, or as pictures where it can't."""

from __future__ import annotations

import io
import re
from typing import Final

from PIL import Image

from devices.peripherals.escpos import commands
from devices.peripherals.escpos.raster import DOTS_PER_MM
from hub.documents.layout import Barcode, QrCode, Symbology

_KINDS: Final[dict[Symbology, int]] = {
    "upca": 65,
    "ean13": 67,
    "ean8": 68,
    "code39": 69,
    "itf": 70,
    "code128": 73,
}
_DIGITS: Final[dict[Symbology, int]] = {"upca": 12, "ean13": 13, "ean8": 8}
_CORRECTIONS: Final = {"L": 48, "M": 49, "Q": 50, "H": 51}
_QUIET_MODULES: Final = 10
QR_BYTES_MAX: Final = 1200
"""Longer ones make symbols that no paper of 80 mm shows in a size that scanners read."""


class BadCode(ValueError):
    """It can't be made into that kind of code; the text says why."""


def _check_digit(digits: str) -> int:
    """GS1 General Specifications, 7.9."""
    total = sum(int(digit) * (3, 1)[n % 2] for n, digit in enumerate(reversed(digits)))
    return -total % 10


def fit_for(symbology: Symbology, data: str) -> str:
    """What is really encoded: with its check digit.  Errors: :class:`BadCode`."""
    if length := _DIGITS.get(symbology):
        if not re.fullmatch(rf"[0-9]{{{length - 1},{length}}}", data):
            raise BadCode(f"{data!r} is no {symbology}: that has {length} digits")
        check = str(_check_digit(data[: length - 1]))
        if len(data) == length and data[-1] != check:
            raise BadCode(f"{data!r} is no {symbology}: its last digit had to be {check}")
        return data[: length - 1] + check
    pattern = {
        "code39": r"[0-9A-Z $%+\-./]{1,80}",
        "itf": r"([0-9]{2}){1,40}",
        "code128": r"[ -~]{1,80}",
    }[symbology]
    if not re.fullmatch(pattern, data):
        raise BadCode(f"{data!r} can't be a {symbology} code")
    return data


def _code128(data: str) -> tuple[bytes, int]:
    """As GS k wants it, and its width in modules.  Set C where all are digits in pairs."""
    if re.fullmatch(r"([0-9]{2})+", data):
        pairs = bytes(int(data[n : n + 2]) for n in range(0, len(data), 2))
        # Pairs may look like a real-time command: 16 20 01 opens a drawer.
        if not commands.real_time_within(b"\x00" + pairs + b"\x00"):
            return b"{C" + pairs, 11 * (len(pairs) + 2) + 13
    return b"{B" + data.replace("{", "{{").encode(), 11 * (len(data) + 2) + 13


def _width(symbology: Symbology, data: str, module: int) -> int:
    """Dots across, without quiet zones; wide elements are two and a half narrow ones."""
    wide = -(-5 * module // 2)
    match symbology:
        case "ean13" | "upca":
            return 95 * module
        case "ean8":
            return 67 * module
        case "code128":
            return _code128(data)[1] * module
        case "code39":
            return (len(data) + 2) * (7 * module + 3 * wide)
        case "itf":
            return len(data) * (3 * module + 2 * wide) + 6 * module + wide


def barcode(block: Barcode, width_dots: int) -> bytes | None:
    """GS k with its settings and the line below; None: too wide for the paper.

    Errors: :class:`BadCode`.
    """
    data = fit_for(block.symbology, block.data)
    fitting = [
        module
        for module in (2, 3)
        if _width(block.symbology, data, module) + 2 * _QUIET_MODULES * module <= width_dots
    ]
    if not fitting:
        return None
    body = _code128(data)[0] if block.symbology == "code128" else data.encode()
    height = max(24, min(block.height_mm * DOTS_PER_MM, 255))
    settings = bytes((0x1D, 0x77, fitting[-1], 0x1D, 0x68, height)) + b"\x1dH\x00"
    return settings + bytes((0x1D, 0x6B, _KINDS[block.symbology], len(body))) + body


def qr_modules(block: QrCode) -> int:
    """How many modules its side has.  Errors: :class:`BadCode`."""
    import segno

    data = block.data.encode()
    if not data or len(data) > QR_BYTES_MAX:
        raise BadCode(f"a QR code holds 1 to {QR_BYTES_MAX} bytes here, not {len(data)}")
    try:
        # Which mask is best takes most of the time, and doesn't change the size.
        made = segno.make_qr(data, error=block.correction, boost_error=False, mask=0)
    except segno.DataOverflowError as error:
        raise BadCode(f"too much for a QR code: {len(data)} bytes") from error
    return int(made.symbol_size(border=0)[0])


def _qr_module(block: QrCode, width_dots: int) -> int:
    modules = qr_modules(block)
    wanted = round(block.size_mm * DOTS_PER_MM / modules)
    widest = width_dots // (modules + 4)
    return max(1, min(max(wanted, 2), widest, 16))


def qr(block: QrCode, width_dots: int) -> bytes | None:
    """GS ( k; None where the printer's own can't show it.  Errors: :class:`BadCode`."""
    module = _qr_module(block, width_dots)
    data = block.data.encode()

    def command(body: bytes) -> bytes:
        return b"\x1d(k" + len(body).to_bytes(2, "little") + body

    whole = (
        command(b"\x31\x41\x32\x00")
        + command(bytes((0x31, 0x43, module)))
        + command(bytes((0x31, 0x45, _CORRECTIONS[block.correction])))
        + command(b"\x31\x50\x30" + data)
        + command(b"\x31\x51\x30")
    )
    return None if commands.real_time_within(whole) else whole


def qr_picture(block: QrCode, width_dots: int) -> Image.Image:
    """The same as a picture.  Errors: :class:`BadCode`."""
    import segno

    module = _qr_module(block, width_dots)
    out = io.BytesIO()
    segno.make_qr(block.data.encode(), error=block.correction, boost_error=False).save(
        out, kind="png", scale=module, border=2
    )
    return Image.open(out).convert("1")
