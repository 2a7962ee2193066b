"""Running a hub as a process: signals, systemd, and what the terminal is told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

from hub import events
from hub.app.hub import Hub
from hub.app.tuning import build_messages
from hub.clock import Clock, SystemClock, SystemIds, SystemRandomness
from hub.config import Loaded, Settings
from hub.logs import Recent
from hub.notify import Notifier, watchdog_interval_s
from hub.storage.errors import StorageError
from hub.storage.rows import Tx

log = logging.getLogger(__name__)

EXIT_FAILED = 75
"""EX_TEMPFAIL (sysexits.h): start it again."""
WATCHDOG_ANSWER_S = 5.0
BROKER_PATIENCE_S = 180.0
"""So long a broker may be silent before systemd is to start everything again: twice the time after
which the hub itself restarts one that hangs. Until then the page tells why devices can't connect,
and it would be gone for a while after each start."""
START_SIGN_S = 20.0
START_MORE_S = 60
START_SIGNS_MAX = 30
"""Ten minutes for checking and migrating a database; after that the unit's own limit holds."""


async def serve(
    settings: Settings,
    recent: Recent,
    on_ready: Callable[[Hub], None],
    *,
    loaded: Loaded | None = None,
) -> int:
    """Run the hub until SIGTERM or SIGINT; the process's exit code.  ``loaded`` says where the
    settings came from.

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
        loaded=loaded,
    )
    try:
        async with _more_time(notifier):
            await hub.start()
        notifier.ready(f"store {settings.store.id} is open")
        log.info(
            "the hub is ready: store %s on port %d",
            settings.store.id,
            hub.web.port,
            extra=events.HUB_READY(port=hub.web.port),
        )
        on_ready(hub)
        watchdog = asyncio.create_task(_watchdog(hub, notifier, clock), name="watchdog")
        waiting = asyncio.create_task(ended.wait(), name="end-signal")
        building = asyncio.create_task(build_messages(), name="build-messages")
        ends: set[asyncio.Future[Any]] = {waiting, hub.failed}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks = watchdog, waiting, building
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if hub.failed.done():
            log.critical(
                "the hub can't go on and ends: %s", hub.failed.result(), extra=events.HUB_FAILED()
            )
            return EXIT_FAILED
        log.info("the hub stops", extra=events.HUB_STOPS())
        return 0
    finally:
        notifier.stopping("closing the shop")
        await hub.stop()
        notifier.close()


@contextlib.asynccontextmanager
async def _more_time(notifier: Notifier) -> AsyncIterator[None]:
    """Ask systemd for more time, again and again, while the hub starts and its loop turns."""

    async def ask() -> None:
        for _ in range(START_SIGNS_MAX):
            notifier.extend_timeout(START_MORE_S)
            await asyncio.sleep(START_SIGN_S)

    asking = asyncio.create_task(ask(), name="start-signs")
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def _watchdog(hub: Hub, notifier: Notifier, clock: Clock) -> None:
    """Tell systemd that loop, writer and broker answer; silence makes it start the hub again.

    A broker that somebody else runs doesn't count: starting the hub again wouldn't mend it.
    """
    interval_s = watchdog_interval_s()
    if interval_s is None:
        return
    heard_s = clock.monotonic_s()
    given_up = False
    while True:
        # A queue that is full for a moment, or a foreign lock, must not end the signs of life.
        with contextlib.suppress(TimeoutError, StorageError):
            async with asyncio.timeout(min(WATCHDOG_ANSWER_S, interval_s)):
                await hub.writer.submit(_nothing)
                broker = hub.messaging.status()
                if broker.connected or broker.mode == "external":
                    heard_s, given_up = clock.monotonic_s(), False
                if clock.monotonic_s() - heard_s < BROKER_PATIENCE_S:
                    notifier.watchdog()
                elif not given_up:
                    given_up = True
                    log.critical(
                        "no broker for %.0f s: everything starts anew",
                        BROKER_PATIENCE_S,
                        extra=events.BROKER_SILENT(),
                    )
        await asyncio.sleep(interval_s)


def _nothing(tx: Tx) -> None:
    """An empty transaction: it shows that the writer answers."""
