"""What bringing print jobs to printers and payments to terminals have in common: a loop over what
the book says, with one thing in hand at each of them and different ones at once.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import count
from typing import Any, Final, Generic, Protocol, TypeVar

from devices.peripherals.model import World
from hub.contract.problems import Refusal
from hub.domain.schedule import restart_s
from hub.service.caller import Caller
from hub.service.internal import InternalCommand
from hub.storage.errors import StorageError, WriterStopped
from hub.storage.rows import Rows

log = logging.getLogger(__name__)

END_PAUSE_MAX_S: Final = 5.0
END_TOLD_EVERY: Final = 60
"""Of the tries to write an end: a disk may be full for a night."""
Job = Callable[[], Coroutine[Any, Any, None]]


class RoundsGate(Protocol):
    """What the rounds need of :class:`hub.service.gate.Gate`."""

    @property
    def rows(self) -> Rows:
        """Reads on the loop."""

    async def internal(self, caller: Caller, command: InternalCommand) -> Any:
        """A command of the hub's own machinery."""


class RoundsPace(Protocol):
    """Seconds: between looks nobody asked for, between attempts at a database that takes nothing
    (from ``pause_first_s`` up to ``pause_most_s``), and for what is in hand when the hub stops."""

    @property
    def look_s(self) -> float: ...
    @property
    def pause_first_s(self) -> float: ...
    @property
    def pause_most_s(self) -> float: ...
    @property
    def grace_s(self) -> float: ...


GateT = TypeVar("GateT", bound=RoundsGate)
PaceT = TypeVar("PaceT", bound=RoundsPace)


class Rounds(ABC, Generic[GateT, PaceT]):
    """All methods are called on the event loop.  ``caller``: in whose name the gate is asked."""

    def __init__(self, caller: Caller, gate: GateT, world: World, pace: PaceT) -> None:
        self._caller = caller
        self._gate = gate
        self._clock = world.clock
        self._uniform = world.randomness.uniform
        self._pace = pace
        self._busy: dict[str, str] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}  # in order, unlike a set
        self._woken = asyncio.Event()
        self._main: asyncio.Task[None] | None = None
        self._stopping = False
        self._refusals = 0  # of the database, in a row
        self._hold_until_s = 0.0
        self.recovered = False
        """What was under way before the start is in doubt by now: from then on others may go on."""

    # -- what they differ in ------------------------------------------------------------------

    @abstractmethod
    async def _recover(self) -> None:
        """Doubt what the hub's death cut off.  It is repeated until it raises nothing, and nothing
        is begun before."""

    @abstractmethod
    async def _look(self) -> float:
        """Begin what can be begun; seconds until the next look."""

    async def _rest(self) -> None:
        """After each look."""

    # -- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin: first what the hub's death cut off is doubted, then things are taken up."""
        self._main = asyncio.create_task(self._run(), name=self._caller.id)

    async def stop(self) -> None:
        """Begin nothing more, give what is in hand a moment, and write down how it ended.

        What still goes on then is cut off: it counts as unknown.
        """
        self._stopping = True
        if self._main is not None:
            self._main.cancel()
            await asyncio.gather(self._main, return_exceptions=True)
        for _ in range(2):  # cut off the doing, then the writing of the end
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self._pace.grace_s)
            for task in list(self._tasks):
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self) -> None:
        """Look at the book: something has changed."""
        self._woken.set()

    def under_way(self) -> dict[str, str]:
        """Where → what is in hand there."""
        return dict(self._busy)

    async def _run(self) -> None:
        await self._recovering()
        while True:
            self._woken.clear()
            wait_s = await self._turn()
            await self._rest()
            try:
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _recovering(self) -> None:
        for tries in count():
            try:
                await self._recover()
            except StorageError as error:
                log.warning("%s: the book can't be looked through yet: %s", self._name, error)
            except Exception:
                log.exception("%s: looking through the book failed; it's tried again", self._name)
            else:
                self.recovered = True
                return
            await asyncio.sleep(self._pause_s(tries))

    async def _turn(self) -> float:
        """A look when nothing holds it up; seconds until the next."""
        left_s = self._hold_until_s - self._now_s()
        if left_s > 0:
            await asyncio.sleep(left_s)
        try:
            return await self._look()
        except StorageError as error:
            log.warning("%s: the book can't be looked at now: %s", self._name, error)
            return self._pace.pause_first_s
        except Refusal as error:  # another box has the shop
            log.info("%s: nothing is begun now: %s", self._name, error)
            return self._pace.look_s
        except Exception:  # of whoever knows what is connected: the shop goes on
            log.exception("%s: looking at the book failed; it is tried again", self._name)
            return self._pace.pause_most_s

    # -- one thing ----------------------------------------------------------------------------

    def _begin(self, at: str, what: str, job: Job) -> None:
        """``at`` has ``what`` in hand until ``job`` is over."""
        self._busy[at] = what
        self._spawn(partial(self._one, at, what, job), f"{self._name}-{at}")

    def _spawn(self, job: Job, name: str) -> None:
        task = asyncio.create_task(job(), name=name)
        self._tasks[task] = None
        task.add_done_callback(lambda over: self._tasks.pop(over, None))

    async def _one(self, at: str, what: str, job: Job) -> None:
        try:
            await job()
        except (StorageError, Refusal) as error:
            self._hold(what, error)
        except Exception as error:
            log.exception("%s: %s went wrong", self._name, what)
            self._hold(what, error)
        else:
            self._refusals = 0
        finally:
            self._busy.pop(at, None)
            self.wake()

    def _hold(self, what: str, error: Exception) -> None:
        """The database takes nothing now: nothing is begun for a while."""
        pause_s = self._pause_s(self._refusals)
        self._refusals += 1
        self._hold_until_s = self._now_s() + pause_s
        log.warning("%s waits %.1f s because of %s: %s", self._name, pause_s, what, error)

    async def _written(
        self, command: InternalCommand, what: str, before_try: Callable[[], None]
    ) -> None:
        """Write down how something ended, as long as the hub runs: nothing is begun there before.

        What has ended already isn't changed by a repeat.  What the hub's stop cuts off is in doubt
        from the next start on.
        """
        for tries in count():
            before_try()
            try:
                await self._gate.internal(self._caller, command)
            except WriterStopped:
                raise
            except StorageError as error:
                if tries % END_TOLD_EVERY == 0:
                    log.warning("the end of %s can't be written yet: %s", what, error)
                await asyncio.sleep(min(END_PAUSE_MAX_S, self._pause_s(tries)))
            else:
                return

    # -- common -------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return self._caller.id

    def _pause_s(self, failures: int) -> float:
        pace = self._pace
        return restart_s(failures, pace.pause_first_s, pace.pause_most_s, self._uniform)

    def _now_s(self) -> float:
        return self._clock.monotonic_s()

    def _is_stopping(self) -> bool:
        return self._stopping
