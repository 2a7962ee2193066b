"""What a replay shows while it runs: a bar on a terminal, plain lines otherwise."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hub.clock import SystemClock
from scripts.replay_shop.selling import Progress

if TYPE_CHECKING:
    from rich.console import Console

_BAR_S = 0.2
_LINE_S = 5.0


class Voice:
    """Tells on standard error, so that standard output is for the report."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console: Console = Console(stderr=True)
        self._is_live = sys.stderr.isatty()
        self._clock = SystemClock()
        self._since_s = self._clock.monotonic_s()

    def step(self, text: str) -> None:
        """One step is done; says how long it took."""
        now_s = self._clock.monotonic_s()
        took_s, self._since_s = now_s - self._since_s, now_s
        self._console.print(
            f"[green]✓[/green] {text} [dim]({took_s:.1f} s)[/dim]", highlight=False, soft_wrap=True
        )

    def warn(self, text: str) -> None:
        self._console.print(text, style="yellow", markup=False, highlight=False)

    @asynccontextmanager
    async def selling(self, progress: Progress) -> AsyncIterator[None]:
        """Show ``progress`` while the block runs."""
        shown = asyncio.create_task(self._bar(progress) if self._is_live else self._lines(progress))
        try:
            yield
        finally:
            shown.cancel()
            await asyncio.gather(shown, return_exceptions=True)

    async def _bar(self, progress: Progress) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[lines]:,} lines"),
        )
        with Bar(*columns, console=self._console) as bar:
            task = bar.add_task("selling", total=progress.total, lines=0)
            try:
                while True:
                    bar.update(task, completed=progress.done, lines=progress.lines)
                    await asyncio.sleep(_BAR_S)
            finally:
                bar.update(task, completed=progress.done, lines=progress.lines)

    async def _lines(self, progress: Progress) -> None:
        while True:
            await asyncio.sleep(_LINE_S)
            self._console.print(
                f"  {progress.done:,} of {progress.total:,} baskets,"
                f" {progress.lines:,} lines, {progress.answered:,} requests answered",
                highlight=False,
            )
