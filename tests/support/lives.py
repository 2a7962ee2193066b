"""Parts of the hub on virtual time that may die at any crash point and are there again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from hub.crashpoints import on_crashpoint
from hub.service.caller import Caller
from hub.service.internal import InternalCommand
from hub.service.ports import Budget
from hub.storage.errors import StorageError
from hub.storage.rows import Rows
from tests.simulation.kernel.loop import Killed, VirtualLoop
from tests.support.gatebench import now
from tests.support.shop import Shop


class Lifetime:
    """What belongs to a hub that has died is never run again."""

    def __init__(self) -> None:
        self.alive = True


class FakeGate:
    """The shop's gate with a way to have the database take nothing for a while."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.refuses: deque[StorageError | None] = deque()
        self.broken: StorageError | None = None
        self.listen: Callable[[Sequence[object]], None] = lambda _told: None

    @property
    def rows(self) -> Rows:
        return self._shop.rows

    @property
    def budget(self) -> Budget:
        budget: Budget = self._shop.gate.budget
        return budget

    async def internal(self, caller: Caller, command: InternalCommand) -> Any:
        await asyncio.sleep(0.001)
        error = self.refuses.popleft() if self.refuses else self.broken
        if error is not None:
            raise error
        value = now(self._shop.gate.internal(caller, command))
        self._tell()
        await asyncio.sleep(0.001)
        return value

    def _tell(self) -> None:
        notices, self._shop.writer.notices = self._shop.writer.notices, []
        self.listen(notices)


class Lives:
    """What dies at the crash point asked for and goes on with the next life; ``die`` is whose it
    is."""

    loop: VirtualLoop
    life: Lifetime
    gate: FakeGate
    crash_at: tuple[str, int]

    def die(self) -> None:
        """The process is gone; what it had committed is there when it comes back."""
        raise NotImplementedError

    def run(self, seconds: float) -> None:
        """Let time pass; dies at the crash point asked for, and goes on with the next life."""
        until_s = self.loop.time() + seconds
        on_crashpoint(self._pass)
        try:
            while (left_s := until_s - self.loop.time()) > 0:
                self.gate._tell()
                life = self.life
                self.loop.run_until_complete(self._watch(life, left_s))
                if not life.alive:
                    self.die()
        finally:
            on_crashpoint(None)

    async def _watch(self, life: Lifetime, seconds: float) -> None:
        left_s = seconds
        while left_s > 0 and life.alive:
            step_s = min(left_s, 0.05 if self.crash_at[0] else 1.0)
            await asyncio.sleep(step_s)
            left_s -= step_s

    def _pass(self, name: str) -> None:
        point, passes = self.crash_at
        if name != point:
            return
        if passes > 0:
            self.crash_at = (point, passes - 1)
            return
        self.crash_at = ("", 0)
        self.life.alive = False
        raise Killed(name)
