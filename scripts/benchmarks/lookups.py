"""What a scan costs in the hub when the catalogue is large."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import perf_counter

from hub.service.caller import Caller, CallerKind
from hub.service.gate import Request
from scripts.benchmarks.bench import Bench
from scripts.benchmarks.counter import Counter, open_counter
from scripts.benchmarks.figures import Aim
from scripts.benchmarks.measure import figure, interleaved, percentile
from scripts.benchmarks.seeding import add_device, found_shop, gtin_of, settings_for

NAMES = ("lookup.p99",)
PRODUCTS = 200_000
_STRIDE = 7919
_SELECT = """
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


async def run(bench: Bench) -> None:
    """Scan to product, price and stock, against one SELECT of them on the same connection."""
    with bench.space("lookup") as folder:
        settings = settings_for(folder)
        conn = found_shop(settings, PRODUCTS, staff=False)
        add_device(conn, "till-1", signed_in=False)
        async with open_counter(settings, conn) as counter:
            scans = _Scans(counter, bench.size(500, 4000))
            await scans.looked_up_ms()
            rounds = await interleaved(bench.runs(5, 15), scans.looked_up_ms, scans.selected_ms)
    bench.add(
        figure(
            "lookup.p99",
            rounds,
            unit="ms",
            floor_name="one read-only SELECT of the same product, price and levels, p99",
            aim=Aim(at_most=3),
            explanation="scan of an EAN-13 → product, price, tax code and stock through the gate "
            f"at {PRODUCTS:,} SKUs, the 99th percentile, JSON in and out, no wire",
        )
    )


class _Scans:
    """Products all over the catalogue, in an order that no cache likes."""

    def __init__(self, counter: Counter, each: int) -> None:
        self._counter = counter
        self._each = each
        self._at = 0

    def _next(self, name: Callable[[int], str]) -> str:
        self._at = (self._at + _STRIDE) % PRODUCTS
        return name(1 + self._at)

    async def looked_up_ms(self) -> float:
        caller = Caller(CallerKind.DEVICE, self._counter.till)
        spent = []
        for _ in range(self._each):
            body = json.dumps({"code": self._next(gtin_of)}).encode()
            request = Request(caller, "catalog", "look-up", body)
            start_s = perf_counter()
            answer = await self._counter.gate.answer(request)
            spent.append(perf_counter() - start_s)
            assert answer.startswith('{"ok":true'), answer
        return percentile(spent, 0.99) * 1000

    async def selected_ms(self) -> float:
        spent = []
        for _ in range(self._each):
            gtin14 = self._next(gtin_of).zfill(14)
            start_s = perf_counter()
            row = self._counter.rows.one(_SELECT, gtin14)
            spent.append(perf_counter() - start_s)
            assert row is not None
        return percentile(spent, 0.99) * 1000
