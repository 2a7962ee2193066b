"""From a scanner on the hub's serial line to the program of a till, through everything."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import tty
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from devices.kit import HubClient, IdentityStore
from hub.contract.scales import Weigh, WeightView
from hub.contract.scans import Scan, ScanEvent
from tests.support.hubbox import GOODS, UNTIL_S, Box, open_box

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("hub-scans")]

TEA = GOODS[0]


@dataclass(frozen=True)
class Lane:
    """A box with a scanner on a line and a simulated scale, and its only till."""

    box: Box
    line: int
    till: IdentityStore

    def scan(self, data: bytes) -> None:
        os.write(self.line, data)

    async def is_ready(self) -> None:
        async def ready() -> bool:
            rows = self.box.rows("SELECT presence FROM devices WHERE device_id = 'scanner-1'")
            return rows == [("ready",)]

        await self.box.until(ready)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lane() -> AsyncIterator[Lane]:
    line, far = pty.openpty()
    tty.setraw(far)
    peripherals: dict[str, object] = {
        "scanner-1": {"driver": "serial-scanner", "address": f"serial://{os.ttyname(far)}"},
        "scale-1": {"driver": "simulated-scale", "options": {"grams": 1250}},
    }
    try:
        async with open_box(settings={"peripherals": peripherals}) as box:
            made = Lane(box, line, await box.pair(name="Front"))
            async with box.client(made.till) as hub:
                await box.stock_up(hub)
            await made.is_ready()
            yield made
    finally:
        os.close(line)
        os.close(far)


class Ear:
    """What a till's program hears."""

    def __init__(self, hub: HubClient) -> None:
        self.scans: asyncio.Queue[Scan] = asyncio.Queue()
        hub.on_scan(self.scans.put_nowait)

    async def next(self) -> Scan:
        async with asyncio.timeout(UNTIL_S):
            return await self.scans.get()


async def test_a_scan_is_at_its_till_with_the_product(lane: Lane) -> None:
    async with lane.box.client(lane.till) as hub:
        ear = Ear(hub)
        lane.scan(f"]E0{TEA.gtin[-13:]}\r\n".encode())
        scan = await ear.next()
        assert scan.product is not None, scan
        assert (scan.product.sku, scan.product.price_minor) == (TEA.sku, TEA.price_minor)
        assert (scan.why_not, scan.scanner, scan.aim) == (None, "scanner-1", "]E0")
        lane.scan(f"01{TEA.gtin.zfill(14)}10L7\x1d21S9\r\n".encode())
        scan = await ear.next()
        assert scan.elements is not None
        assert (scan.elements.lot, scan.elements.serial) == ("L7", "S9")


async def test_a_burst_comes_in_order(lane: Lane) -> None:
    codes = [one.gtin[-13:] for one in GOODS[:12]] * 4
    async with lane.box.client(lane.till) as hub:
        ear = Ear(hub)
        lane.scan("".join(f"{code}\r\n" for code in codes).encode())
        assert [(await ear.next()).code for _ in codes] == codes


async def test_what_comes_to_nothing_is_told_to_the_till_and_is_an_event(lane: Lane) -> None:
    watcher = await lane.box.pair(kind="display", name="Office")
    async with lane.box.client(lane.till) as hub, lane.box.raw(watcher) as raw:
        ear = Ear(hub)
        async with asyncio.timeout(UNTIL_S):
            await raw.subscribed.wait()
        for data, why_not in (
            ("5012345678900", "unknown"),
            ("4006381333930", "malformed"),
            ("4111111111111111", "card-data"),
            ("9" * 3000, "malformed"),
        ):
            lane.scan(f"{data}\r\n".encode())
            scan = await ear.next()
            assert (scan.why_not, scan.product) == (why_not, None)
            assert scan.detail
            event = await _event(raw)
            assert (event.scan_id, event.why_not) == (scan.scan_id, why_not)
            assert "411111" not in event.model_dump_json() + scan.model_dump_json()


async def _event(raw: Any) -> ScanEvent:
    topic = f"{raw.root}/hub/dev/scanner-1/evt/scan"
    async with asyncio.timeout(UNTIL_S):
        while True:
            got, payload, *_ = await raw.inbox.get()
            if got == topic:
                return ScanEvent.model_validate(json.loads(payload))


async def test_a_till_that_was_away_never_hears_of_what_was_scanned_meanwhile(lane: Lane) -> None:
    lane.scan(b"5012345678900\r\n")
    await asyncio.sleep(1.0)
    async with lane.box.client(lane.till) as hub:
        ear = Ear(hub)
        lane.scan(f"{TEA.gtin[-13:]}\r\n".encode())
        assert (await ear.next()).code == TEA.gtin[-13:]


async def test_a_tills_own_scanner_gets_the_same_answer_and_its_failures_are_facts(
    lane: Lane,
) -> None:
    async with lane.box.client(lane.till) as hub:
        ear = Ear(hub)
        lane.scan(f"{TEA.gtin[-13:]}\r\n".encode())
        told = await ear.next()
        asked = await hub.scanned(TEA.gtin[-13:])
        assert asked.product == told.product
        assert (await hub.scanned("never-seen-7", "]C0")).why_not == "unknown"
        told_cloud = "SELECT data FROM outbox WHERE data LIKE '%never-seen-7%'"
        (data,) = (await lane.box.until(lambda: lane.box.rows(told_cloud)))[0]
        assert '"unknown"' in data


async def test_a_till_weighs_on_the_scale_of_the_hub(lane: Lane) -> None:
    async with lane.box.client(lane.till) as hub:
        weight = await hub.request(Weigh(timeout_s=10), WeightView)
        assert weight == WeightView(scale_id="scale-1", grams=1250, stable=True)
