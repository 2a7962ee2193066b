"""What scales send, as weights in whole grams."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.peripherals.weighing import sma, toledo
from devices.peripherals.weighing.reading import Nonsense, Reading, Unit, grams

POUND = Fraction(45_359_237, 100_000)
IN = {Unit.KG: Fraction(1000), Unit.G: Fraction(1), Unit.LB: POUND, Unit.OZ: POUND / 16}


@given(st.integers(0, 10**6), st.integers(0, 5), st.sampled_from(list(Unit)))
def test_grams_are_the_nearest_whole_ones_and_halves_go_up(
    number: int, decimals: int, unit: Unit
) -> None:
    exact = Fraction(number, 10**decimals) * IN[unit]
    assert grams(number, decimals, unit) == int(exact + Fraction(1, 2))


def test_a_pound_is_454_grams_and_ten_are_4536() -> None:
    assert (grams(100, 2, Unit.LB), grams(1000, 2, Unit.LB)) == (454, 4536)


# Toledo 8217 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "reading"),
    [
        (b"01.250", Reading(1250)),
        (b"00.000", Reading(0, zero=True)),
        (b"01.250N", Reading(1250, net=True)),
        (b"?\x41", Reading(None, moving=True)),
        (b"?\x42", Reading(None, overload=True)),
        (b"?\x44", Reading(None, under_zero=True)),
        (b"?\x01", Reading(None, moving=True)),
        (b"?\x50", Reading(None, zero=True)),
    ],
)
def test_an_8217_tells_weight_or_why_there_is_none(frame: bytes, reading: Reading) -> None:
    assert toledo.answer(frame, Unit.KG) == reading
    assert reading.sellable == (reading.grams is not None)


def test_pounds_have_two_decimals_and_a_wrong_unit_is_never_sold_by() -> None:
    assert toledo.answer(b"02.50", Unit.LB) == Reading(1134)
    for frame, unit in ((b"02.50", Unit.KG), (b"01.250", Unit.LB)):
        wrong = toledo.answer(frame, unit)
        assert isinstance(wrong, Nonsense)
        assert "unit" in wrong.why


def test_answers_are_found_in_seven_bits_whatever_parity_adds() -> None:
    odd = bytes(byte | 0x80 if byte.bit_count() % 2 else byte for byte in b"\x0201.250\r")
    assert toledo.Frames().feed(b"noise" + odd) == [b"01.250"]


def test_a_status_may_be_any_byte_even_one_that_frames() -> None:
    """Not every scale sets bit 6 as Mettler Toledo's do."""
    for status in range(128):
        assert toledo.Frames().feed(b"\x02?" + bytes([status]) + b"\r") == [bytes([63, status])]
    assert toledo.answer(b"?\x02", Unit.KG) == Reading(None, overload=True)


@given(st.lists(st.integers(0, 7), max_size=6), st.binary(max_size=20))
def test_however_the_answers_are_cut_the_same_come(cuts: list[int], noise: bytes) -> None:
    stream = bytes(byte for byte in noise if byte & 0x7F != 2) + b"\x0201.250\r\x02?\x41\r"
    frames, found, at = toledo.Frames(), [], 0
    for cut in [*cuts, len(stream)]:
        found += frames.feed(stream[at : at + cut])
        at += cut
    assert found == [b"01.250", b"?\x41"]


@given(st.binary(max_size=300))
def test_any_bytes_are_readings_or_nonsense(data: bytes) -> None:
    for frame in toledo.Frames().feed(data):
        assert isinstance(toledo.answer(frame, Unit.KG), Reading | Nonsense)
    for checked in (True, False):
        for frame in toledo.Continuous(checked=checked).feed(data):
            assert isinstance(toledo.continuous(frame), Reading | Nonsense)
    for text in sma.Frames().feed(data):
        assert isinstance(sma.answer(text), Reading | Nonsense)


# Toledo continuous --------------------------------------------------------------------------------


def frame(number: int, *, point: int = 5, word_b: int = 0x10, checked: bool = False) -> bytes:
    """``point``: 5 is three decimals; ``word_b``: 0x10 kilograms."""
    body = bytes([2, 0x20 | point, 0x20 | word_b, 0x20]) + b"%6d%6d\r" % (number, 0)
    return body + (bytes([-sum(body) & 0x7F]) if checked else b"")


@pytest.mark.parametrize("checked", [True, False])
def test_continuous_output_is_found_wherever_listening_began(checked: bool) -> None:
    whole = frame(1250, checked=checked) * 3
    for start in range(len(whole) // 3):
        found = toledo.Continuous(checked=checked).feed(whole[start:])
        assert len(found) >= 2, start
        assert {toledo.continuous(one) for one in found} == {Reading(1250)}


def test_a_frame_with_a_wrong_checksum_is_left_out() -> None:
    spoilt = bytearray(frame(1250, checked=True))
    spoilt[8] ^= 1
    good = frame(990, checked=True)
    found = toledo.Continuous(checked=True).feed(bytes(spoilt) + good)
    assert [toledo.continuous(one) for one in found] == [Reading(990)]


@pytest.mark.parametrize(
    ("made", "reading"),
    [
        (frame(1250, word_b=0x18), Reading(1250, moving=True)),
        (frame(1250, word_b=0x14), Reading(1250, overload=True)),
        (frame(5, word_b=0x12), Reading(-5, under_zero=True)),
        (frame(250, point=4, word_b=0), Reading(1134)),
        (frame(3, point=1), Reading(30_000)),
        (frame(0), Reading(0, zero=True)),
    ],
)
def test_status_words_say_unit_point_and_condition(made: bytes, reading: Reading) -> None:
    (found,) = toledo.Continuous(checked=False).feed(made)
    assert toledo.continuous(found) == reading


# SMA ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        (" 1G       1.250kg_", Reading(1250)),
        ("Z1G       0.000kg_", Reading(0, zero=True)),
        (" 1GM      1.300kg_", Reading(1300, moving=True)),
        (" 1N        2.50lb_", Reading(1134, net=True)),
        (" 1g     1.25000kg ", Reading(1250)),
        (" 1G        1250g__", Reading(1250)),
        (" 1G       16.00oz_", Reading(454)),
        ("O1G      15.010kg_", Reading(None, overload=True)),
        ("U1G      -0.050kg_", Reading(None, under_zero=True)),
        (" 1G      -0.050kg_", Reading(-50, under_zero=True)),
    ],
)
def test_an_sma_scale_tells_weight_or_why_there_is_none(text: str, reading: Reading) -> None:
    (found,) = sma.Frames().feed(f"\n{text}\r".encode())
    assert sma.answer(found) == reading


@pytest.mark.parametrize(
    "text", ["E1G  ----------kg_", " 1G       1.250ct_", "?", " 1T       0.100kg_", "  " * 9]
)
def test_what_nothing_can_be_sold_by_says_why(text: str) -> None:
    found = sma.answer(text)
    assert isinstance(found, Nonsense)
    assert found.why.endswith(".")


def test_what_a_scale_says_about_itself() -> None:
    assert sma.about("MFG:Acme ") == ("MFG", "Acme")
    assert sma.about("SN_:12:3") == ("SN", "12:3")
    assert sma.about("END:") == ("END", "")
    assert sma.about(" 1G       1.250kg_") is None
