"""A driver at an emulated printer, and a wire on which a test can stop just before some bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from devices.peripherals.drivers.escpos_printer import EscposPrinter
from devices.peripherals.escpos.session import Pace
from devices.peripherals.model import (
    ConditionsAre,
    Identity,
    Option,
    PeripheralError,
    Told,
    Wire,
    World,
)
from devices.peripherals.transports.tcp import TcpConnector
from hub.clock import SystemClock, SystemRandomness
from hub.contract.conditions import Condition
from hub.documents.layout import BOLD, LARGE, Align, Cell, Layout, Row, Rule, Table, Text
from scripts.rig.emulated import HOST, Emulator, Fault, printer

PRINTERS = tuple(f"printer-{n}" for n in range(24))
"""Each test takes one that nothing was printed on yet."""
PATIENCE_S = 60.0
WORLD = World(SystemClock(), SystemRandomness())
Hook = Callable[[bytes], Awaitable[None]]


class HookedWire:
    """Calls a hook with all that is about to be written."""

    def __init__(self, wire: Wire, connector: HookedConnector) -> None:
        self._wire = wire
        self._connector = connector

    async def read(self, max_bytes: int = 4096) -> bytes:
        return await self._wire.read(max_bytes)

    async def write(self, data: bytes) -> None:
        if (hook := self._connector.before_write) is not None:
            await hook(data)
        self._connector.written += data
        await self._wire.write(data)

    async def close(self) -> None:
        await self._wire.close()


class HookedConnector:
    def __init__(self, port: int) -> None:
        self._tcp = TcpConnector(f"tcp://{HOST}:{port}", HOST, port)
        self.address = self._tcp.address
        self.before_write: Hook | None = None
        self.before_first = b""
        self.written = bytearray()

    async def open(self) -> HookedWire:
        wire = await self._tcp.open()
        await wire.write(self.before_first)
        return HookedWire(wire, self)


class Listener:
    """Hears what a driver tells; waits for it."""

    def __init__(self) -> None:
        self.all: list[Told] = []
        self._news = asyncio.Event()

    def __call__(self, told: Told) -> None:
        self.all.append(told)
        news, self._news = self._news, asyncio.Event()
        news.set()

    @property
    def conditions(self) -> frozenset[Condition]:
        known = [one.conditions for one in self.all if isinstance(one, ConditionsAre)]
        return known[-1] if known else frozenset()

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not done():
                await self._news.wait()


class Bench:
    """One emulated printer with a driver that is ready."""

    def __init__(
        self, emulator: Emulator, name: str, options: dict[str, Option] | None = None
    ) -> None:
        self.emulator = emulator
        self.name = name
        self.heard = Listener()
        self.connector = HookedConnector(emulator.port(name))
        pace = Pace(answer_s=5.0, poll_s=0.2, progress_s=30.0)
        self.driver = EscposPrinter(self.connector, WORLD, self.heard, options, pace=pace)
        self.identity: Identity | None = None
        self.ended: list[PeripheralError] = []
        self._serving: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Serve until the connection ends; returns when it is ready."""
        ready = asyncio.Event()

        def is_ready(identity: Identity) -> None:
            self.identity = identity
            ready.set()

        async def serve() -> None:
            try:
                await self.driver.serve(is_ready)
            except PeripheralError as error:
                self.ended.append(error)

        self._serving = asyncio.create_task(serve())
        waiting = asyncio.create_task(ready.wait())
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait({self._serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        if not ready.is_set():
            raise self.ended[-1]

    async def disconnected(self) -> None:
        assert self._serving is not None
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait({self._serving})

    async def close(self) -> None:
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)

    async def fault(self, fault: Fault, *, on: bool = True) -> None:
        await self.emulator.fault(self.name, fault, on=on)

    async def texts(self) -> list[str]:
        """All papers that came out."""
        return [
            await self.emulator.text(self.name, one.id)
            for one in await self.emulator.receipts(self.name)
        ]

    def before_line(self, words: str) -> asyncio.Event:
        """From now on writing stops before the first bytes that hold ``words`` until the second
        event is set; the first says that it has come to that."""
        come, go_on = asyncio.Event(), asyncio.Event()

        async def hook(data: bytes) -> None:
            if words.encode() in data:
                self.connector.before_write = None
                come.set()
                await go_on.wait()

        self.connector.before_write = hook
        self.go_on = go_on
        return come


@asynccontextmanager
async def many_printers(base: Path) -> AsyncIterator[Emulator]:
    devices = [printer(name) for name in PRINTERS]
    async with Emulator(base, SystemRandomness(), devices) as emulator:
        yield emulator


@asynccontextmanager
async def bench(
    emulator: Emulator, name: str, options: dict[str, Option] | None = None
) -> AsyncIterator[Bench]:
    """A driver that is ready at one of the printers."""
    made = Bench(emulator, name, options)
    try:
        await made.connect()
        yield made
    finally:
        await made.close()


def receipt(lines: int = 3, title: str = "CORNER SHOP") -> Layout:
    """A receipt of which each line is another; 100 lines are about 5 KB."""
    rows = tuple(
        Row((Cell(f"Item number {n}", weight=1), Cell(f"{n}.99", Align.END)))
        for n in range(1, lines + 1)
    )
    return Layout(
        "Receipt",
        (
            Text(title, Align.CENTER, LARGE),
            Rule(),
            Table(rows),
            Rule(),
            Row((Cell("TOTAL"), Cell("123.45", Align.END)), BOLD),
            Text("Thank you"),
        ),
    )
