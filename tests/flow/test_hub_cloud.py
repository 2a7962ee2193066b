"""A whole hub and its cloud: away, back, in doubt, and a second box that takes over."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cloud_link.sandbox import demo
from devices.kit import IdentityStore
from hub.clock import SystemRandomness
from hub.contract.catalog import LookUp, ProductView
from scripts.rig import Ports, ShopRig
from tests.support.hubbox import (
    GOODS,
    SKUS,
    STORE,
    Box,
    levels_of,
    open_box,
    sale_of,
    sell,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("hub-cloud")]
restarts = pytest.mark.may_leak  # the module's hub or OMS, started again


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box() -> AsyncIterator[Box]:
    async with open_box(settings={"cloud": {"digest_every_s": 10}}) as opened:
        yield opened


async def tell(box: Box, path: str, **body: Any) -> None:
    """One of the sandbox's own calls."""
    admin = box.rig.oms_admin
    await admin._call("POST", path, body)


async def cloud_is(box: Box, state: str) -> bool:
    return bool((await box.status())["cloud"]["state"] == state)


# Without ------------------------------------------------------------------------------------------


def write_data_sets(folder: Path) -> None:
    """The demo shop as files, as a shop without a cloud gets its data."""
    folder.mkdir()
    products = list(demo.products(SKUS))
    rows = {
        "catalog": [row for row, _ in products],
        "prices": [demo.price_row(row["sku"], price) for row, price in products],
        "taxes": demo.tax_rows(),
        "staff": [*demo.role_rows(), *demo.staff_rows(SystemRandomness())],
    }
    for name, found in rows.items():
        text = "".join(json.dumps(row) + "\n" for row in found)
        (folder / f"{name}.jsonl").write_text(text)


@pytest.mark.usefixtures("box")
async def test_a_shop_without_a_cloud_sells_from_imported_data() -> None:
    async with open_box(cloud=False, started=False) as box:
        box.rig.write_config()
        await asyncio.to_thread(write_data_sets, box.rig.base / "data")
        done = await box.cli_json("catalog", "import", str(box.rig.base / "data"))
        assert {one["dataset"]: one["rows"] for one in done}["catalog"] == SKUS
        await box.start_hub()
        status = await box.status()
        assert (status["cloud"]["state"], status["mode"]) == ("unconfigured", "offline")
        store = await box.pair()
        async with box.client(store) as hub:
            await box.stock_up(hub, 5)
            done = await sell(hub)
            assert done.receipt_no == "001-000001"
        assert levels_of(box)[GOODS[0].sku] == 4
        await box.stop_hub()


# Away and back ------------------------------------------------------------------------------------


async def test_what_is_sold_while_the_cloud_is_away_arrives_once_when_it_is_back(
    box: Box, till: IdentityStore
) -> None:
    await box.rig.oms_admin.misbehave(down=True)
    async with box.client(till) as hub:
        for goods in GOODS[:10]:
            await sell(hub, goods)
        await box.until(lambda: cloud_is(box, "down"))
        assert (await box.status())["mode"] == "offline"
        assert (await box.status())["outbox"]["depth"] >= 10
        await box.rig.oms_admin.misbehave(lose_reply_rate=0.3, error_rate=0.2, seed=7)
        await box.same_as_cloud()
        await box.rig.oms_admin.misbehave()
        await box.until(lambda: cloud_is(box, "up"))
        await box.until(lambda: not hub.journal.entries)  # safe elsewhere, too
    assert (await box.status())["mode"] == "online"


@restarts
async def test_a_cloud_that_was_killed_gets_everything_once(box: Box, till: IdentityStore) -> None:
    async with box.client(till) as hub:
        await box.rig.oms.kill()
        for goods in GOODS[:5]:
            await sell(hub, goods)
        await box.rig.start_oms()
        await sell(hub)
        await box.same_as_cloud()


async def test_a_device_that_the_cloud_revokes_is_cut_off(box: Box) -> None:
    store = await box.pair(name="Stolen")
    async with box.raw(store) as raw:
        device = store.load().device_id
        await tell(box, "commands", type="device.revoked", data={"device_id": device})
        await raw.cut()
    listed = {one["device_id"]: one["status"] for one in await box.cli_json("devices", "list")}
    assert listed[device] == "revoked"


async def test_a_new_price_of_the_cloud_reaches_the_till(box: Box, till: IdentityStore) -> None:
    goods = GOODS[3]
    async with box.client(till) as hub:
        prices: asyncio.Queue[str] = asyncio.Queue()
        hub.on_notice(lambda topic, _notice: prices.put_nowait(topic))
        row = demo.price_row(goods.sku, goods.price_minor + 11)
        await tell(box, "datasets/prices/rows", rows=[row])

        async def price() -> int | None:
            found = await hub.request(LookUp(code=goods.gtin), ProductView)
            return found.price_minor

        async def is_new() -> bool:
            return await price() == goods.price_minor + 11

        await box.until(is_new)
        async with asyncio.timeout(60):
            while await prices.get() != "prices":
                pass
        await tell(box, "datasets/prices/rows", rows=[demo.price_row(goods.sku, goods.price_minor)])
        await box.until(lambda: is_old(price, goods.price_minor))


async def is_old(price: Any, price_minor: int) -> bool:
    return bool(await price() == price_minor)


async def test_drift_is_reported_and_the_shops_stock_stays(box: Box, till: IdentityStore) -> None:
    goods = GOODS[4]
    before = levels_of(box)

    def plant(change: int) -> None:
        with contextlib.closing(sqlite3.connect(box.rig.oms_database, timeout=60)) as db, db:
            db.execute(
                "UPDATE levels SET qty = qty + ? WHERE sku = ? AND bucket = 'sellable'",
                (change, goods.sku),
            )

    await box.told_all()
    await asyncio.to_thread(plant, -3)
    await box.until(lambda: drift_is(box, 1))
    assert levels_of(box) == before
    assert box.rows("SELECT sku FROM drift") == [(goods.sku,)]
    assert any("differ" in one for one in (await box.status())["problems"])
    await asyncio.to_thread(plant, 3)
    await box.until(lambda: drift_is(box, 0))
    assert levels_of(box) == before


async def drift_is(box: Box, count: int) -> bool:
    return bool((await box.status())["cloud"]["drift"] == count)


# A second box -------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def second_box(box: Box, *, witness: bool) -> AsyncIterator[Box]:
    """A copy of the (stopped) hub's disk that runs at another address with the same cloud.

    Without the ``witness`` it looks like one on another machine.
    """
    base = box.rig.base / ("clone" if witness else "second")
    shutil.copytree(box.rig.base / "hub", base / "hub")
    (base / "hub" / "hub.lock").unlink()
    if not witness:
        (base / "hub" / "witness.json").unlink()
    cloud = {
        "url": f"https://127.0.0.1:{box.rig.ports.oms}",
        "token_file": str(box.rig.base / "token"),
        "ca_file": str(box.rig.base / "oms" / "tls" / "ca.pem"),
        "linger_ms": 20,
        "retry_max_s": 1,
    }
    rig = ShopRig(base, STORE, Ports.choose(SystemRandomness()), settings={"cloud": cloud})
    async with rig:
        other = Box(rig, cloud=False)
        await other.start_hub()
        yield other


@pytest.mark.usefixtures("box")
async def test_a_copy_on_another_machine_takes_over_and_the_old_box_goes_read_only() -> None:
    async with open_box() as box:
        till = await box.pair()
        async with box.client(till) as hub:
            await box.stock_up(hub)
        await box.told_all()
        await box.stop_hub()
        async with second_box(box, witness=False) as second:
            await second.until(lambda: cloud_is(second, "up"))
            await second.until(lambda: second.rows("SELECT fence FROM hub") == [("",)])
            await box.start_hub()
            await box.until(lambda: cloud_is(box, "superseded"))
            await refuses_everything(box, till)
            # The same till, sent to the second box, sells there.
            async with moved(till, second) as hub:
                await sell(hub)
            await second.told_all()
            assert second.sales() == box.oms_sales()
            await second.stop_hub()


async def refuses_everything(box: Box, till: IdentityStore) -> None:
    status = await box.status()
    assert status["mode"] == "superseded"
    assert any("Another box" in one for one in status["problems"])
    before = box.picture()
    async with box.raw(till) as raw:
        body = sale_of("01900000-0000-7000-8000-000000000001").model_dump(mode="json")
        reply = await raw.ask("sale/commit", body)
        assert reply["problem"]["code"] == "superseded"
        assert reply["problem"]["detail"]
    assert box.picture() == before


@pytest.mark.usefixtures("box")
async def test_a_whole_clone_on_the_same_machine_is_found_out_and_no_sale_is_lost() -> None:
    """Even the witness was copied: only what both write to the cloud shows that they are two."""
    async with open_box() as box:
        stores = [await box.pair(name="One"), await box.pair(name="Two")]
        async with box.client(stores[0]) as hub:
            await box.stock_up(hub)
            await sell(hub)
        await box.told_all()
        await box.stop_hub()
        async with second_box(box, witness=True) as clone:
            async with moved(stores[1], clone) as hub:
                done = [await sell(hub) for _ in range(2)]
            await clone.told_all()
            await box.start_hub()
            async with box.client(stores[0]) as hub:
                done += [await sell(hub) for _ in range(3)]
                await box.until(lambda: box.sales().keys() >= {one.sale_id for one in done})
            await box.same_as_cloud()
            await clone.until(lambda: cloud_is(clone, "superseded"))
            await clone.stop_hub()
        assert (await box.cli_json("stock", "verify"))["whole"]
        assert len({one.sale_id for one in done} & box.oms_sales().keys()) == 5


@contextlib.asynccontextmanager
async def moved(store: IdentityStore, box: Box) -> AsyncIterator[Any]:
    """The device finds its hub at another address."""
    path = store.folder / "pairing.json"
    text = path.read_text()
    known = json.loads(text)
    ports = {"mqtt_port": box.rig.ports.mtls, "https_port": box.rig.ports.https}
    path.write_text(json.dumps({**known, **ports}))
    try:
        async with box.client(store) as hub:
            yield hub
    finally:
        path.write_text(text)
