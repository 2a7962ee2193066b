"""What ESC/POS printers say of themselves, decoded.

Five kinds of bytes come back and are told apart by fixed bits (Epson ESC/POS Command Reference,
"Identifying transmission status"): ``0xx1xx10`` answers DLE EOT, ``0xx1xx00`` begins the four bytes
of Automatic Status Back, ``0xx0xxxx`` answers GS r, 0x11/0x13 are XON/XOFF, and 0x3D, 0x5F and 0x37
begin a block that ends with NUL.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from hub.contract.conditions import Condition

BLOCK_MAX: Final = 256
_BLOCK_HEADS = (0x3D, 0x5F, 0x37)


@dataclass(frozen=True, slots=True)
class RealTime:
    """The answer to one DLE EOT."""

    byte: int


@dataclass(frozen=True, slots=True)
class InOrder:
    """The answer to one GS r."""

    byte: int


@dataclass(frozen=True, slots=True)
class Back:
    """Automatic Status Back: four bytes, sent when something changes."""

    bytes_: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """An answer to GS I and the like, without its head and NUL."""

    head: int
    data: bytes


Answer = RealTime | InOrder | Back | Block


class Answers:
    """Takes bytes as they come and gives whole answers.  Keeps at most ``BLOCK_MAX`` bytes."""

    def __init__(self) -> None:
        self._part = bytearray()

    def feed(self, data: bytes) -> list[Answer]:
        """What is complete by now; flow control and line noise give nothing."""
        taken = [self._take(byte) for byte in data]
        return [one for one in taken if one is not None]

    def _take(self, byte: int) -> Answer | None:
        part = self._part
        if part and part[0] in _BLOCK_HEADS:
            return self._block(byte)
        if part:
            if byte & 0x90 == 0:
                part.append(byte)
                if len(part) == 4:
                    return Back(self._done())
                return None
            self._done()  # not a status back after all: the byte stands for itself
        if byte & 0x93 == 0x12:
            return RealTime(byte)
        if byte in _BLOCK_HEADS or byte & 0x93 == 0x10:
            part.append(byte)
            return None
        return InOrder(byte) if byte & 0x90 == 0 else None

    def _block(self, byte: int) -> Answer | None:
        if byte == 0:
            whole = self._done()
            return Block(whole[0], whole[1:])
        self._part.append(byte)
        if len(self._part) > BLOCK_MAX:
            self._done()
        return None

    def _done(self) -> bytes:
        whole = bytes(self._part)
        self._part.clear()
        return whole


@dataclass(frozen=True, slots=True)
class Status:
    """All that a printer tells of its state."""

    offline: bool = False
    cover_open: bool = False
    paper_empty: bool = False
    paper_near_end: bool = False
    feeding: bool = False
    cutter_error: bool = False
    recoverable_error: bool = False
    fatal_error: bool = False
    pin3_high: bool = False
    """The level of the drawer's contact (connector pin 3)."""

    @property
    def stopped(self) -> bool:
        """It doesn't print now."""
        return self.offline or self.cover_open or self.paper_empty or self.error

    @property
    def error(self) -> bool:
        return self.cutter_error or self.recoverable_error or self.fatal_error

    @property
    def conditions(self) -> frozenset[Condition]:
        """``printer-offline`` only where paper or cover don't explain it."""
        found: set[Condition] = set()
        if self.cover_open:
            found.add("printer-cover-open")
        if self.paper_empty:
            found.add("printer-paper-empty")
        elif self.paper_near_end:
            found.add("printer-paper-near-end")
        explained = self.cover_open or self.paper_empty
        if self.error or (self.offline and not explained):
            found.add("printer-offline")
        return frozenset(found)

    @property
    def why(self) -> str:
        """Why it is stopped and what to do, in words; empty when it isn't."""
        if self.fatal_error:
            return "the printer reports a fault: switch it off and on; if it stays, have it mended"
        if self.cover_open:
            return "the printer's cover is open: close it"
        if self.paper_empty:
            return "the printer has no paper: put in a roll"
        if self.cutter_error:
            return "the printer's cutter is stuck: open the cover, clear the paper, close it"
        if self.recoverable_error:
            return "the printer reports an error: open and close its cover"
        if self.feeding:
            return "the printer is off-line: somebody is feeding paper"
        return "the printer is off-line: press its on-line or feed button" if self.offline else ""


WELL: Final = Status()


def with_real_time(status: Status, n: int, byte: int) -> Status:
    """``status`` with what the answer to DLE EOT ``n`` (1 to 4) says."""
    match n:
        case 1:
            return replace(status, pin3_high=bool(byte & 0x04), offline=bool(byte & 0x08))
        case 2:
            return replace(
                status,
                cover_open=bool(byte & 0x04),
                feeding=bool(byte & 0x08),
                paper_empty=status.paper_empty or bool(byte & 0x20),
            )
        case 3:
            return replace(
                status,
                recoverable_error=bool(byte & 0x44),
                cutter_error=bool(byte & 0x08),
                fatal_error=bool(byte & 0x20),
            )
        case 4:
            return replace(
                status,
                paper_near_end=bool(byte & 0x0C),
                paper_empty=status.paper_empty or bool(byte & 0x60),
            )
        case _:
            raise ValueError(f"DLE EOT {n} is not asked")


def of_real_time(answers: tuple[int, int, int, int]) -> Status:
    """The answers to DLE EOT 1, 2, 3 and 4."""
    status = WELL
    for n, byte in enumerate(answers, start=1):
        status = with_real_time(status, n, byte)
    return status


def of_status_back(four: bytes) -> Status:
    """Automatic Status Back (GS a), four bytes."""
    first, second, third, _ = four
    return Status(
        pin3_high=bool(first & 0x04),
        offline=bool(first & 0x08),
        cover_open=bool(first & 0x20),
        feeding=bool(first & 0x40),
        recoverable_error=bool(second & 0x44),
        cutter_error=bool(second & 0x08),
        fatal_error=bool(second & 0x20),
        paper_near_end=bool(third & 0x03),
        paper_empty=bool(third & 0x0C),
    )
