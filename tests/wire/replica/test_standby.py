"""A second box that holds the database already: `store-hub standby`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.app.founding import open_state
from hub.app.replica_child import Replicator
from hub.app.standby import set_former_aside
from hub.clock import SystemClock, SystemRandomness
from hub.config import Settings
from tests.support.replicas import needs_litestream

pytestmark = [needs_litestream, pytest.mark.may_block]  # the test writes to the database itself
UNTIL_S = 60.0
CLOCK, RANDOMNESS = SystemClock(), SystemRandomness()
PROGRAM = "import sys; from hub.cli import main; sys.exit(main())"


@dataclass
class Two:
    """The shop's box, the replica, and the standby's directory."""

    base: Path

    @property
    def settings(self) -> Settings:
        return Settings.model_validate(
            {
                "store": {"id": "367", "timezone": "Europe/Berlin", "currency": "EUR"},
                "paths": {"state": f"{self.base}/state", "run": f"{self.base}/run"},
                "replica": {"url": f"file://{self.base}/far", "sync_every_ms": 100},
            }
        )

    @contextlib.asynccontextmanager
    async def shop(self) -> AsyncIterator[sqlite3.Connection]:
        """The shop's box and its replicator."""
        opened = open_state(self.settings, CLOCK, RANDOMNESS)
        one = Replicator(self.settings, opened.database, opened.hub.machine_hash, CLOCK, RANDOMNESS)
        one.start()
        try:
            yield opened.conn
        finally:
            opened.conn.close()
            await one.stop()

    @contextlib.asynccontextmanager
    async def standby(self) -> AsyncIterator[None]:
        config = self.base / "config.toml"
        config.write_text(
            '[store]\nid = "367"\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\n'
            f'[replica]\nurl = "file://{self.base}/far"\n'
        )
        words = ("standby", "--directory", f"{self.base}/standby")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM, "--config", str(config), *words), cwd=self.base
        )
        try:
            yield
            assert process.returncode is None, "it ended by itself"
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await process.wait()

    def held(self, name: str = "hub.db") -> int:
        """The figure that the standby holds; -1: none."""
        database = self.base / "standby" / name
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / "hub.db"
            try:
                shutil.copyfile(database, copy)
                with contextlib.closing(sqlite3.connect(copy)) as db:
                    return int(db.execute("SELECT budget_ms FROM hub").fetchone()[0])
            except (FileNotFoundError, sqlite3.Error):
                return -1


@pytest.fixture
def two() -> Iterator[Two]:
    with tempfile.TemporaryDirectory(prefix="sby-") as base:  # short: a socket lies in it
        (Path(base) / "state").mkdir()
        yield Two(Path(base))


async def until(what: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(UNTIL_S):
        while not await what():
            await asyncio.sleep(0.1)


async def test_a_standby_follows_and_does_so_again_after_it_was_ended(two: Two) -> None:
    async def holds(figure: int) -> None:
        async def there() -> bool:
            return await asyncio.to_thread(two.held) == figure

        await until(there)

    async def sent() -> bool:
        return any((two.base / "far").rglob("*.ltx"))

    async with two.shop() as db:
        await until(sent)
        db.execute("UPDATE hub SET budget_ms = 1")
        async with two.standby():
            await holds(1)
            db.execute("UPDATE hub SET budget_ms = 2")
            await holds(2)
        db.execute("UPDATE hub SET budget_ms = 3")
        async with two.standby():
            await holds(3)
        assert two.held("former.db") == 2


def test_the_former_database_gets_no_log_but_its_own(tmp_path: Path) -> None:
    (tmp_path / "former.db").write_bytes(b"older")
    (tmp_path / "former.db-wal").write_bytes(b"older's log")
    (tmp_path / "hub.db").write_bytes(b"whole")
    set_former_aside(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"former.db": b"whole"}


def test_a_former_database_keeps_its_log_though_setting_it_aside_was_cut_short(
    tmp_path: Path,
) -> None:
    (tmp_path / "former.db-wal").write_bytes(b"log")  # moved already, when the box lost its power
    (tmp_path / "hub.db").write_bytes(b"whole")
    set_former_aside(tmp_path)
    assert (tmp_path / "former.db").read_bytes() == b"whole"
    assert (tmp_path / "former.db-wal").read_bytes() == b"log"


async def test_what_was_held_stays_while_the_replica_cannot_be_reached(two: Two) -> None:
    directory = two.base / "standby"
    directory.mkdir()
    (directory / "hub.db").write_bytes(b"held")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, "--set", f"replica.url=file://{two.base}/nothing"),
        *("--set", "store.id=367", "--set", "store.timezone=Europe/Berlin"),
        *("--set", "store.currency=EUR", "standby", "--directory", str(directory)),
        stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if "STORE_HUB" not in name},
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"there is no replica at" in said
    assert (directory / "hub.db").read_bytes() == b"held"


def test_a_start_that_fetched_nothing_does_not_cost_the_former_database(tmp_path: Path) -> None:
    (tmp_path / "hub.db").write_bytes(b"whole")
    (tmp_path / "hub.db-txid").write_text("57")
    set_former_aside(tmp_path)
    (tmp_path / "hub.db.tmp").write_bytes(b"half")
    set_former_aside(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"former.db": b"whole"}
