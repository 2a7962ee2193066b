"""From samples to figures: medians, spread, interleaved rounds, processor time of a process."""

from __future__ import annotations

import math
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from scripts.benchmarks.figures import Aim, Figure

SYNC_BYTES = 65_536
Sample = Callable[[], Awaitable[float]]


def spread_of(values: Sequence[float]) -> float:
    """The interquartile range as a part of the median; 0 for a single value."""
    if len(values) < 2:
        return 0.0
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return (high - low) / middle if middle else 0.0


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which ``part`` (0 to 1) of them lie: the nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def figure(
    name: str,
    rounds: Sequence[tuple[float, float]],
    *,
    unit: str,
    floor_name: str,
    aim: Aim,
    explanation: str,
) -> Figure:
    """A figure of rounds of ``(value, floor)``, both in ``unit``; floors are above 0."""
    ratios = [value / floor for value, floor in rounds]
    return Figure(
        name=name,
        value=median(value for value, _ in rounds),
        unit=unit,
        floor=median(floor for _, floor in rounds),
        floor_name=floor_name,
        ratio=median(ratios),
        aim=aim,
        spread=spread_of(ratios),
        runs=len(rounds),
        explanation=explanation,
    )


def bare_figure(
    name: str, values: Sequence[float], *, unit: str, aim: Aim, explanation: str
) -> Figure:
    """A figure that has nothing to be held against."""
    return Figure(
        name=name,
        value=median(values),
        unit=unit,
        floor=None,
        floor_name="",
        ratio=None,
        aim=aim,
        spread=spread_of(values),
        runs=len(values),
        explanation=explanation,
    )


def tail_figure(
    name: str,
    rounds: Sequence[tuple[Sequence[float], Sequence[float]]],
    *,
    unit: str,
    floor_name: str,
    aim: Aim,
    explanation: str,
) -> Figure:
    """A 99th percentile over all samples of all rounds; ratio and spread are those of the rounds'
    own percentiles.  A few samples' 99th percentile is the slowest of them."""
    found = figure(
        name,
        [(percentile(values, 0.99), percentile(floors, 0.99)) for values, floors in rounds],
        unit=unit,
        floor_name=floor_name,
        aim=aim,
        explanation=explanation,
    )
    return replace(
        found,
        value=percentile([one for values, _ in rounds for one in values], 0.99),
        floor=percentile([one for _, floors in rounds for one in floors], 0.99),
    )


def latency_figures(
    names: tuple[str, str],
    rounds: Sequence[tuple[Sequence[float], Sequence[float]]],
    *,
    floor_name: str,
    aims: tuple[Aim, Aim],
    explanation: str,
) -> tuple[Figure, Figure]:
    """The median and the 99th percentile of the same milliseconds."""
    median_name, tail_name = names
    return (
        figure(
            median_name,
            [(median(values), median(floors)) for values, floors in rounds],
            unit="ms",
            floor_name=f"{floor_name}, p50",
            aim=aims[0],
            explanation=f"{explanation}; the median",
        ),
        tail_figure(
            tail_name,
            rounds,
            unit="ms",
            floor_name=f"{floor_name}, p99",
            aim=aims[1],
            explanation=f"{explanation}; the 99th percentile",
        ),
    )


async def interleaved(runs: int, value: Sample, floor: Sample) -> list[tuple[float, float]]:
    """``runs`` rounds of floor and value in turn."""
    found = []
    for _ in range(runs):
        below = await floor()
        found.append((await value(), below))
    return found


class SyncProbe:
    """The disk's own pace: overwrite the same 64 KiB and wait until they are durable."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "sync-probe"
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        self._block = os.urandom(SYNC_BYTES)
        for _ in range(3):
            self.once()

    def once(self) -> float:
        """One overwrite and fdatasync(2), in seconds."""
        start_s = perf_counter()
        os.pwrite(self._file, self._block, 0)
        os.fdatasync(self._file)
        return perf_counter() - start_s

    def per_second(self, seconds: float) -> float:
        """How many follow each other in a second, measured for about ``seconds``."""
        count, start_s = 0, perf_counter()
        while (spent_s := perf_counter() - start_s) < seconds or count < 5:
            self.once()
            count += 1
        return count / spent_s

    def close(self) -> None:
        """Remove the file."""
        os.close(self._file)
        self._path.unlink()


def process_cpu_s(pid: int) -> float:
    """Processor seconds that the threads of a process have used (proc(5), schedstat)."""
    spent_ns = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            spent_ns += int((thread / "schedstat").read_text().split()[0])
    return spent_ns / 1e9


def process_memory_mb(pid: int) -> float:
    """Resident memory without what is shared with other programs' files (Pss of smaps_rollup)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"no Pss for process {pid}")
