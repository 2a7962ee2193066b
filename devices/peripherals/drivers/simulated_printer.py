"""A receipt printer's twin without hardware: for demonstrations, simulations and tests.

It prints into a bounded list, and, if it is told a file, to its end as plain text.  It runs out of
paper, has its cover opened and loses its power when it is told so, by its methods or by words in a
file of faults: ``paper-empty``, ``near-end``, ``cover-open``, ``off``.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from devices.peripherals.model import (
    Capabilities,
    ConditionsAre,
    Connector,
    Ended,
    Gone,
    Identity,
    Misconfigured,
    Option,
    Outcome,
    POSPrinter,
    Told,
    Unreachable,
    World,
)
from hub.contract.conditions import Condition
from hub.documents.layout import Layout

KEPT_MAX: Final = 200
FILE_BYTES_MAX: Final = 1 << 20
FAULTS_BYTES_MAX: Final = 200
LOOK_S: Final = 0.1
CUT: Final = "-" * 8 + " cut " + "-" * 8 + "\n"
_CONDITIONS: Final[dict[str, Condition]] = {
    "paper-empty": "printer-paper-empty",
    "near-end": "printer-paper-near-end",
    "cover-open": "printer-cover-open",
}
_STOPS: Final = frozenset({"paper-empty", "cover-open"})


class SimulatedPrinter(POSPrinter):
    """``printed``: the layouts that came out, oldest first; ``kicks``: how often a drawer was
    kicked."""

    key = "simulated-printer"
    title = "Simulated receipt printer"
    option_help = {
        "width_mm": "58 or 80: the paper's width; 80",
        "job_ms": "how long a job takes, 0 to 60000 ms; 50",
        "file": "a file (….txt) that gets each document as plain text, up to 1 MB; none",
        "faults": "a file with what is the matter: paper-empty, near-end, cover-open, off; none",
    }

    def __init__(
        self,
        connector: Connector,
        world: World,
        tell: Callable[[Told], None],
        options: Mapping[str, Option] | None = None,
    ) -> None:
        super().__init__(connector, world, tell, options)
        self._width_mm = _number(self.options, "width_mm", (58, 80), 80)
        self._job_s = _number(self.options, "job_ms", range(60_001), 50) / 1000
        self._file = _path(self.options, "file")
        if self._file is not None and self._file.suffix != ".txt":
            # The page sets peripherals up, too, and the hub's own files are none of its business.
            raise Misconfigured(f"file: {str(self._file)!r} doesn't end with .txt")
        self._faults_file = _path(self.options, "faults")
        self._faults: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._serving = False
        self.printed: deque[Layout] = deque(maxlen=KEPT_MAX)
        self.kicks = 0

    @property
    def capabilities(self) -> Capabilities:
        names = frozenset({"paper-empty", "paper-near-end", "cover", "papercut"})
        return Capabilities(names, self._width_mm, confirms=True)

    @property
    def powered(self) -> bool:
        """Whether it is switched on and being served."""
        return self._serving

    # What happens to it ----------------------------------------------------------------------

    def suffer(self, *faults: str) -> None:
        """These are the matter with it from now on, and nothing else."""
        self._faults = frozenset(faults)
        self._changed.set()
        self._changed = asyncio.Event()

    # The driver ------------------------------------------------------------------------------

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        await self._look()
        if "off" in self._faults:
            raise Unreachable("the simulated printer is switched off: switch it on")
        self._serving = True
        try:
            ready(Identity(maker="Store Hub", model="simulated printer"))
            told: frozenset[str] | None = None
            while "off" not in self._faults:
                if self._faults != told:
                    told = self._faults
                    self.tell(ConditionsAre(frozenset(_CONDITIONS[one] for one in told)))
                await self._next()
        finally:
            self._serving = False
        raise Gone("the simulated printer lost its power: switch it on")

    async def print(self, layout: Layout) -> Ended:
        await self._paper()
        if not self.powered:
            return Ended(Outcome.NOT_BEGUN, "the simulated printer is switched off")
        if not await self._prints_through():
            return Ended(Outcome.UNKNOWN, "the simulated printer lost its power while it printed")
        self.printed.append(layout)
        if self._file is not None:
            await asyncio.to_thread(_write, self._file, layout)
        return Ended(Outcome.PRINTED, confirmed=True)

    async def kick(self, connector_pin: int, pulse_ms: int) -> Ended:
        if not self._serving:
            return Ended(Outcome.NOT_BEGUN, "the simulated printer is switched off")
        self.kicks += 1
        return Ended(Outcome.PRINTED)

    async def _prints_through(self) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._job_s):
                while self.powered:
                    await self._next()
        return self.powered

    async def _paper(self) -> None:
        while self.powered and not _STOPS.isdisjoint(self._faults):
            await self._next()

    async def _next(self) -> None:
        """Until something is the matter with it, or no more."""
        changed = self._changed
        if self._faults_file is None:
            await changed.wait()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await changed.wait()
        await self._look()

    async def _look(self) -> None:
        if self._faults_file is None:
            return
        found = await asyncio.to_thread(_faults_in, self._faults_file)
        if found != self._faults:
            self.suffer(*found)


def _faults_in(path: Path) -> frozenset[str]:
    try:
        with path.open() as file:
            words = file.read(FAULTS_BYTES_MAX).split()
    except (OSError, ValueError):
        return frozenset()
    return frozenset(word for word in words if word in _CONDITIONS or word == "off")


def _write(path: Path, layout: Layout) -> None:
    from hub.documents.plain import plain

    if path.exists() and path.stat().st_size > FILE_BYTES_MAX:
        path.replace(path.with_name(f"{path.name}.1"))
    with path.open("a") as file:
        file.write(plain(layout) + CUT)
        file.flush()
        os.fsync(file.fileno())


def _number(
    options: Mapping[str, Option], name: str, allowed: tuple[int, ...] | range, default: int
) -> int:
    value = options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        raise Misconfigured(f"{name}: {value!r} isn't {SimulatedPrinter.option_help[name]}")
    return value


def _path(options: Mapping[str, Option], name: str) -> Path | None:
    value = options.get(name, "")
    if not isinstance(value, str) or (value and not Path(value).is_absolute()):
        raise Misconfigured(f"{name}: {value!r} isn't an absolute path")
    return Path(value) if value else None


DRIVER = SimulatedPrinter
