"""The parts that documents share: head, markings, sums, codes, foot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hub.contract.documents import Facts
from hub.documents.columns import widths
from hub.documents.formats import Formats
from hub.documents.layout import (
    BOLD,
    LARGE,
    PLAIN,
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
from hub.documents.plain import letters_wide
from hub.documents.templates import Paper, Template
from hub.documents.words import words_for

BANNER: Final = Style(bold=True, inverse=True, scale=2)
_VALUE_LETTERS_MIN: Final = 14
_DOTS_PER_MM: Final = 8
_BAR_DOTS: Final = 2
"""A module of 2 dots is 0.25 mm: what hand scanners read surely (GS1 General Specifications,
X-dimension of Code 128 and EAN at points of sale)."""


class Sheet:
    """Collects the blocks of one document.  ``w``: words, ``f``: formats."""

    def __init__(self, facts: Facts, template: Template, paper: Paper) -> None:
        self.facts = facts
        self.template = template
        self.paper = paper
        self.w = words_for(template.locale)
        self.f = Formats(template.locale, template.timezone)
        self._blocks: list[Block] = []

    def add(self, *blocks: Block) -> None:
        """One below the other."""
        self._blocks += blocks

    def finish(self, title: str) -> Layout:
        """The document.  It has been marked at its end too where it is no original."""
        self._mark()
        height = self.paper.height_mm
        return Layout(
            title=title,
            blocks=tuple(self._blocks),
            width_mm=self.paper.width_mm,
            height_mm=height,
            locale=self.template.locale,
            rtl=self.f.rtl,
            cut=Cut.NONE if height else self.paper.cut,
        )

    # Head and foot ---------------------------------------------------------------------------

    def head(self, title: str = "") -> None:
        """Logo, name and address of the shop; the markings; ``title`` large."""
        self.mark_training()
        template = self.template
        if template.logo_png is not None:
            width = min(template.logo_width_mm, self.paper.printable_mm)
            self.add(Image(template.logo_png, width, alt=template.shop_name), Space())
        self.heading(template.shop_name or self.facts.shop)
        self.centered(*template.header)
        if template.tax_id:
            self.centered(f"{self.w.tax_id} {template.tax_id}")
        self.mark_copy()
        if title:
            self.add(Space())
            self.heading(title)
        self.add(Space())

    def head_inside(self, title: str) -> None:
        """The head of papers that stay in the shop: no address, no logo."""
        self.mark_training()
        self.mark_copy()
        self.heading(title)
        self.centered(self.template.shop_name or self.facts.shop)
        self.add(Space())

    def foot(self) -> None:
        """The shop's texts."""
        template = self.template
        if template.return_policy:
            self.add(Space())
            self.centered(template.return_policy)
        if template.footer:
            self.add(Space())
            self.centered(*template.footer)

    def mark_training(self) -> None:
        if self.facts.training:
            self.banner(self.w.training, self.w.training_note)
            self.add(Space())

    def mark_copy(self) -> None:
        if self.facts.is_copy:
            self.add(Space())
            self.banner(self.w.copy)

    def banner(self, text: str, note: str = "") -> None:
        """White on black across the paper, double size: what nobody may overlook."""
        sides = "\xa0" * max(0, (self.paper.columns // 2 - letters_wide(text)) // 2)
        self.add(Text(f"{sides}{text}{sides}", Align.CENTER, BANNER))
        if note:
            self.add(Text(note, Align.CENTER, BOLD))

    def _mark(self) -> None:
        if self.facts.is_copy or self.facts.training:
            self.add(Space())
        if self.facts.is_copy:
            self.banner(self.w.copy)
        if self.facts.training:
            self.banner(self.w.training, self.w.training_note)

    # Text ------------------------------------------------------------------------------------

    def heading(self, text: str) -> None:
        """Large where it fits into a line, else bold."""
        if text:
            large = letters_wide(text) * 2 <= self.paper.columns
            self.add(Text(text, Align.CENTER, LARGE if large else BOLD))

    def section(self, text: str) -> None:
        """The name of what follows."""
        self.add(Space(), Text(text, Align.START, BOLD), Rule())

    def centered(self, *lines: str) -> None:
        for line in lines:
            self.add(Text(line, Align.CENTER))

    def halves(self, left: str, right: str) -> None:
        """Side by side where both fit, else below each other."""
        if left and right and self.fits(left, right):
            self.add(Row((Cell(left, weight=1), Cell(right, Align.END))))
            return
        for text in (left, right):
            if text:
                self.add(Text(text))

    def figure(self, text: str) -> Cell:
        """A number in a column of numbers: their last digits stand below each other, also where
        the column is at the left because the document reads from right to left."""
        return Cell(text, Align.START if self.f.rtl else Align.END)

    def technical(self, text: str) -> str:
        """An address or a path, which reads from left to right wherever it stands."""
        return f"\u200e{text}\u200e" if text and self.f.rtl else text

    def labelled(self, label: str, value: str) -> str:
        """``label value``, or nothing for no value."""
        return f"{label} {value}" if value else ""

    def pairs(self, *pairs: tuple[str, str]) -> None:
        """Labels, and values that start at the same place; those without a value are left out, and
        one without a label goes on with the one before."""
        shown = [(f"{label}:" if label else "", value) for label, value in pairs if value]
        room = self.paper.columns - 1 - max((letters_wide(label) for label, _ in shown), default=0)
        rows: list[Row] = []
        for label, value in shown:
            widest = max(map(letters_wide, value.split()), default=0)
            if room >= max(_VALUE_LETTERS_MIN, min(widest, self.paper.columns)):
                rows.append(Row((Cell(label), Cell(value, weight=1))))
                continue
            self._add_table(rows)
            rows = []
            if label:
                self.add(Text(label))
            self.add(Text(value, Align.END))
        self._add_table(rows)

    def _add_table(self, rows: list[Row]) -> None:
        if rows:
            self.add(Table(tuple(rows)))

    # Sums ------------------------------------------------------------------------------------

    def sums(self, rows: Sequence[tuple[str, str]], strong: Sequence[tuple[str, str]] = ()) -> None:
        """Labels at the start, amounts below each other at the end; ``strong`` come last."""
        cells = [(Cell(label, weight=1), self.figure(value)) for label, value in (*rows, *strong)]
        styles = [PLAIN] * len(rows) + [BOLD] * len(strong)
        if cells:
            self.table([Row(both, style) for both, style in zip(cells, styles, strict=True)])

    def table(self, rows: Sequence[Row]) -> None:
        """A table; where its columns don't fit into the line, each row becomes a small block of
        its own, its last cell at the end."""
        if self.table_fits(rows):
            self.add(Table(tuple(rows)))
            return
        for row in rows:
            last = len(row.cells) - 1
            for n, cell in enumerate(row.cells):
                if cell.text:
                    align = Align.END if n and n == last else Align.START
                    self.add(Text(cell.text, align, row.style))

    def table_fits(self, rows: Sequence[Row]) -> bool:
        """Whether its columns fit side by side into a line of a printer's letters."""
        return widths(rows, [letters_wide] * len(rows), self.paper.columns, 1) is not None

    def total(self, label: str, amount: str) -> None:
        """The sum: the largest line of the paper."""
        self.add(Rule(heavy=True))
        half = self.paper.columns // 2
        if letters_wide(label) + letters_wide(amount) < half:
            self.add(Row((Cell(label, weight=1), Cell(amount, Align.END)), LARGE))
        else:
            style = LARGE if letters_wide(amount) <= half else BOLD
            self.add(Text(label, Align.START, BOLD), Text(amount, Align.END, style))
        self.add(Rule(heavy=True))

    def fits(self, *texts: str) -> bool:
        """Whether they stand side by side in one line."""
        return sum(letters_wide(text) + 1 for text in texts) - 1 <= self.paper.columns

    # Codes and signatures --------------------------------------------------------------------

    def code(self, data: str) -> None:
        """A number to scan: as bars where they fit in modules that scanners read, else as QR."""
        if not data:
            return
        if bars_fit(data, self.paper):
            self.add(Space(), Barcode("code128", data, text=data))
        else:
            self.add(Space(), QrCode(data, size_mm=20), Text(data, Align.CENTER))

    def signature(self, label: str) -> None:
        """A line to sign on."""
        self.add(Space(3), Rule(), Text(label))


def bars_fit(data: str, paper: Paper) -> bool:
    """Whether Code 128 (ISO/IEC 15417) holds it within the paper, quiet zones included."""
    if not data.isascii() or not data.isprintable():
        return False
    modules = 11 * (len(data) + 2) + 13 + 20
    return modules * _BAR_DOTS <= paper.printable_mm * _DOTS_PER_MM
