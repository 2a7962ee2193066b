"""A whole hub and a collector of traces that is away, comes back, and gets everything."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from cloud_link.sandbox import demo
from devices.kit import Refused
from hub.app.exporting import AWAITED
from hub.contract.catalog import LookUp, ProductView
from hub.contract.sale import SaleDone
from tests.support.canaries import PANS, seen_in
from tests.support.hubbox import GOODS, Box, open_box, sale_of, sell

ATTRIBUTES = {
    *(b"service.name", b"service.version", b"store", b"messaging.system", b"device", b"outcome"),
    *(b"seq", b"messaging.message.body.size", b"correlation", b"events", b"streams", b"stream"),
    *(b"cloudevents.event_id", b"cloudevents.event_type"),
}


class Collector:
    """Takes what is posted once it is ``there``; until then it asks for patience."""

    def __init__(self) -> None:
        self.there = False
        self.asked = 0
        self.bodies: list[bytes] = []

    async def take(self, request: web.Request) -> web.Response:
        self.asked += 1
        content = await request.read()
        if not self.there:
            return web.Response(status=503)
        self.bodies.append(content)
        return web.json_response({})

    def spans(self, trace_id: str = "") -> dict[str, dict[str, Any]]:
        """What has come, or of it one trace, by the spans' names."""
        return {
            span["name"]: span
            for content in self.bodies
            for resource in json.loads(content)["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
            if span["traceId"].startswith(trace_id)
        }


@asynccontextmanager
async def listening(collector: Collector) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
    finally:
        await runner.cleanup()


async def test_a_sale_is_followed_to_the_cloud_though_nobody_listens_for_long() -> None:
    """The sale is made while neither the cloud nor the collector can be reached, and the hub is
    started again before they can."""
    collector = Collector()
    async with listening(collector) as url:
        traces = {"otlp_url": url, "sample_per_mille": 1000, "max_per_s": 10_000}
        async with open_box(settings={"traces": traces}) as box:
            key = await sell_cut_off(box, collector)
            await box.stop_hub()
            assert (
                key.replace("-", "") in (box.rig.base / "hub" / "otlp-traces" / AWAITED).read_text()
            )
            assert any((box.rig.base / "hub" / "otlp-traces").glob("*.jsonl"))
            collector.there = True
            await box.rig.start_oms()
            await box.start_hub()
            trace = key.replace("-", "")
            await box.until(lambda: "send" in collector.spans(trace))
            await box.told_all()
        check_trace(collector.spans(trace), key)
        check_silence(b"".join(collector.bodies))


async def sell_cut_off(box: Box, collector: Collector) -> str:
    """The key of a sale; others, and look-ups by a card's number, come before it."""
    till = await box.pair(name="Annabella")
    async with box.client(till) as hub:
        await box.stock_up(hub)
        await sell(hub)
        await box.told_all()
        await box.rig.oms.stop()
        for pan in PANS:
            with pytest.raises(Refused):
                await hub.request(LookUp(code=pan), ProductView)
        key = hub.new_key()
        await hub.submit(sale_of(hub.ids.uuid7()), SaleDone, key=key)
        asked = collector.asked
        await box.until(lambda: collector.asked > asked)
    return key


def check_trace(spans: dict[str, dict[str, Any]], key: str) -> None:
    """The whole way, each span below the one it belongs to."""
    root = spans["sale/commit"]
    attributes = {one["key"]: one["value"] for one in root["attributes"]}
    assert attributes["correlation"] == {"stringValue": key}
    assert attributes["outcome"] == {"stringValue": "ok"}
    parents = {
        "gate": "sale/commit",
        "commit": "sale/commit",
        "transaction": "commit",
        "reply": "sale/commit",
        "outbox": "sale/commit",
        "send": "outbox",
    }
    for name, parent in parents.items():
        assert spans[name]["parentSpanId"] == spans[parent]["spanId"], name
    assert int(spans["outbox"]["startTimeUnixNano"]) >= int(root["startTimeUnixNano"])
    assert int(spans["outbox"]["endTimeUnixNano"]) > int(root["endTimeUnixNano"])


def check_silence(sent: bytes) -> None:
    """No card, no goods, no amount, no person, no name of a device: nothing but known attributes,
    and none of them holds a word of the shop's."""
    assert seen_in(sent) == ""
    assert set(re.findall(rb'"key": "([^"]*)"', sent)) <= ATTRIBUTES
    words = [word for _, name, _, pin in demo.DEMO_STAFF for word in (name, pin)]
    for word in (*words, "Annabella", GOODS[0].sku, GOODS[0].gtin):
        assert f'"{word}"'.encode() not in sent, word
