"""Sales tax of a basket and of what comes back.

The shop's rules: prices include tax or exclude it; tax is rounded per line or per total; it is
stored per line, and largest remainder makes the lines sum to the total.  "Per total" means per tax
code, as invoices state it (EN 16931, rule BR-CO-14: the tax total is the sum over the categories).
A refund reuses the tax of the original line and never looks a rate up again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hub.domain.errors import Invalid
from hub.domain.money import Rounding, check_money, cumulative_share, divide, spread

PPM: Final = 1_000_000
"""Rates are integers in parts per million: 19% is 190_000, 8.875% is 88_750."""
MAX_RATE_PPM: Final = 10 * PPM


class TaxMode(StrEnum):
    """Whether a shelf price contains its tax."""

    INCLUSIVE = "inclusive"
    EXCLUSIVE = "exclusive"


class TaxScope(StrEnum):
    """Where tax is rounded."""

    PER_LINE = "per_line"
    PER_TOTAL = "per_total"


@dataclass(frozen=True, slots=True)
class TaxPolicy:
    """How this shop taxes."""

    mode: TaxMode = TaxMode.INCLUSIVE
    scope: TaxScope = TaxScope.PER_LINE
    rounding: Rounding = Rounding.HALF_UP


@dataclass(frozen=True, slots=True)
class TaxRate:
    """One tax code of the tax dataset."""

    code: str
    rate_ppm: int
    name: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.rate_ppm <= MAX_RATE_PPM:
            raise Invalid(
                f"Tax code {self.code!r} has the rate {self.rate_ppm} ppm: it must be from 0 to"
                f" {MAX_RATE_PPM}; mend the tax dataset."
            )


@dataclass(frozen=True, slots=True)
class TaxableLine:
    """A line after its discounts.  ``net_minor`` is quantity times price less discount, as the
    customer sees it: with tax under an inclusive policy, without under an exclusive one."""

    net_minor: int
    tax_code: str


@dataclass(frozen=True, slots=True)
class LineTax:
    """A line's tax.  ``base_minor + tax_minor = due_minor``."""

    tax_code: str
    rate_ppm: int
    base_minor: int
    tax_minor: int
    due_minor: int


@dataclass(frozen=True, slots=True)
class CodeTotal:
    """All lines of one tax code, as the receipt states them."""

    tax_code: str
    name: str
    rate_ppm: int
    base_minor: int
    tax_minor: int


@dataclass(frozen=True, slots=True)
class TaxResult:
    """``lines`` in the order given, ``by_code`` in order of first appearance."""

    lines: tuple[LineTax, ...]
    by_code: tuple[CodeTotal, ...]
    base_minor: int
    tax_minor: int
    due_minor: int


def compute(
    lines: Sequence[TaxableLine], policy: TaxPolicy, rates: Mapping[str, TaxRate]
) -> TaxResult:
    """Tax every line.  A code without a rate is ``validation``: a shop never guesses a tax."""
    for line in lines:
        check_money(line.net_minor, "line total")
    found = [_rate(line.tax_code, rates) for line in lines]
    match policy.scope:
        case TaxScope.PER_LINE:
            taxes = tuple(
                divide(*_exact(line.net_minor, rate, policy.mode), policy.rounding)
                for line, rate in zip(lines, found, strict=True)
            )
        case TaxScope.PER_TOTAL:
            taxes = _per_total(lines, found, policy)
    done = tuple(
        _line_tax(line, rate, tax, policy.mode)
        for line, rate, tax in zip(lines, found, taxes, strict=True)
    )
    return TaxResult(
        lines=done,
        by_code=_by_code(done, rates),
        base_minor=check_money(sum(line.base_minor for line in done), "total"),
        tax_minor=check_money(sum(line.tax_minor for line in done), "tax total"),
        due_minor=check_money(sum(line.due_minor for line in done), "total"),
    )


def refund_tax_minor(line_tax_minor: int, sold_qty: int, returned_before_qty: int, qty: int) -> int:
    """Tax given back with ``qty`` of a line that was taxed ``line_tax_minor`` for ``sold_qty``.

    A proportion of the original tax, dealt out cumulatively: returns in any order and of any size
    add up to exactly the original once all is back.  More than is left → ``validation``.
    """
    return cumulative_share(line_tax_minor, sold_qty, returned_before_qty, qty)


def refund_amount_minor(
    line_due_minor: int, sold_qty: int, returned_before_qty: int, qty: int
) -> int:
    """Money given back (tax within it) with ``qty`` of a line; the same rule as its tax."""
    return cumulative_share(line_due_minor, sold_qty, returned_before_qty, qty)


def _rate(code: str, rates: Mapping[str, TaxRate]) -> TaxRate:
    try:
        return rates[code]
    except KeyError:
        raise Invalid(
            f"Tax code {code!r} is not in the tax dataset: sync the taxes or correct the product.",
            context={"tax_code": code},
        ) from None


def _exact(net_minor: int, rate: TaxRate, mode: TaxMode) -> tuple[int, int]:
    """The exact tax as numerator and denominator."""
    match mode:
        case TaxMode.EXCLUSIVE:
            return net_minor * rate.rate_ppm, PPM
        case TaxMode.INCLUSIVE:
            return net_minor * rate.rate_ppm, PPM + rate.rate_ppm


def _per_total(
    lines: Sequence[TaxableLine], found: Sequence[TaxRate], policy: TaxPolicy
) -> tuple[int, ...]:
    taxes = [0] * len(lines)
    groups: dict[str, list[int]] = {}
    for i, line in enumerate(lines):
        groups.setdefault(line.tax_code, []).append(i)
    for members in groups.values():
        exact = [_exact(lines[i].net_minor, found[i], policy.mode) for i in members]
        numerators = [numerator for numerator, _ in exact]
        denominator = exact[0][1]
        total = divide(sum(numerators), denominator, policy.rounding)
        for i, tax in zip(members, spread(total, numerators, denominator), strict=True):
            taxes[i] = tax
    return tuple(taxes)


def _line_tax(line: TaxableLine, rate: TaxRate, tax_minor: int, mode: TaxMode) -> LineTax:
    match mode:
        case TaxMode.EXCLUSIVE:
            base, due = line.net_minor, line.net_minor + tax_minor
        case TaxMode.INCLUSIVE:
            base, due = line.net_minor - tax_minor, line.net_minor
    return LineTax(line.tax_code, rate.rate_ppm, base, tax_minor, due)


def _by_code(done: Sequence[LineTax], rates: Mapping[str, TaxRate]) -> tuple[CodeTotal, ...]:
    sums: dict[str, tuple[int, int]] = {}
    for line in done:
        base, tax = sums.get(line.tax_code, (0, 0))
        sums[line.tax_code] = (base + line.base_minor, tax + line.tax_minor)
    return tuple(
        CodeTotal(code, rates[code].name, rates[code].rate_ppm, base, tax)
        for code, (base, tax) in sums.items()
    )
