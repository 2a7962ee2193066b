"""A device says over MQTT what is the matter; whatever else it says, it stays connected."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.hubbox import Box, open_box
from tests.support.rawmqtt import Raw

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("hub-conditions")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box() -> AsyncIterator[Box]:
    async with open_box() as box:
        yield box


async def say(raw: Raw, **state: Any) -> None:
    text = json.dumps({"state": "ready", "session": "s1", **state}).encode()
    assert await raw.publish(f"{raw.own}/state", text, retain=True) == "Success"


async def seen(box: Box, device_id: str) -> tuple[str, tuple[str, ...]]:
    """Presence and conditions of a device."""
    devices = (await box.status())["devices"]
    (found,) = (one for one in devices if one["device_id"] == device_id)
    return found["presence"], tuple(found["conditions"])


async def test_a_devices_conditions_are_taken_from_its_state_and_pass_with_it(box: Box) -> None:
    store = await box.pair(kind="kiosk")
    device_id = store.load().device_id

    async def is_(presence: str, *conditions: str) -> bool:
        return await seen(box, device_id) == (presence, conditions)

    async with box.raw(store) as raw:
        await say(raw, conditions=["coin-box-full", "drawer-open", "printer-paper-empty"])
        await box.until(lambda: is_("ready", "printer-paper-empty", "drawer-open"))
        (found,) = (
            one for one in (await box.status())["health"]["findings"] if one["key"] == "peripherals"
        )
        assert "is out of paper" in found["summary"]
        await say(raw, conditions=["Not A Key"])
        await box.until(lambda: is_("init"))
        await say(raw, state="sleeping", conditions=["drawer-open"])
        await box.until(lambda: is_("sleeping", "drawer-open"))
        await say(raw)
        await box.until(lambda: is_("ready"))
        await say(raw, conditions=["battery-low"])
        await box.until(lambda: is_("ready", "battery-low"))
        await say(raw, state="disconnected")
        await box.until(lambda: is_("disconnected"))


async def test_conditions_outlive_a_restart_of_the_hub_with_their_instant(box: Box) -> None:
    store = await box.pair()
    async with box.client(store, None) as hub:
        hub.tell_conditions(["printer-cover-open"])
        held = "SELECT conditions FROM devices WHERE device_id = ?"
        await box.until(lambda: "cover" in box.rows(held, hub.device_id)[0][0])
        before = box.rows(held, hub.device_id)
        await box.rig.stop_hub()
        await box.rig.start_hub()
        connected = hub.session.connections

        async def is_back() -> bool:
            again = hub.session.connections > connected or hub.connected
            return again and await seen(box, hub.device_id) == ("ready", ("printer-cover-open",))

        await box.until(is_back)
        assert box.rows(held, hub.device_id) == before
