"""Sending events to the cloud: what the link costs, and what selling notices of it.

The cloud here takes every batch and acks it (``nullcloud``, its own process).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from statistics import median
from time import perf_counter, process_time
from typing import Any

import aiohttp

from cloud_link.http import OmsClient, Session, packed
from cloud_link.pacing import Pacer
from cloud_link.transport import AiohttpTransport, TlsFiles
from cloud_link.uplink import Uplink
from hub.clock import SystemClock, SystemRandomness
from hub.config import Settings
from hub.contract.oms import BATCH_CONTENT_TYPE
from hub.service.outgoing import Limits, Outgoing, next_batch
from hub.storage import outbox
from hub.storage.rows import Tx
from scripts.benchmarks.bench import Bench
from scripts.benchmarks.counter import IDS, Counter, open_counter, sale_body
from scripts.benchmarks.figures import Aim
from scripts.benchmarks.measure import figure, interleaved, tail_figure
from scripts.benchmarks.nullcloud import OMS_INCARNATION
from scripts.benchmarks.seeding import (
    STORE,
    add_device,
    add_pending_events,
    found_shop,
    settings_for,
)
from scripts.rig.process import Child

NAMES = ("uplink.cpu", "uplink.sale")
BATCH = 100
SALES_PER_S = 20
_SENT_S = 300.0
_LIMITS = Limits(BATCH, 262_144)


async def run(bench: Bench) -> None:
    """Processor time per event, and sales during a drain."""
    events = bench.size(20_000, 100_000)
    with bench.space("uplink") as folder:
        child = Child(
            "the cloud that takes everything",
            [sys.executable, "-m", "scripts.benchmarks.nullcloud"],
            log=folder / "cloud.log",
        )
        await child.start()
        try:
            url = (await child.ready())["url"]
            settings = settings_for(folder, cloud={"url": url})
            conn = await asyncio.to_thread(found_shop, settings)
            add_device(conn, "till-1")
            await asyncio.to_thread(add_pending_events, conn, events)
            async with open_counter(settings, conn) as counter:
                link = _Link(settings, counter, events)
                if bench.wants("uplink.cpu"):
                    await _cpu(bench, link, f"{url}/v1/stores/{STORE}/events")
                if bench.wants("uplink.sale"):
                    await _sales(bench, link)
        finally:
            await child.stop()


class _Link:
    """The hub's own sender over a queue that can be filled again by moving its watermark."""

    def __init__(self, settings: Settings, counter: Counter, events: int) -> None:
        self.counter = counter
        self.events = events
        self._settings = settings

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[Uplink]:
        """All events pending again, and a sender at work on them."""
        await self.counter.writer.submit(_nothing_acked)
        clock = SystemClock()
        client = OmsClient(
            self._settings.cloud,
            STORE,
            AiohttpTransport(TlsFiles(), 5.0),
            clock=clock,
            ids=IDS,
            on_server_time=lambda _: None,
        )
        client.session = Session(1, "token", OMS_INCARNATION)
        pacer = Pacer(
            clock=clock,
            randomness=SystemRandomness(),
            sleep=asyncio.sleep,
            base_s=1.0,
            cap_s=60.0,
            on_answer=lambda _: None,
        )
        uplink = Uplink(self.counter.gate, client, pacer, _LIMITS, 0.0, sleep=asyncio.sleep)
        task = asyncio.create_task(uplink.run())
        try:
            yield uplink
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await client.close()

    async def sent(self, uplink: Uplink, events: int) -> None:
        """Until ``events`` more are acked."""
        until = uplink.sent_events + events
        async with asyncio.timeout(_SENT_S):
            while uplink.sent_events < until:
                await asyncio.sleep(0.005)


def _nothing_acked(tx: Tx) -> None:
    for head in outbox.heads(tx):
        outbox.set_acked(tx, head.source_uri, head.stream, 0)


async def _cpu(bench: Bench, link: _Link, url: str) -> None:
    events = bench.size(3_000, 20_000)
    batch: Any = await link.counter.gate.read(lambda rows: next_batch(rows, STORE, {}, _LIMITS))
    assert isinstance(batch, Outgoing)
    body = packed(batch.body, BATCH_CONTENT_TYPE)
    headers = {"Content-Type": body.content_type, "Content-Encoding": body.encoding}

    async def ours_us() -> float:
        async with link.sending() as uplink:
            await link.sent(uplink, BATCH)
            before_s = process_time()
            sent_before = uplink.sent_events
            await link.sent(uplink, events)
            return (process_time() - before_s) / (uplink.sent_events - sent_before) * 1e6

    async def bare_us() -> float:
        async with aiohttp.ClientSession() as session:
            before_s = process_time()
            for _ in range(events // BATCH):
                async with session.post(url, data=body.content, headers=headers) as answer:
                    await answer.read()
            return (process_time() - before_s) / events * 1e6

    bench.add(
        figure(
            "uplink.cpu",
            await interleaved(bench.runs(3, 9), ours_us, bare_us),
            unit="µs",
            floor_name="a bare aiohttp client that posts the same compressed bytes",
            aim=Aim(at_most=3),
            explanation=f"processor time per event of reading, wrapping, compressing (zstd) and "
            f"sending batches of {BATCH}, and storing how far the cloud has them",
        )
    )


async def _sales(bench: Bench, link: _Link) -> None:
    rounds: list[tuple[list[float], list[float]]] = []
    pace: list[float] = []
    for turn in range(bench.runs(3, 5)):
        bench.say(f"round {turn + 1}: selling while {link.events:,} events drain")
        async with link.sending() as uplink:
            start_s = perf_counter()
            drained = asyncio.create_task(link.sent(uplink, link.events))
            draining = await _sold_ms(link.counter, drained.done)
            await drained
            pace.append(link.events / (perf_counter() - start_s))
        calm = await _sold_ms(link.counter, lambda: False, at_most=len(draining))
        rounds.append((draining, calm))
    bench.add(
        tail_figure(
            "uplink.sale",
            rounds,
            unit="ms",
            floor_name="the same with nothing to send, p99",
            aim=Aim(at_most=2),
            explanation=f"{SALES_PER_S} durable sales a second while {link.events:,} events of an "
            f"outage drain ({median(pace):,.0f} events/s) to a cloud that takes everything, from "
            "the first batch to the last, the 99th percentile",
        )
    )


async def _sold_ms(
    counter: Counter, done: Callable[[], bool], at_most: int = 100_000
) -> list[float]:
    """Sell at a steady pace, at most so often, until it is done."""
    spent: list[float] = []
    begun_s = perf_counter()
    while not done() and len(spent) < at_most:
        sale = sale_body(len(spent))
        start_s = perf_counter()
        await counter.sell(sale)
        spent.append((perf_counter() - start_s) * 1000)
        pause_s = begun_s + len(spent) / SALES_PER_S - perf_counter()
        await asyncio.sleep(max(0.0, pause_s))
    return spent
