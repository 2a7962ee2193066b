"""USB devices that Linux plays itself: configfs gadgets, each on a ``dummy_hcd`` of its own.

Binding a gadget to its controller plugs it in; the kernel's host side enumerates it as any other.
Plugging takes and gives no time to the caller: what becomes of it the drivers and udev decide.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GADGETS: Final = Path("/sys/kernel/config/usb_gadget")
_ENGLISH: Final = "strings/0x409"
KEYBOARD: Final = bytes.fromhex(
    "05010906a101050719e029e71500250175019508810295017508810395057501"
    "050819012905910295017503910395067508150025650507190029658100c0"
)
"""The report descriptor of a boot keyboard (USB HID 1.11, appendix B.1)."""
REPORT_BYTES: Final = 8
_SHIFT: Final = 0x02
_ENTER: Final = 0x28
_DIGITS: Final = "1234567890"


@dataclass(frozen=True, slots=True)
class Looks:
    """What it says of itself; ``vendor`` and ``product`` as four hexadecimal digits."""

    vendor: str
    product: str
    serial: str
    maker: str
    model: str


class Gadget:
    """``name``: in configfs; ``function``: such as ``printer.counter``, with ``attributes``."""

    def __init__(
        self,
        name: str,
        looks: Looks,
        function: str,
        controller: str,
        attributes: Mapping[str, bytes] | None = None,
    ) -> None:
        self.looks = looks
        self._root = GADGETS / name
        self._controller = controller
        self.function = self._root / "functions" / function
        self.function.mkdir(parents=True)
        for attribute, value in (attributes or {}).items():
            (self.function / attribute).write_bytes(value)
        self._describe()
        (self._root / "configs" / "c.1").mkdir()
        (self._root / "configs" / "c.1" / function).symlink_to(self.function)

    def _describe(self) -> None:
        (self._root / "idVendor").write_text(f"0x{self.looks.vendor}")
        (self._root / "idProduct").write_text(f"0x{self.looks.product}")
        strings = self._root / _ENGLISH
        strings.mkdir()
        (strings / "serialnumber").write_text(self.looks.serial)
        (strings / "manufacturer").write_text(self.looks.maker)
        (strings / "product").write_text(self.looks.model)

    @property
    def plugged(self) -> bool:
        """Whether it is in its socket."""
        return bool((self._root / "UDC").read_text().strip())

    def plug(self) -> None:
        """Into its socket.  Errors: OSError."""
        (self._root / "UDC").write_text(self._controller)

    def unplug(self) -> None:
        """Nothing if it is out already."""
        with suppress(OSError):
            (self._root / "UDC").write_text("\n")


def keys(text: str) -> list[bytes]:
    """The reports of a keyboard set to the United States that types ``text`` (letters and digits)
    and Enter: each key down, then all up.  Raises ValueError for any other sign."""
    found = []
    for sign in text:
        modifier, usage = 0, 0
        if sign in _DIGITS:
            usage = 0x1E + _DIGITS.index(sign)
        elif sign.isascii() and sign.isalpha():
            modifier = _SHIFT if sign.isupper() else 0
            usage = 0x04 + ord(sign.lower()) - ord("a")
        else:
            raise ValueError(f"no key for {sign!r}")
        found.append((modifier, usage))
    found.append((0, _ENTER))
    reports: list[bytes] = []
    for modifier, usage in found:
        reports += [bytes((modifier, 0, usage, 0, 0, 0, 0, 0)), bytes(REPORT_BYTES)]
    return reports


def type_keys(node: Path, text: str) -> None:
    """Type and press Enter; blocks until the host has fetched the last report.  Errors: OSError."""
    fd = os.open(node, os.O_RDWR)
    try:
        for report in keys(text):
            os.write(fd, report)
    finally:
        os.close(fd)
