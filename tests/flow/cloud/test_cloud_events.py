"""Every event reaches the cloud exactly once, whatever happens on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.contract.admin import ParkEvent, RetryParked
from hub.storage import outbox
from hub.storage.outbox import count_parked
from tests.flow.cloud.cloudshop import SHELL, Emit, HubSide, Oms, Run, hub_side


async def the_books_agree(hub: HubSide, oms: Oms) -> None:
    """Sales, lines' money and levels are the same on both sides, each sale once."""
    await hub.drained()
    theirs = await oms.sales()
    mine = hub.gate.rows.all("SELECT sale_id, total_minor, state FROM sales")
    assert sorted((one["sale_id"], one["total_minor"], one["state"]) for one in theirs) == sorted(
        mine
    )
    levels = {
        row[0]: {"sellable": row[1]}
        for row in hub.gate.rows.all(
            "SELECT k.sku, s.sellable FROM stock s JOIN skus k ON k.id = s.sku_id"
            " WHERE s.sellable <> 0"
        )
    }
    assert await oms.levels() == levels
    assert (await oms.stats())["rejected"] == 0


async def test_sales_arrive_with_lines_tenders_and_stock(hub: HubSide, oms: Oms) -> None:
    goods = await hub.stock_up()
    for sku, price in goods:
        await hub.sell(sku, price)
    await the_books_agree(hub, oms)
    stats = await oms.stats()
    assert stats["sales"] == 10
    assert hub.hub.incarnation == 1
    assert hub.link.status().state == "up"


async def test_lost_replies_and_errors_lose_and_double_nothing(hub: HubSide, oms: Oms) -> None:
    goods = await hub.stock_up()
    await oms.misbehave(lose_reply_rate=0.3, error_rate=0.3, seed=7)
    for number in range(60):
        sku, price = goods[number % 10]
        await hub.sell(sku, price)
    await oms.misbehave()
    await the_books_agree(hub, oms)
    assert sum((await oms.stats())["misbehaved"].values()) > 0


async def test_a_killed_cloud_gets_everything_when_it_is_back(hub: HubSide, oms: Oms) -> None:
    goods = await hub.stock_up()
    for number in range(30):
        sku, price = goods[number % 10]
        await hub.sell(sku, price)
        if number == 12:
            await oms.kill()
    await hub.until(lambda: hub.link.status().state == "down")
    assert hub.waiting > 0
    await oms.start()
    await the_books_agree(hub, oms)


async def test_a_cloud_restored_from_backup_is_told_again_what_it_forgot(
    hub: HubSide, oms: Oms
) -> None:
    goods = await hub.stock_up()
    for sku, price in goods[:5]:
        await hub.sell(sku, price)
    await hub.drained()
    await oms.ask("POST", "/sandbox/backup")
    for sku, price in goods[5:]:
        await hub.sell(sku, price)
    await hub.drained()
    was = hub.hub.oms_incarnation
    await oms.ask("POST", "/sandbox/restore")
    assert len(await oms.sales()) == 5
    await hub.sell(*goods[0])
    await hub.until(lambda: hub.hub.oms_incarnation != was)
    await the_books_agree(hub, oms)
    assert len(await oms.sales()) == 11


async def test_what_was_sold_before_the_cloud_was_ever_met_is_sent_first(
    tmp_path: Path, oms: Oms
) -> None:
    async with hub_side(tmp_path / "hub", oms.settings(), start=False) as hub:
        await hub.internal(Emit("sales", "com.storehub.weather.changed.v1", "drawer", {"n": 1}))
        await hub.link.start()
        await hub.internal(
            Emit("sales", "com.storehub.weather.changed.v1", "drawer", {"n": 2}, ("b",))
        )
        await hub.drained()
        acked = {(one["source"].rsplit("/", 1)[1], one["seq"]) for one in await acked_rows(oms)}
    assert ("0~found1", 1) in acked or ("0~found1", 2) in acked


async def acked_rows(oms: Oms) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await oms.stats())["acked"]
    return found


async def test_a_restarted_hub_goes_on_where_it_was(tmp_path: Path, oms: Oms) -> None:
    async with hub_side(tmp_path / "hub", oms.settings()) as hub:
        await hub.synced()
        goods = await hub.stock_up()
        await oms.misbehave(down=True)
        for sku, price in goods:
            await hub.sell(sku, price)
    await oms.misbehave()
    async with hub_side(tmp_path / "hub", oms.settings()) as hub:
        await the_books_agree(hub, oms)
        assert hub.hub.incarnation == 1


async def test_payments_overtake_a_backlog_of_telemetry(hub: HubSide, oms: Oms) -> None:
    await hub.drained()
    await oms.misbehave(down=True)
    for number in range(5):
        await hub.internal(
            Emit("telemetry", "com.storehub.device.note.v1", "d", {"n": number}, (str(number),))
        )
    await hub.internal(Emit("payments", "com.storehub.payment.note.v1", "p", {"n": 1}))
    await oms.misbehave()
    await hub.drained()
    assert hub.link.parts is not None
    assert hub.link.parts.uplink.sent_events >= 6


async def test_a_poison_event_parks_its_aggregate_only_and_is_sent_again(
    hub: HubSide, oms: Oms
) -> None:
    goods = await hub.stock_up()
    poison = {"sale_id": "s-1"}
    await hub.internal(Emit("sales", "com.storehub.sale.completed.v1", "s-1", poison))
    await hub.internal(Emit("sales", "com.storehub.weather.changed.v1", "s-1", {"n": 1}))
    await hub.sell(*goods[0])
    await hub.drained()
    rows = hub.gate.rows
    parked = outbox.parked(rows)
    assert [(row.type, row.aggregate) for row in parked] == [
        ("com.storehub.sale.completed.v1", "s-1"),
        ("com.storehub.weather.changed.v1", "s-1"),
    ]
    assert len(await oms.sales()) == 1
    assert (await oms.stats())["parked"] == 2
    # Someone mends it; both go again, in order, and name what they stand for.
    await hub.internal(
        Run(
            lambda tx: tx.run(
                "UPDATE parked SET type = 'com.storehub.weather.changed.v1' WHERE outbox_id = ?",
                parked[0].outbox_id,
            )
        )
    )
    await hub.run(SHELL, RetryParked(outbox_id=parked[0].outbox_id))
    await hub.drained()
    assert outbox.count_parked(rows) == 0
    unresolved = await oms.ask("GET", "/sandbox/stats")
    assert unresolved["types"]["com.storehub.weather.changed.v1"] == 2


async def test_an_event_parked_by_hand_waits_until_it_is_sent_again(
    tmp_path: Path, oms: Oms
) -> None:
    async with hub_side(tmp_path / "hub", oms.settings()) as hub:
        await hub.synced()
        await hub.drained()
        await hub.link.stop()
        number = await hub.internal(Emit("stock", "com.storehub.stock.note.v1", "x", {"n": 1}))
        await hub.run(SHELL, ParkEvent(outbox_id=number, reason="looks wrong"))
        await hub.link.start()
        await hub.drained()
        assert (await oms.stats())["parked"] == 1
        assert "com.storehub.stock.note.v1" not in (await oms.stats())["types"]
        await hub.run(SHELL, RetryParked(outbox_id=number))
        await hub.drained()
        assert (await oms.stats())["types"]["com.storehub.stock.note.v1"] == 1


async def test_an_event_parked_while_it_is_on_its_way_is_not_sent_twice(
    tmp_path: Path, oms: Oms
) -> None:
    async with hub_side(tmp_path / "hub", oms.settings()) as hub:
        await hub.synced()
        await hub.drained()
        await oms.misbehave(latency_ms=1500)
        parts = hub.link.parts
        assert parts is not None
        requests = parts.uplink.requests
        number = await hub.internal(Emit("stock", "com.storehub.stock.note.v1", "x", {"n": 1}))
        await hub.until(lambda: parts.uplink.requests > requests)  # it is on its way
        await hub.run(SHELL, ParkEvent(outbox_id=number, reason="too late"))
        await hub.drained()
        await hub.until(lambda: count_parked(hub.gate.rows) == 0)
        await oms.misbehave()
        assert (await oms.stats())["types"]["com.storehub.stock.note.v1"] == 1
        assert (await oms.stats())["parked"] == 0


async def test_an_event_taken_before_it_was_parked_is_unparked_not_doubled(
    hub: HubSide, oms: Oms
) -> None:
    await hub.drained()
    number = await hub.internal(Emit("stock", "com.storehub.stock.note.v1", "x", {"n": 1}))
    await hub.drained()
    # The reply that acked it was lost, and a person parked it meanwhile.
    await hub.internal(
        Run(lambda tx: tx.run("UPDATE streams SET acked_seq = 0 WHERE stream = 'stock'"))
    )
    await hub.run(SHELL, ParkEvent(outbox_id=number, reason="stuck?"))
    incarnation = hub.hub.incarnation
    await hub.link.stop()
    restarted = hub.link
    restarted._task = None
    await restarted.start()
    await hub.drained()
    assert outbox.count_parked(hub.gate.rows) == 0
    assert hub.hub.incarnation == incarnation
    assert (await oms.stats())["parked"] == 0


async def test_a_cloud_that_lost_more_than_is_kept_gets_markers_and_goes_on(
    hub: HubSide, oms: Oms, caplog: pytest.LogCaptureFixture
) -> None:
    await hub.drained()
    await oms.ask("POST", "/sandbox/backup")
    for number in range(4):
        await hub.internal(
            Emit("stock", "com.storehub.stock.note.v1", "x", {"n": number}, (str(number),))
        )
    await hub.drained()
    await hub.internal(
        Run(lambda tx: tx.run("DELETE FROM outbox WHERE stream = 'stock' AND seq <= 2"))
    )
    await oms.ask("POST", "/sandbox/restore")
    await hub.internal(Emit("stock", "com.storehub.stock.note.v1", "x", {"n": 9}, ("9",)))
    await hub.until(
        lambda: hub.hub.oms_incarnation.endswith(hub.hub.oms_incarnation) and hub.waiting == 0
    )
    await hub.drained()
    stats = await oms.stats()
    assert stats["types"]["com.storehub.stock.note.v1"] == 3
    assert stats["parked"] == 2
    assert "no longer kept here" in caplog.text
