"""What a scanner or a keyboard gave: an article number, its lot and dates, its weight or price.

Sources: GS1 General Specifications (GTIN and check digits 7.9, UPC-E 5.2.2, element strings 7.8,
dates 7.12, restricted circulation numbers 2.1.11-2.1.13), ISO/IEC 15424 (the ``]C1`` prefixes),
GS1 Digital Link.  ``biip`` takes element strings and Digital Links apart; it is imported on the
first such code only.  GTINs are normalised to 14 digits.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from hub.domain.cards import find_card_data
from hub.domain.checkdigits import gs1_check_digit, gs1_valid
from hub.domain.errors import CardDataRefused, Invalid
from hub.domain.money import Rounding, divide

if TYPE_CHECKING:
    from biip.gs1_element_strings import GS1ElementString

MAX_CODE_CHARS: Final = 512
MAX_SKU_CHARS: Final = 64
_GS: Final = "\x1d"
_GRAMS_PER_POUND: Final = (45_359_237, 100_000)
_GTIN_SYMBOLS: Final = ("]E0", "]E3", "]E4", "]I1")
_GS1_SYMBOLS: Final = ("]C1", "]d2", "]Q3", "]e0", "]e1", "]e2", "]J1")


class InvalidCode(Invalid):
    """A code that can't be right; the message quotes it and says what was expected."""


class CodeKind(StrEnum):
    """How a code was read."""

    GTIN = "gtin"
    GS1 = "gs1"
    DIGITAL_LINK = "digital_link"
    RESTRICTED = "restricted"
    SSCC = "sscc"
    SKU = "sku"


@dataclass(frozen=True, slots=True)
class ScannedCode:
    """A code taken apart.  Without a GTIN, ``raw`` (trimmed) is what to look up.

    ``gtin14`` of a restricted number with a known rule has its measure zeroed, so that it names the
    article.  ``weight_g`` and ``price_minor`` are of this piece.
    """

    kind: CodeKind
    raw: str
    gtin14: str | None = None
    weight_g: int | None = None
    price_minor: int | None = None
    count: int | None = None
    lot: str | None = None
    serial: str | None = None
    expiry_date: date | None = None
    best_before_date: date | None = None
    restricted_item: str | None = None
    sscc: str | None = None


class MeasureKind(StrEnum):
    """What the variable part of a restricted number says."""

    WEIGHT = "weight"
    PRICE = "price"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class RestrictedRule:
    """How a country or a shop reads its restricted 13-digit numbers.

    Positions count from 0 over the 13 digits (12 digits get a leading 0); ends are exclusive.
    ``decimals`` are those of kilograms or of the major currency unit.  ``verifier_at`` is the place
    of the check digit over the measure (sections 7.9.2-7.9.4: four or five digits), if any.
    """

    prefix: str
    item: tuple[int, int]
    measure: tuple[int, int]
    kind: MeasureKind
    decimals: int = 0
    verifier_at: int | None = None

    def __post_init__(self) -> None:
        spans = (0 <= a < b <= 12 for a, b in (self.item, self.measure))
        if not all(spans) or not (self.prefix.isascii() and self.prefix.isdecimal()):
            raise Invalid("A rule for restricted numbers lies outside of its 12 digits: mend it.")
        if not 0 <= self.decimals <= 12 or self.verifier_at not in (None, *range(13)):
            raise Invalid("A rule for restricted numbers has 0 to 12 decimals and digits: mend it.")
        if self.verifier_at is not None and self.measure[1] - self.measure[0] not in (4, 5):
            raise Invalid("A measure with a check digit has four or five digits: mend the rule.")


@dataclass(frozen=True, slots=True)
class CodeRules:
    """What this shop knows about its codes.  The first rule whose prefix fits counts.

    ``currency_exponent`` turns printed prices into minor units; ``reference_year`` decides the
    century of two-digit years (section 7.12: 49 years back to 50 ahead).
    """

    restricted: tuple[RestrictedRule, ...] = ()
    currency_exponent: int = 2
    reference_year: int = 2026


DEFAULT_RULES: Final = CodeRules()


def parse(raw: str, rules: CodeRules = DEFAULT_RULES) -> ScannedCode:
    """Take a code apart.

    What is no GTIN, element string or Digital Link is a ``sku``: also 8 digits whose check digit is
    wrong, since shops number articles so.  12, 13 and 14 digits with a wrong check digit, element
    strings that break their format, and text that no article has → :class:`InvalidCode`.  A card
    swiped into the field → ``card-data-refused``.
    """
    if len(raw) > MAX_CODE_CHARS:
        raise InvalidCode(f"A code has at most {MAX_CODE_CHARS} characters, this one {len(raw)}.")
    text = raw.strip(" \t\r\n")
    symbol, body = (text[:3], text[3:]) if text[:1] == "]" else ("", text)
    if body[:1] == _GS or symbol in _GS1_SYMBOLS:
        if body[:4].lower() != "http":
            return _from_gs1(text, body.lstrip(_GS), rules)
    elif symbol in _GTIN_SYMBOLS:
        return _from_gtin_symbol(text, symbol, body, rules)
    if body[:7].lower() == "http://" or body[:8].lower() == "https://":
        return _from_digital_link(text, body, rules)
    if body[:1] == "(" or _GS in body or _looks_like_gs1(body):
        return _from_gs1(text, body, rules)
    if _is_digits(body) and len(body) in (8, 12, 13, 14):
        return _from_digits(text, body, rules)
    return _sku(body)


def normalise_gtin(digits: str) -> str:
    """A GTIN of 8, 12, 13 or 14 digits as 14; :class:`InvalidCode` if its check digit is wrong."""
    if not _is_digits(digits) or len(digits) not in (8, 12, 13, 14):
        _refuse_card(digits)
        raise InvalidCode(f"Expected 8, 12, 13 or 14 digits, got {_quote(digits)}: scan it again.")
    if not gs1_valid(digits):
        if (
            len(digits) == 14
        ):  # cards of 12 and 13 digits are no longer issued; misread articles are
            _refuse_card(digits)
        raise InvalidCode(
            f"Expected check digit {gs1_check_digit(digits[:-1])} in {_quote(digits)}, got"
            f" {digits[-1]}: scan it again.",
            context={"code": digits},
        )
    return digits.zfill(14)


def expand_upc_e(digits: str) -> str | None:
    """The 12-digit UPC-A behind 8 digits of UPC-E, or None if these aren't any."""
    if not _is_digits(digits) or len(digits) != 8 or digits[0] not in "01":
        return None
    number, last = digits[1:7], digits[6]
    match last:
        case "0" | "1" | "2":
            body = f"{number[:2]}{last}0000{number[2:5]}"
        case "3":
            body = f"{number[:3]}00000{number[3:5]}"
        case "4":
            body = f"{number[:4]}00000{number[4]}"
        case _:
            body = f"{number[:5]}0000{last}"
    upc_a = digits[0] + body + digits[7]
    return upc_a if gs1_valid(upc_a) else None


def _from_gtin_symbol(text: str, symbol: str, body: str, rules: CodeRules) -> ScannedCode:
    if symbol == "]E3" and len(body) > 13:  # an add-on symbol follows the 13 digits
        body = body[:13]
    if symbol == "]E4":
        return ScannedCode(CodeKind.GTIN, text, normalise_gtin(body))
    return _from_digits(text, body, rules, strict=True)


def _from_digits(text: str, digits: str, rules: CodeRules, *, strict: bool = False) -> ScannedCode:
    if len(digits) == 8:
        upc_a = expand_upc_e(digits)
        if upc_a is not None and (digits[0] == "0" or not gs1_valid(digits)):
            return ScannedCode(CodeKind.GTIN, text, upc_a.zfill(14))
        if not gs1_valid(digits) and not strict:
            return _sku(digits)
        kind = CodeKind.RESTRICTED if digits[0] in "02" else CodeKind.GTIN
        return ScannedCode(kind, text, normalise_gtin(digits))
    gtin14 = normalise_gtin(digits)
    if gtin14[0] == "0" and (gtin14[1] == "2" or gtin14[1:3] in ("02", "04")):
        return _restricted(text, gtin14[1:], rules)
    return ScannedCode(CodeKind.GTIN, text, gtin14)


def _restricted(text: str, digits: str, rules: CodeRules) -> ScannedCode:
    """13 digits whose meaning is this shop's or country's own; opaque without a rule."""
    rule = next((one for one in rules.restricted if digits.startswith(one.prefix)), None)
    if rule is None:
        return ScannedCode(CodeKind.RESTRICTED, text, digits.zfill(14))
    start, end = rule.measure
    measure = digits[start:end]
    if rule.verifier_at is not None:
        from biip.checksums import gs1_price_weight_check_digit

        expected = gs1_price_weight_check_digit(measure)
        if digits[rule.verifier_at] != str(expected):
            raise InvalidCode(
                f"Expected check digit {expected} for the measure {measure} in {_quote(digits)},"
                f" got {digits[rule.verifier_at]}: weigh or scan it again.",
                context={"code": digits},
            )
    zeroed = digits[:start] + "0" * len(measure) + digits[end:12]
    if rule.verifier_at is not None:
        zeroed = zeroed[: rule.verifier_at] + "0" + zeroed[rule.verifier_at + 1 :]
    value, weight_g, price_minor, count = int(measure), None, None, None
    match rule.kind:
        case MeasureKind.WEIGHT:
            weight_g = divide(value * 1000, 10**rule.decimals, Rounding.HALF_UP)
        case MeasureKind.PRICE:
            price_minor = _price(value, rule.decimals, rules)
        case MeasureKind.COUNT:
            count = value
    return ScannedCode(
        CodeKind.RESTRICTED,
        text,
        gtin14=(zeroed + gs1_check_digit(zeroed)).zfill(14),
        weight_g=weight_g,
        price_minor=price_minor,
        count=count,
        restricted_item=digits[slice(*rule.item)],
    )


def _from_gs1(text: str, body: str, rules: CodeRules) -> ScannedCode:
    from biip import ParseConfig, ParseError
    from biip.gs1_messages import GS1Message

    config = ParseConfig(gs1_element_strings_verify_date=False)
    try:
        if body[:1] == "(":
            message = GS1Message.parse_hri(body, config=config)
        else:
            message = GS1Message.parse(body, config=config)
    except (ParseError, ValueError, IndexError) as error:
        _refuse_card(body)
        raise InvalidCode(
            f"Expected GS1 element strings such as (01)…(10)…, got {_quote(body)}: {_why(error)}",
            context={"code": body[:MAX_SKU_CHARS]},
        ) from None
    return _from_elements(CodeKind.GS1, text, message.element_strings, rules)


def _from_digital_link(text: str, body: str, rules: CodeRules) -> ScannedCode:
    from biip import ParseConfig, ParseError
    from biip.gs1_digital_link_uris import GS1DigitalLinkURI

    config = ParseConfig(gs1_element_strings_verify_date=False)
    try:
        link = GS1DigitalLinkURI.parse(body, config=config)
    except (ParseError, ValueError, IndexError) as error:
        _refuse_card(body)
        raise InvalidCode(
            f"Expected a GS1 Digital Link such as https://id.gs1.org/01/…, got {_quote(body)}:"
            f" {_why(error)}",
            context={"code": body[:MAX_SKU_CHARS]},
        ) from None
    return _from_elements(CodeKind.DIGITAL_LINK, text, link.element_strings, rules)


def _from_elements(
    kind: CodeKind, text: str, elements: Iterable[GS1ElementString], rules: CodeRules
) -> ScannedCode:
    values = {element.ai.ai: element.value for element in reversed(list(elements))}
    if not values:
        raise InvalidCode(f"Expected GS1 element strings, got {_quote(text)}: scan it again.")
    gtin14 = normalise_gtin(values["01"]) if "01" in values else None
    sscc = values.get("00")
    if sscc is not None and not gs1_valid(sscc):
        raise InvalidCode(
            f"Expected check digit {gs1_check_digit(sscc[:-1])} in the SSCC {_quote(sscc)}, got"
            f" {sscc[-1]}: scan it again."
        )
    count = values.get("30")
    return ScannedCode(
        CodeKind.SSCC if sscc is not None and gtin14 is None else kind,
        text,
        gtin14=gtin14,
        weight_g=_weight(values),
        price_minor=_element_price(values, rules),
        count=_number("30", count) if count is not None else None,
        lot=values.get("10"),
        serial=values.get("21"),
        expiry_date=_date("17", values.get("17"), rules)
        or _date("7003", values.get("7003", "")[:6] or None, rules),
        best_before_date=_date("15", values.get("15"), rules),
        sscc=sscc,
    )


def _number(ai: str, digits: str) -> int:
    if not _is_digits(digits):
        raise InvalidCode(f"Expected a number behind AI ({ai}), got none: scan it again.")
    return int(digits)


def _weight(values: dict[str, str]) -> int | None:
    """Net weight in grams: AI 310n in kilograms, 320n in pounds; the last digit counts decimals."""
    for ai, value in values.items():
        if len(ai) == 4 and ai[:3] == "310":
            return divide(_number(ai, value) * 1000, 10 ** int(ai[3]), Rounding.HALF_UP)
        if len(ai) == 4 and ai[:3] == "320":
            grams, per = _GRAMS_PER_POUND
            return divide(_number(ai, value) * grams, per * 10 ** int(ai[3]), Rounding.HALF_UP)
    return None


def _element_price(values: dict[str, str], rules: CodeRules) -> int | None:
    """Amount payable of a variable-measure article: AI 392n, and 393n behind a currency number."""
    for ai, value in values.items():
        if len(ai) == 4 and ai[:3] == "392":
            return _price(_number(ai, value), int(ai[3]), rules)
        if len(ai) == 4 and ai[:3] == "393":
            return _price(_number(ai, value[3:]), int(ai[3]), rules)
    return None


def _price(value: int, decimals: int, rules: CodeRules) -> int:
    return divide(value * 10**rules.currency_exponent, 10**decimals, Rounding.HALF_UP)


def _date(ai: str, value: str | None, rules: CodeRules) -> date | None:
    """YYMMDD; day 00 is the month's last; ``000000`` (seen on real packs) says nothing."""
    if value is None or value == "000000":
        return None
    year, month, day = int(value[:2]), int(value[2:4]), int(value[4:6])
    century, now = divmod(rules.reference_year, 100)
    if year - now >= 51:
        century -= 1
    elif year - now <= -50:
        century += 1
    year += 100 * century
    try:
        return date(year, month, day or calendar.monthrange(year, month)[1])
    except (ValueError, calendar.IllegalMonthError):
        raise InvalidCode(
            f"Expected a date YYMMDD behind ({ai}), got {_quote(value)}: scan it again.",
            context={"code": value},
        ) from None


def _looks_like_gs1(body: str) -> bool:
    """Element strings from a scanner that sends no prefix: AI 01 with a right GTIN, or an SSCC."""
    if body[:2] == "01" and len(body) >= 16 and _is_digits(body[2:16]):
        return gs1_valid(body[2:16])
    return body[:2] == "00" and len(body) == 20 and _is_digits(body) and gs1_valid(body[2:])


def _sku(body: str) -> ScannedCode:
    _refuse_card(body)
    if not body or len(body) > MAX_SKU_CHARS or not body.isprintable():
        raise InvalidCode(
            f"Expected 1 to {MAX_SKU_CHARS} printable characters, got {_quote(body)}: scan it"
            " again or type the article number."
        )
    return ScannedCode(CodeKind.SKU, body)


def _refuse_card(body: str) -> None:
    found = find_card_data(body)
    if found is not None:
        raise CardDataRefused(
            "That is a payment card, not an article: use the payment terminal for cards.",
            context={"kind": str(found.kind)},
        )


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _quote(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")


def _why(error: Exception) -> str:
    """The parser's own sentence, unless it could repeat more than is quoted."""
    sentence = str(error)
    return sentence if 0 < len(sentence) <= 160 else "its format is broken; scan it again."
