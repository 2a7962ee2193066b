"""The command line of the benchmarks; see ``scripts/bench --help``."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.benchmarks import report
from scripts.benchmarks.bench import Bench, Missing
from scripts.benchmarks.catalogue import FAMILIES, chosen
from scripts.benchmarks.figures import Failed, Skipped

if TYPE_CHECKING:
    from scripts.benchmarks.catalogue import Family

LIMIT_S = 1200.0
"""How long a family of figures may take in the full form."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Fewer and smaller rounds: under a minute.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for scripts.")
@click.option(
    "--only", multiple=True, metavar="NAME", help="Only this figure, or all that begin with NAME."
)
@click.option(
    "--profile", is_flag=True, help="Show instead where a sale's processor time goes, by layer."
)
@click.option("--list", "list_only", is_flag=True, help="List the figures and leave.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where to write; its disk is what is measured. Default: the temporary directory.",
)
def command(
    *,
    quick: bool,
    as_json: bool,
    only: tuple[str, ...],
    profile: bool,
    list_only: bool,
    folder: Path | None,
) -> None:
    """Measure the hub, each figure beside its floor in the same run.

    It never judges: it exits with 1 only when something could not be run that should have.
    """
    if list_only:
        report.show_list(FAMILIES)
        return
    if profile:
        from scripts.benchmarks import layers

        layers.show(layers.measure(400 if quick else 1600))
        return
    try:
        wanted = chosen(only, quick=quick)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with tempfile.TemporaryDirectory(prefix="shb-", dir=folder) as space:
        with report.progress(quiet=as_json) as say:
            bench = Bench(Path(space), quick, wanted, say)
            asyncio.run(_measure(bench, say_family=say))
        machine = report.machine(bench)
    if as_json:
        report.print_json(bench.outcomes, machine)
    else:
        report.print_table(bench.outcomes, machine)
    if any(isinstance(one, Failed) for one in bench.outcomes):
        sys.exit(1)


async def _measure(bench: Bench, say_family: report.Say) -> None:
    for family in FAMILIES:
        if bench.wants(*family.names):
            say_family(family.about)
            await _measure_one(bench, family)


async def _measure_one(bench: Bench, family: Family) -> None:
    try:
        async with asyncio.timeout(LIMIT_S / 20 if bench.quick else LIMIT_S):
            await family.load()(bench)
    except (Missing, ImportError) as missing:
        for name in _open_names(bench, family):
            bench.outcomes.append(Skipped(name, str(missing)))
    except Exception as error:
        traceback.print_exception(error, limit=-4)
        for name in _open_names(bench, family):
            bench.outcomes.append(Failed(name, _in_short(error)))


def _in_short(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _open_names(bench: Bench, family: Family) -> list[str]:
    done = {outcome.name for outcome in bench.outcomes}
    return [name for name in family.names if bench.wants(name) and name not in done]


if __name__ == "__main__":
    command()
