"""Many devices: each asking something once a second, and all selling as fast as they can."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

from scripts.benchmarks.bench import Bench
from scripts.benchmarks.counter import sale_body
from scripts.benchmarks.figures import NO_AIM, Aim, Line, Series, level
from scripts.benchmarks.measure import SyncProbe, figure, percentile
from scripts.benchmarks.seeding import gtin_of
from scripts.benchmarks.shop import HubProcess, connected, running_hub
from scripts.benchmarks.till import Till

NAMES = ("crowd.cpu", "crowd.p99", "crowd.sales")
ASKING = (1, 10, 30, 100, 300)
SELLING = (1, 4, 16, 64, 300)
MANY, FEW = 300, 10
_EACH_S = 6
_SELL_S = 2.0


@dataclass(slots=True)
class _Asked:
    """One entry per round: processor time per message, the 99th percentile, share of one core."""

    cpu_us: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    core: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Sold:
    """One entry per round."""

    per_s: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


async def run(bench: Bench) -> None:
    """Processor time per message, how long the slowest wait, and sales per second."""
    asked: dict[int, _Asked] = defaultdict(_Asked)
    sold: dict[int, _Sold] = defaultdict(_Sold)
    syncs_ms: list[float] = []
    with bench.space("crowd") as folder:
        bench.say(f"connecting {MANY} devices")
        probe = SyncProbe(folder)
        async with (
            running_hub(folder, devices=MANY, products=1000) as hub,
            connected(hub) as tills,
        ):
            for turn in range(bench.runs(1, 3)):
                for count in ASKING if bench.wants("crowd.cpu", "crowd.p99") else ():
                    bench.say(f"round {turn + 1}: {count} devices ask once a second")
                    await _ask_steadily(hub, tills[:count], asked[count])
                for count in SELLING if bench.wants("crowd.sales") else ():
                    bench.say(f"round {turn + 1}: {count} tills sell as fast as they can")
                    syncs_ms += [probe.once() * 1000 for _ in range(20)]
                    await _sell(hub, tills[:count], sold[count])
        probe.close()
    if asked:
        _add_asked(bench, asked)
    if sold:
        _add_sold(bench, sold, median(syncs_ms))


def _add_asked(bench: Bench, asked: dict[int, _Asked]) -> None:
    floor_name = f"the same with {FEW} of them asking"
    what = f"{MANY} connected devices look up a product once a second each"
    many, few = asked[MANY], asked[FEW]
    bench.add(
        figure(
            "crowd.cpu",
            list(zip(many.cpu_us, few.cpu_us, strict=True)),
            unit="µs",
            floor_name=floor_name,
            aim=Aim(at_most=1.1),
            explanation=f"processor time of the hub's process per message: {what} (at most the "
            "floor's: linear or better; a tenth is left to noise)",
        )
    )
    bench.add(
        figure(
            "crowd.p99",
            list(zip(many.p99_ms, few.p99_ms, strict=True)),
            unit="ms",
            floor_name=floor_name,
            aim=Aim(at_most=3),
            explanation=f"request to answer, the 99th percentile: {what}",
        )
    )
    _draw_asked(bench, asked)


def _draw_asked(bench: Bench, asked: dict[int, _Asked]) -> None:
    few = asked[FEW]
    each = median(few.core) / FEW
    x_title = "connected devices, one look-up a second each"
    bench.draw(
        Series(
            "devices-asking",
            "Request to answer",
            x_title,
            "ms, p99",
            (
                Line("p99", _points(asked, "p99_ms")),
                level(f"with {FEW} devices", asked, median(few.p99_ms)),
            ),
            log_y=True,
        ),
        Series(
            "devices-asking",
            "Processor time of the hub per message",
            x_title,
            "µs",
            (
                Line("hub", _points(asked, "cpu_us")),
                level(f"with {FEW} devices", asked, median(few.cpu_us)),
            ),
        ),
        Series(
            "devices-asking",
            "The hub's share of one core",
            x_title,
            "%",
            (
                Line("hub", _points(asked, "core")),
                Line(f"in proportion to {FEW}", tuple((n, n * each) for n in asked), True),
            ),
            log_y=True,
        ),
    )


def _add_sold(bench: Bench, sold: dict[int, _Sold], sync_ms: float) -> None:
    bench.add(
        figure(
            "crowd.sales",
            list(zip(sold[MANY].per_s, sold[1].per_s, strict=True)),
            unit="sales/s",
            floor_name="the same with one till",
            aim=NO_AIM,
            explanation=f"durable sales of four lines over MQTT, {MANY} tills that each sell again "
            "as soon as they are answered",
        )
    )
    _draw_sold(bench, sold, sync_ms)


def _draw_sold(bench: Bench, sold: dict[int, _Sold], sync_ms: float) -> None:
    x_title = "tills, selling as fast as they can"
    bench.draw(
        Series(
            "tills-selling",
            "Durable sales",
            x_title,
            "sales per second",
            (
                Line("sales", _points(sold, "per_s")),
                level("syncs the disk can do", sold, 1000 / sync_ms),
            ),
            log_y=True,
        ),
        Series(
            "tills-selling",
            "Request to answer",
            x_title,
            "ms, p99",
            (
                Line("p99", _points(sold, "p99_ms")),
                level("64 KiB overwrite + fdatasync, p50", sold, sync_ms),
            ),
            log_y=True,
        ),
        Series(
            "tills-selling",
            "Processor time of the hub per sale",
            x_title,
            "µs",
            (
                Line("hub", _points(sold, "cpu_us")),
                level("with one till", sold, median(sold[1].cpu_us)),
            ),
        ),
    )


def _points(
    found: dict[int, _Asked] | dict[int, _Sold], what: str
) -> tuple[tuple[int, float], ...]:
    return tuple((count, median(getattr(one, what))) for count, one in found.items())


async def _ask_steadily(hub: HubProcess, tills: list[Till], found: _Asked) -> None:
    before_s, begun_s = hub.cpu_s(), perf_counter()
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
    used_s = hub.cpu_s() - before_s
    found.cpu_us.append(used_s / len(spent) * 1e6)
    found.p99_ms.append(percentile(spent, 0.99) * 1000)
    found.core.append(used_s / (perf_counter() - begun_s) * 100)


async def _sell(hub: HubProcess, tills: list[Till], found: _Sold) -> None:
    before_s, begun_s = hub.cpu_s(), perf_counter()
    spent: list[float] = []

    async def one(till: Till) -> None:
        number = 0
        while perf_counter() - begun_s < _SELL_S:
            spent.append(await till.sell(sale_body(number)))
            number += 1

    await asyncio.gather(*map(one, tills))
    found.per_s.append(len(spent) / (perf_counter() - begun_s))
    found.p99_ms.append(percentile(spent, 0.99) * 1000)
    found.cpu_us.append((hub.cpu_s() - before_s) / len(spent) * 1e6)
