"""The web shop's customers: they order, change their minds, fetch, and the cloud says so again.

The book of what was said is the oracle: at rest each order is as its newest command says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hub.domain.orders import CLOSED
from hub.storage.rows import Rows
from tests.simulation.shop.goods import PRICES, WEIGHED

if TYPE_CHECKING:
    from tests.simulation.shop.scenario import Scenario

TURNS_PER_S: Final = 1 / 600
LIVE_MAX: Final = 8
LATE: Final = 0.2
"""Share of turns in which an old command comes again."""
ENDS: Final = {"pickup": "handed_over", "ship": "shipped"}


@dataclass(slots=True)
class Wish:
    """An order as the cloud has told it; ``said``: its commands, the oldest first."""

    order_id: str
    kind: str
    state: str = "accepted"
    version: int = 1
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


class Customers:
    """``watch`` for the whole run; ``wrong`` at rest."""

    def __init__(self, shop: Scenario) -> None:
        self._shop = shop
        self._random = shop.world.random("customers")
        self._wishes: list[Wish] = []

    async def watch(self) -> None:
        """A turn now and then."""
        while True:
            await asyncio.sleep(self._random.expovariate(TURNS_PER_S))
            live = [one for one in self._wishes if one.state in ("accepted", "ready")]
            if self._wishes and self._random.random() < LATE:
                some = live if live and self._random.random() < 0.7 else self._wishes
                old = self._random.choice(self._random.choice(some).said)
                self._shop.oms.queue_command(*old)
            elif len(live) < LIVE_MAX and self._random.random() < 0.5:
                self._order()
            elif live:
                self._go_on(self._random.choice(live))

    def _order(self) -> None:
        kind = self._random.choice(("pickup", "ship"))
        wish = Wish(f"order-{len(self._wishes) + 1}", kind)
        data = {
            "number": wish.order_id.upper(),
            "kind": kind,
            "placed_at_ms": 1_795_000_000_000,
            "customer_name": "Ada Sommer",
            "lines": self._lines(),
        }
        if self._say(wish, "order.assigned", data):
            self._wishes.append(wish)

    def _lines(self) -> list[dict[str, Any]]:
        skus = self._random.sample(sorted(PRICES), self._random.randint(1, 3))
        return [
            {
                "line_no": n,
                "sku": sku,
                "qty": self._random.randint(1, 4) * (500 if sku in WEIGHED else 1),
            }
            for n, sku in enumerate(skus, start=1)
        ]

    def _go_on(self, wish: Wish) -> None:
        before = wish.version
        wish.version += 1
        lot = self._random.random()
        if lot < 0.3:
            done = self._say(wish, "order.changed", {"lines": self._lines()})
        elif lot < 0.4:
            done = self._say(wish, "order.cancelled", {}, "cancelled")
        elif lot < 0.5:
            done = self._say(wish, "order.changed", {"state": "expired"}, "expired")
        elif lot < 0.7:
            done = self._say(wish, "order.changed", {"state": "ready"}, "ready")
        else:
            state = ENDS[wish.kind]
            done = self._say(wish, "order.changed", {"state": state}, state)
        if not done:
            wish.version = before

    def _say(self, wish: Wish, kind: str, data: dict[str, Any], state: str = "") -> bool:
        whole = {"order_id": wish.order_id, "version": wish.version, **data}
        if not self._shop.oms.queue_command(kind, whole):
            return False
        wish.said.append((kind, whole))
        wish.state = state or wish.state
        self._shop.world.count(f"order {state or kind.removeprefix('order.')}")
        return True

    def wrong(self, rows: Rows) -> Iterator[str]:
        """Orders that aren't as the cloud told them last."""
        found = {
            row[0]: (row[1], row[2])
            for row in rows.all("SELECT order_id, version, state FROM orders")
        }
        for wish in self._wishes:
            if found.get(wish.order_id) != (wish.version, wish.state):
                told = f"{wish.version} {wish.state}"
                yield f"{wish.order_id} is told as {told}, the hub has {found.get(wish.order_id)}"
        for (order_id,) in rows.all(
            "SELECT order_id FROM orders WHERE state IN (SELECT value FROM json_each(?))"
            " AND order_id IN (SELECT order_id FROM reservations)",
            "[" + ", ".join(f'"{one}"' for one in CLOSED) + "]",
        ):
            yield f"{order_id} has ended and still has a reservation"
