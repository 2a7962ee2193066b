"""Three hundred devices that each ask something once a second, against ten."""

from __future__ import annotations

import asyncio
import json
from time import perf_counter

from scripts.benchmarks.bench import Bench
from scripts.benchmarks.figures import Aim
from scripts.benchmarks.measure import figure, percentile
from scripts.benchmarks.seeding import gtin_of
from scripts.benchmarks.shop import HubProcess, connected, running_hub
from scripts.benchmarks.till import Till

NAMES = ("crowd.cpu", "crowd.p99")
MANY, FEW = 300, 10
_EACH_S = 8
_RUNS = 3


async def run(bench: Bench) -> None:
    """Processor time per message, and how long the slowest wait."""
    cpu: list[tuple[float, float]] = []
    p99: list[tuple[float, float]] = []
    with bench.space("crowd") as folder:
        bench.say(f"connecting {MANY} devices")
        async with (
            running_hub(folder, devices=MANY, products=1000) as hub,
            connected(hub) as tills,
        ):
            for _ in range(_RUNS):
                few = await _ask_steadily(hub, tills[:FEW])
                many = await _ask_steadily(hub, tills)
                cpu.append((many[0], few[0]))
                p99.append((many[1], few[1]))
    floor_name = f"the same with {FEW} of them asking"
    what = f"{MANY} connected devices look up a product once a second each"
    bench.add(
        figure(
            "crowd.cpu",
            cpu,
            unit="µs",
            floor_name=floor_name,
            aim=Aim(at_most=1.1),
            explanation=f"processor time of the hub's process per message: {what}",
        )
    )
    bench.add(
        figure(
            "crowd.p99",
            p99,
            unit="ms",
            floor_name=floor_name,
            aim=Aim(at_most=3),
            explanation=f"request to answer, the 99th percentile: {what}",
        )
    )


async def _ask_steadily(hub: HubProcess, tills: list[Till]) -> tuple[float, float]:
    """``(µs of processor time per message, p99 in ms)``."""
    before_s = hub.cpu_s()
    spent: list[float] = []

    async def one(index: int, till: Till) -> None:
        await asyncio.sleep(index / len(tills))
        for turn in range(_EACH_S):
            body = json.dumps({"code": gtin_of(1 + (index * 7 + turn) % 1000)}).encode()
            start_s = perf_counter()
            answer = await till.ask("catalog", "look-up", body)
            took_s = perf_counter() - start_s
            assert answer.startswith(b'{"ok":true'), answer
            spent.append(took_s)
            await asyncio.sleep(max(0.0, 1 - took_s))

    await asyncio.gather(*(one(index, till) for index, till in enumerate(tills)))
    return (hub.cpu_s() - before_s) / len(spent) * 1e6, percentile(spent, 0.99) * 1000
