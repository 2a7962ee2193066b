"""A device that stops looking for hubs leaves nothing open, whenever it stops."""

from __future__ import annotations

import asyncio
import os

import pytest

from devices.kit.finder import find_hubs


def open_fds() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_a_search_that_is_cancelled_at_any_point_leaves_nothing_open() -> None:
    await find_hubs(0.1)
    before = open_fds()
    for steps in (0, 1, 2, 3, 5, 10, 100):
        searching = asyncio.create_task(find_hubs(3600))
        for _ in range(steps):
            await asyncio.sleep(0)
        searching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await searching
    async with asyncio.timeout(30):
        while open_fds() > before:
            await asyncio.sleep(0.01)
