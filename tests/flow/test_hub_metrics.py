"""A whole hub in this process: what a scrape gets of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from hub.app.hub import Hub
from hub.cli.adminclient import AdminClient
from hub.clock import SystemClock, SystemIds, SystemRandomness
from hub.config import Settings
from hub.health.allchecks import all_checks
from hub.logs import Entry, Recent
from hub.observe.table import BY_NAME

UNTIL_S = 80.0
Samples = dict[str, list[tuple[dict[str, str], float]]]


@asynccontextmanager
async def running(settings: Settings, recent: Recent) -> AsyncIterator[Hub]:
    clock, randomness = SystemClock(), SystemRandomness()
    ids = SystemIds(clock, randomness)
    hub = Hub(settings, clock=clock, ids=ids, randomness=randomness, recent=recent)
    await hub.start()
    try:
        yield hub
    finally:
        await hub.stop()


@pytest.fixture
async def hub(make_settings: Callable[..., Settings]) -> AsyncIterator[Hub]:
    """Its cloud is a port at which nobody listens."""
    async with running(make_settings(cloud={"url": "http://127.0.0.1:9"}), Recent()) as made:
        yield made


async def scrape(hub: Hub) -> Samples:
    assert hub.watching.door is not None
    url = f"http://127.0.0.1:{hub.watching.door.port}/metrics"
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        assert answer.status == 200
        text = await answer.text()
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        assert family.name in BY_NAME, "every metric stands in the table"
        assert family.type == BY_NAME[family.name].kind
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


async def test_a_running_hub_tells_what_it_does(hub: Hub) -> None:
    client = AdminClient(hub.settings.paths.run)
    await asyncio.to_thread(client.call, "device", "list", {})
    await hub.caretaker.keep_time()  # a commit
    async with asyncio.timeout(UNTIL_S):
        while True:
            seen = await scrape(hub)
            if seen["store_hub_broker_up"] == [({}, 1.0)]:
                break
            await asyncio.sleep(0.2)
    assert seen["store_hub_status_fresh"] == [({}, 1.0)]
    checks = {labels["check"] for labels, _ in seen["store_hub_health_check_level"]}
    assert checks == {one.key for one in all_checks()}
    assert ({"door": "cli", "operation": "device/list", "outcome": "ok"}, 1.0) in seen[
        "store_hub_requests_total"
    ]
    assert seen["store_hub_commit_duration_seconds_count"][0][1] > 0
    assert seen["store_hub_database_bytes"][0][1] > 0
    assert seen["store_hub_build_info"][0][0]["store"] == "367"
    assert {labels["state"]: value for labels, value in seen["store_hub_cloud_link"]}["up"] == 0.0


@pytest.fixture
async def collector() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Somewhere to send the log to."""
    seen: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        seen.append(await request.read())
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/v1/logs", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1/logs", seen
    await runner.cleanup()


async def test_a_running_hub_sends_its_log_away(
    make_settings: Callable[..., Settings], collector: tuple[str, list[bytes]]
) -> None:
    url, seen = collector
    recent = Recent()
    recent.lines.add(Entry(1, "info", "hub.test", "before the start", "", {}))
    async with running(make_settings(log={"otlp_url": url}), recent) as hub:
        assert recent.tap is not None
        recent.tap(Entry(2, "error", "hub.test", "while it runs", "", {}))
        async with asyncio.timeout(UNTIL_S):
            while b"while it runs" not in b"".join(seen):
                await asyncio.sleep(0.1)
            while (await scrape(hub))["store_hub_otlp_sent_total"] != [({"signal": "logs"}, 2.0)]:
                await asyncio.sleep(0.2)
    assert b"before the start" in b"".join(seen)
    assert recent.tap is None
