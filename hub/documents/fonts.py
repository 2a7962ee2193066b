"""The fonts that draw what a printer's own letters lack.

Two Debian packages are enough: fonts-dejavu-core (Latin, Greek, Cyrillic, Hebrew, Arabic and much
more) and fonts-wqy-microhei (Chinese, Japanese, Korean).  Noto fonts are used for other scripts
where somebody has installed them.  Which letters a font has is read from its ``cmap`` table
(OpenType 1.9, formats 4 and 12).
"""

from __future__ import annotations

import struct
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from PIL import ImageFont

_ROOT: Final = Path("/usr/share/fonts/truetype")


class FontMissing(Exception):
    """A font, or a library that shapes text, isn't on this machine; names the Debian package."""


@dataclass(frozen=True, slots=True)
class Face:
    """A font file.  ``bold`` None: bold letters are the regular ones drawn thicker."""

    package: str
    regular: Path
    bold: Path | None = None


_SANS: Final = Face(
    "fonts-dejavu-core", _ROOT / "dejavu/DejaVuSans.ttf", _ROOT / "dejavu/DejaVuSans-Bold.ttf"
)
_CJK: Final = (
    Face("fonts-wqy-microhei", _ROOT / "wqy/wqy-microhei.ttc"),
    Face("fonts-droid-fallback", _ROOT / "droid/DroidSansFallbackFull.ttf"),
)
_FALLBACK_FACES_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Run:
    """Letters of one font.  ``face`` None: no installed font has them."""

    text: str
    face: Face | None


@cache
def faces() -> tuple[Face, ...]:
    """The fonts that are installed, best first.  Errors: :class:`FontMissing`."""
    if not _SANS.regular.is_file():
        raise FontMissing(
            f"The font {_SANS.regular} is not on this machine: run apt-get install {_SANS.package}"
            f" {_CJK[0].package}."
        )
    found = [_SANS, *(face for face in _CJK if face.regular.is_file())]
    noto = sorted(_ROOT.glob("noto/NotoSans*-Regular.ttf"))[:_FALLBACK_FACES_MAX]
    return (*found, *(_noto(path) for path in noto))


def _noto(path: Path) -> Face:
    bold = path.with_name(path.name.replace("-Regular", "-Bold"))
    return Face("fonts-noto-core", path, bold if bold.is_file() else None)


@lru_cache(maxsize=64)
def font(
    face: Face, size_px: int, bold: bool = False, shaped: bool = False
) -> ImageFont.FreeTypeFont:
    """A face at a size (the em, in pixels).  ``shaped``: by libraqm, which scripts with joined or
    stacked letters need; it is twenty times as slow."""
    path = face.bold if bold and face.bold is not None else face.regular
    engine = ImageFont.Layout.RAQM if shaped else ImageFont.Layout.BASIC
    return ImageFont.truetype(str(path), size_px, layout_engine=engine)


def first_face() -> Face:
    """The face whose ascent and descent make the lines."""
    return faces()[0]


def runs(text: str) -> list[Run]:
    """``text`` in pieces that one font has each; marks stay with the letter they are on."""
    pieces: list[Run] = []
    letters = ""
    current: Face | None = None
    for char in text:
        if letters and (sticks(char) or _covers(current, char)):
            letters += char
            continue
        face = _face_of(char)
        if letters and face != current:
            pieces.append(Run(letters, current))
            letters = ""
        letters, current = letters + char, face
    if letters:
        pieces.append(Run(letters, current))
    return pieces


def uncovered(text: str) -> frozenset[str]:
    """Letters that no installed font has: they are drawn as boxes, and somebody should be told."""
    return frozenset(
        char for char in text if not sticks(char) and char.isprintable() and not _face_of(char)
    )


def package_for(char: str) -> str:
    """The Debian package that most likely has a letter which :func:`uncovered` names."""
    wide = unicodedata.east_asian_width(char) in "WF"
    return _CJK[0].package if wide else "fonts-noto-core"


def sticks(char: str) -> bool:
    """Whether it has no place of its own: marks, joiners, direction marks, variation selectors."""
    return unicodedata.category(char) in {"Mn", "Me", "Cf"}


def _covers(face: Face | None, char: str) -> bool:
    # Blanks stay with what they stand behind; otherwise the first font that has a letter draws it.
    return face is not None and char == " " and _has(face.regular, ord(char))


@lru_cache(maxsize=4096)
def _face_of(char: str) -> Face | None:
    return next((face for face in faces() if _has(face.regular, ord(char))), None)


def _has(path: Path, code: int) -> bool:
    starts, ends = _ranges(path)
    at = bisect_right(starts, code) - 1
    return at >= 0 and code <= ends[at]


@cache
def _ranges(path: Path) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """First and last code points of what a font has, sorted."""
    with path.open("rb") as file:
        head = file.read(16)
        if head[:4] == b"ttcf":
            file.seek(struct.unpack(">I", head[12:16])[0])
        else:
            file.seek(0)
        count = struct.unpack(">4xH6x", file.read(12))[0]
        records = [struct.unpack(">4s4xII", file.read(16)) for _ in range(count)]
        offset, length = next((at, size) for tag, at, size in records if tag == b"cmap")
        file.seek(offset)
        table = file.read(length)
    pairs = sorted(_pairs(table))
    return tuple(first for first, _ in pairs), tuple(last for _, last in pairs)


def _pairs(table: bytes) -> list[tuple[int, int]]:
    count = struct.unpack_from(">2xH", table)[0]
    formats: dict[int, int] = {}
    for n in range(count):
        platform, _, at = struct.unpack_from(">HHI", table, 4 + 8 * n)
        if platform in {0, 3}:
            formats[struct.unpack_from(">H", table, at)[0]] = at
    if 12 in formats:
        at = formats[12]
        groups = struct.unpack_from(">I", table, at + 12)[0]
        return [struct.unpack_from(">II", table, at + 16 + 12 * n) for n in range(groups)]
    if 4 not in formats:
        return []
    at = formats[4]
    segments = struct.unpack_from(">H", table, at + 6)[0] // 2
    ends = struct.unpack_from(f">{segments}H", table, at + 14)
    starts = struct.unpack_from(f">{segments}H", table, at + 16 + 2 * segments)
    return [pair for pair in zip(starts, ends, strict=True) if pair != (0xFFFF, 0xFFFF)]
