"""A real hub's database, gate and cloud link, and a sandbox OMS in a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp

from cloud_link.bundles import Make
from cloud_link.link import CloudLink
from cloud_link.parts import World
from hub.clock import SystemClock, SystemIds, SystemRandomness
from hub.config.models import Cloud
from hub.contract.base import Command
from hub.contract.oms_events import STOCK_MOVED
from hub.contract.sale import CommitSale, SaleDone, SaleLine, Tender, VoidSale
from hub.domain.stock import Bucket, Counterparty, Movement, MovementType
from hub.service.caller import HUB, Caller, CallerKind
from hub.service.gate import Gate, Handlers
from hub.service.handlers import (
    cloud,
    datasets,
    devices,
    drill,
    orders,
    recovery,
    remote,
    sales,
    stock,
)
from hub.service.internal import InternalCommand
from hub.service.ledger import Ledger
from hub.service.records import Recorder
from hub.service.shop import Shop
from hub.service.unit import Unit
from hub.storage import devicerows, hubrow, outbox
from hub.storage.readers import LoopReader, ThreadReaders
from hub.storage.rows import Tx
from hub.storage.writer import WriterCore
from hub.storage.writer_thread import WriterThread
from scripts.rig import free_port
from tests.support.quickdb import open_quickly

STORE = "367"
KIOSK = Caller(CallerKind.DEVICE, "kiosk-01")
SHELL = Caller(CallerKind.CLI, "uid-0")
SHOP = Shop(
    store=STORE,
    name="Corner Shop",
    hub_name="store-hub",
    currency="EUR",
    zone=ZoneInfo("Europe/Berlin"),
    timezone="Europe/Berlin",
    version="0.1.0",
)


class FastClock:
    """Real wall time; monotonic time runs faster, so that back-offs don't keep a test waiting."""

    def __init__(self, speed: float = 25.0) -> None:
        self._clock = SystemClock()
        self._start_s = self._clock.monotonic_s()
        self.speed = speed

    def wall_ms(self) -> int:
        return self._clock.wall_ms()

    def monotonic_s(self) -> float:
        return self._start_s + (self._clock.monotonic_s() - self._start_s) * self.speed

    def budget_ms(self) -> int:
        return int(self.monotonic_s() * 1000)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)


@dataclass(frozen=True, slots=True)
class Receive(InternalCommand):
    """Put goods on the shelf."""

    document: str
    skus: tuple[str, ...]
    qty: int


@dataclass(frozen=True, slots=True)
class Run(InternalCommand):
    """Whatever a test wants done in a transaction."""

    work: Callable[[Tx], Any]


@dataclass(frozen=True, slots=True)
class Emit(InternalCommand):
    """An event as it is."""

    stream: str
    type: str
    aggregate: str
    data: dict[str, Any]
    key: tuple[str, ...] = ()


def _receive(unit: Unit, command: Receive) -> None:
    ledger = Ledger.of(unit, "receipt", int(command.document))
    for line, sku in enumerate(command.skus, start=1):
        ledger.move(
            sku,
            Movement(MovementType.RECEIVE, Counterparty.SUPPLIER, Bucket.SELLABLE, command.qty),
            line,
        )
    data = {"movements": ledger.finish(), "reason": "delivery"}
    unit.emit("stock", STOCK_MOVED, f"receipt-{command.document}", data)


def _emit(unit: Unit, command: Emit) -> int:
    return unit.emit(command.stream, command.type, command.aggregate, command.data, *command.key)


def handlers() -> Handlers:
    """Those of selling and of the cloud, and the test's own."""
    modules = (cloud, datasets, devices, drill, orders, recovery, remote, sales, stock)
    tables: dict[str, dict[Any, Any]] = {}
    for name in ("WRITES", "READS", "SLOW_READS", "INTERNAL"):
        tables[name] = {}
        for module in modules:
            tables[name].update(getattr(module, name, {}))
    own = {Receive: _receive, Emit: _emit, Run: lambda unit, command: command.work(unit.tx)}
    return Handlers(
        writes=tables["WRITES"],
        reads=tables["READS"],
        slow_reads=tables["SLOW_READS"],
        internal=tables["INTERNAL"] | own,
        before={},
    )


@dataclass
class HubSide:
    """A running hub: gate and link."""

    gate: Gate
    link: CloudLink
    clock: FastClock
    notices: list[object]
    database: Path
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    _count: int = 0

    async def until(self, what: Callable[[], Any], *, seconds: float = 80.0) -> Any:
        """Wait for a condition, looking again after every notice and change."""
        async with asyncio.timeout(seconds):
            while not (found := what()):
                self.moved.clear()
                try:
                    await asyncio.wait_for(self.moved.wait(), 0.02)
                except TimeoutError:
                    continue
        return found

    @property
    def hub(self) -> hubrow.HubRow:
        return hubrow.get(self.gate.rows)

    @property
    def waiting(self) -> int:
        return sum(lane.waiting for lane in outbox.heads(self.gate.rows))

    async def drained(self, seconds: float = 80.0) -> None:
        await self.until(lambda: self.waiting == 0, seconds=seconds)

    async def synced(self, *names: str) -> None:
        """Wait for data sets."""
        wanted = set(names or ("taxes", "policies", "staff", "catalog", "prices"))
        await self.until(lambda: wanted <= set(self.link.status().datasets))

    async def internal(self, command: InternalCommand) -> Any:
        return await self.gate.internal(HUB, command)

    async def stock_up(self, document: int = 1, qty: int = 1000) -> list[tuple[str, int]]:
        """Receive ten products of the catalogue; ``(sku, price)``."""
        rows = self.gate.rows.all(
            "SELECT p.sku, r.price_minor FROM datasets d JOIN products p ON"
            " p.generation = d.generation JOIN datasets e ON e.dataset = 'prices'"
            " JOIN prices r ON r.generation = e.generation AND r.sku = p.sku"
            " WHERE d.dataset = 'catalog' AND p.scale = 0 AND p.active = 1 LIMIT 10"
        )
        await self.internal(Receive(str(document), tuple(row[0] for row in rows), qty))
        return [(row[0], row[1]) for row in rows]

    async def sell(self, sku: str, price_minor: int, *, sale_id: str | None = None) -> SaleDone:
        """Sell one piece, in tax-inclusive prices, for cash."""
        command = CommitSale(
            sale_id=sale_id or self.gate.ids.uuid7(),
            lines=(SaleLine(code=sku, qty=1, unit_price_minor=price_minor),),
            total_minor=price_minor,
            tenders=(Tender(kind="cash", amount_minor=price_minor),),
        )
        done = await self.gate.run(KIOSK, command)
        assert isinstance(done, SaleDone)
        return done

    async def run(self, caller: Caller, command: Command) -> Any:
        return await self.gate.run(caller, command)

    async def void(self, sale_id: str) -> None:
        await self.gate.run(KIOSK, VoidSale(sale_id=sale_id, reason="mistake"))


@asynccontextmanager
async def hub_side(
    root: Path,
    settings: Cloud,
    *,
    machine: str = "a" * 64,
    found_machine: str | None = None,
    speed: float = 25.0,
    start: bool = True,
    make_bundle: Make | None = None,
) -> AsyncIterator[HubSide]:
    """A hub over the database in ``root``; founded when there is none."""
    clock, randomness = FastClock(speed), SystemRandomness()
    ids = SystemIds(clock, randomness)
    root.mkdir(exist_ok=True)
    database = root / "hub.db"
    notices: list[object] = []
    side: HubSide | None = None

    def told(found: Sequence[object]) -> None:
        notices.extend(found)
        if side is not None:
            side.link.notify(found)
            side.moved.set()

    conn = await asyncio.to_thread(open_quickly, database)
    writer = WriterThread(WriterCore(conn, clock), on_notices=told, on_fatal=lambda error: None)
    slow = ThreadReaders(database)
    try:
        await writer.submit(lambda tx: _found(tx, found_machine or machine))
        await slow.open()
        with LoopReader(database) as rows:
            gate = Gate(
                shop=SHOP,
                writer=writer,
                rows=rows,
                slow=slow,
                handlers=handlers(),
                clock=clock,
                budget=clock,
                ids=ids,
                recorder=Recorder(bytes(32), SHOP.store),
            )
            world = World(clock, ids, randomness, clock.sleep)
            link = CloudLink(settings, gate, world, machine_hash=machine, make_bundle=make_bundle)
            side = HubSide(gate, link, clock, notices, database)
            if start:
                await link.start()
            try:
                yield side
            finally:
                await link.stop()
    finally:
        await slow.close()
        await writer.stop()


def _found(tx: Tx, machine: str) -> None:
    if hubrow.load(tx) is not None:
        return
    hubrow.found(tx, STORE, "hub-test", machine, "found1")
    devicerows.add(
        tx,
        device_id=KIOSK.id,
        name="Kiosk",
        kind="kiosk",
        auth="password",
        password_hash=None,
        number=1,
        model="",
        firmware="",
        meta="{}",
    )


@dataclass
class Oms:
    """A sandbox OMS in its own process."""

    state: Path
    port: int
    arguments: tuple[str, ...]
    ready: dict[str, Any] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    def settings(self, **changed: Any) -> Cloud:
        return Cloud.model_validate(
            {"url": self.url, "token": self.ready["token"], "linger_ms": 50} | changed
        )

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cloud_link.sandbox", "--state", str(self.state),
            "--port", str(self.port), "--store", STORE, *self.arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 60)
        assert line, "the sandbox did not start"
        self.ready = json.loads(line)

    async def kill(self) -> None:
        """As the power would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    async def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """One of the sandbox's own calls."""
        headers = {"Authorization": f"Bearer {self.ready['admin_token']}"}
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, self.url + path, json=body, headers=headers) as answer,
        ):
            assert answer.status == 200, await answer.text()
            found: dict[str, Any] = await answer.json()
            return found

    async def misbehave(self, **how: Any) -> None:
        await self.ask("POST", "/sandbox/misbehave", how)

    async def sales(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.ask("GET", "/sandbox/sales?limit=10000"))["sales"]
        return found

    async def levels(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = (await self.ask("GET", "/sandbox/levels"))["levels"]
        return {sku: {k: v for k, v in row.items() if v} for sku, row in found.items()}

    async def stats(self) -> dict[str, Any]:
        return await self.ask("GET", "/sandbox/stats")


StartOms = Callable[..., Awaitable[Oms]]


@asynccontextmanager
async def oms_process(
    state: Path, *arguments: str, skus: int = 60, plain: bool = True
) -> AsyncIterator[Oms]:
    """A running sandbox with the demo shop."""
    options = ["--seed-demo", "--skus", str(skus), *arguments]
    if plain:
        options.append("--http")
    oms = Oms(state, free_port(SystemRandomness()), tuple(options))
    await oms.start()
    try:
        yield oms
    finally:
        await oms.stop()
