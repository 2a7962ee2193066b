"""The tills' books against the hub's database and the cloud's, once everything is told.

It reads both databases with the standard library's SQLite, read-only; only the hash chains are
recomputed by the hub's own code.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from hub.service import auditlog, ledger
from hub.storage.readers import LoopReader
from scripts.killing.books import Books
from scripts.replay_shop.compare import compare_levels
from scripts.replay_shop.compare_oms import (
    check_oms_events,
    check_oms_movements,
    read_oms_levels,
)
from scripts.replay_shop.compare_sources import (
    BUCKETS,
    Complain,
    check_ledger,
    open_database,
    read_hub_levels,
    read_hub_outbox,
    read_store,
)

_SALE = "sale_id, receipt_no, state, total_minor, at_ms"
FACT = "com.storehub.device.fact.v1"
DRIFT = "com.storehub.drift.detected.v1"


def judge(hub_db: Path, oms_db: Path, books: Books) -> list[str]:
    """Every difference, as text.  Raises sqlite3.Error if a database can't be read."""
    found: list[str] = []

    def complain(where: str, subject: str, expected: object, there: object) -> None:
        found.append(f"{where}: {subject}: expected {expected}, found {there}")

    with open_database(hub_db) as hub, open_database(oms_db) as oms:
        store = read_store(hub)
        for name, con in (("hub", hub), ("cloud", oms)):
            (sound,) = con.execute("PRAGMA quick_check(1)").fetchone()
            if sound != "ok":
                complain(name, "the database", "sound", sound)
        _check_sales(hub, oms, store, books, complain)
        _check_money(hub, books, complain)
        _check_papers(hub, oms, store, books, complain)
        _check_stock(hub, oms, store, books, complain)
        check_oms_events(oms, store, read_hub_outbox(hub, complain), complain)
        _check_facts(oms, store, books, complain)
    _check_chains(hub_db, complain)
    return found


def _check_sales(
    hub: sqlite3.Connection,
    oms: sqlite3.Connection,
    store: str,
    books: Books,
    complain: Complain,
) -> None:
    """Every answered sale is in both, once, as it was answered; no other is."""
    told = {
        sale_id: (
            sale.done.receipt_no,
            "voided" if sale.void == "done" else "completed",
            sale.done.total_minor,
            sale.done.at_ms,
        )
        for sale_id, sale in books.sales.items()
    }
    cloud = "sale_id, receipt_no, state, total_minor, occurred_at_ms"
    _compare("hub sales", told, hub.execute(f"SELECT {_SALE} FROM sales"), complain)
    rows = oms.execute(f"SELECT {cloud} FROM sales WHERE store = ?", (store,))
    _compare("cloud sales", told, rows, complain)
    twice = "SELECT receipt_no, count(*) FROM sales GROUP BY 1 HAVING count(*) > 1"
    for receipt_no, times in hub.execute(twice):
        complain("hub sales", f"receipt number {receipt_no}", "once", f"{times} times")


def _compare(
    where: str,
    told: Mapping[str, tuple[object, ...]],
    rows: sqlite3.Cursor,
    complain: Complain,
) -> None:
    missing = dict(told)
    for subject, *fields in rows:
        expected = missing.pop(subject, None)
        if expected is None:
            complain(where, str(subject), "nothing, or once", fields)
        elif tuple(fields) != expected:
            complain(where, str(subject), expected, tuple(fields))
    for subject, expected in missing.items():
        complain(where, str(subject), expected, "nothing")


def _check_money(hub: sqlite3.Connection, books: Books, complain: Complain) -> None:
    """Lines and tenders make each sale's total; the day's totals are their sum."""
    wrong = hub.execute(
        "SELECT s.sale_id, s.total_minor,"
        " (SELECT sum(net_minor) FROM sale_lines l WHERE l.sale = s.id) AS net,"
        " (SELECT sum(amount_minor) FROM tenders t WHERE t.sale = s.id)"
        "   - s.change_minor - s.rounding_minor AS paid"
        " FROM sales s WHERE net <> s.total_minor OR paid <> s.total_minor"
    )
    for sale_id, total, net, paid in wrong:
        complain("hub sales", f"sale {sale_id}", f"lines = tenders = {total}", (net, paid))
    real = (
        len(books.sales),
        sum(sale.done.total_minor for sale in books.sales.values()),
        sum(sale.void == "done" for sale in books.sales.values()),
        sum(total for _, total in books.returns.values()),
    )
    day = hub.execute(
        "SELECT sum(sales), sum(total_minor), sum(voided), sum(returned_minor) FROM day_totals"
    ).fetchone()
    if real != tuple(value or 0 for value in day):
        complain("hub", "totals of the days", real, tuple(day))


def _check_papers(
    hub: sqlite3.Connection,
    oms: sqlite3.Connection,
    store: str,
    books: Books,
    complain: Complain,
) -> None:
    """Returns and deliveries: each once, no other."""
    told = books.returns
    here = hub.execute(
        "SELECT r.return_id, s.sale_id, r.total_minor FROM returns r JOIN sales s ON s.id = r.sale"
    )
    _compare("hub returns", told, here, complain)
    there = "SELECT return_id, sale_id, total_minor FROM returns WHERE store = ?"
    _compare("cloud returns", told, oms.execute(there, (store,)), complain)
    receipts = dict.fromkeys(books.receipts, ("receipt",))
    papers = hub.execute("SELECT document_id, kind FROM documents")
    _compare("hub deliveries", receipts, papers, complain)


def _check_stock(
    hub: sqlite3.Connection,
    oms: sqlite3.Connection,
    store: str,
    books: Books,
    complain: Complain,
) -> None:
    """Books = levels = sum of movements, here and in the cloud; no hold is left over."""
    moved = check_ledger(hub, complain)
    levels, cloud = read_hub_levels(hub), read_oms_levels(oms, store)
    check_oms_movements(oms, store, moved, cloud, complain)
    compare_levels(levels, cloud, complain)
    for sku in sorted(levels.keys() | books.levels.keys()):
        real = (books.levels[sku],) + (0,) * (len(BUCKETS) - 1)
        if levels.get(sku) != real:
            complain("hub levels", f"levels of {sku} by what was answered", real, levels.get(sku))
    held = "SELECT (SELECT total(held) FROM stock), (SELECT total(qty) FROM holds)"
    if (there := hub.execute(held).fetchone()) != (0, 0):
        complain("hub levels", "holds of closed baskets", (0, 0), there)


def _check_facts(oms: sqlite3.Connection, store: str, books: Books, complain: Complain) -> None:
    """Every fact of a till is in the cloud once; anti-entropy found nothing to complain of."""
    rows = oms.execute(
        "SELECT json_extract(data, '$.data.n') FROM events WHERE store = ? AND type = ?",
        (store, FACT),
    )
    there = Counter(number for (number,) in rows)
    for number in range(1, books.facts + 1):
        if there[number] != 1:
            complain("cloud facts", f"fact {number}", "once", f"{there[number]} times")
    drift = "SELECT count(*) FROM events WHERE store = ? AND type = ?"
    (found,) = oms.execute(drift, (store, DRIFT)).fetchone()
    if found:
        complain("cloud", "drift found by comparing stock", "none", found)


def _check_chains(hub_db: Path, complain: Complain) -> None:
    with LoopReader(hub_db) as rows:
        audit = auditlog.verify(rows)
        if audit.broken_seq is not None:
            complain("hub audit", "its chain", "whole", f"broken at {audit.broken_seq}")
        stock = ledger.verify(rows)
        if stock.broken_seq is not None:
            complain("hub ledger", "its chain", "whole", f"broken at {stock.broken_seq}")
        for sku in stock.differing_skus:
            complain("hub ledger", f"levels of {sku}", "the sum of its movements", "another")


def told_all(hub_db: Path) -> bool:
    """Whether the cloud has acknowledged everything that the hub wrote down."""
    with open_database(hub_db) as hub:
        waiting = "SELECT count(*) FROM streams WHERE acked_seq < head_seq"
        return bool(hub.execute(waiting).fetchone() == (0,))
