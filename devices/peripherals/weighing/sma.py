"""The serial protocol of the Scale Manufacturers Association (SCP-0499, 1999, level 1 and 2).

A command is LF, a letter, CR; an answer LF, its fields, CR: status, range, gross or net, motion, a
spare one, ten characters of weight, three of unit (section 5.1).
"""

from __future__ import annotations

import re
from typing import Final

from devices.peripherals.weighing.reading import Nonsense, Reading, Unit, grams

ASK: Final = b"\nW\r"
REPEAT: Final = b"\nR\r"
ABOUT: Final = b"\nA\r"
MORE: Final = b"\nB\r"
ABORT: Final = b"\x1b"
FRAME_MAX: Final = 64
_LF: Final = 0x0A
_CR: Final = 0x0D
_NUMBER: Final = re.compile(r"(-?)\s*(\d{1,8})(?:\.(\d{1,6}))?")
_UNITS: Final = {"kg": Unit.KG, "g": Unit.G, "lb": Unit.LB, "oz": Unit.OZ}
_ERRORS: Final = {
    "E": "It can't set itself to zero: empty it and switch it off and on.",
    "I": "It can't set itself to zero: empty it and switch it off and on.",
    "T": "Its tare was refused: clear the tare on the scale.",
}


class Frames:
    """Cuts answers out of the line; whatever stands before LF is dropped."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._open = False

    def feed(self, data: bytes) -> list[str]:
        """The answers that are complete, without LF and CR."""
        found = []
        for byte in data:
            plain = byte & 0x7F
            if plain == _LF:
                self._held.clear()
                self._open = True
            elif not self._open:
                continue
            elif plain == _CR:
                found.append(self._held.decode("ascii"))
                self._open = False
            elif len(self._held) < FRAME_MAX:
                self._held.append(plain)
        return found


def answer(frame: str) -> Reading | Nonsense:
    """What a standard answer says."""
    if len(frame) != 18 or frame[2].upper() not in "GNT":
        return Nonsense("It answers, but not as an SMA scale does: set the scale to SMA.")
    status, kind, moving = frame[0], frame[2].upper(), frame[3] == "M"
    if status in _ERRORS:
        return Nonsense(_ERRORS[status])
    if status in "OU":
        return Reading(None, moving, overload=status == "O", under_zero=status == "U")
    unit = _UNITS.get(frame[15:].strip("_ ").lower())
    found = _NUMBER.fullmatch(frame[5:15].strip())
    if unit is None:
        return Nonsense(f"It weighs in {frame[15:].strip('_ ')!r}: set it to kg, g, lb or oz.")
    if found is None or kind == "T":
        return Nonsense("It sends no weight: switch it off and on.")
    decimals = found[3] or ""
    number = int(found[2] + decimals) * (-1 if found[1] else 1)
    return Reading(
        grams(number, len(decimals), unit),
        moving,
        under_zero=number < 0,
        zero=status == "Z" or number == 0,
        net=kind == "N",
    )


def about(frame: str) -> tuple[str, str] | None:
    """A field of what a scale says about itself (section 5.5): ``MFG``, ``MOD``, ``REV``, ``SN``
    or ``END``; None for anything else."""
    name, colon, value = frame.partition(":")
    return (name.strip(" _"), value.strip()) if colon and len(name) == 3 else None
