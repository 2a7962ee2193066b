"""What a shop would use instead to keep sales for the cloud: ready-made durable queues.

Each runs in a process of its own, in a throw-away environment below ``var/`` (they are no
dependency of this project), in turn with ours: one event of the same size appended to the outbox
through the writer, which lets those who wait share a commit.  Our whole sale stands beside it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from hub.storage import outbox
from hub.storage.rows import Tx
from scripts.benchmarks.bench import Bench, Missing
from scripts.benchmarks.counter import IDS, Counter, open_counter, sale_body
from scripts.benchmarks.figures import NO_AIM, Sheet
from scripts.benchmarks.measure import figure
from scripts.benchmarks.postgres import cluster
from scripts.benchmarks.programs import environment
from scripts.benchmarks.seeding import add_device, found_shop, settings_for
from scripts.rig.process import ROOT

KINDS = ("persist-queue", "huey", "procrastinate")
CLIENTS = (1, 10)
NAMES = tuple(f"instead.{kind}.{clients}" for kind in KINDS for clients in CLIENTS)
ENVIRONMENT = ROOT / "var" / "bench" / "instead"
PACKAGES = ("persist-queue>=1.1,<2", "huey>=3,<4", "procrastinate>=3.10,<4", "psycopg[binary,pool]")
_EVENT = json.dumps({"event": "x" * 1386})
_PROGRAM = Path(__file__).with_name("otherqueue.py")
_READY_S = 60.0
_ANSWER_S = 60.0
_GRACE_S = 5.0
_SALES_MAX_PER_S = 4_000
_UNSYNCED = "huey-unsynced"


@dataclass(slots=True)
class _Queue:
    """A program that enqueues on demand; ``how`` it keeps things, in its own words."""

    process: asyncio.subprocess.Process
    version: str = ""
    how: str = ""
    per_s: dict[int, list[float]] = field(default_factory=dict)

    async def read(self) -> dict[str, Any]:
        """Its next line.  Errors: RuntimeError when it ended, TimeoutError."""
        assert self.process.stdout is not None
        async with asyncio.timeout(_ANSWER_S):
            line = await self.process.stdout.readline()
        if not line:
            assert self.process.stderr is not None
            errors = (await self.process.stderr.read()).decode(errors="replace").strip()
            raise RuntimeError(errors.splitlines()[-1] if errors else "it ended without a word")
        found: dict[str, Any] = json.loads(line)
        return found

    async def rate(self, clients: int, seconds: float) -> float:
        """Events enqueued per second."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{clients} {seconds}\n".encode())
        await self.process.stdin.drain()
        return float((await self.read())["per_s"])


async def run(bench: Bench) -> None:
    """Durable enqueues per second with one client and with ten, theirs and ours in turn."""
    kinds = [one for one in KINDS if bench.wants(*(n for n in NAMES if f".{one}." in n))]
    bench.say("installing what to compare with")
    python = await environment(ENVIRONMENT, PACKAGES)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(bench.space("instead"))
        queues: dict[str, _Queue] = {}
        for kind in kinds:
            try:
                await _start(bench, stack, kind, python, folder, queues)
            except (Missing, RuntimeError, TimeoutError) as why:
                for clients in CLIENTS:
                    bench.skip(f"instead.{kind}.{clients}", f"{kind} does not run here: {why}")
        if not queues:
            return
        settings = settings_for(folder / "hub")
        conn = await asyncio.to_thread(found_shop, settings)
        add_device(conn, "till-1")
        counter = await stack.enter_async_context(open_counter(settings, conn))
        await _compare(bench, _Ours(counter, bench.size(1, 2) * 0.25), queues)


async def _start(
    bench: Bench,
    stack: AsyncExitStack,
    kind: str,
    python: Path,
    folder: Path,
    queues: dict[str, _Queue],
) -> None:
    bench.say(f"starting {kind}")
    dsn = ""
    if kind == "procrastinate":
        dsn = await stack.enter_async_context(cluster(bench.folder.parent))
    variants = (kind, _UNSYNCED) if kind == "huey" else (kind,)
    for variant in variants:
        place = folder / variant
        place.mkdir()
        arguments = [str(python), str(_PROGRAM), variant, str(place), dsn]
        queues[variant] = await stack.enter_async_context(_running(arguments, place))


@asynccontextmanager
async def _running(arguments: list[str], folder: Path) -> AsyncIterator[_Queue]:
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        start_new_session=True,
    )
    queue = _Queue(process)
    try:
        first = await queue.read()
        queue.version, queue.how = first["version"], first["how"]
        yield queue
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(_GRACE_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


class _Ours:
    """The same from us: an event alone, and a whole sale."""

    def __init__(self, counter: Counter, seconds: float) -> None:
        self.seconds = seconds
        self._counter = counter
        self._source = 1

    async def open(self) -> None:
        """Learn which lane to write to."""
        row = self._counter.rows.one("SELECT source FROM hub")
        assert row is not None
        self._source = row[0]

    async def events_per_s(self, clients: int) -> float:
        async def one() -> None:
            await self._counter.writer.submit(self._append)

        return await self._per_s(clients, one)

    async def sales_per_s(self, clients: int) -> float:
        most = int(self.seconds * _SALES_MAX_PER_S)
        sales = [sale_body(number) for number in range(most)]
        return await self._per_s(clients, lambda: self._counter.sell(sales.pop()), most)

    def _append(self, tx: Tx) -> None:
        event_id = IDS.uuid7()
        outbox.append(
            tx,
            source=self._source,
            stream="sales",
            event_id=event_id,
            type_="com.storehub.sale.completed.v1",
            aggregate=event_id,
            data=_EVENT,
        )

    async def _per_s(
        self, clients: int, put: Callable[[], Awaitable[None]], most: int = 1_000_000
    ) -> float:
        done, start_s = 0, perf_counter()

        async def client() -> None:
            nonlocal done
            while perf_counter() - start_s < self.seconds and done < most - clients:
                await put()
                done += 1

        await asyncio.gather(*(client() for _ in range(clients)))
        return done / (perf_counter() - start_s)


async def _compare(bench: Bench, ours: _Ours, queues: dict[str, _Queue]) -> None:
    await ours.open()
    events: dict[str, list[float]] = {f"{k}.{n}": [] for k in queues for n in CLIENTS}
    sales: dict[int, list[float]] = {clients: [] for clients in CLIENTS}
    theirs: dict[str, list[float]] = {name: [] for name in events}
    await ours.events_per_s(CLIENTS[-1])
    for turn in range(bench.runs(2, 9)):
        bench.say(f"round {turn + 1}: enqueueing")
        for clients in CLIENTS:
            sales[clients].append(await ours.sales_per_s(clients))
            for kind, queue in queues.items():
                name = f"{kind}.{clients}"
                theirs[name].append(await queue.rate(clients, ours.seconds))
                events[name].append(await ours.events_per_s(clients))
    for kind, queue in queues.items():
        for clients in CLIENTS:
            name = f"{kind}.{clients}"
            bench.add(
                figure(
                    f"instead.{name}",
                    list(zip(events[name], theirs[name], strict=True)),
                    unit="events/s",
                    floor_name=f"{kind} {queue.version} ({queue.how})",
                    aim=NO_AIM,
                    explanation="durable enqueue of one event of 1.4 KB through our writer "
                    f"(SQLite, journal_mode=WAL, synchronous=FULL), {clients} at a time",
                )
            )
    _show(bench, queues, theirs, events, sales)


def _show(
    bench: Bench,
    queues: dict[str, _Queue],
    theirs: dict[str, list[float]],
    events: dict[str, list[float]],
    sales: dict[int, list[float]],
) -> None:
    own = "SQLite, journal_mode=wal, synchronous=FULL, one commit for all who wait"
    rows = [
        ("Store Hub, one event", own, *(_own_rate(events, clients) for clients in CLIENTS)),
        ("Store Hub, a whole sale", own, *(f"{median(sales[n]):,.0f}" for n in CLIENTS)),
    ]
    for kind, queue in queues.items():
        rates = (f"{median(theirs[f'{kind}.{n}']):,.0f}" for n in CLIENTS)
        name = kind.removesuffix("-unsynced")
        rows.append((f"{name} {queue.version}", queue.how, *rates))
    bench.show(
        Sheet(
            "Durable enqueues per second",
            ("what", "how it keeps things", "1 client", "10 clients"),
            tuple(rows),
            "Medians; each as it comes unless it says otherwise.  A whole sale is four lines with "
            "movements, levels, tender, event and stored answer.  WAL with synchronous=OFF or "
            "NORMAL does not wait for the disk: what it has answered can be lost when the power "
            "fails.",
        )
    )


def _own_rate(events: dict[str, list[float]], clients: int) -> str:
    every = [one for name, found in events.items() if name.endswith(f".{clients}") for one in found]
    return f"{median(every):,.0f}"
