"""A shop's file after a long time: a hundred thousand of everything, for the pages to read."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from hub.storage import commandrows, historyrows, hubrow, searchindex
from hub.storage.database import open_database
from hub.storage.historyrows import Marks
from hub.storage.rows import Tx

MANY = 100_000
FEW = 5_000
DAYS = 100


def uuid(number: int) -> str:
    """The id of the sale, payment or whatever of that number."""
    return f"00000000-0000-7000-8000-{number:012x}"


def sku(number: int) -> str:
    """The product's."""
    return f"SKU-{number:06d}"


def write(path: Path) -> None:
    """Make the database file, and the index for searching beside it."""
    with closing(open_database(path)) as conn:
        conn.execute("BEGIN")
        tx = Tx(conn, 1_795_000_000_000, 0)
        hubrow.found(tx, "367", "hub-test", "machine", "fork1")
        source = tx.one("SELECT source FROM hub")
        assert source is not None
        _catalogue(tx)
        _trade(tx)
        _stock(tx)
        _told(tx, source[0])
        _cut_off(tx)
        _printed(tx)
        _paid(tx)
        _ordered(tx)
        conn.execute("COMMIT")
    searchindex.build(path.with_name(searchindex.FILE_NAME), path)


def _catalogue(tx: Tx) -> None:
    tx.run("INSERT INTO datasets (dataset, generation, label) VALUES ('catalog', 1, 'g1')")
    tx.run("INSERT INTO datasets (dataset, generation, label) VALUES ('prices', 1, 'g1')")
    tx.many(
        "INSERT INTO products VALUES (1, ?, ?, 'pc', 0, 'std', 'Goods', NULL, 1, 0)",
        [(sku(n), f"Thing number {n}") for n in range(MANY)],
    )
    tx.many("INSERT INTO barcodes VALUES (1, ?, ?)", [(f"{n:014d}", sku(n)) for n in range(MANY)])
    tx.many("INSERT INTO prices VALUES (1, ?, 0, NULL, 499)", [(sku(n),) for n in range(MANY)])


def _trade(tx: Tx) -> None:
    tx.many(
        "INSERT INTO devices (device_id, name, kind, auth, password_hash, number, paired_at_ms)"
        " VALUES (?, ?, 'till', 'password', 'x', ?, 1)",
        [(f"till-{n:02d}", f"Till {n}", n) for n in range(1, 301)],
    )
    tx.many(
        "INSERT INTO sales (id, sale_id, hash, receipt_no, device_id, business_day, at_ms,"
        " currency, total_minor, tax_minor, rounding_minor, change_minor, tax, outbox_id)"
        " VALUES (?, ?, x'00', ?, 'till-01', ?, ?, 'EUR', 499, 0, 0, 0, '{}', ?)",
        [
            (n, uuid(n), f"{n % 8:03d}-{n // 8:06d}", _day(n), 1_700_000_000_000 + n, n)
            for n in range(1, MANY + 1)
        ],
    )
    tx.many(
        "INSERT INTO day_totals (business_day, sales, total_minor) VALUES (?, 1000, 499000)",
        [(_day(n),) for n in range(1, MANY, MANY // DAYS)],
    )
    tx.many(
        "INSERT INTO sale_lines (sale, line_no, sku, name, qty, scale, list_price_minor,"
        " unit_price_minor, gross_minor, discount_minor, net_minor, tax_code, tax_minor)"
        " VALUES (?, 1, ?, 'Thing', 1, 0, 499, 499, 499, 0, 499, 'std', 0)",
        [(n, sku(n % FEW)) for n in range(1, MANY + 1)],
    )
    tx.many(
        "INSERT INTO tenders (sale, n, kind, amount_minor) VALUES (?, 1, 'cash', 499)",
        [(n,) for n in range(1, MANY + 1)],
    )
    tx.many(
        "INSERT INTO returns VALUES (?, ?, x'00', ?, 'till-01', NULL, '2026-01-01', 1, 499, 0,"
        " '[]', 0)",
        [(n, uuid(MANY + n), n) for n in range(1, FEW)],
    )
    tx.many(
        "INSERT INTO return_lines VALUES (?, 1, 1, ?, 1, 499, 0, 'damaged', 'broken')",
        [(n, sku(n)) for n in range(1, FEW)],
    )
    tx.many(
        "INSERT INTO baskets (id, basket_id, version, state, owner, opened_at_ms, changed_at_ms)"
        " VALUES (?, ?, 1, ?, 'till-01', 1, ?)",
        [
            (n, uuid(n), "closed" if n > 200 else ("open", "suspended")[n % 2], 1000 + n // 2)
            for n in range(1, FEW)
        ],
    )


def _day(number: int) -> str:
    at = (number - 1) // (MANY // DAYS)
    return f"2026-{at // 28 + 1:02d}-{at % 28 + 1:02d}"


def _stock(tx: Tx) -> None:
    tx.many("INSERT INTO skus (id, sku) VALUES (?, ?)", [(n + 1, sku(n)) for n in range(MANY)])
    tx.many(
        "INSERT INTO stock (sku_id, sellable, last_seq) VALUES (?, ?, ?)",
        [(n + 1, -20 if n < FEW else 0, MANY - FEW + n + 1 if n < FEW else 0) for n in range(MANY)],
    )
    tx.many(
        "INSERT INTO movements VALUES (?, ?, 1, 'sellable', 'customer', 'sell', 'sale', ?, 1, 0,"
        " ?, x'00')",
        [(n + 1, n % FEW + 1, n + 1, max(0, n + 1 - FEW)) for n in range(MANY)],
    )
    tx.many("INSERT INTO count_tasks VALUES (?, 'odd', 1)", [(n,) for n in range(1, 500)])
    tx.many(
        "INSERT INTO documents (document_id, kind, hash, at_ms, device_id, reference, data)"
        " VALUES (?, ?, x'00', 1, 'till-01', ?, ?)",
        [
            (
                uuid(n),
                "count" if n % 50 == 0 else "receipt",
                sku(n),
                f'{{"closed":{"false" if n % 500 == 0 else "true"}}}',
            )
            for n in range(MANY)
        ],
    )


def _told(tx: Tx, source: int) -> None:
    streams = ("sales", "stock", "telemetry")
    tx.many(
        "INSERT INTO streams VALUES (?, ?, ?, ?)",
        [(source, stream, MANY // 3 + 1, MANY // 3 - 100) for stream in streams],
    )
    tx.many(
        "INSERT INTO outbox (id, source, stream, seq, event_id, type, aggregate, at_ms, data)"
        " VALUES (?, ?, ?, ?, ?, 'com.storehub.test.v1', 'a', 1, '{}')",
        [(n + 1, source, streams[n % 3], n // 3 + 1, uuid(n)) for n in range(MANY)],
    )
    tx.many(
        "INSERT INTO parked SELECT id, source, stream, seq, event_id, type, aggregate, at_ms, data,"
        " 'bad: x', 1, NULL FROM outbox WHERE id = ?",
        [(n,) for n in range(99_001, 99_301)],
    )
    commandrows.add(tx, [(f"c{n}", "count.requested", "done", "") for n in range(1500)])
    tx.many(
        "INSERT INTO audit VALUES (?, 1, 'hub:hub', NULL, 'x', 'y', '{}', x'00')",
        [(n,) for n in range(1, MANY)],
    )


def _printed(tx: Tx) -> None:
    """Every fifth is a drawer; of the last, hundreds have no end."""
    tx.many(
        "INSERT INTO print_jobs (id, job_id, device_id, kind, state, document, subject, title,"
        " made_at_ms, ended_at_ms, expires_budget_ms) VALUES (?, ?, 'till-01', ?, ?, '{}', ?, ?,"
        " ?, ?, 0)",
        [
            (
                n,
                uuid(n),
                "sale" if n % 5 else "drawer-kick",
                ("printed", "failed")[n % 100 == 1] if n <= MANY - 400 else _OPEN_STATES[n % 2],
                uuid(n),
                f"001-{n:06d}",
                1_700_000_000_000 + n // 3,
                1_700_000_000_000 + n // 3 if n <= MANY - 400 else None,
            )
            for n in range(1, MANY + 1)
        ],
    )


_OPEN_STATES = ("queued", "ambiguous")


def _paid(tx: Tx) -> None:
    """Of the last four hundred payments each is in one of the states without an end, or stored."""
    states = ("captured", "settled", "voided", "refused")
    waits = ("stored", "manual", "recovery", "forwarding", "retry_wait", "authorised")
    tx.many(
        "INSERT INTO payments (id, payment_id, hash, sale_id, basket_id, device_id, terminal_id,"
        " driven_by, state, custody, amount_minor, currency, offline_allowed, offline_seq, in_sale,"
        " begun_at_ms, begun_budget_ms, stored_at_ms, stored_budget_ms, changed_at_ms)"
        " VALUES (?1, ?2, x'00', ?2, '', 'till-01', ?3, 'hub', ?4, 'hub', 499, 'EUR', 1, ?5, 1,"
        " ?6, 0, ?6, 0, ?6)",
        [
            (
                n,
                uuid(n),
                f"terminal-{n % 7}",
                states[n % 4] if n <= MANY - 400 else waits[n % 6],
                n if n % 4 == 0 or n > MANY - 400 else None,
                1_700_000_000_000 + n,
            )
            for n in range(1, MANY + 1)
        ],
    )
    tx.run(
        "INSERT INTO payment_steps SELECT id, 1, begun_at_ms, 'sent', 'intent', 'at_terminal', 'x',"
        " '' FROM payments"
    )


def _ordered(tx: Tx) -> None:
    """Of the last four hundred orders each is open, every third of these short."""
    tx.many(
        "INSERT INTO orders (id, order_id, version, number, kind, state, short_lines, placed_at_ms,"
        " promised_at_ms, due_ms, taken_at_ms, changed_at_ms, ended_at_ms)"
        " VALUES (?1, ?2, 1, ?3, 'pickup', ?4, ?5, 1, ?6, ?6, 1, 1, ?7)",
        [
            (
                n,
                f"order-{n}",
                f"W-{n:06d}",
                "handed_over" if n <= FEW - 400 else "accepted",
                int(n > FEW - 400 and n % 3 == 0),
                1_700_000_000_000 + n // 4,
                1_700_000_000_000 + n // 4 if n <= FEW - 400 else None,
            )
            for n in range(1, FEW + 1)
        ],
    )
    tx.run(
        "INSERT INTO order_lines SELECT id, 1, 'SKU-000007', 2, short_lines, 0 FROM orders"
        " UNION ALL SELECT id, 2, 'unknown', 1, 0, 0 FROM orders"
    )
    tx.run("INSERT INTO order_steps SELECT id, 1, 1, 'accepted', '' FROM orders")
    tx.run("INSERT INTO reservations SELECT order_id, 8, 2, 1 FROM orders WHERE id > ?", FEW - 400)


def _cut_off(tx: Tx) -> None:
    whole = Marks(MANY, FEW - 1, MANY, MANY - 1, MANY)
    for number in range(3):
        historyrows.begin_outage(tx, uuid(number), 1, "dns", False, Marks())
        row = historyrows.open_outage(tx)
        assert row is not None
        historyrows.end_outage(tx, row, 1, 2, whole)
    historyrows.begin_outage(tx, uuid(3), 3, "dns", False, whole)
