"""Brings print jobs from the database to printers: each once, or a person is asked.

A job is begun on disk before its first byte and ended on disk after its last; one at a time per
printer, different printers at once.  Only what is known not to have begun is tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, Protocol

from devices.peripherals.choosing import Chooser, Pace, Wait
from devices.peripherals.model import Ended, Outcome, World
from devices.peripherals.rounds import Rounds
from hub.crashpoints import crashpoint
from hub.documents.layout import Layout
from hub.service.caller import Caller, CallerKind
from hub.service.handlers.printing import (
    BeginPrint,
    Begun,
    EndPrint,
    ExpirePrinting,
    FailPrint,
    RecoverPrinting,
)
from hub.service.internal import InternalCommand
from hub.service.notices import PrintQueued
from hub.service.ports import Budget
from hub.storage import printrows
from hub.storage.printrows import DRAWER_KICK, PrintJobRow
from hub.storage.rows import Rows

log = logging.getLogger(__name__)

SPOOLER: Final = Caller(CallerKind.HUB, "spooler")
WAITING_MAX: Final = 1000
RESTED_FROM_S: Final = 0.002
REST: Final = 9.0
"""Nothing is looked at for so many times as long as the last look took."""
REST_MAX_S: Final = 0.5


class Printers(Protocol):
    """Who knows the printers.  Jobs of one id are done one after the other."""

    def route(self, device_id: str, kind: str) -> Sequence[str]:
        """Who prints this kind of document for a till: the preferred one first, then who may stand
        in for it.  Empty: nobody.  For ``drawer-kick``: the printer that its drawer hangs on, so
        that kicks and documents take turns; the drawer's own id if it opens beside those."""

    def is_ready(self, printer_id: str) -> bool:
        """Connected, and nothing is known to stop it (paper, cover)."""

    async def print(self, printer_id: str, layout: Layout, job: Begun) -> Ended:
        """Print it; see :meth:`devices.peripherals.model.POSPrinter.print`."""

    async def kick(self, printer_id: str, job: Begun) -> Ended:
        """Open the drawer of the job's till."""


class SpoolGate(Protocol):
    """What the spooler needs of :class:`hub.service.gate.Gate`."""

    @property
    def rows(self) -> Rows:
        """Reads on the loop."""

    @property
    def budget(self) -> Budget:
        """The clock that jobs expire by."""

    async def internal(self, caller: Caller, command: InternalCommand) -> Any:
        """A command of the hub's own machinery."""


Compose = Callable[[str, str], Awaitable[Layout]]
"""Facts (JSON) and the printer's id → what to print.  Any error: it can't be printed at all."""


class Spooler(Rounds[SpoolGate, Pace]):
    """``notify`` takes the hub's notices, :meth:`printer_ready` and :meth:`wake` what printers do.

    All methods are called on the event loop.
    """

    def __init__(
        self,
        gate: SpoolGate,
        printers: Printers,
        compose: Compose,
        world: World,
        pace: Pace | None = None,
    ) -> None:
        super().__init__(SPOOLER, gate, world, pace or Pace())
        self._printers = printers
        self._compose = compose
        self._chooser = Chooser(printers.is_ready, self._pace, self._uniform)
        self._in_hand: set[str] = set()
        self._looked_s = 0.0  # how long the last look took
        self._newest_before = printrows.newest(gate.rows)  # tills may sell before the start
        self._torn: set[str] = set()  # where half a job of a former life may stand on the paper

    def notify(self, told: Iterable[object]) -> None:
        """Take what committed requests left to be told."""
        if any(isinstance(notice, PrintQueued) for notice in told):
            self.wake()

    def printer_ready(self, printer_id: str) -> None:
        """A printer is there (again): what it did before doesn't count any more."""
        self._chooser.forgive(printer_id)
        self.wake()

    async def _rest(self) -> None:
        """While the printers are off the queue is long, and each sale has it looked through: the
        loop answers tills meanwhile."""
        if self._looked_s >= RESTED_FROM_S:
            await asyncio.sleep(min(REST_MAX_S, REST * self._looked_s))

    async def _recover(self) -> None:
        rows = self._gate.rows
        cut_off = [*printrows.being_printed(rows), *printrows.ambiguous(rows)]
        self._torn = {row.printer_id for row in cut_off if row.kind != DRAWER_KICK}
        doubted = await self._gate.internal(SPOOLER, RecoverPrinting(self._newest_before))
        if doubted:
            log.warning("%d print jobs were under way when the hub stopped", doubted)

    # -- choosing -----------------------------------------------------------------------------

    async def _look(self) -> float:
        began_s = self._now_s()
        wait, overdue = self._choose(began_s)
        self._looked_s = self._now_s() - began_s
        if overdue:
            await self._gate.internal(SPOOLER, ExpirePrinting())
            return 0.0
        return wait.seconds

    def _choose(self, now_s: float) -> tuple[Wait, bool]:
        """Start what is due and has a free printer; whether anything is over its time."""
        budget_ms = self._gate.budget.budget_ms()
        wait, overdue = Wait(self._pace.look_s), False
        for row in printrows.waiting(self._gate.rows, WAITING_MAX):
            if row.job_id in self._in_hand:
                continue
            if row.expires_budget_ms <= budget_ms:
                overdue = True
                continue
            wait.at_most((row.expires_budget_ms - budget_ms) / 1000)
            if row.due_budget_ms > budget_ms:
                wait.at_most((row.due_budget_ms - budget_ms) / 1000)
                continue
            printer_id = self._chooser.choose(self._routes(row), now_s, wait)
            if printer_id is not None and printer_id not in self._busy:
                self._in_hand.add(row.job_id)
                self._begin(printer_id, row.job_id, partial(self._print_one, row, printer_id))
        return wait, overdue

    def _routes(self, row: PrintJobRow) -> Sequence[str]:
        return (row.wanted,) if row.wanted else self._printers.route(row.device_id, row.kind)

    # -- one job ------------------------------------------------------------------------------

    async def _print_one(self, row: PrintJobRow, printer_id: str) -> None:
        try:
            await self._bring(row, printer_id)
        finally:
            self._in_hand.discard(row.job_id)

    async def _bring(self, row: PrintJobRow, printer_id: str) -> None:
        layout: Layout | None = None
        if row.kind != DRAWER_KICK:
            layout = await self._composed(row, printer_id)
            if layout is None:
                return
        only_way = len(self._routes(row)) < 2
        if self._is_stopping():
            return
        crashpoint("spooler.before-begin")
        begun = await self._gate.internal(SPOOLER, BeginPrint(row.job_id, printer_id))
        if begun is None:
            return
        crashpoint("spooler.begun")
        if self._is_stopping():
            ended = Ended(Outcome.NOT_BEGUN, "the hub stops")
        else:
            ended = await self._send(printer_id, self._marked(layout, printer_id), begun)
            if layout is not None and ended.outcome in (Outcome.PRINTED, Outcome.UNKNOWN):
                self._torn.discard(printer_id)  # from here on its driver knows
        crashpoint("spooler.sent")
        pause_s = self._chooser.learn(printer_id, ended.outcome, self._clock.monotonic_s())
        await self._end(begun, ended, pause_s if only_way else 0.0)

    def _marked(self, layout: Layout | None, printer_id: str) -> Layout | None:
        """It says so if half of another one may stand above it."""
        if layout is None or printer_id not in self._torn:
            return layout
        return replace(layout, after_torn=True)

    async def _composed(self, row: PrintJobRow, printer_id: str) -> Layout | None:
        """What to print; None: it is gone, or it can't be composed and has failed."""
        document = printrows.document(self._gate.rows, row.job_id)
        if document is None:
            return None
        try:
            async with asyncio.timeout(self._pace.compose_max_s):
                return await self._compose(document, printer_id)
        except Exception as error:  # whatever it is, the next document must not suffer from it
            why = str(error) or type(error).__name__
            log.error("print job %s (%s) can't be composed: %s", row.job_id, row.kind, why)
        await self._gate.internal(SPOOLER, FailPrint(row.job_id, f"it can't be composed: {why}"))
        return None

    async def _send(self, printer_id: str, layout: Layout | None, job: Begun) -> Ended:
        """From here on something may be on paper: only the driver's word says that nothing is."""
        limit_s = self._pace.kick_max_s if layout is None else self._pace.stopped_max_s
        try:
            async with asyncio.timeout(limit_s):
                if layout is None:
                    return await self._printers.kick(printer_id, job)
                return await self._printers.print(printer_id, layout, job)
        except TimeoutError:
            return Ended(Outcome.UNKNOWN, f"the printer stood still for {limit_s:g} s")
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            return Ended(Outcome.UNKNOWN, "the hub was stopped while it was being printed")
        except Exception as error:
            log.exception("print job %s: the driver of %s failed", job.job_id, printer_id)
            return Ended(Outcome.UNKNOWN, f"printing failed: {error or type(error).__name__}")

    async def _end(self, job: Begun, ended: Ended, pause_s: float) -> None:
        command = EndPrint(
            job.job_id,
            job.attempt,
            ended.outcome.value,
            ended.reason,
            ended.confirmed,
            int(pause_s * 1000),
        )
        await self._written(
            command, f"print job {job.job_id}", lambda: crashpoint("spooler.before-end")
        )


__all__ = ["Compose", "Pace", "Printers", "SpoolGate", "Spooler"]
