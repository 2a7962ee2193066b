"""Documents as ESC/POS bytes, read back by another reader of them."""

from __future__ import annotations

import io
import unicodedata
from collections import Counter
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image as Pictures

from devices.peripherals.escpos import commands
from devices.peripherals.escpos.encoder import NARROW, WIDE, Job, Paper, Unprintable, encode
from devices.peripherals.escpos.pages import (
    ALIKE,
    Pages,
    UnknownPage,
    inkless,
    load,
    plain,
    supports,
)
from hub.documents.layout import (
    BOLD,
    LARGE,
    Align,
    Barcode,
    Block,
    Cell,
    Cut,
    Image,
    Layout,
    QrCode,
    Row,
    Rule,
    Space,
    Style,
    Table,
    Text,
)
from tests.unit.peripherals.escpos.paperreader import read_paper


@cache
def generic() -> Pages:
    return load()


def made(*blocks: Block, paper: Paper = WIDE, rtl: bool = False, cut: Cut = Cut.PARTIAL) -> Job:
    return encode(Layout("", blocks, rtl=rtl, cut=cut), paper, generic())


def lines_of(*blocks: Block, paper: Paper = WIDE) -> list[str]:
    return read_paper(made(*blocks, paper=paper).data).lines


def png(width: int, height: int, shade: int = 0) -> bytes:
    out = io.BytesIO()
    Pictures.new("L", (width, height), shade).save(out, "png")
    return out.getvalue()


def ink_of(text: str) -> Counter[str]:
    """What of a text has to be on the paper."""
    return Counter(
        char
        for char in plain(text).translate(ALIKE)
        if not inkless(char) and not char.isspace() and unicodedata.category(char) != "Cs"
    )


@given(
    text=st.text(
        st.characters(codec="utf-8", exclude_characters="\n\r\t"), min_size=1, max_size=60
    ),
    paper=st.sampled_from((WIDE, NARROW)),
    style=st.sampled_from((Style(), BOLD, LARGE, Style(inverse=True, underline=True))),
    rtl=st.booleans(),
)
@example(text="Käse, 1\u202f234,50 € \u22125", paper=NARROW, style=BOLD, rtl=False)
@example(text="كعك 3 حبات", paper=WIDE, style=Style(), rtl=True)
@example(text="\x1bp\x00\x19\xfa\x10\x14\x01\x00\x01", paper=WIDE, style=Style(), rtl=False)
@example(text="\u0600" * 40, paper=NARROW, style=LARGE, rtl=True)
@settings(max_examples=150, deadline=None)
def test_every_character_is_typed_in_a_page_that_has_it_or_drawn(
    text: str, paper: Paper, style: Style, rtl: bool
) -> None:
    job = made(Text(text, style=style), paper=paper, rtl=rtl)
    read = read_paper(job.data)
    typed = Counter(char for char in read.text if not char.isspace())
    drawn = ink_of("".join(job.drawn))
    assert typed + drawn == ink_of(text)
    assert not drawn or read.rasters
    assert not commands.real_time_within(job.data)
    assert max(map(len, read.lines), default=0) <= paper.columns // style.scale


@given(
    rows=st.lists(
        st.lists(
            st.tuples(
                st.text(st.sampled_from("aB9 äß€,.日م"), max_size=40),
                st.sampled_from((0, 1, 3)),
                st.sampled_from(list(Align)),
            ),
            min_size=1,
            max_size=5,
        ),
        min_size=1,
        max_size=4,
    ),
    paper=st.sampled_from((WIDE, NARROW)),
    rtl=st.booleans(),
)
@example(
    rows=[[("", 0, Align.START), ("9" * 25, 0, Align.START)], [("", 1, Align.START)] * 2],
    paper=WIDE,
    rtl=False,
)
@settings(max_examples=120, deadline=None)
def test_no_table_loses_a_character_or_is_wider_than_the_paper(
    rows: list[list[tuple[str, int, Align]]], paper: Paper, rtl: bool
) -> None:
    table = Table(tuple(Row(tuple(Cell(t, a, w) for t, w, a in row)) for row in rows))
    job = made(table, paper=paper, rtl=rtl)
    read = read_paper(job.data)
    typed = Counter(char for char in read.text if not char.isspace())
    whole = "".join(text for row in rows for text, _, _ in row)
    assert typed + ink_of("".join(job.drawn)) == ink_of(whole)
    assert max(map(len, read.lines), default=0) <= paper.columns
    assert all(width <= paper.width_dots for width, _, _ in read.rasters)


def test_a_page_is_changed_only_where_the_current_one_lacks_a_letter() -> None:
    read = read_paper(made(Text("Grüße"), Text("Žižkov 5 €"), Text("Grüße")).data)
    assert read.lines == ["Grüße", "Žižkov 5 €", "Grüße"]
    assert len(read.pages) == 2
    cyrillic = encode(Layout("", (Text("Молоко"),)), WIDE, load("generic", "CP437, CP1251=46"))
    assert read_paper(cyrillic.data).pages == [46]


def test_scripts_that_have_to_be_shaped_are_drawn_even_where_a_page_has_their_letters() -> None:
    pages = load("TM-T20II")
    for text in ("שלום", "قهوة", "日本茶", "ไทย", "😀"):
        job = encode(Layout("", (Text(text),)), WIDE, pages)
        assert job.drawn == (text,)
        assert read_paper(job.data).rasters[0][2] > 20, text


def test_unknown_pages_and_profiles_are_refused_with_what_there_is() -> None:
    with pytest.raises(UnknownPage, match="CP437"):
        load("generic", "CP1251")
    with pytest.raises(UnknownPage, match="TM-T20II"):
        load("TM-T9999")
    with pytest.raises(UnknownPage, match="NAME=NUMBER"):
        load("generic", "CP1251=abc")


def test_whether_a_printer_draws_qr_codes_is_known_from_its_profile() -> None:
    assert supports("generic", "qrCode")
    assert supports("TM-T20II", "qrCode")
    assert not supports("TM-U220", "qrCode")


def test_columns_line_up_and_prices_end_at_the_edge() -> None:
    rows = tuple(
        Row((Cell(name, weight=1), Cell(qty, Align.END), Cell(price, Align.END)))
        for name, qty, price in (
            ("Milk", "1", "1.49"),
            ("A name that is too long for " * 2, "12", "120.00"),
        )
    )
    lines = lines_of(Table(rows), paper=NARROW)
    assert lines[0].endswith("  1.49")
    assert lines[1].endswith("12 120.00")
    assert all(len(line) <= 32 for line in lines)
    assert lines[0].index("1") == lines[1].index("12") + 1


def test_cells_that_must_not_be_cut_get_lines_of_their_own_when_they_are_too_wide() -> None:
    row = Row(
        (Cell("Milk", weight=1), Cell("123456789012345", Align.END), Cell("9" * 14, Align.END))
    )
    assert lines_of(row, paper=NARROW) == ["Milk", "  123456789012345 " + "9" * 14]


def test_what_is_drawn_beside_a_drawn_cell_touches_no_neighbour() -> None:
    """2,400 in bold is wider as a picture than five letters of the printer's."""
    row = Row((Cell("有機バナナ", weight=1), Cell("B"), Cell("2,400", Align.END)), BOLD)
    (segment,) = (one for one in made(row).segments if one.startswith(b"\x1dv0"))
    row_bytes, rows = segment[4], segment[6]
    dots = segment[8:]
    columns = [
        any(dots[y * row_bytes + x // 8] & 0x80 >> x % 8 for y in range(rows))
        for x in range(row_bytes * 8)
    ]
    ends = len(columns) - columns[::-1].index(True)
    gaps = "".join("#" if one else " " for one in columns[ends - 110 : ends])
    assert " " * 8 in gaps, gaps


def test_a_word_that_is_a_little_too_wide_is_drawn_smaller_and_not_broken() -> None:
    words = ("الصافي", "الضريبة", "الإجمالي")
    row = Row((Cell("الضريبة", weight=1), *(Cell(one, Align.END) for one in words)), BOLD)
    job = made(row, paper=NARROW, rtl=True)
    assert job.drawn == ("الإجمالي الضريبة الصافي الضريبة",)


def test_large_rows_have_half_the_columns() -> None:
    lines = lines_of(Row((Cell("SUM"), Cell("30.96", Align.END)), LARGE))
    assert lines == ["SUM" + " " * 16 + "30.96"]


def test_one_cell_alone_has_the_whole_line() -> None:
    assert lines_of(Row((Cell("end", Align.END),))) == ["end"]
    assert b"\x1ba\x02" in made(Row((Cell("end", Align.END),))).data


def test_rules_are_as_wide_as_the_paper() -> None:
    assert lines_of(Rule(), Rule(heavy=True), paper=NARROW) == ["─" * 32, "═" * 32]


def test_the_paper_is_cut_as_asked_and_fed_where_nothing_cuts() -> None:
    assert read_paper(made(Text("x")).data).cuts == [66]
    assert read_paper(made(Text("x"), cut=Cut.FULL).data).cuts == [65]
    assert read_paper(made(Text("x"), cut=Cut.NONE).data).cuts == []
    uncut = made(Text("x"), paper=Paper(cutter=False))
    assert uncut.segments[-1] == commands.feed(5)


def test_barcodes_are_checked_and_get_their_check_digit() -> None:
    read = read_paper(made(Barcode("ean13", "400638133393", "4006381333931")).data)
    assert read.barcodes == [(67, b"4006381333931")]
    assert read.lines == ["4006381333931"]
    with pytest.raises(Unprintable, match="last digit"):
        made(Barcode("ean13", "4006381333932"))
    with pytest.raises(Unprintable, match="code39"):
        made(Barcode("code39", "lower"))


def test_a_barcode_that_is_too_wide_becomes_a_qr_code() -> None:
    data = "A" * 40
    read = read_paper(made(Barcode("code128", data), paper=NARROW).data)
    assert read.barcodes == []
    assert read.qr == [data.encode()]


def test_a_code_never_holds_what_opens_a_drawer_in_real_time() -> None:
    """1620010005 in pairs of digits is DLE DC4 1 0 5: a pulse on the drawer's pin."""
    job = made(Barcode("code128", "1620010005"))
    assert not commands.real_time_within(job.data)
    assert read_paper(job.data).barcodes == [(73, b"{B1620010005")]
    assert read_paper(made(Barcode("code128", "123456")).data).barcodes == [
        (73, b"{C" + bytes((12, 34, 56)))
    ]


def test_a_picture_never_holds_a_real_time_command() -> None:
    assert commands.without_real_time(b"\x10\x14\x01\x00\x05") == b"\x10\x1c\x01\x00\x05"
    assert commands.without_real_time(b"\x10\x10\x04\x10\x05") == b"\x10\x10\x0c\x10\x0d"


def test_pictures_come_in_bands_that_a_small_buffer_takes() -> None:
    job = made(Image(png(700, 300), 72), Space(2))
    read = read_paper(job.data)
    assert {width for width, _, _ in read.rasters} == {576}
    assert sum(rows for _, rows, _ in read.rasters) == round(300 * 576 / 700)
    assert sum(black for _, _, black in read.rasters) == 576 * round(300 * 576 / 700)
    assert max(map(len, job.segments)) <= 2400


def test_a_narrow_picture_is_in_the_middle_and_nothing_is_sent_right_of_it() -> None:
    read = read_paper(made(Image(png(80, 80), 10)).data)
    assert read.rasters == [(328, 56, 80 * 56), (328, 24, 80 * 24)]


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(Unprintable, match="picture"):
        made(Image(b"nonsense", 10))


def test_qr_codes_are_the_printers_or_drawn() -> None:
    code = QrCode("https://example.org/ä")
    assert read_paper(made(code).data).qr == ["https://example.org/ä".encode()]
    drawn = read_paper(made(code, paper=Paper(own_qr=False)).data)
    assert drawn.qr == []
    assert drawn.rasters
    with pytest.raises(Unprintable, match="QR"):
        made(QrCode("x" * 3000))


def test_a_document_from_right_to_left_is_drawn_as_a_whole_and_mirrored() -> None:
    row = Row((Cell("Tea", weight=1), Cell("5", Align.END)))
    left = made(row)
    right = made(row, rtl=True)
    assert left.drawn == ()
    assert right.drawn == ("5 Tea",)


def test_characters_that_no_font_has_are_named() -> None:
    assert made(Text("a\U0001fb00")).missing == {"\U0001fb00"}


def test_commands_in_a_text_are_shown_and_not_obeyed() -> None:
    job = made(Text("a\x1bp\x00b"))
    assert b"\x1bp" not in job.data
    assert job.drawn == ("a\u241bp\u2400b",)
