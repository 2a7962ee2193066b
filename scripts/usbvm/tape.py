"""What a receipt printer makes of the bytes it gets: papers, answers, and what it can't read.

A strict reading of the ESC/POS that the hub may send; anything else is garbage and counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_FIXED: Final = {
    **dict.fromkeys((b"\x1b@", b"\x1b2", b"\x1c."), 2),
    **{bytes((0x1B, letter)): 3 for letter in b"aE-dJRt="},
    **{bytes((0x1D, letter)): 3 for letter in b"B!whHarI"},
    b"\x1dV": 4,
    b"\x1bp": 5,
}
"""Commands and how long they are."""
_COUNTED: Final[dict[bytes, tuple[int, Callable[[bytes], int]]]] = {
    b"\x1dk": (4, lambda data: data[3]),
    b"\x1d(": (5, lambda data: data[3] + 256 * data[4]),
    b"\x1dv": (8, lambda data: (data[4] + 256 * data[5]) * (data[6] + 256 * data[7])),
}
"""Commands that say how much comes after their head."""
_REQUEST: Final = re.compile(rb"\x10\x04([\x01-\x04])|\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08")
_BROKEN: Final = re.compile(rb"\x10(\x04|\x14[\x08\x01\x03\x14\x06\x02]{0,7})?$")
_SAYS: Final = {65: b"1.00", 66: b"EPSON", 67: b"TM-T20II", 68: b"X1AB"}
_WELL: Final = 0x12
PAPERS_MAX: Final = 5000


class Tape:
    """``papers``: those cut off, as text.  ``garbage``: bytes that no command begins with.

    ``confirming`` is asked before each GS r is answered: False, and it isn't.
    """

    def __init__(self) -> None:
        self.papers: list[str] = []
        self.garbage = bytearray()
        self.confirmed = 0
        self.begun = 0
        self.bytes_in = 0
        self.out_of_paper = False
        self.confirming: Callable[[], bool] = lambda: True
        self._early = b""
        self._waiting = bytearray()
        self._text = bytearray()

    def switched_off(self) -> None:
        """It forgets what it hasn't printed; the paper stays in it."""
        self._early = b""
        self._waiting.clear()

    @property
    def torn(self) -> str:
        """What stands on paper and isn't cut off."""
        return self._text.decode("latin-1")

    def feed(self, data: bytes) -> bytes:
        """What it answers."""
        self.bytes_in += len(data)
        data, self._early = self._early + data, b""
        if broken := _BROKEN.search(data):
            data, self._early = data[: broken.start()], data[broken.start() :]
        answers = bytearray()
        at = 0
        for found in _REQUEST.finditer(data):
            self._waiting += data[at : found.start()]
            at = found.end()
            if found[1] is None:
                self._waiting.clear()
            else:
                answers.append(self._status(found[1][0]))
        self._waiting += data[at:]
        return bytes(answers) + self.work()

    def work(self) -> bytes:
        """Work through what waits, unless there is no paper."""
        answers = bytearray()
        while self._waiting and not self.out_of_paper:
            taken = self._one(bytes(self._waiting), answers)
            if not taken:
                break
            del self._waiting[:taken]
        return bytes(answers)

    def _status(self, n: int) -> int:
        if not self.out_of_paper:
            return _WELL
        return {1: 0x1A, 2: 0x32, 4: 0x7E}.get(n, _WELL)

    def _one(self, data: bytes, answers: bytearray) -> int:
        """How long the first command is; 0 if its end is still to come."""
        first = data[0]
        if first >= 0x20 or first == 0x0A:
            self._text.append(first)
            return 1
        if first == 0:
            return 1
        length = _length(data)
        if length is None:
            self.garbage.append(first)
            return 1
        if not length or len(data) < length:
            return 0
        self._do(data[:length], answers)
        return length

    def _do(self, command: bytes, answers: bytearray) -> None:
        match command[:2]:
            case b"\x1b@":
                self.begun += 1
            case b"\x1dV":
                self._cut()
            case b"\x1dr":
                self.confirmed += 1
                if self.confirming():
                    answers.append(0)
            case b"\x1dI":
                answers += b"_" + _SAYS.get(command[2], b"") + b"\x00"

    def _cut(self) -> None:
        text = self._text.decode("latin-1")
        self._text.clear()
        if text.strip() and len(self.papers) < PAPERS_MAX:
            self.papers.append(text)


def _length(data: bytes) -> int | None:
    """Of the command at the beginning; 0: can't be told yet; None: there is none like it."""
    two = data[:2]
    if len(two) < 2:
        return 0 if data[0] in (0x1B, 0x1C, 0x1D) else None
    if two in _FIXED:
        return _FIXED[two]
    if two not in _COUNTED:
        return None
    head, counted = _COUNTED[two]
    return head + counted(data) if len(data) >= head else 0
