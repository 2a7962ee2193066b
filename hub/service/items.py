"""Lines on their way to a sale: frozen prices and taxes, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from hub.domain import basket
from hub.domain.basket import Line, LineAmounts
from hub.domain.errors import DomainError
from hub.domain.money import check_money
from hub.domain.tax import TaxableLine, TaxMode, TaxScope, compute
from hub.service.pricing import unstamp


class Item(NamedTuple):
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


class PricedItem(NamedTuple):
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
    stamps = dict.fromkeys(item.tax for item in items)
    if all(unstamp(stamp)[0].scope is TaxScope.PER_LINE for stamp in stamps):
        lines = tuple(_priced_alone(item) for item in items)
    else:
        lines = _priced_together(items, stamps)
    return Priced(
        lines,
        check_money(sum(line.due_minor for line in lines), "total"),
        check_money(sum(line.tax_minor for line in lines), "tax total"),
    )


def _priced_alone(item: Item) -> PricedItem:
    """A line whose tax doesn't depend on the others."""
    try:
        amounts, tax_minor, due_minor = _amounts(
            item.qty,
            item.scale,
            item.list_price_minor,
            item.unit_price_minor,
            item.discount_minor,
            item.tax_code,
            item.tax,
        )
    except DomainError:
        basket.line_amounts(item.as_line())  # the same with the product's name, if it's the line
        raise
    return PricedItem(item, amounts, tax_minor, due_minor)


@lru_cache(maxsize=4096)
def _amounts(
    qty: int,
    scale: int,
    list_price_minor: int,
    unit_price_minor: int,
    discount_minor: int,
    tax_code: str,
    tax: str,
) -> tuple[LineAmounts, int, int]:
    """Amounts, tax and what is due: the same for every line that costs the same."""
    line = Line("", qty, scale, list_price_minor, tax_code, unit_price_minor, discount_minor)
    amounts = basket.line_amounts(line)
    policy, rates = unstamp(tax)
    (taxed,) = compute([TaxableLine(amounts.net_minor, tax_code)], policy, rates).lines
    return amounts, taxed.tax_minor, taxed.due_minor


def _priced_together(items: Sequence[Item], stamps: Iterable[str]) -> tuple[PricedItem, ...]:
    amounts = [basket.line_amounts(item.as_line()) for item in items]
    taxed: list[tuple[int, int]] = [(0, 0)] * len(items)
    for stamp in stamps:
        members = [index for index, item in enumerate(items) if item.tax == stamp]
        policy, rates = unstamp(stamp)
        result = compute(
            [TaxableLine(amounts[i].net_minor, items[i].tax_code) for i in members], policy, rates
        )
        for i, line in zip(members, result.lines, strict=True):
            taxed[i] = (line.tax_minor, line.due_minor)
    return tuple(
        PricedItem(item, amount, tax, due)
        for item, amount, (tax, due) in zip(items, amounts, taxed, strict=True)
    )


def line_due_minor(net_minor: int, tax_minor: int, tax: str) -> int:
    """What was paid for a sold line, tax included."""
    policy, _ = unstamp(tax)
    return net_minor if policy.mode is TaxMode.INCLUSIVE else net_minor + tax_minor
