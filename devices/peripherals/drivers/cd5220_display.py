"""Customer displays that speak CD5220, as most pole displays can."""

from __future__ import annotations

from typing import ClassVar

from devices.peripherals.escpos.twolines import CLEAR, INITIALISE, TwoLines


class Cd5220Display(TwoLines):
    """CD5220, the mode that most pole displays have."""

    key: ClassVar[str] = "cd5220-display"
    title: ClassVar[str] = "Customer display (CD5220)"

    def beginning(self) -> bytes:
        """ESC @, overwrite mode (ESC DC1), cursor off (ESC _ 0), clear."""
        return INITIALISE + b"\x1b\x11" + b"\x1b_\x00" + CLEAR

    def line(self, n: int, letters: bytes) -> bytes:
        """ESC l column row moves the cursor; ESC Q would take a change of the page for letters."""
        return bytes((0x1B, 0x6C, 1, n + 1)) + letters

    def page(self, number: int) -> bytes:
        """ESC t."""
        return bytes((0x1B, 0x74, number))


DRIVER = Cd5220Display
