"""Running a hub as a process: signals, systemd, and what the terminal is told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from typing import Any

from hub.app.hub import Hub
from hub.clock import SystemClock, SystemIds, SystemRandomness
from hub.config import Settings
from hub.logs import Recent
from hub.notify import Notifier, watchdog_interval_s
from hub.storage.errors import StorageError
from hub.storage.rows import Tx

log = logging.getLogger(__name__)

EXIT_FAILED = 75
"""EX_TEMPFAIL (sysexits.h): start it again."""
WATCHDOG_ANSWER_S = 5.0


async def serve(settings: Settings, recent: Recent, on_ready: Callable[[Hub], None]) -> int:
    """Run the hub until SIGTERM or SIGINT; the process's exit code.

    ``on_ready`` is called once, when devices can connect.  Errors of the start are raised.
    """
    clock, randomness = SystemClock(), SystemRandomness()
    notifier = Notifier.from_environment()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    hub = Hub(
        settings,
        clock=clock,
        ids=SystemIds(clock, randomness),
        randomness=randomness,
        recent=recent,
    )
    try:
        await hub.start()
        notifier.ready(f"store {settings.store.id} is open")
        log.info("the hub is ready: store %s on port %d", settings.store.id, hub.web.port)
        on_ready(hub)
        watchdog = asyncio.create_task(_watchdog(hub, notifier), name="watchdog")
        waiting = asyncio.create_task(ended.wait(), name="end-signal")
        ends: set[asyncio.Future[Any]] = {waiting, hub.failed}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (watchdog, waiting):
                task.cancel()
            await asyncio.gather(watchdog, waiting, return_exceptions=True)
        if hub.failed.done():
            log.critical("the hub can't go on and ends: %s", hub.failed.result())
            return EXIT_FAILED
        log.info("the hub stops")
        return 0
    finally:
        notifier.stopping("closing the shop")
        await hub.stop()
        notifier.close()


async def _watchdog(hub: Hub, notifier: Notifier) -> None:
    """Tell systemd that loop and writer answer; silence makes it start the hub again."""
    interval_s = watchdog_interval_s()
    if interval_s is None:
        return
    while True:
        # A queue that is full for a moment, or a foreign lock, must not end the signs of life.
        with contextlib.suppress(TimeoutError, StorageError):
            async with asyncio.timeout(min(WATCHDOG_ANSWER_S, interval_s)):
                await hub.writer.submit(_nothing)
                notifier.watchdog()
        await asyncio.sleep(interval_s)


def _nothing(tx: Tx) -> None:
    """An empty transaction: it shows that the writer answers."""
