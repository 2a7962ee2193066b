"""The command line of the benchmarks; see ``scripts/bench --help``."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.clock import SystemClock
from scripts.benchmarks import machine, markdown, report
from scripts.benchmarks.bench import Bench, Missing
from scripts.benchmarks.catalogue import FAMILIES, chosen
from scripts.benchmarks.figures import Failed, Skipped
from scripts.rig.process import ROOT

if TYPE_CHECKING:
    from scripts.benchmarks.catalogue import Family

LIMIT_S = 1200.0
"""How long a family of figures may take in the full form."""
QUICK_LIMIT_S = 120.0
REPORTS = ROOT / "var" / "bench"
SEEDS = REPORTS / "seeds"
_PROFILED_SALES = (400, 1600)
_INTERRUPTED = 130
_FULL_ONLY = "not in the quick form: leave --quick away, or name it with --only"
_ABOUT = """\
Measure the hub, each figure beside its floor in the same run.

The full form takes up to 20 minutes and 5 GB below var/bench/seeds, where a million sales and a
million events are kept for the next run; the quick form about a minute. Queues to compare with
are installed into an environment of their own below var/. The table goes to standard output,
progress to standard error.

\b
  ./scripts/bench --quick                    the usual question: is anything slower?
  ./scripts/bench --report                   everything, with var/bench/report.md and plots
  ./scripts/bench --only till --only crowd   some figures (--list shows all)
  ./scripts/bench --again var/bench/bench.json --report DIR
                                             write an earlier run's report again

It never judges: whether an aim is met is told, not enforced. Exit status: 0; 1 when something
could not be run that should have; 130 when it was interrupted, which leaves nothing behind but
a table of what was measured until then.
"""


@click.command(help=_ABOUT, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Fewer and smaller rounds: about a minute.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for scripts.")
@click.option(
    "--only", multiple=True, metavar="NAME", help="Only this figure, or all that begin with NAME."
)
@click.option(
    "--report",
    "report_dir",
    type=click.Path(file_okay=False, path_type=Path),
    is_flag=False,
    flag_value=str(REPORTS),
    metavar="[DIR]",
    help="Write report.md, its plots and bench.json as well. Default: var/bench.",
)
@click.option(
    "--again",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Measure nothing: show what an earlier run left in a bench.json.",
)
@click.option(
    "--profile", is_flag=True, help="Show instead where a sale's processor time goes, by layer."
)
@click.option("--list", "list_only", is_flag=True, help="List the figures and leave.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where to write; its disk is what is measured, and nothing is kept. Default: the "
    "temporary directory.",
)
def command(
    *,
    quick: bool,
    as_json: bool,
    only: tuple[str, ...],
    report_dir: Path | None,
    again: Path | None,
    profile: bool,
    list_only: bool,
    folder: Path | None,
) -> None:
    """See ``_ABOUT``."""
    if list_only:
        report.show_list(FAMILIES)
        return
    if profile:
        from scripts.benchmarks import layers

        layers.show(layers.measure(_PROFILED_SALES[0 if quick else 1]))
        return
    if again is not None:
        result = json.loads(again.read_text())
    else:
        result = _run(quick=quick, only=only, profiled=report_dir is not None, folder=folder)
    if as_json:
        report.print_json(result)
    else:
        report.print_table(result)
    if report_dir is not None:
        print(f"report: {markdown.write(result, report_dir)}", file=sys.stderr)
    if result["failed"]:
        sys.exit(1)


def _run(*, quick: bool, only: tuple[str, ...], profiled: bool, folder: Path | None) -> Any:
    """The whole run's object; leaves with 130 when it is interrupted."""
    try:
        wanted = chosen(only, quick=quick)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    at_ms, before = SystemClock().wall_ms(), machine.Instant.now()
    with (
        tempfile.TemporaryDirectory(prefix="shb-", dir=folder) as space,
        report.progress() as say,
    ):
        bench = Bench(Path(space), quick, wanted, say, SEEDS if folder is None else None)
        try:
            profiles = asyncio.run(_measure(bench, profiled=profiled))
        except (KeyboardInterrupt, asyncio.CancelledError):
            print("bench: interrupted; everything is stopped", file=sys.stderr)
            about = machine.told(before, bench.sync_ms, quick=quick)
            if bench.outcomes:
                report.print_table(report.result_of(bench, about))
            sys.exit(_INTERRUPTED)
    if quick and not only:
        for family in FAMILIES:
            bench.outcomes += (Skipped(n, _FULL_ONLY) for n in family.names if n not in wanted)
    about = machine.told(before, bench.sync_ms, quick=quick)
    return report.result_of(bench, {"at_ms": at_ms, **about}, profiles)


async def _measure(bench: Bench, *, profiled: bool) -> list[dict[str, Any]]:
    """Everything that is wanted; where a sale's time goes, if that is."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    families = [family for family in FAMILIES if bench.wants(*family.names)]
    for at, family in enumerate(families, start=1):
        bench.say(f"[{at}/{len(families)}] {family.about}")
        await _measure_one(bench, family)
    return await _profiled(bench) if profiled else []


async def _measure_one(bench: Bench, family: Family) -> None:
    try:
        async with asyncio.timeout(QUICK_LIMIT_S if bench.quick else LIMIT_S):
            await family.load()(bench)
    except (Missing, ImportError) as missing:
        for name in _open_names(bench, family):
            bench.outcomes.append(Skipped(name, str(missing)))
    except Exception as error:
        traceback.print_exception(error, limit=-4)
        for name in _open_names(bench, family):
            bench.outcomes.append(Failed(name, _in_short(error)))


async def _profiled(bench: Bench) -> list[dict[str, Any]]:
    """In a process of its own: it wants its threads' time alone."""
    from scripts.benchmarks.programs import output_of

    bench.say("where a sale's time goes")
    sales = bench.size(*_PROFILED_SALES)
    out = await output_of(
        [sys.executable, "-m", "scripts.benchmarks.layers", str(sales)], timeout_s=LIMIT_S
    )
    found: list[dict[str, Any]] = json.loads(out)
    return found


def _in_short(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _open_names(bench: Bench, family: Family) -> list[str]:
    done = {outcome.name for outcome in bench.outcomes}
    return [name for name in family.names if bench.wants(name) and name not in done]


if __name__ == "__main__":
    command()
