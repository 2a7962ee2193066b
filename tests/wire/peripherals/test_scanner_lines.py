"""Scanner drivers on what the kernel gives: pseudo-terminals, and pipes of input events."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from devices.peripherals.drivers.hid_scanner import HidScanner
from devices.peripherals.drivers.serial_scanner import SerialScanner
from devices.peripherals.drivers.simulated_scanner import SimulatedScanner
from devices.peripherals.model import (
    Gone,
    Identity,
    Misconfigured,
    Misread,
    Scanned,
    Scanner,
    Told,
    World,
)
from devices.peripherals.transports.address import connector
from devices.peripherals.transports.memory import Exchange
from hub.clock import SystemClock, SystemRandomness
from tests.unit.peripherals.scanning.keyboards import streams, typed

PATIENCE_S = 60.0
WORLD = World(SystemClock(), SystemRandomness())
GS1 = b"010400638133393110A-7\x1d17270630"
EAN = b"4006381333931"


class Line:
    """A pseudo-terminal: ``path`` is the driver's end."""

    def __init__(self) -> None:
        self.fd, self._far = pty.openpty()
        tty.setraw(self._far)
        self.path = os.ttyname(self._far)

    def send(self, data: bytes) -> None:
        os.write(self.fd, data)

    def pull(self) -> None:
        """The adapter is pulled out."""
        for fd in (self.fd, self._far):
            with suppress(OSError):
                os.close(fd)
        self.fd = self._far = -1


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    if made.fd >= 0:
        made.pull()


@asynccontextmanager
async def served(
    kind: type[Scanner], address: str, **options: Any
) -> AsyncIterator[tuple[asyncio.Queue[Told], asyncio.Task[None]]]:
    told: asyncio.Queue[Told] = asyncio.Queue()
    driver = kind(connector(address), WORLD, told.put_nowait, options)
    ready: asyncio.Future[Identity] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(driver.serve(ready.set_result))
    ends: set[asyncio.Future[Any]] = {ready, task}
    try:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield told, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def heard(told: asyncio.Queue[Told]) -> Told:
    async with asyncio.timeout(PATIENCE_S):
        return await told.get()


async def test_a_burst_over_a_serial_line_is_read_code_by_code(line: Line) -> None:
    async with served(SerialScanner, f"serial://{line.path}?baud=9600") as (told, _):
        codes = [b"%013d" % number for number in range(40)]
        line.send(b"\r\n".join(codes) + b"\r\n]C1" + GS1 + b"\r\n")
        assert [await heard(told) for _ in codes] == [Scanned(code) for code in codes]
        assert await heard(told) == Scanned(GS1, "]C1")


async def test_without_a_suffix_silence_ends_a_code(line: Line) -> None:
    async with served(SerialScanner, f"serial://{line.path}", suffix="none", gap_ms=100) as (
        told,
        _,
    ):
        for code in (EAN, GS1):
            line.send(code)
            assert await heard(told) == Scanned(code)


async def test_a_code_that_never_ends_is_told_as_a_misread(line: Line) -> None:
    async with served(SerialScanner, f"serial://{line.path}") as (told, _):
        line.send(b"40063")
        found = await heard(told)
        assert isinstance(found, Misread)
        line.send(EAN + b"\r")
        assert await heard(told) == Scanned(EAN)


async def test_a_scanner_that_is_pulled_out_is_gone(line: Line) -> None:
    async with served(SerialScanner, f"serial://{line.path}") as (_, task):
        line.pull()
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(Gone):
                await task


async def test_a_keyboard_is_read_from_its_input_events(tmp_path: Path) -> None:
    one = streams()["gs1-datamatrix-us-ctrl"]
    path = tmp_path / "event0"
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR)
    try:
        async with served(HidScanner, f"hid://{path}", layout="us") as (told, _):
            os.write(fd, one["keys"][:100])
            await asyncio.sleep(0.02)
            os.write(fd, one["keys"][100:])
            (code,) = one["codes"]
            assert await heard(told) == Scanned(code["code"].encode(), code["aim"])
            os.write(fd, typed("4006381333931"))
            assert await heard(told) == Scanned(EAN)
    finally:
        os.close(fd)


async def test_the_simulated_twin_scans_what_it_is_told_and_by_itself() -> None:
    told: asyncio.Queue[Told] = asyncio.Queue()
    wire = Exchange().connector("scanner")
    options: dict[str, str | int | bool] = {"codes": "1 2", "every_ms": 100}
    scanner = SimulatedScanner(wire, WORLD, told.put_nowait, options)
    with pytest.raises(Gone):
        scanner.scan(EAN)
    task = asyncio.create_task(scanner.serve(lambda _: None))
    found = [await heard(told) for _ in range(3)]
    assert found == [Scanned(b"1"), Scanned(b"2"), Scanned(b"1")]
    scanner.scan(EAN, "]E0")
    while await heard(told) != Scanned(EAN, "]E0"):
        continue
    scanner.pull()
    with pytest.raises(Gone):
        await task


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (SerialScanner, {"suffix": "cr+lf"}),
        (SerialScanner, {"prefix_hex": "0"}),
        (SerialScanner, {"gap_ms": True}),
        (SerialScanner, {"layout": "us"}),
        (HidScanner, {"layout": "tlh"}),
        (HidScanner, {"gs": "f9"}),
        (SimulatedScanner, {"every_ms": 1}),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_at_once(
    kind: type[Scanner], options: dict[str, Any]
) -> None:
    with pytest.raises(Misconfigured, match="option"):
        kind(Exchange().connector("scanner"), WORLD, lambda _: None, options)
