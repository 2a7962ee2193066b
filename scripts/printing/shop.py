"""A shop that prints: the real daemon, tills that sell, emulated printers on their own cables."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from cloud_link.sandbox import demo
from devices.kit import DeviceMeta, HubClient, IdentityStore, Refused
from hub.clock import SystemRandomness
from hub.contract.printing import PrintSettled, SettlePrintJob
from hub.contract.sale import CommitSale, SaleDone, SaleLine, Tender
from hub.contract.staff import SignedIn, SignIn
from hub.contract.stock import ReceivedLine, ReceiveStock, StockBooked
from scripts.killing.till import GOODS, SHELF, SKUS, ShortPauses
from scripts.printing.line import HOST, Line
from scripts.printing.papers import LAST_LINE
from scripts.replay_shop.opening import pair_tills, wait_catalogue
from scripts.rig import Ports, ShopRig
from scripts.rig.emulated import Emulator, printer
from scripts.rig.process import Child

STORE = "367"
TILLS_PER_PRINTER = 2
_THINK_S = 0.05
_MANAGER = demo.DEMO_STAFF[-1]
_CARELESS = "from scripts.printing.careless import main; main()"
_CLOUD: dict[str, object] = {"linger_ms": 200, "retry_max_s": 1, "poll_wait_s": 5}


@dataclass(slots=True)
class Sold:
    """What the tills were told: sale → receipt number; ``moved`` is set at each answer."""

    numbers: dict[str, str] = field(default_factory=dict)
    without_paper: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, count: int, timeout_s: float) -> None:
        """So many are answered.  Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while len(self.numbers) < count:
                self.moved.clear()
                await self.moved.wait()


class PrintingTill:
    """Sells while ``doors`` are open; each sale wants its receipt."""

    def __init__(self, hub: HubClient, sold: Sold, doors: asyncio.Event, rng: Random) -> None:
        self.hub = hub
        self.busy = False
        self._sold = sold
        self._doors = doors
        self._rng = rng

    async def open(self, *, shelf: bool) -> None:
        """Sign in; fill the shelves."""
        person = SignIn.model_validate({"staff_id": _MANAGER[0], "pin": _MANAGER[3]})
        await self.hub.request(person, SignedIn, until_answered=True)
        if shelf:
            lines = tuple(ReceivedLine(sku=one.sku, qty=SHELF) for one in GOODS)
            command = ReceiveStock(
                receipt_id=self.hub.ids.uuid7(), reference="delivery", lines=lines
            )
            await self.hub.submit(command, StockBooked)

    async def work(self) -> None:
        """For ever."""
        while True:
            await self._doors.wait()
            self.busy = True
            try:
                await self._sell()
            except Refused as error:
                self._sold.refused.append(f"{error.problem.code}: {error.problem.detail}")
            finally:
                self.busy = False
            await asyncio.sleep(self._rng.uniform(0, _THINK_S))

    async def _sell(self) -> None:
        picked = [
            (one, self._rng.randint(1, 3))
            for one in self._rng.choices(GOODS, k=self._rng.randint(1, 5))
        ]
        total = sum(one.price_minor * qty for one, qty in picked)
        command = CommitSale(
            sale_id=self.hub.ids.uuid7(),
            lines=tuple(
                SaleLine(code=one.sku, qty=qty, unit_price_minor=one.price_minor)
                for one, qty in picked
            ),
            total_minor=total,
            tenders=(Tender(kind="cash", amount_minor=total),),
            print_receipt=True,
        )
        done = await self.hub.submit(command, SaleDone)
        if not done.receipt_printed:
            self._sold.without_paper.append(done.receipt_no)
        self._sold.numbers[done.sale_id] = done.receipt_no
        self._sold.moved.set()

    async def say(self, job_id: str, answer: str) -> None:
        """A person's word on a job in doubt.  Raises Refused."""
        command = SettlePrintJob.model_validate({"job_id": job_id, "answer": answer})
        await self.hub.request(command, PrintSettled, until_answered=True)


@dataclass(slots=True)
class PrintShop:
    """Everything that runs.  ``tills`` by device id; ``lines`` by printer."""

    rig: ShopRig
    emulator: Emulator
    lines: Mapping[str, Line]
    tills: Mapping[str, PrintingTill]
    sold: Sold
    doors: asyncio.Event

    @property
    def busy(self) -> bool:
        """Whether a till has a sale under way."""
        return any(till.busy for till in self.tills.values())

    def swap_hub(self) -> None:
        """From its next start on the hub is the careless one."""
        self.rig.hub = Child(
            "the careless hub",
            [sys.executable, "-c", _CARELESS, "--config", str(self.rig.config_file), "run"],
            log=self.rig.base / "logs" / "careless.log",
        )


@asynccontextmanager
async def printing_shop(base: Path, printers: int, seed: str) -> AsyncIterator[PrintShop]:
    """A shop that is open; nobody sells until ``doors`` is set.

    Errors: NotPrepared (no emulator), ChildDied, Trouble, TimeoutError.
    """
    randomness = SystemRandomness()
    names = [f"printer-{n}" for n in range(1, printers + 1)]
    # Long: a torn paper ends with its connection, not because time goes by.
    emulator = Emulator(base / "emulator", randomness, [printer(name) for name in names])
    settings: dict[str, dict[str, object]] = {
        "cloud": _CLOUD,
        "printing": {"receipts": True},
        "receipts": {"footer": [LAST_LINE]},
    }
    rig = ShopRig(
        base / "shop",
        STORE,
        Ports.choose(randomness),
        settings=settings,
        oms_arguments=("--seed-demo", "--skus", str(SKUS)),
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(emulator)
        lines = {name: await stack.enter_async_context(Line(emulator.port(name))) for name in names}
        await stack.enter_async_context(rig)
        stores = await _found(rig, settings, lines)
        sold, doors = Sold(), asyncio.Event()
        tills: dict[str, PrintingTill] = {}
        for number, store in enumerate(stores):
            meta = DeviceMeta(kind="till", model="printing till", firmware="1")
            client = HubClient(store, meta, randomness=ShortPauses())
            hub = await stack.enter_async_context(client)
            rng = Random(f"{seed}/till {number}")
            tills[store.load().device_id] = PrintingTill(hub, sold, doors, rng)
        for number, till in enumerate(tills.values()):
            await till.open(shelf=number == 0)
        working = [asyncio.create_task(till.work()) for till in tills.values()]
        try:
            yield PrintShop(rig, emulator, lines, tills, sold, doors)
        finally:
            for task in working:
                task.cancel()
            await asyncio.wait(working)


async def _found(
    rig: ShopRig, settings: dict[str, dict[str, object]], lines: Mapping[str, Line]
) -> list[IdentityStore]:
    """A first start to pair the tills; the second one has their printers."""
    await rig.start_oms()
    await rig.start_hub()
    stores = await pair_tills(rig, TILLS_PER_PRINTER * len(lines), None)
    await wait_catalogue(rig)
    await rig.stop_hub()
    ids = [store.load().device_id for store in stores]
    settings["peripherals"] = {
        name: {
            "driver": "escpos-printer",
            "address": f"tcp://{HOST}:{line.port}",
            "serves": ids[number :: len(lines)],
        }
        for number, (name, line) in enumerate(lines.items())
    }
    rig.write_config()
    await rig.start_hub()
    return stores
