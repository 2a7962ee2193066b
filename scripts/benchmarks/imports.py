"""What a till notices of a whole catalogue being imported."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from time import perf_counter
from typing import Any

from hub.service.caller import CLOUD
from hub.service.handlers.datasets import BeginStaging, StageRows, jobs, read_lines
from hub.storage.datasetrows import DatasetRow, TableRow
from scripts.benchmarks.bench import Bench
from scripts.benchmarks.counter import Counter, open_counter, sale_body
from scripts.benchmarks.figures import Aim
from scripts.benchmarks.measure import figure, interleaved, percentile
from scripts.benchmarks.seeding import add_device, found_shop, gtin_of, settings_for, sku_of

NAMES = ("import.sale",)
_PAUSE_S = 0.01
_CHUNK_ROWS = 2_000
_LABEL = "bench"


async def run(bench: Bench) -> None:
    """Sales while a snapshot is staged against sales while nothing else is done."""
    products, runs = bench.size(20_000, 200_000), bench.runs(3, 9)
    with bench.space("import") as folder:
        settings = settings_for(folder)
        conn = found_shop(settings)
        add_device(conn, "till-1")
        async with open_counter(settings, conn) as counter:
            staged = await counter.gate.internal(CLOUD, BeginStaging("catalog", _LABEL))
            chunks = list(_chunks(products))
            share = -(-len(chunks) // runs)
            await _sales_p99_ms(counter, asyncio.sleep(0.5))

            async def importing_ms() -> float:
                mine = [chunks.pop() for _ in range(min(share, len(chunks)))]
                return await _sales_p99_ms(counter, _import(counter, staged, mine))

            async def idle_ms() -> float:
                return await _sales_p99_ms(counter, asyncio.sleep(0.7 if bench.quick else 4.0))

            rounds = await interleaved(runs, importing_ms, idle_ms)
    bench.add(
        figure(
            "import.sale",
            rounds,
            unit="ms",
            floor_name="the same with nothing else to do, p99",
            aim=Aim(at_most=3),
            explanation=f"a durable sale every {_PAUSE_S * 1000:.0f} ms while a snapshot of "
            f"{products:,} products is read and staged, the 99th percentile",
        )
    )


def _chunks(products: int) -> Iterator[bytes]:
    """The catalogue as the cloud sends it: JSON Lines."""
    for first in range(1, products + 1, _CHUNK_ROWS):
        rows = range(first, min(products + 1, first + _CHUNK_ROWS))
        yield b"\n".join(_line(number) for number in rows)


def _line(number: int) -> bytes:
    return (
        f'{{"sku":"{sku_of(number)}","name":"Product number {number} of the shop","uom":"each",'
        f'"scale":0,"tax_code":"standard","category":"grocery","active":true,'
        f'"barcodes":["{gtin_of(number).zfill(14)}"]}}'
    ).encode()


async def _import(counter: Counter, staged: DatasetRow, chunks: Sequence[bytes]) -> None:
    """As the link does: each chunk is read in a thread, then staged piece by piece."""
    for text in chunks:
        _, rows = await asyncio.to_thread(read_lines, "catalog", text, where=_LABEL)
        for piece in jobs(rows):
            await _stage(counter, staged, piece)


async def _stage(counter: Counter, staged: DatasetRow, rows: Sequence[TableRow]) -> None:
    await counter.gate.internal(CLOUD, StageRows("catalog", staged.staging, rows, None))


async def _sales_p99_ms(counter: Counter, meanwhile: Coroutine[Any, Any, None]) -> float:
    """Sell at a steady pace until ``meanwhile`` is done."""
    work = asyncio.ensure_future(meanwhile)
    spent: list[float] = []
    while not work.done():
        sale = sale_body(len(spent))
        start_s = perf_counter()
        await counter.sell(sale)
        spent.append(perf_counter() - start_s)
        await asyncio.sleep(_PAUSE_S)
    await work
    return percentile(spent, 0.99) * 1000
