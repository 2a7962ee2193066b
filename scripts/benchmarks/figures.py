"""What a figure is: a value, its floor from the same run, and what the ratio should be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Aim:
    """Where the ratio of value to floor should lie; ``value_at_most`` bounds the value itself, in
    the figure's unit."""

    at_least: float | None = None
    at_most: float | None = None
    value_at_most: float | None = None

    @property
    def text(self) -> str:
        """For people: ``≥ 0.3x``, ``≤ 2.5x``, ``≤ 80`` of the unit, or ``-`` for none."""
        if self.at_least is not None:
            return f"≥ {self.at_least:.3g}x"
        if self.at_most is not None:
            return f"≤ {self.at_most:.3g}x"
        if self.value_at_most is not None:
            return f"≤ {self.value_at_most:.3g}"
        return "-"

    def met(self, value: float, ratio: float) -> bool | None:
        """Whether the aim is reached; None without one."""
        if self.at_least is not None:
            return ratio >= self.at_least
        if self.at_most is not None:
            return ratio <= self.at_most
        if self.value_at_most is not None:
            return value <= self.value_at_most
        return None


NO_AIM = Aim()


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    ``value`` and ``floor`` are medians over ``runs`` rounds, in ``unit``; ``ratio`` is the median
    of the rounds' own ratios and ``spread`` their interquartile range as a part of it.
    """

    name: str
    value: float
    unit: str
    floor: float
    floor_name: str
    ratio: float
    aim: Aim
    spread: float
    runs: int
    explanation: str

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None if the figure has none."""
        return self.aim.met(self.value, self.ratio)

    def as_json(self) -> dict[str, Any]:
        """A JSON object; ``aim`` is its text."""
        found = {name: _short(value) for name, value in asdict(self).items()}
        return {**found, "aim": self.aim.text, "met": self.met}


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
