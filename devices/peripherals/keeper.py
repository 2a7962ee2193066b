"""Keeps one peripheral alive: claim, ready, lost, and again.

::

    claiming ──ready──▶ ready ──ended──▶ lost ──ready──▶ ready
        └── failed: claiming with the reason   └── failed: lost with the reason

Between two tries it waits, at first about a second, then twice as long each time, half a minute at
most.  Only a peripheral that stayed ready for ``STEADY_S`` begins anew with a second: one that
comes and goes is left in peace for longer and longer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from devices.peripherals.model import (
    Gone,
    Identity,
    Peripheral,
    PeripheralError,
    Phase,
    Unfit,
    Unreachable,
)
from hub.domain.schedule import restart_s

log = logging.getLogger(__name__)

LET_GO: Final = "it is no longer used"

PAUSE_FIRST_S: Final = 1.0
PAUSE_MAX_S: Final = 30.0
POKE_PAUSE_S: Final = 0.25
"""After a poke: names by id and permissions are made a moment after the device itself."""
STEADY_S: Final = 10.0
STOP_TRIES: Final = 5
STOP_WAIT_S: Final = 2.0


class Trouble(StrEnum):
    """Why it isn't ready; the errors of the model, and ``fault``: the driver broke."""

    NONE = "none"
    UNREACHABLE = "unreachable"
    GONE = "gone"
    UNFIT = "unfit"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Kept:
    """How it stands.  ``since_*``: when the phase began, on both clocks (seconds, milliseconds);
    ``reason``: empty while ready and before the first try ended; ``failures``: tries in a row that
    didn't lead to a steady connection; ``identity``: what it last said of itself."""

    phase: Phase
    since_s: float
    since_at_ms: int
    trouble: Trouble = Trouble.NONE
    reason: str = ""
    failures: int = 0
    identity: Identity | None = None


class Keeper:
    """Runs ``peripheral.serve`` again and again between :meth:`start` and :meth:`stop`.

    ``changed`` hears of each change of phase, trouble, reason or identity, in order; what it
    raises is logged.  ``name``: for the log.
    """

    def __init__(
        self, name: str, peripheral: Peripheral, changed: Callable[[Kept], None] | None = None
    ) -> None:
        self.name = name
        self.peripheral = peripheral
        self._changed = changed
        self._clock = peripheral.world.clock
        self._uniform = peripheral.world.randomness.uniform
        self._poked = asyncio.Event()
        self._failures = 0
        self._task: asyncio.Task[None] | None = None
        self._serving: asyncio.Task[None] | None = None
        self._state = self._anew(Phase.CLAIMING)

    @property
    def state(self) -> Kept:
        """Now."""
        return self._state

    @property
    def ready(self) -> bool:
        """Whether it may be asked for something."""
        return self._state.phase is Phase.READY

    def start(self) -> None:
        """Begin to claim it."""
        if self._task is not None:
            raise RuntimeError(f"the keeper of {self.name} runs already")
        self._state = self._anew(Phase.CLAIMING)
        self._failures = 0
        self._task = asyncio.create_task(self._run(), name=f"keep-{self.name}")

    def poke(self) -> None:
        """Something came or changed: try now instead of waiting (nothing if it is ready)."""
        self._poked.set()

    async def stop(self) -> None:
        """End serving; the driver has closed its wire when this returns.  Safe to call twice.

        A driver that doesn't end although it is cancelled is left after ten seconds, and the log
        says so.
        """
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            if self._state.phase is Phase.READY:
                self._enter(Phase.LOST, Trouble.GONE, LET_GO)

    async def _run(self) -> None:
        while True:
            # What was poked for until now is about to be seen.
            self._poked.clear()
            await self._serve_once()
            await self._pause()

    async def _serve_once(self) -> None:
        """One claim to its end."""
        task = asyncio.create_task(self._serve(), name=f"serve-{self.name}")
        self._serving = task
        try:
            await asyncio.wait([task])
        finally:
            await self._end(task)
            self._serving = None
        trouble, reason = self._ending(task)
        was = self._state
        steady_s = self._clock.monotonic_s() - was.since_s if was.phase is Phase.READY else 0.0
        self._failures = 0 if steady_s >= STEADY_S else self._failures + 1
        after = Phase.CLAIMING if was.phase is Phase.CLAIMING else Phase.LOST
        self._enter(after, trouble, reason, failures=self._failures)

    async def _serve(self) -> None:
        mine = asyncio.current_task()

        def ready(identity: Identity) -> None:
            if self._serving is not mine or mine is None or mine.done():
                log.warning("The driver of %s says that it is ready after its end", self.name)
                return
            self._enter(Phase.READY, identity=identity)

        await self.peripheral.serve(ready)

    async def _end(self, task: asyncio.Task[None]) -> None:
        """Have it closed; only a driver that swallows its cancellation takes more than one try."""
        for _ in range(STOP_TRIES):
            if task.done():
                break
            task.cancel()
            await asyncio.wait([task], timeout=STOP_WAIT_S)
        if not task.done():
            log.error(
                "The driver of %s doesn't end; it is left behind. Restart the hub when you can",
                self.name,
            )
        elif not task.cancelled():
            task.exception()  # heard here, whatever it is; told by whoever is still running

    def _ending(self, task: asyncio.Task[None]) -> tuple[Trouble, str]:
        if not task.done() or task.cancelled():
            return Trouble.FAULT, "its driver ended itself"
        match task.exception():
            case None:
                return Trouble.GONE, "its driver ended"
            case Unreachable() as error:
                return Trouble.UNREACHABLE, str(error)
            case Gone() as error:
                return Trouble.GONE, str(error)
            case Unfit() as error:
                return Trouble.UNFIT, str(error)
            case PeripheralError() as error:
                return Trouble.FAULT, str(error)
            case error:
                log.error("The driver of %s failed", self.name, exc_info=error)
                return Trouble.FAULT, f"its driver failed: {type(error).__name__}: {error}"

    async def _pause(self) -> None:
        uniform = self._uniform
        pause_s = restart_s(self._failures - 1, PAUSE_FIRST_S, PAUSE_MAX_S, uniform)
        loop = asyncio.get_running_loop()
        ends_at_s = loop.time() + pause_s
        try:
            async with asyncio.timeout_at(ends_at_s):
                await self._poked.wait()
        except TimeoutError:
            return
        self._failures = 0
        await asyncio.sleep(min(POKE_PAUSE_S, max(0.0, ends_at_s - loop.time())))

    # Telling -------------------------------------------------------------------------------------

    def _anew(self, phase: Phase) -> Kept:
        return Kept(phase, self._clock.monotonic_s(), self._clock.wall_ms())

    def _enter(
        self,
        phase: Phase,
        trouble: Trouble = Trouble.NONE,
        reason: str = "",
        *,
        failures: int = 0,
        identity: Identity | None = None,
    ) -> None:
        before = self._state
        since = before if before.phase is phase else self._anew(phase)
        self._state = Kept(
            phase,
            since.since_s,
            since.since_at_ms,
            trouble,
            reason,
            failures,
            identity or before.identity,
        )
        if _told(self._state) != _told(before):
            self._say()

    def _say(self) -> None:
        state = self._state
        if state.phase is Phase.READY:
            log.info("%s is ready: %s", self.name, state.identity)
        else:
            level = logging.INFO if state.reason == LET_GO else logging.WARNING
            log.log(level, "%s is %s: %s", self.name, state.phase, state.reason)
        if self._changed is not None:
            try:
                self._changed(state)
            except Exception:
                log.exception("Telling that %s is %s failed", self.name, state.phase)


def _told(state: Kept) -> tuple[object, ...]:
    return state.phase, state.trouble, state.reason, state.identity
