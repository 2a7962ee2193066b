"""Outage drills: the link to the cloud is cut for some minutes, and comes back by itself.

The row in the database is the truth; this desk makes the link follow it.  A drill ends when either
clock says so: the wall clock, which goes on while the hub is off, or the hub's own, which nobody
can set.  So a restart doesn't prolong it, and neither does setting the clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from hub.app.periodic import end_task
from hub.clock import Clock
from hub.contract.local import CloudStatus
from hub.contract.problems import Code, refuse
from hub.health.mending import Action, Done
from hub.health.words import many
from hub.service.caller import HUB, Caller
from hub.service.gate import Gate
from hub.service.handlers import drill
from hub.service.handlers.drill import BeginDrill, EndDrill, FinishDrill, How
from hub.service.notices import AckedMoved, DrillChanged
from hub.storage import drillrows, hubrow, outbox
from hub.storage.drillrows import DrillRow
from hub.storage.errors import StorageError

log = logging.getLogger(__name__)

MINUTES: Final = 10
LOOK_S: Final = 1.0
AGAIN_S: Final = 5.0
AWAITED_MS: Final = 30 * 60_000
"""How long after a drill the cloud may take to have everything."""
BACK_TOLERANCE_MS: Final = 2_000
WHY: Final = "an outage drill runs: the link is cut on purpose"


class Link(Protocol):
    """The link to the cloud."""

    def status(self) -> CloudStatus:
        """How it stands."""

    async def hold(self, why: str) -> None:
        """Cut it."""

    def release(self) -> None:
        """Let it connect again."""


class DrillDesk:
    """Start it before the link, so that a drill from before a restart finds it cut."""

    def __init__(
        self,
        gate: Gate,
        link: Link,
        *,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._gate = gate
        self._link = link
        self._clock = clock
        self._sleep = sleep
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._over: tuple[str, How] | None = None

    # Life ----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Cut the link again if a drill still runs."""
        row = self._running()
        if row is not None and self._left_ms(row) > 0:
            if self._set_back(row):
                self._over = row.drill_id, "clock"
            else:
                await self._link.hold(WHY)
                log.warning("the outage drill from before the start goes on")
        self._task = asyncio.create_task(self._run(), name="drill")

    async def stop(self) -> None:
        """The link stays as it is; a drill goes on with the next start."""
        task, self._task = self._task, None
        await end_task(task)

    def notify(self, told: Sequence[object]) -> None:
        """What was told after a commit."""
        if any(isinstance(one, DrillChanged | AckedMoved) for one in told):
            self._changed.set()

    def is_running(self) -> bool:
        """Whether the link is cut on purpose."""
        return self._running() is not None

    # What people ask -----------------------------------------------------------------------------

    def why_not(self) -> str:
        """Why no drill may begin now, or empty."""
        state = self._link.status().state
        if state == "unconfigured":
            return "No cloud is set up (cloud.url)."
        rows, clock = self._gate.rows, self._clock
        why = drill.why_not(rows, clock.wall_ms(), self._gate.budget.budget_ms())
        if why:
            return why
        return "" if state == "up" else "The cloud isn't reached anyway: this is no drill."

    def why_not_end(self) -> str:
        """Only while one runs."""
        return "" if self._running() is not None else "No drill is running."

    async def begin(self, caller: Caller, minutes: int = MINUTES) -> str:
        """Cut the link now; the drill's id.  Errors: ``conflict``, ``validation``."""
        if why := self.why_not():
            raise refuse(Code.CONFLICT, why)
        drill_id: str = await self._gate.internal(caller, BeginDrill(minutes))
        await self._link.hold(WHY)
        return drill_id

    async def end(self, caller: Caller) -> bool:
        """Let the link connect again; False when none runs.  What can't be written down yet is
        written as soon as it can be."""
        row = self._running()
        if row is None:
            return False
        try:
            ended: bool = await self._gate.internal(caller, EndDrill(row.drill_id, "person"))
        except StorageError as error:
            log.warning("the end of the drill can't be written down yet: %s", error)
            self._over, ended = (row.drill_id, "person"), True
            self._changed.set()
        self._link.release()
        return ended

    def actions(self) -> list[Action]:
        """For the page."""
        return [
            Action(
                "drill.start",
                f"Cut the cloud for {MINUTES} minutes",
                "A drill: the link to the cloud is cut on purpose and comes back by itself; the"
                " shop goes on selling.",
                f"Cut the link to the cloud for {MINUTES} minutes now?",
                self._act_begin,
                why_not=self.why_not,
                run_for=self._act_begin,
            ),
            Action(
                "drill.end",
                "End the drill",
                "The link to the cloud comes back now.",
                "End the drill now?",
                self._act_end,
                why_not=self.why_not_end,
                needs_room=False,
            ),
        ]

    async def _act_begin(self, caller: Caller, minutes: int = MINUTES) -> Done:
        await self.begin(caller, minutes)
        span = many(minutes, "minute")
        return Done("started", f"The link to the cloud is cut for {span}; sell as always.")

    async def _act_end(self, caller: Caller) -> Done:
        if not await self.end(caller):
            return Done("nothing-to-do", "No drill is running.")
        return Done("done", "The drill is over; the hub connects to the cloud again.")

    # Following the row ---------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            try:
                wait_s = await self._follow()
            except Exception as error:
                log.warning("the drill can't be written down yet: %s", error, exc_info=error)
                wait_s = AGAIN_S
            await self._wait(wait_s)

    async def _follow(self) -> float | None:
        """Make the link as the row says; how long until it is looked at again (None: until
        something changes)."""
        row = drillrows.last(self._gate.rows)
        if row is None:
            return None
        if row.ended_at_ms is not None:
            self._link.release()
            return None if row.told else await self._settle(row)
        how: How = "time"
        if self._over is not None and self._over[0] == row.drill_id:
            how = self._over[1]
        elif self._left_ms(row) > 0:
            await self._link.hold(WHY)
            return LOOK_S
        self._link.release()  # first: what can't be written down doesn't keep the shop cut off
        await self._gate.internal(HUB, EndDrill(row.drill_id, how))
        return 0.0

    async def _settle(self, row: DrillRow) -> float | None:
        """Tell the outcome when the cloud has everything, or is no longer awaited."""
        now_ms, budget_ms = self._clock.wall_ms(), self._gate.budget.budget_ms()
        by_budget = budget_ms - (row.ended_budget_ms or 0)
        # While the hub was off only the wall clock went on, and that may have been set.
        since_ms = max(by_budget, now_ms - (row.ended_at_ms or 0), 0)
        caught_up = outbox.safe_id(self._gate.rows) >= (row.ended_seq or 0)
        if not caught_up and since_ms < AWAITED_MS:
            return LOOK_S
        await self._gate.internal(HUB, FinishDrill(row.drill_id, since_ms if caught_up else None))
        log.info("the outage drill is settled: %d sales in it", row.sales)
        return None

    async def _wait(self, seconds: float | None) -> None:
        if seconds is None:
            await self._changed.wait()
            return
        waits = [
            asyncio.ensure_future(self._changed.wait()),
            asyncio.ensure_future(self._sleep(seconds)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _running(self) -> DrillRow | None:
        return drillrows.running(self._gate.rows)

    def _left_ms(self, row: DrillRow) -> int:
        return row.left_ms(self._clock.wall_ms(), self._gate.budget.budget_ms())

    def _set_back(self, row: DrillRow) -> bool:
        """Whether the wall clock went back while the hub was off: then nobody knows for how long
        that was."""
        seen_ms = max(row.began_at_ms, hubrow.get(self._gate.rows).trusted_wall_ms)
        return self._clock.wall_ms() < seen_ms - BACK_TOLERANCE_MS
