"""Scanners and scales of somebody else's making (emupos), over TCP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import pytest_asyncio

from devices.peripherals.drivers.serial_scanner import SerialScanner
from devices.peripherals.drivers.sma_scale import SmaScale
from devices.peripherals.drivers.toledo_scale import ToledoScale
from devices.peripherals.model import (
    Gone,
    Identity,
    Peripheral,
    Scale,
    Scanned,
    Told,
    Unfit,
    Weight,
    World,
)
from devices.peripherals.transports.tcp import TcpConnector
from hub.clock import SystemClock, SystemRandomness
from scripts.rig.emulated import HOST, Device, Emulator
from tests.support.loopthreads import threads_first

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("emulated-scales"),
]
PATIENCE_S = 60.0
WORLD = World(SystemClock(), SystemRandomness())
HELLO = Scanned(b"hello")
SCANNERS = {"enter": "crlf", "tab": "tab", "none": "none"}
SCALES: dict[str, tuple[type[Scale], dict[str, Any]]] = {
    "deli": (ToledoScale, {"poll_ms": 100}),
    "counter": (SmaScale, {}),
    "counter-asked": (SmaScale, {"mode": "poll", "poll_ms": 100}),
}


def devices() -> list[Device]:
    scanners = [
        {"id": f"lane-{suffix}", "type": "scanner", "mode": "serial", "suffix": suffix}
        for suffix in SCANNERS
    ]
    profiles = {"deli": "toledo8217-15kg", "counter": "sma-15kg", "counter-asked": "sma-15kg"}
    scales = [
        {"id": name, "type": "scale", "profile": profile} for name, profile in profiles.items()
    ]
    return [*scanners, *scales]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def emulator(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Emulator]:
    threads_first()
    base = tmp_path_factory.mktemp("emulator")
    async with Emulator(base, SystemRandomness(), devices()) as running:
        yield running


class Heard:
    """What a driver tells, one after the other; greetings are counted and left out."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Told] = asyncio.Queue()
        self.greeted = 0

    async def take(self) -> Told:
        told = await self.queue.get()
        self.greeted += told == HELLO
        return told

    async def next(self) -> Told:
        async with asyncio.timeout(PATIENCE_S):
            while (told := await self.take()) == HELLO:
                continue
            return told

    async def until(self, wanted: Callable[[Weight], bool]) -> None:
        while not (isinstance(told := await self.next(), Weight) and wanted(told)):
            continue


@asynccontextmanager
async def served(
    emulator: Emulator, name: str, kind: type[Peripheral], options: dict[str, Any]
) -> AsyncIterator[tuple[Any, Heard, Identity, asyncio.Task[None]]]:
    heard = Heard()
    port = emulator.port(name)
    connector = TcpConnector(f"tcp://{HOST}:{port}", HOST, port)
    driver = kind(connector, WORLD, heard.queue.put_nowait, options)
    ready: asyncio.Future[Identity] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(driver.serve(ready.set_result))
    ends: set[asyncio.Future[Any]] = {ready, task}
    try:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield driver, heard, ready.result(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def put(emulator: Emulator, name: str, grams: int, *, stable: bool = True) -> None:
    await emulator.put(f"/devices/{name}/weight", {"grams": grams, "stable": stable})


async def scan(emulator: Emulator, name: str, data: str) -> None:
    """Try again while the one before is still on its way."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                body = {"data": data, "countdown_seconds": 0}
                await emulator.post(f"/devices/{name}/scans", body)
                return
            except RuntimeError as error:
                if "scan_in_progress" not in str(error):
                    raise
            await asyncio.sleep(0.05)


async def connected(emulator: Emulator, name: str, heard: Heard) -> None:
    """Until the emulator has taken up the connection: before, it scans into nothing."""
    while not heard.greeted:
        await scan(emulator, name, HELLO.data.decode())
        with suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await heard.take()


async def test_scanners_read_with_each_suffix(emulator: Emulator) -> None:
    gs1 = "]d2010400638133393110A-7\x1d17270630"
    for name, suffix in SCANNERS.items():
        device = f"lane-{name}"
        async with served(emulator, device, SerialScanner, {"suffix": suffix}) as (_, heard, *_):
            await connected(emulator, device, heard)
            for data in ("4006381333931", gs1, "Käse-7"):
                await scan(emulator, device, data)
                wanted = Scanned(data.encode())
                if data == gs1:
                    wanted = Scanned(data[3:].encode(), "]d2")
                assert await heard.next() == wanted


async def test_scales_weigh_at_rest_and_refuse_what_cannot_be_sold_by(emulator: Emulator) -> None:
    for name, (kind, options) in SCALES.items():
        await put(emulator, name, 1250)
        async with served(emulator, name, kind, options) as (scale, heard, _, _):
            assert await scale.weigh(PATIENCE_S) == Weight(1250, stable=True), name
            await put(emulator, name, 0)
            await heard.until(lambda weight: weight == Weight(0, stable=True, zero=True))
            assert (await scale.weigh(PATIENCE_S)).zero
            await put(emulator, name, 20_000)
            await heard.until(lambda weight: weight.overload)
            with pytest.raises(Unfit, match="take something off"):
                await scale.weigh(1.0)
            await put(emulator, name, -50)
            await heard.until(lambda weight: weight.under_zero)
            with pytest.raises(Unfit, match="zero"):
                await scale.weigh(1.0)
            await put(emulator, name, 2_005, stable=False)  # it settles after half a second
            assert await scale.weigh(PATIENCE_S) == Weight(2005, stable=True), name


async def test_an_sma_scale_in_pounds_is_weighed_in_grams_and_says_who_it_is(
    emulator: Emulator,
) -> None:
    await put(emulator, "counter", 1134)
    async with served(emulator, "counter", SmaScale, {}) as (scale, _, identity, _):
        assert (identity.maker, identity.model) == ("emupos", "SMA 15kg")
        assert (await scale.weigh(PATIENCE_S)).grams == 1135  # it counts by five grams
        reader, writer = await asyncio.open_connection(HOST, emulator.port("counter"))
        writer.write(b"\nUlb_\r")
        await reader.readuntil(b"\r")
        async with asyncio.timeout(PATIENCE_S):
            while (await scale.weigh(PATIENCE_S)).grams != 1134:  # 2.50 lb
                await asyncio.sleep(0.05)
        writer.close()
        await writer.wait_closed()


async def test_a_scale_that_is_switched_off_is_gone(emulator: Emulator) -> None:
    await put(emulator, "deli", 100)
    async with served(emulator, "deli", ToledoScale, {"poll_ms": 100}) as (scale, _, _, task):
        await emulator.kill()
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(Gone):
                await task
        with pytest.raises(Gone):
            await scale.weigh(1.0)
    await emulator.start()
