"""A whole hub in this process: what a scrape gets of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hub.app.hub import Hub
from hub.cli.adminclient import AdminClient
from hub.clock import SystemClock, SystemIds, SystemRandomness
from hub.config import Settings
from hub.health.allchecks import all_checks
from hub.logs import Recent
from hub.observe.table import BY_NAME

UNTIL_S = 80.0
Samples = dict[str, list[tuple[dict[str, str], float]]]


@pytest.fixture
async def hub(make_settings: Callable[..., Settings]) -> AsyncIterator[Hub]:
    """Its cloud is a port at which nobody listens."""
    clock, randomness = SystemClock(), SystemRandomness()
    running = Hub(
        make_settings(cloud={"url": "http://127.0.0.1:9"}),
        clock=clock,
        ids=SystemIds(clock, randomness),
        randomness=randomness,
        recent=Recent(),
    )
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


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
