"""Giving a shop online orders, as the cloud's commands do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.contract.oms import Command
from hub.service.caller import CLOUD
from hub.service.handlers.cloud import ApplyCommands, apply_commands
from tests.support.openshop import OpenShop


def order(order_id: str, goods: Mapping[str, int], version: int = 1, **more: Any) -> dict[str, Any]:
    """The data of ``order.assigned``: SKU → quantity, one line each."""
    return {
        "order_id": order_id,
        "version": version,
        "number": f"W-{order_id}",
        "kind": "pickup",
        "placed_at_ms": 1_700_000_000_000,
        "customer_name": "Ada Sommer",
        "lines": lines(goods),
        **more,
    }


def lines(goods: Mapping[str, int]) -> list[dict[str, Any]]:
    """One line for each product."""
    return [{"line_no": n, "sku": sku, "qty": qty} for n, (sku, qty) in enumerate(goods.items(), 1)]


def tell(shop: OpenShop, kind: str, data: Any, command_id: str | None = None) -> tuple[str, str]:
    """Send one command; ``(outcome, why)``."""
    name = command_id or shop.ids.uuid7()
    command = Command(cursor="c", id=name, type=kind, data=data, issued_at_ms=shop.clock.wall_ms())
    page = ApplyCommands((command,), "c")
    shop.tx(lambda tx: apply_commands(shop.gate._unit(tx, CLOUD), page))
    row = shop.one(
        "SELECT outcome, why FROM commands WHERE command_id = ? ORDER BY number DESC", name
    )
    return (row[0], row[1]) if row else ("", "")
