"""Reads may be broken off at any point without losing a byte."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from devices.peripherals.model import Wire
from devices.peripherals.transports.address import connector
from devices.peripherals.transports.fd import FdWire
from devices.peripherals.transports.hid import INPUT_EVENT, HidConnector
from devices.peripherals.transports.memory import pair

DATA = b"".join(INPUT_EVENT.pack(0, n, 1, 2, 3) for n in range(2000))
Write = Callable[[bytes], Awaitable[None]]


async def over_memory(_: Path) -> tuple[Wire, Write]:
    near, far = pair(capacity_bytes=500)
    return near, far.write


async def over_a_socket(_: Path) -> tuple[Wire, Write]:
    near, far = socket.socketpair()
    return FdWire(near.detach(), "near"), FdWire(far.detach(), "far").write


async def over_a_line(_: Path) -> tuple[Wire, Write]:
    device, line = os.openpty()
    wire = await connector(f"serial://{os.ttyname(line)}").open()
    os.close(line)
    return wire, FdWire(device, "device").write


async def over_input_events(folder: Path) -> tuple[Wire, Write]:
    os.mkfifo(folder / "event0")
    wire = await HidConnector("hid:///event0", folder / "event0").open()
    into = FdWire(os.open(folder / "event0", os.O_WRONLY), "device")
    return wire, into.write


@pytest.mark.parametrize("way", [over_memory, over_a_socket, over_a_line, over_input_events])
async def test_reads_that_are_broken_off_lose_nothing(
    way: Callable[[Path], Awaitable[tuple[Wire, Write]]], tmp_path: Path
) -> None:
    random = Random(way.__name__)
    wire, write = await way(tmp_path)

    async def say() -> None:
        rest = DATA
        while rest:
            size = random.randint(1, 700)
            await write(rest[:size])
            rest = rest[size:]

    saying = asyncio.create_task(say())
    got = bytearray()
    broken_off = 0
    while len(got) < len(DATA):
        reading = asyncio.create_task(wire.read(random.choice((24, 100, 4096))))
        for _ in range(random.randint(0, 4)):
            await asyncio.sleep(0)
        if random.random() < 0.5:
            reading.cancel()
        try:
            got += await reading
        except asyncio.CancelledError:
            broken_off += 1
    await saying
    assert got == DATA
    assert broken_off
    with contextlib.suppress(AttributeError):
        await write.__self__.close()  # type: ignore[attr-defined]
    await wire.close()
