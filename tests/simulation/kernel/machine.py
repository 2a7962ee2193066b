"""A machine that can be switched off at any moment, and one run of what it runs.

A machine keeps its disk (a directory) between runs.  A killed process leaves its files as they
were at that instant, and goes on in no way: what still unwinds in it works on an abandoned copy.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.clock import SystemIds
from tests.fakes import SeededRandomness
from tests.simulation.kernel.loop import OWNER, Killed

if TYPE_CHECKING:
    from tests.simulation.kernel.world import World

START_WALL_MS = 1_767_261_600_000
Start = Callable[["Process"], Awaitable[None]]
NOT_ON_DISK = ("-shm",)
"""Files of memory shared between processes: gone when the last of them is."""


class MachineClock:
    """The clock of one machine: ``offset_ms`` is how wrong it is, ``monotonic_s`` counts from its
    last start."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.offset_ms = 0
        self.started_s = 0.0

    def wall_ms(self) -> int:
        return START_WALL_MS + int(self._world.loop.time() * 1000) + self.offset_ms

    def monotonic_s(self) -> float:
        return self._world.loop.time() - self.started_s + 1.0


class Process:
    """One run.  ``receive`` is called with (sender, message) for what the network brings; ``serve``
    with (caller, request) for what has to be answered."""

    def __init__(self, machine: Machine, number: int) -> None:
        self.machine = machine
        self.world = machine.world
        self.number = number
        self.alive = True
        self.directory = machine.directory
        self.clock = machine.clock
        stem = f"{machine.name}/{number}"
        self.randomness = SeededRandomness(self.world.random(stem).getrandbits(64))
        self.ids = SystemIds(self.clock, self.randomness)
        self.receive: Callable[[str, Any], None] | None = None
        self.serve: Callable[[str, Any], Awaitable[Any]] | None = None
        self.ready = False
        self.ended: asyncio.Future[None] = self.world.loop.create_future()
        self._context: Context = copy_context()
        self._context.run(OWNER.set, self)
        self._closers: list[Callable[[], Any]] = []
        self._stops: list[Callable[[], Awaitable[None]]] = []

    @property
    def name(self) -> str:
        """The machine's name."""
        return self.machine.name

    def note(self, what: str) -> None:
        """Write into the trace."""
        self.world.trace.note(self.world.loop.time(), self.name, what)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str = "") -> asyncio.Task[Any]:
        """Run a coroutine as this process."""
        return self.world.loop.create_task(work, name=name or self.name, context=self._context)

    def soon(self, callback: Callable[..., object], *args: Any) -> None:
        """Call something as this process."""
        self.world.loop.call_soon(callback, *args, context=self._context)

    def later(self, delay_s: float, callback: Callable[..., object], *args: Any) -> None:
        """Call something as this process, after a time."""
        self.world.loop.call_later(delay_s, callback, *args, context=self._context)

    def at_death(self, close: Callable[[], Any]) -> None:
        """Free something (a file descriptor) when nothing of this process matters any more."""
        self._closers.append(close)

    def at_stop(self, stop: Callable[[], Awaitable[None]]) -> None:
        """What an orderly stop does, last first."""
        self._stops.append(stop)

    async def stopped(self) -> None:
        """Stop in order, as SIGTERM does."""
        for stop in reversed(self._stops):
            await stop()

    def free(self) -> None:
        """Call what :meth:`at_death` was given."""
        closers, self._closers = self._closers, []
        for close in reversed(closers):
            close()


class Machine:
    """``start`` brings a process up; it may take its (virtual) time."""

    def __init__(self, world: World, name: str, start: Start) -> None:
        self.world = world
        self.name = name
        self.clock = MachineClock(world)
        self.process: Process | None = None
        self.boots = 0
        self.directory = world.root / name / "0"
        self.directory.mkdir(parents=True)
        self.before_copy: Callable[[Path], None] = lambda _directory: None
        self._start = start
        self._earlier: list[Path] = []

    @property
    def up(self) -> bool:
        """True while a process runs and has come up."""
        return self.process is not None and self.process.ready

    def boot(self) -> Process:
        """Begin a run."""
        assert self.process is None, f"{self.name} runs already"
        self.boots += 1
        self.clock.started_s = self.world.loop.time()
        process = self.process = Process(self, self.boots)
        process.note(f"boot {self.boots}")
        process.spawn(self._bring_up(process), f"{self.name}-boot")
        return process

    async def _bring_up(self, process: Process) -> None:
        try:
            await self._start(process)
        except Exception as error:
            self.world.start_failed(self, error)
            return
        process.ready = True
        process.note("ready")

    def kill(self, why: str, *, power: bool = False) -> None:
        """Switch off.  Called from inside the process, this raises :class:`Killed` there.

        ``power``: what was not yet synced may be lost (:attr:`before_copy` decides about it).
        """
        process = self.process
        if process is None:
            return
        process.note(f"killed: {why}")
        inside = OWNER.get() is process
        self.process = None
        process.alive = False
        if power:
            self.before_copy(self.directory)
        self.adopt(self.directory)
        self.world.bury(process)
        self.world.died(self)
        if inside:
            raise Killed(why)

    async def stop(self) -> None:
        """End the run in order."""
        process = self.process
        if process is None:
            return
        process.note("stop")
        if process.ready:
            stopping = process.spawn(process.stopped(), f"{self.name}-stop")
            await asyncio.wait({stopping, process.ended}, return_when=asyncio.FIRST_COMPLETED)
        if self.process is process:
            self.process = None
            process.alive = False
            self.world.bury(process)
            self.world.died(self)

    def adopt(self, source: Path) -> None:
        """Go on with a copy of the files in ``source`` from the next boot on."""
        target = self.world.root / self.name / str(self.boots + len(self._earlier) + 1)
        while target.exists():
            target = target.with_name(target.name + "x")
        shutil.copytree(source, target, ignore=_left_out)
        self._earlier.append(self.directory)
        self.directory = target

    def tidy(self) -> None:
        """Remove the directories of former runs."""
        for directory in self._earlier:
            shutil.rmtree(directory, ignore_errors=True)
        self._earlier.clear()


def _left_out(_directory: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(NOT_ON_DISK)]
