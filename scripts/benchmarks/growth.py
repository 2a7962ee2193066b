"""Whether work stays as quick when years of sales are kept and a long outage is pending."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

from hub.storage import outbox
from hub.storage.rows import Tx
from hub.storage.sqlite import Connection
from scripts.benchmarks.bench import Bench
from scripts.benchmarks.counter import Counter, open_counter, sale_body
from scripts.benchmarks.figures import Aim
from scripts.benchmarks.measure import figure, interleaved
from scripts.benchmarks.seeding import (
    add_device,
    add_pending_events,
    add_sales,
    found_shop,
    settings_for,
)

NAMES = ("growth.commit", "growth.outbox")
FEW_SALES, FEW_EVENTS = 10_000, 1_000
BATCH = 100
_BATCHES = 8


async def run(bench: Bench) -> None:
    """Commits with much kept, and the outbox with much pending."""
    if bench.wants("growth.commit"):
        await _commits(bench)
    if bench.wants("growth.outbox"):
        await _outbox(bench)


async def _commits(bench: Bench) -> None:
    many = bench.size(100_000, 1_000_000)
    with bench.space("growth") as folder:
        bench.say(f"writing {many:,} sales")
        async with _kept(folder / "few", FEW_SALES) as few, _kept(folder / "many", many) as big:
            each = bench.size(60, 200)
            rounds = await interleaved(
                bench.runs(5, 15), lambda: _sale_ms(big, each), lambda: _sale_ms(few, each)
            )
    bench.add(
        figure(
            "growth.commit",
            rounds,
            unit="ms",
            floor_name=f"the same with {FEW_SALES:,} sales held, p50",
            aim=Aim(at_most=1.15),
            explanation=f"one durable sale after another with {many:,} sales held, the median",
        )
    )


@asynccontextmanager
async def _kept(folder: Path, sales: int) -> AsyncIterator[Counter]:
    settings = settings_for(folder)

    def make() -> Connection:
        conn = found_shop(settings)
        add_device(conn, "till-1")
        add_sales(conn, sales)
        return conn

    async with open_counter(settings, await asyncio.to_thread(make)) as counter:
        await _sale_ms(counter, 20)
        yield counter


async def _sale_ms(counter: Counter, count: int) -> float:
    spent = []
    for number in range(count):
        sale = sale_body(number)
        start_s = perf_counter()
        await counter.sell(sale)
        spent.append(perf_counter() - start_s)
    return median(spent) * 1000


async def _outbox(bench: Bench) -> None:
    many = bench.size(100_000, 1_000_000)
    with bench.space("growth") as folder:
        bench.say(f"writing {many:,} pending events")
        few = await asyncio.to_thread(_pending, folder / "few", FEW_EVENTS)
        big = await asyncio.to_thread(_pending, folder / "many", many)
        each = bench.size(5, 20)
        try:
            rounds = await interleaved(
                bench.runs(5, 15),
                lambda: _take_and_ack_us(big, many, each),
                lambda: _take_and_ack_us(few, FEW_EVENTS, each),
            )
        finally:
            few.close()
            big.close()
    bench.add(
        figure(
            "growth.outbox",
            rounds,
            unit="µs",
            floor_name=f"the same with {FEW_EVENTS:,} pending",
            aim=Aim(at_most=1.2),
            explanation=f"take the next {BATCH} events and ack them with {many:,} pending, inside "
            "the writer's transaction, without its commit",
        )
    )


def _pending(folder: Path, events: int) -> Connection:
    conn = found_shop(settings_for(folder), staff=False)
    add_pending_events(conn, events)
    return conn


async def _take_and_ack_us(conn: Connection, events: int, times: int) -> float:
    """From a place in the middle that moves, ``_BATCHES`` batches each time."""
    spent = []
    for turn in range(times):
        tx = Tx(conn, 0, 0)
        head = outbox.heads(tx)[0]
        begin = turn * 7919 % max(1, events - BATCH * (_BATCHES + 1))
        conn.execute("BEGIN IMMEDIATE")
        outbox.set_acked(tx, head.source_uri, head.stream, begin)
        start_s = perf_counter()
        for _ in range(_BATCHES):
            lane = outbox.heads(tx)[0]
            taken = outbox.batch(tx, lane, lane.acked_seq, BATCH)
            assert len(taken) == BATCH
            outbox.set_acked(tx, lane.source_uri, lane.stream, taken[-1].seq)
        spent.append((perf_counter() - start_s) / _BATCHES)
        conn.execute("ROLLBACK")
    return median(spent) * 1e6
