"""One reading of a scale, and exact grams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from devices.peripherals.model import Weight
from hub.domain.money import Rounding, divide


class Unit(StrEnum):
    """What a scale may weigh in."""

    KG = "kg"
    G = "g"
    LB = "lb"
    OZ = "oz"


GRAMS: Final[Mapping[Unit, tuple[int, int]]] = MappingProxyType(
    {
        Unit.KG: (1000, 1),
        Unit.G: (1, 1),
        Unit.LB: (45_359_237, 100_000),
        Unit.OZ: (45_359_237, 1_600_000),
    }
)
"""Grams of one unit as a fraction: the international pound is 453.59237 g exactly (1959)."""


def grams(number: int, decimals: int, unit: Unit) -> int:
    """``number`` without its decimal point, of ``unit``, in whole grams; halves are rounded up."""
    times, per = GRAMS[unit]
    return divide(number * times, per * 10**decimals, Rounding.HALF_UP)


@dataclass(frozen=True, slots=True)
class Reading:
    """``grams`` is None when the scale tells none (in motion, out of its range)."""

    grams: int | None
    moving: bool = False
    overload: bool = False
    under_zero: bool = False
    zero: bool = False
    net: bool = False

    @property
    def sellable(self) -> bool:
        """Whether something may be sold by it."""
        out = self.moving or self.overload or self.under_zero
        return self.grams is not None and not out

    def weight(self, last_grams: int) -> Weight:
        """As drivers tell it; without grams, the last that were shown."""
        shown = last_grams if self.grams is None else self.grams
        return Weight(shown, self.sellable, self.zero, self.overload, self.under_zero)


@dataclass(frozen=True, slots=True)
class Nonsense:
    """An answer that isn't one of this kind of scale."""

    why: str
