"""How a child process ends: politely, so that it saves what it has, then not."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from asyncio.subprocess import Process


async def end_child(process: Process, name: str, timeout_s: float, log: logging.Logger) -> None:
    """Ask it to end and wait until it has; after ``timeout_s`` it is killed, and ``log`` says so
    of ``name``."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(timeout_s):
            await process.wait()
    except TimeoutError:
        kill_child(process, name, timeout_s, log)
        await process.wait()


def kill_child(process: Process, name: str, timeout_s: float, log: logging.Logger) -> None:
    """End a child that did not end within ``timeout_s`` when it was asked to."""
    if process.returncode is None:
        log.warning("the %s did not end within %g s: killed", name, timeout_s)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
