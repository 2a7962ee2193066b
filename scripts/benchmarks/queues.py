"""What a shop would use instead to keep sales for the cloud: ready-made durable queues.

They store one blob per call; our sale writes all its rows besides.  They are no dependency of this
project: install them into its environment to see them here.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

from scripts.benchmarks.bench import Bench
from scripts.benchmarks.counter import Counter, open_counter, sale_body
from scripts.benchmarks.figures import NO_AIM
from scripts.benchmarks.measure import figure, interleaved
from scripts.benchmarks.seeding import add_device, found_shop, settings_for

NAMES = ("instead.persist-queue", "instead.huey", "instead.procrastinate")
CLIENTS = 10
DSN_VARIABLE = "PROCRASTINATE_DSN"
_EVENT = b"x" * 1400
_MODULES = {"persist-queue": "persistqueue", "huey": "huey", "procrastinate": "procrastinate"}


async def run(bench: Bench) -> None:
    """Our sales per second against their enqueues per second, both durable, ten at a time."""
    with bench.space("instead") as folder:
        queues: dict[str, Callable[[], None]] = {}
        for name, open_queue in (("persist-queue", _persist_queue), ("huey", _huey)):
            if importlib.util.find_spec(_MODULES[name]) is None:
                bench.skip(f"instead.{name}", _how(name))
            elif bench.wants(f"instead.{name}"):
                queues[name] = await asyncio.to_thread(open_queue, folder)
        _skip_procrastinate(bench)
        if not queues:
            return
        settings = settings_for(folder / "hub")
        conn = found_shop(settings)
        add_device(conn, "till-1")
        async with open_counter(settings, conn) as counter:
            for name, put in queues.items():
                await _compare(bench, name, counter, put)


async def _compare(bench: Bench, name: str, counter: Counter, put: Callable[[], None]) -> None:
    each = bench.size(20, 100)

    async def ours() -> float:
        sales = [sale_body(number) for number in range(each * CLIENTS)]

        async def client() -> None:
            while sales:
                await counter.sell(sales.pop())

        start_s = perf_counter()
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        return each * CLIENTS / (perf_counter() - start_s)

    async def theirs() -> float:
        return await asyncio.to_thread(_puts_per_s, put, each)

    await theirs()
    bench.add(
        figure(
            f"instead.{name}",
            await interleaved(bench.runs(3, 9), ours, theirs),
            unit="per s",
            floor_name=f"{name}: durable enqueues of one 1.4 KB event",
            aim=NO_AIM,
            explanation=f"our durable sales with all their rows, {CLIENTS} at a time, beside what "
            f"{name} keeps",
        )
    )


def _puts_per_s(put: Callable[[], None], each: int) -> float:
    def client(_: int) -> None:
        for _ in range(each):
            put()

    start_s = perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    return each * CLIENTS / (perf_counter() - start_s)


def _persist_queue(folder: Path) -> Callable[[], None]:
    persistqueue: Any = importlib.import_module("persistqueue")
    queue = persistqueue.SQLiteQueue(str(folder / "pq"), multithreading=True, auto_commit=True)
    return lambda: queue.put(_EVENT)


def _huey(folder: Path) -> Callable[[], None]:
    huey: Any = importlib.import_module("huey")
    storage = huey.SqliteHuey("bench", filename=str(folder / "huey.db"), fsync=True).storage
    return lambda: storage.enqueue(_EVENT)


def _skip_procrastinate(bench: Bench) -> None:
    if importlib.util.find_spec("procrastinate") is None:
        why = _how("procrastinate")
    elif DSN_VARIABLE not in os.environ:
        why = f"it keeps its queue in PostgreSQL: name one in {DSN_VARIABLE}"
    else:
        why = "not compared yet: it needs its schema applied to the named database first"
    bench.skip("instead.procrastinate", why)


def _how(name: str) -> str:
    return f"{name} is not installed: .venv/bin/python -m pip install {name}"
