"""Peripherals that come and go are noticed by looking, and sooner when udev says so."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from devices.peripherals.hotplug import ENTRIES_MAX, Hints, Hotplug, Moved, look, udev_hints
from tests.wire.peripherals.plugs import Box, open_fds

SCANNER = "serial:///dev/serial/by-id/usb-Datalogic_Gryphon-if00"
NEVER_S = 3600.0


class PipeHints:
    """Hints through a pipe, which may break."""

    def __init__(self) -> None:
        self.out, self.into = os.pipe()
        os.set_blocking(self.out, False)
        self.broken = False
        self.closed = False

    def say(self) -> None:
        os.write(self.into, b"!")

    def fileno(self) -> int:
        return self.out

    def drain(self) -> None:
        os.read(self.out, 4096)
        if self.broken:
            raise OSError("no buffer space")

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            os.close(self.out)
            os.close(self.into)


class Watched:
    """What a hotplug told."""

    def __init__(
        self,
        box: Box,
        poll_s: float = 0.02,
        listen: Callable[[], Hints | None] = lambda: None,
    ) -> None:
        self.queue: asyncio.Queue[Moved] = asyncio.Queue()
        self.hotplug = Hotplug(self.queue.put_nowait, roots=box.roots, poll_s=poll_s, listen=listen)

    async def __aenter__(self) -> Watched:
        await self.hotplug.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hotplug.stop()
        await self.hotplug.stop()

    async def next(self) -> Moved:
        return await asyncio.wait_for(self.queue.get(), 30)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not so():
            await asyncio.sleep(0.01)


def plug_scanner(box: Box, behind: str = "ttyACM0") -> Path:
    return box.link("serial/by-id/usb-Datalogic_Gryphon-if00", box.node(behind))


async def test_what_comes_and_goes_is_told_by_its_lasting_name(box: Box) -> None:
    async with Watched(box) as watched:
        assert watched.hotplug.now == frozenset()
        link = plug_scanner(box)
        assert await watched.next() == Moved(frozenset({SCANNER}), frozenset())
        assert watched.hotplug.now == {SCANNER}
        link.unlink()
        assert await watched.next() == Moved(frozenset(), frozenset({SCANNER}))
        # udev takes the directory away with the last name in it.
        shutil.rmtree(box.root / "dev" / "serial")
        plug_scanner(box, "ttyACM1")
        assert await watched.next() == Moved(frozenset({SCANNER}), frozenset())


async def test_what_was_there_at_the_start_is_no_news(box: Box) -> None:
    plug_scanner(box)
    async with Watched(box) as watched:
        assert watched.hotplug.now == {SCANNER}
        box.link("input/by-id/usb-Honeywell-event-kbd", box.node("input/event3"))
        told = await watched.next()
        assert told.came == {"hid:///dev/input/by-id/usb-Honeywell-event-kbd"}


async def test_one_that_was_replaced_between_two_looks_came_and_went(box: Box) -> None:
    link = plug_scanner(box)
    async with Watched(box, poll_s=NEVER_S) as watched:
        link.unlink()
        plug_scanner(box, "ttyACM1")
        watched.hotplug.poke()
        told = await watched.next()
        assert told == Moved(frozenset({SCANNER}), frozenset({SCANNER}))


def test_a_usb_printer_has_its_lasting_address_and_its_node(box: Box) -> None:
    box.usb_printer("lp0", "1-1", serial="X1 AB")
    box.usb_printer("lp1", "1-1.2", "0416:5011")
    assert set(look(box.roots)) == {
        "usb:///dev/usb/lp0",
        "usb:///dev/usb/lp1",
        "usb://04b8:0e15/X1%20AB",
        "usb://0416:5011?port=1-1.2",
    }


def test_a_printer_that_no_driver_has_is_seen_by_its_lasting_name(box: Box) -> None:
    box.raw_printer("1-1", 5, serial="X1 AB")
    box.raw_printer("1-2", 6, "0416:5011")
    box.raw_printer("1-3", 7, "03f0:0001", protocol="04")
    assert set(look(box.roots)) == {
        "usb-raw://04b8:0e15/X1%20AB",
        "usb-raw://0416:5011?port=1-2",
    }


async def test_a_raw_printer_that_is_plugged_in_anew_or_given_to_a_group_is_news(box: Box) -> None:
    raw = "usb-raw://04b8:0e15/X1"
    node = box.raw_printer("1-1", 5, serial="X1")
    async with Watched(box, poll_s=NEVER_S) as watched:
        box.pull_out("1-1")
        node = box.raw_printer("1-1", 6, serial="X1")
        watched.hotplug.poke()
        assert await watched.next() == Moved(frozenset({raw}), frozenset({raw}))
        node.chmod(0o664)
        watched.hotplug.poke()
        assert raw in (await watched.next()).came


def test_a_directory_full_of_names_is_looked_at_up_to_a_bound(box: Box) -> None:
    node = box.node("ttyS0")
    for nth in range(ENTRIES_MAX + 50):
        box.link(f"serial/by-id/usb-{nth:04}", node)
    assert len(look(box.roots)) == ENTRIES_MAX


def test_mice_and_names_that_lead_nowhere_are_left_out(box: Box) -> None:
    box.link("input/by-id/usb-Mouse-event-mouse", box.node("input/event1"))
    box.link("serial/by-id/usb-gone", box.root / "dev" / "nothing")
    assert look(box.roots) == {}


async def test_udevs_word_is_enough_and_its_break_leaves_the_looking(
    box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    hints = PipeHints()
    async with Watched(box, poll_s=0.3, listen=lambda: hints) as watched:
        await until(lambda: watched.hotplug.hinted)
        plug_scanner(box)
        hints.say()
        assert (await watched.next()).came == {SCANNER}
        hints.broken = True
        hints.say()
        await until(lambda: not watched.hotplug.hinted)
        box.link("input/by-id/usb-Honeywell-event-kbd", box.node("input/event3"))
        assert len((await watched.next()).came) == 1
    assert caplog.text.count("broke off") == 1
    assert hints.closed


async def test_without_udev_the_log_says_once_that_it_looks(
    box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> Hints:
        raise OSError("netlink is not allowed here")

    caplog.set_level(logging.WARNING)
    async with Watched(box, listen=fails) as watched:
        plug_scanner(box)
        assert (await watched.next()).came == {SCANNER}
    assert caplog.text.count("netlink is not allowed here") == 1


async def test_whoever_is_told_may_break_without_ending_the_looking(box: Box) -> None:
    told: list[Moved] = []
    twice = asyncio.Event()

    def moved(what: Moved) -> None:
        told.append(what)
        if len(told) == 2:
            twice.set()
        raise ValueError("broken")

    hotplug = Hotplug(moved, roots=box.roots, poll_s=0.02, listen=lambda: None)
    await hotplug.start()
    link = plug_scanner(box)
    await until(lambda: bool(told))
    link.unlink()
    await asyncio.wait_for(twice.wait(), 30)
    await hotplug.stop()


async def test_stopping_while_udev_is_opened_closes_what_it_opened(box: Box) -> None:
    before = open_fds()
    made: list[PipeHints] = []

    def listen() -> Hints:
        made.append(PipeHints())
        return made[-1]

    for _ in range(20):
        async with Watched(box, poll_s=NEVER_S, listen=listen):
            await asyncio.sleep(0)
    await until(lambda: all(one.closed for one in made))
    assert open_fds() <= before


async def test_the_real_udev_is_listened_to_where_there_is_one(box: Box) -> None:
    try:
        hints = await asyncio.to_thread(udev_hints)
    except Exception as error:
        pytest.skip(f"no udev here: {error}")
    if hints is None:
        pytest.skip("pyudev is missing")
    hints.drain()
    hints.close()
