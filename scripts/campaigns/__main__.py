"""Run the kinds of proof side by side, show how far they are, and judge at the end."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scripts.campaigns.display import Plain, left_s, table
from scripts.campaigns.kinds import KINDS, LANES, shared
from scripts.campaigns.summary import summary
from scripts.campaigns.trial import State, Trial

MINUTES_MAX = 100_000
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EXAMPLES = """examples:
  ./scripts/campaign                        twenty minutes of everything
  ./scripts/campaign --minutes 300          a night of it
  ./scripts/campaign --minutes 20 --json    one JSON object on standard output
  ./scripts/campaign --only simulation,power-cut --minutes 5

Two lanes run at once: what needs processor time only, and what needs real processes, sockets and
disks. What a kind needs at the least it gets: all of them take 18 minutes. A kind that this
machine can't play is skipped, and the campaign says so and why. Exit code 0: nothing was broken,
every planted bug was caught, every fault that has to happen did, and at least 500 seeds were
reached. A finding names the command that shows it again.
Ctrl-C stops all kinds, waits until they have removed what they made (a second one doesn't wait),
and shows what was found until then; exit code 130.
Logs and the last summary are in var/campaign/.
"""


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 proven, 1 not, 2 misused, 130 interrupted."""
    options = _options(arguments)
    folder = Path("var/campaign")
    folder.mkdir(parents=True, exist_ok=True)
    lanes = _lanes(options.only, options.minutes * 60)
    trials = [trial for lane in lanes for trial in lane]
    began_s = time.monotonic()
    finished = asyncio.run(_run(lanes, folder, quiet=options.json))
    found = summary(trials, minutes=options.minutes, took_s=time.monotonic() - began_s)
    if options.only is not None:
        found["only"] = [trial.kind.name for trial in trials]
    (folder / "summary.json").write_text(json.dumps(found, indent=1) + "\n")
    if options.json:
        print(json.dumps(found))
    else:
        _show(trials, found, of_these=options.only is not None)
    if not finished:
        return 130
    return 0 if found["ok"] else 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./scripts/campaign",
        description="Show every promise under crashes, cuts and starvation.",
        epilog="kinds:\n"
        + "".join(f"  {kind.name:<13} {kind.what}\n" for kind in KINDS.values())
        + "\n"
        + EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=20.0, help="how long (20)")
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--only", metavar="KINDS", help="these kinds, separated by commas")
    options = parser.parse_args(arguments)
    if not 0 < options.minutes < MINUTES_MAX:
        parser.error(f"--minutes has to be above 0 and below {MINUTES_MAX}")
    if options.only is not None:
        options.only = [name.strip() for name in options.only.split(",") if name.strip()]
        if unknown := [name for name in options.only if name not in KINDS]:
            parser.error(f"there is no kind {unknown[0]!r}; there are {', '.join(KINDS)}")
        if not options.only:
            parser.error(f"--only names no kind; there are {', '.join(KINDS)}")
    return options


def _lanes(only: list[str] | None, seconds: float) -> list[list[Trial]]:
    lanes = []
    for lane in LANES:
        kinds = [kind for kind in lane if only is None or kind.name in only]
        if kinds:
            times = shared(kinds, seconds)
            lanes.append([Trial(kind, times[kind.name]) for kind in kinds])
    return lanes


async def _run(lanes: list[list[Trial]], folder: Path, *, quiet: bool) -> bool:
    """True when all were run to their end."""
    with _shown(lanes, quiet=quiet) as moved:
        work = [asyncio.create_task(_lane(lane, folder, moved)) for lane in lanes]

        def stop() -> None:
            for task in work:
                task.cancel()

        loop = asyncio.get_running_loop()
        for number in STOPPING:
            loop.add_signal_handler(number, stop)
        ticking = asyncio.create_task(_tick(moved))
        try:
            _, going_on = await asyncio.wait(work, return_when=asyncio.FIRST_EXCEPTION)
            if going_on:
                stop()
                await asyncio.wait(going_on)
        finally:
            ticking.cancel()
            for number in STOPPING:
                loop.remove_signal_handler(number)
    for task in work:
        if not task.cancelled():
            task.result()
    return not any(task.cancelled() for task in work)


async def _lane(lane: list[Trial], folder: Path, moved: Callable[[], None]) -> None:
    """One after another; what the others leave of the lane's time is the last one's."""
    end_s = time.monotonic() + sum(trial.seconds for trial in lane)
    for trial in lane:
        if trial is lane[-1]:
            trial.seconds = max(trial.seconds, end_s - time.monotonic())
        await trial.run(folder / f"{trial.kind.name}.log", moved)


async def _tick(moved: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(1)
        moved()


@contextlib.contextmanager
def _shown(lanes: list[list[Trial]], *, quiet: bool):  # type: ignore[no-untyped-def]
    """Live on a terminal; plain lines on standard error otherwise."""
    from rich.console import Console
    from rich.live import Live

    trials = [trial for lane in lanes for trial in lane]
    if not quiet and sys.stdout.isatty():
        with Live(table(trials), console=Console(), refresh_per_second=2) as live:
            yield lambda: live.update(table(trials, left_s=left_s(lanes)))
        return
    plain = Plain()

    def tell() -> None:
        for line in plain.lines(trials):
            print(line, file=sys.stderr, flush=True)

    yield tell


def _show(trials: list[Trial], found: dict[str, Any], *, of_these: bool) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    if not sys.stdout.isatty():
        console.print(table(trials))
    for trial in trials:
        for finding in trial.told.get("findings", [])[:10]:
            what = escape(str(finding.get("what")))
            console.print(f"[red]{trial.kind.name}[/]: {what}", highlight=False)
            console.print(f"    {finding.get('replay')}", highlight=False, markup=False)
        if trial.state is State.FAILED and not trial.told.get("findings"):
            for line in list(trial.errors)[-5:]:
                console.print(f"    {line}", highlight=False, markup=False)
    for one in found["missing"]:
        console.print(f"[bold red]not shown:[/] {escape(one)}", highlight=False)
    for name, why in found["skipped"].items():
        console.print(f"[yellow]not tried here:[/] {escape(f'{name}: {why}')}", highlight=False)
    if not found["missing"]:
        which = "of these kinds " if of_these else ""
        but = " but for what can't be tried here" if found["skipped"] else ""
        console.print(f"[green]Every promise {which}was shown{but}.[/]")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
