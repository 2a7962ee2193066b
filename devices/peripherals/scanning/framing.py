"""Codes out of the bytes of a serial scanner.

A scanner ends each code with a suffix that its owner has set; without one a code ends when nothing
comes for a while.  However the bytes are cut into reads, the same codes come out.  Source of the
identifiers: ISO/IEC 15424 (``]``, a letter, a modifier).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from devices.peripherals.model import Misread, Scanned

MAX_CODE_BYTES: Final = 2048
"""Longer than any symbol that is on goods; what follows up to the next suffix is left out."""
GAP_S: Final = 0.05
"""A scanner sends a code without pauses: 50 ms are 48 characters at 9600 Bd."""
TRICKLE_S: Final = 2.0
"""A code that hasn't ended by then was broken off; it must not become the head of the next."""
_AROUND: Final = b"\r\n\x02\x03"
"""Line ends that a scanner sends beside its suffix, and STX and ETX of those that frame so."""
_AIM: Final = re.compile(rb"\][A-Za-z][0-9A-Za-z]")


class Suffix(StrEnum):
    """What ends a code.  ``cr``, ``lf`` and ``crlf`` alike end at either of both bytes."""

    CR = "cr"
    LF = "lf"
    CRLF = "crlf"
    TAB = "tab"
    NONE = "none"


class Encoding(StrEnum):
    """How text is encoded; ``auto``: UTF-8 if it is that, else Latin-1."""

    AUTO = "auto"
    UTF_8 = "utf-8"
    LATIN_1 = "latin-1"


Heard = Scanned | Misread


@dataclass(frozen=True, slots=True)
class Framing:
    """A scanner's settings.  ``prefix``: bytes that it sends before each code."""

    suffix: Suffix = Suffix.CRLF
    encoding: Encoding = Encoding.AUTO
    prefix: bytes = b""
    gap_s: float = GAP_S
    max_bytes: int = MAX_CODE_BYTES

    @property
    def enders(self) -> bytes:
        """The bytes that end a code."""
        match self.suffix:
            case Suffix.CR | Suffix.LF | Suffix.CRLF:
                return b"\r\n"
            case Suffix.TAB:
                return b"\t"
            case Suffix.NONE:
                return b""

    @property
    def pause_s(self) -> float:
        """The silence after which what has come is looked at."""
        return self.gap_s if self.suffix is Suffix.NONE else TRICKLE_S


def decode(raw: bytes, framing: Framing) -> Heard:
    """One code as its scanner sent it.  ``Scanned.data`` is UTF-8, with GS (0x1D) kept."""
    body = raw.removeprefix(framing.prefix)
    aim = ""
    if _AIM.match(body):
        aim, body = body[:3].decode("ascii"), body[3:]
    if not body:
        return Misread("The scanner sent an identifier without a code: scan it again.", len(raw))
    if framing.encoding is Encoding.LATIN_1:
        return Scanned(body.decode("latin-1").encode(), aim)
    try:
        codecs.utf_8_decode(body, "strict", True)
    except UnicodeDecodeError:
        if framing.encoding is Encoding.UTF_8:
            return Misread(
                "The scanner sent bytes that aren't UTF-8: set the driver's option encoding to"
                " latin-1, or the scanner to UTF-8.",
                len(raw),
            )
        return Scanned(body.decode("latin-1").encode(), aim)
    return Scanned(body, aim)


class Framer:
    """Collects bytes into codes.  Times are seconds on a monotonic clock."""

    def __init__(self, framing: Framing, hear: Callable[[Heard], None]) -> None:
        self._framing = framing
        self._enders = framing.enders
        self._hear = hear
        self._held = bytearray()
        self._lost_bytes = 0
        self._spoilt = ""
        self._last_s = 0.0

    @property
    def quiet_at_s(self) -> float | None:
        """When :meth:`quiet` is due unless something comes; None when nothing is held."""
        return self._last_s + self._framing.pause_s if self._holds else None

    @property
    def _holds(self) -> bool:
        return bool(self._held or self._lost_bytes or self._spoilt)

    def feed(self, data: bytes, now_s: float) -> None:
        """Take what was read at ``now_s``.  It goes on with what is held: whether there was a pause
        only the reader knows (a busy box may have kept it waiting)."""
        self._last_s = now_s
        if not self._enders:
            self._hold(data)
            return
        start = 0
        for at, byte in enumerate(data):
            if byte in self._enders:
                self._hold(data[start:at])
                self._end()
                start = at + 1
        self._hold(data[start:])

    def spoil(self, why: str, now_s: float) -> None:
        """Something of the code that is coming is lost: it ends as a misread."""
        self._spoilt = why
        self._last_s = now_s

    def quiet(self) -> None:
        """Nothing has come for the framing's pause."""
        if self._framing.suffix is Suffix.NONE:
            self._end()
        elif self._holds:
            length = len(self._held) + self._lost_bytes
            self._forget()
            self._hear(
                Misread(
                    "A code was broken off, or the scanner sends no suffix: scan it again; if that"
                    " doesn't help, set the driver's option suffix to none.",
                    length,
                )
            )

    def _hold(self, data: bytes) -> None:
        room = self._framing.max_bytes - len(self._held)
        self._held += data[:room]
        self._lost_bytes += max(0, len(data) - room)

    def _end(self) -> None:
        raw, lost, spoilt = bytes(self._held).strip(_AROUND), self._lost_bytes, self._spoilt
        self._forget()
        if spoilt:
            self._hear(Misread(spoilt, len(raw) + lost))
        elif lost:
            most = self._framing.max_bytes
            why = f"A code has at most {most} bytes: scan codes one by one, or set the suffix."
            self._hear(Misread(why, len(raw) + lost))
        elif raw:
            self._hear(decode(raw, self._framing))

    def _forget(self) -> None:
        self._held.clear()
        self._lost_bytes = 0
        self._spoilt = ""
