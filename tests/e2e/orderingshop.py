"""A shop with online orders in every state that a technician meets."""

from __future__ import annotations

from typing import Any, Final

from hub.contract.oms import Command
from hub.service.caller import CLOUD
from hub.service.handlers.cloud import ApplyCommands
from tests.hubparts import HubParts
from tests.support.ordering import order

MINUTE_MS: Final = 60_000
SHORT: Final = "0199f3b0-0000-7000-8000-000000000003"
"""The order that lacks goods."""
GONE: Final = "0199f3b0-0000-7000-8000-000000000001"


async def give_orders(hub: HubParts, *, well: bool = False) -> None:
    """Seven: late, short, reserved, ready, handed over, sent, cancelled; ``well``: none is late or
    short."""
    late_min = -20 if well else 25
    much = {"A-105": 4} if well else {"A-105": 400, "A-102": 6, "X-900": 1}
    now_ms = hub.gate.clock.wall_ms()
    wanted: tuple[tuple[int, dict[str, int], dict[str, Any]], ...] = (
        (1, {"A-100": 2}, {}),
        (2, {"A-101": 1, "A-104": 2}, {"promised_at_ms": now_ms - late_min * MINUTE_MS}),
        (3, much, {"promised_at_ms": now_ms + 70 * MINUTE_MS}),
        (4, {"A-103": 3}, {"kind": "ship", "part": "1 of 2"}),
        (5, {"A-100": 1}, {"promised_at_ms": now_ms + 40 * MINUTE_MS}),
        (6, {"A-102": 2}, {"kind": "ship"}),
        (7, {"A-104": 1}, {}),
    )
    told: list[tuple[str, dict[str, Any]]] = []
    for n, goods, more in wanted:
        placed: dict[str, Any] = {
            "number": f"W-{1040 + n}",
            "placed_at_ms": now_ms - (90 - n) * MINUTE_MS,
        }
        told.append(("order.assigned", order(name(n), goods, **placed, **more)))
    for n, state in ((1, "ready"), (5, "ready"), (6, "shipped")):
        told.append(("order.changed", {"order_id": name(n), "version": 2, "state": state}))
    told.append(("order.changed", {"order_id": name(1), "version": 3, "state": "handed_over"}))
    reason = {"reason": "ordered twice"}
    told.append(("order.cancelled", {"order_id": name(7), "version": 2, **reason}))
    commands = tuple(
        Command(cursor="c", id=f"order-{n}", type=kind, data=data, issued_at_ms=now_ms)
        for n, (kind, data) in enumerate(told)
    )
    done = await hub.gate.internal(CLOUD, ApplyCommands(commands, "c"))
    assert done.counts == {"done": len(commands)}


def name(number: int) -> str:
    """The id of an order."""
    return f"0199f3b0-0000-7000-8000-{number:012d}"
