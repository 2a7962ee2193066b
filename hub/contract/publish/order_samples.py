"""Examples of everything about online orders, as the other modules of samples have them."""

from __future__ import annotations

from typing import Any, Final

Example = dict[str, Any]

NOW_MS: Final = 1_795_327_962_120
ORDER: Final = "order-1001"
_HEAD: Final[Example] = {
    "order_id": ORDER,
    "number": "W-1001",
    "kind": "pickup",
    "state": "accepted",
    "open": True,
    "placed_at_ms": NOW_MS - 1_800_000,
    "promised_at_ms": NOW_MS + 5_400_000,
    "changed_at_ms": NOW_MS - 1_740_000,
    "lines": 1,
    "short_lines": 1,
}
_LINE: Final[Example] = {
    "line_no": 1,
    "sku": "A-100",
    "name": "Black tea, 20 bags",
    "uom": "each",
    "qty": 3,
    "reserved_qty": 2,
    "short_qty": 1,
}

REQUESTS: Final[dict[tuple[str, str], Example]] = {
    ("order", "list"): {"which": "open", "limit": 50},
    ("order", "get"): {"order_id": ORDER},
}
RESULTS: Final[dict[str, Example]] = {
    "Orders": {"orders": [_HEAD]},
    "OrderWhole": {"order": _HEAD, "lines": [_LINE], "customer_name": "Ada Sommer", "note": ""},
}
BROADCAST: Final[Example] = {"order_id": ORDER, "state": "accepted", "short": True}
PAGES: Final[dict[str, Example]] = {
    "OrdersPage": {
        "counts": {
            "open": 1,
            "short": 1,
            "late": 0,
            "next_promise_at_ms": NOW_MS + 5_400_000,
        },
        "orders": [_HEAD],
    },
    "OrderOnPage": {
        "order": _HEAD,
        "taken_at_ms": NOW_MS - 1_740_000,
        "lines": [_LINE],
        "steps": [
            {"at_ms": NOW_MS - 1_740_000, "what": "accepted"},
            {"at_ms": NOW_MS - 1_740_000, "what": "short", "detail": "A-100"},
        ],
    },
}
ASSIGNED: Final[Example] = {
    "order_id": ORDER,
    "version": 1,
    "number": "W-1001",
    "kind": "pickup",
    "placed_at_ms": NOW_MS - 1_800_000,
    "promised_at_ms": NOW_MS + 5_400_000,
    "customer_name": "Ada Sommer",
    "lines": [{"line_no": 1, "sku": "A-100", "qty": 3}],
}
"""The data of a command ``order.assigned``."""
OPEN: Final[Example] = ASSIGNED | {"state": "accepted"}
"""An open order in the answer to HELLO."""
_GONE: Final[Example] = {
    "seq": 4713,
    "sku": "A-100",
    "qty": 3,
    "from": "sellable",
    "to": "customer",
    "type": "handover",
    "ref_line": "1",
}


def event(fact: str) -> Example:
    """The data of ``fulfilment.{fact}``."""
    is_open, gone = fact in ("accepted", "short"), fact in ("handed_over", "shipped")
    moved = _GONE | ({"type": "ship"} if fact == "shipped" else {})
    reserved = {"accepted": 3, "short": 2}.get(fact, 0)
    line = {"line_no": 1, "sku": "A-100", "qty": 3, "reserved_qty": reserved}
    return {
        "order_id": ORDER,
        "version": 1 if is_open or fact == "rejected" else 2,
        "state": "accepted" if is_open else fact,
        "lines": [] if fact == "rejected" else [line | {"gone_qty": 3 if gone else 0}],
        "why": "10000 orders are open in this shop: no more are taken in."
        if fact == "rejected"
        else "",
        "occurred_at_ms": NOW_MS,
        "movements": [moved] if gone else [],
    }
