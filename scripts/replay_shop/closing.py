"""After the last sale: everything reaches the cloud, then the shop stands still."""

from __future__ import annotations

import asyncio
from typing import Any

from scripts.replay_shop.compare_cards import open_payments
from scripts.replay_shop.compare_sources import open_database
from scripts.replay_shop.opening import wait_status
from scripts.rig import ShopRig, Trouble

_DRAIN_S = 300.0
_TRIES = 4
_LOOK_S = 0.5


async def drain(rig: ShopRig) -> None:
    """Until nothing waits for the cloud.  Raises Trouble."""
    await wait_status(rig, _is_drained, "the end of the outbox", _DRAIN_S)


async def drain_cards(rig: ShopRig) -> None:
    """Until no card payment needs anything that the hub does by itself.  Raises Trouble."""
    waited_s = 0.0
    while left := await asyncio.to_thread(open_payments, rig.hub_database):
        if waited_s > _DRAIN_S:
            raise Trouble(f"{left} card payments are still open; the hub's log: {rig.hub.log}")
        await asyncio.sleep(_LOOK_S)
        waited_s += _LOOK_S


async def close_shop(rig: ShopRig) -> None:
    """Stop the hub when its outbox is empty, even of what it said on its way out; then the OMS."""
    for _ in range(_TRIES):
        await drain(rig)
        await rig.stop_hub()
        if await asyncio.to_thread(_all_acked, rig):
            break
        await rig.start_hub()
    else:
        raise Trouble(f"the hub's outbox is never empty after a stop; its log: {rig.hub.log}")
    await rig.oms.stop()


def _is_drained(status: dict[str, Any]) -> bool:
    outbox = status["outbox"]
    return bool(outbox["depth"] == 0)


def _all_acked(rig: ShopRig) -> bool:
    with open_database(rig.hub_database) as con:
        row = con.execute("SELECT count(*) FROM streams WHERE acked_seq < head_seq").fetchone()
    return bool(row[0] == 0)
