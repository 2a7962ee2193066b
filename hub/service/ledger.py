"""Moving stock: the ledger row, its chain hash and the level, together in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from hub.domain import hashchain
from hub.domain.errors import Json
from hub.domain.stock import Bucket, Counterparty, Movement, MovementType, StockRow, apply
from hub.service.notices import LevelsChanged
from hub.service.unit import Unit
from hub.storage import stockrows
from hub.storage.rows import Rows
from hub.storage.stockrows import LevelRow, MovementRow

LABEL = "stock"


@dataclass(slots=True)
class Ledger:
    """The movements of one document; :meth:`finish` writes them.

    ``_levels`` holds what this request has read and changed; ``_entries`` the movements with their
    hashes, not written yet.
    """

    unit: Unit
    ref_type: str
    ref_id: int
    _levels: dict[str, LevelRow]
    _entries: list[MovementRow]
    _head: tuple[int, bytes] | None

    @classmethod
    def of(cls, unit: Unit, ref_type: str, ref_id: int = 0) -> Ledger:
        """The ledger for the document ``ref_type`` number ``ref_id`` (which may be set before the
        first movement)."""
        return cls(unit, ref_type, ref_id, {}, [], None)

    def level(self, sku: str) -> LevelRow:
        """A product's levels as this request sees them."""
        found = self._levels.get(sku)
        if found is None:
            found = self._levels[sku] = stockrows.booked_level(self.unit.tx, sku)
        return found

    def look_at(self, skus: Iterable[str]) -> None:
        """Read the levels of several products at once."""
        unseen = [sku for sku in skus if sku not in self._levels]
        found = stockrows.booked_levels(self.unit.tx, unseen)
        self._levels |= {sku: found[sku] for sku in unseen if sku in found}

    def claim(self, sku: str, levels: StockRow) -> None:
        """Write changed claims of a product."""
        row = self._levels[sku] = self.level(sku)._replace(levels=levels)
        stockrows.save_level(self.unit.tx, row)

    def move(self, sku: str, movement: Movement, ref_line: int, n: int = 0) -> int:
        """Note one movement and the level after it; its sequence number.

        Errors: ``insufficient-stock`` when a bucket would go below 0.
        """
        row = self.level(sku)
        levels = apply(row.levels, movement, sku)
        if self._head is None:
            self._head = stockrows.ledger_head(self.unit.tx)
        last, before = self._head
        seq = last + 1
        bare = (
            seq,
            row.sku_id,
            sku,
            movement.qty,
            _NAMES[movement.source],
            _NAMES[movement.target],
            _NAMES[movement.type],
            self.ref_type,
            self.ref_id,
            ref_line,
            n,
            row.last_seq,
        )
        digest = hashchain.link(LABEL, before, to_json(_hashed(bare)))
        self._entries.append(MovementRow(*bare, digest))
        self._head = (seq, digest)
        self._levels[sku] = LevelRow(row.sku_id, sku, levels, seq)
        return seq

    def finish(self) -> list[dict[str, Any]]:
        """Write the movements and the levels after them, and tell devices which levels changed;
        the movements for the cloud's event."""
        entries, self._entries = self._entries, []
        if entries:
            stockrows.append_movements(self.unit.tx, entries)
            moved = dict.fromkeys(entry.sku for entry in entries)
            stockrows.save_levels(self.unit.tx, [self._levels[sku] for sku in moved])
        if self._levels:
            self.unit.tell(LevelsChanged(tuple(self._levels)))
        return [
            {
                "seq": entry.seq,
                "sku": entry.sku,
                "qty": entry.qty,
                "from": entry.src,
                "to": entry.dst,
                "type": entry.type,
                "ref_line": str(entry.ref_line),
            }
            for entry in entries
        ]


_NAMES: dict[str, str] = {
    name: name.value for names in (Bucket, Counterparty, MovementType) for name in names
}
"""Plain texts, which SQLite binds without asking for an adapter."""


def _hashed(row: Sequence[Any]) -> list[Json]:
    """What a movement's hash covers: all columns before it but the product's row number."""
    return [row[0], *row[2:12]]


@dataclass(frozen=True, slots=True)
class LedgerVerdict:
    """Result of verifying the ledger: movements read, the first broken one, and products whose
    levels are not the sum of their movements."""

    movements: int
    products: int
    broken_seq: int | None
    differing_skus: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """True when nothing is wrong."""
        return self.broken_seq is None and not self.differing_skus


BUCKETS = ("sellable", "staged", "quarantine", "refurbish", "damaged", "transit_in")
MAX_NAMED = 50


def verify(rows: Rows) -> LedgerVerdict:
    """Recompute the chain and every level from the whole ledger."""
    sums: dict[str, dict[str, int]] = {}
    count = 0

    def chained() -> Any:
        nonlocal count
        for row in stockrows.walk_movements(rows):
            count += 1
            product = sums.setdefault(row.sku, dict.fromkeys(BUCKETS, 0))
            if row.src in product:
                product[row.src] -= row.qty
            if row.dst in product:
                product[row.dst] += row.qty
            yield hashchain.ChainRow(row.seq, _hashed(row), row.hash)

    broken = hashchain.verify(LABEL, chained())
    differing: list[str] = []
    products = 0
    zeros = dict.fromkeys(BUCKETS, 0)
    for level in stockrows.walk_levels(rows):
        products += 1
        stored = {bucket: getattr(level.levels, bucket) for bucket in BUCKETS}
        if broken is None and stored != sums.get(level.sku, zeros) and len(differing) < MAX_NAMED:
            differing.append(level.sku)
    return LedgerVerdict(count, products, broken, tuple(differing))
