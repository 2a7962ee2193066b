"""Quantities as integers of a base unit, and what a quantity costs.

A product is sold in a unit of measure (``each``, ``kg``, ``m``) at a ``scale``: its base unit is
10**-scale of that unit.  One kilogram at scale 3 is 1000 base units (grams); pieces have scale 0.
A unit price is always the price of one whole unit (1 kg), never of a base unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.domain.errors import Invalid
from hub.domain.money import Rounding, check_money, divide

MAX_QTY: Final = 1_000_000_000
"""The largest quantity of one line or level, in base units, either sign."""
MAX_SCALE: Final = 6


@dataclass(frozen=True, slots=True)
class Quantity:
    """``qty`` base units of ``uom`` at ``scale``."""

    qty: int
    uom: str
    scale: int

    def __post_init__(self) -> None:
        check_qty(self.qty)
        check_scale(self.scale)

    def __str__(self) -> str:
        return format_qty(self.qty, self.scale, self.uom)


def check_scale(scale: int) -> int:
    """The scale itself if 0 ≤ scale ≤ 6; else ``validation``."""
    if 0 <= scale <= MAX_SCALE:
        return scale
    raise Invalid(
        f"Scale {scale} is out of range: use 0 for pieces up to {MAX_SCALE}.",
        context={"scale": scale},
    )


def check_qty(qty: int, what: str = "quantity") -> int:
    """The quantity itself if |qty| ≤ 10⁹ base units; else ``validation``."""
    if -MAX_QTY <= qty <= MAX_QTY:
        return qty
    raise Invalid(
        f"The {what} {qty} is beyond {MAX_QTY} base units: check what was typed or scanned.",
        context={"what": what},
    )


def check_positive_qty(qty: int, what: str = "quantity") -> int:
    """The quantity itself if 0 < qty ≤ 10⁹ base units; else ``validation``."""
    if qty <= 0:
        raise Invalid(f"The {what} must be above 0: correct it or take the line out.")
    return check_qty(qty, what)


def line_gross_minor(
    unit_price_minor: int, qty: int, scale: int, rounding: Rounding = Rounding.HALF_UP
) -> int:
    """Price of ``qty`` base units at ``unit_price_minor`` per whole unit, in minor units.

    1.99 per kg, 0.455 kg: ``line_gross_minor(199, 455, 3)`` is 91.  Out of bounds → ``validation``.
    """
    check_money(unit_price_minor, "unit price")
    check_qty(qty)
    gross = divide(unit_price_minor * qty, 10 ** check_scale(scale), rounding)
    return check_money(gross, "line total")


def format_qty(qty: int, scale: int, uom: str = "") -> str:
    """For people: 455 at scale 3 in kg → ``0.455 kg``."""
    check_scale(scale)
    sign = "-" if qty < 0 else ""
    units, fraction = divmod(abs(qty), 10**scale)
    number = f"{sign}{units}.{fraction:0{scale}d}" if scale else f"{sign}{units}"
    return f"{number} {uom}".rstrip()
