"""What the printer of the virtual machine makes of the bytes it gets."""

from __future__ import annotations

from random import Random

import pytest

from devices.peripherals.escpos import commands
from devices.peripherals.escpos.status import Answers, Block, InOrder, RealTime
from scripts.usbvm.tape import Tape

CONFIRM = commands.CONFIRM


def answers(data: bytes) -> list[object]:
    return list(Answers().feed(data))


def test_a_job_becomes_a_paper_and_is_confirmed() -> None:
    tape = Tape()
    told = tape.feed(commands.HEAD + CONFIRM + b"one\n" + commands.cut(full=True) + CONFIRM)
    assert (tape.papers, answers(told)) == (["one\n"], [InOrder(0), InOrder(0)])
    assert (tape.begun, tape.torn, len(tape.garbage)) == (1, "", 0)


def test_what_is_not_cut_off_stays_and_is_found_above_the_next() -> None:
    tape = Tape()
    tape.feed(b"half\n")
    assert tape.torn == "half\n"
    tape.feed(commands.INITIALISE + commands.cut(full=True) + b"whole\n" + commands.cut(full=False))
    assert tape.papers == ["half\n", "whole\n"]


def test_commands_may_come_in_any_pieces() -> None:
    raster = b"\x1dv0\x00\x02\x00\x03\x00\x1b\x40\x1d\x56\xff\x00"
    barcode = b"\x1dk\x49\x05\x1b\x40\n12"
    code = b"\x1d(k\x03\x00\x31\x51\x30"
    job = commands.HEAD + b"a\n" + raster + barcode + code + b"b\n" + commands.cut(full=True)
    rng = Random(7)
    for _ in range(200):
        tape, at = Tape(), 0
        while at < len(job):
            size = rng.randint(1, 9)
            tape.feed(job[at : at + size])
            at += size
        assert (tape.papers, len(tape.garbage)) == (["a\nb\n"], 0)


def test_status_is_told_at_once_and_printing_waits_for_paper() -> None:
    tape = Tape()
    tape.out_of_paper = True
    told = tape.feed(b"text\n" + CONFIRM + b"\x10\x04\x01\x10\x04\x02")
    assert answers(told) == [RealTime(0x1A), RealTime(0x32)]
    assert tape.torn == ""
    tape.out_of_paper = False
    assert answers(tape.work()) == [InOrder(0)]
    assert tape.torn == "text\n"


def test_it_forgets_when_it_is_told_to_or_switched_off() -> None:
    for forget in (lambda tape: tape.feed(commands.CLEAR_BUFFERS), Tape.switched_off):
        tape = Tape()
        tape.out_of_paper = True
        tape.feed(b"never\n")
        forget(tape)
        tape.out_of_paper = False
        assert (tape.work(), tape.torn) == (b"", "")


def test_a_request_that_is_torn_is_still_one() -> None:
    tape = Tape()
    assert tape.feed(b"\x10") == b""
    assert tape.feed(b"\x04") == b""
    assert answers(tape.feed(b"\x02")) == [RealTime(0x12)]
    assert not tape.garbage


def test_it_says_who_it_is() -> None:
    (told,) = answers(Tape().feed(b"\x1dI\x43"))
    assert isinstance(told, Block)
    assert told.data == b"TM-T20II"


def test_a_confirmation_can_be_kept_back() -> None:
    tape = Tape()
    tape.confirming = lambda: False
    assert tape.feed(b"text\n" + CONFIRM) == b""
    assert tape.confirmed == 1


@pytest.mark.parametrize("stray", [b"\x1bz", b"\x1dZ", b"\x07"])
def test_what_is_no_command_is_garbage(stray: bytes) -> None:
    tape = Tape()
    tape.feed(stray + b"x\n")
    assert tape.garbage
