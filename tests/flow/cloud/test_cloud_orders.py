"""Orders over a real link: given by the sandbox, answered by the hub, and back after a restore."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hub.contract.oms_orders import FULFILMENT_FACTS
from hub.service.handlers.cloud import EnterFork
from tests.flow.cloud.cloudshop import HubSide, Oms, hub_side
from tests.flow.cloud.test_cloud_sessions import copy_database
from tests.support.laws import broken
from tests.support.ordering import order


async def send(oms: Oms, kind: str, data: dict[str, Any]) -> None:
    await oms.ask("POST", "/sandbox/commands", {"type": kind, "data": data})


def states(hub: HubSide) -> dict[str, tuple[str, int]]:
    found = hub.gate.rows.all("SELECT order_id, state, short_lines FROM orders")
    return {order_id: (state, short) for order_id, state, short in found}


def sellable(hub: HubSide, sku: str) -> int:
    row = hub.gate.rows.one(
        "SELECT sellable FROM stock s JOIN skus k ON k.id = s.sku_id WHERE sku = ?", sku
    )
    return row[0] if row else 0


async def test_an_order_comes_goes_and_comes_back_with_a_box_that_was_put_back(
    tmp_path: Path, oms: Oms
) -> None:
    async with hub_side(tmp_path / "hub", oms.settings()) as hub:
        await hub.synced()
        ((sku, _), *_) = await hub.stock_up(qty=10)
        for name in ("gone", "kept"):
            await send(oms, "order.assigned", order(name, {sku: 4}, note="gift"))
        await hub.until(lambda: len(states(hub)) == 2)
        await send(oms, "order.assigned", order("bad", {}))
        await hub.drained()
    copy_database(tmp_path / "hub", tmp_path / "copy")
    async with hub_side(tmp_path / "hub", oms.settings()) as hub:
        told = {"order_id": "gone", "version": 2, "state": "handed_over"}
        await send(oms, "order.changed", told)
        await send(oms, "order.assigned", order("late", {sku: 5}))
        await hub.until(lambda: states(hub).get("late") == ("accepted", 1))
        await hub.drained()
        assert sellable(hub, sku) == 6
        assert hub.link.parts is not None
        assert await hub.link.parts.antientropy.check() == "equal"
        everything = states(hub)
    kinds = (await oms.stats())["types"]
    assert kinds[FULFILMENT_FACTS["rejected"]] == kinds[FULFILMENT_FACTS["handed_over"]] == 1
    # An older database: what left the shop comes back from the cloud, the orders by their commands.
    async with hub_side(tmp_path / "copy", oms.settings(), start=False) as hub:
        await hub.internal(EnterFork("f2", "a" * 64, "restored", False))
        await hub.link.start()
        await hub.until(lambda: hub.hub.fence == "" and states(hub) == everything)
        assert sellable(hub, sku) == 6
        await hub.drained()
        assert await hub.gate.read(broken) == []
    # A new box that knows nothing: what ended comes with the facts, what is open with HELLO.
    async with hub_side(tmp_path / "new", oms.settings(), machine="c" * 64) as hub:
        await hub.until(lambda: hub.hub.incarnation == 3 and hub.hub.fence == "")
        assert states(hub) == everything
        assert sellable(hub, sku) == 6
        await hub.drained()
        named = "SELECT number, customer_name, note FROM orders WHERE order_id = 'kept'"
        row = hub.gate.rows.one(named)
        assert row == ("W-kept", "Ada Sommer", "gift")
        assert await hub.gate.read(broken) == []
    assert (await oms.stats())["types"][FULFILMENT_FACTS["handed_over"]] == 1
