"""Debian's Prometheus reads a whole hub: its rules load, and every query of theirs and of the
dashboard's runs against what was scraped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import yaml

from hub.app.hub import Hub
from hub.clock import SystemClock, SystemIds, SystemRandomness
from hub.config import Settings
from hub.logs import Recent
from tests.unit.observe.test_monitoring import RULES, queries, rules, selectors

UNTIL_S: Final = 60.0
EMPTY: Final = frozenset(
    {
        # Counters and ages of what hasn't happened in a hub of a minute, or can't be measured here.
        "store_hub_request_duration_seconds_bucket",
        "store_hub_disk_life_used_ratio",
        "store_hub_machine_temperature_celsius",
        "store_hub_backup_time_seconds",
        "store_hub_replica_synced_time_seconds",
        "store_hub_clock_offset_seconds",
        "store_hub_last_sale_time_seconds",
        "store_hub_requests_total",
        "store_hub_otlp_sent_total",
        "store_hub_otlp_dropped_total",
        "store_hub_otlp_spool_bytes",
        "store_hub_traces_bounded_total",
    }
)


@pytest.fixture
async def hub(make_settings: Callable[..., Settings]) -> AsyncIterator[Hub]:
    """Its cloud is a port at which nobody listens."""
    settings = make_settings(cloud={"url": "http://127.0.0.1:9"})
    clock, randomness = SystemClock(), SystemRandomness()
    ids = SystemIds(clock, randomness)
    made = Hub(settings, clock=clock, ids=ids, randomness=randomness, recent=Recent())
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


class Prometheus:
    """One in a directory of its own."""

    def __init__(self, folder: Path, target: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._folder = folder
        self._log = folder / "log"
        (folder / "rules.yml").write_bytes(RULES.read_bytes())
        scrape = {
            "job_name": "store-hub",
            "static_configs": [{"targets": [f"127.0.0.1:{target}"]}],
        }
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [scrape],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    @contextlib.asynccontextmanager
    async def running(self, program: str) -> AsyncIterator[None]:
        with self._log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                program,
                f"--config.file={self._folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                "--storage.tsdb.retention.size=64MB",
                f"--web.listen-address=127.0.0.1:{self.port}",
                stdout=log,
                stderr=log,
            )
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def ask(self, path: str, **parameters: str) -> Any:
        """What its API answers."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        async with aiohttp.ClientSession() as http, http.get(url, params=parameters) as answer:
            told = json.loads(await answer.text())
        assert told["status"] == "success", (path, parameters, told)
        return told["data"]

    async def values(self, query: str) -> list[Any]:
        """The samples of a query now."""
        found: list[Any] = (await self.ask("query", query=query))["result"]
        return found

    async def rules(self) -> list[Any]:
        """All rules, once each was evaluated."""
        async with asyncio.timeout(UNTIL_S):
            while True:
                groups = (await self.ask("rules"))["groups"]
                found = [rule for group in groups for rule in group["rules"]]
                if all(rule["health"] != "unknown" for rule in found):
                    return found
                await asyncio.sleep(0.2)

    async def until(self, query: str) -> None:
        """Wait until a query has an answer."""
        try:
            async with asyncio.timeout(UNTIL_S):
                while True:
                    with contextlib.suppress(aiohttp.ClientError, ValueError):
                        if await self.values(query):
                            return
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"{query}: nothing\n{self._log.read_text()}") from None


async def test_every_query_runs_in_a_real_prometheus_that_scrapes_a_real_hub(
    hub: Hub, tmp_path: Path
) -> None:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus isn't here: apt-get install prometheus")
    assert hub.watching.door is not None
    assert hub.watching.door.port is not None
    it = Prometheus(tmp_path, hub.watching.door.port)
    async with it.running(program):
        await it.until('up{job="store-hub"} == 1')
        await it.until("store_hub_health_check_level")
        for where, query in queries():
            await it.values(query)
            for one in selectors(query):
                if one.name not in EMPTY:
                    assert await it.values(one.name), f"{where}: {one.name} isn't there"
        await it.until('ALERTS{alertname="StoreHubCloudDown"}')  # the cloud is away: it waits
        loaded = await it.rules()
        assert {rule["name"] for rule in loaded} == {rule["alert"] for rule in rules()}
        assert {rule["health"] for rule in loaded} == {"ok"}
