"""A scan as its till sees it: scanner on a serial line, hub, broker, till, with the product.

The floor is an echo over the same kind of broker by the same client library, plus one SELECT of the
same product.  (The echo crosses the broker twice, a scan once; a scan comes over a line first.)
"""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from hub.contract.scans import Scan
from hub.storage.readers import LoopReader
from scripts.benchmarks.bench import Bench
from scripts.benchmarks.counter import sale_body
from scripts.benchmarks.figures import Aim
from scripts.benchmarks.lookups import ONE_SELECT
from scripts.benchmarks.measure import latency_figures
from scripts.benchmarks.seeding import gtin_of, sku_of
from scripts.benchmarks.shop import connected, running_echo, running_hub
from scripts.benchmarks.till import Till

NAMES = ("scan.latency", "scan.p99")
PRODUCTS = 10_000
_STRIDE = 7919
_READY_S = 60.0
_WAIT_S = 10.0
_PAUSE_S = 0.002


async def run(bench: Bench) -> None:
    """Scans one at a time, and what the least would be."""
    each = bench.size(60, 300)
    spent: list[list[float]] = []
    floors: list[list[float]] = []
    with bench.space("scan") as folder:
        async with _lane(bench, folder) as lane:
            for _ in range(bench.runs(5, 15)):
                floors.append([await lane.floor_ms() for _ in range(each)])
                spent.append([await lane.scanned_ms() for _ in range(each)])
    explanation = (
        f"from the last byte of an EAN-13 on a scanner's serial line to the till's handler with "
        f"product, price and stock, {PRODUCTS:,} SKUs, one at a time"
    )
    floor_name = "MQTT echo through the same broker and library + one SELECT"
    for found in latency_figures(
        NAMES,
        list(zip(spent, floors, strict=True)),
        floor_name=floor_name,
        aims=(Aim(at_most=1.5), Aim(at_most=2.5)),
        explanation=explanation,
    ):
        bench.add(found)


@contextmanager
def _line() -> Iterator[tuple[int, str]]:
    """A serial line: the scanner's end, and the path of the hub's."""
    scanner, far = pty.openpty()
    tty.setraw(far)
    try:
        yield scanner, os.ttyname(far)
    finally:
        os.close(scanner)
        os.close(far)


@asynccontextmanager
async def _lane(bench: Bench, folder: Path) -> AsyncIterator[_Lane]:
    bench.say("starting a hub with a scanner")
    async with AsyncExitStack() as stack:
        line, path = stack.enter_context(_line())
        scanner = {
            "id": "scanner-1",
            "driver": "serial-scanner",
            "address": f"serial://{path}",
            "serves": ["till-001"],
        }
        hub = await stack.enter_async_context(
            running_hub(folder / "hub", devices=1, products=PRODUCTS, peripherals=(scanner,))
        )
        (till,) = await stack.enter_async_context(connected(hub))
        echo = await stack.enter_async_context(running_echo(hub, folder / "echo"))
        (echoing,) = await stack.enter_async_context(connected(echo))
        rows = stack.enter_context(LoopReader(hub.settings.paths.state / "hub.db"))
        lane = _Lane(line, till, echoing, rows)
        await lane.is_ready()
        bench.say("scanning, one code at a time")
        yield lane


@dataclass(slots=True)
class _Lane:
    """One scanner, its till, and an echo beside it."""

    line: int
    till: Till
    echo: Till
    rows: LoopReader
    at: int = 0
    heard: asyncio.Queue[tuple[float, Scan]] | None = None

    async def is_ready(self) -> None:
        """Until the hub reads the line; what was scanned before is forgotten by the kernel."""
        heard: asyncio.Queue[tuple[float, Scan]] = asyncio.Queue()
        self.heard = heard
        self.till.scans.listeners.append(lambda scan: heard.put_nowait((perf_counter(), scan)))
        async with asyncio.timeout(_READY_S):
            while heard.empty():
                os.write(self.line, f"{gtin_of(1)}\r\n".encode())
                await asyncio.sleep(0.2)
        await asyncio.sleep(0.5)
        while not heard.empty():
            heard.get_nowait()

    def _next(self) -> int:
        self.at = (self.at + _STRIDE) % PRODUCTS
        return 1 + self.at

    async def scanned_ms(self) -> float:
        """One scan.  Errors: TimeoutError, AssertionError when another product comes."""
        assert self.heard is not None
        number = self._next()
        await asyncio.sleep(_PAUSE_S)
        start_s = perf_counter()
        os.write(self.line, f"{gtin_of(number)}\r\n".encode())
        async with asyncio.timeout(_WAIT_S):
            heard_s, scan = await self.heard.get()
        assert scan.product is not None, scan
        assert scan.product.sku == sku_of(number), scan
        return (heard_s - start_s) * 1000

    async def floor_ms(self) -> float:
        """An echo and a SELECT."""
        gtin14 = gtin_of(self._next()).zfill(14)
        await asyncio.sleep(_PAUSE_S)
        echoed_s = await self.echo.echo(sale_body(self.at))
        start_s = perf_counter()
        row = self.rows.one(ONE_SELECT, gtin14)
        assert row is not None
        return (echoed_s + perf_counter() - start_s) * 1000
