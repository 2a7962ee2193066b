"""Facts of a device reach the hub once each, whatever happens to the ones before them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.hubbox import Box, open_box

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("hub-facts")]

CARD = "4111111111111111"
TOLD = (
    "SELECT json_extract(data, '$.data.code') FROM outbox"
    " WHERE type = 'com.storehub.device.fact.v1' AND aggregate = ? ORDER BY id"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box() -> AsyncIterator[Box]:
    async with open_box() as box:
        yield box


async def told(box: Box, device_id: str, count: int) -> list[str]:
    async with asyncio.timeout(60):
        while len(found := [row[0] for row in box.rows(TOLD, device_id)]) < count:
            await asyncio.sleep(0.05)
    return found


async def test_facts_after_a_refused_one_are_taken_in(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.kit.courier._FACT_PATIENCE_S", 0.3)
    # A device that doesn't look itself, as those of others don't have to.
    monkeypatch.setattr("devices.kit.client.refuse_cards", lambda _: None)
    async with box.client(await box.pair()) as hub:
        for code in ("one", CARD, "two", "three"):
            await hub.fact("scan", {"code": code})
        assert await told(box, hub.device_id, 3) == ["one", "two", "three"]
        await hub.fact("scan", {"code": "four"})
        assert await told(box, hub.device_id, 4) == ["one", "two", "three", "four"]
