"""Whether work stays as quick when years of sales are kept and a long outage is pending.

The same work over databases of several sizes in turn; the smallest is the floor of the largest.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter, process_time, thread_time

from hub.config import Settings
from hub.storage import outbox
from hub.storage.rows import Tx
from hub.storage.sqlite import Connection
from scripts.benchmarks import seeds
from scripts.benchmarks.bench import Bench
from scripts.benchmarks.counter import Counter, open_counter, sale_body
from scripts.benchmarks.figures import Aim, Line, Series, level
from scripts.benchmarks.measure import SyncProbe, figure, percentile
from scripts.benchmarks.seeding import add_device, add_pending_events, add_sales, found_shop

NAMES = ("growth.commit", "growth.outbox")
SALES = ((10_000, 30_000, 100_000), (10_000, 100_000, 1_000_000))
EVENTS = ((1_000, 10_000, 100_000), (1_000, 10_000, 100_000, 1_000_000))
BATCH = 100
_BATCHES = 8
_SALE_BYTES, _EVENT_BYTES = 3_800, 1_800
_PLOT_SALES, _PLOT_EVENTS = "sales-held", "outbox-depth"
_BARE = "SELECT id, seq, event_id, type, at_ms, data FROM outbox WHERE id > ? ORDER BY id LIMIT ?"


async def run(bench: Bench) -> None:
    """Commits with much kept, and the outbox with much pending."""
    if bench.wants("growth.commit"):
        await _commits(bench)
    if bench.wants("growth.outbox"):
        await _outbox(bench)


# Sales held --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Spent:
    """``ms``: each sale; ``round_ms``: the median of each round; ``cpu_us``: per sale."""

    ms: list[float] = field(default_factory=list)
    round_ms: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


async def _commits(bench: Bench) -> None:
    sizes = SALES[0] if bench.quick else SALES[1]
    spent: dict[int, _Spent] = defaultdict(_Spent)
    syncs_ms: list[float] = []
    each = bench.size(60, 200)
    async with AsyncExitStack() as stack:
        counters = []
        for size in sizes:
            shop = seeds.database(bench, "sales", size, _SALE_BYTES, _with_sales(size))
            settings, conn = await stack.enter_async_context(shop)
            counters.append(await stack.enter_async_context(open_counter(settings, conn)))
            await _sell(counters[-1], 20, _Spent())
        probe = SyncProbe(bench.folder if bench.seeds is None else bench.seeds)
        stack.callback(probe.close)
        bench.say("one sale after another")
        for _ in range(bench.runs(5, 15)):
            syncs_ms += [probe.once() * 1000 for _ in range(30)]
            for size, counter in zip(sizes, counters, strict=True):
                await _sell(counter, each, spent[size])
    few, many = spent[sizes[0]], spent[sizes[-1]]
    slower = median(many.cpu_us) / median(few.cpu_us)
    bench.add(
        figure(
            "growth.commit",
            list(zip(many.round_ms, few.round_ms, strict=True)),
            unit="ms",
            floor_name=f"the same with {sizes[0]:,} sales held, p50",
            aim=Aim(at_most=1.15),
            explanation=f"one durable sale after another with {sizes[-1]:,} sales held, the median "
            f"(in processor time alone {slower:.2f}x)",
        )
    )
    _draw_sales(bench, spent, syncs_ms)


def _draw_sales(bench: Bench, spent: dict[int, _Spent], syncs_ms: list[float]) -> None:
    floor = level("64 KiB overwrite + fdatasync, p50", spent, median(syncs_ms))
    bench.draw(
        Series(
            _PLOT_SALES,
            "A durable sale, one at a time",
            "sales held",
            "ms",
            (
                Line("p99", tuple((n, percentile(one.ms, 0.99)) for n, one in spent.items())),
                Line("p50", tuple((n, median(one.ms)) for n, one in spent.items())),
                floor,
            ),
            log_y=True,
        ),
        Series(
            _PLOT_SALES,
            "Processor time of a sale, gate and writer",
            "sales held",
            "µs",
            (
                Line("median", tuple((n, median(one.cpu_us)) for n, one in spent.items())),
                level(f"with {min(spent):,} sales", spent, median(spent[min(spent)].cpu_us)),
            ),
        ),
    )


def _with_sales(count: int) -> seeds.Fill:
    def fill(settings: Settings, on_piece: seeds.OnPiece) -> Connection:
        conn = found_shop(settings)
        try:
            add_device(conn, "till-1")
            add_sales(conn, count, on_piece=on_piece)
        except BaseException:
            conn.close()
            raise
        return conn

    return fill


async def _sell(counter: Counter, count: int, spent: _Spent) -> None:
    sales = [sale_body(number) for number in range(count)]
    took_ms = []
    before_s = process_time()
    for sale in sales:
        start_s = perf_counter()
        await counter.sell(sale)
        took_ms.append((perf_counter() - start_s) * 1000)
    spent.cpu_us.append((process_time() - before_s) / count * 1e6)
    spent.ms += took_ms
    spent.round_ms.append(median(took_ms))


# Outbox depth ------------------------------------------------------------------------------------


async def _outbox(bench: Bench) -> None:
    sizes = EVENTS[0] if bench.quick else EVENTS[1]
    taken: dict[int, list[float]] = defaultdict(list)
    bare: dict[int, list[float]] = defaultdict(list)
    each = bench.size(5, 20)
    async with AsyncExitStack() as stack:
        conns = []
        for size in sizes:
            shop = seeds.database(bench, "events", size, _EVENT_BYTES, _with_events(size))
            _, conn = await stack.enter_async_context(shop)
            stack.callback(conn.close)
            conns.append(conn)
        bench.say("taking and acking batches")
        for _ in range(bench.runs(5, 15)):
            for size, conn in zip(sizes, conns, strict=True):
                bare[size].append(_selected_us(conn, size, each))
                taken[size].append(_taken_and_acked_us(conn, size, each))
    bench.add(
        figure(
            "growth.outbox",
            list(zip(taken[sizes[-1]], taken[sizes[0]], strict=True)),
            unit="µs",
            floor_name=f"the same with {sizes[0]:,} pending",
            aim=Aim(at_most=1.2),
            explanation=f"processor time to take the next {BATCH} events and ack them with "
            f"{sizes[-1]:,} pending, inside the writer's transaction, without its commit",
        )
    )
    bench.draw(
        Series(
            _PLOT_EVENTS,
            f"Take {BATCH} events and ack them",
            "events pending",
            "µs of processor time",
            (
                Line("take and ack", tuple((n, median(us)) for n, us in taken.items())),
                Line(
                    "one SELECT of the same", tuple((n, median(us)) for n, us in bare.items()), True
                ),
            ),
        )
    )


def _with_events(count: int) -> seeds.Fill:
    def fill(settings: Settings, on_piece: seeds.OnPiece) -> Connection:
        conn = found_shop(settings, staff=False)
        try:
            add_pending_events(conn, count, on_piece=on_piece)
        except BaseException:
            conn.close()
            raise
        return conn

    return fill


def _begin(turn: int, events: int) -> int:
    """A place in the middle that moves."""
    return turn * 7919 % max(1, events - BATCH * (_BATCHES + 1))


def _selected_us(conn: Connection, events: int, times: int) -> float:
    spent = []
    for turn in range(times):
        begin = _begin(turn, events)
        start_s = thread_time()
        for step in range(_BATCHES):
            found = conn.execute(_BARE, (begin + step * BATCH, BATCH)).fetchall()
            assert len(found) == BATCH
        spent.append((thread_time() - start_s) / _BATCHES)
    return median(spent) * 1e6


def _taken_and_acked_us(conn: Connection, events: int, times: int) -> float:
    """``_BATCHES`` batches each time, undone at the end."""
    spent = []
    for turn in range(times):
        tx = Tx(conn, 0, 0)
        head = outbox.heads(tx)[0]
        conn.execute("BEGIN IMMEDIATE")
        outbox.set_acked(tx, head.source_uri, head.stream, _begin(turn, events))
        start_s = thread_time()
        for _ in range(_BATCHES):
            lane = outbox.heads(tx)[0]
            taken = outbox.batch(tx, lane, lane.acked_seq, BATCH)
            assert len(taken) == BATCH
            outbox.set_acked(tx, lane.source_uri, lane.stream, taken[-1].seq)
        spent.append((thread_time() - start_s) / _BATCHES)
        conn.execute("ROLLBACK")
    return median(spent) * 1e6
