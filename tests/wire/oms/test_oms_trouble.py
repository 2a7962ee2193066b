"""Misbehaviour, restores from backup, stops and kills."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pysqlite3 import dbapi2

from cloud_link.check.bench import Bench
from cloud_link.check.caller import Caller, client_session
from hub.contract.oms import HEADER_OMS_INCARNATION
from hub.contract.oms_events import SALE_COMPLETED
from tests.wire.oms.cloud_room import CLOCK, IDS, Cloud, problem_of, sale_data


async def test_a_lost_reply_did_the_work(cloud: Cloud) -> None:
    hub = await cloud.bench.new_hub()
    event = hub.event()
    await cloud.admin("misbehave", {"lose_reply_rate": 1.0})
    with pytest.raises(aiohttp.ClientError):
        await hub.caller.send([event])
    await cloud.admin("misbehave", {})
    body = await hub.send(event)
    assert body["results"][0]["status"] == "duplicate"
    assert (await cloud.admin("stats"))["misbehaved"] == {"lost_reply": 1}


async def test_an_error_on_request_says_when_to_come_again(cloud: Cloud) -> None:
    hub = await cloud.bench.new_hub()
    await cloud.admin("misbehave", {"error_rate": 1.0, "retry_after_s": 7})
    answer = await hub.caller.send([hub.event()])
    assert problem_of(answer) == (503, "unavailable")
    assert (answer.headers["Retry-After"], answer.json()["retryable"]) == ("7", True)
    assert answer.headers[HEADER_OMS_INCARNATION]
    await cloud.admin("misbehave", {})
    assert (await cloud.admin("stats"))["events"] == 0


async def test_the_dice_of_a_seed_fall_the_same_way_again(cloud: Cloud) -> None:
    hub = await cloud.bench.new_hub()
    runs = []
    for _ in range(2):
        await cloud.admin("misbehave", {"error_rate": 0.5, "seed": 42})
        runs.append([(await hub.caller.get("/commands")).status for _ in range(20)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 503}


async def test_a_cloud_that_is_down_drops_the_connection(cloud: Cloud) -> None:
    hub = await cloud.bench.new_hub()
    await cloud.admin("misbehave", {"down": True})
    with pytest.raises(aiohttp.ClientError):
        await hub.caller.get("/health")
    await cloud.admin("misbehave", {"down": False})
    assert (await hub.caller.get("/health")).status == 200


async def test_commands_can_come_twice_and_out_of_order(cloud: Cloud) -> None:
    hub = await cloud.bench.new_hub()
    for n in range(8):
        await cloud.admin("commands", {"type": "config.changed", "data": {"n": n}})
    await cloud.admin(
        "misbehave", {"duplicate_commands": True, "reorder_commands": True, "seed": 3}
    )
    got = [row["data"]["n"] for row in (await hub.caller.get("/commands")).json()["commands"]]
    assert sorted(got) == sorted([*range(8), *range(8)])
    assert got != sorted(got)


async def test_a_restored_cloud_asks_again_for_what_it_forgot(cloud: Cloud) -> None:
    hub = await cloud.bench.new_hub()
    kept = [hub.event() for _ in range(2)]
    await hub.send(*kept)
    await cloud.admin("backup", {})
    forgotten = [hub.event() for _ in range(3)]
    await hub.send(*forgotten)
    told = await cloud.admin("restore", {})
    assert told["oms_incarnation"] != told["was"]

    later = hub.event()
    answer = await hub.caller.send([later])
    problem = answer.json()
    assert (answer.status, problem["code"], problem["expected"]) == (409, "sequence-gap", 3)
    assert problem["oms_incarnation"] == told["oms_incarnation"]
    assert answer.headers[HEADER_OMS_INCARNATION] == told["oms_incarnation"]
    body = await hub.send(*forgotten, later)
    assert body["acked"] == {hub.source: {"stock": 6}}


async def test_a_session_a_restored_cloud_forgot_is_made_again_above_the_old_one(
    cloud: Cloud,
) -> None:
    await cloud.bench.new_hub()
    await cloud.admin("backup", {})
    hub = await cloud.bench.new_hub()
    await cloud.admin("restore", {})
    assert problem_of(await hub.caller.get("/commands")) == (409, "hello-required")
    again = await cloud.bench.new_hub(reason="reconnect", incarnation=hub.reply.incarnation)
    assert again.reply.incarnation == hub.reply.incarnation + 1


async def test_cursors_from_before_a_restore_lose_no_command_and_no_row(cloud: Cloud) -> None:
    hub = await cloud.bench.new_hub()
    await cloud.admin("commands", {"type": "config.changed", "data": {"n": 1}})
    await cloud.admin("backup", {})
    await cloud.admin("commands", {"type": "config.changed", "data": {"n": 2}})
    cursor = (await hub.caller.get("/commands")).json()["cursor"]
    rows = (await hub.caller.get("/datasets/catalog/manifest")).json()["as_of_cursor"]
    await cloud.admin("restore", {})
    await cloud.admin("commands", {"type": "config.changed", "data": {"n": 3}})
    page = (await hub.caller.get("/commands", cursor=cursor)).json()
    assert [row["data"]["n"] for row in page["commands"]] == [3]
    gone = await hub.caller.get("/datasets/catalog/changes", cursor=rows)
    assert problem_of(gone) == (410, "cursor-gone")


class Process:
    """The sandbox as its own process."""

    def __init__(self, state: Path) -> None:
        self._command = ["-m", "cloud_link.sandbox", "--state", str(state), "--store", "demo"]
        self.ready: dict[str, Any] = {}

    async def start(self, port: int = 0) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._command,
            "--port",
            str(port),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        async with asyncio.timeout(60):
            self.ready = json.loads(await process.stdout.readline())
        return process

    def bench(self, http: aiohttp.ClientSession) -> Bench:
        caller = Caller(http, self.ready["url"], "demo", self.ready["token"], CLOCK, IDS)
        return Bench(caller, IDS)


async def test_sigterm_stops_it_cleanly_while_a_poll_waits(tmp_path: Path) -> None:
    sandbox = Process(tmp_path)
    process = await sandbox.start()
    async with client_session(sandbox.ready["ca"]) as http:
        hub = await sandbox.bench(http).new_hub()
        sent = asyncio.Event()
        trace = aiohttp.TraceConfig()

        async def note(_session: object, _context: object, _sent: object) -> None:
            sent.set()

        trace.on_request_headers_sent.append(note)
        trace.freeze()
        http.trace_configs.append(trace)
        poll = asyncio.create_task(hub.caller.get("/commands", wait="50"))
        await asyncio.wait_for(sent.wait(), 60)
        for _ in range(2):  # the poll was sent before these were, and came in before
            assert (await hub.caller.get("/health")).status == 200
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await process.wait() == 0
            assert (await poll).status == 200


async def test_kill_9_under_load_loses_no_acked_event(tmp_path: Path) -> None:
    sandbox = Process(tmp_path)
    acked: set[str] = set()
    sent = 0
    for _ in range(3):
        process = await sandbox.start()
        async with client_session(sandbox.ready["ca"]) as http:
            hub = await sandbox.bench(http).new_hub()
            killer = asyncio.create_task(_kill_after(process, lambda: len(acked), len(acked) + 150))
            try:
                while True:
                    ids = [IDS.uuid7() for _ in range(5)]
                    sent += 5
                    batch = [
                        hub.event(SALE_COMPLETED, sale_data(one, seq=sent), event_id=one)
                        for one in ids
                    ]
                    await hub.send(*batch)
                    acked.update(ids)
            except (aiohttp.ClientError, OSError):
                await killer
    with closing(dbapi2.connect(str(tmp_path / "oms.db"))) as db:
        found = {row[0] for row in db.execute("SELECT id FROM events")}
        sales = {row[0] for row in db.execute("SELECT sale_id FROM sales")}
        (level,) = db.execute("SELECT qty FROM levels WHERE sku='APPLE'").fetchone()
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert len(acked) >= 450
    assert acked <= found == sales
    assert level == -2 * len(found)


async def _kill_after(process: asyncio.subprocess.Process, count: Any, target: int) -> None:
    while count() < target:
        await asyncio.sleep(0.005)
    process.kill()
    await process.wait()
