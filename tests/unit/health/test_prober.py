"""Probes run when they are due, and one that fails keeps nobody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub.health.facts import Backup, Machine, Measured
from hub.health.prober import Probe, Prober, in_thread
from tests.fakes import FakeClock


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
    prober = Prober(clock, [Probe("machine", 60, count)])
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
    good = Probe("backup", 1, in_thread(Backup))
    prober = Prober(clock, [Probe("machine", 1, count), good])
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


async def test_one_look_at_a_time() -> None:
    clock, go, calls = FakeClock(), asyncio.Event(), 0

    async def slow() -> Machine:
        nonlocal calls
        calls += 1
        await go.wait()
        return Machine()

    prober = Prober(clock, [Probe("machine", 1, slow)])
    first = asyncio.create_task(prober.look())
    await asyncio.sleep(0)
    clock.advance(5)
    await asyncio.wait_for(prober.look(), 30)
    go.set()
    await first
    assert calls == 1


async def test_what_isnt_worth_looking_at_is_forgotten() -> None:
    clock, wanted = FakeClock(), True
    count = Counting()
    prober = Prober(clock, [Probe("machine", 60, count, lambda: wanted)])
    await prober.look()
    wanted = False
    clock.advance(60)
    await prober.look()
    assert prober.latest().machine is None
    wanted = True
    await prober.look()
    assert prober.latest().machine == Machine(celsius=2)
