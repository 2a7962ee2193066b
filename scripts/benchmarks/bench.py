"""One run of the benchmarks: how thorough it is, where its files go, what it has found so far."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from scripts.benchmarks.figures import Figure, Outcome, Series, Sheet, Skipped
from scripts.benchmarks.measure import SyncProbe


class Missing(Exception):
    """What a family needs isn't on this machine; the text says what and how to get it."""


@dataclass(slots=True)
class Bench:
    """``sync_ms`` is what one durable overwrite took on this disk at the start of the run;
    ``say`` shows people what is being done; large databases are kept in ``seeds``."""

    folder: Path
    quick: bool
    wanted: frozenset[str]
    say: Callable[[str], None]
    seeds: Path | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    sheets: list[Sheet] = field(default_factory=list)
    sync_ms: float = 0.0

    def __post_init__(self) -> None:
        probe = SyncProbe(self.folder)
        self.sync_ms = median(probe.once() for _ in range(50)) * 1000
        probe.close()

    def wants(self, *names: str) -> bool:
        """Whether any of these figures was asked for."""
        return not self.wanted.isdisjoint(names)

    def add(self, figure: Figure) -> None:
        """A figure is ready; one that nobody asked for is left out."""
        if self.wants(figure.name):
            self.outcomes.append(figure)

    def skip(self, name: str, reason: str) -> None:
        """A figure can't be measured here."""
        if self.wants(name):
            self.outcomes.append(Skipped(name, reason))

    def draw(self, *series: Series) -> None:
        """Something that grows is measured."""
        self.series.extend(series)

    def show(self, sheet: Sheet) -> None:
        """A comparison for the report."""
        self.sheets.append(sheet)

    def runs(self, quick: int, full: int) -> int:
        """How many rounds."""
        return quick if self.quick else full

    def size(self, quick: int, full: int) -> int:
        """How many things."""
        return quick if self.quick else full

    @contextmanager
    def space(self, name: str) -> Iterator[Path]:
        """An empty folder with a short path, removed at the end."""
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def between(sync_ms: float, fast: tuple[float, float], slow: tuple[float, float]) -> float:
    """What is aimed at on a disk of this pace: ``fast`` and ``slow`` are ``(sync_ms, aim)``, on a
    straight line between them, flat beyond."""
    (low_ms, low), (high_ms, high) = fast, slow
    part = min(1.0, max(0.0, (sync_ms - low_ms) / (high_ms - low_ms)))
    return low + part * (high - low)
