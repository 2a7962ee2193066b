"""The label printer's driver at a printer that answers ~HS as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from devices.peripherals.drivers.zpl_printer import ZplPrinter
from devices.peripherals.escpos.session import Pace
from devices.peripherals.model import (
    ConditionsAre,
    Gone,
    Misconfigured,
    Option,
    Outcome,
    PeripheralError,
    Told,
    Unreachable,
    Wire,
    World,
)
from devices.peripherals.transports.memory import MemoryWire, pair
from hub.clock import SystemClock, SystemRandomness
from hub.documents.layout import Layout, Text

WORLD = World(SystemClock(), SystemRandomness())
QUICK = Pace(answer_s=0.3, poll_s=0.05, progress_s=2.0)
LABEL = Layout("", (Text("Cheese 5.98"),), width_mm=60, height_mm=40)


class LabelDouble:
    """``paper_out``: formats wait.  ``mute``: it answers nothing."""

    address = "memory://labels"

    def __init__(self) -> None:
        self.paper_out = False
        self.mute = False
        self.printed: list[bytes] = []
        self.waiting: list[bytes] = []
        self.cancelled = 0
        self.wire: MemoryWire | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> Wire:
        ours, self.wire = pair(self.address)
        self._task = asyncio.create_task(self._work(self.wire))
        return ours

    async def close(self) -> None:
        if self.wire is not None:
            self.wire.cut()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self, wire: MemoryWire) -> None:
        buffer = bytearray()
        try:
            while True:
                buffer += await wire.read()
                while b"\n" in buffer:
                    line, _, rest = bytes(buffer).partition(b"\n")
                    buffer = bytearray(rest)
                    await self._take(wire, line.strip())
        except Gone:
            return

    async def _take(self, wire: MemoryWire, line: bytes) -> None:
        if line == b"~HS":
            if not self.paper_out:
                self.printed += self.waiting
                self.waiting.clear()
            if not self.mute:
                await wire.write(self._status())
        elif line == b"~JA":
            self.cancelled += 1
            self.waiting.clear()
        else:
            self.waiting.append(line)

    def _status(self) -> bytes:
        out, waiting = int(self.paper_out), len(self.waiting)
        first = f"\x02030,{out},0,0400,{waiting:03},0,0,0,000,0,0,0\x03\r\n"
        return (first + "\x02000,0,0,0,0,2,4,0,00000000,1,000\x03\r\n\x021234,0\x03\r\n").encode()


class Here:
    def __init__(self, printer: LabelDouble, **options: Option) -> None:
        self.told: list[Told] = []
        self.printer = printer
        self.driver = ZplPrinter(printer, WORLD, self.told.append, options, pace=QUICK)
        self.ended: PeripheralError | None = None
        self.ready = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        try:
            await self.driver.serve(lambda _: self.ready.set())
        except PeripheralError as error:
            self.ended = error
            self.ready.set()


@asynccontextmanager
async def served(printer: LabelDouble, **options: Option) -> AsyncIterator[Here]:
    here = Here(printer, **options)
    here.task = asyncio.create_task(here.serve())
    async with asyncio.timeout(60):
        await here.ready.wait()
    yield here
    here.task.cancel()
    await asyncio.gather(here.task, return_exceptions=True)
    await printer.close()


async def test_a_label_is_printed_and_confirmed() -> None:
    async with served(LabelDouble()) as here:
        ended = await here.driver.print(LABEL)
        assert (ended.outcome, ended.confirmed) == (Outcome.PRINTED, True)
        (printed,) = here.printer.printed
        assert b"^FDCheese 5.98^FS" in printed
        assert (await here.driver.kick(2, 100)).outcome is Outcome.REFUSED


async def test_without_labels_nothing_is_sent() -> None:
    printer = LabelDouble()
    printer.paper_out = True
    async with served(printer) as here:
        ended = await here.driver.print(LABEL)
        assert ended.outcome is Outcome.NOT_BEGUN
        assert "labels" in ended.reason
        assert printer.waiting == []
        assert here.told[-1] == ConditionsAre(frozenset({"printer-paper-empty"}))


async def test_labels_that_end_in_mid_job_are_waited_for_and_a_job_given_up_is_cancelled() -> None:
    printer = LabelDouble()
    async with served(printer) as here:

        async def begun() -> asyncio.Task[object]:
            job: asyncio.Task[object] = asyncio.create_task(here.driver.print(LABEL))
            async with asyncio.timeout(60):
                while not printer.waiting:
                    await asyncio.sleep(0)
            printer.paper_out = True
            async with asyncio.timeout(60):
                while here.told[-1] != ConditionsAre(frozenset({"printer-paper-empty"})):
                    await asyncio.sleep(0.01)
            return job

        job = await begun()
        printer.paper_out = False
        assert getattr(await job, "outcome", None) is Outcome.PRINTED
        job = await begun()
        job.cancel()
        await asyncio.wait({job})
        assert here.task is not None
        async with asyncio.timeout(60):
            await asyncio.wait({here.task})
        assert isinstance(here.ended, Gone)
        assert (printer.cancelled, printer.waiting, len(printer.printed)) == (1, [], 1)


async def test_a_cable_pulled_out_leaves_it_unknown_only_when_something_was_sent() -> None:
    printer = LabelDouble()
    async with served(printer) as here:
        job = asyncio.create_task(here.driver.print(LABEL))
        async with asyncio.timeout(60):
            while not printer.waiting:
                await asyncio.sleep(0)
        assert printer.wire is not None
        printer.wire.cut()
        assert (await job).outcome is Outcome.UNKNOWN
        assert (await here.driver.print(LABEL)).outcome is Outcome.NOT_BEGUN


async def test_half_a_label_of_a_former_life_is_cancelled_before_the_next_one() -> None:
    printer = LabelDouble()
    async with served(printer) as here:
        ended = await here.driver.print(replace(LABEL, after_torn=True))
        assert ended.outcome is Outcome.PRINTED
        assert printer.cancelled == 1
        assert len(printer.printed) == 1
        await here.driver.print(LABEL)
        assert printer.cancelled == 1


async def test_half_a_label_that_a_broken_line_left_is_cancelled_before_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    printer = LabelDouble()
    async with served(printer) as here:
        write = here.driver._write

        async def breaks(data: bytes) -> None:
            if data.startswith(b"^XA"):
                raise Gone("the line broke")
            await write(data)

        with monkeypatch.context() as patch:
            patch.setattr(here.driver, "_write", breaks)
            assert (await here.driver.print(LABEL)).outcome is Outcome.UNKNOWN
        assert printer.cancelled == 0
        assert (await here.driver.print(LABEL)).outcome is Outcome.PRINTED
        assert printer.cancelled == 1


async def test_one_that_never_answers_says_what_to_set() -> None:
    printer = LabelDouble()
    printer.mute = True
    async with served(printer) as here:
        assert isinstance(here.ended, Unreachable)
        assert 'status = "none"' in str(here.ended)
    async with served(printer, status="none") as here:
        ended = await here.driver.print(LABEL)
        assert (ended.outcome, ended.confirmed) == (Outcome.PRINTED, False)
        refused = await here.driver.print(Layout("", (Text("x"),), width_mm=3))
        assert refused.outcome is Outcome.REFUSED


@pytest.mark.parametrize("options", [{"width_mm": 5}, {"status": "x"}, {"columns": 3}])
def test_settings_that_can_not_be_meant_are_refused(options: dict[str, Option]) -> None:
    with pytest.raises(Misconfigured):
        ZplPrinter(LabelDouble(), WORLD, print, options)
