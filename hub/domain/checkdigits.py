"""Check digits of cards and of articles."""

from __future__ import annotations


def luhn_valid(digits: str) -> bool:
    """The check digit of ISO/IEC 7812-1, annex B, over ASCII digits."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = ord(digit) - 48
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def gs1_check_digit(payload: str) -> str:
    """The check digit behind ``payload`` (GS1 General Specifications, section 7.9.1)."""
    weighted = sum(
        (ord(digit) - 48) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(payload))
    )
    return str(-weighted % 10)


def gs1_valid(digits: str) -> bool:
    """Whether the last digit is the GS1 check digit of the others (GTIN, SSCC, GLN)."""
    return gs1_check_digit(digits[:-1]) == digits[-1]
