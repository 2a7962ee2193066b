"""Labels as ZPL, and what label printers answer."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.peripherals.zpl.encoder import Label, Unprintable, encode
from devices.peripherals.zpl.status import ANSWER_BYTES_MAX, LabelStatus, take
from hub.contract.documents import ShelfLabelFacts
from hub.documents.compose import compose
from hub.documents.layout import (
    BOLD,
    LARGE,
    Align,
    Barcode,
    Block,
    Cell,
    Layout,
    QrCode,
    Row,
    Rule,
    Style,
    Text,
)
from hub.documents.templates import Paper, Template

WELL = (
    b"\x02030,0,0,0400,000,0,0,0,000,0,0,0\x03\r\n"
    b"\x02000,0,0,0,0,2,4,0,00000000,1,000\x03\r\n\x021234,0\x03\r\n"
)


def made(*blocks: Block, width_mm: int = 60, height_mm: int = 40, rtl: bool = False) -> Label:
    return encode(Layout("", blocks, width_mm=width_mm, height_mm=height_mm, rtl=rtl))


def fields(label: Label) -> list[str]:
    return re.findall(r"\^FO(.*?)\^FS", label.zpl.decode())


def test_a_label_has_its_size_and_its_texts_in_utf_8() -> None:
    label = made(
        Text("Käse jung", style=LARGE),
        Row((Cell("5,98 €", Align.END),)),
        Rule(),
        Barcode("ean13", "4006381333931", "4006381333931", height_mm=8),
    )
    zpl = label.zpl.decode()
    assert zpl.startswith("^XA^CI28^PW480^LL320^LH0,0")
    assert zpl.endswith("^PQ1^XZ\n")
    assert "^BY3,2.5^BEN,64,N,N^FH_^FD400638133393^FS" in zpl
    assert fields(label)[0].startswith("12,12^GFA,"), "bold letters are drawn"
    assert fields(label)[1] == "12,68^A0N,24,24^FB456,1,0,R^FH_^FD5,98 €"


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_no_text_becomes_a_command(text: str) -> None:
    label = made(Text(text.replace("\n", " ")), height_mm=0)
    body = label.zpl.decode()[len("^XA") : -len("^PQ1^XZ\n")]
    sent = "".join(re.findall(r"\^FD(.*?)\^FS", body))
    assert not re.search(r"[\^~\x00-\x1f\\]", sent)
    assert body.count("^XA") == body.count("^XZ") == 0


def test_what_the_printers_font_may_lack_is_drawn() -> None:
    for block in (
        Text("日本茶"),
        Text("قهوة"),
        Text("x", style=BOLD),
        Text("5", style=Style(inverse=True)),
    ):
        (only,) = fields(made(block))
        found = re.fullmatch(r"\d+,\d+\^GFA,(\d+),\1,(\d+),([0-9A-F]+)", only)
        assert found is not None, only
        assert len(found[3]) == 2 * int(found[1])
        assert bytes.fromhex(found[3]).strip(b"\x00"), "no ink"


def test_a_document_from_right_to_left_begins_at_the_right() -> None:
    left = int(fields(made(Text("قهوة"), rtl=True))[0].split(",")[0])
    assert left > 300


def test_codes_are_checked_and_special_signs_escaped() -> None:
    label = made(Barcode("code128", "A>1_B", height_mm=5), QrCode("a^b~c", size_mm=15))
    zpl = label.zpl.decode()
    assert "^FDA>01_5FB^FS" in zpl
    assert "^BQN,2,6^FH_^FDMA,a_5Eb_7Ec^FS" in zpl
    with pytest.raises(Unprintable, match="too long"):
        made(Barcode("code128", "A" * 70), width_mm=30)
    with pytest.raises(Unprintable, match="ean8"):
        made(Barcode("ean8", "1"))


def test_what_does_not_fit_is_set_smaller() -> None:
    texts = [Text(f"line {n}") for n in range(10)]
    assert "^A0N,24,24" in made(*texts, height_mm=40).zpl.decode()
    assert "^A0N,20,20" in made(*texts, height_mm=32).zpl.decode()
    assert "^A0N,16,16" in made(*texts, height_mm=26).zpl.decode()


def test_a_label_that_is_too_low_for_its_text_is_refused() -> None:
    with pytest.raises(Unprintable, match="height"):
        made(*(Text(f"line {n}") for n in range(20)), height_mm=20)
    assert b"^LL" in made(*(Text(f"line {n}") for n in range(20)), height_mm=0).zpl
    with pytest.raises(Unprintable, match="mm"):
        made(Text("x"), width_mm=5)


def test_host_status_is_read_whatever_way_it_is_broken_up() -> None:
    buffer = bytearray()
    seen = []
    for byte in WELL + WELL:
        buffer.append(byte)
        if (status := take(buffer)) is not None:
            seen.append(status)
    assert seen == [LabelStatus(), LabelStatus()]


def test_host_status_becomes_conditions_and_words() -> None:
    stopped = WELL.replace(b"030,0,0", b"030,1,0").replace(b"000,0,0,0,0,2", b"000,0,1,1,0,2")
    status = take(bytearray(stopped))
    assert status == LabelStatus(paper_out=True, head_up=True, ribbon_out=True)
    assert status.conditions == {"printer-paper-empty", "printer-cover-open"}
    assert "head" in status.why
    busy = WELL.replace(b"0400,000", b"0400,002").replace(b"00000000", b"00000003")
    assert take(bytearray(busy)) == LabelStatus(waiting=5)
    paused = take(bytearray(WELL.replace(b"030,0,0", b"030,0,1")))
    assert paused is not None
    assert paused.conditions == {"printer-offline"}


@given(st.binary(max_size=2000))
def test_nonsense_is_no_status_and_is_not_kept(data: bytes) -> None:
    buffer = bytearray(data)
    take(buffer)
    assert len(buffer) <= max(ANSWER_BYTES_MAX, 0)


@pytest.mark.parametrize("width_mm", [40, 58, 100])
def test_a_shelf_label_of_the_shop_s_own_words_is_one_label(width_mm: int) -> None:
    facts = ShelfLabelFacts(
        name="Käse ^XZ jung", sku="c-1", gtin="4006381333931", currency="EUR", price_minor=598,
        base_price_minor=598, base_uom="kg", valid_from_ms=1_795_327_962_120,
    )  # fmt: skip
    label = encode(compose(facts, Template("Shop", locale="de-DE"), Paper(width_mm)))
    zpl = label.zpl.decode()
    assert zpl.count("^XA") == zpl.count("^XZ") == 1
    assert "400638133393" in zpl
    assert "ab 22.11." in zpl
    assert label.missing == frozenset()
