"""How soon the hub is there, and what it costs to have it wait."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from time import perf_counter

from hub.config import Settings
from scripts.benchmarks.bench import Bench
from scripts.benchmarks.figures import Aim
from scripts.benchmarks.measure import figure, process_memory_mb
from scripts.benchmarks.seeding import found_shop, settings_for
from scripts.benchmarks.shop import started_hub
from scripts.rig.process import Child

NAMES = ("daemon.ready", "daemon.memory")
READY_S, MEMORY_MB = 1.8, 80.0
_SETTLE_S = 0.3
_BARE = """
import asyncio, json, sys
import pysqlite3
from aiohttp import web

async def main():
    db = pysqlite3.connect(sys.argv[1], isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY)")
    app = web.Application()
    app.router.add_get("/", lambda request: web.Response(text="here"))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"ready": True}), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def run(bench: Bench) -> None:
    """Starts over an existing state, in turn with a bare daemon."""
    ready: list[tuple[float, float]] = []
    memory: list[tuple[float, float]] = []
    with bench.space("daemon") as folder:
        settings = settings_for(folder)
        (await asyncio.to_thread(found_shop, settings)).close()
        await _hub(folder, settings)  # the first start makes certificates and compiles
        for _ in range(bench.runs(2, 7)):
            bare = await _bare(folder)
            hub = await _hub(folder, settings)
            ready.append((hub[0], bare[0]))
            memory.append((hub[1], bare[1]))
    floor_name = "a bare asyncio + aiohttp + SQLite daemon"
    bench.add(
        figure(
            "daemon.ready",
            ready,
            unit="s",
            floor_name=floor_name,
            aim=Aim(value_at_most=READY_S),
            explanation="from starting the hub until devices can connect, its broker included, "
            "over a state that is there",
        )
    )
    bench.add(
        figure(
            "daemon.memory",
            memory,
            unit="MB",
            floor_name=floor_name,
            aim=Aim(value_at_most=MEMORY_MB),
            explanation="memory of the idle hub's process (its share of what is shared), without "
            "its broker",
        )
    )


async def _hub(folder: Path, settings: Settings) -> tuple[float, float]:
    async with started_hub(folder, settings) as hub:
        await asyncio.sleep(_SETTLE_S)
        return hub.ready_s, process_memory_mb(hub.child.pid)


async def _bare(folder: Path) -> tuple[float, float]:
    child = Child(
        "the bare daemon",
        [sys.executable, "-c", _BARE, str(folder / "bare.db")],
        log=folder / "bare.log",
    )
    start_s = perf_counter()
    await child.start()
    try:
        await child.ready()
        ready_s = perf_counter() - start_s
        await asyncio.sleep(_SETTLE_S)
        return ready_s, process_memory_mb(child.pid)
    finally:
        await child.stop()
