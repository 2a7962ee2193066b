"""Codes as scanners send them, and codes that can't be right."""

from __future__ import annotations

import string
import subprocess
import sys
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.barcode import (
    CodeKind,
    CodeRules,
    InvalidCode,
    MeasureKind,
    RestrictedRule,
    expand_upc_e,
    normalise_gtin,
    parse,
)
from hub.domain.checkdigits import gs1_check_digit, gs1_valid
from hub.domain.errors import CardDataRefused, DomainError

GS = "\x1d"
# Weight in grams behind a five-digit article (as on German scales), price behind a check digit.
SCALES = CodeRules(
    restricted=(
        RestrictedRule("28", (2, 7), (7, 12), MeasureKind.WEIGHT, decimals=3),
        RestrictedRule("22", (2, 6), (7, 12), MeasureKind.PRICE, decimals=2, verifier_at=6),
        RestrictedRule("02", (2, 7), (8, 12), MeasureKind.PRICE, decimals=2, verifier_at=7),
        RestrictedRule("29", (2, 8), (8, 12), MeasureKind.COUNT),
    )
)


def with_check(payload: str) -> str:
    return payload + gs1_check_digit(payload)


@pytest.mark.parametrize(
    ("raw", "gtin14"),
    [
        ("4006381333931", "04006381333931"),
        ("96385074", "00000096385074"),
        ("036000291452", "00036000291452"),
        ("10012345678902", "10012345678902"),
        ("]E04006381333931", "04006381333931"),
        ("]E496385074", "00000096385074"),
        ("]E340063813339310512", "04006381333931"),
        ("]I110012345678902", "10012345678902"),
        (" 4006381333931\r\n", "04006381333931"),
        ("01234565", "00012345000065"),
        ("04252614", "00042100005264"),
    ],
)
def test_article_numbers_become_fourteen_digits(raw: str, gtin14: str) -> None:
    code = parse(raw)
    assert (code.kind, code.gtin14) == (CodeKind.GTIN, gtin14)


def test_short_american_numbers_are_expanded() -> None:
    assert expand_upc_e("01234565") == "012345000065"
    assert expand_upc_e("01234566") is None
    assert expand_upc_e("21234565") is None
    assert expand_upc_e("0123456") is None
    for last in "0123456789":
        body = f"0{12345}{last}"
        upc_es = [body + digit for digit in "0123456789"]
        assert sum(expand_upc_e(upc_e) is not None for upc_e in upc_es) == 1


@pytest.mark.parametrize("raw", ["4006381333932", "036000291453", "10012345678903", "]E496385075"])
def test_a_wrong_check_digit_is_told_with_the_right_one(raw: str) -> None:
    with pytest.raises(InvalidCode, match="Expected check digit") as refusal:
        parse(raw)
    assert raw[-8:] in refusal.value.detail


@pytest.mark.parametrize("prefix", ["]C1", "]d2", "]Q3", "]e0", "", GS, "]C1" + GS])
def test_element_strings_give_article_lot_serial_and_date(prefix: str) -> None:
    code = parse(f"{prefix}010950400005910117261031" + f"10AB-12{GS}21S/9")
    assert code.kind is CodeKind.GS1
    assert code.gtin14 == "09504000059101"
    assert (code.lot, code.serial, code.expiry_date) == ("AB-12", "S/9", date(2026, 10, 31))


def test_what_is_printed_below_a_code_can_be_typed() -> None:
    code = parse("(01)09504000059101(15)270200(3103)001250(10)L7")
    assert (code.weight_g, code.best_before_date) == (1250, date(2027, 2, 28))
    assert code.lot == "L7"


@pytest.mark.parametrize(
    ("elements", "weight_g", "price_minor", "count"),
    [
        ("3102000125", 1250, None, None),
        ("3201000010", 454, None, None),
        (f"3922399{GS}", None, 399, None),
        (f"39209{GS}3100000002", 2000, 900, None),
        (f"3932978399{GS}", None, 399, None),
        (f"3012{GS}", None, None, 12),
    ],
)
def test_measures_come_in_grams_and_minor_units(
    elements: str, weight_g: int | None, price_minor: int | None, count: int | None
) -> None:
    code = parse("]C10109504000059101" + elements)
    assert (code.weight_g, code.price_minor, code.count) == (weight_g, price_minor, count)


def test_prices_follow_the_currency() -> None:
    yen = CodeRules(currency_exponent=0)
    assert parse("]C101095040000591013920399", yen).price_minor == 399


@pytest.mark.parametrize(
    ("two_digits", "year"), [("26", 2026), ("75", 2075), ("76", 2076), ("77", 1977), ("99", 1999)]
)
def test_a_century_is_the_nearest(two_digits: str, year: int) -> None:
    code = parse(f"]C1010950400005910117{two_digits}0615")
    assert code.expiry_date == date(year, 6, 15)


def test_an_empty_date_says_nothing_and_an_impossible_one_is_refused() -> None:
    assert parse("]C1010950400005910117000000").expiry_date is None
    for impossible in ("260230", "260015", "261331"):
        with pytest.raises(InvalidCode):
            parse(f"]C1010950400005910117{impossible}")


@pytest.mark.parametrize(
    "link",
    [
        "https://id.gs1.org/01/09504000059101/10/ABC1/21/12345?17=271231",
        "HTTP://example.com/some/path/01/09504000059101/10/ABC1/21/12345?17=271231",
        "]Q3https://id.gs1.org/01/09504000059101/10/ABC1/21/12345?17=271231",
        "]Q1https://id.gs1.org/01/9504000059101/10/ABC1/21/12345?17=271231",
    ],
)
def test_digital_links_are_taken_apart(link: str) -> None:
    code = parse(link)
    assert (code.kind, code.gtin14) == (CodeKind.DIGITAL_LINK, "09504000059101")
    assert (code.lot, code.serial, code.expiry_date) == ("ABC1", "12345", date(2027, 12, 31))


@pytest.mark.parametrize(
    "raw",
    [
        "https://example.com/offer", "https://[", "]C1", "]C1XX", "]C10109504000059102",
        "(01)123", "(", "]d2" + GS, "", "   ", "a\x00b", "x" * 65, "x" * 513,
        "https://id.gs1.org/01/09504000059102", "]", "]E0", "]E0ABC",
        "00106141412345678909" + GS,
    ],
)  # fmt: skip
def test_what_no_article_has_is_refused(raw: str) -> None:
    with pytest.raises(InvalidCode):
        parse(raw)


def test_element_strings_without_an_article_are_kept_whole() -> None:
    code = parse("]C199ABC")
    assert (code.kind, code.gtin14, code.raw) == (CodeKind.GS1, None, "]C199ABC")


def test_a_pallet_label_is_known_as_such() -> None:
    code = parse("00106141412345678908")
    assert (code.kind, code.sscc) == (CodeKind.SSCC, "106141412345678908")


def test_weight_and_price_come_out_of_restricted_numbers() -> None:
    weighed = parse(with_check("281234500455"), SCALES)
    assert (weighed.kind, weighed.restricted_item, weighed.weight_g) == (
        CodeKind.RESTRICTED, "12345", 455,
    )  # fmt: skip
    assert weighed.gtin14 == with_check("281234500000").zfill(14)
    counted = parse(with_check("291234560007"), SCALES)
    assert (counted.restricted_item, counted.count) == ("123456", 7)
    priced = parse(with_check("221234614685"), SCALES)  # 14685 has check digit 6 (section 7.9.4)
    assert (priced.restricted_item, priced.price_minor) == ("1234", 14685)


def test_every_weight_of_an_article_gives_the_same_article() -> None:
    numbers = {parse(with_check(f"2812345{grams:05}"), SCALES).gtin14 for grams in range(0, 99, 7)}
    assert len(numbers) == 1


def test_twelve_digits_with_a_restricted_prefix_count_as_thirteen() -> None:
    # 2875 has check digit 9 (section 7.9.3).
    code = parse(with_check("21234592875"), SCALES)
    assert (code.restricted_item, code.price_minor) == ("12345", 2875)


def test_a_wrong_check_digit_over_the_measure_is_told() -> None:
    with pytest.raises(InvalidCode, match="for the measure 14685"):
        parse(with_check("221234514685"), SCALES)


@pytest.mark.parametrize("prefix", ["02", "04", "20", "25", "29"])
def test_restricted_numbers_without_a_rule_stay_whole(prefix: str) -> None:
    number = with_check(prefix + "1234567890")
    code = parse(number)
    assert (code.kind, code.gtin14) == (CodeKind.RESTRICTED, number.zfill(14))
    assert code.restricted_item is None


@pytest.mark.parametrize(
    "raw", ["SKU-1", "1", "123456", "12345678", "Ärmel 3/4", "00012", "A" * 64]
)
def test_the_shops_own_numbers_are_kept_as_they_are(raw: str) -> None:
    code = parse(raw)
    assert (code.kind, code.raw, code.gtin14) == (CodeKind.SKU, raw, None)


def test_a_card_swiped_into_the_field_is_refused_and_not_quoted() -> None:
    for swiped in ("4111111111111111", ";4111111111111111=27121010000000000?", "36227206271667"):
        with pytest.raises(CardDataRefused) as refusal:
            parse(swiped)
        assert swiped not in str(refusal.value)


@pytest.mark.parametrize(
    "rule",
    [
        ("28", (2, 7), (7, 13), MeasureKind.WEIGHT, 3, None),
        ("28", (5, 5), (7, 12), MeasureKind.WEIGHT, 3, None),
        ("28", (2, 7), (9, 12), MeasureKind.PRICE, 2, 8),
        ("2x", (2, 7), (7, 12), MeasureKind.PRICE, 2, None),
    ],
)
def test_a_rule_that_cannot_work_is_refused(
    rule: tuple[str, tuple[int, int], tuple[int, int], MeasureKind, int, int | None],
) -> None:
    with pytest.raises(DomainError):
        RestrictedRule(*rule)


@given(st.sampled_from([7, 11, 12, 13]), st.data())
def test_a_number_and_its_normal_form_name_the_same_article(size: int, data: st.DataObject) -> None:
    number = with_check(data.draw(st.text("0123456789", min_size=size, max_size=size)))
    gtin14 = normalise_gtin(number)
    assert len(gtin14) == 14
    assert gs1_valid(gtin14)
    assert normalise_gtin(gtin14) == gtin14
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    with pytest.raises(DomainError):
        normalise_gtin(wrong)


@given(st.text(max_size=80) | st.text(string.digits + GS + "]C1d2Q3()/", max_size=80))
def test_no_text_does_anything_but_parse_or_be_refused(raw: str) -> None:
    try:
        code = parse(raw, SCALES)
    except DomainError:
        return
    assert code.raw == raw.strip(" \t\r\n") or code.kind is CodeKind.SKU
    assert code.gtin14 is None or gs1_valid(code.gtin14)


def test_plain_numbers_need_no_parser_library() -> None:
    program = (
        "import sys; from hub.domain.barcode import parse; parse('4006381333931'); parse('A');"
        " sys.exit('biip' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_an_element_without_its_number_is_refused() -> None:
    for code in ("\x1d30", "\x1d3100", "\x1d3922"):
        with pytest.raises(InvalidCode):
            parse(code)
