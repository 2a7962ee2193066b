"""The whole world of one run: seed, loop, network, machines, trace, and what went wrong."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from pathlib import Path
from random import Random
from typing import Any

from tests.simulation.kernel.loop import VirtualLoop
from tests.simulation.kernel.machine import Machine, Process, Start
from tests.simulation.kernel.network import Network
from tests.simulation.kernel.trace import Trace

VIOLATIONS_MAX = 20


class Violated(Exception):
    """A promise was broken; the run ends."""


class World:
    """``root`` is an empty directory for the machines' disks; ``echo`` is given the trace."""

    def __init__(self, seed: int, root: Path, *, echo: Callable[[str], None] | None = None) -> None:
        self.seed = seed
        self.root = root
        self.counters: Counter[str] = Counter()
        self.violations: list[str] = []
        self.trace = Trace(echo)
        self.loop = VirtualLoop(self.random("loop"))
        self.context: Context = copy_context()
        self.network = Network(self)
        self.machines: dict[str, Machine] = {}
        self.on_start_failed: Callable[[Machine, Exception], None] | None = None
        self.on_death: Callable[[Machine], None] | None = None

    def random(self, name: str) -> Random:
        """A source of chance of its own, so that more of one use doesn't change the others."""
        return Random(f"{self.seed}/{name}")

    def count(self, what: str) -> None:
        """A fault was injected, or a state was seen."""
        self.counters[what] += 1

    def violated(self, what: str) -> None:
        """A promise was broken.  The run goes on to show more of it, up to a bound."""
        self.trace.note(self.loop.time(), "VIOLATION", what)
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(what)

    def add(self, name: str, start: Start) -> Machine:
        """A machine, switched off."""
        machine = self.machines[name] = Machine(self, name, start)
        return machine

    def machine(self, name: str) -> Machine:
        """The machine called ``name``."""
        return self.machines[name]

    def start_failed(self, machine: Machine, error: Exception) -> None:
        """A process could not come up: by default that is a broken promise."""
        if self.on_start_failed is not None:
            self.on_start_failed(machine, error)
        else:
            self.violated(f"{machine.name} does not start: {error!r}")

    def died(self, machine: Machine) -> None:
        """A process ended, one way or another."""
        if self.on_death is not None:
            self.loop.call_soon(self.on_death, machine, context=self.context)

    def bury(self, process: Process) -> None:
        """What a dead process was doing is never woken: the loop keeps it as it is."""
        if not process.ended.done():
            process.ended.set_result(None)
        self.loop.call_soon(process.free, context=self.context)

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run ``main`` to its end on virtual time; then nothing of this world runs any more."""
        asyncio.set_event_loop(None)
        try:
            self.loop.run_until_complete(main)
        finally:
            self._end()

    def _end(self) -> None:
        for machine in self.machines.values():
            if machine.process is not None:
                machine.process.alive = False
                self.bury(machine.process)
                machine.process.free()
                machine.process = None
        self.violations += [f"unhandled: {fault}" for fault in self.loop.faults]
        self.loop.forget()
        # What dies now may write to files that are gone and talk of it: nobody is to hear.
        sys.unraisablehook = lambda _unraisable: None
        with contextlib.suppress(Exception):
            self.loop.close()
        # Collected in the middle of the next world, the dead of this one may disturb it.
        gc.collect()
