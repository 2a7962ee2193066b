"""The report's plots, as PNG.  Needs matplotlib (a development package)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from scripts.benchmarks.report import Result

WIDTH_IN, DPI = 6.4, 160
_PANEL_IN, _HEAD_IN = 2.9, 0.8
_ROW_IN = 0.3
_BEST, _WORST = 30.0, 0.02
_STYLE: Any = {
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "lines.linewidth": 2.2,
    "lines.markersize": 6,
    "legend.frameon": False,
    "legend.fontsize": 11,
}
_COLOURS = ("#0b6fb8", "#d1701a", "#3a8f4d", "#8450a8")
_FLOOR, _GOOD, _BAD = "#777777", "#2e8b57", "#c0392b"
_DARK = "#0b5b98"
_LAYERS = (
    ("reading", "#a9cce8", ("parse_us",)),
    ("screening", "#79aedb", ("screen_us",)),
    ("hashing", "#4a8cc4", ("hash_us",)),
    ("rest of the loop", _DARK, ("loop_us", "parse_us", "screen_us", "hash_us")),
    ("SQLite", "#d1701a", ("sqlite_us",)),
    ("writer's Python", "#eeb27a", ("writer_us", "sqlite_us")),
)


def draw(result: Result, folder: Path) -> dict[str, str]:
    """Everything there is to draw; name → file in ``folder``."""
    drawn = {}
    with rc_context(_STYLE):
        judged = [one for one in result["figures"] if one["part"] is not None]
        if judged:
            drawn["overview"] = _save(_overview(judged), folder, "overview")
        for name in dict.fromkeys(one["plot"] for one in result["series"]):
            panels = [one for one in result["series"] if one["plot"] == name]
            drawn[name] = _save(_panels(panels), folder, name.replace(".", "-"))
        if result["profile"]:
            drawn["profile"] = _save(_profile(result["profile"]), folder, "profile")
    return drawn


def _figure(height_in: float) -> Figure:
    found = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, layout="constrained")
    FigureCanvasAgg(found)
    return found


def _save(figure: Figure, folder: Path, name: str) -> str:
    figure.savefig(folder / f"{name}.png")
    return f"{name}.png"


# Growth ------------------------------------------------------------------------------------------


def _panels(panels: Sequence[Mapping[str, Any]]) -> Figure:
    """One above the other, along one x axis."""
    figure = _figure(_HEAD_IN + _PANEL_IN * len(panels))
    every = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(every, panels, strict=True):
        _panel(axes, panel)
    xs = sorted({x for panel in panels for line in panel["lines"] for x, _ in line["points"]})
    last = every[-1]
    if xs[0] > 0 and xs[-1] / xs[0] >= 10:
        last.set_xscale("log")
    last.xaxis.set_major_locator(FixedLocator(xs))
    last.xaxis.set_minor_locator(NullLocator())
    last.xaxis.set_major_formatter(FuncFormatter(lambda x, _: short(x)))
    last.set_xlabel(panels[-1]["x_title"])
    return figure


def _panel(axes: Axes, panel: Mapping[str, Any]) -> None:
    colours = iter(_COLOURS)
    styles = iter(("--", ":", "-."))
    for line in panel["lines"]:
        xs, ys = zip(*line["points"], strict=True)
        if line["floor"]:
            axes.plot(xs, ys, next(styles), color=_FLOOR, label=line["label"])
        else:
            axes.plot(xs, ys, "o-", color=next(colours), label=line["label"])
    axes.set_title(panel["title"])
    axes.set_ylabel(panel["y_title"])
    _scale(axes, panel)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: short(y)))
    lines = len(panel["lines"])
    if lines > 1:
        axes.legend(loc="upper left", ncols=2 if lines > 2 else 1)


def _scale(axes: Axes, panel: Mapping[str, Any]) -> None:
    """The y axis, with room for the legend above the lines."""
    ys = [y for line in panel["lines"] for _, y in line["points"]]
    legend = 0.4 if len(panel["lines"]) > 1 else 0.0
    if panel["log_y"]:
        low, high = min(ys) / 1.3, max(ys) * 1.3
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylim(low, high * (high / low) ** legend)
    else:
        axes.set_ylim(0, max(ys) * (1.2 + legend))
        axes.yaxis.set_major_locator(MaxNLocator(5))


def short(value: float) -> str:
    """``1500`` → ``1.5k``, ``1000000`` → ``1M``."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 0.9995:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


# Aims --------------------------------------------------------------------------------------------


def _overview(figures: Sequence[Mapping[str, Any]]) -> Figure:
    """Each figure's part of its aim: right of the line it is met."""
    figure = _figure(_HEAD_IN * 1.6 + _ROW_IN * len(figures))
    axes = figure.subplots()
    for row, one in enumerate(figures):
        part = min(_BEST, max(_WORST, one["part"]))
        colour = _GOOD if one["met"] else _BAD
        (bar,) = axes.plot((1, part), (row, row), "-", color=colour, linewidth=5, alpha=0.35)
        bar.set_solid_capstyle("butt")
        error = part * min(0.9, one["spread"] / 2)
        axes.errorbar(part, row, xerr=error, fmt="o", color=colour, capsize=3, linewidth=1.4)
    axes.axvline(1, color="black", linewidth=1.2)
    axes.set_xscale("log")
    parts = [min(_BEST, max(_WORST, one["part"])) for one in figures]
    axes.set_xlim(min(0.5, *parts) / 1.5, max(2.0, *parts) * 1.5)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.3g}x"))
    axes.set_yticks(range(len(figures)), [one["name"] for one in figures])
    axes.tick_params(axis="y", labelsize=11)
    axes.set_ylim(len(figures) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("part of the aim that is reached; from 1x on it is met")
    axes.set_title("Aims")
    return figure


# Where a sale's time goes ------------------------------------------------------------------------


def _profile(profile: Sequence[Mapping[str, Any]]) -> Figure:
    figure = _figure(3.4)
    axes = figure.subplots()
    names = [f"{one['batch']} per\ncommit" for one in profile]
    lefts = [0.0] * len(profile)
    for label, colour, (key, *off) in _LAYERS:
        widths = [max(0.0, one[key] - sum(one[part] for part in off)) for one in profile]
        axes.barh(names, widths, left=lefts, color=colour, label=label, height=0.6)
        for row, (left, width) in enumerate(zip(lefts, widths, strict=True)):
            if width > 0.06 * max(one["loop_us"] + one["writer_us"] for one in profile):
                text = f"{width:.0f}"
                ink = "white" if colour == _DARK else "black"
                axes.text(
                    left + width / 2, row, text, ha="center", va="center", fontsize=11, color=ink
                )
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("µs of processor time per sale of four lines")
    axes.set_title("Where a sale's time goes")
    figure.legend(loc="outside lower center", ncols=3)
    return figure
