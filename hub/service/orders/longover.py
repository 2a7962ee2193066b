"""Orders that ended long ago: forgotten but for their end, so that no late word takes one in again.

``order_id`` names the shop's part of an order for ever; what is left of it says by which version it
ended, and how.
"""

from __future__ import annotations

from typing import Final

from hub.domain.errors import Conflict
from hub.domain.orders import OrderState
from hub.service.unit import Unit
from hub.storage import hubrow, orderpurge, orderrows
from hub.storage.rows import Rows

DAY_MS: Final = 86_400_000


def forget(unit: Unit) -> int:
    """Forget orders that ended long ago, a bounded number; how many."""
    if hubrow.source_and_fence(unit.tx)[1]:
        return 0  # how far the cloud has got isn't certain
    return orderpurge.purge(unit.tx, unit.now_ms - unit.shop.orders_kept_days * DAY_MS)


def known_version(rows: Rows, order_id: str) -> int | None:
    """The newest version that was carried out of an order, also of one that is forgotten."""
    known = orderrows.get(rows, order_id) or orderpurge.find(rows, order_id)
    return known.version if known else None


def is_told(unit: Unit, order_id: str, version: int, end: OrderState | None) -> str | None:
    """What to remark on a command about an order that is forgotten; None: it isn't forgotten.

    ``end``: the command says no more than that the order ended so.  Errors: ``conflict`` when a
    newer version says anything else: an order that has ended stays so.
    """
    past = orderpurge.find(unit.tx, order_id)
    if past is None:
        return None
    if version <= past.version:
        return f"version {past.version} is known already"
    if end != past.state:
        raise Conflict(f"Order {order_id} ended long ago ({past.state}): it stays so.")
    orderpurge.set_version(unit.tx, order_id, version)
    return ""
