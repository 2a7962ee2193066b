"""The report: Markdown with every figure beside its floor, from the object of one run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.benchmarks.catalogue import FAMILIES
from scripts.benchmarks.report import Result, amount, ratio_text, summary

REPORT, DATA = "report.md", "bench.json"
NO_PLOTS = (
    "Plots need matplotlib, which is not installed here: `./scripts/setup` installs it with the "
    "other development packages (or `.venv/bin/python -m pip install matplotlib`). "
    "`./scripts/bench --again bench.json --report` then draws this run's."
)
_STATEMENTS = 12
_OTHER = "further figures"


def write(result: Result, folder: Path) -> Path:
    """``report.md``, ``bench.json`` and the plots in ``folder``; the report's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DATA).write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    try:
        from scripts.benchmarks import plots

        drawn = plots.draw(result, folder)
        note = ""
    except ImportError:
        drawn, note = {}, NO_PLOTS
    path = folder / REPORT
    path.write_text(render(result, drawn, note))
    return path


def render(result: Result, plots: Mapping[str, str], note: str = "") -> str:
    """The whole text.  ``plots``: what is drawn → its file's name; ``note`` why nothing is."""
    machine = result["machine"]
    parts = [
        "# Store Hub: benchmark report",
        f"**{summary(result)}**",
        _disturbed(machine),
        note,
        _missed(result["figures"]),
        _picture(plots, "overview", "How far each aim is reached"),
        _machine(machine),
        *_figures(result["figures"]),
        *_growth(result["series"], plots),
        *_sheets(result["sheets"]),
        _profile(result["profile"], plots),
        _not_measured(result),
        _READING,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_READING = """\
## How to read it

- Each figure was measured in turn with its floor (floor, figure, floor, figure …) in the same run.
  Values and floors are medians, or 99th percentiles over all samples where that is said; the ratio
  is the median of the rounds' own ratios, ± half their interquartile range.
- *met* and *not met* compare the ratio (or the value, where the aim has no x) with the aim as it
  is; *within the spread* says that another run might find the opposite.
- Processor time is the process's or thread's own (what else runs on the machine lengthens it
  little); everything else is time by the clock.
- Ratios travel between machines, values don't."""


def _disturbed(machine: Mapping[str, Any]) -> str:
    found = [f"> **Warning.** {machine['warning']}"] if machine.get("warning") else []
    if machine.get("quick"):
        found.append("> This was the quick form: fewer rounds, smaller sizes, wider spread.")
    return "\n>\n".join(found)


def _missed(figures: Sequence[Mapping[str, Any]]) -> str:
    missed = [one for one in figures if one["met"] is False]
    if not missed:
        return ""
    rows = (
        (one["name"], one["aim"], _reached(one), one["verdict"].removeprefix("not met: "))
        for one in missed
    )
    return "## Not met\n\n" + _table(("figure", "aim", "measured", "that is"), rows)


def _reached(one: Mapping[str, Any]) -> str:
    if one["aim"].endswith("x"):
        return ratio_text(one)
    return f"{amount(one['value'])} {one['unit']}"


def _machine(machine: Mapping[str, Any]) -> str:
    at = machine.get("at_ms")
    when = "" if at is None else f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    rows = [
        ("measured", f"{when}, {machine.get('seconds', 0):.0f} s"),
        ("processors", str(machine["cpus"])),
        ("64 KiB overwrite + fdatasync", f"{machine['sync_ms']} ms"),
        ("load before / after", f"{machine.get('load_before', '-')} / {machine['load']}"),
        ("processors used by others meanwhile", f"{machine.get('others', 0):.0%}"),
        ("SQLite", machine["sqlite"]),
        ("Python", machine["python"]),
        ("kernel", machine["kernel"]),
    ]
    return "## The machine\n\n" + _table(("", ""), rows)


def _figures(figures: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    yield "## Figures"
    rest = {one["name"]: one for one in figures}
    for family in FAMILIES:
        mine = [rest.pop(name) for name in family.names if name in rest]
        if mine:
            yield _family(family.about, mine)
    if rest:
        yield _family(_OTHER, list(rest.values()))


def _family(about: str, figures: Sequence[Mapping[str, Any]]) -> str:
    rows = (
        (
            one["name"],
            f"{amount(one['value'])} {one['unit']}",
            "-" if one["floor"] is None else f"{amount(one['floor'])} {one['unit']}",
            ratio_text(one),
            one["aim"],
            _bold(one),
        )
        for one in figures
    )
    table = _table(("figure", "measured", "floor", "ratio", "aim", "verdict"), rows)
    told = []
    for one in figures:
        floor = f" Floor: {one['floor_name']}." if one["floor_name"] else ""
        told.append(f"- `{one['name']}`: {one['explanation']}.{floor} {one['runs']} rounds.")
    return f"### {about[0].upper()}{about[1:]}\n\n{table}\n\n" + "\n".join(told)


def _bold(one: Mapping[str, Any]) -> str:
    return f"**{one['verdict']}**" if one["met"] is False else str(one["verdict"])


def _growth(series: Sequence[Mapping[str, Any]], plots: Mapping[str, str]) -> Iterable[str]:
    if series:
        yield "## Cost against growth"
    for name in dict.fromkeys(one["plot"] for one in series):
        panels = [one for one in series if one["plot"] == name]
        title = f"{panels[0]['title']} by {panels[0]['x_title']}"
        yield f"### {title}"
        if name in plots:
            yield _picture(plots, name, title)
        yield _points(panels)


def _points(panels: Sequence[Mapping[str, Any]]) -> str:
    """All panels' lines as columns of one table."""
    columns = [panels[0]["x_title"]]
    found: dict[float, list[str]] = {}
    for panel in panels:
        for line in panel["lines"]:
            columns.append(f"{panel['title']}: {line['label']} ({panel['y_title']})")
            for x, y in line["points"]:
                row = found.setdefault(x, [])
                row += ["-"] * (len(columns) - 2 - len(row)) + [amount(y)]
    width = len(columns) - 1
    rows = ((f"{x:,.0f}", *row, *["-"] * (width - len(row))) for x, row in sorted(found.items()))
    return _table(columns, rows)


def _sheets(sheets: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    if sheets:
        yield "## What a shop would use instead"
    for sheet in sheets:
        text = f"### {sheet['title']}\n\n{_table(sheet['columns'], sheet['rows'])}"
        yield f"{text}\n\n{sheet['note']}" if sheet["note"] else text


def _profile(profile: Sequence[Mapping[str, Any]], plots: Mapping[str, str]) -> str:
    """See ``layers.Profile``."""
    if not profile:
        return ""
    heads = ("µs of processor time per sale", *(f"{one['batch']} per commit" for one in profile))
    rows = []
    for name, *keys in _LAYERS:
        values = (one[keys[0]] - sum(one[key] for key in keys[1:]) for one in profile)
        rows.append((name, *(f"{value:.0f}" for value in values)))
    last = profile[-1]
    statements = (
        (f"{calls:.2f}", f"{spent_us:.1f}", f"`{sql[:90]}`")
        for calls, spent_us, sql in last["statements"][:_STATEMENTS]
    )
    picture = _picture(plots, "profile", "Processor time of a sale by layer")
    detail = _table(("calls", "µs", f"statement, {last['batch']} sales per commit"), statements)
    parts = (
        "## Where a sale's time goes",
        "Four lines, gate and writer on one thread, without waiting; the quickest round counts.",
        picture,
        _table(heads, rows),
        detail,
    )
    return "\n\n".join(part for part in parts if part)


_LAYERS = (
    ("on the loop", "loop_us"),
    ("· reading", "parse_us"),
    ("· screening for card data", "screen_us"),
    ("· hashing", "hash_us"),
    ("· the rest", "loop_us", "parse_us", "screen_us", "hash_us"),
    ("on the writer's thread", "writer_us"),
    ("· in SQLite", "sqlite_us"),
    ("· in Python", "writer_us", "sqlite_us"),
)
"""Name, what it is, and what is taken off it."""


def _not_measured(result: Result) -> str:
    rows = [(one["name"], one["reason"]) for one in result["skipped"]]
    rows += [(one["name"], f"failed: {one['error']}") for one in result["failed"]]
    return "## Not measured\n\n" + _table(("figure", "why"), rows) if rows else ""


def _picture(plots: Mapping[str, str], name: str, title: str) -> str:
    return f"![{title}]({plots[name]})" if name in plots else ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")
