"""What printers answer, byte by byte."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.peripherals.escpos.session import groups
from devices.peripherals.escpos.status import (
    BLOCK_MAX,
    Answer,
    Answers,
    Back,
    Block,
    InOrder,
    RealTime,
    Status,
    of_real_time,
    of_status_back,
)


def test_kinds_of_answers_are_told_apart() -> None:
    answers = Answers().feed(b"\x12\x00\x11\x13\x0f\x5fEPSON\x00\x14\x00\x0f\x00\x16")
    assert answers == [
        RealTime(0x12),
        InOrder(0x00),
        InOrder(0x0F),
        Block(0x5F, b"EPSON"),
        Back(b"\x14\x00\x0f\x00"),
        RealTime(0x16),
    ]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_however_answers_are_broken_up_they_are_the_same(data: bytes, cuts: list[int]) -> None:
    whole = Answers().feed(data)
    parts, answers = Answers(), list[Answer]()
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    for first, last in pairwise(edges):
        answers += parts.feed(data[first:last])
    assert answers == whole


def test_a_block_without_an_end_is_dropped() -> None:
    reader = Answers()
    assert reader.feed(b"\x5f" + b"x" * (BLOCK_MAX + 1)) == []
    assert reader.feed(b"\x12") == [RealTime(0x12)]


@pytest.mark.parametrize(
    ("answers", "conditions", "word"),
    [
        ((0x12, 0x12, 0x12, 0x12), set(), ""),
        ((0x12, 0x12, 0x12, 0x1E), {"printer-paper-near-end"}, ""),
        ((0x1A, 0x32, 0x12, 0x7E), {"printer-paper-empty"}, "paper"),
        ((0x1A, 0x16, 0x12, 0x12), {"printer-cover-open"}, "cover"),
        ((0x1A, 0x12, 0x12, 0x12), {"printer-offline"}, "off-line"),
        ((0x1A, 0x1A, 0x12, 0x12), {"printer-offline"}, "feeding"),
        ((0x1A, 0x52, 0x1A, 0x12), {"printer-offline"}, "cutter"),
        ((0x1A, 0x52, 0x32, 0x12), {"printer-offline"}, "fault"),
        ((0x1A, 0x52, 0x16, 0x12), {"printer-offline"}, "error"),
        (
            (0x1A, 0x36, 0x12, 0x7E),
            {"printer-paper-empty", "printer-cover-open"},
            "cover",
        ),
    ],
)
def test_real_time_status_becomes_conditions_and_words(
    answers: tuple[int, int, int, int], conditions: set[str], word: str
) -> None:
    status = of_real_time(answers)
    assert status.conditions == conditions
    assert word in status.why
    assert bool(status.why) == status.stopped == bool(word)


def test_automatic_status_back_says_the_same() -> None:
    assert of_status_back(b"\x10\x00\x00\x00") == Status()
    assert of_status_back(b"\x14\x00\x03\x00") == Status(pin3_high=True, paper_near_end=True)
    assert of_status_back(b"\x38\x28\x0f\x00") == Status(
        offline=True,
        cover_open=True,
        cutter_error=True,
        fatal_error=True,
        paper_near_end=True,
        paper_empty=True,
    )


def test_commands_go_out_in_groups_that_break_none() -> None:
    segments = (b"a" * 600, b"b" * 600, b"c" * 100, b"d" * 3000, b"e")
    assert groups(segments) == [b"a" * 600, b"b" * 600 + b"c" * 100, b"d" * 3000, b"e"]
