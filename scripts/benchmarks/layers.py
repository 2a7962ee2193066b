"""Where a sale's time goes: processor time by layer, without threads and without waiting.

The gate, the real database and the writer's core run on one thread; the disk syncs nothing, for
only processor time counts here.  ``sqlite`` is the time inside the library, statement by statement.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import thread_time_ns
from typing import Any, cast

from hub.app.shopfacts import shop_of
from hub.app.tuning import settle_memory
from hub.clock import SystemClock
from hub.contract.sale import CommitSale
from hub.service import screening
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Gate, Request, command_hash
from hub.service.handlers import collect
from hub.service.handlers.signin import PinDesk
from hub.service.records import Recorder
from hub.service.timekeeping import BudgetClock
from hub.storage.readers import LoopReader, ThreadReaders
from hub.storage.sqlite import Connection
from hub.storage.writer import Job, Outcome, WriterCore
from scripts.benchmarks.counter import IDS, sale_body
from scripts.benchmarks.seeding import add_device, found_shop, settings_for

BATCHES = (1, 16)
_ROUNDS = 9
"""The quickest counts: what else runs on the machine only makes a round slower."""


@dataclass(slots=True)
class _TimedConnection:
    """A connection that notes what every statement takes; ``tick_ns`` is what noting costs."""

    conn: Connection
    tick_ns: int
    on: bool = True
    spent_ns: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))

    @property
    def in_transaction(self) -> bool:
        return bool(self.conn.in_transaction)

    @property
    def total_changes(self) -> int:
        return int(self.conn.total_changes)

    def execute(self, sql: str, params: Any = ()) -> Any:
        if not self.on:
            return self.conn.execute(sql, params)
        start_ns = thread_time_ns()
        found = self.conn.execute(sql, params)
        self._add(sql, thread_time_ns() - start_ns)
        return found

    def executemany(self, sql: str, rows: Any) -> Any:
        if not self.on:
            return self.conn.executemany(sql, rows)
        start_ns = thread_time_ns()
        found = self.conn.executemany(sql, rows)
        self._add(sql, thread_time_ns() - start_ns)
        return found

    def close(self) -> None:
        self.conn.close()

    def _add(self, sql: str, spent_ns: int) -> None:
        entry = self.spent_ns[sql]
        entry[0] += 1
        entry[1] += max(0, spent_ns - self.tick_ns)


class _Pending:
    """A future that the profile resolves itself."""

    def __init__(self) -> None:
        self.outcome: Outcome | None = None

    def __await__(self) -> Generator[Any, None, Any]:
        if self.outcome is None:
            yield
        assert self.outcome is not None
        if self.outcome.error is not None:
            raise self.outcome.error
        return self.outcome.value


@dataclass(slots=True)
class _Later:
    """A writer that takes jobs in and writes them when it is told."""

    core: WriterCore

    def submit(self, work: Any, *, refused: Any = None, background: bool = False) -> _Pending:
        pending = _Pending()
        self.core.offer(Job(work, pending, refused), background=background)
        return pending


@dataclass(slots=True)
class Profile:
    """Microseconds per sale, the quickest round's: on the loop, on the writer's thread, and of
    that inside SQLite; ``statements`` is ``(calls, microseconds, statement)`` per sale."""

    batch: int
    parse_us: float
    screen_us: float
    hash_us: float
    loop_us: float
    writer_us: float
    sqlite_us: float
    statements: list[tuple[float, float, str]]


def measure(sales: int = 1600) -> list[Profile]:
    """Sell and note, one sale per commit and sixteen."""
    with tempfile.TemporaryDirectory(prefix="shb-layers-") as folder:
        settings = settings_for(Path(folder))
        conn = found_shop(settings)
        conn.execute("PRAGMA synchronous = OFF")
        add_device(conn, "till-1")
        timed = _TimedConnection(conn, _tick_ns())
        clock = SystemClock()
        budget = BudgetClock(clock, 0)
        core = WriterCore(cast(Connection, timed), budget)
        desk = PinDesk()
        try:
            with LoopReader(settings.paths.state / "hub.db") as rows:
                gate = Gate(
                    shop=shop_of(settings),
                    writer=_Later(core),
                    rows=rows,
                    slow=ThreadReaders(settings.paths.state / "hub.db"),
                    handlers=collect(desk),
                    clock=clock,
                    budget=budget,
                    ids=IDS,
                    recorder=Recorder(bytes(32), shop_of(settings).store),
                )
                _sell(gate, core, 50, 1)
                settle_memory()
                return [_profile(gate, core, timed, sales // _ROUNDS, batch) for batch in BATCHES]
        finally:
            desk.close()
            conn.close()


def _profile(
    gate: Gate, core: WriterCore, timed: _TimedConnection, each: int, batch: int
) -> Profile:
    each = max(1, each // batch) * batch
    timed.on = False
    plain = [_sell(gate, core, each, batch) for _ in range(_ROUNDS)]
    timed.on = True
    spent: dict[str, tuple[int, int]] = {}
    for _ in range(_ROUNDS):
        timed.spent_ns.clear()
        _sell(gate, core, each, batch)
        for sql, (calls, spent_ns) in timed.spent_ns.items():
            spent[sql] = min(spent.get(sql, (calls, spent_ns)), (calls, spent_ns))
    statements = sorted(
        (
            (calls / each, spent_ns / 1000 / each, re.sub(r"\s+", " ", sql).strip())
            for sql, (calls, spent_ns) in spent.items()
        ),
        key=lambda one: -one[1],
    )
    parse_us, screen_us, hash_us = map(min, zip(*(_parts(each) for _ in range(3)), strict=True))
    loop_ns, writer_ns = map(min, zip(*plain, strict=True))
    return Profile(
        batch,
        parse_us,
        screen_us,
        hash_us,
        loop_ns / 1000 / each,
        writer_ns / 1000 / each,
        sum(one[1] for one in statements),
        statements,
    )


def _sell(gate: Gate, core: WriterCore, count: int, batch: int) -> tuple[int, int]:
    """Nanoseconds on the loop and in the writer."""
    caller = Caller(CallerKind.DEVICE, "till-1")
    loop_ns = writer_ns = 0
    for first in range(0, count, batch):
        bodies = [sale_body(number) for number in range(first, first + batch)]
        start_ns = thread_time_ns()
        waiting = []
        for key, body in bodies:
            answer = gate.answer(Request(caller, "sale", "commit", body, key))
            answer.send(None)
            waiting.append(answer)
        middle_ns = thread_time_ns()
        outcomes = core.run_once()
        end_ns = thread_time_ns()
        for outcome, answer in zip(outcomes, waiting, strict=True):
            outcome.job.reply_to.outcome = outcome
            try:
                answer.send(None)
            except StopIteration as stop:
                if not stop.value.startswith('{"ok":true'):
                    raise RuntimeError(f"a sale was refused: {stop.value}") from None
        loop_ns += middle_ns - start_ns + thread_time_ns() - end_ns
        writer_ns += end_ns - middle_ns
    return loop_ns, writer_ns


def _parts(count: int) -> tuple[float, float, float]:
    """What reading, screening and hashing a command take, of the time on the loop."""
    bodies = [sale_body(number)[1] for number in range(count)]
    start_ns = thread_time_ns()
    commands = [CommitSale.model_validate_json(body) for body in bodies]
    parsed_ns = thread_time_ns()
    for command in commands:
        screening.screen(command)
    screened_ns = thread_time_ns()
    for command in commands:
        command_hash(command)
    end_ns = thread_time_ns()
    return (
        (parsed_ns - start_ns) / 1000 / count,
        (screened_ns - parsed_ns) / 1000 / count,
        (end_ns - screened_ns) / 1000 / count,
    )


def _tick_ns() -> int:
    start_ns = thread_time_ns()
    for _ in range(1000):
        thread_time_ns()
    return (thread_time_ns() - start_ns) // 1000


def show(profiles: list[Profile]) -> None:
    """Print a table for people."""
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=sys.stdout.isatty() is False)
    table = Table("µs per sale of four lines", *(f"{one.batch} per commit" for one in profiles))
    rows = (
        ("on the loop", [one.loop_us for one in profiles]),
        ("  reading", [one.parse_us for one in profiles]),
        ("  screening", [one.screen_us for one in profiles]),
        ("  hashing", [one.hash_us for one in profiles]),
        ("on the writer's thread", [one.writer_us for one in profiles]),
        ("  in SQLite", [one.sqlite_us for one in profiles]),
        ("  in Python", [one.writer_us - one.sqlite_us for one in profiles]),
    )
    for name, values in rows:
        table.add_row(name, *(f"{value:.0f}" for value in values))
    console.print(table)
    last = profiles[-1]
    detail = Table("calls", "µs", f"statement, {last.batch} sales per commit", show_lines=False)
    for calls, spent_us, sql in last.statements:
        detail.add_row(f"{calls:.2f}", f"{spent_us:.1f}", sql[:90])
    console.print(detail)


if __name__ == "__main__":
    print(json.dumps([asdict(one) for one in measure(int(sys.argv[1]))]))
