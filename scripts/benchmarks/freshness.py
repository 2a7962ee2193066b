"""How soon the cloud knows of a sale, and the tills of a change in the cloud, the link being up.

A whole shop: tills over MQTT, a hub with its broker, the sandbox OMS over HTTPS.  A sale has
arrived when the OMS has taken its event, which changes the levels in the same transaction; its
clock is this machine's.  What comes back is a price: changed in the OMS, told to the hub by a
command, fetched, stored, and told to every till.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import aiohttp

from hub.clock import SystemClock
from scripts.benchmarks.bench import Bench
from scripts.benchmarks.counter import sale_body
from scripts.benchmarks.figures import Aim
from scripts.benchmarks.measure import tail_figure
from scripts.benchmarks.seeding import PRICE_MINOR, STORE, cloud_rows, sku_of
from scripts.benchmarks.shop import connected, running_hub
from scripts.benchmarks.till import Till
from scripts.rig.process import Child

CALM, PEAK = "calm", "peak"
NAMES = tuple(f"link.{what}.{pace}" for what in ("sale", "notice") for pace in (CALM, PEAK))
TILLS = 16
SALES_PER_S = {CALM: 0.7, PEAK: 20.0}
_AIM_S = {CALM: 2.0, PEAK: 60.0}
_ARRIVED_S = 90.0
_POLL_S = 0.05
_SYNCED_S = 60.0
_NOTICE_PAUSE_S = 0.4


@dataclass(slots=True)
class _Round:
    """Seconds: until a sale had arrived, until it was answered; until a till heard of a change,
    until the OMS had answered the request that made it."""

    arrived: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    heard: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)


async def run(bench: Bench) -> None:
    """Both ways, calm and at a peak of twenty sales a second."""
    paces = [pace for pace in (CALM, PEAK) if bench.wants(*(n for n in NAMES if n.endswith(pace)))]
    rounds: dict[str, list[_Round]] = {pace: [] for pace in paces}
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(bench.space("link"))
        bench.say("starting a cloud and a hub with 16 tills")
        shop = await stack.enter_async_context(_shop(folder))
        await shop.synced()
        for turn in range(bench.runs(1, 4)):
            for pace in paces:
                bench.say(f"round {turn + 1}: sales and price changes, {pace}")
                rounds[pace].append(await shop.play(pace, bench.size(7, 15)))
    for pace in paces:
        _add(bench, pace, rounds[pace])


def _add(bench: Bench, pace: str, rounds: list[_Round]) -> None:
    how = f"{pace}: {SALES_PER_S[pace]:g} sales a second from {TILLS} tills"
    aim = Aim(value_at_most=_AIM_S[pace])
    bench.add(
        tail_figure(
            f"link.sale.{pace}",
            [(one.arrived, one.answered) for one in rounds],
            unit="s",
            floor_name="until the till had the sale's answer, p99",
            aim=aim,
            explanation="from a till's request until the OMS has the sale and its levels, the "
            f"99th percentile, {how}",
        )
    )
    bench.add(
        tail_figure(
            f"link.notice.{pace}",
            [(one.heard, one.asked) for one in rounds],
            unit="s",
            floor_name="until the OMS had answered the request that changes the price, p99",
            aim=aim,
            explanation="from asking the OMS to change a price until a till hears of it, through "
            f"command, data set and notice, the 99th percentile, {how}",
        )
    )


@dataclass(slots=True)
class _Shop:
    tills: list[Till]
    http: aiohttp.ClientSession
    database: Path
    heard: asyncio.Queue[float] = field(default_factory=asyncio.Queue)
    sold: int = 0

    async def synced(self) -> None:
        """Until a sale and a price go through for the first time."""
        async with asyncio.timeout(_SYNCED_S):
            await self._arrivals(1, {await self._sell(self.tills[0]): 0.0})
            await self._change_price()

    async def play(self, pace: str, seconds: float) -> _Round:
        """Sales at a pace, price changes one after another."""
        found = _Round()
        sent: dict[str, float] = {}
        begun_s = perf_counter()
        clock = SystemClock()

        async def sell(number: int) -> None:
            await asyncio.sleep(max(0.0, begun_s + number / SALES_PER_S[pace] - perf_counter()))
            at_ms, start_s = clock.wall_ms(), perf_counter()
            sale_id = await self._sell(self.tills[number % TILLS])
            found.answered.append(perf_counter() - start_s)
            sent[sale_id] = at_ms / 1000

        async def change() -> None:
            while perf_counter() - begun_s < seconds:
                asked_s, heard_s = await self._change_price()
                found.asked.append(asked_s)
                found.heard.append(heard_s)
                await asyncio.sleep(_NOTICE_PAUSE_S)

        sales = max(4, int(seconds * SALES_PER_S[pace]))
        await asyncio.gather(change(), *map(sell, range(sales)))
        found.arrived += await self._arrivals(len(sent), sent)
        return found

    async def _sell(self, till: Till) -> str:
        self.sold += 1
        key, body = sale_body(self.sold)
        await till.sell((key, body))
        return str(json.loads(body)["sale_id"])

    async def _arrivals(self, count: int, sent: dict[str, float]) -> list[float]:
        """How long each took.  TimeoutError when one does not arrive."""
        async with asyncio.timeout(_ARRIVED_S):
            while True:
                taken = await asyncio.to_thread(_taken_at_ms, self.database)
                there = [taken[one] / 1000 - at_s for one, at_s in sent.items() if one in taken]
                if len(there) == count:
                    return there
                await asyncio.sleep(_POLL_S)

    async def _change_price(self) -> tuple[float, float]:
        """Seconds until the OMS had answered, and until a till had heard."""
        self.sold += 1
        row = {"sku": sku_of(5000 + self.sold % 100), "price_minor": PRICE_MINOR + self.sold}
        while not self.heard.empty():
            self.heard.get_nowait()
        start_s = perf_counter()
        await self._set_price(row | {"valid_from_ms": None, "valid_to_ms": None})
        asked_s = perf_counter() - start_s
        async with asyncio.timeout(_ARRIVED_S):
            return asked_s, await self.heard.get() - start_s

    async def _set_price(self, row: dict[str, object]) -> None:
        async with self.http.post("/sandbox/datasets/prices/rows", json={"rows": [row]}) as answer:
            if answer.status != 200:
                raise RuntimeError(f"the OMS refused a price: {await answer.text()}")


def _taken_at_ms(database: Path) -> dict[str, int]:
    sql = "SELECT s.sale_id, e.received_at_ms FROM sales s JOIN events e ON e.event = s.event"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        return dict(db.execute(sql).fetchall())


@asynccontextmanager
async def _shop(folder: Path) -> AsyncIterator[_Shop]:
    """A cloud that has the hub's data sets, a hub that knows it, and tills of which the first
    listens for prices."""
    rows = folder / "rows"
    await asyncio.to_thread(cloud_rows, rows)
    cloud = Child(
        "the sandbox OMS",
        [
            *(sys.executable, "-m", "cloud_link.sandbox", "--state", str(folder / "oms")),
            *("--store", STORE, "--datasets", str(rows)),
        ],
        log=folder / "oms.log",
    )
    await cloud.start()
    try:
        ready = await cloud.ready()
        (folder / "token").touch(mode=0o600)
        (folder / "token").write_text(ready["token"])
        settings = {
            "url": ready["url"],
            "token_file": str(folder / "token"),
            "ca_file": str(folder / "oms" / "tls" / "ca.pem"),
        }
        tls = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=settings["ca_file"]))
        admin = {"Authorization": f"Bearer {ready['admin_token']}"}
        async with (
            aiohttp.ClientSession(ready["url"], connector=tls, headers=admin) as http,
            running_hub(folder / "hub", devices=TILLS, cloud=settings) as hub,
            connected(hub) as tills,
        ):
            shop = _Shop(tills, http, folder / "oms" / "oms.db")
            tills[0].on_notice = lambda topic: (
                shop.heard.put_nowait(perf_counter()) if topic.endswith("/prices") else None
            )
            yield shop
    finally:
        await cloud.stop()
