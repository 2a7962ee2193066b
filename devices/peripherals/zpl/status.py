"""What a ZPL printer says of itself when it is asked ``~HS`` (Host Status Return).

Three lines, each between STX and ETX, with commas::

    aaa,b,c,dddd,eee,f,g,h,iii,j,k,l     b paper out · c paused · d label length · e formats waiting
                                         f buffer full · k under temperature · l over temperature
    mmm,n,o,p,q,r,s,t,uuuuuuuu,v,www     o head up · p ribbon out · u labels left in the batch
    xxxx,y                               password, static RAM
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from hub.contract.conditions import Condition

REQUEST: Final = b"~HS\r\n"
ANSWER_BYTES_MAX: Final = 512
_ANSWER = re.compile(
    rb"\x02([0-9,]+)\x03\r?\n?\x02([0-9,]+)\x03\r?\n?\x02([0-9A-Za-z,]+)\x03(?:\r?\n)?"
)


@dataclass(frozen=True, slots=True)
class LabelStatus:
    """``waiting``: formats in its buffer and labels of the batch that aren't printed yet."""

    paper_out: bool = False
    paused: bool = False
    head_up: bool = False
    ribbon_out: bool = False
    too_hot: bool = False
    too_cold: bool = False
    waiting: int = 0

    @property
    def stopped(self) -> bool:
        """It doesn't print now."""
        return bool(self.why)

    @property
    def conditions(self) -> frozenset[Condition]:
        """Ribbon, temperature and pause are ``printer-offline``."""
        found: set[Condition] = set()
        if self.paper_out:
            found.add("printer-paper-empty")
        if self.head_up:
            found.add("printer-cover-open")
        if self.stopped and not found:
            found.add("printer-offline")
        return frozenset(found)

    @property
    def why(self) -> str:
        """Why it is stopped and what to do; empty when it isn't."""
        if self.head_up:
            return "the label printer's head is open: close it"
        if self.paper_out:
            return "the label printer has no labels: put in a roll"
        if self.ribbon_out:
            return "the label printer has no ribbon: put in a roll"
        if self.too_hot:
            return "the label printer is too hot: let it cool down"
        if self.too_cold:
            return "the label printer is too cold"
        return "the label printer is paused: press its pause button" if self.paused else ""


def take(buffer: bytearray) -> LabelStatus | None:
    """The first whole answer in ``buffer``, which is then taken out; None: not yet.

    Keeps at most ``ANSWER_BYTES_MAX`` bytes.
    """
    found = _ANSWER.search(buffer)
    if found is None:
        del buffer[:-ANSWER_BYTES_MAX]
        return None
    first, second = found[1].split(b","), found[2].split(b",")
    del buffer[: found.end()]
    if len(first) < 12 or len(second) < 9:
        return None
    return LabelStatus(
        paper_out=first[1] == b"1",
        paused=first[2] == b"1",
        head_up=second[2] == b"1",
        ribbon_out=second[3] == b"1",
        too_cold=first[10] == b"1",
        too_hot=first[11] == b"1",
        waiting=int(first[4] or 0) + int(second[8] or 0),
    )
