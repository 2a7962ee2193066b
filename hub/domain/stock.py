"""Stock: where goods can be, how they move, and how much of them is free.

The shop's rules: a movement takes a quantity above 0 from one place to another; the ledger of
movements is the truth and levels are its sum.  Claims (reservations, holds, allotments, safety) are
not movements: they narrow what is free.  Only ``sale_override`` may take ``sellable`` below 0,
because a customer who holds the item always wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal

from hub.domain.errors import Conflict, InsufficientStock, Invalid
from hub.domain.quantity import check_positive_qty, check_qty


class Bucket(StrEnum):
    """Physical places in this shop."""

    SELLABLE = "sellable"
    STAGED = "staged"
    QUARANTINE = "quarantine"
    REFURBISH = "refurbish"
    DAMAGED = "damaged"
    TRANSIT_IN = "transit_in"


class Counterparty(StrEnum):
    """Where goods come from and go to; not counted here."""

    SUPPLIER = "supplier"
    CUSTOMER = "customer"
    OTHER_STORE = "other_store"
    SHRINK = "shrink"


Place = Bucket | Counterparty


class MovementType(StrEnum):
    """Why goods moved."""

    RECEIVE = "receive"
    RECEIVE_OVER = "receive_over"
    RECEIVE_SHORT = "receive_short"
    TRANSFER_SHIP = "transfer_ship"
    TRANSFER_RECEIVE = "transfer_receive"
    SALE = "sale"
    SALE_OVERRIDE = "sale_override"
    PICK = "pick"
    UNPICK = "unpick"
    HANDOVER = "handover"
    SHIP = "ship"
    RETURN_RESELLABLE = "return_resellable"
    RETURN_QUARANTINE = "return_quarantine"
    RETURN_REFURB = "return_refurb"
    DISPOSITION = "disposition"
    DAMAGE = "damage"
    VENDOR_RETURN = "vendor_return"
    COUNT_ADJUST = "count_adjust"
    REVERSE = "reverse"


def _pairs(sources: Sequence[Place], targets: Sequence[Place]) -> frozenset[tuple[Place, Place]]:
    return frozenset((a, b) for a in sources for b in targets if a is not b)


_SELLABLE, _STAGED, _DAMAGED = (Bucket.SELLABLE,), (Bucket.STAGED,), (Bucket.DAMAGED,)
_ARRIVAL = (Bucket.SELLABLE, Bucket.QUARANTINE, Bucket.DAMAGED)
_CUSTOMER, _SHRINK = (Counterparty.CUSTOMER,), (Counterparty.SHRINK,)
_OUTSIDE = (Counterparty.SUPPLIER, Counterparty.OTHER_STORE)
_ASIDE = (Bucket.QUARANTINE, Bucket.REFURBISH)

_FORWARD: Final[dict[MovementType, frozenset[tuple[Place, Place]]]] = {
    MovementType.RECEIVE: _pairs((Counterparty.SUPPLIER,), _ARRIVAL),
    # Units beyond what was announced, and units announced that never came.
    MovementType.RECEIVE_OVER: _pairs(_OUTSIDE, _ARRIVAL),
    MovementType.RECEIVE_SHORT: _pairs((Bucket.TRANSIT_IN,), _SHRINK),
    # Ours leave the shelf; theirs are on the road to us from their announcement on.
    MovementType.TRANSFER_SHIP: (
        _pairs((Bucket.SELLABLE, Bucket.STAGED), (Counterparty.OTHER_STORE,))
        | _pairs((Counterparty.OTHER_STORE,), (Bucket.TRANSIT_IN,))
    ),
    MovementType.TRANSFER_RECEIVE: _pairs((Bucket.TRANSIT_IN,), _ARRIVAL),
    MovementType.SALE: _pairs(_SELLABLE, _CUSTOMER),
    MovementType.SALE_OVERRIDE: _pairs(_SELLABLE, _CUSTOMER),
    MovementType.PICK: _pairs(_SELLABLE, _STAGED),
    MovementType.UNPICK: _pairs(_STAGED, _SELLABLE),
    # An order that was set aside without being booked as staged leaves from the shelf.
    MovementType.HANDOVER: _pairs((*_SELLABLE, *_STAGED), _CUSTOMER),
    MovementType.SHIP: _pairs((*_SELLABLE, *_STAGED), _CUSTOMER),
    MovementType.RETURN_RESELLABLE: _pairs(_CUSTOMER, _SELLABLE),
    MovementType.RETURN_QUARANTINE: _pairs(_CUSTOMER, (Bucket.QUARANTINE,)),
    MovementType.RETURN_REFURB: _pairs(_CUSTOMER, (Bucket.REFURBISH,)),
    MovementType.DISPOSITION: (
        _pairs(_ASIDE, (*_SELLABLE, *_ASIDE, *_DAMAGED, *_SHRINK)) | _pairs(_DAMAGED, _SHRINK)
    ),
    MovementType.DAMAGE: _pairs((*_SELLABLE, *_STAGED, *_ASIDE, Bucket.TRANSIT_IN), _DAMAGED),
    MovementType.VENDOR_RETURN: _pairs((*_SELLABLE, *_ASIDE, *_DAMAGED), (Counterparty.SUPPLIER,)),
    MovementType.COUNT_ADJUST: _pairs(tuple(Bucket), _SHRINK) | _pairs(_SHRINK, tuple(Bucket)),
}

MOVES: Final[dict[MovementType, frozenset[tuple[Place, Place]]]] = {
    **_FORWARD,
    MovementType.REVERSE: frozenset(
        (target, source) for pairs in _FORWARD.values() for source, target in pairs
    ),
}
"""Which type may move goods from where to where.  ``reverse`` undoes any of the others."""


class Disposition(StrEnum):
    """What becomes of goods that come back."""

    RESELLABLE = "resellable"
    REFURBISH = "refurbish"
    QUARANTINE = "quarantine"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Movement:
    """``qty`` base units (> 0) from ``source`` to ``target``; checked against :data:`MOVES`."""

    type: MovementType
    source: Place
    target: Place
    qty: int

    def __post_init__(self) -> None:
        check_positive_qty(self.qty)
        if (self.source, self.target) not in MOVES[self.type]:
            allowed = ", ".join(sorted(f"{a} → {b}" for a, b in MOVES[self.type]))
            raise Invalid(
                f"{self.type} can't move goods from {self.source} to {self.target}: it moves"
                f" {allowed}.",
                context={"type": str(self.type)},
            )

    def reversed(self) -> Movement:
        """The movement that undoes this one; a reversal itself can't be undone."""
        if self.type is MovementType.REVERSE:
            raise Invalid("A reversal can't be reversed: book the movement again instead.")
        return Movement(MovementType.REVERSE, self.target, self.source, self.qty)


@dataclass(frozen=True, slots=True)
class StockRow:
    """The levels of one product, in base units.

    Six physical buckets, then the claims: ``reserved`` (unpicked reservations), ``held`` (open
    baskets, all of them), ``allotted`` (outstanding to the web shop), ``safety``.
    """

    sellable: int = 0
    staged: int = 0
    quarantine: int = 0
    refurbish: int = 0
    damaged: int = 0
    transit_in: int = 0
    reserved: int = 0
    held: int = 0
    allotted: int = 0
    safety: int = 0

    def bucket(self, bucket: Bucket) -> int:
        """The level of one bucket."""
        level: int = getattr(self, bucket.value)
        return level


def available(row: StockRow) -> int:
    """What may be promised outside the shop; floor 0."""
    return max(0, row.sellable - row.reserved - row.held - row.allotted - row.safety)


def counter_sellable(row: StockRow, own_hold_qty: int = 0) -> int:
    """What a till may sell without asking; floor 0.

    The till's own hold counts as free for it; safety stock limits remote promises only.
    """
    others_hold = row.held - own_hold_qty
    return max(0, row.sellable - row.reserved - others_hold - row.allotted)


def check_sale(row: StockRow, qty: int, own_hold_qty: int = 0, sku: str | None = None) -> None:
    """Refuse (``insufficient-stock``) a sale that would break a claim or the shelf."""
    check_positive_qty(qty)
    free = counter_sellable(row, own_hold_qty)
    if qty > free:
        raise InsufficientStock(
            f"{free} are free here, {qty} are wanted: sell fewer, or override with a reason if the"
            " customer holds the goods.",
            sku=sku,
            wanted_qty=qty,
            free_qty=free,
        )


def apply(row: StockRow, movement: Movement, sku: str | None = None) -> StockRow:
    """The levels after ``movement``.

    A bucket never goes below 0, except ``sellable`` by ``sale_override``.  Goods may come into a
    ``sellable`` that is below 0 and leave it there.  Claims stay as they are.
    """
    source, target = movement.source, movement.target
    levels = [
        row.sellable,
        row.staged,
        row.quarantine,
        row.refurbish,
        row.damaged,
        row.transit_in,
    ]
    if isinstance(source, Bucket):
        place = _PLACES[source]
        left = levels[place] - movement.qty
        if left < 0 and movement.type is not MovementType.SALE_OVERRIDE:
            raise InsufficientStock(
                f"{source} holds {levels[place]}, {movement.type} needs {movement.qty}:"
                f" {_remedy(movement.type)}",
                sku=sku,
                wanted_qty=movement.qty,
                free_qty=max(0, levels[place]),
            )
        levels[place] = check_qty(left, "level")
    if isinstance(target, Bucket):
        place = _PLACES[target]
        levels[place] = check_qty(levels[place] + movement.qty, "level")
    return StockRow(
        levels[0],
        levels[1],
        levels[2],
        levels[3],
        levels[4],
        levels[5],
        row.reserved,
        row.held,
        row.allotted,
        row.safety,
    )


_PLACES: Final = {
    bucket: place
    for place, bucket in enumerate(
        (
            Bucket.SELLABLE,
            Bucket.STAGED,
            Bucket.QUARANTINE,
            Bucket.REFURBISH,
            Bucket.DAMAGED,
            Bucket.TRANSIT_IN,
        )
    )
}


Claim = Literal["reserved", "held", "allotted"]


def claim(row: StockRow, kind: Claim, delta_qty: int) -> StockRow:
    """Take (``delta_qty`` > 0) or give back (< 0) a claim.  Giving back too much → ``conflict``."""
    level: int = getattr(row, kind) + delta_qty
    if level < 0:
        raise Conflict(
            f"Only {getattr(row, kind)} are {kind}, {-delta_qty} can't be given back: read the"
            " level again.",
            context={"claim": kind, "level": getattr(row, kind)},
        )
    changed: dict[str, int] = {kind: check_qty(level, "level")}
    return replace(row, **changed)


@dataclass(frozen=True, slots=True)
class OpenClaim:
    """A basket's hold or an order's unpicked reservation.  ``seq`` orders them: higher is newer."""

    ref: str
    qty: int
    seq: int


@dataclass(frozen=True, slots=True)
class Victim:
    """A claim that can no longer be met in full: ``qty`` of it is missing."""

    kind: Claim
    ref: str
    qty: int


def claims_short(
    row: StockRow, holds: Sequence[OpenClaim], reservations: Sequence[OpenClaim]
) -> tuple[Victim, ...]:
    """Whose claims break after ``sale_override``, given the row after it; empty if none do.

    Unsold allotment first (it is only recalled), then holds, then the newest unpicked order;
    within each kind the newest first.
    """
    short = row.reserved + row.held + row.allotted - row.sellable
    victims: list[Victim] = []

    def take(kind: Claim, ref: str, qty: int) -> None:
        nonlocal short
        missing = min(short, qty)
        if missing > 0:
            victims.append(Victim(kind, ref, missing))
            short -= missing

    take("allotted", "", row.allotted)
    for hold in sorted(holds, key=lambda one: -one.seq):
        take("held", hold.ref, hold.qty)
    for order in sorted(reservations, key=lambda one: -one.seq):
        take("reserved", order.ref, order.qty)
    return tuple(victims)


def count_variance(counted_qty: int, book_qty: int) -> int:
    """Counted less the book at the ledger's place of the scan, so that selling may go on."""
    if counted_qty < 0:
        raise Invalid("A count can't be below 0: count again.")
    return check_qty(counted_qty) - check_qty(book_qty, "level")


def count_movement(bucket: Bucket, variance_qty: int) -> Movement | None:
    """The movement that books a variance (either sign) against shrink; none if there is none."""
    if variance_qty == 0:
        return None
    kind, qty = MovementType.COUNT_ADJUST, abs(variance_qty)
    if variance_qty > 0:
        return Movement(kind, Counterparty.SHRINK, bucket, qty)
    return Movement(kind, bucket, Counterparty.SHRINK, qty)


def return_movements(disposition: Disposition, qty: int) -> tuple[Movement, ...]:
    """How returned goods come in.  Damaged ones pass through quarantine, so that both are seen."""
    customer = Counterparty.CUSTOMER
    match disposition:
        case Disposition.RESELLABLE:
            return (Movement(MovementType.RETURN_RESELLABLE, customer, Bucket.SELLABLE, qty),)
        case Disposition.REFURBISH:
            return (Movement(MovementType.RETURN_REFURB, customer, Bucket.REFURBISH, qty),)
        case Disposition.QUARANTINE:
            return (Movement(MovementType.RETURN_QUARANTINE, customer, Bucket.QUARANTINE, qty),)
        case Disposition.DAMAGED:
            return (
                Movement(MovementType.RETURN_QUARANTINE, customer, Bucket.QUARANTINE, qty),
                Movement(MovementType.DISPOSITION, Bucket.QUARANTINE, Bucket.DAMAGED, qty),
            )


def _remedy(kind: MovementType) -> str:
    match kind:
        case MovementType.SALE:
            return "sell fewer, or override with a reason if the customer holds the goods."
        case MovementType.COUNT_ADJUST:
            return "more was sold since than was counted; count again."
        case _:
            return "count the goods, correct the level, then repeat."
