"""A shop whose printers do what a test says, and count the sheets; time and death at will."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from devices.peripherals.choosing import Pace
from devices.peripherals.model import Ended, Outcome, World
from devices.peripherals.spooler import Spooler
from hub.contract.printing import GetPrintJob
from hub.documents.layout import Layout
from hub.service.caller import Caller, CallerKind
from hub.service.handlers.printing import Begun
from tests.fakes import START_WALL_MS, SeededRandomness
from tests.simulation.kernel.loop import OWNER, VirtualLoop
from tests.support.gatebench import now
from tests.support.lives import FakeGate, Lifetime, Lives
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


async def compose(document: str, _printer_id: str) -> Layout:
    """A layout that says what it is of."""
    if "unprintable" in document:
        raise ValueError("no such letters")
    return Layout(title=document[:40], blocks=())


class PrintShop(Lives):
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
