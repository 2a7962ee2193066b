"""How the interpreter is set for a process that answers within milliseconds for weeks."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from contextlib import suppress

from hub.contract.oms_facts import Fact
from hub.contract.registry import OPERATIONS, Door

BUILD_PAUSE_S = 0.02
SWITCH_INTERVAL_S = 0.0005
"""How long a busy loop keeps the writer's thread waiting; the default tripled the slowest sales."""


def settle_memory() -> None:
    """Leave what the start has made out of every later garbage collection, and collect less often:
    collections in the middle of a request were a tenth of the hub's processor time."""
    gc.collect()
    with suppress(AttributeError, OSError):  # glibc alone keeps what was freed, and gives it back
        ctypes.CDLL(None).malloc_trim(0)
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


async def build_messages() -> None:
    """Build what devices ask for and are answered, and what the cloud is told of it, one after the
    other: else the first sale of the day would.  Each keeps the loop for 3 ms at most; the rest of
    the contract is built when it is first used."""
    rows = [row for row in OPERATIONS.values() if Door.DEVICE in row.doors]
    for model in (*(kind for row in rows for kind in (row.command, row.result)), *_facts(Fact)):
        model.model_rebuild()
        await asyncio.sleep(BUILD_PAUSE_S)


def _facts(kind: type[Fact]) -> list[type[Fact]]:
    return [one for below in kind.__subclasses__() for one in (below, *_facts(below))]
