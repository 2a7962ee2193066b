"""A signed code that another shop believes, and no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.contract.documents import AnyFacts, GiftFacts, SaleFacts
from hub.documents.codes import squares
from hub.documents.compose import compose
from hub.documents.layout import QrCode
from hub.documents.returncode import (
    CODE_CHARS_MAX,
    BadCode,
    ReturnCode,
    Signer,
    base45,
    base45_bytes,
    public_key,
    read,
    sign,
    verify,
)
from hub.documents.templates import Paper, Template

KEY = bytes(range(32))
LETTERS = st.sampled_from(list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"))
CODE = ReturnCode(
    "367", "367-1-000482", "01979f2e-7c1a-7bb0-8f00-5d0c2a7e9b11", "2026-11-22", 5851, "EUR"
)


def test_a_code_says_what_was_signed() -> None:
    text = sign(CODE, KEY)
    assert verify(text, [public_key(bytes(32)), public_key(KEY)]) == CODE
    assert read(text) == CODE


@given(
    st.builds(
        ReturnCode,
        store=st.text(max_size=16),
        receipt_no=st.text(max_size=10),
        sale_id=st.uuids().map(str),
        day=st.dates(date(2000, 1, 1), date(2178, 12, 31)).map(str),
        total_minor=st.integers(-(2**63), 2**63 - 1),
        currency=st.sampled_from(["EUR", "JPY"]),
    )
)
def test_any_sale_can_be_said(code: ReturnCode) -> None:
    assert verify(sign(code, KEY), [public_key(KEY)]) == code


def test_a_code_of_another_key_is_not_believed() -> None:
    with pytest.raises(BadCode, match=r"367-1-000482 isn't signed by a known key of shop 367"):
        verify(sign(CODE, KEY), [public_key(bytes(32))])
    with pytest.raises(BadCode):
        verify(sign(CODE, KEY), [])


@given(st.integers(0, 10**6), LETTERS)
def test_a_code_with_any_other_letter_is_not_believed(place: int, letter: str) -> None:
    text = sign(CODE, KEY)
    at = place % len(text)
    other = text[:at] + letter + text[at + 1 :]
    if other != text:
        with pytest.raises(BadCode):
            verify(other, [public_key(KEY)])


@given(st.text(max_size=400) | st.text(max_size=400).map(lambda rest: "SHR1:" + rest))
def test_anything_that_is_scanned_is_a_code_or_refused(text: str) -> None:
    with pytest.raises(BadCode):
        verify(text, [public_key(KEY)])


def test_a_shortened_or_lengthened_code_is_not_believed() -> None:
    text = sign(CODE, KEY)
    for other in (text[:-1], text[:-3], text + "0", text + "000", text[5:], ""):
        with pytest.raises(BadCode):
            verify(other, [public_key(KEY)])


def test_the_longest_code_can_be_scanned_on_narrow_paper() -> None:
    longest = replace(CODE, store="S" * 64, receipt_no="9" * 40)
    text = sign(longest, KEY)
    assert len(text) <= CODE_CHARS_MAX
    for code, side in ((sign(CODE, KEY), 49), (text, 61)):
        modules = squares(QrCode(code))
        assert modules is not None
        assert len(modules) <= side
        assert 48 * 8 // (len(modules) + 8) >= 4


FACTS = SaleFacts(
    receipt_no=CODE.receipt_no,
    sale_id=CODE.sale_id,
    business_day=CODE.day,
    currency=CODE.currency,
    total_minor=CODE.total_minor,
)


def qr_codes(facts: AnyFacts) -> list[str]:
    template = Template("Shop", signer=Signer("367", KEY))
    blocks = compose(facts, template, Paper(58)).blocks
    return [block.data for block in blocks if isinstance(block, QrCode)]


def test_a_receipt_carries_its_shops_code_and_a_copy_the_same() -> None:
    (text,) = qr_codes(FACTS)
    assert verify(text, [public_key(KEY)]) == CODE
    assert qr_codes(FACTS.model_copy(update={"is_copy": True})) == [text]


def test_a_gift_receipts_code_tells_no_price() -> None:
    facts = GiftFacts(receipt_no=CODE.receipt_no, sale_id=CODE.sale_id, business_day=CODE.day)
    (text,) = qr_codes(facts)
    assert verify(text, [public_key(KEY)]) == replace(CODE, total_minor=0, currency="XXX")


@pytest.mark.parametrize(
    "change",
    [{"training": True}, {"training": True, "return_code": "SHR1:X"}, {"business_day": ""}],
)
def test_what_was_not_sold_or_cannot_be_said_has_no_code(change: dict[str, object]) -> None:
    assert qr_codes(FACTS.model_copy(update=change)) == []


def test_a_signer_does_not_show_its_key() -> None:
    assert "key" not in repr(Signer("367", KEY))


def test_what_does_not_fit_is_refused_when_signing() -> None:
    for wrong in (
        replace(CODE, store="S" * 65),
        replace(CODE, day="1999-12-31"),
        replace(CODE, currency="EURO"),
        replace(CODE, sale_id="7"),
    ):
        with pytest.raises(ValueError, match=r"."):
            sign(wrong, KEY)


@pytest.mark.parametrize(
    ("raw", "text"), [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581")]
)
def test_base45_is_that_of_rfc_9285(raw: bytes, text: str) -> None:
    assert base45(raw) == text
    assert base45_bytes(text) == raw


@given(st.binary(max_size=99))
def test_base45_goes_both_ways(raw: bytes) -> None:
    assert base45_bytes(base45(raw)) == raw
