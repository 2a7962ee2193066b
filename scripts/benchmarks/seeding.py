"""Databases of any size, written in bulk: a catalogue, stock, staff, and years of sales.

Everything goes straight into the real schema.  Stock is on the shelf without the movements that
would have brought it there, and bulk sales carry hashes of zeros: nothing measured here reads them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hub.app.founding import open_state
from hub.clock import SystemClock, SystemRandomness
from hub.config import Settings
from hub.domain.checkdigits import gs1_check_digit
from hub.security import pins
from hub.storage.sqlite import Connection

STORE = "367"
STAFF = "anna"
PIN = "2468"
PRICE_MINOR = 119
_STOCK_QTY = 1_000_000_000
_DAY_MS = 86_400_000
_REPLY_BYTES = 300
_PERMISSIONS = {"sale.sell": None, "sale.discount": 500, "stock.receive": None}
_TAX_POLICY = {"mode": "inclusive", "rounding_scope": "line", "rounding": "half_up"}
_TAX_RATE = {"tax_code": "standard", "name": "standard", "rate_ppm": 190_000}


Fields = dict[str, Any] | tuple[dict[str, Any], ...]


def settings_for(base: Path, **sections: Fields) -> Settings:
    """A hub's settings below ``base``: free ports, this machine only, no cloud, no mDNS."""
    own: dict[str, Fields] = {
        "store": {"id": STORE, "timezone": "Europe/Berlin", "currency": "EUR"},
        "paths": {"state": str(base / "state"), "run": str(base / "run")},
        "broker": {"bind": "127.0.0.1", "password_port": 0, "mtls_port": 0},
        "web": {"bind": "127.0.0.1", "port": 0},
        "discovery": {"enabled": False},
        "log": {"level": "warning"},
    }
    for name, fields in sections.items():
        known = own.get(name)
        both = isinstance(known, dict) and isinstance(fields, dict)
        own[name] = {**known, **fields} if both else fields  # type: ignore[dict-item]
    return Settings.model_validate(own)


def found_shop(settings: Settings, products: int = 100, *, staff: bool = True) -> Connection:
    """A founded hub's database with ``products`` products on the shelf, open for writing."""
    clock, randomness = SystemClock(), SystemRandomness()
    for folder in (settings.paths.state, settings.paths.run):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    conn = open_state(settings, clock, randomness).conn
    conn.execute("PRAGMA synchronous = OFF")
    conn.execute("BEGIN IMMEDIATE")
    _add_taxes(conn)
    if staff:
        _add_staff(conn, pins.hash_pin(PIN, randomness))
    _add_products(conn, products)
    for dataset in ("taxes", "policies", "staff", "catalog", "prices"):
        conn.execute("INSERT INTO datasets (dataset, generation) VALUES (?, 1)", (dataset,))
    conn.execute("COMMIT")
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.execute("PRAGMA synchronous = FULL")
    return conn


def sku_of(number: int) -> str:
    """The SKU of a seeded product, counted from 1."""
    return f"{100_000_000 + number}"


def gtin_of(number: int) -> str:
    """The EAN-13 of a seeded product, as a scanner reads it."""
    payload = f"40{number:010d}"
    return payload + gs1_check_digit(payload)


def _add_taxes(conn: Connection) -> None:
    for code, row in (("", _TAX_POLICY), ("standard", _TAX_RATE)):
        conn.execute("INSERT INTO taxes VALUES (1, ?, ?)", (code, json.dumps(row)))


def _add_staff(conn: Connection, pin_hash: str) -> None:
    conn.execute("INSERT INTO roles VALUES (1, 'cashier', ?)", (json.dumps(_PERMISSIONS),))
    conn.execute("INSERT INTO staff VALUES (1, ?, 'Anna', 'cashier', ?, 1)", (STAFF, pin_hash))


def _add_products(conn: Connection, count: int) -> None:
    numbers = range(1, count + 1)
    conn.executemany(
        "INSERT INTO products VALUES (1, ?, ?, 'each', 0, 'standard', 'grocery', NULL, 1, 0)",
        ((sku_of(n), f"Product number {n} of the shop") for n in numbers),
    )
    conn.executemany(
        "INSERT INTO barcodes VALUES (1, ?, ?)",
        ((gtin_of(n).zfill(14), sku_of(n)) for n in numbers),
    )
    conn.executemany(
        f"INSERT INTO prices VALUES (1, ?, 0, NULL, {PRICE_MINOR})", ((sku_of(n),) for n in numbers)
    )
    conn.executemany("INSERT INTO skus VALUES (?, ?)", ((n, sku_of(n)) for n in numbers))
    conn.executemany(
        "INSERT INTO stock (sku_id, sellable) VALUES (?, ?)", ((n, _STOCK_QTY) for n in numbers)
    )


def cloud_rows(folder: Path, products: int = 100) -> None:
    """The data sets of ``found_shop`` as a cloud has them: JSON Lines files in a new folder; and a
    hundred products from number 5,000 on that nobody sells, whose prices may change."""
    folder.mkdir(parents=True)
    numbers = (*range(1, products + 1), *range(5000, 5100))
    catalog = (
        {
            "sku": sku_of(n),
            "name": f"Product number {n} of the shop",
            "barcodes": [gtin_of(n).zfill(14)],
            "uom": "each",
            "scale": 0,
            "tax_code": "standard",
            "category": "grocery",
        }
        for n in numbers
    )
    prices = ({"sku": sku_of(n), "price_minor": PRICE_MINOR} for n in numbers)
    staff = (
        {"kind": "role", "role": "cashier", "permissions": _PERMISSIONS},
        {
            "kind": "staff",
            "staff_id": STAFF,
            "name": "Anna",
            "role": "cashier",
            "pin_hash": pins.hash_pin(PIN, SystemRandomness()),
        },
    )
    taxes = ({"kind": "policy", **_TAX_POLICY}, {"kind": "rate", **_TAX_RATE})
    tables = {"catalog": catalog, "prices": prices, "staff": staff, "taxes": taxes, "policies": ()}
    for name, rows in tables.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text)


def add_device(conn: Connection, device_id: str, *, signed_in: bool = True) -> None:
    """A paired till with somebody signed in on it."""
    now_ms = SystemClock().wall_ms()
    conn.execute(
        "INSERT INTO devices (device_id, name, kind, auth, number, paired_at_ms) SELECT ?1, ?1,"
        " 'till', 'mtls', coalesce(max(number), 0) + 1, ?2 FROM devices",
        (device_id, now_ms),
    )
    if signed_in:
        row = (device_id, STAFF, now_ms, 1 << 60)
        conn.execute("INSERT INTO sign_ins VALUES (?, ?, ?, ?)", row)


# Years of sales ----------------------------------------------------------------------------------

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT ?1 + 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)"
_LINES = "(SELECT 1 AS l UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4)"
_ID = "printf('0190%04x-%04x-7000-8000-%012x', i >> 16, i & 65535, i)"
_BULK = (
    (
        f"{_NUMBERS} INSERT INTO sales (id, sale_id, hash, receipt_no, device_id, staff_id,"
        " business_day, at_ms, currency, total_minor, tax_minor, rounding_minor, change_minor, tax,"
        f" outbox_id) SELECT i, {_ID}, zeroblob(32), printf('001-%06d', i), 'till-1', 'anna',"
        " '2026-01-01', ?3 + i, 'EUR', 476, 76, 0, 0,"
        " printf('%150s', ''), i FROM n"
    ),
    (
        f"{_NUMBERS} INSERT INTO sale_lines (sale, line_no, sku, name, qty, scale,"
        " list_price_minor, unit_price_minor, gross_minor, discount_minor, net_minor,"
        " tax_code, tax_minor) SELECT i, l, printf('%d', 100000001 + (i * 4 + l) % 100),"
        " 'Product of the shop', 1, 0,"
        f" 119, 119, 119, 0, 119, 'standard', 19 FROM n, {_LINES}"
    ),
    f"{_NUMBERS} INSERT INTO tenders (sale, n, kind, amount_minor) SELECT i, 1, 'cash', 476 FROM n",
    (
        f"{_NUMBERS} INSERT INTO movements (seq, sku_id, qty, src, dst, type, ref_type, ref_id,"
        " ref_line, prev_seq, hash) SELECT i * 4 + l - 4, 1 + (i * 4 + l) % 100, 1, 'sellable',"
        f" 'customer', 'sale', 'sale', i, l, 0, zeroblob(32) FROM n, {_LINES}"
    ),
    (
        f"{_NUMBERS} INSERT INTO requests (caller, idk, hash, reply, at_ms) SELECT"
        f" 'device:old', {_ID}, zeroblob(32), printf('%{_REPLY_BYTES}s', ''), ?3 + i FROM n"
    ),
)
_EVENT_LINE = {
    "line_no": 1,
    "sku": "100000001",
    "gtin": "04000000000013",
    "qty": 1,
    "scale": 0,
    "unit_price_minor": 119,
    "gross_minor": 119,
    "discount_minor": 0,
    "net_minor": 119,
    "tax_code": "standard",
    "tax_minor": 19,
    "reason": None,
}
_EVENT_MOVEMENT = {
    "seq": 1,
    "sku": "100000001",
    "qty": 1,
    "from": "sellable",
    "to": "customer",
    "type": "sale",
    "ref_line": "1",
}
EVENT = json.dumps(
    {
        "sale_id": "%s",
        "business_day": "2026-01-01",
        "occurred_at_ms": 1_767_225_600_000,
        "currency": "EUR",
        "lines": [_EVENT_LINE] * 4,
        "tenders": [{"kind": "cash", "amount_minor": 476}],
        "total_minor": 476,
        "movements": [_EVENT_MOVEMENT] * 4,
    },
    separators=(",", ":"),
)
_BULK_OUTBOX = (
    f"{_NUMBERS} INSERT INTO outbox (id, source, stream, seq, event_id, type, aggregate, at_ms,"
    f" data) SELECT i, (SELECT source FROM hub), 'sales', i, {_ID},"
    f" 'com.storehub.sale.completed.v1', {_ID}, ?3 + i, printf(?4, {_ID}) FROM n"
)
_HEADS = (
    "INSERT INTO streams (source, stream, head_seq, acked_seq) SELECT source, 'sales', ?1, ?2"
    " FROM hub WHERE true ON CONFLICT DO UPDATE SET head_seq = ?1, acked_seq = ?2"
)


def _nobody(done: int) -> None:
    """Listens."""


def add_sales(
    conn: Connection,
    count: int,
    *,
    events: bool = True,
    on_piece: Callable[[int], None] = _nobody,
) -> None:
    """``count`` old sales of four lines with all their rows; their events are acked.
    ``on_piece`` hears how many are written, and may raise to stop it."""
    start_ms = SystemClock().wall_ms() - 20 * _DAY_MS
    _bulk(conn, (*_BULK, _BULK_OUTBOX) if events else _BULK, count, start_ms, on_piece)
    if events:
        conn.execute(_HEADS, (count, count))


def add_pending_events(
    conn: Connection, count: int, *, on_piece: Callable[[int], None] = _nobody
) -> None:
    """``count`` events of sales that wait for the cloud."""
    _bulk(conn, (_BULK_OUTBOX,), count, SystemClock().wall_ms() - _DAY_MS, on_piece)
    conn.execute(_HEADS, (count, 0))


def _bulk(
    conn: Connection,
    statements: tuple[str, ...],
    count: int,
    start_ms: int,
    on_piece: Callable[[int], None],
) -> None:
    """In pieces, so that the write-ahead log stays small."""
    conn.execute("PRAGMA synchronous = OFF")
    conn.execute("PRAGMA foreign_keys = OFF")
    for first in range(0, count, 20_000):
        bounds = (first, min(count, first + 20_000), start_ms, EVENT)
        conn.execute("BEGIN IMMEDIATE")
        for statement in statements:
            used = max(n for n in range(1, 5) if f"?{n}" in statement)
            conn.execute(statement, bounds[:used])
        conn.execute("COMMIT")
        on_piece(bounds[1])
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.execute("PRAGMA foreign_keys = ON")
    conn.execute("PRAGMA synchronous = FULL")
