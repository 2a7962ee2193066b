"""Goods are fewer than what is promised of them: whose claims break, and who is told."""

from __future__ import annotations

from typing import Final

from hub.contract.oms_events import STOCK_CLAIMS_SHORT
from hub.domain.stock import OpenClaim, Victim, claims_short
from hub.service.ledger import Ledger
from hub.service.orders import HEAD_COSTS, LINES_AT_ONCE, book
from hub.service.unit import Unit
from hub.storage import orderrows, stockrows

_KINDS: Final = {"allotted": "allotment", "held": "hold", "reserved": "order"}


def report(
    unit: Unit,
    ledger: Ledger,
    sku: str,
    ref: str,
    sale_id: str | None = None,
    *,
    lines_at_most: int = LINES_AT_ONCE,
) -> int:
    """Tell the cloud whose claims on the product break, if any do; orders among them lose their
    reservation.  ``ref`` names what broke them, for ever.  ``lines_at_most``: of these orders; the
    others' claims are left for the next housekeeping.  The value is how many lines' work it was."""
    row = ledger.level(sku)
    holds = [OpenClaim(*one) for one in stockrows.holds_of_sku(unit.tx, row.sku_id)]
    orders = [OpenClaim(*one) for one in stockrows.reservations_of_sku(unit.tx, row.sku_id)]
    victims = claims_short(row.levels, holds, orders)
    victims, lines = _within(unit, victims, lines_at_most)
    short_qty = sum(victim.qty for victim in victims) or max(0, -row.levels.sellable)
    if short_qty == 0:
        return lines
    told = {
        "sku": sku,
        "short_qty": short_qty,
        "sale_id": sale_id,
        "victims": [
            {"kind": _KINDS[victim.kind], "ref": victim.ref, "qty": victim.qty}
            for victim in victims
        ],
    }
    emit = unit.emit_aside if sale_id is None else unit.emit
    emit("stock", STOCK_CLAIMS_SHORT, sku, told, ref, sku)
    for victim in victims:
        if victim.kind == "reserved":
            book.lose(unit, ledger, victim.ref, sku, victim.qty)
    return lines


def _within(
    unit: Unit, victims: tuple[Victim, ...], lines_at_most: int
) -> tuple[tuple[Victim, ...], int]:
    """The victims up to the order that reaches the bound, and how many lines' work that is."""
    lines = 0
    for position, victim in enumerate(victims, start=1):
        if victim.kind == "reserved":
            lines += HEAD_COSTS + orderrows.line_count(unit.tx, victim.ref)
            if lines >= lines_at_most:
                return victims[:position], lines
    return victims, lines
