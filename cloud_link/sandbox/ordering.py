"""The demo's customers: an order now and then, which later is told ready and given out.

Customers come only while a hub is there; at most 6 orders wait for anything.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any, Final

from hub.clock import Randomness

from .commands import append_command
from .context import Context
from .sessions import CLOSED_STATES

if TYPE_CHECKING:
    from sqlite3 import Connection

log = logging.getLogger(__name__)

OPEN_MAX: Final = 6
READY_FROM: Final = 3
"""So many have to be open before the oldest goes on."""
LINES_MAX: Final = 3
MINUTE_MS: Final = 60_000
NAMES: Final = ("Ada Sommer", "Noor Bakker", "Jun Sato", "Lena Fuchs", "Omar Haddad", "Eva Novak")


async def keep_ordering(context: Context, store: str, every_s: float) -> None:
    """One turn every so many seconds, until cancelled."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await context.database.write(lambda db: turn(db, context, store))
        except Exception:
            log.exception("the demo's customers missed a turn")
        context.bell.ring()


def turn(db: Connection, context: Context, store: str) -> None:
    """The oldest order goes a step on, and a customer orders."""
    if db.execute("SELECT 1 FROM stores WHERE store=?", (store,)).fetchone() is None:
        return
    open_ones = [
        (state, json.loads(data))
        for state, data in db.execute("SELECT state, data FROM orders WHERE store=?", (store,))
        if state not in CLOSED_STATES
    ]
    open_ones.sort(key=lambda one: one[1].get("placed_at_ms", 0))
    if len(open_ones) >= READY_FROM:
        _go_on(db, context, store, *open_ones[0])
    if len(open_ones) < OPEN_MAX:
        _order(db, context, store)


def _go_on(db: Connection, context: Context, store: str, state: str, data: dict[str, Any]) -> None:
    ends = "handed_over" if data.get("kind") == "pickup" else "shipped"
    told = {
        "order_id": data["order_id"],
        "version": data.get("version", 0) + 1,
        "state": ends if state == "ready" else "ready",
    }
    now_ms = context.clock.wall_ms()
    append_command(db, store, context.ids.uuid7(), "order.changed", told, now_ms)


def _order(db: Connection, context: Context, store: str) -> None:
    goods = _goods(db, store, context.randomness)
    if not goods:
        return
    now_ms = context.clock.wall_ms()
    (count,) = db.execute("SELECT count(*) FROM orders WHERE store=?", (store,)).fetchone()
    minutes = _one_of(context.randomness, (30, 60, 90, 120))
    data = {
        "order_id": context.ids.uuid7(),
        "version": 1,
        "number": f"W-{count + 1:04d}",
        "kind": _one_of(context.randomness, ("pickup", "pickup", "ship")),
        "placed_at_ms": now_ms,
        "promised_at_ms": (now_ms // MINUTE_MS + minutes) * MINUTE_MS,
        "customer_name": _one_of(context.randomness, NAMES),
        "lines": [
            {
                "line_no": number,
                "sku": row["sku"],
                "qty": 500 if row["scale"] else _one_of(context.randomness, (1, 1, 2)),
            }
            for number, row in enumerate(goods, start=1)
        ],
    }
    append_command(db, store, context.ids.uuid7(), "order.assigned", data, now_ms)


def _goods(db: Connection, store: str, randomness: Randomness) -> list[dict[str, Any]]:
    """Up to three products of the catalogue."""
    of = "FROM dataset_rows WHERE store=? AND dataset='catalog'"
    (count,) = db.execute(f"SELECT count(*) {of}", (store,)).fetchone()
    found = {}
    for _ in range(min(count, _one_of(randomness, range(1, LINES_MAX + 1)))):
        at = _one_of(randomness, range(count))
        sql = f"SELECT row {of} ORDER BY key LIMIT 1 OFFSET ?"
        row = json.loads(db.execute(sql, (store, at)).fetchone()[0])
        found[row["sku"]] = row
    return list(found.values())


def _one_of(randomness: Randomness, choices: Any) -> Any:
    return choices[min(len(choices) - 1, int(randomness.uniform(0, len(choices))))]
