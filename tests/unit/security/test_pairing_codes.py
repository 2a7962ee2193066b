"""One-time pairing codes and the text in the QR code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import Randomness
from hub.security.alphabet import UNAMBIGUOUS
from hub.security.codes import (
    PairingLink,
    code_fits,
    hash_code,
    new_code,
    normal_code,
    show_code,
)
from hub.security.errors import PairingLinkWrong

FP = "ab" * 32
codes = st.text(UNAMBIGUOUS, min_size=8, max_size=8)
separators = st.text(" -\u2013\u2014\u2212_\t\u00a0\u200b", max_size=3)


def test_codes_have_eight_characters_that_nobody_confuses(randomness: Randomness) -> None:
    made = {new_code(randomness) for _ in range(200)}
    assert len(made) == 200
    assert not set("".join(made)) & set("0O1ILU")
    assert {len(one) for one in made} == {8}


@given(codes, st.lists(separators, min_size=9, max_size=9), st.booleans())
def test_however_a_person_types_a_code_it_is_the_same_code(
    code: str, between: list[str], small: bool
) -> None:
    typed = "".join(gap + one for gap, one in zip(between, [*code, ""], strict=True))
    assert normal_code(typed.lower() if small else typed) == code


@given(codes)
def test_normalising_twice_changes_nothing_and_the_shown_form_is_typed_back(code: str) -> None:
    assert normal_code(code) == code
    assert normal_code(show_code(code)) == code


@given(st.text(max_size=80))
def test_any_text_is_a_whole_code_or_none(text: str) -> None:
    code = normal_code(text)
    assert code is None or (len(code) == 8 and set(code) <= set(UNAMBIGUOUS))


@pytest.mark.parametrize(
    "typed", ["", "ABCD", "ABCDEFGH2", "ABCDEFG0", "ABCDEFGI", "ABCDEFß", "K" * 10_000, "ABCDEFGé"]
)
def test_what_is_no_code_is_none(typed: str) -> None:
    assert normal_code(typed) is None


def test_a_code_is_kept_salted_and_fits_only_itself(randomness: Randomness) -> None:
    first, second = hash_code("K7QM2XWD", randomness), hash_code("k7qm-2xwd", randomness)
    assert first != second
    assert "K7QM" not in first
    for stored in (first, second):
        assert code_fits(" k7qm\u20132xwd ", stored)
        assert not code_fits("K7QM2XWE", stored)
        assert not code_fits("", stored)
        assert not code_fits("nonsense", stored)
    with pytest.raises(ValueError, match="not a pairing code"):
        hash_code("", randomness)


@given(
    st.sampled_from(["hub.local", "10.0.0.5", "fe80::1", "my-shop.example"]),
    st.integers(1, 65535),
    codes,
)
def test_a_pairing_link_reads_back_as_it_was_written(host: str, port: int, code: str) -> None:
    link = PairingLink(host, port, FP, code)
    assert link.text().startswith("storehub://pair?host=")
    assert PairingLink.parse(link.text()) == link


def test_a_printed_link_does_not_show_its_code() -> None:
    assert "K7QM2XWD" not in repr(PairingLink("hub.local", 8443, FP, "K7QM2XWD"))


def test_unknown_fields_are_for_later_versions() -> None:
    text = PairingLink("hub.local", 8443, FP, "K7QM2XWD").text() + "&new=1"
    assert PairingLink.parse(text).port == 8443


GOOD = f"storehub://pair?host=hub&port=8443&fp={FP}&code=K7QM2XWD"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://example.com/",
        GOOD.replace("storehub", "http"),
        GOOD.replace("pair", "other"),
        GOOD.replace("host=hub", "host=a/b"),
        GOOD.replace("host=hub&", ""),
        GOOD + "&host=evil",
        GOOD.replace("8443", "0"),
        GOOD.replace("8443", "70000"),
        GOOD.replace("8443", "٣"),
        GOOD.replace(FP, "abcd"),
        GOOD.replace("K7QM2XWD", "short"),
        GOOD + "&x=1" * 200,
        GOOD + "&x" * 20,
        "storehub://[pair",
    ],
)
def test_other_texts_are_refused_with_what_to_scan(text: str) -> None:
    with pytest.raises(PairingLinkWrong, match="Scan the QR code"):
        PairingLink.parse(text)
