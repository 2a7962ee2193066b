"""The hub's disk: it fails for a while, fills up, and loses what was not synced with the power."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

from tests.simulation.kernel import Process, World
from tests.support.faultdisk import Fault, FaultDisk, Op

Start = Callable[[Process], Awaitable[None]]


class HubDisk:
    """Stands between the hub and its files; every run of the hub gets a disk of its own, for a
    killed one's files are left behind."""

    def __init__(self, world: World, start: Start) -> None:
        self._world = world
        self._start = start
        self._disk: FaultDisk | None = None
        self._directory: Path | None = None
        self._fault: tuple[Op, int, Fault, int | None] | None = None
        self._powers = world.random("power")

    @property
    def broken(self) -> bool:
        """True from a fault's beginning until it is mended."""
        return self._fault is not None

    async def start(self, process: Process) -> None:
        """Bring up the hub above this disk."""
        disk = self._disk = FaultDisk(process.directory)
        self._directory = process.directory
        process.at_death(lambda: self._remove(disk))
        self._order()
        await self._start(process)

    def fail(self, fault: Fault, random: Random) -> None:
        """From some operation on: once, a few times, or until :meth:`mend`."""
        ops = random.choice((Op.SYNC, Op.WRITE, Op.CHANGES, Op.ALL))
        if fault is Fault.ENOSPC:
            ops = Op.WRITE | Op.TRUNCATE | Op.SYNC
        self._fault = (ops, random.randint(1, 40), fault, random.choice((1, 3, None)))
        self._order()

    def lose_touch(self, random: Random) -> None:
        """From some operation on nothing works any more: the power is about to go."""
        self._fault = (Op.CHANGES, random.randint(1, 60), Fault.EIO, None)
        self._order()

    def mend(self) -> None:
        """Works again."""
        self._fault = None
        if self._disk is not None:
            self._note()
            self._disk.clear()

    def lose_power(self, directory: Path) -> None:
        """What was not synced may be gone."""
        if self._disk is None or directory != self._directory:
            return
        cut = self._disk.cut(
            self._powers.getrandbits(32),
            sector_bytes=self._powers.choice((512, 4096)),
            keep_probability=self._powers.choice((0.0, 0.5, 0.9)),
        )
        for what in ("kept", "lost", "torn"):
            if getattr(cut, what):
                self._world.count(f"power cut: sectors {what}")

    def _remove(self, disk: FaultDisk) -> None:
        if disk is self._disk:
            self._note()
            self._disk = None
        disk.close()

    def _order(self) -> None:
        if self._fault is None or self._disk is None:
            return
        ops, nth, fault, times = self._fault
        self._note()
        self._disk.clear()
        self._disk.fail(ops, nth=nth, fault=fault, times=times)

    def _note(self) -> None:
        assert self._disk is not None
        fired = self._disk.fired()
        if fired and self._fault is not None:
            self._world.count(f"disk fault met: {self._fault[2].name}")
