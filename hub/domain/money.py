"""Money as integers of a currency's minor unit, and the arithmetic that loses none of it.

Sources: ISO 4217 (currency codes and the number of digits after the decimal separator); largest
remainder (Hamilton's method) for splitting an amount; swedish rounding for cash.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, assert_never

from hub.domain.errors import Invalid

MAX_MONEY_MINOR: Final = 9_000_000_000_000_000
"""The largest amount, either sign: below 2**53, so that a JavaScript till reads it exactly."""

_TWO_DIGITS: Final = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN "
    "BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP "
    "GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP "
    "LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR "
    "NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN "
    "SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR "
    "ZMW ZWG"
)
_NO_DIGITS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DIGITS: Final = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DIGITS: Final = "CLF UYW"

CURRENCY_EXPONENTS: Final[dict[str, int]] = {
    code: digits
    for digits, codes in ((2, _TWO_DIGITS), (0, _NO_DIGITS), (3, _THREE_DIGITS), (4, _FOUR_DIGITS))
    for code in codes.split()
}
"""ISO 4217 alphabetic code → digits of the minor unit.  Includes ANG and BGN, withdrawn lately but
still on old receipts; the codes without a minor unit (metals, XXX, XTS) are left out."""


class Rounding(StrEnum):
    """What happens to half a minor unit.

    ``half_up`` rounds a half away from zero (as tax offices mean it), ``half_even`` to the even
    neighbour, ``down`` cuts towards zero.  All three treat -x as the mirror of x.
    """

    HALF_UP = "half_up"
    HALF_EVEN = "half_even"
    DOWN = "down"


def currency_exponent(currency: str) -> int:
    """Digits of the currency's minor unit: USD 2, JPY 0, KWD 3.  Unknown code → ``validation``."""
    try:
        return CURRENCY_EXPONENTS[currency]
    except KeyError:
        raise Invalid(
            f"{currency!r} is not an ISO 4217 currency code: use three capitals such as EUR.",
            context={"currency": currency[:16]},
        ) from None


def check_money(amount_minor: int, what: str = "amount") -> int:
    """The amount itself if |amount| ≤ 9·10¹⁵; else ``validation``."""
    if -MAX_MONEY_MINOR <= amount_minor <= MAX_MONEY_MINOR:
        return amount_minor
    raise Invalid(
        f"The {what} is beyond {MAX_MONEY_MINOR} minor units: check the price and the quantity.",
        context={"what": what},
    )


def divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """``numerator / denominator`` rounded to an integer, exactly; the denominator isn't 0."""
    if denominator == 0:
        raise ZeroDivisionError("denominator is 0")
    negative = (numerator < 0) != (denominator < 0)
    quotient, rest = divmod(abs(numerator), abs(denominator))
    twice = 2 * rest
    match rounding:
        case Rounding.HALF_UP:
            up = twice >= abs(denominator)
        case Rounding.HALF_EVEN:
            up = twice > abs(denominator) or (twice == abs(denominator) and quotient % 2 == 1)
        case Rounding.DOWN:
            up = False
        case _:
            assert_never(rounding)
    result = quotient + up
    return -result if negative else result


def allocate(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split ``total`` (either sign) in proportion to ``weights`` (≥ 0); the parts sum to it.

    Largest remainder; of equal remainders the earlier part wins, so the same input always splits
    the same way.  All weights 0 is ``validation`` unless the total is 0 too.
    """
    if any(weight < 0 for weight in weights):
        raise Invalid("A share can't be negative: give weights of 0 or more.")
    whole = sum(weights)
    if whole == 0:
        if total == 0:
            return (0,) * len(weights)
        raise Invalid("There is nothing to split the amount over: give one line a value above 0.")
    sign = -1 if total < 0 else 1
    numerators = [abs(total) * weight for weight in weights]
    return tuple(sign * part for part in spread(abs(total), numerators, whole))


def spread(total: int, numerators: Sequence[int], denominator: int) -> tuple[int, ...]:
    """Round the exact parts ``numerators[i] / denominator`` so that they sum to ``total``.

    Each part becomes its floor or the integer above it; those with the largest remainder go up,
    earlier ones first among equals.  ``total`` must be the exact sum rounded in some way.
    """
    floors = [numerator // denominator for numerator in numerators]
    rests = [numerator % denominator for numerator in numerators]
    missing = total - sum(floors)
    order = sorted(range(len(rests)), key=lambda i: (-rests[i], i))
    if not 0 <= missing <= sum(1 for rest in rests if rest):
        raise Invalid("The total isn't a rounding of the sum of its parts: compute it from them.")
    for i in order[:missing]:
        floors[i] += 1
    return tuple(floors)


def cumulative_share(total: int, whole: int, before: int, part: int) -> int:
    """What ``part`` of ``whole`` is worth when ``before`` of it has been dealt with already.

    ``f(before + part) - f(before)`` with ``f(x) = total·x/whole`` rounded half up: whatever the
    parts and their order, together they make exactly ``total``, and never more on the way.
    ``0 ≤ before``, ``0 ≤ part``, ``before + part ≤ whole``; else ``validation``.
    """
    if not (whole > 0 and before >= 0 and part >= 0 and before + part <= whole):
        raise Invalid(
            f"{part} more of {whole} is impossible after {before}: at most {whole - before} are"
            " left.",
            context={"whole": whole, "before": before, "part": part},
        )
    upto = divide(total * (before + part), whole, Rounding.HALF_UP)
    return upto - divide(total * before, whole, Rounding.HALF_UP)


def round_cash(amount_minor: int, step_minor: int, rounding: Rounding = Rounding.HALF_UP) -> int:
    """The nearest payable cash amount if the smallest coin is ``step_minor`` (1: none)."""
    if step_minor < 1:
        raise Invalid("The cash rounding step must be 1 minor unit or more: mend the policy.")
    return divide(amount_minor, step_minor, rounding) * step_minor


def format_amount(amount_minor: int, currency: str) -> str:
    """Digits only, with the currency's decimals: ``-1234`` USD → ``-12.34``, JPY → ``-1234``."""
    exponent = currency_exponent(currency)
    sign = "-" if amount_minor < 0 else ""
    if exponent == 0:
        return f"{sign}{abs(amount_minor)}"
    units, fraction = divmod(abs(amount_minor), 10**exponent)
    return f"{sign}{units}.{fraction:0{exponent}d}"


def format_minor(amount_minor: int, currency: str) -> str:
    """For people: ``12.34 USD``, ``1234 JPY``, ``-0.005 KWD``."""
    return f"{format_amount(amount_minor, currency)} {currency}"
