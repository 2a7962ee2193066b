"""Codes out of the keys of a scanner that is a keyboard.

Source of the records: Linux's ``struct input_event`` (``linux/input.h``).  Scanners type what no
key gives by other means: GS as Ctrl+], as F8, or as an Alt code on the number pad, like any sign
outside of their layout.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from devices.peripherals.scanning.framing import Framer, Framing, Heard
from devices.peripherals.scanning.layouts import (
    KEYPAD,
    KEYPAD_SIGNS,
    LAYOUTS,
    RIGHT_BRACE,
    Layout,
    combine,
)

RECORD: Final = struct.Struct("@llHHi")
"""Seconds, microseconds, type, code, value."""
EV_SYN, EV_KEY = 0, 1
SYN_DROPPED: Final = 3
PRESSED: Final = 1
"""0 is released, 2 a key's own repeat."""
SHIFTS: Final = frozenset((42, 54))
CTRLS: Final = frozenset((29, 97))
_GS: Final = "\x1d"
_ALT_DIGITS_MAX: Final = 7


class Key(IntEnum):
    """Keys that do something else than give a sign."""

    TAB = 15
    ENTER = 28
    ALT = 56
    CAPS_LOCK = 58
    F8 = 66
    KEYPAD_ENTER = 96
    ALT_GR = 100


class GsKey(StrEnum):
    """How a scanner types GS; ``auto`` takes them all."""

    AUTO = "auto"
    CTRL = "ctrl"
    F8 = "f8"
    ALT = "alt"


@dataclass(frozen=True, slots=True)
class Typing:
    """How a scanner types, as was set on it."""

    layout: str = "us"
    gs: GsKey = GsKey.AUTO


class KeyEvent(NamedTuple):
    """One record of the kernel."""

    kind: int
    code: int
    value: int


class Records:
    """Puts together records however the reads cut them."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[KeyEvent]:
        """The whole records up to here."""
        data = self._rest + data
        whole = len(data) - len(data) % RECORD.size
        self._rest = data[whole:]
        for _, _, kind, code, value in RECORD.iter_unpack(data[:whole]):
            yield KeyEvent(kind, code, value)


class Wedge:
    """Turns keys into codes; ``hear`` is told of each."""

    def __init__(self, typing: Typing, framing: Framing, hear: Callable[[Heard], None]) -> None:
        self._layout: Layout = LAYOUTS[typing.layout]
        self._name = typing.layout
        self._gs = typing.gs
        self._framer = Framer(framing, hear)
        self._records = Records()
        self._down: set[int] = set()
        self._caps = False
        self._alt_digits = ""
        self._accent = ""

    @property
    def quiet_at_s(self) -> float | None:
        """See :class:`Framer`."""
        return self._framer.quiet_at_s

    def quiet(self) -> None:
        """See :class:`Framer`."""
        self._accent = ""
        self._framer.quiet()

    def feed(self, data: bytes, now_s: float) -> None:
        """Take what was read from the kernel at ``now_s``."""
        for event in self._records.feed(data):
            if event.kind == EV_SYN and event.code == SYN_DROPPED:
                self._down.clear()
                self._framer.spoil(
                    "Keys of the scanner were lost on the way: scan it again.", now_s
                )
            elif event.kind == EV_KEY and event.value == PRESSED:
                self._press(event.code, now_s)
            elif event.kind == EV_KEY and event.value == 0:
                self._release(event.code, now_s)

    # -- keys ----------------------------------------------------------------------------------

    def _press(self, code: int, now_s: float) -> None:
        self._down.add(code)
        if code in SHIFTS or code in CTRLS or code == Key.ALT_GR:
            return
        if code == Key.ALT:
            self._alt_digits = ""
        elif code == Key.CAPS_LOCK:
            self._caps = not self._caps
        elif Key.ALT in self._down and code in KEYPAD:
            self._alt_digits = (self._alt_digits + KEYPAD[code])[:_ALT_DIGITS_MAX]
        else:
            self._type(self._text_of(code, now_s), now_s)

    def _release(self, code: int, now_s: float) -> None:
        self._down.discard(code)
        if code == Key.ALT and self._alt_digits:
            digits, self._alt_digits = self._alt_digits, ""
            self._type(self._alt_text(digits, now_s), now_s)

    def _type(self, text: str, now_s: float) -> None:
        if text:
            self._framer.feed(text.encode(), now_s)

    def _text_of(self, code: int, now_s: float) -> str:
        match code:
            case Key.ENTER | Key.KEYPAD_ENTER:
                return self._accent_first() + "\r"
            case Key.TAB:
                return self._accent_first() + "\t"
            case Key.F8 if self._takes_gs(GsKey.F8):
                return _GS
        if code in KEYPAD or code in KEYPAD_SIGNS:
            return KEYPAD.get(code) or KEYPAD_SIGNS[code]
        levels = self._layout.keys.get(code)
        if levels is None:
            return ""  # a key without a sign: lights, arrows, other function keys
        if self._down & CTRLS and Key.ALT_GR not in self._down:
            return self._control(code, levels[0], now_s)
        return self._sign(code, levels, now_s)

    def _sign(self, code: int, levels: tuple[str, str, str], now_s: float) -> str:
        shift = bool(self._down & SHIFTS)
        level = 2 if Key.ALT_GR in self._down else int(shift)
        sign = levels[level]
        if level < 2 and self._caps and levels[0].isalpha() and levels[1] == levels[0].upper():
            sign = levels[1 - level]
        if not sign:
            self._framer.spoil(
                f"A key was typed that gives nothing in the layout {self._name!r}: set the driver's"
                " option layout to the scanner's country.",
                now_s,
            )
            return ""
        if level == 2 and sign == "]" and self._down & CTRLS and self._takes_gs(GsKey.CTRL):
            return _GS
        if (code, level) in self._layout.dead:
            first, self._accent = self._accent_first(), sign
            return first
        if self._accent:
            accent, self._accent = self._accent, ""
            return combine(accent, sign)
        return sign

    def _accent_first(self) -> str:
        accent, self._accent = self._accent, ""
        return accent

    def _control(self, code: int, plain: str, now_s: float) -> str:
        """Ctrl with a key: GS by where the key lies, others by their letter."""
        if code == RIGHT_BRACE or plain == "]":
            if self._takes_gs(GsKey.CTRL):
                return _GS
        elif plain.isascii() and plain.isalpha():
            return chr(ord(plain.upper()) - 0x40)
        elif plain == "\\":
            return "\x1c"
        self._framer.spoil("A control key was typed that means nothing: scan it again.", now_s)
        return ""

    def _alt_text(self, digits: str, now_s: float) -> str:
        """What Alt and a number type: with a leading zero Windows-1252, else code page 437; control
        characters as such; beyond 255 Unicode."""
        number = int(digits)
        if number == 0x1D and not self._takes_gs(GsKey.ALT):
            return ""
        if number < 0x80:
            return chr(number)
        try:
            if number > 0xFF:
                return chr(number).encode().decode()
            return bytes([number]).decode("cp1252" if digits[0] == "0" else "cp437")
        except (ValueError, OverflowError):
            self._framer.spoil(f"There is no sign of the Alt code {digits}: scan it again.", now_s)
            return ""

    def _takes_gs(self, how: GsKey) -> bool:
        return self._gs in (GsKey.AUTO, how)
