"""What a scan costs in the hub, and how that grows with the catalogue."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from time import perf_counter, thread_time

from hub.config import Settings
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Request
from hub.storage.sqlite import Connection
from scripts.benchmarks import seeds
from scripts.benchmarks.bench import Bench
from scripts.benchmarks.counter import Counter, open_counter, sale_body
from scripts.benchmarks.figures import NO_AIM, Aim, Line, Series, level
from scripts.benchmarks.measure import SyncProbe, figure, percentile
from scripts.benchmarks.seeding import add_device, found_shop, gtin_of

NAMES = ("lookup.p99", "growth.lookup")
SIZES = (1_000, 10_000, 50_000, 200_000)
_PRODUCT_BYTES = 220
_STRIDE = 7919
ONE_SELECT = """
SELECT p.sku, p.name, p.uom, p.scale, p.tax_code, p.category, p.active, p.safety_qty,
       (SELECT r.price_minor FROM prices r WHERE r.generation = 1 AND r.sku = p.sku
        ORDER BY r.valid_from_ms DESC LIMIT 1),
       s.sellable, s.staged, s.quarantine, s.refurbish, s.damaged, s.transit_in, s.reserved,
       s.held, s.allotted, s.last_seq
FROM barcodes b
JOIN products p ON p.generation = 1 AND p.sku = b.sku
JOIN skus k ON k.sku = p.sku
JOIN stock s ON s.sku_id = k.id
WHERE b.generation = 1 AND b.gtin = ?
"""
"""The least a database can do for the same answer.  (Three columns of one table by their key are
another, smaller answer: product, price and stock of a barcode lie in five trees.)"""


@dataclass(frozen=True, slots=True)
class _Round:
    """Processor time of each, and the 99th percentile by the clock."""

    cpu_ms: list[float]
    clock_ms: float


_Rounds = dict[int, list[_Round]]


async def run(bench: Bench) -> None:
    """Scan to product, price and stock, against one SELECT of them on the same connection."""
    sizes = SIZES if bench.wants("growth.lookup") else SIZES[-1:]
    looked: _Rounds = defaultdict(list)
    selected: _Rounds = defaultdict(list)
    sold: dict[int, list[float]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        shops = []
        for size in sizes:
            shop = seeds.database(bench, "products", size, _PRODUCT_BYTES, _with_products(size))
            settings, conn = await stack.enter_async_context(shop)
            counter = await stack.enter_async_context(open_counter(settings, conn))
            shops.append(_Scans(counter, size, bench.size(400, 3000)))
            await shops[-1].looked_up()
        bench.say("scanning")
        probe = SyncProbe(bench.folder if bench.seeds is None else bench.seeds)
        stack.callback(probe.close)
        syncs_ms: list[float] = []
        for _ in range(bench.runs(5, 15)):
            syncs_ms += [probe.once() * 1000 for _ in range(10)]
            for scans in shops:
                selected[scans.products].append(scans.selected())
                looked[scans.products].append(await scans.looked_up())
                if len(shops) > 1:
                    sold[scans.products] += await scans.sold_ms(bench.size(5, 30))
    _add_figures(bench, looked, selected)
    if len(sizes) > 1:
        _draw(bench, looked, selected, sold, median(syncs_ms))


def _add_figures(bench: Bench, looked: _Rounds, selected: _Rounds) -> None:
    few, many = min(looked), max(looked)
    clocked = [median(one.clock_ms for one in found[many]) for found in (looked, selected)]
    what = (
        "processor time of a scan of an EAN-13 → product, price, tax code and stock through the "
        f"gate at {many:,} SKUs, the 99th percentile, JSON in and out, no wire; nothing in it "
        f"waits (by the clock: {clocked[0]:.3g} ms, floor {clocked[1]:.3g} ms)"
    )
    rounds = zip(_tails(looked[many]), _tails(selected[many]), strict=True)
    bench.add(
        figure(
            "lookup.p99",
            list(rounds),
            unit="ms",
            floor_name="one read-only SELECT of the same product, price and levels, p99",
            aim=Aim(at_most=3),
            explanation=what,
        )
    )
    if few != many:
        rounds = zip(_tails(looked[many]), _tails(looked[few]), strict=True)
        bench.add(
            figure(
                "growth.lookup",
                list(rounds),
                unit="ms",
                floor_name=f"the same at {few:,} SKUs",
                aim=NO_AIM,
                explanation=what,
            )
        )


def _tails(rounds: list[_Round]) -> list[float]:
    return [percentile(one.cpu_ms, 0.99) for one in rounds]


def _draw(
    bench: Bench,
    looked: _Rounds,
    selected: _Rounds,
    sold: dict[int, list[float]],
    sync_ms: float,
) -> None:
    bench.draw(
        Series(
            "catalogue",
            "Scan → product, price and stock",
            "SKUs in the catalogue",
            "µs of processor time",
            (
                Line("look-up, p99", _points(looked, 0.99)),
                Line("look-up, p50", _points(looked, 0.5)),
                Line("one SELECT, p99", _points(selected, 0.99), True),
                Line("one SELECT, p50", _points(selected, 0.5), True),
            ),
            log_y=True,
        ),
        Series(
            "catalogue",
            "A durable sale, one at a time",
            "SKUs in the catalogue",
            "ms",
            (
                Line("p50", tuple((n, median(ms)) for n, ms in sold.items())),
                level("64 KiB overwrite + fdatasync, p50", sold, sync_ms),
            ),
        ),
    )


def _points(found: _Rounds, part: float) -> tuple[tuple[float, float], ...]:
    return tuple(
        (n, percentile([ms * 1000 for one in rounds for ms in one.cpu_ms], part))
        for n, rounds in found.items()
    )


def _with_products(count: int) -> seeds.Fill:
    def fill(settings: Settings, on_piece: seeds.OnPiece) -> Connection:
        conn = found_shop(settings, count)
        add_device(conn, "till-1")
        on_piece(count)
        return conn

    return fill


class _Scans:
    """Products all over the catalogue, in an order that no cache likes."""

    def __init__(self, counter: Counter, products: int, each: int) -> None:
        self.products = products
        self._counter = counter
        self._each = each
        self._at = 0

    def _next(self, name: Callable[[int], str]) -> str:
        self._at = (self._at + _STRIDE) % self.products
        return name(1 + self._at)

    async def looked_up(self) -> _Round:
        caller = Caller(CallerKind.DEVICE, self._counter.till)
        spent, clock_ms = [], []
        for _ in range(self._each):
            body = json.dumps({"code": self._next(gtin_of)}).encode()
            request = Request(caller, "catalog", "look-up", body)
            start_s, cpu_s = perf_counter(), thread_time()
            answer = await self._counter.gate.answer(request)
            spent.append((thread_time() - cpu_s) * 1000)
            clock_ms.append((perf_counter() - start_s) * 1000)
            assert answer.startswith('{"ok":true'), answer
        return _Round(spent, percentile(clock_ms, 0.99))

    def selected(self) -> _Round:
        spent, clock_ms = [], []
        for _ in range(self._each):
            gtin14 = self._next(gtin_of).zfill(14)
            start_s, cpu_s = perf_counter(), thread_time()
            row = self._counter.rows.one(ONE_SELECT, gtin14)
            spent.append((thread_time() - cpu_s) * 1000)
            clock_ms.append((perf_counter() - start_s) * 1000)
            assert row is not None
        return _Round(spent, percentile(clock_ms, 0.99))

    async def sold_ms(self, count: int) -> list[float]:
        spent = []
        for number in range(count):
            sale = sale_body(number)
            start_s = perf_counter()
            await self._counter.sell(sale)
            spent.append((perf_counter() - start_s) * 1000)
        return spent
