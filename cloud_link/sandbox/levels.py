"""Stock levels: kept by applying movements, and computed as of a hub's heads for digests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from hub.contract.digests import bucket_digests, differing_buckets, digest_bucket
from hub.contract.oms_digests import (
    DigestDetailReply,
    DigestDetailRequest,
    DigestReply,
    DigestRequest,
    SkuDifference,
)
from hub.contract.oms_envelope import Heads
from hub.contract.oms_events import Movement
from hub.contract.oms_facts import PHYSICAL_BUCKETS, PhysicalBucket

if TYPE_CHECKING:
    from sqlite3 import Connection

Levels = dict[str, dict[str, int]]
"""SKU → stock bucket → base units."""


def apply_movements(db: Connection, store: str, number: int, movements: Iterable[Movement]) -> None:
    """Keep an event's movements and change the levels."""
    for n, move in enumerate(movements):
        db.execute(
            "INSERT INTO movements VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                n,
                store,
                move.seq,
                move.sku,
                move.qty,
                move.from_,
                move.to,
                move.type,
                move.ref_line,
            ),
        )
        for place, change in ((move.from_, -move.qty), (move.to, move.qty)):
            if place in PHYSICAL_BUCKETS:
                db.execute(
                    "INSERT INTO levels VALUES (?, ?, ?, ?)"
                    " ON CONFLICT DO UPDATE SET qty=qty+excluded.qty",
                    (store, move.sku, place, change),
                )


def levels_as_of(db: Connection, store: str, heads: Heads) -> Levels | None:
    """The levels with exactly the events up to ``heads`` applied; None when some are missing here.

    Sources and streams not in ``heads`` count as not applied.
    """
    marks = {
        (source, stream): seq
        for source, stream, seq in db.execute(
            "SELECT source, stream, seq FROM watermarks WHERE store=?", (store,)
        )
    }
    asked: dict[tuple[str, str], int] = {}
    for source, streams in heads.items():
        asked.update(((source, stream), seq) for stream, seq in streams.items())
    if any(seq > marks.get(lane, 0) for lane, seq in asked.items()):
        return None
    levels: Levels = defaultdict(dict)
    for sku, bucket, qty in db.execute(
        "SELECT sku, bucket, qty FROM levels WHERE store=?", (store,)
    ):
        levels[sku][bucket] = qty
    for number in _events_beyond(db, store, marks, asked):
        for sku, qty, from_place, to_place in db.execute(
            "SELECT sku, qty, from_place, to_place FROM movements WHERE event=?", (number,)
        ):
            for place, change in ((from_place, qty), (to_place, -qty)):
                if place in PHYSICAL_BUCKETS:
                    levels[sku][place] = levels[sku].get(place, 0) + change
    return levels


def _events_beyond(
    db: Connection,
    store: str,
    marks: dict[tuple[str, str], int],
    asked: dict[tuple[str, str], int],
) -> list[int]:
    """Events none of whose places is within the heads asked for."""
    beyond: set[int] = set()
    for lane, mark in marks.items():
        if asked.get(lane, 0) < mark:
            beyond.update(
                number
                for (number,) in db.execute(
                    "SELECT event FROM placements"
                    " WHERE store=? AND source=? AND stream=? AND seq>?",
                    (store, *lane, asked.get(lane, 0)),
                )
            )
    return [
        number
        for number in sorted(beyond)
        if not any(
            seq <= asked.get((source, stream), 0)
            for source, stream, seq in db.execute(
                "SELECT source, stream, seq FROM placements WHERE event=?", (number,)
            )
        )
    ]


def compare_digests(
    db: Connection, store: str, request: DigestRequest, oms_incarnation: str
) -> DigestReply:
    """Which digest buckets differ, as of the hub's heads."""
    levels = levels_as_of(db, store, request.heads)
    if levels is None:
        return DigestReply(status="behind", oms_incarnation=oms_incarnation)
    differing = differing_buckets(request.buckets, bucket_digests(levels.items()))
    return DigestReply(
        status="differs" if differing else "equal",
        differing=differing,
        oms_incarnation=oms_incarnation,
    )


def compare_detail(
    db: Connection, store: str, request: DigestDetailRequest, oms_incarnation: str
) -> DigestDetailReply:
    """Which SKUs of one digest bucket differ, and how."""
    levels = levels_as_of(db, store, request.heads)
    if levels is None:
        return DigestDetailReply(status="behind", oms_incarnation=oms_incarnation)
    ours = {
        sku: _non_zero(row) for sku, row in levels.items() if digest_bucket(sku) == request.bucket
    }
    theirs = {row.sku: _non_zero(row.levels) for row in request.rows}
    return DigestDetailReply(
        status="compared",
        differences=tuple(
            SkuDifference(sku=sku, hub=theirs.get(sku, {}), oms=ours.get(sku, {}))
            for sku in sorted(ours.keys() | theirs.keys())
            if ours.get(sku, {}) != theirs.get(sku, {})
        ),
        oms_incarnation=oms_incarnation,
    )


def _non_zero(levels: Mapping[str, int] | Mapping[PhysicalBucket, int]) -> dict[str, int]:
    return {bucket: qty for bucket, qty in levels.items() if qty}
