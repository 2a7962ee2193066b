"""A sale as a till sees it: MQTT over mutual TLS, broker, gate, disk, and back.

The floor is an echo: the same till, the same kind of broker, the same client library in another
process that sends each request back; plus, where a sale waits for the disk, one sync.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from time import perf_counter

from scripts.benchmarks.bench import Bench, Missing, between
from scripts.benchmarks.counter import sale_body
from scripts.benchmarks.figures import Aim
from scripts.benchmarks.measure import SyncProbe, figure, interleaved
from scripts.benchmarks.shop import HubProcess, connected, running_echo, running_hub
from scripts.benchmarks.slowsync import slow_sync_library
from scripts.benchmarks.till import Till

NAMES = ("till.latency", "till.cpu", "till.throughput")
SLOW_NAMES = ("till.throughput.slow",)
TILLS = 16
SLOW_MS = 5.0
_WARM_UP = 40
_AT_ONCE = "16 tills, one request each under way"


async def run(bench: Bench) -> None:
    """Latency, processor time, and what sharing commits gains."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(bench.space("till"))
        bench.say("starting a hub, pairing 16 tills")
        hub = await stack.enter_async_context(running_hub(folder / "hub", devices=TILLS))
        tills = await stack.enter_async_context(connected(hub))
        for number in range(_WARM_UP):
            await tills[0].sell(sale_body(number))
        if bench.wants("till.latency", "till.cpu"):
            echo = await stack.enter_async_context(running_echo(hub, folder / "echo"))
            echoes = await stack.enter_async_context(connected(echo))
            probe = SyncProbe(folder)
            bench.say("one sale at a time")
            await _latency(bench, tills[0], echoes[0], probe)
            probe.close()
            bench.say("16 sales at a time")
            await _cpu(bench, hub, tills, echo, echoes)
    if bench.wants("till.throughput"):
        with bench.space("till") as folder:
            await _throughput(bench, folder, "till.throughput", None)


async def run_slow(bench: Bench) -> None:
    """What sharing commits gains on a slow disk."""
    with bench.space("till") as folder:
        try:
            library = slow_sync_library(folder, SLOW_MS)
        except Missing as missing:
            bench.skip(SLOW_NAMES[0], str(missing))
            return
        await _throughput(bench, folder, SLOW_NAMES[0], library)


async def _latency(bench: Bench, till: Till, echo: Till, probe: SyncProbe) -> None:
    each = bench.size(30, 150)

    async def sale_ms() -> float:
        return median([await till.sell(sale_body(number)) for number in range(each)]) * 1000

    async def floor_ms() -> float:
        echoed = median([await echo.echo(sale_body(number)) for number in range(each)])
        return (echoed + median(probe.once() for _ in range(each))) * 1000

    await floor_ms()
    bench.add(
        figure(
            "till.latency",
            await interleaved(bench.runs(5, 15), sale_ms, floor_ms),
            unit="ms",
            floor_name="MQTT echo through the same broker and library + one fdatasync, p50 each",
            aim=Aim(at_most=2.5),
            explanation="a sale of four lines from the till's request to its answer, durable, one "
            "at a time, the median",
        )
    )


async def _cpu(
    bench: Bench, hub: HubProcess, tills: list[Till], echo: HubProcess, echoes: list[Till]
) -> None:
    each = bench.size(8, 40)

    async def per_request_us(process: HubProcess, who: list[Till], *, sells: bool) -> float:
        before_s = process.cpu_s()
        await all_at_once(who, each, sells=sells)
        return (process.cpu_s() - before_s) / (each * len(who)) * 1e6

    rounds = await interleaved(
        bench.runs(5, 15),
        lambda: per_request_us(hub, tills, sells=True),
        lambda: per_request_us(echo, echoes, sells=False),
    )
    bench.add(
        figure(
            "till.cpu",
            rounds,
            unit="µs",
            floor_name="processor time per echo in the echo's process",
            aim=Aim(at_most=3),
            explanation=f"processor time per sale of four lines in the hub's process, {_AT_ONCE}",
        )
    )


async def _throughput(bench: Bench, folder: Path, name: str, preload: Path | None) -> None:
    bench.say("starting two hubs, one with a commit per sale")
    each = bench.size(8, 40)
    async with AsyncExitStack() as stack:

        async def shop(kind: str, **storage: int) -> list[Till]:
            hub = await stack.enter_async_context(
                running_hub(folder / kind, devices=TILLS, preload=preload, storage=dict(storage))
            )
            return await stack.enter_async_context(connected(hub))

        grouped, single = await asyncio.gather(shop("many"), shop("one", batch_max=1))
        await all_at_once(grouped, 3)
        await all_at_once(single, 3)
        rounds = await interleaved(
            bench.runs(3, 11), lambda: _per_s(grouped, each), lambda: _per_s(single, each)
        )
    sync_ms = bench.sync_ms + (SLOW_MS if preload else 0.0)
    bench.add(
        figure(
            name,
            rounds,
            unit="sales/s",
            floor_name="the same hub with one commit per sale (storage.batch_max = 1)",
            aim=Aim(at_least=between(sync_ms, (0.5, 1.3), (0.7, 3.0))),
            explanation=f"durable sales of four lines over MQTT, {_AT_ONCE}"
            f"{', with fsync slowed by 5 ms' if preload else ''}",
        )
    )


async def _per_s(tills: list[Till], each: int) -> float:
    start_s = perf_counter()
    await all_at_once(tills, each)
    return each * len(tills) / (perf_counter() - start_s)


async def all_at_once(tills: list[Till], each: int, *, sells: bool = True) -> list[float]:
    """Every till makes ``each`` requests one after another; how long each took, in seconds."""
    sales = {till.device_id: [sale_body(number) for number in range(each)] for till in tills}

    async def one(till: Till) -> list[float]:
        ask = till.sell if sells else till.echo
        return [await ask(sale) for sale in sales[till.device_id]]

    return [spent for found in await asyncio.gather(*map(one, tills)) for spent in found]
