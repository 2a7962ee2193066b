"""The sandbox's orders: as commands say they are, and the demo's customers."""

from __future__ import annotations

from typing import Any

from cloud_link.sandbox.ordering import OPEN_MAX, turn
from hub.contract.oms_orders import ORDER_COMMANDS, OpenOrder
from tests.support.ordering import lines, order
from tests.wire.oms.cloud_room import Cloud, StartCloud


async def opened(cloud: Cloud) -> dict[str, OpenOrder]:
    reply = (await cloud.bench.new_hub()).reply
    return {one.order_id: one for one in reply.open_orders}


async def send(cloud: Cloud, kind: str, data: dict[str, Any]) -> None:
    await cloud.admin("commands", {"type": kind, "data": data})


async def test_an_open_order_is_told_with_all_that_is_known_of_it(cloud: Cloud) -> None:
    await send(cloud, "order.assigned", order("o-1", {"APPLE": 2}))
    change = {"order_id": "o-1", "version": 2, "lines": lines({"APPLE": 1}), "state": "ready"}
    await send(cloud, "order.changed", change)
    await send(cloud, "order.assigned", order("o-2", {"APPLE": 2}))
    await send(cloud, "order.cancelled", {"order_id": "o-2", "version": 2})
    await send(cloud, "order.assigned", {"order_id": "o-3", "lines": "none"})
    found = await opened(cloud)
    assert found.keys() == {"o-1", "o-3"}
    one = found["o-1"]
    assert (one.version, one.state, one.number) == (2, "ready", "W-o-1")
    assert (one.lines[0].qty, one.customer_name) == (1, "Ada Sommer")
    assert found["o-3"].version == 0


async def test_customers_of_the_demo_order_what_there_is_and_fetch_it(
    start_cloud: StartCloud,
) -> None:
    cloud = await start_cloud(seed_demo=True, skus=30)
    context = cloud.running.context
    store = context.settings.stores[0]

    async def turns(count: int) -> list[dict[str, Any]]:
        for _ in range(count):
            await context.database.write(lambda db: turn(db, context, store))
        told = (await cloud.admin("commands"))["commands"]
        return [one for one in told if one["type"] in ORDER_COMMANDS]

    assert await turns(3) == []  # nobody is there
    await cloud.bench.new_hub()
    told = await turns(40)
    for one in told:
        ORDER_COMMANDS[one["type"]].model_validate(one["data"])
    ends = {one["data"].get("state") for one in told}
    assert {"ready", "handed_over"} <= ends
    assert 0 < len(await opened(cloud)) <= OPEN_MAX
