"""Amounts, quantities and dates as people of a place write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.documents.formats import Formats
from hub.domain.money import CURRENCY_EXPONENTS, MAX_MONEY_MINOR

AT_MS = 1_795_346_471_000


@pytest.mark.parametrize(
    ("locale", "minor", "currency", "money", "amount"),
    [
        ("de-DE", 123456, "EUR", "1.234,56\xa0€", "1.234,56"),
        ("en-GB", -123456, "GBP", "-£1,234.56", "-1,234.56"),
        ("ja-JP", 123456, "JPY", "￥123,456", "123,456"),
        ("fr-FR", 123456, "EUR", "1\xa0234,56\xa0€", "1\xa0234,56"),
        ("en-GB", 1234567, "KWD", "KWD1,234.567", "1,234.567"),
        ("en-GB", 1234567, "CLF", "CLF123.4567", "123.4567"),
        ("de-CH", 123456, "CHF", "CHF\xa01’234.56", "1’234.56"),  # noqa: RUF001
    ],
)
def test_money(locale: str, minor: int, currency: str, money: str, amount: str) -> None:
    formats = Formats(locale, "UTC")
    assert formats.money(minor, currency) == money
    assert formats.amount(minor, currency) == amount


@given(
    minor=st.integers(-MAX_MONEY_MINOR, MAX_MONEY_MINOR),
    currency=st.sampled_from(sorted(CURRENCY_EXPONENTS)),
    locale=st.sampled_from(["de-DE", "en-IN", "ar-EG", "fa-IR", "ja-JP", "fr-CH"]),
)
def test_an_amount_keeps_every_digit(minor: int, currency: str, locale: str) -> None:
    formats = Formats(locale, "UTC")
    for text in (formats.amount(minor, currency), formats.money(minor, currency)):
        digits = "".join(char for char in text if char in "0123456789")
        assert int(digits) == abs(minor)
        assert ("-" in text) == (minor < 0)


@pytest.mark.parametrize(
    ("locale", "qty", "scale", "uom", "text"),
    [
        ("de-DE", 1184, 3, "kg", "1,184\xa0kg"),
        ("en-GB", 350, 3, "kg", "0.350\xa0kg"),
        ("en-GB", 2, 0, "pcs", "2"),
        ("ar-AE", 1184, 3, "kg", "1.184\xa0كغم"),
        ("en-GB", 12, 1, "bunch", "1.2\xa0bunch"),
        ("en-GB", 350, 3, "", "0.350"),
    ],
)
def test_quantities(locale: str, qty: int, scale: int, uom: str, text: str) -> None:
    assert Formats(locale, "UTC").quantity(qty, scale, uom) == text


def test_rates() -> None:
    assert Formats("de-DE", "UTC").percent(190_000) == "19\xa0%"
    assert Formats("en-US", "UTC").percent(88_750) == "8.875%"


def test_instants_are_told_in_the_shops_time() -> None:
    assert Formats("de-DE", "Europe/Berlin").moment(AT_MS) == "22.11.2026, 12:21"
    assert Formats("ja-JP", "Asia/Tokyo").moment(AT_MS) == "2026/11/22 20:21"
    assert Formats("en-GB", "America/New_York").date_of(AT_MS) == "22 Nov 2026"
    assert Formats("en-GB", "UTC").day("not a day") == "not a day"


def test_numbers_are_written_in_the_digits_of_tills_everywhere() -> None:
    for locale in ("ar-EG", "fa-IR", "hi-IN", "bn-BD"):
        formats = Formats(locale, "UTC")
        assert formats.amount(1234567890, "EUR").translate(_DROP) == "1234567890"


_DROP = dict.fromkeys(map(ord, ".,\u200e\u066b\u066c"))


def test_a_locale_that_nobody_knows_gets_a_near_one() -> None:
    assert Formats("de-ZZ", "UTC").amount(100, "EUR") == "1,00"
    assert Formats("qq-QQ", "UTC").amount(100, "EUR") == "1.00"
