"""What a figure is: a value, its floor from the same run, and what the ratio should be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Aim:
    """Where the ratio of value to floor should lie; ``value_at_least`` and ``value_at_most`` bound
    the value itself, in the figure's unit.  One of them, or none."""

    at_least: float | None = None
    at_most: float | None = None
    value_at_least: float | None = None
    value_at_most: float | None = None

    @property
    def bound(self) -> float | None:
        """The number itself."""
        both = (self.at_least, self.at_most, self.value_at_least, self.value_at_most)
        return next((one for one in both if one is not None), None)

    @property
    def upwards(self) -> bool:
        """Whether more is better."""
        return self.at_least is not None or self.value_at_least is not None

    @property
    def of_value(self) -> bool:
        """Whether it bounds the value and not the ratio."""
        return self.value_at_least is not None or self.value_at_most is not None

    @property
    def text(self) -> str:
        """For people: ``≥ 0.3x``, ``≤ 2.5x``, ``≤ 80`` of the unit, or ``-`` for none."""
        if self.bound is None:
            return "-"
        return f"{'≥' if self.upwards else '≤'} {self.bound:.3g}{'' if self.of_value else 'x'}"

    def part(self, value: float, ratio: float | None) -> float | None:
        """How far the aim is reached: 1 is just, 2 twice as good, 0.5 half.  None without an aim
        or without the ratio it bounds."""
        found = value if self.of_value else ratio
        if self.bound is None or found is None:
            return None
        if self.bound <= 0:  # nothing may be left of it
            return 1.0 if found <= self.bound else 0.0
        if self.upwards:
            return found / self.bound
        return self.bound / found if found > 0 else float("inf")


NO_AIM = Aim()


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    ``value`` and ``floor`` are medians over ``runs`` rounds, in ``unit``; ``ratio`` is the median
    of the rounds' own ratios and ``spread`` their interquartile range as a part of it (the value's,
    where the figure has no floor: ``floor`` and ``ratio`` are None then).
    """

    name: str
    value: float
    unit: str
    floor: float | None
    floor_name: str
    ratio: float | None
    aim: Aim
    spread: float
    runs: int
    explanation: str

    @property
    def part(self) -> float | None:
        """See :meth:`Aim.part`."""
        return self.aim.part(self.value, self.ratio)

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None if the figure has none."""
        return None if self.part is None else self.part >= 1

    @property
    def verdict(self) -> str:
        """In words: ``met``, ``not met: 62% of the aim``; and whether the spread leaves doubt."""
        part = self.part
        if part is None:
            return "-"
        doubt = ", within the spread" if abs(part - 1) < self.spread / 2 else ""
        return f"met{doubt}" if part >= 1 else f"not met: {part:.0%} of the aim{doubt}"

    def as_json(self) -> dict[str, Any]:
        """A JSON object; ``aim`` is its text, ``part`` how far it is reached (null: no aim)."""
        found = {name: _short(value) for name, value in asdict(self).items()}
        part = self.part
        told = None if part is None else _short(min(part, 1e6))
        more = {"aim": self.aim.text, "met": self.met, "part": told, "verdict": self.verdict}
        return {**found, **more}


@dataclass(frozen=True, slots=True)
class Line:
    """``points`` are ``(x, y)``; ``floor``: what the others are held against."""

    label: str
    points: tuple[tuple[float, float], ...]
    floor: bool = False


def level(label: str, xs: Iterable[float], y: float) -> Line:
    """A floor that doesn't grow."""
    return Line(label, tuple((x, y) for x in xs), True)


@dataclass(frozen=True, slots=True)
class Series:
    """How something grows: one panel of a plot.  ``plot`` groups panels that share their x axis;
    ``log_y`` where values span decades."""

    plot: str
    title: str
    x_title: str
    y_title: str
    lines: tuple[Line, ...]
    log_y: bool = False

    def as_json(self) -> dict[str, Any]:
        """A JSON object."""
        found = asdict(self)
        for line in found["lines"]:
            line["points"] = [[_short(x), _short(y)] for x, y in line["points"]]
        return found


@dataclass(frozen=True, slots=True)
class Sheet:
    """A comparison in words and numbers for the report; ``note`` says how it was made."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A figure that could not be measured here, why, and what would change that."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A figure whose measurement broke."""

    name: str
    error: str


Outcome = Figure | Skipped | Failed


def _short(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value
