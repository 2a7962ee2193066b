"""What is plugged in again is tried at once, whichever way its settings name it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from devices.peripherals.catalogue import Catalogue
from devices.peripherals.desk import Desk
from devices.peripherals.hotplug import Hotplug, look
from devices.peripherals.keeper import Keeper
from devices.peripherals.model import Entry, Phase, World
from devices.peripherals.transports.address import Places
from hub.clock import SystemClock, SystemRandomness
from tests.wire.peripherals.plugs import Box


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def desk_of(box: Box) -> Desk:
    world = World(SystemClock(), SystemRandomness())
    return Desk(Catalogue(world, places=Places(roots=box.roots)), world.clock.wall_ms)


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not so():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("driver", "address"),
    [
        ("escpos-printer", "usb:///dev/usb/lp0"),
        ("escpos-printer", "usb://0416:5011?port=1-2"),
        ("escpos-printer", "usb://0416:5011"),
        ("escpos-printer", "usb://0416:5011/A%20%231"),
        ("serial-scanner", "serial:///dev/serial/by-id/usb-X%231?baud=9600"),
        ("serial-scanner", "serial:///dev/ttyACM0"),
        ("hid-scanner", "hid:///dev/input/by-id/usb-X-event-kbd"),
    ],
)
async def test_whoever_waits_for_it_hears_of_it(
    box: Box, driver: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    poked: list[str] = []
    monkeypatch.setattr(Keeper, "poke", lambda keeper: poked.append(keeper.name))
    desk = desk_of(box)
    network = Entry("network", "escpos-printer", "tcp://127.0.0.1:1")
    await desk.keep([(Entry("it", driver, address), "page", False), (network, "page", False)])
    box.usb_printer("lp0", "1-2", "0416:5011", "A #1" if "%20" in address else "")
    box.link("serial/by-id/usb-X#1", box.node("ttyACM0"))
    box.link("input/by-id/usb-X-event-kbd", box.node("input/event0"))
    desk.poke(look(box.roots))
    await desk.stop()
    assert poked == ["it"]


async def test_a_scanner_is_lost_when_it_is_unplugged_and_ready_when_it_is_back(box: Box) -> None:
    desk = desk_of(box)
    hotplug = Hotplug(
        lambda moved: desk.poke(moved.came | moved.went),
        roots=box.roots,
        poll_s=0.05,
        listen=lambda: None,
    )
    await hotplug.start()
    entry = Entry("scanner", "serial-scanner", "serial:///dev/serial/by-id/usb-X")
    await desk.keep([(entry, "page", False)])
    post = desk.post("scanner")
    assert post is not None
    for _ in range(3):
        await until(lambda: post.phase != Phase.READY and bool(post.reason))
        device, line = os.openpty()
        link = box.link("serial/by-id/usb-X", Path(os.ttyname(line)))
        os.close(line)
        await until(lambda: post.ready)
        os.close(device)
        link.unlink()
        await until(lambda: post.phase == Phase.LOST)
    await hotplug.stop()
    await desk.stop()
