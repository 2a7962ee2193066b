"""A printer is claimed by raw USB, written to in bounded pieces, and given back as it was found."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devices.peripherals.model import Gone, Identity, Unreachable
from devices.peripherals.transports import usbclaim
from devices.peripherals.transports.ieee1284 import introduced
from devices.peripherals.transports.usbclaim import PIECE_BYTES
from devices.peripherals.transports.usblp import UsbConnector
from devices.peripherals.transports.usbraw import UsbRawConnector, UsbRawWire
from tests.wire.peripherals.plugs import Box
from tests.wire.peripherals.usbfake import FakePrinter, FakeUsb

EPSON = b"MFG:EPSON;CMD:ESC/POS;MDL:TM-T20II;CLS:PRINTER;"


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def plugged(box: Box, printer: FakePrinter, port: str = "1-1", serial: str = "X1") -> FakePrinter:
    box.raw_printer(port, printer.address, serial=serial, driver=printer.driver)
    return printer


def leading_to(
    box: Box, *printers: FakePrinter, serial: str = "X1", port: str = ""
) -> UsbRawConnector:
    usb = FakeUsb(*printers)
    address = f"usb-raw://04b8:0e15/{serial}"
    return UsbRawConnector(
        address, "04b8", "0e15", serial, port, box.roots, usb=lambda: usb, check_every_s=0.02
    )


@asynccontextmanager
async def opened(box: Box, printer: FakePrinter) -> AsyncIterator[UsbRawWire]:
    wire = await leading_to(box, plugged(box, printer)).open()
    try:
        yield wire
    finally:
        await wire.close()


async def test_the_driver_that_has_it_is_sent_away_and_gets_it_back(box: Box) -> None:
    printer = FakePrinter(1, 5, driver="usblp", device_id=EPSON)
    async with opened(box, printer) as wire:
        assert printer.calls == ["open", "detach", "claim", "device id"]
        assert (printer.driver, printer.claimed, printer.opened) == ("", {0}, 1)
        await wire.write(b"hello")
        assert printer.paper == b"hello"
    assert printer.calls[-2:] == ["release", "attach"]
    assert (printer.driver, printer.claimed, printer.opened) == ("usblp", set(), 0)
    await wire.close()
    assert printer.opened == 0


async def test_one_without_a_driver_is_left_without(box: Box) -> None:
    printer = FakePrinter(1, 5)
    async with opened(box, printer):
        pass
    assert printer.calls == ["open", "claim", "device id", "release"]


async def test_it_says_what_it_is(box: Box) -> None:
    async with opened(box, FakePrinter(1, 5, device_id=EPSON)) as wire:
        assert introduced(wire) == Identity("EPSON", "TM-T20II", serial="X1")


async def test_one_that_does_not_say_what_it_is_is_used_all_the_same(box: Box) -> None:
    printer = FakePrinter(1, 5, refusing={"device id": errno.EPIPE})
    async with opened(box, printer) as wire:
        assert introduced(wire) == Identity(serial="X1")
        await wire.write(b"hello")
    assert printer.paper == b"hello"


async def test_the_bidirectional_setting_of_the_printers_interface_is_taken(box: Box) -> None:
    storage, ipp = [(8, 80)], (7, 4)
    printer = FakePrinter(1, 5, interfaces=[storage, [(7, 1), (7, 2), ipp]], configured=False)
    async with opened(box, printer) as wire:
        assert printer.calls == ["open", "configure 1", "claim", "set 1 1", "device id"]
        assert printer.claimed == {1}
        await wire.write(b"x")


async def test_what_is_no_printer_that_takes_bytes_is_refused_and_let_go(box: Box) -> None:
    printer = plugged(box, FakePrinter(1, 5, interfaces=[[(7, 4)]]))
    with pytest.raises(Unreachable, match="no printer interface that takes bytes"):
        await leading_to(box, printer).open()
    assert printer.opened == 0


# Writing and reading -----------------------------------------------------------------------------


async def test_a_job_goes_out_in_bounded_pieces_whole_and_in_order(box: Box) -> None:
    job = bytes(n % 251 for n in range(5 * PIECE_BYTES + 7))
    printer = FakePrinter(1, 5, takes=[700, 0, 0, 64, 1 << 20])
    async with opened(box, printer) as wire:
        await wire.write(job)
    assert printer.paper == job
    assert max(printer.transfers) == PIECE_BYTES


async def test_a_printer_that_takes_nothing_is_waited_for(box: Box) -> None:
    printer = FakePrinter(1, 5, takes=[0])
    async with opened(box, printer) as wire:
        writing = asyncio.create_task(wire.write(b"hello"))
        while printer.calls.count("write") < 3:
            await asyncio.sleep(0.01)
        assert not writing.done()
        printer.takes = [1 << 20]
        await asyncio.wait_for(writing, 30)
    assert printer.paper == b"hello"


async def test_a_cancelled_write_sends_no_more_than_the_piece_under_way(box: Box) -> None:
    printer = FakePrinter(1, 5)
    printer.may_send.clear()
    async with opened(box, printer) as wire:
        writing = asyncio.create_task(wire.write(bytes(4 * PIECE_BYTES)))
        assert await asyncio.to_thread(printer.sending.wait, 30)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        after = asyncio.create_task(wire.write(b"after"))
        await asyncio.sleep(0)
        printer.may_send.set()
        await asyncio.wait_for(after, 30)
    assert printer.paper == bytes(PIECE_BYTES) + b"after"


async def test_a_cancelled_read_loses_nothing(box: Box) -> None:
    printer = FakePrinter(1, 5)
    async with opened(box, printer) as wire:
        reading = asyncio.create_task(wire.read())
        await asyncio.sleep(0.01)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        printer.answer(b"\x12")
        printer.answer(b"status")
        assert await asyncio.wait_for(wire.read(), 30) == b"\x12"
        assert await asyncio.wait_for(wire.read(3), 30) == b"sta"
        assert await asyncio.wait_for(wire.read(), 30) == b"tus"


async def test_it_is_read_while_it_is_written_to_and_by_one_at_a_time(box: Box) -> None:
    printer = FakePrinter(1, 5)
    printer.may_send.clear()
    async with opened(box, printer) as wire:
        writing = asyncio.create_task(wire.write(b"hello"))
        assert await asyncio.to_thread(printer.sending.wait, 30)
        with pytest.raises(RuntimeError, match="written to already"):
            await wire.write(b"x")
        printer.answer(b"!")
        assert await asyncio.wait_for(wire.read(), 30) == b"!"
        reading = asyncio.create_task(wire.read())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="being read already"):
            await wire.read()
        printer.may_send.set()
        await asyncio.wait_for(writing, 30)
    with pytest.raises(Gone, match="closed here"):
        await asyncio.wait_for(reading, 30)


# Going away --------------------------------------------------------------------------------------


async def test_unplugged_in_the_middle_of_a_transfer_it_is_gone(box: Box) -> None:
    printer = FakePrinter(1, 5, driver="usblp", takes=[700])
    printer.may_send.clear()
    async with opened(box, printer) as wire:
        reading = asyncio.create_task(wire.read())
        writing = asyncio.create_task(wire.write(bytes(PIECE_BYTES)))
        assert await asyncio.to_thread(printer.sending.wait, 30)
        printer.unplug()
        printer.may_send.set()
        for one in (writing, reading):
            with pytest.raises(Gone, match="unplugged or switched off"):
                await asyncio.wait_for(one, 30)
        with pytest.raises(Gone, match="unplugged"):
            await wire.write(b"x")
    assert printer.opened == 0


async def test_a_printer_that_can_only_be_written_to_is_gone_when_sysfs_says_so(box: Box) -> None:
    printer = FakePrinter(1, 5, interfaces=[[(7, 1)]])
    async with opened(box, printer) as wire:
        reading = asyncio.create_task(wire.read())
        await wire.write(b"hello")
        assert not reading.done()
        box.pull_out("1-1")
        with pytest.raises(Gone, match="unplugged"):
            await asyncio.wait_for(reading, 30)


async def test_one_that_takes_nothing_is_gone_when_sysfs_says_so(box: Box) -> None:
    async with opened(box, FakePrinter(1, 5, takes=[0])) as wire:
        writing = asyncio.create_task(wire.write(b"hello"))
        box.pull_out("1-1")
        with pytest.raises(Gone, match="unplugged"):
            await asyncio.wait_for(writing, 30)


async def test_an_endpoint_that_stalls_is_cleared_for_whoever_opens_it_next(box: Box) -> None:
    printer = FakePrinter(1, 5, refusing={"write": errno.EPIPE})
    async with opened(box, printer) as wire:
        with pytest.raises(Gone, match="Broken pipe"):
            await wire.write(b"x")
        assert printer.calls[-1] == "clear 02"


async def test_closing_waits_for_the_transfer_under_way_and_survives_cancellation(
    box: Box,
) -> None:
    printer = FakePrinter(1, 5, driver="usblp")
    printer.may_send.clear()
    async with opened(box, printer) as wire:
        writing = asyncio.create_task(wire.write(bytes(4 * PIECE_BYTES)))
        assert await asyncio.to_thread(printer.sending.wait, 30)
        closing = asyncio.create_task(wire.close())
        await asyncio.sleep(0.01)
        assert printer.opened == 1
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        printer.may_send.set()
        await asyncio.wait_for(wire.close(), 30)
        with pytest.raises(Gone, match="closed here"):
            await writing
    assert printer.paper == bytes(PIECE_BYTES)
    assert (printer.driver, printer.opened) == ("usblp", 0)


async def test_a_device_that_refuses_everything_is_closed_without_a_word(box: Box) -> None:
    printer = FakePrinter(1, 5, driver="usblp")
    async with opened(box, printer):
        printer.refusing = {"release": errno.EIO, "attach": errno.EBUSY}
    assert printer.opened == 0


async def test_a_transfer_that_never_ends_leaves_the_device_claimed_and_says_so(
    box: Box, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(usbclaim, "RELEASE_WAIT_S", 0.02)
    printer = FakePrinter(1, 5)
    printer.may_send.clear()
    async with opened(box, printer) as wire:
        writing = asyncio.create_task(wire.write(b"x"))
        assert await asyncio.to_thread(printer.sending.wait, 30)
        await wire.close()
        assert "Restart the hub" in caplog.text
        printer.may_send.set()
        await asyncio.gather(writing, return_exceptions=True)
    while any(one.name.startswith("usb-raw") for one in threading.enumerate()):
        await asyncio.sleep(0.01)


# What stands in the way --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refusing", "step"),
    [
        ({"open": errno.EACCES}, r'group lp. If .*70-printer.rules.*"04b8".*GROUP="lp"'),
        ({"claim": errno.EBUSY}, "in use by another program"),
        ({"open": errno.ENODEV}, "is it plugged in"),
        ({"detach": errno.EIO}, "is it plugged in"),
    ],
)
async def test_what_is_refused_is_told_with_a_next_step_and_undone(
    box: Box, refusing: dict[str, int], step: str
) -> None:
    printer = plugged(box, FakePrinter(1, 5, driver="usblp", refusing=refusing))
    with pytest.raises(Unreachable, match=step):
        await leading_to(box, printer).open()
    assert (printer.driver, printer.claimed, printer.opened) == ("usblp", set(), 0)


async def test_another_program_that_has_it_is_not_robbed(box: Box) -> None:
    printer = plugged(box, FakePrinter(1, 5, driver="usbfs"))
    with pytest.raises(Unreachable, match="in use by another program"):
        await leading_to(box, printer).open()
    assert "detach" not in printer.calls


async def test_without_libusb_it_is_told_what_to_install(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_name: str) -> None:
        raise OSError("cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    plugged(box, FakePrinter(1, 5))
    connector = UsbRawConnector("usb-raw://04b8:0e15", "04b8", "0e15", roots=box.roots)
    with pytest.raises(Unreachable, match=r"install libusb-1\.0-0"):
        await connector.open()


async def test_one_that_libusb_does_not_see_is_told(box: Box) -> None:
    plugged(box, FakePrinter(1, 5))
    with pytest.raises(Unreachable, match="libusb doesn't see /dev/bus/usb/001/005"):
        await leading_to(box, FakePrinter(1, 6)).open()


async def test_twins_are_told_apart_by_their_serial_numbers(box: Box) -> None:
    one = plugged(box, FakePrinter(1, 5), "1-1", "X1")
    other = plugged(box, FakePrinter(1, 6), "1-2", "X2")
    wire = await leading_to(box, one, other, serial="X2").open()
    await wire.write(b"hello")
    await wire.close()
    assert (bytes(one.paper), bytes(other.paper)) == (b"", b"hello")
    with pytest.raises(Unreachable, match=r"not plugged in or .* usb-raw://04b8:0e15/X1, usb-raw"):
        await leading_to(box, one, other, serial="X3").open()


async def test_twins_without_serial_numbers_are_told_apart_by_their_sockets(box: Box) -> None:
    one = plugged(box, FakePrinter(1, 5), "1-1", "")
    other = plugged(box, FakePrinter(1, 6), "1-2", "")
    with pytest.raises(Unreachable, match=r"fits 2 printers: .*\?port=1-1, .*\?port=1-2"):
        await leading_to(box, one, other, serial="").open()
    wire = await leading_to(box, one, other, serial="", port="1-2").open()
    await wire.write(b"hello")
    await wire.close()
    assert (bytes(one.paper), bytes(other.paper)) == (b"", b"hello")


async def test_cancelled_while_it_is_opened_it_is_given_back(box: Box) -> None:
    printer = plugged(box, FakePrinter(1, 5, driver="usblp"))
    opening = asyncio.create_task(leading_to(box, printer).open())
    while not printer.opened:
        await asyncio.sleep(0)
    opening.cancel()
    done = (await asyncio.gather(opening, return_exceptions=True))[0]
    if isinstance(done, UsbRawWire):
        await done.close()
    async with asyncio.timeout(30):
        while printer.opened:
            await asyncio.sleep(0.01)
    assert printer.driver == "usblp"


async def test_by_the_drivers_name_one_without_driver_is_told_its_raw_address(box: Box) -> None:
    plugged(box, FakePrinter(1, 5))
    with pytest.raises(Unreachable, match=r"modprobe usblp, or give it .* usb-raw://04b8:0e15/X1"):
        await UsbConnector("usb://04b8:0e15", vendor="04b8", product="0e15", roots=box.roots).open()
