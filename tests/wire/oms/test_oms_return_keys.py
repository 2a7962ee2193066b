"""Keys of return codes: told by one shop's hub, given to all shops."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from typing import Any

from pysqlite3 import dbapi2

from cloud_link.check.bench import Bench, PretendHub
from cloud_link.sandbox.returnkeys import KEYS_MAX
from hub.contract.oms_events import HUB_RETURN_KEY
from tests.wire.oms.cloud_room import IDS, Cloud, StartCloud

KEYS = [f"{chr(65 + n)}{'A' * 42}=" for n in range(KEYS_MAX + 1)]


def policies(cloud: Cloud, store: str) -> dict[str, Any]:
    sql = "SELECT row FROM dataset_rows WHERE store=? AND dataset='policies' ORDER BY key"
    with closing(dbapi2.connect(f"file:{cloud.state}/oms.db?mode=ro", uri=True)) as db:
        rows = [json.loads(row) for (row,) in db.execute(sql, (store,))]
    return {row["key"]: row["value"] for row in rows if row["key"].startswith("return_keys.")}


async def tell(hub: PretendHub, *keys: str) -> None:
    for key in keys:
        body = await hub.send(hub.event(HUB_RETURN_KEY, {"public_key": key}, stream="orders"))
        assert body["results"][0]["status"] == "applied"


async def test_each_key_reaches_every_shop_the_newest_first(start_cloud: StartCloud) -> None:
    cloud = await start_cloud(stores=("001", "002"), seed_demo=True, skus=5)
    hub = await cloud.bench.new_hub()
    start = (await hub.caller.get("/datasets/policies/manifest")).json()["as_of_cursor"]
    await tell(hub, *KEYS, KEYS[-1])
    for store in ("001", "002"):
        assert policies(cloud, store) == {"return_keys.001": KEYS[:0:-1]}
    changes = (await hub.caller.get("/datasets/policies/changes", cursor=start)).json()["changes"]
    assert changes[0] == {"op": "upsert", "row": {"key": "return_keys.001", "value": KEYS[:1]}}
    assert len(changes) == len(KEYS)


async def test_a_shop_that_is_new_gets_what_the_others_have(start_cloud: StartCloud) -> None:
    cloud = await start_cloud(stores=("001",), seed_demo=True, skus=5)
    await tell(await cloud.bench.new_hub(), KEYS[0])
    later = await start_cloud(stores=("001", "003"), seed_demo=True, skus=5)
    assert policies(later, "003") == policies(later, "001") == {"return_keys.001": [KEYS[0]]}


async def test_what_is_told_for_a_trial_stays_there(start_cloud: StartCloud) -> None:
    cloud = await start_cloud(stores=("001",), seed_demo=True, skus=5)
    trial = Bench(replace(cloud.bench.caller, store="oms-check-9"), IDS)
    await tell(await trial.new_hub(), KEYS[0])
    assert policies(cloud, "001") == {}
    assert policies(cloud, "oms-check-9") == {"return_keys.oms-check-9": [KEYS[0]]}


async def test_a_key_that_is_none_is_poison(cloud: Cloud) -> None:
    hub = await cloud.bench.new_hub()
    event = hub.event(HUB_RETURN_KEY, {"public_key": "x"}, stream="orders")
    assert (await hub.caller.send([event])).code == "poison-event"
