"""Levels at one instant, for comparing with the cloud, and what a comparison found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.storage.outbox import StreamHead
from hub.storage.rows import Rows, Tx

MAX_KEPT = 1000
_BUCKETS = ("sellable", "staged", "quarantine", "refurbish", "damaged", "transit_in")


@dataclass(frozen=True, slots=True)
class StockSnapshot:
    """All streams' heads and all non-zero levels of one read transaction.

    ``levels``: ``(sku, {bucket: base units})``.
    """

    heads: tuple[StreamHead, ...]
    levels: tuple[tuple[str, dict[str, int]], ...]


@dataclass(frozen=True, slots=True)
class DriftRow:
    """A product whose levels differ; quantities per bucket, zeros left out."""

    sku: str
    hub: dict[str, int]
    oms: dict[str, int]
    found_at_ms: int = 0


_SNAPSHOT = f"""
SELECT 0, t.source, s.uri, t.stream, t.head_seq, t.acked_seq, 0, 0
FROM streams t JOIN sources s ON s.id = t.source
UNION ALL
SELECT 1, k.sku, {", ".join(f"s.{name}" for name in _BUCKETS)}
FROM stock s JOIN skus k ON k.id = s.sku_id
WHERE {" OR ".join(f"s.{name} <> 0" for name in _BUCKETS)}
"""


def snapshot(rows: Rows) -> StockSnapshot:
    """Heads and levels that belong together: one statement sees one state of the database."""
    heads: list[StreamHead] = []
    levels: list[tuple[str, dict[str, int]]] = []
    for is_level, *values in rows.all(_SNAPSHOT):
        if is_level:
            levels.append((values[0], dict(zip(_BUCKETS, values[1:], strict=True))))
        else:
            heads.append(StreamHead(*values[:5]))
    return StockSnapshot(tuple(heads), tuple(levels))


def drift(rows: Rows, limit: int = MAX_KEPT) -> list[DriftRow]:
    """What the last comparison found."""
    found = rows.all("SELECT sku, hub, oms, found_at_ms FROM drift ORDER BY sku LIMIT ?", limit)
    return [DriftRow(row[0], json.loads(row[1]), json.loads(row[2]), row[3]) for row in found]


def count(rows: Rows) -> int:
    """How many products differ (at most 1,000 are kept)."""
    row = rows.one("SELECT count(*) FROM drift")
    return int(row[0]) if row else 0


def skus(rows: Rows) -> set[str]:
    """The products that differ."""
    return {row[0] for row in rows.all("SELECT sku FROM drift")}


def replace(tx: Tx, found: Sequence[DriftRow]) -> None:
    """Keep the result of a comparison; an instant stays with what differed before."""
    before = {row.sku: row.found_at_ms for row in drift(tx)}
    tx.run("DELETE FROM drift")
    tx.many(
        "INSERT INTO drift (sku, hub, oms, found_at_ms) VALUES (?, ?, ?, ?)",
        [
            (row.sku, _text(row.hub), _text(row.oms), before.get(row.sku, tx.now_ms))
            for row in found[:MAX_KEPT]
        ],
    )


def _text(levels: Mapping[str, int]) -> str:
    return json.dumps(levels, sort_keys=True, separators=(",", ":"))
