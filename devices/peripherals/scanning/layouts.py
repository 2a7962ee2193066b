"""What the keys of a keyboard mean in each country's layout.

Key codes are those of Linux (``linux/input-event-codes.h``); the layouts are the national ones of
105 keys.  A scanner is a keyboard whose layout was set on the scanner itself, whatever the box
thinks its own keyboards are.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

SPACE: Final = 57
RIGHT_BRACE: Final = 27
_ROWS: Final = (
    (41, *range(2, 14)),
    tuple(range(16, 28)),
    (*range(30, 41), 43),
    (86, *range(44, 54)),
)
"""The keys that have letters, digits and signs, row by row as they lie."""
KEYPAD: Final = MappingProxyType(
    dict(zip((71, 72, 73, 75, 76, 77, 79, 80, 81, 82), "7894561230", strict=True))
)
KEYPAD_SIGNS: Final = MappingProxyType({74: "-", 78: "+", 83: ".", 55: "*", 98: "/"})
_ACCENTS: Final = MappingProxyType(
    {"^": "\u0302", "\u00b4": "\u0301", "`": "\u0300", "¨": "\u0308", "~": "\u0303"}
)


@dataclass(frozen=True, slots=True)
class Layout:
    """``keys``: key code → what it gives plain, with shift, and with AltGr (empty: nothing);
    ``dead``: (key, level) of those that wait for the next key."""

    keys: Mapping[int, tuple[str, str, str]]
    dead: frozenset[tuple[int, int]] = field(default_factory=frozenset)


def combine(accent: str, letter: str) -> str:
    """A dead key and the one after it: an acute accent and ``e`` are ``é``; with a space, itself;
    where there is no such letter, both."""
    if letter == " ":
        return accent
    one = unicodedata.normalize("NFC", letter + _ACCENTS[accent])
    return one if len(one) == 1 else accent + letter


def _layout(
    plain: tuple[str, str, str, str],
    shifted: tuple[str, str, str, str],
    alt_gr: str = "",
    dead: str = "",
    dead_alt_gr: str = "",
) -> Layout:
    """``alt_gr``: pairs of a key's plain sign and what AltGr makes of it."""
    third = dict(zip(alt_gr[::2], alt_gr[1::2], strict=True))
    keys: dict[int, tuple[str, str, str]] = {SPACE: (" ", " ", "")}
    for codes, signs, others in zip(_ROWS, plain, shifted, strict=True):
        for code, sign, other in zip(codes, signs, others, strict=True):
            keys[code] = (sign, other.replace("\0", ""), third.get(sign, ""))
    waits = {
        (code, level)
        for code, levels in keys.items()
        for level, wanted in enumerate((dead, dead, dead_alt_gr))
        if levels[level] and levels[level] in wanted
    }
    return Layout(MappingProxyType(keys), frozenset(waits))


LAYOUTS: Final[Mapping[str, Layout]] = MappingProxyType(
    {
        "us": _layout(
            ("`1234567890-=", "qwertyuiop[]", "asdfghjkl;'\\", "<zxcvbnm,./"),
            ("~!@#$%^&*()_+", "QWERTYUIOP{}", 'ASDFGHJKL:"|', ">ZXCVBNM<>?"),
        ),
        "gb": _layout(
            ("`1234567890-=", "qwertyuiop[]", "asdfghjkl;'#", "\\zxcvbnm,./"),
            ('¬!"£$%^&*()_+', "QWERTYUIOP{}", "ASDFGHJKL:@~", "|ZXCVBNM<>?"),
            alt_gr="`¦4€aáeéiíoóuú",
        ),
        "de": _layout(
            ("^1234567890ß\u00b4", "qwertzuiopü+", "asdfghjklöä#", "<yxcvbnm,.-"),
            ('°!"§$%&/()=?`', "QWERTZUIOPÜ*", "ASDFGHJKLÖÄ'", ">YXCVBNM;:_"),
            alt_gr="2²3³7{8[9]0}ß\\q@e€+~<|mµ",
            dead="^\u00b4`",
        ),
        "fr": _layout(
            ("²&é\"'(-è_çà)=", "azertyuiop^$", "qsdfghjklmù*", "<wxcvbn,;:!"),
            ("\0" + "1234567890°+", "AZERTYUIOP¨£", "QSDFGHJKLM%µ", ">WXCVBN?./§"),
            alt_gr="é~\"#'{([-|è`_\\ç^à@)]=}e€$¤",
            dead="^¨",
            dead_alt_gr="~`",
        ),
    }
)
