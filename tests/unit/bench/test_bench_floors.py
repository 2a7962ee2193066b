"""The parts that figures and floors are made of, each tried once for real."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from hub.contract.oms import EventsReply
from hub.service.outgoing import Limits, Outgoing, next_batch
from hub.storage import outbox
from hub.storage.rows import Tx
from hub.storage.sqlite import Connection
from scripts.benchmarks import measure, seeding
from scripts.benchmarks.counter import open_counter, sale_body
from scripts.benchmarks.readysales import open_store, ready_sale


def test_processor_time_and_memory_of_a_process_are_read() -> None:
    before_s = measure.process_cpu_s(os.getpid())
    sum(range(1_000_000))
    assert measure.process_cpu_s(os.getpid()) > before_s
    assert 1 < measure.process_memory_mb(os.getpid()) < 10_000


@pytest.mark.may_block(reason="the benchmark itself furnishes its database on the loop")
async def test_the_counter_sells_over_a_seeded_database_with_old_sales(tmp_state: Path) -> None:
    settings = seeding.settings_for(tmp_state)
    conn = seeding.found_shop(settings)
    seeding.add_device(conn, "till-1")
    seeding.add_sales(conn, 50)
    async with open_counter(settings, conn) as counter:
        await asyncio.gather(*(counter.sell(sale_body(number)) for number in range(3)))
        assert counter.rows.one("SELECT count(*), max(id) FROM sales") == (53, 53)
        assert counter.rows.one("SELECT head_seq, acked_seq FROM streams") == (53, 50)
        assert not counter.rows.all("PRAGMA foreign_key_check")


def test_pending_events_make_batches_that_the_contract_takes(tmp_state: Path) -> None:
    conn = seeding.found_shop(seeding.settings_for(tmp_state), staff=False)
    try:
        seeding.add_pending_events(conn, 30)
        tx = Tx(conn, 0, 0)
        assert outbox.depth(tx) == {"sales": 30}
        batch = next_batch(tx, seeding.STORE, {}, Limits(20, 262_144))
        assert isinstance(batch, Outgoing)
        assert (len(batch.sent), batch.full) == (20, True)
    finally:
        conn.close()


def test_a_reply_of_the_cloud_that_takes_everything_is_one_of_the_contract() -> None:
    reply = {"acked": {"/stores/367/hubs/h/0": {"sales": 3}}, "results": [], "oms_incarnation": "x"}
    assert EventsReply.model_validate(reply).acked


@pytest.mark.may_block(reason="the benchmark itself furnishes its database on the loop")
async def test_a_sale_made_beforehand_writes_as_many_rows_as_one_through_the_gate(
    tmp_state: Path,
) -> None:
    def rows_of(conn: Connection) -> dict[str, int]:
        tables = conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return {
            name: conn.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in tables
        }

    found = []
    for kind in ("gate", "store"):
        settings = seeding.settings_for(tmp_state / kind)
        conn = seeding.found_shop(settings)
        seeding.add_device(conn, "till-1")
        before = rows_of(conn)
        if kind == "gate":
            async with open_counter(settings, conn) as counter:
                await counter.sell(sale_body(1))
                after = rows_of(conn)
        else:
            async with open_store(conn) as store:
                await store.sell(ready_sale(1))
                after = rows_of(conn)
        found.append({name: after[name] - before[name] for name in after})
    assert found[0] == found[1]
    assert found[0]["sale_lines"] == found[0]["movements"] == 4
