"""What something is called tells what it may be."""

from __future__ import annotations

import pytest

from devices.peripherals.finding.found import TEXT_MAX, guess, tidy
from devices.peripherals.model import Category


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("EPSON TM-T88VI", Category.PRINTER),
        ("Star Micronics TSP143IIIU", Category.PRINTER),
        ("Zijiang USB_Receipt_Printer POS-80", Category.PRINTER),
        ("Zebra Technologies ZTC ZD420-203dpi ZPL", Category.PRINTER),
        ("Zebra_Technologies Symbol Bar Code Scanner DS2208", Category.SCANNER),
        ("Datalogic_ADC_Inc. Handheld", Category.SCANNER),
        ("Mettler-Toledo Ariva-S", Category.SCALE),
        ("EPSON DM-D30", Category.DISPLAY),
        ("FTDI_FT232R_USB_UART_A50285BI", None),
        ("Logitech USB Keyboard", None),
        ("", None),
    ],
)
def test_a_name_is_taken_for(name: str, category: Category | None) -> None:
    assert guess(name) is category


def test_what_a_stranger_says_of_itself_is_one_short_line() -> None:
    assert tidy("  Till\n\x1b[31m printer\x00 ") == "Till [31m printer"
    assert len(tidy("x" * 5000)) == TEXT_MAX
