"""Data sets, commands and comparisons."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import zstandard

from hub.contract.catalog import Search
from hub.service.notices import DatasetSwapped, DeviceRevoked
from hub.storage import datasetrows, driftrows, searchindex
from hub.storage.searchindex import SearchIndex
from tests.flow.cloud.cloudshop import KIOSK, HubSide, Oms, Run, hub_side, oms_process


async def change(oms: Oms, name: str, rows: Any = (), delete: Any = ()) -> None:
    await oms.ask("POST", f"/sandbox/datasets/{name}/rows", {"rows": rows, "delete": delete})


def count(hub: HubSide, table: str) -> int:
    row = hub.gate.rows.one(f"SELECT count(*) FROM {table}")
    assert row is not None
    return int(row[0])


async def test_the_first_sync_brings_everything_a_shop_needs(hub: HubSide, oms: Oms) -> None:
    # Weighed goods and matrix articles make a few more products than asked for.
    assert count(hub, "products") >= 60
    assert count(hub, "prices") == count(hub, "products")
    assert count(hub, "staff") == 4
    assert count(hub, "roles") >= 3
    assert hub.gate.rows.one("SELECT count(*) FROM taxes WHERE code = ''") == (1,)
    assert {one.dataset for one in hub.notices if isinstance(one, DatasetSwapped)} == {
        "taxes",
        "policies",
        "staff",
        "catalog",
        "prices",
    }


async def test_a_price_changed_in_the_cloud_is_in_force_when_it_says_so(
    hub: HubSide, oms: Oms
) -> None:
    goods = await hub.stock_up()
    sku, price = goods[0]
    await change(oms, "prices", [{"sku": sku, "price_minor": price + 11}])
    await hub.until(
        lambda: (
            hub.gate.rows.one("SELECT price_minor FROM prices WHERE sku = ?", sku) == (price + 11,)
        )
    )
    assert (await hub.sell(sku, price + 11)).total_minor == price + 11


async def test_a_product_that_loses_a_barcode_or_goes_is_no_longer_found_by_it(
    hub: HubSide, oms: Oms
) -> None:
    rows = hub.gate.rows
    gtin, sku = rows.all("SELECT gtin, sku FROM barcodes LIMIT 1")[0]
    other = rows.all("SELECT gtin, sku FROM barcodes WHERE sku <> ? LIMIT 1", sku)[0]
    base = {"uom": "piece", "scale": 0, "tax_code": "standard"}
    await change(
        oms,
        "catalog",
        [base | {"sku": sku, "name": "Renamed", "barcodes": ["00000000000017"], "safety_qty": 3}],
        [{"sku": other[1]}],
    )
    await hub.until(
        lambda: rows.one("SELECT safety_qty FROM products WHERE name = 'Renamed'") == (3,)
    )
    assert rows.one("SELECT sku FROM barcodes WHERE gtin = ?", gtin) is None
    assert rows.one("SELECT sku FROM barcodes WHERE gtin = '00000000000017'") == (sku,)
    assert rows.one("SELECT 1 FROM products WHERE sku = ?", other[1]) is None
    assert rows.one("SELECT 1 FROM barcodes WHERE gtin = ?", other[0]) is None


async def test_after_the_cloud_was_restored_a_fresh_snapshot_is_taken(
    hub: HubSide, oms: Oms
) -> None:
    before = datasetrows.get(hub.gate.rows, "prices")
    await oms.ask("POST", "/sandbox/backup")
    await oms.ask("POST", "/sandbox/restore")
    await oms.ask("POST", "/sandbox/commands", {"type": "count.requested", "data": {"sku": "X"}})
    await hub.until(lambda: datasetrows.get(hub.gate.rows, "prices").generation > before.generation)
    await hub.until(
        lambda: (
            hub.gate.rows.one(
                "SELECT 1 FROM prices WHERE generation = ? LIMIT 1", before.generation
            )
            is None
        )
    )


def tampered(oms: Oms, dataset: str, change: Any, *, honest: bool) -> None:
    """Change the first chunk of the newest snapshot the cloud keeps; ``honest``: its hash, too."""
    (folder,) = (oms.state / "snapshots" / "367" / dataset).iterdir()
    chunk = folder / "0.jsonl.zst"
    text = change(zstandard.decompress(chunk.read_bytes()))
    chunk.write_bytes(zstandard.compress(text))
    manifest = json.loads((folder / "manifest.json").read_text())
    if honest:
        manifest["chunks"][0] |= {
            "sha256": hashlib.sha256(text).hexdigest(),
            "bytes": len(text),
        }
        (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("honest", [True, False])
async def test_a_bad_snapshot_leaves_the_old_one_in_force_and_says_what_is_wrong(
    hub: HubSide, oms: Oms, honest: bool
) -> None:
    before = datasetrows.get(hub.gate.rows, "catalog")
    await asyncio.to_thread(
        tampered,
        oms,
        "catalog",
        lambda text: text.replace(b'"scale":0', b'"scale":9', 1),
        honest=honest,
    )
    await hub.internal(
        Run(lambda tx: tx.run("UPDATE datasets SET cursor = '' WHERE dataset = 'catalog'"))
    )
    hub.link.sync_dataset("catalog")
    assert hub.link.parts is not None
    problems = hub.link.parts.datasets.problems
    why = await hub.until(lambda: problems.get("catalog"))
    expected = r"catalog chunk 0, line \d+: scale: .* \(got 9\)" if honest else "sha256"
    assert re.search(expected, why)
    assert datasetrows.get(hub.gate.rows, "catalog").generation == before.generation
    assert count(hub, "products") >= 60
    assert "catalog" in hub.link.status().detail


async def test_an_interrupted_import_goes_on_from_its_last_whole_chunk(tmp_path: Path) -> None:
    await asyncio.to_thread(big_catalogue, tmp_path / "files", 15_000)
    files = ("--datasets", str(tmp_path / "files"))
    async with oms_process(tmp_path / "oms", *files) as oms:
        async with hub_side(tmp_path / "hub", oms.settings()) as hub:
            await hub.until(lambda: datasetrows.get(hub.gate.rows, "catalog").staging_chunk >= 1)
        async with hub_side(tmp_path / "hub", oms.settings(), start=False) as hub:
            begun = datasetrows.get(hub.gate.rows, "catalog")
            assert begun.generation == 0
            assert begun.staging_chunk >= 1
            await hub.link.start()
            await hub.synced("catalog")
            assert datasetrows.get(hub.gate.rows, "catalog").generation == begun.staging
            assert count(hub, "products") == 15_000


async def test_commands_are_done_once_however_often_and_in_whatever_order_they_come(
    hub: HubSide, oms: Oms
) -> None:
    await oms.misbehave(duplicate_commands=True, reorder_commands=True, seed=3)
    sku = hub.gate.rows.all("SELECT sku FROM products LIMIT 1")[0][0]
    for kind, data in (
        ("count.requested", {"skus": [sku, "NEW-1"]}),
        ("device.revoked", {"device_id": KIOSK.id}),
        ("device.revoked", {"nonsense": 1}),
        ("customer.arrived", {"order_id": "o-1"}),
        ("config.changed", {"key": "a", "value": 1}),
    ):
        await oms.ask("POST", "/sandbox/commands", {"type": kind, "data": data})
    rows = hub.gate.rows
    await hub.until(lambda: count(hub, "count_tasks") == 2)
    await hub.until(
        lambda: rows.one("SELECT status FROM devices WHERE device_id = ?", KIOSK.id) == ("revoked",)
    )
    await hub.until(
        lambda: (
            rows.one("SELECT 1 FROM commands WHERE type = 'config.changed' AND outcome = 'failed'")
            is not None
        )
    )
    assert DeviceRevoked(KIOSK.id) in hub.notices
    assert hub.link.parts is not None
    await hub.until(lambda: hub.link.parts.downlink.counts.get("failed", 0) >= 1)  # type: ignore[union-attr]
    assert rows.one("SELECT 1 FROM audit WHERE action = 'cloud.command_passed_over'") is not None


async def test_stock_that_differs_is_found_and_reported_and_never_changed(
    hub: HubSide, oms: Oms
) -> None:
    goods = await hub.stock_up()
    await hub.drained()
    assert hub.link.parts is not None
    check = hub.link.parts.antientropy.check
    assert await check() == "equal"
    sku = goods[3][0]
    await hub.internal(
        Run(
            lambda tx: tx.run(
                "UPDATE stock SET sellable = 990 WHERE sku_id ="
                " (SELECT id FROM skus WHERE sku = ?)",
                sku,
            )
        )
    )
    assert await check() == "differs"
    found = driftrows.drift(hub.gate.rows)
    assert [(row.sku, row.hub, row.oms) for row in found] == [
        (sku, {"sellable": 990}, {"sellable": 1000})
    ]
    assert hub.link.status().drift == 1
    await hub.drained()
    assert (await oms.stats())["types"]["com.storehub.drift.detected.v1"] == 1
    assert hub.gate.rows.one("SELECT max(sellable), min(sellable) FROM stock") == (1000, 990)
    await hub.internal(Run(lambda tx: tx.run("UPDATE stock SET sellable = 1000")))
    assert await check() == "equal"
    assert hub.link.status().drift == 0


async def test_products_are_found_by_the_beginnings_of_words(hub: HubSide, tmp_path: Path) -> None:
    await hub.internal(
        Run(
            lambda tx: tx.run(
                "UPDATE products SET name = 'Crème Brûlée' WHERE sku = (SELECT"
                " min(sku) FROM products)"
            )
        )
    )
    without_index = await hub.gate.run(KIOSK, Search(text="Crème Br"))
    index = SearchIndex(hub.database, sleep=hub.clock.sleep)
    index.start()
    await hub.until(lambda: index.builds == 1)
    with_index = await hub.gate.run(KIOSK, Search(text="creme br"))
    await index.stop()
    assert with_index.hits == without_index.hits  # type: ignore[attr-defined]
    assert with_index.hits[0].name == "Crème Brûlée"  # type: ignore[attr-defined]
    assert (await hub.gate.run(KIOSK, Search(text='"*" OR ('))).hits == ()  # type: ignore[attr-defined]


def big_catalogue(folder: Path, products: int) -> None:
    folder.mkdir()
    with (folder / "catalog.jsonl").open("w") as catalog, (folder / "prices.jsonl").open("w") as p:
        for n in range(products):
            row = {
                "sku": f"SKU-{n:06d}",
                "name": f"Article number {n} of the long shelf",
                "barcodes": [f"{n:014d}"],
                "uom": "piece",
                "scale": 0,
                "tax_code": "standard",
                "category": f"Group {n % 97}",
            }
            catalog.write(json.dumps(row) + "\n")
            p.write(json.dumps({"sku": row["sku"], "price_minor": 100 + n % 900}) + "\n")


async def test_selling_goes_on_while_a_large_catalogue_is_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    products = 20_000
    await asyncio.to_thread(big_catalogue, tmp_path / "files", products)
    async with (
        oms_process(tmp_path / "oms", "--datasets", str(tmp_path / "files")) as oms,
        hub_side(tmp_path / "hub", oms.settings()) as hub,
    ):
        begun = time.perf_counter()
        steps: list[float] = []
        seen: set[str] = set()
        while "prices" not in hub.link.status().datasets:
            before = time.perf_counter()
            await hub.internal(Run(lambda tx: tx.run("UPDATE hub SET one = 1")))
            steps.append(time.perf_counter() - before)
            importing = hub.link.status().importing
            seen |= {importing} if importing else set()
            await asyncio.sleep(0.01)
        took = time.perf_counter() - begun
        assert count(hub, "products") == products == count(hub, "barcodes")
        assert any("catalog" in one for one in seen)
        built = time.perf_counter()
        await asyncio.to_thread(
            searchindex.build, hub.database.with_name("search.db"), hub.database
        )
        steps.sort()
        with capsys.disabled():
            print(
                f"\n{products} products and prices in {took:.1f} s; a write meanwhile took"
                f" {steps[len(steps) // 2] * 1e3:.1f} ms,"
                f" 99 %: {steps[-len(steps) // 100] * 1e3:.1f} ms;"
                f" search index {time.perf_counter() - built:.2f} s"
            )
        found = await hub.gate.run(KIOSK, Search(text="artic 1999", limit=5))
        assert found.more  # type: ignore[attr-defined]
