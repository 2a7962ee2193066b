"""Web pages of documents: of one file, readable by machines and people."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from hub.contract.documents import SaleFacts
from hub.documents.compose import compose
from hub.documents.layout import Layout
from hub.documents.page import page
from hub.documents.templates import Paper, Template
from scripts.gallery.goods import Goods
from scripts.gallery.samples import SHOPS, sale, samples, template_of

VOID = {"meta", "hr", "br", "img", "col", "path"}


class Reader(HTMLParser):
    """What a browser would ask for, and whether every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.columns: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.addresses += [named[key] or "" for key in ("src", "href", "action") if key in named]
        if tag == "img" or named.get("role") == "img":
            self.images.append(named)
        if tag == "tr":
            self.columns.append(0)
        if tag in {"th", "td"}:
            self.columns[-1] += int(named.get("colspan") or 1)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def read(layout: Layout) -> Reader:
    reader = Reader()
    reader.feed(page(layout))
    assert reader.open == []
    return reader


@pytest.mark.parametrize("goods", SHOPS, ids=lambda goods: goods.locale)
def test_a_page_asks_for_nothing_and_names_its_pictures(goods: Goods) -> None:
    for one in samples(goods):
        layout = compose(one.facts, template_of(goods), Paper(80))
        reader = read(layout)
        assert all(address.startswith("data:image/png;base64,") for address in reader.addresses)
        assert all(image.get("alt") or image.get("aria-label") for image in reader.images)
        text = page(layout)
        assert not re.search(r"https?://(?!store-hub\.local)|url\(|@import|<script", text)
        assert f'lang="{goods.locale}"' in text
        assert f'dir="{"rtl" if layout.rtl else "ltr"}"' in text


def test_a_facts_text_is_no_markup() -> None:
    facts = SaleFacts(
        receipt_no='<b>"1"', sale_id="x", currency="EUR", total_minor=1, staff="<script>x</script>"
    )
    template = Template("</title><img src=x>", footer=("<img src=//evil.example>",))
    reader = read(compose(facts, template, Paper(80)))
    assert reader.addresses == []


def test_rows_of_a_table_have_the_same_columns() -> None:
    layout = compose(sale(SHOPS[0]), template_of(SHOPS[0]), Paper(80))
    reader = Reader()
    for table in re.findall(r"<table>.*?</table>", page(layout), re.DOTALL):
        reader.columns.clear()
        reader.feed(table)
        assert len(set(reader.columns)) == 1


def test_print_style_and_dark_mode_are_there() -> None:
    text = page(compose(sale(SHOPS[0]), template_of(SHOPS[0]), Paper(58)))
    for said in ("@media print", "prefers-color-scheme:dark", "<h1>", '<th scope="row"', "<svg"):
        assert said in text
