"""A shop whose printers do what a test says, and count the sheets; time and death at will."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from devices.peripherals.choosing import Pace
from devices.peripherals.model import Ended, Outcome, World
from devices.peripherals.spooler import Spooler
from hub.contract.printing import GetPrintJob
from hub.crashpoints import on_crashpoint
from hub.documents.layout import Layout
from hub.service.caller import Caller, CallerKind
from hub.service.handlers.printing import Begun
from hub.service.internal import InternalCommand
from hub.service.ports import Budget
from hub.storage.errors import StorageError
from hub.storage.rows import Rows
from tests.fakes import START_WALL_MS, SeededRandomness
from tests.simulation.kernel.loop import OWNER, Killed, VirtualLoop
from tests.support.gatebench import now
from tests.support.shop import Shop


@dataclass(frozen=True)
class Act:
    """What a printer does with a job: a sheet or none, and what it says about it."""

    says: str = "printed"
    lays: bool = True
    before_s: float = 0.1
    after_s: float = 0.1
    confirmed: bool = False


PRINTS = Act()
CONFIRMS = Act(confirmed=True)
TAKES_NOTHING = Act("not-begun", lays=False)
REFUSES = Act("refused", lays=False)
BREAKS_OFF = Act("unknown")
BREAKS_OFF_BLANK = Act("unknown", lays=False)
FAILS = Act("raises")
STANDS_STILL = Act("printed", lays=False, before_s=1e9)


class Lifetime:
    """What belongs to a hub that has died is never run again."""

    def __init__(self) -> None:
        self.alive = True


@dataclass
class FakePrinters:
    """``sheets``: how many sheets say this job, or how often a drawer was opened by it."""

    routes: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    usual: tuple[str, ...] = ("counter",)
    down: set[str] = field(default_factory=set)
    acts: deque[Act] = field(default_factory=deque)
    usual_act: Act = PRINTS
    sheets: Counter[str] = field(default_factory=Counter)
    layouts: list[tuple[str, str]] = field(default_factory=list)
    at_work: Counter[str] = field(default_factory=Counter)
    most_at_work: Counter[str] = field(default_factory=Counter)

    def route(self, device_id: str, kind: str) -> Sequence[str]:
        return self.routes.get((device_id, kind), self.usual)

    def is_ready(self, printer_id: str) -> bool:
        return printer_id not in self.down

    async def print(self, printer_id: str, layout: Layout, job: Begun) -> Ended:
        self.layouts.append((printer_id, layout.title))
        return await self._act(printer_id, job)

    async def kick(self, printer_id: str, job: Begun) -> Ended:
        return await self._act(printer_id, job)

    async def _act(self, printer_id: str, job: Begun) -> Ended:
        act = self.acts.popleft() if self.acts else self.usual_act
        self.at_work[printer_id] += 1
        self.most_at_work[printer_id] = max(self.most_at_work[printer_id], self.at_work[printer_id])
        try:
            await asyncio.sleep(act.before_s)
            if act.lays:
                self.sheets[job.job_id] += 1
            await asyncio.sleep(act.after_s)
        finally:
            self.at_work[printer_id] -= 1
        if act.says == "raises":
            raise RuntimeError("the driver has a fault")
        return Ended(
            Outcome(act.says), "" if act.says == "printed" else "it said so", act.confirmed
        )


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


async def compose(document: str, _printer_id: str) -> Layout:
    """A layout that says what it is of."""
    if "unprintable" in document:
        raise ValueError("no such letters")
    return Layout(title=document[:40], blocks=())


class PrintShop:
    """A shop with a spooler, on virtual time; ``die`` ends it as a power cut would."""

    def __init__(self, directory: Path, *, seed: int = 0, pace: Pace | None = None) -> None:
        self.loop = VirtualLoop(Random(seed))
        self.drawers: set[str] = set()
        self.shop = Shop(
            directory, seed=seed, print_receipts=True, has_drawer=lambda name: name in self.drawers
        )
        clock: Any = self.shop.clock
        clock.monotonic_s = lambda: 1000.0 + self.loop.time()
        clock.wall_ms = lambda: START_WALL_MS + round(self.loop.time() * 1000)
        self.printers = FakePrinters()
        self.pace = pace or Pace()
        self.life = Lifetime()
        self.crash_at: tuple[str, int] = ("", 0)
        self.deaths = 0
        self._world = World(clock, SeededRandomness(seed))
        self.shop.product("tea", 499, stock=100_000)
        self.shop.sign_in("till-1")
        self.shop.sign_in("till-2", "mia")
        self._boot()

    def _boot(self) -> None:
        self.life = Lifetime()
        self.gate = FakeGate(self.shop)
        self.spooler = Spooler(self.gate, self.printers, compose, self._world, self.pace)
        self.gate.listen = self.spooler.notify
        context = copy_context()
        context.run(OWNER.set, self.life)
        self.loop.call_soon(self.spooler.start, context=context)

    def die(self) -> None:
        """The process is gone; what it had committed is there when it comes back."""
        self.life.alive = False
        self.deaths += 1
        self.printers.at_work.clear()
        self.shop.restart()
        self._boot()

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

    def stop(self) -> None:
        """As the hub stops it."""
        self.loop.run_until_complete(self.spooler.stop())

    def close(self) -> None:
        """Let go of everything."""
        self.life.alive = False
        self.loop.forget()
        self.loop.close()
        self.shop.close()

    # The shop ----------------------------------------------------------------------------------

    def sell(self, device: str = "till-1", **changed: Any) -> str:
        """A sale with a receipt; the job's id."""
        line = {"code": "tea", "qty": 1, "unit_price_minor": 499}
        body = self.shop.sale(line, total_minor=499, print_receipt=True) | changed
        done = self.shop.ok(device, "sale/commit", body)
        if body["print_receipt"]:
            assert done["receipt_printed"]
        job_id: str = self.shop.value(
            "SELECT job_id FROM print_jobs WHERE subject = ? AND kind = 'sale'", done["sale_id"]
        )
        return job_id

    def job(self, job_id: str) -> dict[str, Any]:
        """The job as it is shown at the shell."""
        shell = Caller(CallerKind.CLI, "shell")
        found: dict[str, Any] = now(
            self.shop.gate.run(shell, GetPrintJob(job_id=job_id))
        ).model_dump()
        return found

    def state(self, job_id: str) -> str:
        """The job's state."""
        return str(self.job(job_id)["state"])
