"""The logs that travel down: commands and data sets."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.wire.oms.cloud_room import Cloud, StartCloud, problem_of

ROW = {"sku": "NEW-1", "name": "New tea", "uom": "each", "scale": 0, "tax_code": "reduced"}


async def test_a_waiting_poll_is_woken_by_a_command(cloud: Cloud) -> None:
    hub = await cloud.bench.new_hub()
    cursor = (await hub.caller.get("/commands")).json()["cursor"]
    poll = asyncio.create_task(hub.caller.get("/commands", cursor=cursor, wait="30"))
    await cloud.admin("commands", {"type": "count.requested", "data": {"sku": "APPLE"}})
    async with asyncio.timeout(40):
        body = (await poll).json()
    (command,) = body["commands"]
    assert (command["type"], command["data"]) == ("count.requested", {"sku": "APPLE"})
    assert command["cursor"] == body["cursor"]


async def test_a_waiting_poll_of_a_superseded_hub_is_told(cloud: Cloud) -> None:
    old = await cloud.bench.new_hub()
    poll = asyncio.create_task(old.caller.get("/commands", wait="30"))
    await asyncio.sleep(0.05)
    await cloud.bench.new_hub()
    async with asyncio.timeout(40):
        assert problem_of(await poll) == (409, "superseded")


async def test_a_new_box_learns_how_far_the_old_one_had_confirmed(cloud: Cloud) -> None:
    old = await cloud.bench.new_hub()
    for n in range(3):
        await cloud.admin("commands", {"type": "config.changed", "data": {"key": "k", "value": n}})
    page = (await old.caller.get("/commands")).json()["commands"]
    await old.caller.get("/commands", cursor=page[1]["cursor"])
    new = await cloud.bench.new_hub()
    rest = (await new.caller.get("/commands", cursor=new.reply.cursors.commands)).json()["commands"]
    assert [row["type"] for row in rest] == ["config.changed", "epoch.closed"]


async def test_a_changed_row_is_announced_and_in_the_change_log(start_cloud: StartCloud) -> None:
    cloud = await start_cloud(seed_demo=True)
    hub = await cloud.bench.new_hub()
    manifest = (await hub.caller.get("/datasets/catalog/manifest")).json()
    assert manifest["rows"] == 300
    await cloud.admin("datasets/catalog/rows", {"rows": [ROW], "delete": [{"sku": "DAI-000050"}]})
    path = "/datasets/catalog/changes"
    first = (await hub.caller.get(path, cursor=manifest["as_of_cursor"], limit="1")).json()
    assert first["changes"] == [{"op": "upsert", "row": ROW}]
    assert first["more"] is True
    rest = (await hub.caller.get(path, cursor=first["cursor"])).json()
    assert rest["changes"] == [{"op": "delete", "row": {"sku": "DAI-000050"}}]
    assert rest["more"] is False
    commands = (await hub.caller.get("/commands")).json()["commands"]
    assert commands[-1]["data"] == {"dataset": "catalog"}
    fresh = (await hub.caller.get("/datasets/catalog/manifest")).json()
    assert fresh["as_of_cursor"] == rest["cursor"]
    old_chunk = await hub.caller.call("GET", manifest["chunks"][0]["url"])
    assert old_chunk.status == 200, "a snapshot being read must not vanish under the reader"


async def test_old_changes_are_dropped_and_their_cursor_is_gone(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud_link.sandbox.datasets.CHANGES_KEPT", 3)
    hub = await cloud.bench.new_hub()
    start = (await hub.caller.get("/datasets/catalog/manifest")).json()["as_of_cursor"]
    for n in range(5):
        await cloud.admin("datasets/catalog/rows", {"rows": [{**ROW, "sku": f"NEW-{n}"}]})
    gone = await hub.caller.get("/datasets/catalog/changes", cursor=start)
    assert problem_of(gone) == (410, "cursor-gone")


async def test_data_sets_are_loaded_from_a_directory(
    start_cloud: StartCloud, tmp_path: Path
) -> None:
    (tmp_path / "catalog.jsonl").write_text(json.dumps(ROW) + "\n", "utf-8")
    cloud = await start_cloud(datasets=tmp_path)
    hub = await cloud.bench.new_hub()
    assert (await hub.caller.get("/datasets/catalog/manifest")).json()["rows"] == 1
    assert (await hub.caller.get("/datasets/prices/manifest")).json()["rows"] == 0


async def test_a_wrong_row_in_a_file_is_named(start_cloud: StartCloud, tmp_path: Path) -> None:
    (tmp_path / "prices.jsonl").write_text('{"sku": "A"}\n', "utf-8")
    with pytest.raises(ValueError, match=r"prices\.jsonl, line 1"):
        await start_cloud(datasets=tmp_path)


async def test_a_large_catalogue_comes_in_many_chunks(start_cloud: StartCloud) -> None:
    cloud = await start_cloud(seed_demo=True, skus=12_000)
    hub = await cloud.bench.new_hub()
    manifest = (await hub.caller.get("/datasets/catalog/manifest")).json()
    assert manifest["rows"] == 12_000
    assert len(manifest["chunks"]) >= 3
    skus = set()
    for chunk in manifest["chunks"]:
        text = (await hub.caller.call("GET", chunk["url"])).body
        skus |= {json.loads(line)["sku"] for line in text.splitlines()}
    assert len(skus) == 12_000


async def test_other_shops_stock_can_be_asked(start_cloud: StartCloud) -> None:
    cloud = await start_cloud(seed_demo=True)
    hub = await cloud.bench.new_hub()
    stores = (await hub.caller.get("/availability", sku="FRU-000001")).json()["stores"]
    assert [row["name"] for row in stores] == ["Riverside branch", "Station branch"]
