"""Amounts, quantities and dates as a locale writes them (CLDR, by Babel).

Digits are always 0 to 9: the tills' screens, the codes below the bars, and the printers' built-in
letters have only these, and whoever compares a receipt with a screen reads the same number.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.numbers import NumberPattern, format_decimal, parse_pattern
from babel.units import format_unit

from hub.domain.money import CURRENCY_EXPONENTS

_UNITS: Final = {
    "kg": "mass-kilogram",
    "g": "mass-gram",
    "lb": "mass-pound",
    "l": "volume-liter",
    "cl": "volume-centiliter",
    "ml": "volume-milliliter",
    "m": "length-meter",
    "cm": "length-centimeter",
    "m2": "area-square-meter",
}
_PIECES: Final = frozenset({"", "pc", "pcs", "piece", "pieces", "ea", "each", "st", "stk"})
_SPACES: Final = {0x202F: 0xA0, 0x2009: 0xA0}
_BARE: Final = dict.fromkeys(map(ord, "01\xa0"))
_UNKNOWN_EXPONENT: Final = 2


@cache
def babel_locale(locale: str) -> Locale:
    """The locale, or the nearest that CLDR has; English where it knows nothing near."""
    parts = locale.replace("_", "-").split("-")
    while parts:
        try:
            return Locale.parse("-".join(parts), sep="-")
        except (ValueError, UnknownLocaleError):
            parts.pop()
    return Locale("en", "GB")


@dataclass(frozen=True, slots=True)
class Formats:
    """Writes values for a locale (BCP 47) and a time zone (IANA)."""

    locale: str
    timezone: str

    @property
    def rtl(self) -> bool:
        return bool(babel_locale(self.locale).text_direction == "rtl")

    def money(self, minor: int, currency: str) -> str:
        """With the currency's sign: ``12,90 €``."""
        locale = babel_locale(self.locale)
        pattern = _with_fraction(locale.currency_formats["standard"], _exponent(currency))
        text: str = pattern.apply(
            _scaled(minor, _exponent(currency)), locale, currency=currency, currency_digits=False
        )
        return self._signed(text.translate(_SPACES))

    def amount(self, minor: int, currency: str) -> str:
        """Without the sign: ``12,90``; ``currency`` decides the digits."""
        return self._decimal(minor, _exponent(currency))

    def quantity(self, qty: int, scale: int, uom: str = "") -> str:
        """``2``, ``0,350 kg``; pieces have no unit."""
        unit = uom.strip().lower()
        if unit in _PIECES:
            return self._decimal(qty, scale)
        if unit in _UNITS:
            digits = f"#,##0.{'0' * scale}" if scale else "#,##0"
            text: str = format_unit(
                _scaled(qty, scale),
                _UNITS[unit],
                length="short",
                format=digits,
                locale=babel_locale(self.locale),
            )
            return text.translate(_SPACES).replace(" ", "\xa0")
        return f"{self._decimal(qty, scale)}\xa0{uom}"

    def unit(self, uom: str) -> str:
        """The short name of a unit: ``kg``, ``كغم``; empty for pieces."""
        text = self.quantity(100, 0, uom).translate(_BARE)
        return text.strip() if uom.strip().lower() not in _PIECES else ""

    def percent(self, ppm: int) -> str:
        """A rate in parts per million: ``19 %``, ``8.875%``."""
        pattern = copy.copy(babel_locale(self.locale).percent_formats[None])
        pattern.frac_prec = (0, 4)
        text: str = pattern.apply(_scaled(ppm, 6), babel_locale(self.locale))
        return text.translate(_SPACES)

    def moment(self, at_ms: int) -> str:
        """Date and time in the shop's time zone."""
        text: str = format_datetime(
            self._local(at_ms), _short(self.locale), locale=babel_locale(self.locale)
        )
        return text.translate(_SPACES)

    def day(self, iso: str) -> str:
        """A date given as ISO 8601; what is none is shown as it is."""
        try:
            value = date.fromisoformat(iso)
        except ValueError:
            return iso
        text: str = format_date(value, "medium", locale=babel_locale(self.locale))
        return text.translate(_SPACES)

    def date_of(self, at_ms: int) -> str:
        """The date of an instant in the shop's time zone."""
        return self.day(self._local(at_ms).date().isoformat())

    def _local(self, at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(ZoneInfo(self.timezone))

    def _decimal(self, value: int, digits: int) -> str:
        text: str = format_decimal(
            _scaled(value, digits),
            format=f"#,##0.{'0' * digits}" if digits else "#,##0",
            locale=babel_locale(self.locale),
        )
        return self._signed(text.translate(_SPACES))

    def _signed(self, text: str) -> str:
        # The sign belongs before the number, also among letters that read from right to left.
        return text.replace("-", "\u200e-") if self.rtl else text


def _exponent(currency: str) -> int:
    return CURRENCY_EXPONENTS.get(currency, _UNKNOWN_EXPONENT)


def _scaled(value: int, digits: int) -> Decimal:
    return Decimal(value).scaleb(-digits)


def _with_fraction(pattern: NumberPattern, digits: int) -> NumberPattern:
    found = copy.copy(parse_pattern(pattern))
    found.frac_prec = (digits, digits)
    return found


@cache
def _short(locale: str) -> str:
    """Date as ``medium``, time without seconds, in the order of the locale."""
    known = babel_locale(locale)
    order = str(known.datetime_formats["medium"])
    return order.replace("{1}", str(known.date_formats["medium"].pattern)).replace(
        "{0}", str(known.time_formats["short"].pattern)
    )
