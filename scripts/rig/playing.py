"""A trial that shows how far it is: one JSON object a line on standard output."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

INTERRUPTED: Final = 130
"""Exit status of a trial that was interrupted."""
_EVERY_S: Final = 1.0

Line = dict[str, Any]


def tell(line: Line) -> None:
    """Print it."""
    print(json.dumps(line), flush=True)


def played(work: Coroutine[Any, Any, None], line: Callable[[], Line]) -> bool:
    """Run ``work`` to its end with a line of progress every second; False when Ctrl-C or SIGTERM
    stopped it, in order."""
    try:
        asyncio.run(_shown(work, line))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return False
    return True


async def _shown(work: Coroutine[Any, Any, None], line: Callable[[], Line]) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    ticker = asyncio.create_task(_tick(line))
    try:
        await work
    finally:
        ticker.cancel()
        with suppress(asyncio.CancelledError):
            await ticker


async def _tick(line: Callable[[], Line]) -> None:
    while True:
        tell(line() | {"done": False})
        await asyncio.sleep(_EVERY_S)
