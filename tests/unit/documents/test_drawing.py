"""Lines of text as pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.documents import fonts
from hub.documents.drawing import Pen, draw_text, line_height_px, text_width_px
from hub.documents.fonts import Face, FontMissing, package_for, runs, uncovered


@pytest.mark.parametrize(
    "text", ["Größe 12,90 €", "مرحبا 12.90", "日本語 ABC", "한국어", "שלום", "\t", ""]
)
@pytest.mark.parametrize("bold", [False, True])
def test_a_line_is_as_wide_as_it_is_measured_and_as_high_as_all(text: str, bold: bool) -> None:
    pen = Pen(24, bold)
    drawn = draw_text(text, pen)
    assert drawn.mode == "1"
    assert drawn.width == max(1, text_width_px(text, pen))
    assert drawn.height == line_height_px(24)


def test_letters_are_joined_where_their_script_joins_them() -> None:
    pen = Pen(24)
    apart = sum(text_width_px(letter, pen) for letter in "سلام")
    assert text_width_px("سلام", pen) < apart


def test_stretches_of_several_fonts_stand_in_reading_order() -> None:
    # Arabic, then Latin and Japanese: from right to left the Arabic comes first, and the others
    # keep their own order.
    pen = Pen(24, rtl=True)
    whole = draw_text("سلام A日", pen).convert("L")
    latin = draw_text("A日", Pen(24)).convert("L")
    assert whole.crop((0, 0, latin.width, latin.height)).tobytes() == latin.tobytes()


def test_a_mark_stays_with_its_letter() -> None:
    assert [run.text for run in runs("日e\u0301本")] == ["日", "e\u0301", "本"]


def test_what_no_font_has_is_drawn_as_a_box_and_told() -> None:
    assert uncovered("a\U000e0fff日ß") == frozenset()
    lost = "\u1200\U0001f9ea"
    if uncovered(lost):
        assert draw_text(lost, Pen(24)).convert("L").getextrema() == (0, 255)
    assert package_for("日") == "fonts-wqy-microhei"


def test_a_machine_without_fonts_is_told_which_packages_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fonts, "_SANS", Face("fonts-dejavu-core", tmp_path / "none.ttf"))
    with pytest.raises(FontMissing, match=r"apt-get install fonts-dejavu-core fonts-wqy-microhei"):
        fonts.faces.__wrapped__()
