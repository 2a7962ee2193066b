"""A whole hub that central IT manages: a drill over a kill, settings, a bundle, a stolen device."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from devices.kit import IdentityStore
from tests.flow.test_hub_pages import get, technician
from tests.support.hubbox import GOODS, Box, open_box, sell

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("hub-remote"),
    pytest.mark.may_block,  # the hub is a process of its own
]
restarts = pytest.mark.may_leak  # the module's hub, started again


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box() -> AsyncIterator[Box]:
    async with open_box(settings={"pairing": {"tries": 4}}) as opened:
        yield opened


async def command(box: Box, kind: str, **data: Any) -> str:
    """Sent as central IT does; its id."""
    sent = await box.rig.oms_admin._call("POST", "commands", {"type": kind, "data": data})
    return str(sent["id"])


async def outcome(box: Box, command_id: str) -> tuple[str, str]:
    async def told() -> tuple[str, str] | None:
        found = (await box.rig.oms_admin._call("GET", "commands", None))["commands"]
        one = next(row for row in found if row["id"] == command_id)
        return (one["outcome"], one["why"]) if one["outcome"] else None

    found: tuple[str, str] = await box.until(told)
    return found


async def link_is(box: Box, state: str) -> bool:
    return bool((await box.status())["cloud"]["state"] == state)


async def shown(http: aiohttp.ClientSession, key: str) -> dict[str, Any]:
    settings = (await get(http, "/api/1/settings"))["settings"]
    found: dict[str, Any] = next(one for one in settings if one["key"] == key)
    return found


@restarts
async def test_a_drill_goes_on_after_a_kill_and_a_person_ends_it(
    box: Box, till: IdentityStore
) -> None:
    await box.until(lambda: link_is(box, "up"))
    said = await box.cli("drill", "--minutes", "30")
    assert "cut for 30 minutes" in said
    status = await box.status()
    drill = status["drill"]
    assert (status["cloud"]["state"], drill["asked_by"][:4]) == ("down", "cli:")
    link = next(one for one in status["health"]["findings"] if one["key"] == "link")
    assert (link["level"], link["action"]) == ("notice", "drill.end")
    assert link["summary"].startswith("A drill runs")
    async with box.client(till) as hub:
        for goods in GOODS[:3]:
            await sell(hub, goods)
    before = len(box.oms_sales())
    await box.rig.hub.kill()
    await box.start_hub()
    status = await box.status()
    assert status["drill"]["drill_id"] == drill["drill_id"]
    assert status["drill"]["until_ms"] <= drill["until_ms"] + 1_000
    assert status["cloud"]["state"] == "down"
    assert len(box.oms_sales()) == before
    refused = await box.cli("drill", code=1)
    assert "running already" in refused
    assert "it ends in" in await box.cli("drill", "--status")
    assert "over" in await box.cli("drill", "--end")
    await box.same_as_cloud()
    await box.until(lambda: settled(box))
    last = (await box.status())["last_drill"]
    assert (last["how"], last["sales"], last["devices_selling"]) == ("person", 3, 1)
    assert last["caught_up_ms"] is not None
    (told,) = box.oms_rows("SELECT data FROM events WHERE type = 'com.storehub.drill.ended.v1'")
    assert drill["drill_id"] in told[0]
    assert "ended by: person" in await box.cli("drill", "--status")
    assert "a moment ago" in await box.cli("drill", code=1)


async def settled(box: Box) -> bool:
    last = (await box.status())["last_drill"]
    return bool(last and last["settled"])


@restarts
async def test_a_setting_of_the_cloud_is_in_force_at_once_and_says_where_it_came_from(
    box: Box,
) -> None:
    async with technician(box) as (http, _csrf):
        sent = await command(box, "config.changed", key="pairing.code_ttl_s", value=333)
        assert await outcome(box, sent) == ("done", "")

        async def is_shown() -> bool:
            one = await shown(http, "pairing.code_ttl_s")
            return bool(one["value"] == "333" and one["origin"] == f"cloud command {sent}")

        await box.until(is_shown)
        assert not (await shown(http, "pairing.code_ttl_s"))["is_default"]
        assert (await box.rig.admin.open_pairing("Next", "till")) is not None
        await box.stop_hub()
        await box.start_hub()
    async with technician(box) as (http, _csrf):
        assert (await shown(http, "pairing.code_ttl_s"))["value"] == "333"
        back = await command(box, "config.changed", key="pairing.code_ttl_s", value=None)
        assert await outcome(box, back) == ("done", "")

        async def is_back() -> bool:
            return bool((await shown(http, "pairing.code_ttl_s"))["is_default"])

        await box.until(is_back)


async def test_the_box_comes_first_and_the_cloud_is_told_so(box: Box) -> None:
    sent = await command(box, "config.changed", key="pairing.tries", value=9)
    ended, why = await outcome(box, sent)
    assert ended == "failed"
    assert f"set on the box itself ({box.rig.config_file}" in why


async def test_the_log_says_more_for_a_while(box: Box) -> None:
    async with technician(box) as (http, _csrf):
        sent = await command(box, "config.changed", key="log.level", value="debug", for_s=600)
        assert await outcome(box, sent) == ("done", "")

        async def is_debug() -> bool:
            levels = (await get(http, "/api/1/logs"))["levels"]
            return bool(levels[0]["level"] == "debug" and levels[0].get("until_ms"))

        await box.until(is_debug)
        back = await command(box, "config.changed", key="log.level", value=None)
        assert await outcome(box, back) == ("done", "")

        async def is_back() -> bool:
            return (await get(http, "/api/1/logs"))["levels"][0].get("until_ms") is None

        await box.until(is_back)


async def test_a_bundle_arrives_without_secrets(box: Box) -> None:
    sent = await command(box, "support.requested", reason="slow till", asked_by="it/anna")
    assert await outcome(box, sent) == ("done", "")
    ((content,),) = box.oms_rows(
        "SELECT content FROM support_bundles WHERE command_id = ? AND complete = 1", sent
    )
    token = (box.rig.base / "token").read_text()
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        names = bundle.namelist()
        texts = "".join(bundle.read(name).decode() for name in names)
    assert {"about.txt", "settings.json", "log.txt"} <= set(names)
    assert token not in texts
    audit = box.rows("SELECT data FROM audit WHERE action = 'cloud.command' AND subject = ?", sent)
    assert "it/anna" in audit[0][0]


async def test_a_stolen_device_is_cut_off_and_the_cloud_is_told(box: Box) -> None:
    store = await box.pair(name="Stolen")
    async with box.raw(store) as raw:
        device = store.load().device_id
        sent = await command(box, "device.revoked", device_id=device, asked_by="it/anna")
        await raw.cut()
    assert await outcome(box, sent) == ("done", "")
    unknown = await command(box, "device.revoked", device_id="till-99")
    assert (await outcome(box, unknown))[0] == "failed"


@restarts
async def test_commands_are_carried_out_once_though_the_hub_is_killed_again_and_again(
    box: Box,
) -> None:
    bundle = await command(box, "support.requested")
    sent = [
        await command(box, "config.changed", key="stock.hold_ttl_s", value=300 + n)
        for n in range(5)
    ]
    for _ in range(2):
        await asyncio.sleep(0.3)
        await box.rig.hub.kill()
        await box.start_hub()
    for one in (*sent, bundle):
        assert await outcome(box, one) == ("done", "")
    assert box.rows("SELECT value FROM remote_settings WHERE key = 'stock.hold_ttl_s'") == [
        ("304",)
    ]
    told = box.oms_rows(
        "SELECT count(*), count(DISTINCT id) FROM events"
        " WHERE type = 'com.storehub.command.ended.v1'"
    )
    assert told[0][0] == told[0][1]
    assert box.oms_rows("SELECT count(*) FROM support_bundles WHERE command_id = ?", bundle) == [
        (1,)
    ]
