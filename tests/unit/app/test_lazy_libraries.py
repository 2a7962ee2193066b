"""A hub that prints nothing yet carries nothing of what printing takes."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("PIL", "babel", "barcode", "bidi", "escpos", "evdev", "pyudev", "serial", "usb")


def test_an_idle_hub_has_loaded_no_library_of_printers_fonts_or_serial_lines() -> None:
    code = f"import sys, hub.app.hub; print([one for one in {HEAVY!r} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
