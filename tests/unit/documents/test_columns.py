"""How columns share a line, and how text is wrapped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.documents.columns import widths, wrap
from hub.documents.layout import Cell, Row
from hub.documents.plain import letters_wide

TEXTS = st.text(
    st.sampled_from("abc defghij    (){},.-%漢字カーっ、。ﾊﾝ\u0301مرحب1234567890"), max_size=120
)


@given(TEXTS, st.integers(2, 48))
def test_wrapping_loses_nothing_and_no_line_is_too_wide(text: str, width: int) -> None:
    lines = wrap(text, letters_wide, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(letters_wide(line) <= width for line in lines)
    assert all(line == line.rstrip(" ") for line in lines)


@given(st.lists(st.text("abcdefg", min_size=1, max_size=9), min_size=1, max_size=30))
def test_words_that_fit_into_a_line_are_not_broken(words: list[str]) -> None:
    found = " ".join(wrap(" ".join(words), letters_wide, 12)).split()
    assert found == words


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("Größe 12", 8, ["Größe 12"]),
        ("Größe 123", 8, ["Größe", "123"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("コーヒー豆", 6, ["コー", "ヒー豆"]),
        ("漢字。漢字", 4, ["漢", "字。", "漢字"]),
        ("1,29\xa0€ x", 6, ["1,29\xa0€", "x"]),
        ("a\nb", 6, ["a", "b"]),
        ("", 6, [""]),
    ],
)
def test_where_lines_end(text: str, width: int, lines: list[str]) -> None:
    assert wrap(text, letters_wide, width) == lines


CELLS = st.lists(
    st.builds(Cell, st.text("abc 12", max_size=14), weight=st.sampled_from([0, 0, 1, 3])),
    min_size=1,
    max_size=4,
).map(tuple)


@given(st.lists(st.builds(Row, CELLS), min_size=1, max_size=4), st.integers(16, 48))
def test_columns_fill_the_line_or_are_given_up(rows: list[Row], width: int) -> None:
    shares = widths(rows, [letters_wide] * len(rows), width, 1)
    if shares is None:
        return
    gaps = max(0, sum(1 for share in shares if share) - 1)
    assert sum(shares) + gaps <= width
    for row in rows:
        for cell, share in zip(row.cells, shares, strict=False):
            weighted = any(
                other.cells[n].weight
                for other in rows
                for n in range(len(other.cells))
                if n == row.cells.index(cell)
            )
            assert weighted or letters_wide(cell.text) <= share
