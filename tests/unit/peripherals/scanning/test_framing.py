"""Codes out of a serial scanner's bytes, however the reads cut them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.peripherals.model import Misread, Scanned
from devices.peripherals.scanning.framing import Encoding, Framer, Framing, Heard, Suffix

EAN = b"4006381333931"
GS1 = b"]C1010400638133393110A-7\x1d17270630"


def heard(
    pieces: list[bytes], suffix: Suffix = Suffix.CRLF, *, end: bool = True, **more: Any
) -> list[Heard]:
    """What comes of these reads, with a silence at the end."""
    found: list[Heard] = []
    framer = Framer(Framing(suffix=suffix, **more), found.append)
    for number, piece in enumerate(pieces):
        framer.feed(piece, number / 1000)
    if end and framer.quiet_at_s is not None:
        framer.quiet()
    return found


@pytest.mark.parametrize(
    ("suffix", "ending"),
    [
        (Suffix.CR, b"\r"),
        (Suffix.LF, b"\n"),
        (Suffix.CRLF, b"\r\n"),
        (Suffix.CRLF, b"\r"),
        (Suffix.TAB, b"\t"),
        (Suffix.NONE, b""),
    ],
)
def test_a_code_ends_as_the_scanner_was_set(suffix: Suffix, ending: bytes) -> None:
    assert heard([EAN + ending], suffix) == [Scanned(EAN)]


def test_several_codes_in_one_read_come_one_by_one_and_in_order() -> None:
    codes = [b"%013d" % number for number in range(50)]
    assert heard([b"\r\n".join(codes) + b"\r\n"]) == [Scanned(code) for code in codes]


@pytest.mark.parametrize("suffix", list(Suffix))
@given(data=st.data())
def test_however_the_bytes_are_cut_the_same_codes_come(suffix: Suffix, data: Any) -> None:
    ending = {"cr": b"\r", "lf": b"\n", "crlf": b"\r\n", "tab": b"\t", "none": b""}[suffix]
    signs = st.characters(exclude_characters="\r\n\t\x02\x03", exclude_categories=["Cs"])
    count = 1 if suffix is Suffix.NONE else 5
    texts = data.draw(st.lists(st.text(signs, min_size=1, max_size=40), min_size=1, max_size=count))
    aims = data.draw(st.lists(st.sampled_from(["", "]E0", "]C1", "]d2"]), min_size=count))
    stream = b"".join(
        aim.encode() + text.encode() + ending for aim, text in zip(aims, texts, strict=False)
    )
    whole = heard([stream], suffix)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    edges = [0, *cuts, len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    assert heard(pieces, suffix) == whole
    assert len(whole) == min(len(texts), len(aims))


@given(st.lists(st.binary(max_size=60), max_size=20), st.sampled_from(list(Suffix)))
def test_any_bytes_give_codes_or_misreads_and_never_an_error(
    pieces: list[bytes], suffix: Suffix
) -> None:
    for one in heard(pieces, suffix, max_bytes=32):
        match one:
            case Scanned(data, aim):
                assert data.decode()
                assert aim == "" or len(aim) == 3
            case Misread(why, length):
                assert why
                assert length > 0


def test_the_aim_identifier_is_split_off_and_gs_is_kept() -> None:
    assert heard([GS1 + b"\r"]) == [Scanned(GS1[3:], "]C1")]


def test_a_bracket_that_is_no_identifier_stays() -> None:
    assert heard([b"]1x\r"]) == [Scanned(b"]1x")]


def test_an_identifier_without_a_code_is_a_misread() -> None:
    (found,) = heard([b"]E0\r"])
    assert isinstance(found, Misread)


def test_stx_etx_and_a_prefix_are_taken_off() -> None:
    assert heard([b"\x02" + EAN + b"\x03\r"]) == [Scanned(EAN)]
    assert heard([b"~~" + EAN + b"\r"], prefix=b"~~") == [Scanned(EAN)]


def test_text_is_utf_8_or_else_latin_1() -> None:
    assert heard(["Käse".encode() + b"\r"]) == [Scanned("Käse".encode())]
    assert heard(["Käse".encode("latin-1") + b"\r"]) == [Scanned("Käse".encode())]


def test_a_scanner_that_is_set_to_utf_8_and_sends_something_else_is_misread() -> None:
    (found,) = heard([b"K\xe4se\r"], encoding=Encoding.UTF_8)
    assert isinstance(found, Misread)
    assert "latin-1" in found.why


def test_a_code_that_is_too_long_is_one_misread_and_the_next_one_is_read() -> None:
    found = heard([b"9" * 5000, b"9" * 5000 + b"\r" + EAN + b"\r"])
    assert [type(one) for one in found] == [Misread, Scanned]
    assert isinstance(found[0], Misread)
    assert found[0].length_bytes == 10_000


def test_a_code_that_was_broken_off_is_no_head_of_the_next() -> None:
    found: list[Heard] = []
    framer = Framer(Framing(), found.append)
    framer.feed(b"40063", 1.0)
    assert framer.quiet_at_s == 3.0
    framer.quiet()
    framer.feed(EAN + b"\r\n", 60.0)
    assert [type(one) for one in found] == [Misread, Scanned]
    assert framer.quiet_at_s is None
