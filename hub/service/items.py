"""Lines on their way to a sale: frozen prices and taxes, and what they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.domain import basket
from hub.domain.basket import Line, LineAmounts
from hub.domain.tax import TaxableLine, TaxMode, compute
from hub.service.pricing import unstamp


@dataclass(frozen=True, slots=True)
class Item:
    """One line.  ``tax`` is the frozen policy and rates (see ``Taxes.stamp``)."""

    line_no: int
    sku: str
    gtin: str | None
    name: str
    qty: int
    uom: str
    scale: int
    list_price_minor: int
    unit_price_minor: int
    discount_minor: int
    tax_code: str
    tax: str
    generation: int
    reason: str | None = None

    def as_line(self) -> Line:
        """The line as the rules see it."""
        overridden = self.unit_price_minor != self.list_price_minor
        return Line(
            self.sku,
            self.qty,
            self.scale,
            self.list_price_minor,
            self.tax_code,
            self.unit_price_minor if overridden else None,
            self.discount_minor,
        )


@dataclass(frozen=True, slots=True)
class PricedItem:
    """A line with its amounts; ``due_minor`` is what the customer pays for it, tax included."""

    item: Item
    amounts: LineAmounts
    tax_minor: int
    due_minor: int


@dataclass(frozen=True, slots=True)
class Priced:
    """All lines and their sums before cash rounding."""

    lines: tuple[PricedItem, ...]
    total_minor: int
    tax_minor: int


def price(items: Sequence[Item]) -> Priced:
    """Add up.  Lines frozen under the same taxes are taxed together, so that an open basket keeps
    its taxes over a change of the dataset."""
    amounts = [basket.line_amounts(item.as_line()) for item in items]
    taxed: list[tuple[int, int]] = [(0, 0)] * len(items)
    groups: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        groups.setdefault(item.tax, []).append(index)
    for stamp, members in groups.items():
        policy, rates = unstamp(stamp)
        result = compute(
            [TaxableLine(amounts[i].net_minor, items[i].tax_code) for i in members], policy, rates
        )
        for i, line in zip(members, result.lines, strict=True):
            taxed[i] = (line.tax_minor, line.due_minor)
    lines = tuple(
        PricedItem(item, amount, tax, due)
        for item, amount, (tax, due) in zip(items, amounts, taxed, strict=True)
    )
    return Priced(
        lines, sum(line.due_minor for line in lines), sum(line.tax_minor for line in lines)
    )


def line_due_minor(net_minor: int, tax_minor: int, tax: str) -> int:
    """What was paid for a sold line, tax included."""
    policy, _ = unstamp(tax)
    return net_minor if policy.mode is TaxMode.INCLUSIVE else net_minor + tax_minor
