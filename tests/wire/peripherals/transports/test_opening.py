"""What is opened in a thread is never lost, and never takes thread after thread."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator

import pytest

from devices.peripherals.model import Unreachable
from devices.peripherals.transports.opening import Opener
from tests.wire.peripherals.plugs import open_fds


class Slow:
    """Opens one end of a pipe when it is let."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.go_on = threading.Event()
        self.opened = 0
        self.closed = threading.Event()

    def open(self) -> int:
        self.began.set()
        self.go_on.wait(30)
        self.opened += 1
        one, other = os.pipe()
        os.close(other)
        return one

    def discard(self, fd: int) -> None:
        os.close(fd)
        self.closed.set()


@pytest.fixture
def slow() -> Iterator[Slow]:
    made = Slow()
    yield made
    made.go_on.set()


async def test_what_opens_after_its_cancellation_is_closed_again(slow: Slow) -> None:
    before = open_fds()
    opening = asyncio.create_task(Opener("x").open(slow.open, slow.discard))
    await asyncio.to_thread(slow.began.wait, 30)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    slow.go_on.set()
    assert await asyncio.to_thread(slow.closed.wait, 30)
    assert open_fds() <= before


async def test_what_opened_in_the_moment_of_its_cancellation_is_closed_again(slow: Slow) -> None:
    slow.go_on.set()
    before = open_fds()
    opening = asyncio.create_task(Opener("x").open(slow.open, slow.discard))
    while not slow.opened:
        await asyncio.sleep(0)
    opening.cancel()
    try:
        os.close(await opening)
    except asyncio.CancelledError:
        assert await asyncio.to_thread(slow.closed.wait, 30)
    assert open_fds() <= before


async def test_one_that_hangs_is_given_up_and_not_opened_a_second_time(slow: Slow) -> None:
    opener = Opener("serial:///dev/ttyS0", timeout_s=0.05)
    with pytest.raises(Unreachable, match="didn't open within"):
        await opener.open(slow.open, slow.discard)
    with pytest.raises(Unreachable, match="still being opened"):
        await opener.open(slow.open, slow.discard)
    slow.go_on.set()
    assert await asyncio.to_thread(slow.closed.wait, 30)
    assert slow.opened == 1
    async with asyncio.timeout(30):
        while True:
            try:
                os.close(await opener.open(slow.open, slow.discard))
                break
            except Unreachable:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("error", "step"),
    [
        (FileNotFoundError(2, "x"), "is it plugged in"),
        (PermissionError(13, "x"), "groups lp, dialout and input"),
        (OSError(16, "x"), "in use by another program"),
        (OSError(5, "x"), "is not there"),
        (OSError(24, "x"), "Too many open files"),
    ],
)
async def test_what_the_system_refuses_is_told_with_a_next_step(error: OSError, step: str) -> None:
    def refused() -> int:
        raise error

    with pytest.raises(Unreachable, match=step):
        await Opener("usb:///dev/usb/lp0").open(refused, os.close)
