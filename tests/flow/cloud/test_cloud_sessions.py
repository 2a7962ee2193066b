"""Whose place it is: copies, restores and replaced boxes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hub.contract.problems import Refusal
from hub.service.handlers.cloud import EnterFork
from hub.service.ledger import verify
from hub.storage import outbox, statusrows
from tests.flow.cloud.cloudshop import Emit, HubSide, Oms, Run, hub_side
from tests.support.ordering import order


def copy_database(source: Path, target: Path) -> None:
    target.mkdir()
    for name in ("hub.db", "hub.db-wal"):
        if (source / name).exists():
            shutil.copy(source / name, target / name)


async def sold(hub: HubSide, count: int, goods: list[tuple[str, int]]) -> list[str]:
    return [(await hub.sell(*goods[number % len(goods)])).sale_id for number in range(count)]


def sale_ids(hub: HubSide) -> set[str]:
    return {row[0] for row in hub.gate.rows.all("SELECT sale_id FROM sales")}


def sellable(hub: HubSide) -> dict[str, int]:
    return dict(
        hub.gate.rows.all(
            "SELECT k.sku, s.sellable FROM stock s JOIN skus k ON k.id = s.sku_id"
            " WHERE s.sellable <> 0"
        )
    )


async def test_a_copied_disk_takes_over_and_the_old_box_goes_read_only(
    tmp_path: Path, oms: Oms
) -> None:
    async with hub_side(tmp_path / "old", oms.settings()) as old:
        await old.synced()
        goods = await old.stock_up()
        await sold(old, 3, goods)
        await old.drained()
        copy_database(tmp_path / "old", tmp_path / "copy")
        async with hub_side(tmp_path / "copy", oms.settings(), machine="b" * 64) as copy:
            await copy.until(lambda: copy.hub.incarnation == 2)
            await old.until(lambda: old.hub.fence == "superseded")
            await old.until(lambda: old.link.status().state == "superseded")
            seen = statusrows.read(old.gate.rows, business_day="", recent_since_ms=0, budget_ms=0)
            assert seen.superseded_at_ms is not None, "a technician is told since when"
            with pytest.raises(Refusal, match="place"):
                await old.sell(*goods[0])
            await copy.until(lambda: copy.hub.fence == "")
            await sold(copy, 2, goods)
            await copy.drained()
    assert len(await oms.sales()) == 5
    assert (await oms.stats())["rejected"] == 0


async def test_a_restored_hub_gets_its_lost_sales_back(tmp_path: Path, oms: Oms) -> None:
    async with hub_side(tmp_path / "hub", oms.settings()) as hub:
        await hub.synced()
        goods = await hub.stock_up()
        await sold(hub, 5, goods)
        await hub.drained()
    copy_database(tmp_path / "hub", tmp_path / "backup")
    async with hub_side(tmp_path / "hub", oms.settings()) as hub:
        await sold(hub, 12, goods)
        await hub.stock_up(2, 5)
        await hub.internal(Emit("sales", "com.storehub.cash.moved.v1", "drawer", {"n": 1}))
        await hub.drained()
        everything, levels = sale_ids(hub), sellable(hub)
    # The restore: an older database, fenced, that sells before it has met the cloud.
    async with hub_side(tmp_path / "backup", oms.settings(), start=False) as hub:
        await hub.internal(EnterFork("f2", "a" * 64, "restored", False))
        assert len(sale_ids(hub)) == 5
        fresh = await hub.sell(*goods[0])
        await hub.link.start()
        await hub.until(lambda: hub.hub.incarnation == 2 and hub.hub.fence == "")
        assert sale_ids(hub) == everything | {fresh.sale_id}
        assert sellable(hub) == levels | {goods[0][0]: levels[goods[0][0]] - 1}
        twice = "SELECT 1 FROM sales GROUP BY receipt_no HAVING count(*) > 1"
        assert hub.gate.rows.one(twice) is None
        verdict = await hub.gate.read(verify)
        assert verdict.whole
        await hub.drained()
        day = hub.gate.rows.one("SELECT sales FROM day_totals")
        assert day == (len(everything) + 1,)
        # Back for good: another HELLO finds nothing missing, and stock agrees.
        assert hub.link.parts is not None
        assert await hub.link.parts.antientropy.check() == "equal"
        incarnation = hub.hub.incarnation
    async with hub_side(tmp_path / "backup", oms.settings()) as hub:
        await hub.until(lambda: hub.link.up)
        assert (hub.hub.incarnation, hub.hub.fence) == (incarnation, "")
    assert len(await oms.sales()) == 18


async def test_a_rolled_back_database_that_does_not_know_it_is_found_out(
    tmp_path: Path, oms: Oms
) -> None:
    async with hub_side(tmp_path / "hub", oms.settings()) as hub:
        await hub.synced()
        goods = await hub.stock_up()
        await sold(hub, 2, goods)
        await hub.drained()
    copy_database(tmp_path / "hub", tmp_path / "snapshot")
    async with hub_side(tmp_path / "hub", oms.settings()) as hub:
        await sold(hub, 6, goods)
        await hub.drained()
        everything = sale_ids(hub)
    async with hub_side(tmp_path / "snapshot", oms.settings(), start=False) as hub:
        # Sold in the places that other sales have at the cloud.
        again = await sold(hub, 3, goods)
        await hub.link.start()
        await hub.until(lambda: hub.hub.incarnation == 2 and hub.hub.fence == "")
        await hub.drained()
        assert sale_ids(hub) == everything | set(again)
        assert hub.link.parts is not None
        assert await hub.link.parts.antientropy.check() == "equal"
    assert {one["sale_id"] for one in await oms.sales()} == everything | set(again)


async def test_a_rolled_back_database_that_outgrew_the_lost_events_is_found_out(
    tmp_path: Path, oms: Oms
) -> None:
    async with hub_side(tmp_path / "hub", oms.settings()) as hub:
        await hub.synced()
        goods = await hub.stock_up()
        await sold(hub, 2, goods)
        await hub.drained()
    copy_database(tmp_path / "hub", tmp_path / "snapshot")
    async with hub_side(tmp_path / "hub", oms.settings()) as hub:
        await sold(hub, 3, goods)
        await hub.drained()
        everything = sale_ids(hub)
    async with hub_side(tmp_path / "snapshot", oms.settings(), start=False) as hub:
        again = await sold(hub, 8, goods)
        await hub.link.start()
        await hub.until(lambda: hub.hub.incarnation == 2 and hub.hub.fence == "")
        await hub.drained()
        assert sale_ids(hub) == everything | set(again)
        assert await hub.gate.read(lambda rows: verify(rows).whole)
    assert {one["sale_id"] for one in await oms.sales()} == everything | set(again)
    assert (await oms.stats())["rejected"] == 0


async def test_a_hello_whose_answer_was_lost_is_repeated_not_made_anew(
    tmp_path: Path, oms: Oms
) -> None:
    await oms.misbehave(lose_reply_rate=1.0)
    async with hub_side(tmp_path / "hub", oms.settings()) as hub:
        await hub.until(lambda: hub.link.status().state == "down")
        await hub.internal(Emit("sales", "com.storehub.cash.moved.v1", "drawer", {"n": 1}))
    async with hub_side(tmp_path / "hub", oms.settings()) as hub:
        await hub.until(lambda: hub.link.status().state == "down")
        await oms.misbehave()
        await hub.drained()
        assert hub.hub.incarnation == 1
        assert hub.hub.hello_nonce is None


async def test_wrong_credentials_are_told_and_nothing_is_lost(tmp_path: Path, oms: Oms) -> None:
    async with hub_side(tmp_path / "hub", oms.settings(token="wrong")) as hub:
        await hub.until(lambda: hub.link.status().state == "refused")
        assert "401" in hub.link.status().detail
        await hub.internal(Emit("sales", "com.storehub.cash.moved.v1", "drawer", {"n": 1}))
        assert hub.waiting == 1
    async with hub_side(tmp_path / "hub", oms.settings()) as hub:
        await hub.drained()


async def test_the_database_of_another_machine_writes_under_a_fork_at_once(
    tmp_path: Path,
) -> None:
    from hub.config.models import Cloud

    nowhere = Cloud.model_validate({"url": "http://127.0.0.1:9"})
    async with hub_side(tmp_path / "hub", nowhere, found_machine="c" * 64) as hub:
        assert hub.hub.fence == "restored"
        assert hub.hub.fork != "found1"
        assert hub.hub.machine_hash == "a" * 64
        await hub.internal(Emit("sales", "com.storehub.cash.moved.v1", "drawer", {"n": 1}))
        assert [lane.source_uri for lane in outbox.heads(hub.gate.rows)] == [hub.hub.source_uri]


async def test_a_replaced_box_with_an_empty_database_rebuilds_the_shop(
    tmp_path: Path, oms: Oms
) -> None:
    async with hub_side(tmp_path / "hub", oms.settings()) as hub:
        await hub.synced()
        goods = await hub.stock_up()
        await sold(hub, 6, goods)
        await hub.drained()
        everything, levels = sale_ids(hub), sellable(hub)
    async with hub_side(tmp_path / "new", oms.settings(), machine="d" * 64) as hub:
        await hub.until(lambda: hub.hub.incarnation == 2 and hub.hub.fence == "")
        assert sale_ids(hub) == everything
        assert sellable(hub) == levels


async def test_a_new_box_in_a_shop_takes_in_the_orders_that_its_forerunner_had(
    tmp_path: Path, oms: Oms
) -> None:
    async with hub_side(tmp_path / "old", oms.settings()) as old:
        data = order("o-1", {"SKU-1": 1})
        await oms.ask("POST", "/sandbox/commands", {"type": "order.assigned", "data": data})
        await old.until(lambda: old.gate.rows.one("SELECT 1 FROM orders"))
        await old.drained()
    async with hub_side(tmp_path / "new", oms.settings(), machine="b" * 64, start=False) as new:
        await new.internal(Run(lambda tx: tx.run("UPDATE hub SET hub_id = 'hub-new'")))
        await new.link.start()
        await new.until(lambda: new.hub.fence == "" and new.hub.incarnation)
        await new.until(lambda: new.gate.rows.one("SELECT 1 FROM orders WHERE order_id = 'o-1'"))
