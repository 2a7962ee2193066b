"""What is promised to a basket or an order stays on the shelf: looked at after every commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.shop.hubwiring import RunningHub
    from tests.simulation.shop.scenario import Scenario

SHORT = (
    "SELECT sku_id, sellable, reserved + held + allotted FROM stock"
    " WHERE sellable < reserved + held + allotted"
)
EXCUSE = (
    "SELECT 1 FROM movements WHERE sku_id = ? AND seq > ?"
    " AND type IN ('sale_override', 'count_adjust', 'handover', 'ship') LIMIT 1"
)
"""Somebody with the permission said so, the goods turned out not to be there, or an order was given
out that lacked some."""


class Shelf:
    """Remembers which products were short of what is promised, and up to which movement."""

    def __init__(self, shop: Scenario) -> None:
        self._shop = shop
        self._short: set[int] = set()
        self._seen = 0

    def look(self, running: RunningHub) -> None:
        """A commit was told of."""
        shop = self._shop
        if shop.disk.broken or not running.process.alive:
            return
        rows = running.rows.quiet
        short = rows.all(SHORT)
        newest = rows.one("SELECT max(seq) FROM movements")
        for sku_id, sellable, promised in short:
            if sku_id in self._short:
                continue
            shop.world.count("promised goods are gone")
            if not shop.history.restored and rows.one(EXCUSE, sku_id, self._seen) is None:
                shop.world.violated(
                    f"of product {sku_id} {sellable} are there, {promised} are promised, and nobody"
                    " with the permission sold or counted them"
                )
        self._short = {row[0] for row in short}
        self._seen = int(newest[0] or 0) if newest else 0
