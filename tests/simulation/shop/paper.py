"""The shop's receipt printers, which go on printing whatever becomes of the hub, the paper that
comes out of them, and the person who is asked when nobody knows.

What counts is the paper: a :class:`Sheet` that was begun lies in front of the customer, whole or
torn.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from devices.peripherals.model import Ended, Outcome
from hub.contract.printing import SettlePrintJob
from hub.documents.layout import Layout
from hub.service.caller import Caller, CallerKind
from hub.service.handlers.printing import Begun
from hub.storage import printrows
from tests.simulation.kernel import Process, World

if TYPE_CHECKING:
    from tests.simulation.shop.hubwiring import RunningHub
    from tests.simulation.shop.scenario import Scenario

PRINTERS = ("printer-1", "printer-2")
"""The second stands in for the first."""
LATE_NEWS = 0.02
"""Shares of jobs: the printer's word that it is done gets lost."""
LOOKS_PER_S = 1 / 1_200
CLERK = Caller(CallerKind.WEB, "technician")


@dataclass(slots=True)
class Sheet:
    """What lies on the counter.  ``copy``: it says so."""

    job_id: str
    subject: str
    kind: str
    copy: bool
    code: str = ""
    """Of the store credit that it is worth."""
    whole: bool = False


@dataclass(slots=True)
class Run:
    """A job inside a printer, until ``over``: the sheet is whole or will never be."""

    sheet: Sheet
    needs_s: float
    sending: bool = True
    """The hub has not sent its end yet."""
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Printer:
    """One machine.  It prints what it was given, at its own pace, while it has power and paper."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.powered = True
        self.paper = True
        self.sheets: list[Sheet] = []
        self.on_paper: Callable[[Sheet], None] = lambda _sheet: None
        self._world = world
        self._random = world.random(f"printer/{name}")
        self._run: Run | None = None

    @property
    def works(self) -> bool:
        """It has power and paper."""
        return self.powered and self.paper

    @property
    def prints(self) -> bool:
        """A job is on its way onto paper."""
        return self._run is not None

    def take(self, sheet: Sheet) -> Run:
        """Begin to print: from now on something is on paper."""
        self._end_run()
        self.sheets.append(sheet)
        run = self._run = Run(sheet, self._random.uniform(0.5, 6.0))
        self._later(run)
        return run

    def forget(self, run: Run) -> None:
        """It is told to print no more of it; sometimes that comes too late."""
        if self._run is run and self._random.random() < 0.5:
            self._end_run()

    def hub_died(self, run: Run) -> None:
        """What had not been sent never comes; the rest is printed."""
        if self._run is run and run.sending and self._random.random() < 0.5:
            self._world.count("print cut off by the hub's death")
            self._end_run()

    def lose_power(self) -> None:
        """What it has not printed is gone."""
        self.powered = False
        if self._run is not None:
            self._world.count("printer without power in the middle of a job")
        self._end_run()

    def run_out(self) -> None:
        """It stands still until it gets paper."""
        self.paper = False
        if self._run is not None:
            self._world.count("out of paper in the middle of a job")

    def mend(self) -> None:
        """Power and paper."""
        self.powered = self.paper = True

    def _later(self, run: Run) -> None:
        self._world.loop.call_later(run.needs_s, self._done, run, context=self._world.context)

    def _done(self, run: Run) -> None:
        if self._run is not run:
            return
        if not self.paper:
            run.needs_s = 5.0
            self._later(run)
            return
        run.sheet.whole = True
        self.on_paper(run.sheet)
        self._end_run()

    def _end_run(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.over.set()


class Paper:
    """All printers of the shop, and all paper; ``doubts``: jobs of which nobody could know how
    they ended, other than for the hub's own death."""

    def __init__(self, shop: Scenario) -> None:
        self._shop = shop
        self._world = shop.world
        self.printers = {name: Printer(shop.world, name) for name in PRINTERS}
        self.doubts: set[str] = set()
        self._random = shop.world.random("paper")

    def sheets(self) -> list[Sheet]:
        """All that lies there."""
        return [sheet for one in self.printers.values() for sheet in one.sheets]

    def mend(self) -> None:
        """All printers work."""
        for printer in self.printers.values():
            printer.mend()
        running = self._shop.hub.running
        if running is not None:
            for name in self.printers:
                running.spooler.printer_ready(name)

    def lay(self, sheet: Sheet) -> None:
        """A sheet is begun: the promise is looked at then and there."""
        if self._world.counters["hub set back without being told"]:
            return  # it can't know what it printed since
        for other in self.sheets():
            if other.job_id == sheet.job_id:
                self._world.violated(f"job {sheet.job_id} is printed twice, and nobody said so")
            elif (
                not sheet.copy
                and not other.copy
                and (other.kind, other.subject) == (sheet.kind, sheet.subject)
                and not self._shop.history.restored
            ):
                self._world.violated(f"{sheet.kind} {sheet.subject} has two originals")

    async def watch(self) -> None:
        """A person who looks now and then at what the hub asks, and answers by the paper."""
        while True:
            await asyncio.sleep(self._random.expovariate(LOOKS_PER_S))
            running = self._shop.hub.running
            if running is not None and running.process.ready and not self._shop.disk.broken:
                running.process.spawn(self._answer(running), "person-at-the-printer")

    async def _answer(self, running: RunningHub) -> None:
        with suppress(Exception):  # asked again at the next look
            for row in printrows.ambiguous(running.rows, 5):
                whole = any(one.whole for one in self.sheets() if one.job_id == row.job_id)
                if self._random.random() < 0.05:
                    answer = "forget"
                else:
                    answer = "printed" if whole else "again"
                self._world.count(f"person says {answer}")
                command = SettlePrintJob.model_validate({"job_id": row.job_id, "answer": answer})
                key = running.process.ids.uuid7()
                await running.gate.run(CLERK, command, key)


class SimPrinters:
    """The hub's drivers of those printers, in one run of it."""

    def __init__(self, process: Process, paper: Paper, random: Random) -> None:
        self._process = process
        self._paper = paper
        self._random = random

    def route(self, _device_id: str, _kind: str) -> Sequence[str]:
        return PRINTERS

    def is_ready(self, printer_id: str) -> bool:
        return self._paper.printers[printer_id].works

    async def kick(self, _printer_id: str, _job: Begun) -> Ended:
        return Ended(Outcome.REFUSED, "there is no drawer")

    async def print(self, printer_id: str, layout: Layout, job: Begun) -> Ended:
        """As a driver of a printer that confirms what it has printed."""
        printer = self._paper.printers[printer_id]
        await asyncio.sleep(self._random.uniform(0.005, 0.2))
        if not printer.works:
            return Ended(Outcome.NOT_BEGUN, "the printer is stopped")
        facts = json.loads(layout.title)
        subject = facts.get("return_id") or facts.get("sale_id", "")
        code = str(facts.get("credit_code") or "")
        sheet = Sheet(job.job_id, subject, job.kind, bool(facts.get("is_copy")), code)
        self._paper.lay(sheet)
        run = printer.take(sheet)
        self._process.at_death(lambda: printer.hub_died(run))
        try:
            await asyncio.sleep(self._random.uniform(0.0, 0.5))
            run.sending = False
            await run.over.wait()
        except asyncio.CancelledError:
            self._paper.doubts.add(job.job_id)
            printer.forget(run)
            raise
        if not sheet.whole or self._random.random() < LATE_NEWS:
            self._paper.doubts.add(job.job_id)
            return Ended(Outcome.UNKNOWN, "the connection ended")
        return Ended(Outcome.PRINTED, confirmed=True)


async def compose(facts: str, _printer_id: str) -> Layout:
    """The facts themselves: what they look like is no matter here."""
    return Layout(facts, ())
