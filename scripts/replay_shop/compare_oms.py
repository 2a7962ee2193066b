"""What the cloud says: its sales, its copy of the ledger, its levels, and every event's place.

Reads the sandbox cloud's database; the columns read here are what its schema promises to readers.
"""

from __future__ import annotations

import sqlite3
from collections import Counter

from scripts.replay_shop.compare_sources import (
    BUCKETS,
    Complain,
    Event,
    Movement,
    Names,
    Witness,
    check_contiguous,
    read_sales,
)

SALE_COMPLETED = "com.storehub.sale.completed.v1"


def read_oms_sales(
    con: sqlite3.Connection, store: str, names: Names, complain: Complain
) -> Witness:
    """The cloud's sales of the store with their lines and tenders."""
    return read_sales(
        con,
        "cloud",
        names,
        complain,
        sales="SELECT sale_id, sale_id, state, total_minor, rounding_minor, change_minor"
        " FROM sales WHERE store = ?",
        lines="SELECT sale_id, sku, qty, gross_minor, discount_minor, net_minor"
        " FROM sale_lines WHERE store = ?",
        tenders="SELECT sale_id, amount_minor FROM tenders WHERE store = ?",
        parameters=(store,),
    )


def read_oms_levels(con: sqlite3.Connection, store: str) -> dict[str, tuple[int, ...]]:
    """SKU -> its levels in the order of ``BUCKETS``."""
    held: dict[str, dict[str, int]] = {}
    rows = con.execute("SELECT sku, bucket, qty FROM levels WHERE store = ?", (store,))
    for sku, bucket, qty in rows:
        held.setdefault(sku, {})[bucket] = qty
    return {sku: tuple(by.get(bucket, 0) for bucket in BUCKETS) for sku, by in held.items()}


def check_oms_movements(
    con: sqlite3.Connection,
    store: str,
    ledger: dict[int, Movement],
    levels: dict[str, tuple[int, ...]],
    complain: Complain,
) -> int:
    """The cloud's movements against the hub's, one by one, and against its own levels."""
    sums: Counter[tuple[str, str]] = Counter()
    missing = dict(ledger)
    count = 0
    rows = con.execute(
        "SELECT ledger_seq, sku, qty, from_place, to_place, type FROM movements WHERE store = ?",
        (store,),
    )
    for seq, *fields in rows:
        count += 1
        told = Movement(*fields)
        sums[told.sku, told.src] -= told.qty
        sums[told.sku, told.dst] += told.qty
        real = missing.pop(seq, None)
        if real is None:
            known = "once" if seq in ledger else "nothing"
            complain("cloud ledger", f"movement {seq}", known, f"another: {told}")
        elif real != told:
            complain("cloud ledger", f"movement {seq}", real, told)
    for seq, real in missing.items():
        complain("cloud ledger", f"movement {seq}", real, "nothing")
    for sku in sorted({sku for sku, _ in sums} | levels.keys()):
        summed = tuple(sums[sku, bucket] for bucket in BUCKETS)
        held = levels.get(sku, (0,) * len(BUCKETS))
        if summed != held:
            complain("cloud levels", f"levels of {sku}", summed, held)
    return count


def check_oms_events(
    con: sqlite3.Connection, store: str, sent: dict[str, Event], complain: Complain
) -> int:
    """Every event of the hub's outbox arrived once, in its place, and was applied; none other did.

    Returns the count of events the cloud keeps.
    """
    kept: Counter[str] = Counter()
    streams: dict[tuple[str, str], list[int]] = {}
    sales: Counter[str] = Counter()
    rows = con.execute(
        "SELECT id, source, stream, seq, type, status, json_extract(data, '$.sale_id')"
        " FROM events WHERE store = ?",
        (store,),
    )
    for event_id, source, stream, seq, kind, status, sale_id in rows:
        kept[event_id] += 1
        told, real = Event(source, stream, seq, kind), sent.get(event_id)
        if real is None:
            complain("cloud events", f"event {event_id}", "no such event in the hub's outbox", told)
        elif told != real:
            complain("cloud events", f"event {event_id}", real, told)
        if status != "applied":
            complain("cloud events", f"event {event_id}", "applied", status)
        if kind == SALE_COMPLETED:
            sales[str(sale_id)] += 1
        streams.setdefault((source, stream), []).append(seq)
    _more_than_once("event", kept, complain)
    _more_than_once("the completion of sale", sales, complain)
    for event_id in sent.keys() - kept.keys():
        complain("cloud events", f"event {event_id}", sent[event_id], "nothing")
    marks = con.execute("SELECT source, stream, seq FROM watermarks WHERE store = ?", (store,))
    heads = {(source, stream): seq for source, stream, seq in marks}
    for (source, stream), seqs in streams.items():
        check_contiguous("cloud events", f"{stream} of {source}", seqs, complain)
        if heads.get((source, stream), 0) != max(seqs):
            what = f"watermark of {stream} of {source}"
            complain("cloud events", what, max(seqs), heads.get((source, stream), 0))
    return kept.total()


def _more_than_once(what: str, seen: Counter[str], complain: Complain) -> None:
    for name, times in seen.items():
        if times > 1:
            complain("cloud events", f"{what} {name}", "once", f"{times} times")
