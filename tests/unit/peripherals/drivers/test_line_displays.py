"""Customer displays: what is sent for two lines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from devices.peripherals.drivers.cd5220_display import Cd5220Display
from devices.peripherals.drivers.escpos_display import EscposDisplay
from devices.peripherals.drivers.printer_drawer import PrinterDrawer
from devices.peripherals.escpos.twolines import TwoLines
from devices.peripherals.model import (
    ConditionsAre,
    Gone,
    HangsOn,
    Identity,
    Misconfigured,
    Told,
    World,
)
from devices.peripherals.transports.memory import MemoryWire, pair
from hub.clock import SystemClock, SystemRandomness
from tests.unit.peripherals.drivers.printerdouble import PrinterDouble
from tests.unit.peripherals.drivers.test_escpos_printer import Served

WORLD = World(SystemClock(), SystemRandomness())


class Cable:
    address = "memory://display"

    def __init__(self) -> None:
        self.far: MemoryWire | None = None

    async def open(self) -> MemoryWire:
        near, self.far = pair()
        return near

    async def sent(self) -> bytes:
        assert self.far is not None
        return await self.far.read(65536)


async def served(display: TwoLines) -> asyncio.Task[None]:
    ready = asyncio.Event()

    def is_ready(_: Identity) -> None:
        ready.set()

    task = asyncio.create_task(display.serve(is_ready))
    async with asyncio.timeout(60):
        await ready.wait()
    return task


@pytest.mark.parametrize(
    ("make", "beginning", "cursor"),
    [
        (EscposDisplay, b"\x1b@\x1bR\x00\x1f\x01\x1fC\x00\x0c", b"\x1f$\x01"),
        (Cd5220Display, b"\x1b@\x1b\x11\x1b_\x00\x0c", b"\x1bl\x01"),
    ],
)
async def test_two_lines_are_shown_in_full_and_shown_again_after_it_was_away(
    make: Callable[..., TwoLines], beginning: bytes, cursor: bytes
) -> None:
    cable, told = Cable(), list[Told]()
    display = make(cable, WORLD, told.append, {})
    with pytest.raises(Gone):
        await display.show(("too", "early"))
    serving = await served(display)
    assert (await cable.sent()).startswith(beginning)
    await display.show(("Grüße", "1,99 € for something very long"))
    expected = (
        cursor
        + b"\x01\x1bt\x00"
        + "Grüße".ljust(20).encode("cp437")
        + cursor
        + b"\x02\x1bt\x10"
        + "1,99 € for something very long"[:20].encode("cp1252")
    )
    assert await cable.sent() == expected
    assert cable.far is not None
    cable.far.cut()
    with pytest.raises(Gone):
        await serving
    assert told[-1] == ConditionsAre(frozenset({"display-offline"}))
    serving = await served(display)
    assert expected in await cable.sent()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_a_letter_that_the_display_lacks_is_a_question_mark_and_never_a_command() -> None:
    cable = Cable()
    display = EscposDisplay(cable, WORLD, print, {})
    serving = await served(display)
    await cable.sent()
    await display.show(("日本\x1b@\n5", ""))
    assert b"??" + b"?@ 5" in await cable.sent()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_a_display_behind_a_printer_is_spoken_to_through_it() -> None:
    printer = Served(PrinterDouble())
    await printer.connect()
    display = EscposDisplay(Cable(), WORLD, print, {})
    assert isinstance(display, HangsOn)
    display.hang_on(printer.driver)
    serving = await served(display)
    await display.show(("Total", "5.00"))
    async with asyncio.timeout(60):
        while b"\x1b=\x02\x1f$\x01\x01\x1bt\x00Total" not in printer.printer.done:
            await asyncio.sleep(0.01)
    assert printer.printer.done.endswith(b"\x1b=\x01")
    printer.printer.cut()
    with pytest.raises(Gone):
        await serving
    await printer.close()


def test_a_display_hangs_on_printers_only() -> None:
    display = EscposDisplay(Cable(), WORLD, print, {})
    with pytest.raises(Misconfigured):
        display.hang_on(PrinterDrawer(Cable(), WORLD, print, {}))
    with pytest.raises(Misconfigured):
        EscposDisplay(Cable(), WORLD, print, {"columns": 5})
