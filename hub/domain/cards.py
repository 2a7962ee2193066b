"""Refuse card data in free text and token fields, without ever repeating it.

The shop's rule: the hub never sees a card number (PAN), track data or a PIN block (PCI DSS 4.0,
requirement 3).  A number counts as a card's when issuer range, length and check digit all fit
(ISO/IEC 7812-1: IIN and Luhn); one in ten 13-digit article numbers passes Luhn alone.  Track 1 and
2 formats are those of ISO/IEC 7813, tags 57 and 5A those of EMV Book 3.

Last four digits, masked numbers (``411111******1111``) and processors' tokens pass.  Fields that
hold a GTIN aren't free text: their paths are exempt.  Everything runs in time linear in the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Final

from hub.domain.checkdigits import gs1_valid, luhn_valid
from hub.domain.errors import CardDataRefused, Invalid

MAX_DEPTH: Final = 64
"""How deep :func:`screen` looks; deeper values are refused, not skipped."""


class CardDataKind(StrEnum):
    """What was found."""

    PAN = "pan"
    TRACK_1 = "track_1"
    TRACK_2 = "track_2"
    EMV_TAG = "emv_tag"


@dataclass(frozen=True, slots=True)
class CardDataFinding:
    """That there is card data, and where (JSON pointer, empty for plain text); never the value."""

    kind: CardDataKind
    network: str | None = None
    path: str = ""


def _n(*lengths: int) -> frozenset[int]:
    return frozenset(lengths)


_16_19 = frozenset(range(16, 20))
_12_19 = frozenset(range(12, 20))

ISSUERS: Final[tuple[tuple[str, str, str, frozenset[int]], ...]] = (
    # (network, first IIN, last IIN, lengths): both ends have the same number of digits.
    ("visa", "4", "4", _n(13, 16, 18, 19)),
    ("mastercard", "51", "55", _n(16)),
    ("mastercard", "2221", "2720", _n(16)),
    ("amex", "34", "34", _n(15)),
    ("amex", "37", "37", _n(15)),
    ("discover", "6011", "6011", _16_19),
    ("discover", "644", "649", _16_19),
    ("discover", "65", "65", _16_19),
    ("diners", "300", "305", _n(14, 16, 17, 18, 19)),
    ("diners", "3095", "3095", _n(14, 16, 17, 18, 19)),
    ("diners", "36", "36", _n(14, 16, 17, 18, 19)),
    ("diners", "38", "39", _n(14, 16, 17, 18, 19)),
    ("jcb", "3528", "3589", _16_19),
    ("jcb", "1800", "1800", _n(15)),
    ("jcb", "2131", "2131", _n(15)),
    ("unionpay", "62", "62", _16_19),
    ("unionpay", "81", "81", _16_19),
    ("maestro", "5018", "5018", _12_19),
    ("maestro", "5020", "5020", _12_19),
    ("maestro", "5038", "5038", _12_19),
    ("maestro", "5612", "5612", _12_19),
    ("maestro", "5893", "5893", _12_19),
    ("maestro", "6304", "6304", _12_19),
    ("maestro", "6390", "6390", _12_19),
    ("maestro", "67", "67", _12_19),
    ("rupay", "60", "60", _n(16)),
    ("rupay", "508", "508", _n(16)),
    ("rupay", "82", "82", _n(16)),
    ("rupay", "353", "353", _n(16)),
    ("rupay", "356", "356", _n(16)),
    ("mir", "2200", "2204", _16_19),
    ("borica", "2205", "2205", _n(16)),
    ("dankort", "5019", "5019", _n(16)),
    ("verve", "506099", "506198", _n(16, 18, 19)),
    ("verve", "507865", "507964", _n(16, 18, 19)),
    ("elo", "5067", "5067", _n(16)),
    ("elo", "509", "509", _n(16)),
    ("elo", "6362", "6363", _n(16)),
    ("hipercard", "6370", "6376", _n(16)),
    ("interpayment", "636", "636", _16_19),
    ("instapayment", "637", "639", _n(16)),
    ("troy", "9792", "9792", _n(16)),
    ("meeza", "5078", "5078", _n(16)),
    ("uzcard", "8600", "8600", _n(16)),
    ("humo", "9860", "9860", _n(16)),
    ("gpn", "1946", "1946", _n(16)),
)

_BY_FIRST_TWO: Final = {
    two: tuple(row for row in ISSUERS if row[1][:2] <= two[: len(row[1])] <= row[2][:2])
    for two in (f"{number:02}" for number in range(100))
}

ALLOWED_TOKENS: Final[tuple[tuple[str, str], ...]] = (
    (
        "a processor's token",
        r"(?:tok|pm|pi|src|ch|card|cus|seti|re|pay|txn|psp|blob|pt)_[0-9A-Za-z_-]+",
    ),
    (
        "a UUID (RFC 9562)",
        r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[1-8][0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}",
    ),
)
"""What is let through as a word of its own.  A token whose body hides twelve digits in a row is
looked at all the same."""

_TOKEN = re.compile(
    r"(?<![^\s\"',;:()\[\]])(?:"
    + "|".join(p for _, p in ALLOWED_TOKENS)
    + r")(?![^\s\"',;:()\[\].])"
)
_LONG_RUN = re.compile(r"\d(?:[\W_]{0,3}\d){11,}")
_TWELVE = re.compile(r"\d{12}", re.ASCII)
_DIGITS = re.compile(r"[0-9]+")
_NO_DIGITS: Final = dict.fromkeys(range(48, 58))
_SEPARATORS = frozenset(" \t\r\n-.·_/")
_MAX_GAP = 3
_TRACK_1 = re.compile(r"[Bb][0-9]{12,19}\^[^^]{2,26}\^[0-9]{4}")
_TRACK_2 = re.compile(r"(?<![0-9])([0-9]{12,19})[=Dd][0-9]{2}(?:0[1-9]|1[0-2])[0-9]{3}")
_EMV = re.compile(r"(?=(5[Aa]0[6-9Aa]|57(?:0[89A-Fa-f]|1[0-3])))")
_MIN_PAN, _MAX_PAN = 12, 19
_PRINTED: Final = (
    (range(12, 20), frozenset({4, 8, 12, 16})),  # fours, and what is left
    (range(12, 20), frozenset({6})),  # 6-13, and any number behind its issuer's six digits
    (range(14, 16), frozenset({4, 10})),  # 4-6-4 and 4-6-5
    (range(15, 16), frozenset({4, 9})),  # 4-5-6
    (range(13, 14), frozenset({4, 7, 10})),  # 4-3-3-3
)
"""Behind which digits a space stands on cards, by how many digits they have."""
_SPELT_AT_MOST: Final = 4
"""Whoever reads a number out in equal groups takes no larger ones."""
_LETTERS_OF_A_TOKEN: Final = 8
_ALONE = re.compile(r"(?<![0-9A-Za-z])[0-9](?:[0-9]|[\W_]{1,3}(?=[0-9]))*(?![0-9A-Za-z])")


def issuer(digits: str) -> str | None:
    """The network whose range and length fit, if any; the check digit isn't looked at."""
    for network, low, high, lengths in _BY_FIRST_TWO.get(digits[:2], ()):
        if len(digits) in lengths and low <= digits[: len(low)] <= high:
            return network
    return None


def find_card_data(text: str) -> CardDataFinding | None:
    """The first card data in ``text``, or None.  The finding never holds the value."""
    return _find(text, printed=False)


def find_in_reference(text: str) -> CardDataFinding | None:
    """The same for a number that a machine gave (an order's): digits that are set apart elsewhere
    than on cards (302-1234567-1234567) are none.

    Not for what people type: who means to hide a card's number sets it apart as he likes.
    """
    return _find(text, printed=True)


def _find(text: str, *, printed: bool) -> CardDataFinding | None:
    if len(text) < _MIN_PAN or (text.isascii() and _digit_count(text) < _MIN_PAN):
        return None
    plain = _normalise(text)
    if _TRACK_1.search(plain):
        return CardDataFinding(CardDataKind.TRACK_1)
    for match in _TRACK_2.finditer(plain):
        if luhn_valid(match[1]):
            return CardDataFinding(CardDataKind.TRACK_2, issuer(match[1]))
    network = _emv_network(plain)
    if network is not None:
        return CardDataFinding(CardDataKind.EMV_TAG, network)
    for run in _runs(_TOKEN.sub(_hide_token, plain)):
        for candidate in _candidates(run, printed=printed):
            network = _card(candidate)
            if network is not None:
                return CardDataFinding(CardDataKind.PAN, network)
    return None


def find_in_token(text: str) -> CardDataFinding | None:
    """The same for a field that holds an opaque token.

    Random letters and digits hold, once in some hundred tokens, digits that would pass for a
    card's.  In a token with eight letters or more a number counts only where it stands by itself,
    as nobody's random does; tracks and EMV tags count everywhere.
    """
    found = find_card_data(text)
    if found is None or found.kind is not CardDataKind.PAN:
        return found
    if sum(map(str.isalpha, text)) < _LETTERS_OF_A_TOKEN:
        return found
    for run in _ALONE.finditer(_normalise(text)):
        if (alone := find_card_data(run[0])) is not None:
            return alone
    return None


def screen(value: object, exempt_paths: Collection[str] = ()) -> CardDataFinding | None:
    """The first card data in any text, number or key of a JSON value, with its JSON pointer.

    ``exempt_paths`` are pointers of fields that hold article numbers (``/lines/*/code``); ``*``
    stands for any one key or index, and what lies beneath an exempt place is exempt too.
    """
    exempt: dict[int, list[list[str]]] = {}
    for pattern in exempt_paths:
        parts = pattern.strip("/").split("/")
        exempt.setdefault(len(parts), []).append(parts)
    stack: list[tuple[tuple[str, ...], object]] = [((), value)]
    while stack:
        path, node = stack.pop()
        if len(path) > MAX_DEPTH:
            raise Invalid(f"The message is nested deeper than {MAX_DEPTH}: flatten it.")
        if any(_fits(parts, path) for parts in exempt.get(len(path), ())):
            continue
        found: CardDataFinding | None = None
        match node:
            case str():
                found = find_card_data(node)
            case int() | float():
                found = _in_number(node)
            case Mapping():
                found = next(filter(None, (find_card_data(str(key)) for key in node)), None)
                stack.extend(
                    ((*path, str(key)), node[key]) for key in [*node][::-1] if _worth(node[key])
                )
            case list() | tuple():
                stack.extend(
                    ((*path, str(i)), node[i])
                    for i in reversed(range(len(node)))
                    if _worth(node[i])
                )
            case _:
                pass
        if found is not None:
            return CardDataFinding(found.kind, found.network, _pointer(path))
    return None


def mask(text: str) -> str:
    """``text`` with stars for every digit of what looks like card data; mostly unchanged."""
    if find_card_data(text) is None:
        return text
    masked = _LONG_RUN.sub(lambda found: re.sub(r"\d", "*", found[0]), text)
    if find_card_data(masked) is None:
        return masked
    return "".join(
        "*" if unicodedata.normalize("NFKC", one)[:1].isdigit() else one for one in masked
    )


def refuse_card_data(value: object, exempt_paths: Collection[str] = ()) -> None:
    """Raise ``card-data-refused`` if :func:`screen` finds anything."""
    found = screen(value, exempt_paths)
    if found is not None:
        place = f"The field {found.path}" if found.path else "The text"
        raise CardDataRefused(
            f"{place} looks like card data ({found.kind}) and was not stored: send the terminal's"
            " token and at most the last four digits.",
            context={"kind": str(found.kind), "path": found.path},
        )


def _digit_count(text: str) -> int:
    return len(text) - len(text.translate(_NO_DIGITS))


def _in_number(number: float) -> CardDataFinding | None:
    if not 10**11 <= abs(number) < 10**40 or number != int(number):
        return None
    return find_card_data(str(abs(int(number))))


def _normalise(text: str) -> str:
    """NFKC; any script's decimal digits and dashes become ASCII; invisible characters go."""
    if text.isascii():
        return text
    out: list[str] = []
    for char in unicodedata.normalize("NFKC", text):
        category = unicodedata.category(char)
        if char.isascii():
            out.append(char)
        elif category == "Nd":
            out.append(str(unicodedata.decimal(char)))
        elif category in {"Pd", "Zs", "Zl", "Zp"} or char == "\u2212":
            out.append("-" if category != "Zs" else " ")
        elif category not in {"Cf", "Mn"}:
            out.append(char)
    return "".join(out)


def _hide_token(match: re.Match[str]) -> str:
    token = match[0]
    hides_digits = "_" in token and _TWELVE.search(re.sub(r"[_-]", "", token))
    return token if hides_digits else "|"


def _runs(text: str) -> Iterator[list[str]]:
    """Groups of digits that stand together, apart by at most three separators."""
    run: list[str] = []
    end = 0
    for match in _DIGITS.finditer(text):
        gap = text[end : match.start()]
        if run and (len(gap) > _MAX_GAP or not _SEPARATORS.issuperset(gap)):
            yield run
            run = []
        plus = match.start() > 0 and text[match.start() - 1] == "+"
        if not run and plus and (len(match[0]) <= 3 or 8 <= len(match[0]) < 15):
            # An international telephone number (E.164), whole or its country code.
            end = match.end()
            continue
        run.append(match[0])
        end = match.end()
    if run:
        yield run


def _candidates(run: list[str], *, printed: bool) -> Iterator[str]:
    """Digits of 12 to 19 that a reader would take for one number; ``printed``: only those that are
    set apart as on cards."""
    for group in run:
        yield from _inside(group)
    for start, first in enumerate(run):
        joined, even, big = first, True, len(first) >= 3
        for end in range(start + 1, min(start + _MAX_PAN, len(run))):
            # Groups of three and more, or all of one size but the last: 4-4-4-4, 4-6-5, 1-1-1-…
            size, before = len(run[end]), len(run[end - 1])
            even = even and before == len(first)
            big = big and size >= 3
            joined += run[end]
            if len(joined) > _MAX_PAN or not (even or big):
                break
            if len(joined) < _MIN_PAN or not (big or size <= before):
                continue
            if not printed or _as_printed(run[start : end + 1]):
                yield joined


def _as_printed(groups: list[str]) -> bool:
    """Whether digits are set apart only where cards have spaces, or read out in small groups."""
    sizes = [len(group) for group in groups]
    if max(sizes) <= _SPELT_AT_MOST and len(set(sizes[:-1])) == 1 and sizes[-1] <= sizes[0]:
        return True
    cuts = set(accumulate(sizes[:-1]))
    return any(sum(sizes) in lengths and cuts <= known for lengths, known in _PRINTED)


def _inside(group: str) -> Iterator[str]:
    """One unbroken group: itself, without padding zeros, or a number at the start of a longer one
    (expiry or security code typed behind it)."""
    if _MIN_PAN <= len(group) <= _MAX_PAN:
        yield group
    bare = group.lstrip("0")
    if bare != group and _MIN_PAN <= len(bare) <= _MAX_PAN:
        yield bare
    if len(group) > 16:
        yield group[:16]
        yield group[:15]


def _card(digits: str) -> str | None:
    network = issuer(digits)
    if network is None or not luhn_valid(digits):
        return None
    if len(digits) in (12, 13) and gs1_valid(digits):
        # Cards of 12 and 13 digits are no longer issued; articles numbered so are everywhere.
        return None
    return network


def _emv_network(text: str) -> str | None:
    """The network of a PAN within tag 57 or 5A written as hexadecimal."""
    hexa = re.sub(r"[\s:-]+", "", text)
    for match in _EMV.finditer(hexa):
        head = match[1]
        size = 2 * int(head[2:], 16)
        body = hexa[match.start() + 4 : match.start() + 4 + size]
        if len(body) < size:
            continue
        found = re.match(r"([0-9]{12,19})(?:[Ff]*$|[Dd][0-9])", body)
        if found and luhn_valid(found[1]):
            network = issuer(found[1])
            if network is not None:
                return network
    return None


def _worth(node: object) -> bool:
    """False for what is too short to hold a number: most of a message, skipped cheaply."""
    if type(node) is str:
        return len(node) >= _MIN_PAN
    if type(node) is int:
        return not -(10**11) < node < 10**11
    return node is not None and type(node) is not bool


def _fits(pattern: list[str], path: tuple[str, ...]) -> bool:
    return all(want in ("*", have) for want, have in zip(pattern, path, strict=True))


def _pointer(path: tuple[str, ...]) -> str:
    """RFC 6901."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1")[:64] for part in path)
