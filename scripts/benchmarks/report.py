"""What a run found, for people (a table) and for scripts (one JSON object)."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hub.storage import sqlite
from scripts.benchmarks.bench import Bench
from scripts.benchmarks.figures import Failed, Figure, Outcome, Skipped

if TYPE_CHECKING:
    from scripts.benchmarks.catalogue import Family

Say = Callable[[str], None]
_MARKS = {True: "[green]yes[/]", False: "[red]no[/]", None: "-"}


def machine(bench: Bench) -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cpus": os.cpu_count(),
        "sync_ms": round(bench.sync_ms, 4),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "sqlite": sqlite.version(),
        "kernel": platform.release(),
        "quick": bench.quick,
    }


def print_json(outcomes: Sequence[Outcome], about: dict[str, Any]) -> None:
    """One object: ``figures``, ``skipped``, ``failed``, ``machine``."""
    found = {
        "figures": [one.as_json() for one in outcomes if isinstance(one, Figure)],
        "skipped": [asdict(one) for one in outcomes if isinstance(one, Skipped)],
        "failed": [asdict(one) for one in outcomes if isinstance(one, Failed)],
        "machine": about,
    }
    print(json.dumps(found, ensure_ascii=False))


def print_table(outcomes: Sequence[Outcome], about: dict[str, Any]) -> None:
    """The figures, what each means, and what could not be measured."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(box=None, pad_edge=False)
    for title in ("figure", "value", "floor", "ratio", "aim", "met", "spread", "runs"):
        table.add_column(title, justify="left" if title == "figure" else "right", no_wrap=True)
    figures = [one for one in outcomes if isinstance(one, Figure)]
    for one in figures:
        table.add_row(
            one.name,
            f"{one.value:.4g} {one.unit}",
            f"{one.floor:.4g}",
            f"{one.ratio:.2f}x",
            one.aim.text,
            _MARKS[one.met],
            f"{one.spread:.0%}",
            str(one.runs),
        )
    console.print(table)
    console.print()
    for one in figures:
        console.print(f"[bold]{one.name}[/]: {one.explanation}. Floor: {one.floor_name}.")
    for other in outcomes:
        if isinstance(other, Skipped):
            console.print(f"[yellow]{other.name}[/] not measured: {other.reason}", markup=True)
        elif isinstance(other, Failed):
            console.print(f"[red]{other.name}[/] failed: {other.error}", markup=True)
    facts = ", ".join(f"{name} {value}" for name, value in about.items())
    console.print(f"\nThis machine: {facts}. Ratios travel between machines; values don't.")


def show_list(families: Sequence[Family]) -> None:
    """All figures by family."""
    for family in families:
        only = " (full form only)" if family.full_only else ""
        print(f"{', '.join(family.names)}\n    {family.about}{only}")


@contextmanager
def progress(*, quiet: bool) -> Iterator[Say]:
    """Shows on a terminal's standard error what is being done."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda text: None
        return
    with console.status("starting") as status:
        yield lambda text: status.update(f"{text} …")
