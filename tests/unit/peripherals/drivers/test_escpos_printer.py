"""The printer driver at a printer that misbehaves as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from devices.peripherals.drivers.escpos_printer import EscposPrinter
from devices.peripherals.drivers.printer_drawer import PrinterDrawer
from devices.peripherals.escpos.session import WINDOW_BYTES, Pace
from devices.peripherals.model import (
    ConditionsAre,
    DrawerMoved,
    Gone,
    HangsOn,
    Identity,
    Misconfigured,
    Option,
    Outcome,
    PeripheralError,
    Told,
    Unfit,
    Unreachable,
    World,
)
from hub.clock import SystemClock, SystemRandomness
from hub.documents.layout import Barcode, Layout, Text
from tests.unit.peripherals.drivers.printerdouble import BUFFER_BYTES, PrinterDouble

WORLD = World(SystemClock(), SystemRandomness())
QUICK = Pace(answer_s=0.3, poll_s=0.05, progress_s=2.0)
LONG = Layout("", tuple(Text(f"Line {n:04} of a long paper") for n in range(400)))
SHORT = Layout("", (Text("Short"),))


class Served:
    """A driver that is served, and what it told."""

    def __init__(self, printer: PrinterDouble, **options: Option) -> None:
        self.told: list[Told] = []
        self.printer = printer
        self.driver = EscposPrinter(printer, WORLD, self.told.append, options, pace=QUICK)
        self.ended: PeripheralError | None = None
        self._task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        ready = asyncio.Event()

        async def serve() -> None:
            try:
                await self.driver.serve(lambda _: ready.set())
            except PeripheralError as error:
                self.ended = error
                ready.set()

        self.ended = None
        self._task = asyncio.create_task(serve())
        async with asyncio.timeout(60):
            await ready.wait()
        if self.ended is not None:
            raise self.ended

    async def gone(self) -> None:
        assert self._task is not None
        async with asyncio.timeout(60):
            await asyncio.wait({self._task})

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.printer.close()


@pytest_asyncio.fixture
async def here() -> AsyncIterator[Served]:
    served = Served(PrinterDouble())
    await served.connect()
    yield served
    await served.close()


async def until_waiting(printer: PrinterDouble) -> None:
    async with asyncio.timeout(60):
        while not printer.waiting:
            await asyncio.sleep(0.01)


async def stopped_in_mid_job(served: Served) -> asyncio.Task[object]:
    """A long job at a printer whose paper ended on the way."""
    printer = served.printer
    job: asyncio.Task[object] = asyncio.create_task(served.driver.print(LONG))
    async with asyncio.timeout(60):
        while b"Line 0050" not in printer.done:
            await asyncio.sleep(0)
    printer.stopped = True
    await until_waiting(printer)
    return job


async def test_a_small_buffer_is_never_drowned_while_it_is_stopped(here: Served) -> None:
    job = await stopped_in_mid_job(here)
    await asyncio.sleep(0.3)
    assert len(here.printer.waiting) <= WINDOW_BYTES + 64 < BUFFER_BYTES
    await here.printer.resume()
    ended = await job
    assert getattr(ended, "outcome", None) is Outcome.PRINTED
    assert here.printer.done.count(b"Line ") == 400


async def test_a_job_that_is_given_up_tells_the_printer_to_forget_it(here: Served) -> None:
    job = await stopped_in_mid_job(here)
    job.cancel()
    await asyncio.wait({job})
    await here.gone()
    assert isinstance(here.ended, Gone)
    assert here.printer.cleared == 1
    assert not here.printer.waiting
    here.printer.stopped = False
    printed = here.printer.done.count(b"Line ")
    await here.connect()
    assert (await here.driver.print(SHORT)).outcome is Outcome.PRINTED
    assert here.printer.done.count(b"Line ") == printed
    after = bytes(here.printer.done[here.printer.done.rindex(b"Line ") :])
    assert b"\x00" * 2400 in after, "what a broken command may still want"
    assert after.index(b"\x1dVA") < after.index(b"Short"), "half a paper is cut off first"


async def test_what_the_hub_of_before_left_on_the_paper_is_cut_off_once(here: Served) -> None:
    assert (await here.driver.print(replace(SHORT, after_torn=True))).outcome is Outcome.PRINTED
    first = bytes(here.printer.done)
    assert first.index(b"\x1dVA") < first.index(b"Short")
    assert (await here.driver.print(SHORT)).outcome is Outcome.PRINTED
    assert b"\x1dVA" not in here.printer.done[len(first) :]


async def test_a_cable_that_is_pulled_out_in_mid_job_leaves_it_unknown(here: Served) -> None:
    job = await stopped_in_mid_job(here)
    here.printer.cut()
    ended = await job
    assert getattr(ended, "outcome", None) is Outcome.UNKNOWN
    await here.gone()
    assert here.told[-1] == ConditionsAre(frozenset({"printer-offline"}))
    assert (await here.driver.print(SHORT)).outcome is Outcome.NOT_BEGUN


async def test_paper_that_ends_before_the_first_line_is_waited_for_and_can_be_given_up(
    here: Served,
) -> None:
    """The status was well and the head is not worked on: nothing that prints has gone out."""
    here.printer.deaf_to_confirm = True
    ended = await here.driver.print(SHORT)
    assert ended.outcome is Outcome.NOT_BEGUN
    assert "GS r" in ended.reason
    assert b"Short" not in here.printer.done


async def test_a_printer_that_falls_silent_is_let_go(here: Served) -> None:
    here.printer.mute = True
    await here.gone()
    assert isinstance(here.ended, Gone)
    assert "answered" in str(here.ended)


async def test_a_printer_that_never_answers_says_what_to_set() -> None:
    printer = PrinterDouble()
    printer.mute = True
    served = Served(printer)
    with pytest.raises(Unreachable, match='status = "none"'):
        await served.connect()
    await served.close()
    served = Served(printer, status="none")
    await served.connect()
    ended = await served.driver.print(SHORT)
    assert (ended.outcome, ended.confirmed) == (Outcome.PRINTED, False)
    assert served.driver.capabilities.confirms is False
    await served.close()


async def test_what_can_not_be_printed_is_refused_before_a_byte_is_sent(here: Served) -> None:
    ended = await here.driver.print(Layout("", (Text("x"), Barcode("ean13", "123"))))
    assert ended.outcome is Outcome.REFUSED
    assert "ean13" in ended.reason
    assert b"\x1b@" not in here.printer.done


async def test_unknown_profiles_are_unfit() -> None:
    served = Served(PrinterDouble(), profile="TM-T9999")
    with pytest.raises(Unfit, match="TM-T20II"):
        await served.connect()
    await served.close()


@pytest.mark.parametrize(
    "options",
    [
        {"width_mm": 70},
        {"width_mm": True},
        {"columns": 12},
        {"cutter": "yes"},
        {"status": "some"},
        {"qr": 1},
        {"profile": 3},
        {"strange": 1},
    ],
)
def test_settings_that_can_not_be_meant_are_refused(options: dict[str, Option]) -> None:
    with pytest.raises(Misconfigured):
        EscposPrinter(PrinterDouble(), WORLD, print, options)


def test_its_width_is_known_before_it_is_there() -> None:
    narrow = EscposPrinter(PrinterDouble(), WORLD, print, {"width_mm": 58, "cutter": False})
    assert narrow.capabilities.width_mm == 58
    assert "papercut" not in narrow.capabilities.names
    assert narrow.capabilities.confirms


# Drawers on it -------------------------------------------------------------------------------


def drawer_at(served: Served, told: list[Told], **options: Option) -> PrinterDrawer:
    drawer = PrinterDrawer(served.printer, WORLD, told.append, options)
    assert isinstance(drawer, HangsOn)
    drawer.hang_on(served.driver)
    return drawer


def is_open(drawer: PrinterDrawer) -> bool | None:
    return drawer.opened


async def test_a_drawer_is_kicked_on_its_pin_and_seen_to_open_and_close(here: Served) -> None:
    told: list[Told] = []
    drawer = drawer_at(here, told, pin=5, pulse_ms=120, sensor="open-high")
    ready = asyncio.Event()
    identities: list[Identity] = []

    def is_ready(identity: Identity) -> None:
        identities.append(identity)
        ready.set()

    serving = asyncio.create_task(drawer.serve(is_ready))
    async with asyncio.timeout(60):
        await ready.wait()
    ended = await drawer.open()
    assert (ended.outcome, ended.confirmed) == (Outcome.PRINTED, True)
    assert b"\x1bp\x01\x3c\x64" in here.printer.done
    assert is_open(drawer)
    assert told[-2:] == [ConditionsAre(frozenset({"drawer-open"})), DrawerMoved(True)]
    here.printer.pin3_high = False
    async with asyncio.timeout(60):
        while is_open(drawer):
            await asyncio.sleep(0.01)
    assert told[-1] == DrawerMoved(False)
    here.printer.cut()
    with pytest.raises(Gone):
        await serving
    assert is_open(drawer) is None
    assert (await drawer.open()).outcome is Outcome.NOT_BEGUN


async def test_a_drawer_without_a_contact_is_taken_for_open_when_the_pulse_was_sent(
    here: Served,
) -> None:
    drawer = drawer_at(here, [])
    ended = await drawer.open()
    assert (ended.outcome, ended.confirmed) == (Outcome.PRINTED, False)
    assert drawer.opened is None
    assert b"\x1bp\x00" in here.printer.done


async def test_no_pulse_waits_in_a_printer_without_paper(here: Served) -> None:
    here.printer.stopped = True
    drawer = drawer_at(here, [])
    assert (await drawer.open()).outcome is Outcome.NOT_BEGUN
    await here.printer.resume()
    assert b"\x1bp" not in here.printer.done


@pytest.mark.parametrize(
    "options", [{"pin": 3}, {"pulse_ms": 5}, {"sensor": "maybe"}, {"pin": "2"}]
)
def test_drawers_that_can_not_be_meant_are_refused(options: dict[str, Option]) -> None:
    with pytest.raises(Misconfigured):
        PrinterDrawer(PrinterDouble(), WORLD, print, options)
