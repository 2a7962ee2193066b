"""A sale paid by card as its customer waits for it: begun at the hub, told what the terminal said,
sold; each of the three answered when it is durable.

The terminal itself answers at once: what is measured is what the hub adds.  The floor is three
echoes over the same kind of broker by the same client library, each with one sync.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from scripts.benchmarks.bench import Bench
from scripts.benchmarks.counter import IDS, sale_body
from scripts.benchmarks.figures import Aim
from scripts.benchmarks.measure import SyncProbe, latency_figures
from scripts.benchmarks.shop import connected, running_echo, running_hub
from scripts.benchmarks.till import Till

NAMES = ("card.latency", "card.p99")
WARM: Final = 10


async def run(bench: Bench) -> None:
    """Card sales one at a time, and what the least would be."""
    each = bench.size(30, 100)
    spent: list[list[float]] = []
    floors: list[list[float]] = []
    with bench.space("cards") as folder:
        async with _counter(bench, folder) as counter:
            for _ in range(bench.runs(5, 15)):
                floors.append([counter.synced_ms(await counter.floor_ms()) for _ in range(each)])
                spent.append([await counter.sold_ms() for _ in range(each)])
    for found in latency_figures(
        NAMES,
        list(zip(spent, floors, strict=True)),
        floor_name="3 MQTT echoes through the same broker and library + 3 fdatasyncs",
        aims=(Aim(at_most=2.5), Aim(at_most=4)),
        explanation="payment/start, payment/report and sale/commit of four lines, one after the"
        " other, each answered when it is durable; the terminal answers at once",
    ):
        bench.add(found)


@dataclass(slots=True)
class _Counter:
    """One till, and an echo beside it."""

    till: Till
    echo: Till
    probe: SyncProbe
    at: int = 0

    async def sold_ms(self) -> float:
        """One sale.  RuntimeError when something is refused."""
        self.at += 1
        key, body = sale_body(self.at)
        sale = json.loads(body)
        payment_id, amount_minor = IDS.uuid7(), sale["total_minor"]
        sale["tenders"] = [{"kind": "card", "amount_minor": amount_minor, "payment_id": payment_id}]
        start = {
            "payment_id": payment_id,
            "sale_id": sale["sale_id"],
            "amount_minor": amount_minor,
            "terminal": "own",
        }
        report = {
            "payment_id": payment_id,
            "outcome": "approved",
            "captured": True,
            "card": {"last4": "4242", "scheme": "visa", "psp_ref": "ref-1"},
        }
        began_s = perf_counter()
        await self._ask("start", start)
        await self._ask("report", report)
        await self.till.sell((key, json.dumps(sale).encode()))
        return (perf_counter() - began_s) * 1000

    async def _ask(self, operation: str, body: dict[str, Any]) -> None:
        answer = await self.till.ask("payment", operation, json.dumps(body).encode(), IDS.uuid7())
        if not answer.startswith(b'{"ok":true'):
            raise RuntimeError(f"payment/{operation} was refused: {answer.decode()}")

    async def floor_ms(self) -> float:
        """Three echoes."""
        self.at += 1
        sale = sale_body(self.at)
        return 1000 * sum([await self.echo.echo(sale) for _ in range(3)])

    def synced_ms(self, echoed_ms: float) -> float:
        """With three syncs."""
        return echoed_ms + 1000 * sum(self.probe.once() for _ in range(3))


@asynccontextmanager
async def _counter(bench: Bench, folder: Path) -> AsyncIterator[_Counter]:
    bench.say("starting a hub for card sales")
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(running_hub(folder / "hub", devices=1))
        (till,) = await stack.enter_async_context(connected(hub))
        echo = await stack.enter_async_context(running_echo(hub, folder / "echo"))
        (echoing,) = await stack.enter_async_context(connected(echo))
        probe = SyncProbe(folder)
        stack.callback(probe.close)
        counter = _Counter(till, echoing, probe)
        for _ in range(WARM):
            await counter.sold_ms()
        bench.say("selling by card, one at a time")
        yield counter
