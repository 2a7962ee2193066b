"""Documents as pictures: on paper of the right width, nothing beside it, and readable."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image as Pictures

from hub.contract.documents import PricedItem, SaleFacts
from hub.documents.compose import compose
from hub.documents.formats import Formats
from hub.documents.layout import Align, Barcode, Cell, Image, Layout, QrCode, Row, Table, Text
from hub.documents.picture import DOTS_PER_MM, black_and_white, pdf, picture, png
from hub.documents.templates import Paper, Template
from scripts.gallery.goods import Goods
from scripts.gallery.samples import (
    SHOPS,
    offline_sale,
    sale,
    samples,
    shelf_label,
    template_of,
)

KINDS = ("sale", "copy", "training", "offline")


def ink_box(drawn: Pictures.Image) -> tuple[int, int, int, int]:
    found = drawn.point(lambda level: 255 - level).getbbox()
    assert found is not None
    return found


@pytest.mark.parametrize("goods", SHOPS, ids=lambda goods: goods.locale)
@pytest.mark.parametrize("paper", [Paper(58), Paper(80)], ids=["58", "80"])
def test_nothing_is_printed_beside_what_the_head_reaches(goods: Goods, paper: Paper) -> None:
    margin = (paper.width_mm - paper.printable_mm) * DOTS_PER_MM // 2
    for one in samples(goods):
        drawn = picture(compose(one.facts, template_of(goods), paper))
        assert drawn.width == paper.width_mm * DOTS_PER_MM
        left, _, right, bottom = ink_box(drawn)
        assert left >= margin - 1
        assert right <= drawn.width - margin + 1
        assert bottom < drawn.height


def test_a_name_of_any_length_and_script_stays_on_the_paper() -> None:
    names = ("W" * 200, "مرحبا" * 40, "日本語" * 60, "x " * 90, "\u0301" * 50, "ไทย हिन्दी")
    lines = tuple(PricedItem(name=name, qty=1, net_minor=-(10**15)) for name in names)
    facts = SaleFacts(
        receipt_no="1" * 60, sale_id="x", currency="KWD", lines=lines, total_minor=9 * 10**15
    )
    for locale in ("en-GB", "ar-AE"):
        left, _, right, _ = ink_box(
            picture(compose(facts, Template("Shop", locale=locale), Paper(58)))
        )
        assert left >= 39
        assert right <= 58 * DOTS_PER_MM - 39


def test_the_same_document_is_the_same_file() -> None:
    layout = compose(sale(SHOPS[1]), template_of(SHOPS[1]), Paper(58))
    assert hashlib.sha256(png(layout)).digest() == hashlib.sha256(png(layout)).digest()
    assert pdf(layout) == pdf(layout)
    assert pdf(layout).startswith(b"%PDF-")


def test_a_label_has_the_size_it_is_printed_in() -> None:
    for goods in SHOPS:
        drawn = picture(compose(shelf_label(goods), template_of(goods), Paper(57, 40)))
        assert drawn.size == (57 * DOTS_PER_MM, 40 * DOTS_PER_MM)


def test_the_direction_of_the_document_decides_where_columns_stand() -> None:
    row = Row((Cell("I", weight=1), Cell("1", Align.END)))
    for rtl in (False, True):
        drawn = picture(Layout("", (Table((row,)), Text("I")), width_mm=58, rtl=rtl))
        left, top, right, _ = ink_box(drawn)
        assert right - left > 360
        below = ink_box(drawn.crop((0, top + 26, drawn.width, drawn.height)))
        assert (below[0] > drawn.width // 2) == rtl


def test_what_no_code_can_say_is_printed_as_text() -> None:
    blocks = (
        Barcode("ean13", "not digits"),
        QrCode("x" * 8000),
        Image(b"no png", 20, alt="logo"),
    )
    for block in blocks:
        assert ink_box(picture(Layout("", (block,), width_mm=58)))


def test_a_picture_with_holes_is_printed_on_white() -> None:
    out = BytesIO()
    Pictures.new("RGBA", (40, 20), (0, 0, 0, 0)).save(out, "PNG")
    drawn = black_and_white(out.getvalue(), 80)
    assert drawn is not None
    assert drawn.size == (80, 40)
    assert drawn.convert("L").getextrema() == (255, 255)


# What a machine reads off the paper ---------------------------------------------------------------


def read(layout: Layout, folder: Path) -> Counter[str]:
    """Numbers that Tesseract finds, and how often.  Its English model knows digits best, whatever
    script stands around them; sparse text (mode 11) lets it find columns that stand apart."""
    drawn = picture(layout)
    path = folder / "receipt.png"
    drawn.resize((drawn.width * 2, drawn.height * 2), Pictures.Resampling.LANCZOS).save(path)
    done = subprocess.run(
        ["tesseract", str(path), "-", "-l", "eng", "--psm", "11"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={"OMP_THREAD_LIMIT": "1", "PATH": "/usr/bin:/usr/local/bin"},
    )
    return Counter(re.findall(r"\d[\d.,]*\d|\d", done.stdout))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("goods", SHOPS, ids=lambda goods: goods.locale)
def test_a_machine_reads_every_amount_and_the_sum(goods: Goods, kind: str, tmp_path: Path) -> None:
    if shutil.which("tesseract") is None:
        pytest.skip("tesseract isn't here: apt-get install tesseract-ocr")
    facts = offline_sale(goods) if kind == "offline" else sale(goods)
    # Codes would be read as letters, slowly; they are not what is looked for.
    facts = facts.model_copy(
        update={"is_copy": kind == "copy", "training": kind == "training", "return_code": ""}
    )
    width_mm = 58 if (SHOPS.index(goods) + KINDS.index(kind)) % 2 else 80
    found = read(compose(facts, template_of(goods), Paper(width_mm)), tmp_path)
    formats = Formats(goods.locale, "UTC")
    minors = [*(line.net_minor for line in facts.lines), facts.total_minor]
    wanted = Counter(formats.amount(minor, facts.currency) for minor in minors)
    assert not wanted - found
