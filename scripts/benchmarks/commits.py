"""Durable sales through the gate and the writer, without wires, against what the disk can sync.

Every sale is a real one: four scanned lines with their prices and taxes, a tender, movements with
their chain, levels, an event for the cloud and the stored answer, durable before it is answered.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from scripts.benchmarks.bench import Bench, Missing, between
from scripts.benchmarks.counter import Counter, open_counter, sale_body
from scripts.benchmarks.figures import Aim
from scripts.benchmarks.measure import SyncProbe, figure
from scripts.benchmarks.seeding import add_device, found_shop, settings_for
from scripts.benchmarks.slowsync import slow_sync_library
from scripts.rig.process import ROOT

CLIENTS = (1, 10, 50, 200)
SLOW_MS = 5.0
FLOOR = "64 KiB overwrite + fdatasync"
NAMES = tuple(f"sale.{clients}" for clients in CLIENTS)
SLOW_NAMES = tuple(f"sale.{clients}.slow" for clients in CLIENTS)
_FAST_AIMS = {1: 0.3, 10: 1.2, 50: 1.5, 200: 1.8}
_SLOW_AIMS = {1: 0.85, 10: 6.0, 50: 25.0, 200: 50.0}
_SALES_MAX_PER_S = 3000
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
    clients = [one for one in CLIENTS if bench.wants(f"sale.{one}{suffix}")]
    rounds: dict[int, list[tuple[float, float]]] = {one: [] for one in clients}
    with bench.space("sale") as folder:
        plan = {
            "folder": str(folder),
            "clients": clients,
            "rounds": bench.runs(3, 9),
            "seconds": 0.15 if bench.quick else 1.0,
        }
        for line in await _child(plan, preload):
            found = json.loads(line)
            rounds[found["clients"]].append((found["sales_per_s"], found["syncs_per_s"]))
    for count in clients:
        sync_ms = 1000 / median(floor for _, floor in rounds[count])
        bench.add(
            figure(
                f"sale.{count}{suffix}",
                rounds[count],
                unit="sales/s",
                floor_name=f"{FLOOR}{' at 5 ms' if preload else ''}, per second",
                aim=Aim(at_least=_aim(count, sync_ms)),
                explanation=f"durable sales of four lines through gate and writer, {count} at a "
                f"time{', with fsync slowed by 5 ms' if preload else ''}: how many share a sync",
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


async def _sell_all(plan: dict[str, object]) -> None:
    folder = Path(str(plan["folder"]))
    settings = settings_for(folder)
    conn = found_shop(settings)
    add_device(conn, "till-1")
    probe = SyncProbe(folder)
    seconds = float(str(plan["seconds"]))
    clients = plan["clients"]
    assert isinstance(clients, list)
    async with open_counter(settings, conn) as counter:
        await _sales_per_s(counter, 10, 5.0, _WARM_UP)
        for _ in range(int(str(plan["rounds"]))):
            for count in clients:
                syncs_per_s = probe.per_second(seconds)
                sales_per_s = await _sales_per_s(counter, count, seconds)
                found = {"clients": count, "sales_per_s": sales_per_s, "syncs_per_s": syncs_per_s}
                print(json.dumps(found))
    probe.close()


async def _sales_per_s(
    counter: Counter, clients: int, seconds: float, at_most: int | None = None
) -> float:
    count = at_most or int(seconds * _SALES_MAX_PER_S)
    sales = [sale_body(number) for number in range(count)]
    start_s = perf_counter()
    end_s = start_s + seconds

    async def client() -> None:
        while sales and perf_counter() < end_s:
            await counter.sell(sales.pop())

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    return (count - len(sales)) / (perf_counter() - start_s)


if __name__ == "__main__":
    asyncio.run(_sell_all(json.loads(sys.argv[1])))
