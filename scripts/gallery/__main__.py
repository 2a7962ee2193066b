"""``python -m scripts.gallery``, started by ``scripts/receipts``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from hub.contract.documents import AnyFacts
from hub.documents.compose import compose
from hub.documents.fonts import FontMissing, package_for, uncovered
from hub.documents.layout import Layout
from hub.documents.page import page
from hub.documents.picture import pdf, png
from hub.documents.plain import plain
from hub.documents.templates import Paper
from scripts.gallery.samples import SHOPS, samples, shelf_label, template_of

DEFAULT_OUT: Final = Path(__file__).resolve().parents[2] / "var" / "receipts"
ROLLS: Final = (Paper(58), Paper(80))
LABEL: Final = Paper(57, 32)
_ABOUT: Final = """\
Writes every document that a shop prints, in German, Arabic and Japanese, on 58 and 80 mm paper, as
pictures and as web pages (--text and --pdf: also so), with an index.html.  The same fonts give the
same files.  Needs the Debian packages fonts-dejavu-core, fonts-wqy-microhei and libfribidi0."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A document under the name of its files."""

    name: str
    layout: Layout


def exhibits() -> Iterator[Exhibit]:
    """All documents of the gallery."""
    for goods in SHOPS:
        template = template_of(goods)
        named: list[tuple[str, AnyFacts]] = [(one.name, one.facts) for one in samples(goods)]
        for name, facts in named:
            for paper in ROLLS:
                layout = compose(facts, template, paper)
                yield Exhibit(f"{name}.{goods.locale}.{paper.width_mm}mm", layout)
        label = compose(shelf_label(goods), template, LABEL)
        yield Exhibit(f"shelf-label.{goods.locale}.{LABEL.width_mm}mm", label)


def main(argv: Sequence[str] | None = None) -> int:
    """0: all are there; 1: a font is missing."""
    parser = argparse.ArgumentParser(prog="scripts/receipts", description=_ABOUT)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="default: var/receipts")
    parser.add_argument("--only", default="", help="only documents whose name begins like this")
    parser.add_argument("--text", action="store_true", help="also as monospaced text")
    parser.add_argument("--pdf", action="store_true", help="also as PDF")
    options = parser.parse_args(argv)
    shown = [one for one in exhibits() if one.name.startswith(options.only)]
    lacking = sorted(uncovered("".join(plain(one.layout) for one in shown)))
    if lacking:
        packages = " ".join(sorted({package_for(char) for char in lacking}))
        print(
            f"receipts: no font has {' '.join(lacking[:20])}: apt-get install {packages}",
            file=sys.stderr,
        )
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    for one in shown:
        write(one, options.out, options.text, options.pdf)
    (options.out / "index.html").write_text(index(shown), encoding="utf-8")
    print(f"{len(shown)} documents as PNG and HTML: {options.out / 'index.html'}")
    return 0


def write(one: Exhibit, out: Path, text: bool, as_pdf: bool) -> None:
    """The files of one document."""
    (out / f"{one.name}.png").write_bytes(png(one.layout))
    (out / f"{one.name}.html").write_text(page(one.layout), encoding="utf-8")
    if text:
        (out / f"{one.name}.txt").write_text(plain(one.layout), encoding="utf-8")
    if as_pdf:
        (out / f"{one.name}.pdf").write_bytes(pdf(one.layout))


def index(shown: Sequence[Exhibit]) -> str:
    """All pictures on one page, each leading to its web page."""
    figures = "\n".join(
        f'<figure><a href="{one.name}.html"><img src="{one.name}.png" loading="lazy"'
        f' alt="{escape(one.layout.title)}" width="{one.layout.width_mm * 4}"></a>'
        f"<figcaption>{one.name}</figcaption></figure>"
        for one in shown
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n<title>Documents</title>\n<style>\n'
        "body{margin:1rem;background:#b9bcc1;font:14px system-ui,sans-serif;display:flex;"
        "flex-wrap:wrap;gap:1.5rem;align-items:flex-start}\n"
        "figure{margin:0}img{display:block;box-shadow:0 2px 8px #0006}"
        "figcaption{margin-top:.4rem}\n"
        f"</style>\n</head>\n<body>\n{figures}\n</body>\n</html>\n"
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FontMissing as missing:
        print(f"receipts: {missing}", file=sys.stderr)
        sys.exit(1)
