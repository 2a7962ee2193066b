"""What a run found: one object for scripts, a table for people, progress while it goes on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from time import perf_counter
from typing import TYPE_CHECKING, Any

from scripts.benchmarks.bench import Bench
from scripts.benchmarks.figures import Failed, Figure, Skipped

if TYPE_CHECKING:
    from scripts.benchmarks.catalogue import Family

Say = Callable[[str], None]
Result = dict[str, Any]
_TOLD = ("warning", "at_ms")
_WIDE = 140
_COLOURS = {True: "green", False: "red", None: "dim"}


def result_of(
    bench: Bench, machine: Mapping[str, Any], profile: Sequence[Mapping[str, Any]] = ()
) -> Result:
    """One object: ``figures``, ``skipped``, ``failed``, ``series``, ``sheets``, ``profile`` (where
    a sale's time goes; empty without a report), ``machine``."""
    found = {
        "figures": [one.as_json() for one in bench.outcomes if isinstance(one, Figure)],
        "skipped": [asdict(one) for one in bench.outcomes if isinstance(one, Skipped)],
        "failed": [asdict(one) for one in bench.outcomes if isinstance(one, Failed)],
        "series": [one.as_json() for one in bench.series],
        "sheets": [asdict(one) for one in bench.sheets],
        "profile": list(profile),
        "machine": dict(machine),
    }
    plain: Result = json.loads(json.dumps(found))  # lists, as it comes back from a file
    return plain


def print_json(result: Result) -> None:
    """One line."""
    print(json.dumps(result, ensure_ascii=False))


def summary(result: Result) -> str:
    """One sentence: how many aims are met, and which are not."""
    judged = [one for one in result["figures"] if one["met"] is not None]
    missed = [one["name"] for one in judged if not one["met"]]
    told = f"{len(judged) - len(missed)} of {len(judged)} aims are met"
    return f"{told}; not met: {', '.join(missed)}." if missed else f"{told}."


def amount(value: float) -> str:
    """A number as people read it: three or four digits."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def ratio_text(one: Mapping[str, Any]) -> str:
    """``0.25x ± 6%``: half the interquartile range to either side; nothing of one round."""
    spread = f"± {one['spread'] / 2:.0%}" if one["runs"] > 1 else ""
    ratio = "" if one["ratio"] is None else f"{one['ratio']:.2f}x"
    return f"{ratio} {spread}".strip() or "-"


def print_table(result: Result) -> None:
    """The figures, what each means, and what could not be measured."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    table = Table(box=None, pad_edge=False)
    for title in ("figure", "value", "floor", "ratio", "aim"):
        side = "left" if title == "figure" else "right"
        table.add_column(title, justify=side, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("verdict")
    for one in result["figures"]:
        colour = _COLOURS[one["met"]]
        table.add_row(
            one["name"],
            f"{amount(one['value'])} {one['unit']}",
            "-" if one["floor"] is None else amount(one["floor"]),
            ratio_text(one),
            one["aim"],
            f"[{colour}]{one['verdict']}[/]",
        )
    console.print(table)
    console.print()
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    for one in result["figures"]:
        floor = f" Floor: {one['floor_name']}." if one["floor_name"] else ""
        console.print(f"[bold]{one['name']}[/]: ", end="")
        console.print(f"{one['explanation']}.{floor} Rounds: {one['runs']}.", markup=False)
    _print_rest(console, result)


def _print_rest(console: Any, result: Result) -> None:
    for sheet in result["sheets"]:
        console.print(f"\n[bold]{sheet['title']}[/]")
        for row in (sheet["columns"], *sheet["rows"]):
            console.print("  " + " | ".join(row), markup=False)
    console.print()
    for one in result["skipped"]:
        console.print(f"[yellow]{one['name']}[/] not measured: ", end="")
        console.print(one["reason"], markup=False)
    for one in result["failed"]:
        console.print(f"[red]{one['name']}[/] failed: ", end="")
        console.print(one["error"], markup=False)
    machine = result["machine"]
    facts = ", ".join(f"{name} {value}" for name, value in machine.items() if name not in _TOLD)
    console.print(f"\nThis machine: {facts}. Ratios travel between machines; values don't.")
    if machine.get("warning"):
        console.print(f"[yellow]{machine['warning']}[/]")
    console.print(f"[bold]{summary(result)}[/]")


def show_list(families: Sequence[Family]) -> None:
    """All figures by family."""
    for family in families:
        only = " (full form only)" if family.full_only else ""
        print(f"{', '.join(family.names)}\n    {family.about}{only}")


@contextmanager
def progress() -> Iterator[Say]:
    """Shows on standard error what is being done: one moving line on a terminal, else a line for
    each new thing."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    begun_s = perf_counter()

    def stamped(text: str) -> str:
        return f"{perf_counter() - begun_s:5.0f} s  {text}"

    if console.is_terminal:
        with console.status("starting") as status:
            yield lambda text: status.update(f"{stamped(text)} …")
        return
    last = [""]

    def say(text: str) -> None:
        what = text.partition(":")[0]
        if what != last[0]:  # not every percent of the same thing
            last[0] = what
            print(stamped(text), file=sys.stderr, flush=True)

    yield say
