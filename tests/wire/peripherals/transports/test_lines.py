"""Serial lines, USB printers and keyboard scanners, by ptys and pipes in the place of devices."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import termios
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from devices.peripherals.model import Gone, Unfit, Unreachable, Wire
from devices.peripherals.transports.address import Places, connector
from devices.peripherals.transports.fd import FdWire
from devices.peripherals.transports.hid import INPUT_EVENT, HidConnector
from devices.peripherals.transports.serial import SerialConnector
from devices.peripherals.transports.usblp import UsbConnector, UsbWire, usb_printers
from tests.wire.peripherals.plugs import Box, open_fds


@dataclass
class Pty:
    """The device's side of a line; ``path`` is the hub's."""

    device: int
    path: str

    def unplug(self) -> None:
        if self.device >= 0:
            os.close(self.device)
            self.device = -1


@pytest.fixture
def pty() -> Iterator[Pty]:
    device, line = os.openpty()
    # Raw from the start: what the device writes before anybody opens isn't echoed back to it.
    told = termios.tcgetattr(line)
    told[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(line, termios.TCSANOW, told)
    made = Pty(device, os.ttyname(line))
    os.close(line)
    yield made
    made.unplug()


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


async def ended(wire: Wire) -> bytes:
    """What was still read until it was gone."""
    got = b""
    with contextlib.suppress(Gone):
        while True:
            got += await wire.read()
    return got


# Serial lines ------------------------------------------------------------------------------------


async def test_bytes_go_both_ways_on_a_serial_line_untouched(pty: Pty) -> None:
    every_byte = bytes(range(256))
    wire = await connector(f"serial://{pty.path}").open()
    os.write(pty.device, every_byte)
    got = b""
    while len(got) < 256:
        got += await wire.read()
    assert got == every_byte
    await wire.write(every_byte)
    assert os.read(pty.device, 4096) == every_byte
    await wire.close()


async def test_a_line_is_set_up_as_its_address_says(pty: Pty) -> None:
    made = connector(f"serial://{pty.path}?baud=19200&stop=2&flow=xonxoff")
    wire = await made.open()
    assert isinstance(wire, FdWire)
    iflag, _, cflag, _, in_speed, out_speed, _ = termios.tcgetattr(wire.fd)
    assert (in_speed, out_speed) == (termios.B19200, termios.B19200)
    assert cflag & termios.CSTOPB
    assert iflag & termios.IXON
    await wire.close()


async def test_a_line_on_which_nothing_comes_is_waited_at(pty: Pty) -> None:
    wire = await connector(f"serial://{pty.path}").open()
    reading = asyncio.create_task(wire.read())
    await asyncio.sleep(0.05)
    assert not reading.done()
    os.write(pty.device, b"0.512 kg")
    assert await reading == b"0.512 kg"
    await wire.close()


async def test_a_line_that_is_open_already_is_refused_until_it_is_closed(pty: Pty) -> None:
    made = connector(f"serial://{pty.path}")
    wire = await made.open()
    with pytest.raises(Unreachable, match="in use by another program"):
        await made.open()
    await wire.close()
    await (await made.open()).close()


async def test_an_unplugged_line_is_gone_for_readers_and_for_writers(pty: Pty) -> None:
    wire = await connector(f"serial://{pty.path}").open()
    reading = asyncio.create_task(wire.read())
    await asyncio.sleep(0.01)
    pty.unplug()
    with pytest.raises(Gone, match="is gone"):
        await reading
    with pytest.raises(Gone):
        await wire.write(b"x")
    await wire.close()


async def test_what_is_no_line_is_refused_with_words(box: Box) -> None:
    places = Places(roots=box.roots)
    with pytest.raises(Unreachable, match="is not there"):
        await connector("serial:///dev/serial/by-id/usb-gone", places).open()
    with pytest.raises(Unreachable, match="no serial line"):
        await connector("serial:///dev/null").open()


async def test_a_line_is_found_by_its_lasting_name_wherever_it_comes_back(
    pty: Pty, box: Box
) -> None:
    places = Places(roots=box.roots)
    made = connector("serial:///dev/serial/by-id/usb-X", places)
    link = box.link("serial/by-id/usb-X", Path(pty.path))
    wire = await made.open()
    pty.unplug()
    await ended(wire)
    await wire.close()
    link.unlink()
    device, line = os.openpty()
    box.link("serial/by-id/usb-X", Path(os.ttyname(line)))
    again = await made.open()
    os.write(device, b"back")
    assert await again.read() == b"back"
    await again.close()
    os.close(line)
    os.close(device)


# Every kind of descriptor ------------------------------------------------------------------------


async def test_a_cancelled_read_or_write_leaves_nothing_and_the_next_goes_on(pty: Pty) -> None:
    wire = await connector(f"serial://{pty.path}").open()
    before = open_fds()
    for _ in range(20):
        reading = asyncio.create_task(wire.read())
        writing = asyncio.create_task(wire.write(b"x" * 200_000))
        await asyncio.sleep(0.001)
        for task in (reading, writing):
            task.cancel()
        assert await asyncio.gather(reading, writing, return_exceptions=True)
    assert open_fds() <= before
    os.write(pty.device, b"still here")
    assert await wire.read() == b"still here"
    await wire.close()


async def test_a_write_waits_for_a_device_that_takes_no_more(pty: Pty) -> None:
    wire = await connector(f"serial://{pty.path}").open()
    data = bytes(range(256)) * 400
    writing = asyncio.create_task(wire.write(data))
    got = bytearray()
    while len(got) < len(data):
        got += await asyncio.to_thread(os.read, pty.device, 4096)
    await writing
    assert got == data
    await wire.close()


async def test_a_close_ends_whoever_reads_and_writes_and_may_come_twice(pty: Pty) -> None:
    wire = await connector(f"serial://{pty.path}").open()
    reading = asyncio.create_task(wire.read())
    writing = asyncio.create_task(wire.write(b"x" * 200_000))
    await asyncio.sleep(0.01)
    os.set_blocking(pty.device, False)
    await asyncio.gather(wire.close(), wire.close())
    for task in (reading, writing):
        with pytest.raises(Gone, match="closed here"):
            await task
    for use in (wire.read(), wire.write(b"x")):
        with pytest.raises(Gone):
            await use


async def test_two_readers_at_a_time_are_a_mistake(pty: Pty) -> None:
    wire = await connector(f"serial://{pty.path}").open()
    reading = asyncio.create_task(wire.read())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="being read already"):
        await wire.read()
    os.write(pty.device, b"x")
    assert await reading == b"x"
    await wire.close()


async def test_a_device_that_never_stops_talking_leaves_the_loop_to_others() -> None:
    zero = os.open("/dev/zero", os.O_RDONLY)
    wire = FdWire(zero, "serial:///dev/zero")
    others = 0

    async def other() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for _ in range(100):
        await wire.read()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert others >= 99
    await wire.close()


# USB printers ------------------------------------------------------------------------------------


def plug_printer(box: Box, pty: Pty, lp: str, port: str, ids: str, serial: str = "") -> Path:
    node = box.usb_printer(lp, port, ids, serial)
    node.unlink()
    return box.link(f"usb/{lp}", Path(pty.path))


async def test_a_usb_printer_is_found_by_its_serial_number_in_any_socket(
    box: Box, pty: Pty
) -> None:
    box.usb_printer("lp0", "1-1", "04b8:0e15", "OTHER")
    plug_printer(box, pty, "lp1", "1-2", "04b8:0e15", "X1 AB")
    made = connector("usb://04b8:0e15/X1%20AB", Places(roots=box.roots))
    assert usb_printers(box.roots)[1].address == made.address
    wire = await made.open()
    os.write(pty.device, b"\x12")
    assert await wire.read() == b"\x12"
    await wire.write(b"receipt")
    assert os.read(pty.device, 100) == b"receipt"
    await wire.close()


async def test_twins_without_serial_numbers_are_told_apart_by_socket(box: Box, pty: Pty) -> None:
    places = Places(roots=box.roots)
    with pytest.raises(Unreachable, match=r"not plugged in or not switched on$"):
        await connector("usb://0416:5011", places).open()
    box.usb_printer("lp0", "1-1", "0416:5011")
    plug_printer(box, pty, "lp1", "1-2", "0416:5011")
    with pytest.raises(Unreachable, match=r"fits 2 printers: write one of usb://0416:5011\?port="):
        await connector("usb://0416:5011", places).open()
    with pytest.raises(Unreachable, match="there are: usb://0416:5011"):
        await connector("usb://04b8:0e15", places).open()
    wire = await connector("usb://0416:5011?port=1-2", places).open()
    await wire.write(b"receipt")
    assert os.read(pty.device, 100) == b"receipt"
    await wire.close()


async def test_a_usb_printer_whose_node_is_away_is_gone_though_the_kernel_is_silent(
    box: Box, pty: Pty
) -> None:
    node = plug_printer(box, pty, "lp0", "1-1", "04b8:0e15")
    wire = await UsbConnector("usb:///dev/usb/lp0", node=node, roots=box.roots).open()
    await wire.close()
    line = os.open(pty.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    quick = UsbWire(line, "usb:///dev/usb/lp0", node, check_every_s=0.01)
    reading = asyncio.create_task(quick.read())
    await asyncio.sleep(0.05)
    assert not reading.done()
    node.unlink()
    with pytest.raises(Gone, match="unplugged or switched off"):
        await reading
    await quick.close()


async def test_a_printer_that_only_listens_is_waited_at_until_it_goes(
    box: Box, pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = plug_printer(box, pty, "lp0", "1-1", "04b8:0e15")
    line = os.open(pty.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    wire = UsbWire(line, "usb:///dev/usb/lp0", node, check_every_s=0.01)
    real = os.read

    def one_way(fd: int, count: int) -> bytes:
        if fd == line:
            raise OSError(22, "Invalid argument")
        return real(fd, count)

    monkeypatch.setattr(os, "read", one_way)
    reading = asyncio.create_task(wire.read())
    await asyncio.sleep(0.05)
    assert not reading.done()
    await wire.write(b"receipt")
    node.unlink()
    with pytest.raises(Gone):
        await reading
    await wire.close()


# Keyboards ---------------------------------------------------------------------------------------

KEY = INPUT_EVENT.pack(1, 2, 1, 30, 1)


async def test_input_events_come_whole_from_a_pipe_that_tears_them(tmp_path: Path) -> None:
    pipe = tmp_path / "event0"
    os.mkfifo(pipe)
    wire = await HidConnector("hid:///x", pipe).open()
    into = os.open(pipe, os.O_WRONLY)
    os.write(into, KEY[:10])
    reading = asyncio.create_task(wire.read(1))
    await asyncio.sleep(0.01)
    assert not reading.done()
    os.write(into, KEY[10:] + KEY + KEY[:5])
    assert await reading == KEY
    assert await wire.read(100) == KEY
    os.close(into)
    with pytest.raises(Gone):
        await wire.read()
    await wire.close()


async def test_a_recorded_stream_in_a_file_plays_to_its_end(tmp_path: Path) -> None:
    recorded = tmp_path / "scan"
    recorded.write_bytes(KEY * 1000)
    wire = await connector(f"hid://{recorded}").open()
    assert await ended(wire) == KEY * 1000
    await wire.close()


async def test_a_keyboard_takes_no_bytes(tmp_path: Path) -> None:
    recorded = tmp_path / "scan"
    recorded.write_bytes(KEY)
    wire = await connector(f"hid://{recorded}").open()
    with pytest.raises(Unfit, match="takes no bytes"):
        await wire.write(b"x")
    await wire.close()


def test_an_event_is_as_long_as_this_machines_kernel_writes_it() -> None:
    assert INPUT_EVENT.size == 2 * struct.calcsize("l") + 8


# Leaks -------------------------------------------------------------------------------------------


async def test_opens_broken_off_at_any_point_leave_no_descriptor(pty: Pty, box: Box) -> None:
    node = plug_printer(box, pty, "lp0", "1-1", "04b8:0e15")
    made: list[SerialConnector | UsbConnector | HidConnector] = [
        SerialConnector(f"serial://{pty.path}", pty.path),
        UsbConnector("usb://04b8:0e15", vendor="04b8", product="0e15", roots=box.roots),
        HidConnector("hid:///x", node),
    ]
    before = open_fds()
    for steps in range(30):
        for one in made:
            # A fresh one each time: an opener remembers that its last thread still runs.
            opening = asyncio.create_task(replace(one).open())
            for _ in range(steps):
                await asyncio.sleep(0)
            opening.cancel()
            with contextlib.suppress(asyncio.CancelledError, Unreachable):
                await (await opening).close()
    async with asyncio.timeout(30):
        while open_fds() > before:
            await asyncio.sleep(0.01)
