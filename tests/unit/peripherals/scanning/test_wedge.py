"""Codes out of the keys of a scanner that is a keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.peripherals.model import Misread, Scanned
from devices.peripherals.scanning.framing import Framing, Heard, Suffix
from devices.peripherals.scanning.layouts import LAYOUTS
from devices.peripherals.scanning.wedge import GsKey, Typing, Wedge
from tests.unit.peripherals.scanning.keyboards import (
    ALT_GR,
    CAPS,
    CTRL,
    ENTER,
    F8,
    RIGHT_BRACE,
    SHIFT,
    TAB,
    alt_code,
    event,
    key,
    streams,
    typed,
)

STREAMS = streams()


def heard(
    keys: bytes,
    layout: str = "us",
    *,
    gs: GsKey = GsKey.AUTO,
    suffix: Suffix = Suffix.CRLF,
    read_bytes: int = 1 << 20,
) -> list[Heard]:
    found: list[Heard] = []
    wedge = Wedge(Typing(layout, gs), Framing(suffix=suffix), found.append)
    for start in range(0, len(keys), read_bytes):
        wedge.feed(keys[start : start + read_bytes], start / 1e6)
    if wedge.quiet_at_s is not None:
        wedge.quiet()
    return found


def signs_of(layout: str) -> str:
    """All that has a key in this layout."""
    return "".join(sorted({sign for levels in LAYOUTS[layout].keys.values() for sign in levels}))


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_stream_of_the_kernel_means_what_is_written_beside_it(name: str) -> None:
    one = STREAMS[name]
    told = heard(one["keys"], one["layout"], suffix=Suffix(one["suffix"]))
    codes = [
        {"aim": each.aim, "code": each.data.decode()} if isinstance(each, Scanned) else "misread"
        for each in told
    ]
    assert codes == one["codes"]


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_every_sign_of_a_layout_comes_out_as_it_is_printed(layout: str) -> None:
    signs = signs_of(layout)
    assert heard(typed(signs, layout), layout) == [Scanned(signs.encode())]


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_every_layout_types_all_signs_of_gs1(layout: str) -> None:
    """GS1 General Specifications, figure 7.11-1."""
    allowed = "!\"%&'()*+,-./_0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    assert set(allowed) <= set(signs_of(layout))


@given(st.sampled_from(sorted(LAYOUTS)), st.data(), st.integers(1, 200))
def test_however_the_reads_cut_the_records_the_same_codes_come(
    layout: str, data: Any, read_bytes: int
) -> None:
    text = data.draw(st.text(st.sampled_from(signs_of(layout) + "\x1d"), min_size=1, max_size=30))
    keys = typed(text, layout) + typed("4006381333931", layout)
    whole = heard(keys, layout)
    assert heard(keys, layout, read_bytes=read_bytes) == whole
    assert whole[-1] == Scanned(b"4006381333931")


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 250), st.integers(0, 2)), max_size=200))
def test_any_keys_give_codes_or_misreads_and_never_an_error(
    events: list[tuple[int, int, int]],
) -> None:
    for one in heard(b"".join(event(*each) for each in events), "fr"):
        assert isinstance(one, Scanned | Misread)


@pytest.mark.parametrize(
    ("keys", "how"),
    [
        (key(RIGHT_BRACE, CTRL), GsKey.CTRL),
        (key(F8), GsKey.F8),
        (alt_code("029"), GsKey.ALT),
        (alt_code("0029"), GsKey.ALT),
        (alt_code("29"), GsKey.ALT),
    ],
)
def test_gs_comes_as_each_scanner_types_it(keys: bytes, how: GsKey) -> None:
    stream = typed("10A", end=()) + keys + typed("17270630")
    assert heard(stream, gs=how) == [Scanned(b"10A\x1d17270630")]
    assert heard(stream, gs=GsKey.AUTO) == [Scanned(b"10A\x1d17270630")]


def test_gs_by_the_bracket_of_a_german_keyboard() -> None:
    stream = typed("10A", "de", end=()) + key(10, CTRL, ALT_GR) + typed("21", "de")
    assert heard(stream, "de") == [Scanned(b"10A\x1d21")]


def test_a_key_of_another_way_of_gs_is_no_gs() -> None:
    assert heard(key(F8) + typed("12"), gs=GsKey.CTRL) == [Scanned(b"12")]


def test_alt_codes_are_windows_1252_with_a_zero_and_code_page_437_without() -> None:
    stream = alt_code("0228") + alt_code("132") + alt_code("8364") + key(ENTER)
    assert heard(stream) == [Scanned("ää€".encode())]


def test_caps_lock_turns_letters_and_leaves_digits() -> None:
    stream = key(CAPS) + typed("aB1", end=()) + key(CAPS) + typed("aB1")
    assert heard(stream) == [Scanned(b"Ab1aB1")]


def test_a_key_that_repeats_by_itself_counts_once() -> None:
    stream = event(1, 2, 1) + event(1, 2, 2) * 5 + event(1, 2, 0) + typed("23")
    assert heard(stream) == [Scanned(b"123")]


def test_dead_keys_wait_for_the_letter() -> None:
    assert heard(key(13) + typed("e", "de"), "de") == [Scanned("é".encode())]
    assert heard(key(41) + typed("x", "de"), "de") == [Scanned(b"^x")]


def test_a_code_may_end_with_tab_or_with_silence() -> None:
    assert heard(typed("12", end=[key(TAB)]), suffix=Suffix.TAB) == [Scanned(b"12")]
    assert heard(typed("12", end=[]), suffix=Suffix.NONE) == [Scanned(b"12")]


def test_a_key_without_a_sign_in_the_layout_spoils_the_code_and_names_the_setting() -> None:
    (found, after) = heard(typed("12", end=()) + key(30, ALT_GR) + key(ENTER) + typed("34"))
    assert isinstance(found, Misread)
    assert "layout" in found.why
    assert after == Scanned(b"34")


def test_keys_that_the_kernel_dropped_spoil_the_code_and_release_what_was_held() -> None:
    stream = event(1, SHIFT, 1) + typed("ab", end=()) + event(0, 3, 0) + typed("12") + typed("34")
    found, after = heard(stream)
    assert isinstance(found, Misread)
    assert after == Scanned(b"34")
