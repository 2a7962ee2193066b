"""Probes run when they are due, and one that fails keeps nobody."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.health.facts import Backup, Disk, Machine, Measured
from hub.health.prober import Probe, Prober
from tests.fakes import FakeClock

_made: list[Prober] = []


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    yield
    while _made:
        await _made.pop().close()


def prober_of(clock: FakeClock, *probes: Probe, **options: float) -> Prober:
    _made.append(Prober(clock, probes, **options))
    return _made[-1]


class Counting:
    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None

    async def __call__(self) -> Any:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return Machine(celsius=self.calls)


async def test_a_probe_runs_when_it_is_due_or_asked_for() -> None:
    clock, count = FakeClock(), Counting()
    prober = prober_of(clock, Probe("machine", 60, count))
    assert prober.latest() == Measured()
    for seconds, calls in ((0, 1), (59, 1), (1, 2)):
        clock.advance(seconds)
        await prober.look()
        assert count.calls == calls
    await prober.look("machine")
    await prober.look("backup")
    assert prober.latest().machine == Machine(celsius=3)


async def test_what_fails_keeps_its_last_value_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, count = FakeClock(), Counting()
    good = Probe("backup", 1, Backup, blocking=True)
    prober = prober_of(clock, Probe("machine", 1, count), good)
    await prober.look()
    count.error = OSError("gone")
    for _ in range(3):
        clock.advance(1)
        await prober.look()
    assert prober.latest() == Measured(machine=Machine(celsius=1), backup=Backup())
    assert len(caplog.records) == 1
    count.error = None
    clock.advance(1)
    await prober.look()
    assert prober.latest().machine == Machine(celsius=5)


async def test_one_that_runs_is_waited_for_not_started_again() -> None:
    clock, go, calls = FakeClock(), asyncio.Event(), 0

    async def slow() -> Machine:
        nonlocal calls
        calls += 1
        await go.wait()
        return Machine(celsius=calls)

    prober = prober_of(clock, Probe("machine", 1, slow))
    first = asyncio.create_task(prober.look())
    await asyncio.sleep(0)
    second = asyncio.create_task(prober.look("machine"))
    await asyncio.sleep(0)
    assert not second.done()
    go.set()
    await asyncio.wait_for(asyncio.gather(first, second), 30)
    assert calls == 1
    assert prober.latest().machine == Machine(celsius=1)


async def test_a_disk_that_hangs_is_told_and_costs_one_thread_only() -> None:
    clock, go, calls = FakeClock(), threading.Event(), 0

    def hangs() -> Disk:
        nonlocal calls
        calls += 1
        go.wait(60)
        return Disk(total_bytes=calls)

    late = Disk(sync_error="it doesn't answer")
    disk = Probe("disk", 1, hangs, blocking=True, late=late)
    count = Counting()
    prober = prober_of(clock, disk, Probe("machine", 1, count), time_max_s=0.05)
    for _ in range(3):
        await prober.look()
        clock.advance(1)
    assert (calls, count.calls) == (1, 3)
    assert prober.latest().disk == late
    go.set()
    async with asyncio.timeout(60):
        while prober.latest().disk == late:
            await asyncio.sleep(0.01)
    assert prober.latest().disk == Disk(total_bytes=1)


async def test_what_runs_at_the_end_is_ended() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    prober = prober_of(FakeClock(), Probe("machine", 1, forever), time_max_s=0.01)
    await prober.look()
    await prober.close()
    await asyncio.sleep(0)
    assert prober.latest() == Measured()
