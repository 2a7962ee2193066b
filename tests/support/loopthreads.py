"""Threads of an event loop that outlives its tests."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

THREADS = 4


def threads_first() -> None:
    """Start the loop's own threads now: those of a module's loop outlive the test that was the
    first to need one."""
    loop: Any = asyncio.get_running_loop()
    if loop._default_executor is not None:
        return
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="asyncio")
    barrier = threading.Barrier(THREADS + 1)
    for _ in range(THREADS):
        pool.submit(barrier.wait)
    barrier.wait()
    loop.set_default_executor(pool)
