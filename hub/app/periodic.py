"""Small jobs that run again and again beside the hub's work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)


async def end_task(task: asyncio.Task[None] | None) -> None:
    """Cancel it and wait for its end, whichever that is."""
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Periodic:
    """Runs an asynchronous function every ``every_s`` seconds; a failure is logged and the next
    turn tries again."""

    def __init__(self, name: str, every_s: float, work: Callable[[], Awaitable[None]]) -> None:
        self._name = name
        self._every_s = every_s
        self._work = work
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; the first turn comes after one interval."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """End, in the middle of a turn if need be."""
        await end_task(self._task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self._work()
            except Exception:
                log.exception("%s failed; it is tried again in %g s", self._name, self._every_s)
