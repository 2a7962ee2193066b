"""Signs of life for systemd go on after a moment in which the writer takes nothing in."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hub.app import service
from hub.storage.errors import NotStored, QueueFull


class Writer:
    def __init__(self) -> None:
        self.asked = 0

    def submit(self, _work: Any) -> asyncio.Future[None]:
        self.asked += 1
        if self.asked == 1:
            raise QueueFull("1000 jobs are waiting to be written")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.asked == 2:
            future.set_exception(NotStored("another process is writing"))
        else:
            future.set_result(None)
        return future


async def test_a_full_queue_or_a_foreign_lock_does_not_end_the_signs_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "watchdog_interval_s", lambda: 0.01)
    alive = asyncio.Event()
    hub = cast(Any, SimpleNamespace(writer=Writer()))
    notifier = cast(Any, SimpleNamespace(watchdog=alive.set))
    watchdog = asyncio.create_task(service._watchdog(hub, notifier))
    try:
        ended = asyncio.create_task(alive.wait())
        await asyncio.wait({watchdog, ended}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        assert alive.is_set(), watchdog
    finally:
        watchdog.cancel()
        await asyncio.gather(watchdog, return_exceptions=True)
