"""The printer driver against an emulated printer: how each job ends, and what is on the paper."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from PIL import Image

from devices.peripherals.drivers.printer_drawer import PrinterDrawer
from devices.peripherals.model import (
    ConditionsAre,
    DrawerMoved,
    Gone,
    Identity,
    Outcome,
    Unreachable,
)
from hub.clock import SystemRandomness
from hub.contract.conditions import Condition
from hub.documents.layout import Barcode, Layout, QrCode, Text
from scripts.rig import free_port
from scripts.rig.emulated import Emulator, Fault
from tests.wire.peripherals.emulated import (
    PATIENCE_S,
    PRINTERS,
    WORLD,
    Bench,
    HookedConnector,
    Listener,
    bench,
    many_printers,
    receipt,
)

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("emulated-printers"),
    # The loop's threads and the emulator are there for the whole module.
    pytest.mark.may_leak,
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def emulator(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Emulator]:
    async with many_printers(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(scope="module")
def fresh() -> Iterator[str]:
    return iter(PRINTERS)


@pytest.fixture
def unused(fresh: Iterator[str]) -> str:
    """A printer that nothing was printed on."""
    return next(fresh)


@pytest_asyncio.fixture(loop_scope="module")
async def powered(emulator: Emulator) -> AsyncIterator[Emulator]:
    """For tests that switch it off: it is on again afterwards."""
    yield emulator
    if not emulator.alive:
        await emulator.start()


STOPS: list[tuple[Fault, Condition]] = [
    ("paper-out", "printer-paper-empty"),
    ("cover-open", "printer-cover-open"),
    ("offline", "printer-offline"),
]


async def test_a_receipt_is_printed_once_and_confirmed(emulator: Emulator, unused: str) -> None:
    async with bench(emulator, unused) as here:
        assert here.identity == Identity("EPSON", "TM-T20III")
        ended = await here.driver.print(receipt())
        assert (ended.outcome, ended.confirmed) == (Outcome.PRINTED, True)
        (paper,) = await here.texts()
        assert [line.split() for line in paper.splitlines()] == [
            ["CORNER", "SHOP"],
            ["─" * 48],
            *(["Item", "number", f"{n}", f"{n}.99"] for n in (1, 2, 3)),
            ["─" * 48],
            ["TOTAL", "123.45"],
            ["Thank", "you"],
        ]
        assert (await here.emulator.receipts(here.name))[0].boundary == "cut"
        assert here.heard.conditions == frozenset()


async def test_every_script_leaves_ink_on_the_paper(emulator: Emulator, unused: str) -> None:
    blocks = (
        Text("Grüße, žluťoučký kůň, 5 €, Молоко"),
        Text("日本茶"),
        Text("قهوة عربية"),
        Barcode("ean13", "4006381333931"),
        QrCode("https://example.org/r/1"),
    )
    async with bench(emulator, unused) as here:
        assert (await here.driver.print(Layout("", blocks))).outcome is Outcome.PRINTED
        text = await here.emulator.text(here.name)
        assert text.count("[image") == 2
        assert "Grüße, žluťoučký kůň, 5 €, Молоко" in text
        assert "[barcode EAN-13 4006381333931]" in text
        assert "[qr https://example.org/r/1]" in text
        with Image.open(io.BytesIO(await here.emulator.png(here.name))) as picture:
            assert picture.width == 576
            black = picture.convert("L").histogram()[0]
        assert black > 10_000


@pytest.mark.parametrize(("fault", "condition"), STOPS)
async def test_a_stopped_printer_is_given_nothing(
    emulator: Emulator, unused: str, fault: Fault, condition: Condition
) -> None:
    async with bench(emulator, unused) as here:
        await here.fault(fault)
        await here.heard.until(lambda: here.heard.conditions == {condition})
        ended = await here.driver.print(receipt())
        assert ended.outcome is Outcome.NOT_BEGUN
        assert ended.reason
        await here.fault(fault, on=False)
        await here.heard.until(lambda: not here.heard.conditions)
        assert await here.texts() == []
        assert (await here.driver.print(receipt())).outcome is Outcome.PRINTED
        assert len(await here.texts()) == 1


@pytest.mark.parametrize(("fault", "condition"), STOPS)
async def test_a_job_that_is_stopped_goes_on_when_it_can(
    emulator: Emulator, unused: str, fault: Fault, condition: Condition
) -> None:
    async with bench(emulator, unused) as here:
        come = here.before_line("Item number 60 ")
        job = asyncio.create_task(here.driver.print(receipt(200)))
        async with asyncio.timeout(PATIENCE_S):
            await come.wait()
        await here.fault(fault)
        here.go_on.set()
        await here.heard.until(lambda: here.heard.conditions == {condition})
        assert not job.done()
        await here.fault(fault, on=False)
        async with asyncio.timeout(PATIENCE_S):
            ended = await job
        assert (ended.outcome, ended.confirmed) == (Outcome.PRINTED, True)
        assert here.heard.conditions == frozenset()
        (paper,) = await here.texts()
        assert [paper.count(f"Item number {n} ") for n in range(1, 201)] == [1] * 200


async def test_a_job_that_is_given_up_is_not_printed_later(emulator: Emulator, unused: str) -> None:
    """Only what the printer had in its buffer comes out: without the end and without a cut."""
    async with bench(emulator, unused) as here:
        come = here.before_line("Item number 60 ")
        job = asyncio.create_task(here.driver.print(receipt(200)))
        async with asyncio.timeout(PATIENCE_S):
            await come.wait()
        await here.fault("paper-out")
        here.go_on.set()
        await here.heard.until(lambda: "printer-paper-empty" in here.heard.conditions)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        await here.disconnected()
        assert isinstance(here.ended[-1], Gone)
        await here.fault("paper-out", on=False)
        await here.connect()
        ended = await here.driver.print(receipt(title="THE NEXT"))
        assert ended.outcome is Outcome.PRINTED
        given_up, following = await here.texts()
        assert "TOTAL" not in given_up
        assert "Item number 59 " in given_up
        assert "Item number 180 " not in given_up
        assert "THE NEXT" in following
        assert "TOTAL" in following


async def test_a_printer_that_loses_power_in_mid_job_leaves_it_unknown(
    powered: Emulator, unused: str
) -> None:
    async with bench(powered, unused) as here:
        come = here.before_line("Item number 60 ")
        job = asyncio.create_task(here.driver.print(receipt(200)))
        async with asyncio.timeout(PATIENCE_S):
            await come.wait()
        await here.emulator.kill()
        here.go_on.set()
        async with asyncio.timeout(PATIENCE_S):
            ended = await job
        assert ended.outcome is Outcome.UNKNOWN
        await here.disconnected()
        assert here.heard.all[-1] == ConditionsAre(frozenset({"printer-offline"}))
        assert (await here.driver.print(receipt())).outcome is Outcome.NOT_BEGUN


async def test_power_lost_before_the_first_line_leaves_nothing_unknown(
    powered: Emulator, unused: str
) -> None:
    async with bench(powered, unused) as here:
        come = here.before_line("\x1b@")
        job = asyncio.create_task(here.driver.print(receipt()))
        async with asyncio.timeout(PATIENCE_S):
            await come.wait()
        await here.emulator.kill()
        here.go_on.set()
        async with asyncio.timeout(PATIENCE_S):
            ended = await job
        assert ended.outcome is Outcome.NOT_BEGUN


async def test_power_lost_after_the_confirmation_changes_nothing(
    powered: Emulator, unused: str
) -> None:
    async with bench(powered, unused) as here:
        assert (await here.driver.print(receipt())).outcome is Outcome.PRINTED
        assert len(await here.texts()) == 1
        await here.emulator.kill()
        await here.disconnected()
        await here.emulator.start()
        await here.connect()
        assert (await here.driver.print(receipt())).outcome is Outcome.PRINTED
        assert len(await here.texts()) == 2


async def test_a_printer_that_is_off_can_not_be_reached(emulator: Emulator, unused: str) -> None:
    here = Bench(emulator, unused)
    here.connector = HookedConnector(free_port(SystemRandomness()))
    here.driver.connector = here.connector
    with pytest.raises(Unreachable):
        await here.connect()
    assert here.heard.conditions == {"printer-offline"}
    assert (await here.driver.print(receipt())).outcome is Outcome.NOT_BEGUN


async def test_paper_that_comes_to_its_end_is_told_between_jobs_and_printed_on(
    emulator: Emulator, unused: str
) -> None:
    async with bench(emulator, unused) as here:
        await here.fault("paper-near-end")
        await here.heard.until(lambda: here.heard.conditions == {"printer-paper-near-end"})
        assert (await here.driver.print(receipt())).outcome is Outcome.PRINTED


async def test_a_drawer_opens_at_once_or_not_at_all(emulator: Emulator, unused: str) -> None:
    async with bench(emulator, unused) as here:
        await here.fault("paper-out")
        assert (await here.driver.kick(2, 100)).outcome is Outcome.NOT_BEGUN
        await here.fault("paper-out", on=False)
        await here.heard.until(lambda: not here.heard.conditions)
        assert (await here.emulator.state(here.name))["drawer"] == "closed"
        assert (await here.driver.kick(3, 100)).outcome is Outcome.REFUSED
        assert (await here.driver.kick(5, 200)).outcome is Outcome.PRINTED
        assert (await here.emulator.state(here.name))["drawer"] == "open"
        assert b"\x1bp\x01\x64\x64" in here.connector.written
        assert b"\x1bp\x00" not in here.connector.written
        assert await here.texts() == []


async def test_a_drawer_is_seen_to_open_and_to_be_shut(emulator: Emulator, unused: str) -> None:
    async with bench(emulator, unused) as here:
        heard = Listener()
        drawer = PrinterDrawer(here.connector, WORLD, heard, {"pin": 2, "sensor": "open-high"})
        drawer.hang_on(here.driver)
        serving = asyncio.create_task(drawer.serve(lambda _: None))
        ended = await drawer.open()
        assert (ended.outcome, ended.confirmed) == (Outcome.PRINTED, True)
        assert DrawerMoved(True) in heard.all
        await here.emulator.close_drawer(here.name)
        await heard.until(lambda: DrawerMoved(False) in heard.all)
        assert drawer.opened is False
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_a_printer_that_never_answers_counts_as_having_printed(
    emulator: Emulator, unused: str
) -> None:
    async with bench(emulator, unused, {"status": "none"}) as here:
        ended = await here.driver.print(receipt())
        assert (ended.outcome, ended.confirmed) == (Outcome.PRINTED, False)
        assert b"\x10\x04" not in here.connector.written
        assert not here.driver.capabilities.confirms
        async with asyncio.timeout(PATIENCE_S):
            while not await here.texts():
                await asyncio.sleep(0.05)


async def test_a_command_that_was_broken_off_does_not_swallow_the_next_job(
    emulator: Emulator, unused: str
) -> None:
    """As after a crash in the middle of a picture: the printer waits for two thousand dots.

    The emulator keeps what it waits for apart for each connection, a printer doesn't: so the
    first bytes of a connection are the broken command.
    """
    here = Bench(emulator, unused)
    here.connector.before_first = b"\x1dv0\x00\x48\x00\x1e\x00" + b"\xff" * 100
    try:
        await here.connect()
        ended = await here.driver.print(receipt(title="WHOLE"))
        assert ended.outcome is Outcome.PRINTED
        (paper,) = await here.texts()
        assert "WHOLE" in paper
        assert "Item number 1 " in paper
    finally:
        await here.close()
