"""Durable sales without wires, against what the disk can sync: ``store`` is the storage layer
alone (a sale's rows, made beforehand, through the writer's thread), ``sale`` the whole gate.

Every sale of the gate is a real one: four scanned lines with their prices and taxes, a tender,
movements with their chain, levels, an event for the cloud and the stored answer, durable before it
is answered.  The aims are the storage layer's.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from hub.app.tuning import settle_memory
from hub.config import Settings
from hub.storage.sqlite import Connection
from scripts.benchmarks.bench import Bench, Missing, between
from scripts.benchmarks.counter import open_counter, sale_body
from scripts.benchmarks.figures import NO_AIM, Aim, Line, Series
from scripts.benchmarks.measure import SyncProbe, figure
from scripts.benchmarks.readysales import open_store, ready_sale
from scripts.benchmarks.seeding import add_device, found_shop, settings_for
from scripts.benchmarks.slowsync import slow_sync_library
from scripts.rig.process import ROOT

CLIENTS = (1, 10, 50, 200)
SLOW_MS = 5.0
FLOOR = "64 KiB overwrite + fdatasync"
NAMES = tuple(f"{kind}.{clients}" for kind in ("store", "sale") for clients in CLIENTS)
SLOW_NAMES = tuple(f"{name}.slow" for name in NAMES)
_FAST_AIMS = {1: 0.3, 10: 1.2, 50: 1.5, 200: 1.8}
_SLOW_AIMS = {1: 0.85, 10: 6.0, 50: 25.0, 200: 50.0}
_SALES_MAX_PER_S = 3000
_STORED_MAX_PER_S = 15_000
_ABOUT = {
    "store": "a sale's rows, made beforehand, through the writer's thread alone",
    "sale": "sales of four lines through gate and writer",
}
_WARM_UP = 100


async def run(bench: Bench) -> None:
    """The disk as it is."""
    await _measure(bench, "", None)


async def run_slow(bench: Bench) -> None:
    """The same with every sync made 5 ms longer."""
    with bench.space("shim") as folder:
        try:
            library = slow_sync_library(folder, SLOW_MS)
        except Missing as missing:
            for name in SLOW_NAMES:
                bench.skip(name, str(missing))
            return
        await _measure(bench, ".slow", library)


async def _measure(bench: Bench, suffix: str, preload: Path | None) -> None:
    wanted = [name for name in NAMES if bench.wants(f"{name}{suffix}")]
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in wanted}
    with bench.space("sale") as folder:
        plan = {
            "folder": str(folder),
            "wanted": wanted,
            "rounds": bench.runs(3, 9),
            "seconds": 0.15 if bench.quick else 0.7,
        }
        for line in await _child(plan, preload):
            found = json.loads(line)
            rounds[found["name"]].append((found["sales_per_s"], found["syncs_per_s"]))
    for name in wanted:
        kind, _, count = name.partition(".")
        sync_ms = 1000 / median(floor for _, floor in rounds[name])
        bench.add(
            figure(
                f"{name}{suffix}",
                rounds[name],
                unit="sales/s",
                floor_name=f"{FLOOR}{' at 5 ms' if preload else ''}, per second",
                aim=Aim(at_least=_aim(int(count), sync_ms)) if kind == "store" else NO_AIM,
                explanation=f"durable: {_ABOUT[kind]}, {count} at a time"
                f"{', with fsync slowed by 5 ms' if preload else ''}: how many share a sync",
            )
        )
    _draw(bench, rounds, suffix)


def _draw(bench: Bench, rounds: dict[str, list[tuple[float, float]]], suffix: str) -> None:
    lines = []
    floors = []
    for kind, label in (("store", "storage layer alone"), ("sale", "whole gate")):
        found = {n: rounds[f"{kind}.{n}"] for n in CLIENTS if f"{kind}.{n}" in rounds}
        if len(found) > 1:
            points = tuple((n, median(one[0] for one in each)) for n, each in found.items())
            lines.append(Line(label, points))
            floors += [floor for each in found.values() for _, floor in each]
    if lines:
        syncs = tuple((n, median(floors)) for n in CLIENTS)
        title = f"Durable sales, {'fsync slowed by 5 ms' if suffix else 'the disk as it is'}"
        bench.draw(
            Series(
                f"clients{suffix}",
                title,
                "sales under way at a time",
                "per second",
                (*lines, Line(FLOOR, syncs, True)),
                log_y=True,
            )
        )


def _aim(clients: int, sync_ms: float) -> float:
    slow_ms = 1.0 if clients == 1 else SLOW_MS
    return between(sync_ms, (0.15, _FAST_AIMS[clients]), (slow_ms, _SLOW_AIMS[clients]))


async def _child(plan: dict[str, object], preload: Path | None) -> list[str]:
    slowly = [f"LD_PRELOAD={preload}"] if preload else []
    process = await asyncio.create_subprocess_exec(
        *("env", *slowly, sys.executable, "-m", "scripts.benchmarks.commits", json.dumps(plan)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        out, errors = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        print(errors.decode(), file=sys.stderr)
        raise RuntimeError(errors.decode().strip().splitlines()[-1])
    return out.decode().splitlines()


# In the child ------------------------------------------------------------------------------------


async def _sell_all(plan: dict[str, Any]) -> None:
    folder, seconds = Path(plan["folder"]), float(plan["seconds"])
    settings, other = settings_for(folder / "gate"), settings_for(folder / "store")
    probe = SyncProbe(folder)
    async with (
        open_counter(settings, _shop(settings)) as counter,
        open_store(_shop(other)) as store,
    ):

        async def sales_per_s(name: str, seconds: float, at_most: int | None = None) -> float:
            kind, _, clients = name.partition(".")
            if kind == "store":
                ready = [ready_sale(n) for n in range(at_most or int(seconds * _STORED_MAX_PER_S))]
                return await _per_s(store.sell, ready, int(clients), seconds)
            bodies = [sale_body(n) for n in range(at_most or int(seconds * _SALES_MAX_PER_S))]
            return await _per_s(counter.sell, bodies, int(clients), seconds)

        for kind in ("store", "sale"):
            await sales_per_s(f"{kind}.10", 5.0, _WARM_UP)
        settle_memory()
        for _ in range(plan["rounds"]):
            for name in plan["wanted"]:
                syncs_per_s = probe.per_second(seconds)
                found = await sales_per_s(name, seconds)
                line = {"name": name, "sales_per_s": found, "syncs_per_s": syncs_per_s}
                print(json.dumps(line))
    probe.close()


def _shop(settings: Settings) -> Connection:
    conn = found_shop(settings)
    add_device(conn, "till-1")
    return conn


async def _per_s(
    sell: Callable[[Any], Awaitable[None]], sales: list[Any], clients: int, seconds: float
) -> float:
    count = len(sales)
    start_s = perf_counter()
    end_s = start_s + seconds

    async def client() -> None:
        while sales and perf_counter() < end_s:
            await sell(sales.pop())

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    return (count - len(sales)) / (perf_counter() - start_s)


if __name__ == "__main__":
    asyncio.run(_sell_all(json.loads(sys.argv[1])))
