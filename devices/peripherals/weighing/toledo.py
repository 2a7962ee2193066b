"""Mettler Toledo's protocols: 8217 (asked for each weight) and continuous output.

Sources: the 8217 commands and status bits as Mettler Toledo's and Datalogic's service manuals list
them (``W``; ``STX 12.345 [N] CR``, or ``STX ? status CR`` when there is no weight to sell by), and
the continuous output format of the IND445 manual (section 5.2.2: status words A, B and C, six
digits of weight, six of tare, CR, checksum).  The eighth bit is parity where the line shows it.
"""

from __future__ import annotations

import re
from typing import Final

from devices.peripherals.weighing.reading import Nonsense, Reading, Unit, grams

STX: Final = 0x02
CR: Final = 0x0D
ASK: Final = b"W"
FRAME_MAX: Final = 64
_WEIGHT: Final = re.compile(rb"(\d{1,3})\.(\d{1,3})(N?)")
_DECIMALS: Final = {Unit.KG: 3, Unit.LB: 2}
_MOTION, _OVER, _UNDER, _CENTER, _NET = 1, 2, 4, 16, 32
_CONTINUOUS_BYTES: Final = 17


class Frames:
    """Cuts 8217's answers out of the line; whatever stands before STX is dropped."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._open = False

    def feed(self, data: bytes) -> list[bytes]:
        """The answers that are complete, without STX and CR, in seven bits."""
        found = []
        for byte in data:
            plain = byte & 0x7F
            if self._open and self._held == b"?":
                self._held.append(plain)  # a status: some scales' "overload" is the same as STX
            elif plain == STX:
                self._held.clear()
                self._open = True
            elif not self._open:
                continue
            elif plain == CR:
                found.append(bytes(self._held))
                self._open = False
            elif len(self._held) < FRAME_MAX:
                self._held.append(plain)
        return found

    def forget(self) -> None:
        """What comes now answers something else."""
        self._held.clear()
        self._open = False


def answer(frame: bytes, unit: Unit) -> Reading | Nonsense:
    """What an answer of an 8217 says.  It names no unit: the number of decimals gives it away when
    the scale is set to another one (a pound has two, a kilogram three)."""
    if len(frame) == 2 and frame[:1] == b"?":
        status = frame[1]
        return Reading(
            None,
            moving=bool(status & _MOTION),
            overload=bool(status & _OVER),
            under_zero=bool(status & _UNDER),
            zero=bool(status & _CENTER),
            net=bool(status & _NET),
        )
    found = _WEIGHT.fullmatch(frame)
    if found is None:
        return Nonsense("It answers, but not as an 8217 does: set the scale to 8217 mode.")
    if len(found[2]) != _DECIMALS[unit]:
        return Nonsense(
            f"It sends {len(found[2])} decimals, a scale in {unit} sends {_DECIMALS[unit]}: set the"
            " driver's option unit as the scale is set."
        )
    number = int(found[1] + found[2])
    return Reading(grams(number, len(found[2]), unit), zero=number == 0, net=bool(found[3]))


# Continuous output -------------------------------------------------------------------------------


class Continuous:
    """Cuts frames of continuous output out of the line, wherever the listening began.  ``checked``:
    each is followed by a checksum."""

    def __init__(self, *, checked: bool) -> None:
        self._length = _CONTINUOUS_BYTES + int(checked)
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are complete and right, STX to CR, in seven bits."""
        self._held += bytes(byte & 0x7F for byte in data)
        found: list[bytes] = []
        while True:
            start = self._held.find(STX)
            if start < 0:
                self._held.clear()
                return found
            del self._held[:start]
            if len(self._held) < self._length:
                return found
            frame = bytes(self._held[: self._length])
            if self._is_right(frame):
                found.append(frame[:_CONTINUOUS_BYTES])
                del self._held[: self._length]
            else:
                del self._held[:1]

    def _is_right(self, frame: bytes) -> bool:
        head = all(word & 0x20 for word in frame[1:4])
        return (
            head
            and frame[_CONTINUOUS_BYTES - 1] == CR
            and (self._length == _CONTINUOUS_BYTES or sum(frame) & 0x7F == 0)
        )


def continuous(frame: bytes) -> Reading | Nonsense:
    """What a frame of :class:`Continuous` says."""
    word_a, word_b, word_c = frame[1:4]
    unit = _unit(word_b, word_c)
    digits = frame[4:10].strip(b" ")
    if unit is None:
        return Nonsense("It weighs in a unit that nothing is sold by: set it to kg or lb.")
    if not digits.isdigit():
        return Nonsense("It sends no digits: set it to continuous output.")
    point = (word_a & 7) - 2
    number = int(digits) * (10 ** max(0, -point)) * (-1 if word_b & 2 else 1)
    extra = 1 if word_c & 0x10 else 0  # shown ten times finer
    return Reading(
        grams(number, max(0, point) + extra, unit),
        moving=bool(word_b & 8),
        overload=bool(word_b & 4) and number >= 0,
        under_zero=number < 0,
        zero=number == 0,
        net=bool(word_b & 1),
    )


def _unit(word_b: int, word_c: int) -> Unit | None:
    match word_c & 7:
        case 0:
            return Unit.KG if word_b & 0x10 else Unit.LB
        case 1:
            return Unit.G
        case 3:
            return Unit.OZ
        case _:
            return None
