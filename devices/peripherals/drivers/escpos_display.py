"""Customer displays that speak ESC/POS (Epson DM-D series)."""

from __future__ import annotations

from typing import ClassVar

from devices.peripherals.escpos.twolines import CLEAR, INITIALISE, TwoLines


class EscposDisplay(TwoLines):
    """Epson DM-D and what speaks like it."""

    key: ClassVar[str] = "escpos-display"
    title: ClassVar[str] = "Customer display (ESC/POS)"

    def beginning(self) -> bytes:
        """ESC @, no national letters, overwrite mode (US MD1), cursor off (US C 0), clear."""
        return INITIALISE + b"\x1bR\x00" + b"\x1f\x01" + b"\x1fC\x00" + CLEAR

    def line(self, n: int, letters: bytes) -> bytes:
        """US $ column row."""
        return bytes((0x1F, 0x24, 1, n + 1)) + letters

    def page(self, number: int) -> bytes:
        """ESC t."""
        return bytes((0x1B, 0x74, number))


DRIVER = EscposDisplay
