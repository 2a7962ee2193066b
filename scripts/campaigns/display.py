"""What a person sees while a campaign runs, and at its end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from scripts.campaigns.trial import State, Trial

if TYPE_CHECKING:
    from rich.table import Table

MARKS = {
    State.WAITING: "[dim]waiting[/]",
    State.RUNNING: "[cyan]running[/]",
    State.PASSED: "[green]passed[/]",
    State.FAILED: "[bold red]failed[/]",
    State.STOPPED: "[yellow]stopped[/]",
    State.SKIPPED: "[yellow]skipped[/]",
}


def table(trials: Sequence[Trial], *, left_s: float | None = None) -> Table:
    """One row per kind."""
    from rich.markup import escape
    from rich.table import Table

    title = None if left_s is None else f"{_span(max(0.0, left_s))} left"
    found = Table(title=title, title_justify="left", expand=False)
    found.add_column("kind", no_wrap=True)
    found.add_column("", no_wrap=True)
    for name in ("trials", "events", "broken", "time"):
        found.add_column(name, justify="right", no_wrap=True)
    found.add_column("", overflow="fold")
    for trial in trials:
        fired = sum(trial.told.get("faults", {}).values())
        broken = f"[bold red]{trial.violations}[/]" if trial.violations else "0"
        words = "; ".join(trial.problems) or str(trial.told.get("note", "")) or trial.kind.what
        found.add_row(
            trial.kind.name,
            MARKS[trial.state],
            f"{trial.trials:,} {trial.told.get('unit', '')}".strip(),
            f"{fired:,}",
            broken,
            _span(trial.elapsed_s),
            escape(words),
        )
    return found


def left_s(lanes: Sequence[Sequence[Trial]]) -> float:
    """How long the longest lane will still take: the least times of some kinds may add up to more
    than what was asked for."""
    return max((sum(_rest_s(trial) for trial in lane) for lane in lanes), default=0.0)


def _rest_s(trial: Trial) -> float:
    match trial.state:
        case State.WAITING:
            return trial.seconds
        case State.RUNNING:
            return max(0.0, trial.seconds - trial.elapsed_s)
        case State.PASSED | State.FAILED | State.STOPPED | State.SKIPPED:
            return 0.0


class Plain:
    """A line per kind every so often, where nobody looks at a terminal."""

    def __init__(self, every_s: float = 30.0) -> None:
        self._every_s = every_s
        self._told_s = 0.0

    def lines(self, trials: Sequence[Trial]) -> list[str]:
        """What to print now; mostly nothing."""
        now_s = time.monotonic()
        if now_s - self._told_s < self._every_s:
            return []
        self._told_s = now_s
        return [
            f"campaign: {trial.kind.name:<12} {trial.state:<8} {trial.trials:>8,}"
            f" {trial.told.get('unit', ''):<8} {trial.violations} broken"
            f"  {trial.told.get('note', '')}"
            for trial in trials
            if trial.state is not State.WAITING
        ]


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
