"""The receipt and label printers' drivers print by raw USB, lose the cable, and are ready again."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from usb.backend import IBackend

from devices.peripherals.drivers.escpos_printer import EscposPrinter
from devices.peripherals.drivers.zpl_printer import ZplPrinter
from devices.peripherals.keeper import Keeper
from devices.peripherals.model import Identity, Outcome, Phase, POSPrinter, World
from devices.peripherals.transports.usbclaim import Usb
from devices.peripherals.transports.usbraw import UsbRawConnector
from hub.clock import SystemClock, SystemRandomness
from hub.documents.layout import Layout, Text
from tests.wire.peripherals.plugs import Box
from tests.wire.peripherals.usbfake import FakePrinter, FakeUsb

HELLO = Layout("", (Text("Hello"),))


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not so():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("driver", [EscposPrinter, ZplPrinter])
async def test_it_prints_loses_its_cable_and_is_ready_again(
    tmp_path: Path, driver: type[POSPrinter]
) -> None:
    box = Box(tmp_path)
    box.raw_printer("1-1", 5, serial="X1")
    first = FakePrinter(1, 5, driver="usblp", device_id=b"MFG:Some;MDL:P1;")
    second = FakePrinter(1, 6, driver="usblp")
    usb = FakeUsb(first, second)
    connector = UsbRawConnector(
        "usb-raw://04b8:0e15/X1", "04b8", "0e15", "X1", roots=box.roots, usb=lambda: usb
    )
    world = World(SystemClock(), SystemRandomness())
    printer = driver(connector, world, lambda told: None, {"status": "none"})
    keeper = Keeper("it", printer)
    keeper.start()
    try:
        await until(lambda: keeper.ready)
        assert keeper.state.identity == Identity("Some", "P1", serial="X1")
        assert (await printer.print(HELLO)).outcome is Outcome.PRINTED
        assert len(first.paper) > 5

        first.may_send.clear()
        first.sending.clear()
        printing = asyncio.create_task(printer.print(HELLO))
        assert await asyncio.to_thread(first.sending.wait, 30)
        first.unplug()
        box.pull_out("1-1")
        first.may_send.set()
        assert (await asyncio.wait_for(printing, 60)).outcome is not Outcome.PRINTED
        await until(lambda: keeper.state.phase is Phase.LOST)

        box.raw_printer("1-1", 6, serial="X1")
        keeper.poke()
        await until(lambda: keeper.ready)
        assert (await printer.print(HELLO)).outcome is Outcome.PRINTED
        assert len(second.paper) > 5
    finally:
        await keeper.stop()
    assert (first.opened, second.opened, second.driver) == (0, 0, "usblp")


def test_pyusbs_backends_have_what_is_used_of_them() -> None:
    used = [name for name, _ in inspect.getmembers(Usb, inspect.isfunction) if name[0] != "_"]
    assert len(used) > 15
    assert [name for name in used if not hasattr(IBackend, name)] == []


def test_the_systems_library_can_be_asked_or_it_is_said_why_not() -> None:
    code = """\
from devices.peripherals.model import Unreachable
from devices.peripherals.transports.usbclaim import libusb
try:
    print(len(list(libusb().enumerate_devices())) >= 0)
except Unreachable as error:
    print("install" in str(error) or "/dev/bus/usb" in str(error))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
