"""A receipt as its customer waits for it: from the till's request to the printer's first byte.

The printer is a TCP socket that answers status requests and confirms at once, as a good printer
does.  The floor is an echo over the same kind of broker by the same client library, plus two syncs:
a sale is durable before its receipt begins, and that it has begun is durable before its first byte.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Final

from devices.peripherals.escpos import commands
from scripts.benchmarks.bench import Bench
from scripts.benchmarks.counter import sale_body
from scripts.benchmarks.figures import Aim
from scripts.benchmarks.measure import SyncProbe, latency_figures
from scripts.benchmarks.shop import connected, running_echo, running_hub
from scripts.benchmarks.till import HOST, Till

NAMES = ("print.latency", "print.p99")
_READY_S = 60.0
_WAIT_S = 20.0
_PAUSE_S = 0.03
"""The end of the job before is written down in it."""
_STATUS: Final = {1: 0x16, 2: 0x12, 3: 0x12, 4: 0x12}
"""Answers to DLE EOT n of a printer that is well."""
_ASKED: Final = commands.status_request(1)[:2]
_CUTS: Final = (commands.cut(full=True), commands.cut(full=False))


async def run(bench: Bench) -> None:
    """Sales with receipts one at a time, and what the least would be."""
    each = bench.size(30, 100)
    spent: list[list[float]] = []
    floors: list[list[float]] = []
    with bench.space("print") as folder:
        async with _counter(bench, folder) as counter:
            for _ in range(bench.runs(5, 15)):
                floors.append([await counter.floor_ms() for _ in range(each)])
                spent.append([await counter.printed_ms() for _ in range(each)])
    explanation = (
        "from the till's request for a sale of four lines to the first byte of its receipt at a"
        " printer on TCP, one at a time; sale and job are durable by then"
    )
    floor_name = "MQTT echo through the same broker and library + two fdatasyncs"
    for found in latency_figures(
        NAMES,
        list(zip(spent, floors, strict=True)),
        floor_name=floor_name,
        aims=(Aim(at_most=5), Aim(at_most=8)),
        explanation=explanation,
    ):
        bench.add(found)


@dataclass(slots=True)
class _Printer:
    """A socket that behaves.  ``begun`` has the instant at which each job's first byte after its
    head arrived, ``done`` one entry for each job that was cut off."""

    begun: asyncio.Queue[float] = field(default_factory=asyncio.Queue)
    done: asyncio.Queue[None] = field(default_factory=asyncio.Queue)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        awaits_first = False
        with suppress(OSError):
            while chunk := await reader.read(65_536):
                at_s = perf_counter()
                if commands.HEAD in chunk:
                    awaits_first = True
                elif awaits_first and not chunk.startswith(_ASKED):
                    awaits_first = False
                    self.begun.put_nowait(at_s)
                writer.write(_answers(chunk))
                if any(cut in chunk for cut in _CUTS):
                    self.done.put_nowait(None)
        writer.close()


def _answers(chunk: bytes) -> bytes:
    """What it says to the requests in it.  A request never lies across two chunks: the driver
    waits for each answer."""
    found = b""
    if chunk.startswith(_ASKED):
        found += bytes(_STATUS[chunk[at + 2]] for at in range(0, len(chunk) - 2, 3))
    return found + b"\x00" * chunk.count(commands.CONFIRM)


@asynccontextmanager
async def _counter(bench: Bench, folder: Path) -> AsyncIterator[_Counter]:
    bench.say("starting a hub with a printer")
    printer = _Printer()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(await asyncio.start_server(printer.serve, HOST, 0))
        entry = {
            "id": "printer-1",
            "driver": "escpos-printer",
            "address": f"tcp://{HOST}:{server.sockets[0].getsockname()[1]}",
            "serves": ["till-001"],
        }
        hub = await stack.enter_async_context(
            running_hub(
                folder / "hub", devices=1, peripherals=(entry,), printing={"receipts": True}
            )
        )
        (till,) = await stack.enter_async_context(connected(hub))
        echo = await stack.enter_async_context(running_echo(hub, folder / "echo"))
        (echoing,) = await stack.enter_async_context(connected(echo))
        probe = SyncProbe(folder)
        stack.callback(probe.close)
        counter = _Counter(printer, till, echoing, probe)
        await counter.is_ready()
        bench.say("selling, one receipt at a time")
        yield counter


@dataclass(slots=True)
class _Counter:
    """One till, its printer, and an echo beside it."""

    printer: _Printer
    till: Till
    echo: Till
    probe: SyncProbe
    at: int = 0

    async def is_ready(self) -> None:
        """Until the first receipts are printed: what is loaded late is loaded then."""
        async with asyncio.timeout(_READY_S):
            for _ in range(5):
                await self._printed()

    async def printed_ms(self) -> float:
        """One sale with its receipt.  Errors: TimeoutError."""
        async with asyncio.timeout(_WAIT_S):
            return await self._printed()

    async def _printed(self) -> float:
        self.at += 1
        key, body = sale_body(self.at)
        wanted = json.dumps(json.loads(body) | {"print_receipt": True}).encode()
        start_s = perf_counter()
        await self.till.sell((key, wanted))
        begun_s = await self.printer.begun.get()
        await self.printer.done.get()
        await asyncio.sleep(_PAUSE_S)
        return (begun_s - start_s) * 1000

    async def floor_ms(self) -> float:
        """An echo and two syncs."""
        self.at += 1
        echoed_s = await self.echo.echo(sale_body(self.at))
        return (echoed_s + self.probe.once() + self.probe.once()) * 1000
