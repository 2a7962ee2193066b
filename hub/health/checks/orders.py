"""Whether the goods of online orders are there, and whether orders are ready when promised."""

from __future__ import annotations

from hub.contract.local import OrdersStatus
from hub.health.check import Check, Finding, fine
from hub.health.facts import Facts
from hub.health.words import ago, many


def look(facts: Facts) -> Finding:
    """A notice when an order is late or lacks goods: the shop sells on either way."""
    now = facts.status.orders
    detail = {"open": str(now.open), "short": str(now.short), "late": str(now.late)}
    if now.late:
        return _late(now, facts.now_ms, detail)
    if now.short:
        return Finding(
            "notice",
            f"Goods are missing for {many(now.short, 'online order')}.",
            "What is there is kept for these customers; the hub reserves the rest as soon as it"
            " comes in, and has told the cloud.",
            "Open Orders, choose Goods missing, and count those products. If there are none, the"
            " web shop has to send the order elsewhere or ask the customer.",
            detail=detail,
        )
    if now.open:
        return fine("Everything of the open online orders is reserved.", **detail)
    return fine("No online order is open.")


def _late(now: OrdersStatus, now_ms: int, detail: dict[str, str]) -> Finding:
    since_ms = now.late_since_ms
    first = f", the first {ago(now_ms - since_ms)} ago" if since_ms is not None else ""
    verb = "was" if now.late == 1 else "were"
    return Finding(
        "notice",
        f"{many(now.late, 'online order')} {verb} promised by now and"
        f" {'isn' if now.late == 1 else 'aren'}'t ready{first}.",
        "The customer may be waiting already."
        + (f" Goods are missing for {many(now.short, 'order')}." if now.short else ""),
        "Open Orders: the late ones come first. Have them made ready; they count as late until the"
        " cloud says that they are.",
        since_ms=since_ms,
        detail=detail,
    )


CHECK = Check(
    "orders",
    "Online orders",
    "Whether the goods of open online orders are there, and whether they are ready when promised.",
    2,
    look,
)
