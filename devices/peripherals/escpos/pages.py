"""Which bytes stand for which characters on a printer: its code pages.

The tables are python-escpos's; that package is imported only in :func:`load`, which takes half a
second: call it in a thread.
"""

from __future__ import annotations

import logging
import shutil
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

GENERIC: Final = "generic"
GENERIC_PAGES: Final[Mapping[str, int]] = {
    "CP437": 0,
    "CP850": 2,
    "CP860": 3,
    "CP863": 4,
    "CP865": 5,
    "CP1252": 16,
    "CP866": 17,
    "CP852": 18,
    "CP858": 19,
}
"""Under these numbers practically every ESC/POS printer has them."""

# Signs that look the same on paper as one that pages have, and are often typed for it.
ALIKE: Final = str.maketrans(
    {
        "\u00a0": " ",
        "\u2002": " ",
        "\u2003": " ",
        "\u2007": " ",
        "\u2008": " ",
        "\u2009": " ",
        "\u200a": " ",
        "\u202f": " ",
        "\u205f": " ",
        "\u3000": " ",
        "\u2010": "-",
        "\u2011": "-",
        "\u2012": "-",
        "\u2212": "-",
    }
)
_Capabilities = Mapping[str, Mapping[str, Mapping[str, Mapping[str, str]]]]
_TABLES_WITHOUT_ASCII = ("KATAKANA", "CP932", "CP864")


class UnknownPage(ValueError):
    """The settings name a code page or profile that isn't known; the text says which are."""


@dataclass(frozen=True, slots=True)
class Page:
    """One code page as a printer has it.  ``number``: for ESC t."""

    name: str
    number: int
    bytes_of: Mapping[str, int]

    def holds(self, text: str) -> bool:
        return all(char in self.bytes_of for char in text)

    def encode(self, text: str) -> bytes:
        return bytes(self.bytes_of[char] for char in text)


@dataclass(frozen=True, slots=True)
class Run:
    """Bytes under one code page."""

    page: Page
    data: bytes


def plain(text: str) -> str:
    """Composed (NFC), signs without ink left out, control characters as their visible symbols."""
    out = []
    for char in unicodedata.normalize("NFC", text):
        code = ord(char)
        if code < 0x20:
            out.append(chr(0x2400 + code))
        elif code == 0x7F:
            out.append("\u2421")
        elif unicodedata.category(char) == "Cc":
            out.append("\ufffd")
        else:
            out.append(char)
    return "".join(out)


def inkless(char: str) -> bool:
    """Format characters: joiners, marks of direction, soft hyphens."""
    return unicodedata.category(char) == "Cf"


class Pages:
    """The code pages of one printer; ``pages[0]`` is preferred."""

    def __init__(self, pages: tuple[Page, ...]) -> None:
        assert pages
        self.pages = pages
        self._all = frozenset().union(*(page.bytes_of for page in pages))

    def hold(self, text: str) -> bool:
        """Whether each character of ``text`` (see :func:`plain`) is in some page."""
        return all(char in self._all for char in self.typed(text))

    def runs(self, text: str, current: Page | None) -> list[Run]:
        """``text`` as bytes; as few changes of the page as a look ahead finds, ``current`` first.

        Needs :meth:`hold`.
        """
        found: list[Run] = []
        rest = self.typed(text)
        while rest:
            order = self.pages if current is None else (current, *self.pages)
            lengths = [(_prefix(page, rest), page) for page in order]
            length, page = max(lengths, key=lambda one: one[0])
            assert length, f"no code page holds {rest[0]!r}"
            found.append(Run(page, page.encode(rest[:length])))
            rest, current = rest[length:], page
        return found

    @staticmethod
    def typed(text: str) -> str:
        """As it is sent: kinds of spaces and hyphens as the plain one, without inkless signs."""
        return "".join(char for char in text.translate(ALIKE) if not inkless(char))


def _prefix(page: Page, text: str) -> int:
    for index, char in enumerate(text):
        if char not in page.bytes_of:
            return index
    return len(text)


def load(profile: str = GENERIC, only: str = "") -> Pages:
    """The pages of a printer.

    ``profile``: ``generic`` or one of python-escpos's, e.g. ``TM-T20II``.  ``only``: a list with
    commas of the page names to use; ``NAME=NUMBER`` names one with a number of its own.
    Errors: :class:`UnknownPage`.  Blocks for about half a second the first time.
    """
    numbers = dict(GENERIC_PAGES) if profile == GENERIC else _numbers(profile)
    if only:
        numbers = _chosen(numbers, only)
    found = []
    for name, number in numbers.items():
        if (table := _table(name)) is not None:
            found.append(Page(name, number, table))
    if not found:
        raise UnknownPage(f"profile {profile!r} with pages {only!r} leaves no code page to use")
    return Pages(tuple(found))


def supports(profile: str, feature: str) -> bool:
    """Whether a printer can do something, e.g. ``qrCode``; the generic one is taken to.

    Blocks as :func:`load` does.  Errors: :class:`UnknownPage`.
    """
    if profile == GENERIC:
        return True
    return bool(_profile(profile)["features"].get(feature))


def _chosen(numbers: Mapping[str, int], only: str) -> dict[str, int]:
    chosen: dict[str, int] = {}
    for one in filter(None, (part.strip() for part in only.split(","))):
        name, _, number = one.partition("=")
        name = name.strip().upper()
        if number.strip().isdecimal() and int(number) < 256 and _table(name) is not None:
            chosen[name] = int(number)
        elif not number and name in numbers:
            chosen[name] = numbers[name]
        else:
            raise UnknownPage(
                f"code_pages: {one!r} is none of this printer's ({', '.join(numbers)}); for another"
                " one write NAME=NUMBER as its manual says, e.g. CP1251=46"
            )
    return chosen


def _profile(profile: str) -> Mapping[str, Mapping[str, str]]:
    data = _capabilities()["profiles"]
    if profile not in data:
        known = ", ".join(sorted(data, key=str.lower))
        raise UnknownPage(f"profile {profile!r} isn't known; known: {GENERIC}, {known}")
    return data[profile]


def _numbers(profile: str) -> dict[str, int]:
    pages = _profile(profile)["codePages"]
    listed = sorted((int(number), name) for number, name in pages.items())
    numbers: dict[str, int] = {}
    for number, name in listed:
        numbers.setdefault(name, number)
    return numbers


@cache
def _table(name: str) -> Mapping[str, int] | None:
    """Character → byte; None for pages that nobody has a table of, or that replace ASCII."""
    if name in _TABLES_WITHOUT_ASCII or name not in _capabilities()["encodings"]:
        return None
    from escpos.magicencode import Encoder

    try:
        high = Encoder._get_codepage_char_list(name)
    except LookupError:
        return None
    table = {chr(code): code for code in range(0x20, 0x7F)}
    for index, char in enumerate(high):
        if char != " " and _printable(char):
            table.setdefault(char, 0x80 + index)
    return table


def _printable(char: str) -> bool:
    """Stands alone and from left to right: marks and Arabic or Hebrew letters have to be shaped
    and ordered, which a printer doesn't do."""
    if unicodedata.category(char) in ("Cc", "Cf", "Mn", "Me", "Co", "Cn"):
        return False
    return unicodedata.bidirectional(char) not in ("R", "AL", "AN")


@cache
def _capabilities() -> _Capabilities:
    root = logging.getLogger()
    before = list(root.handlers)
    from escpos import capabilities

    # Its import configures the root logger and leaves a temporary folder behind.
    for handler in set(root.handlers) - set(before):
        root.removeHandler(handler)
    shutil.rmtree(capabilities.pickle_dir, ignore_errors=True)
    found: _Capabilities = capabilities.CAPABILITIES
    return found
