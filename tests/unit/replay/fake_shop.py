"""A small shop's two databases after a perfect replay, written under the real schemas."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from scripts.replay_shop.mapping import MappedBasket, MappedLine, opening_stock, replay_uuid7

ROOT = Path(__file__).resolve().parents[3]
SEED = "seed-1"
STORE = "s367"
SOURCE = f"/stores/{STORE}/hubs/h1/1"
NOW_MS = 1_795_000_000_000

Value = str | int | bytes | None
_EMPTY: dict[str, Value] = {"INTEGER": 0, "TEXT": "", "BLOB": b""}


@dataclass(slots=True)
class Database:
    """Inserts rows by column name; what a test doesn't care about gets an empty value."""

    con: sqlite3.Connection
    _needed: dict[str, dict[str, Value]] = field(default_factory=dict)

    def insert(self, table: str, **row: Value) -> None:
        if table not in self._needed:
            columns = self.con.execute(f"PRAGMA table_info({table})").fetchall()
            self._needed[table] = {
                name: _EMPTY[kind]
                for _, name, kind, not_null, default, _ in columns
                if not_null and default is None
            }
        full = self._needed[table] | row
        marks = ", ".join("?" * len(full))
        names = ", ".join(full)
        self.con.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(full.values()))


@dataclass(slots=True)
class Writer:
    """Writes both sides at once: a row of the hub and what the cloud makes of its event."""

    hub: Database
    oms: Database
    ledger_seq: int = 0
    events: int = 0
    heads: dict[str, int] = field(default_factory=dict)
    sku_ids: dict[str, int] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)

    def move(self, sku: str, qty: int, kind: str, ref: tuple[str, int, int]) -> None:
        """Goods in (``receive``) or out (``sale``), told by the event that comes next."""
        src, dst = ("supplier", "sellable") if kind == "receive" else ("sellable", "customer")
        self.ledger_seq += 1
        sku_id = self.sku_ids.setdefault(sku, len(self.sku_ids) + 1)
        self.hub.insert(
            "movements",
            seq=self.ledger_seq,
            sku_id=sku_id,
            qty=qty,
            src=src,
            dst=dst,
            type=kind,
            ref_type=ref[0],
            ref_id=ref[1],
            ref_line=ref[2],
            prev_seq=self.newest.get(sku, 0),
        )
        self.oms.insert(
            "movements",
            event=self.events + 1,
            n=self.ledger_seq,
            store=STORE,
            ledger_seq=self.ledger_seq,
            sku=sku,
            qty=qty,
            from_place=src,
            to_place=dst,
            type=kind,
        )
        self.newest[sku] = self.ledger_seq
        self.levels[sku] = self.levels.get(sku, 0) + (qty if kind == "receive" else -qty)

    def event(self, stream: str, kind: str, data: dict[str, str]) -> int:
        """The next event of the stream; its number."""
        self.events += 1
        seq = self.heads[stream] = self.heads.get(stream, 0) + 1
        text, event_id = json.dumps(data), f"e-{self.events}"
        self.hub.insert(
            "outbox",
            id=self.events,
            source=1,
            stream=stream,
            seq=seq,
            event_id=event_id,
            type=kind,
            data=text,
        )
        self.oms.insert(
            "events",
            event=self.events,
            store=STORE,
            source=SOURCE,
            stream=stream,
            seq=seq,
            id=event_id,
            type=kind,
            data=text,
            status="applied",
        )
        return self.events

    def sale(self, number: int, basket: MappedBasket) -> None:
        """One sale in both databases."""
        sale_id = replay_uuid7(SEED, basket.basket_id, NOW_MS + number, "sale")
        for n, line in enumerate(basket.lines, start=1):
            self.move(line.sku, line.qty, "sale", ("sale", number, n))
        event = self.event("sales", "com.storehub.sale.completed.v1", {"sale_id": sale_id})
        money = {"total_minor": basket.total_minor, "change_minor": basket.change_minor}
        self.hub.insert("sales", id=number, sale_id=sale_id, outbox_id=event, **money)
        self.oms.insert(
            "sales", store=STORE, sale_id=sale_id, state="completed", event=event, **money
        )
        for n, line in enumerate(basket.lines, start=1):
            self.hub.insert("sale_lines", sale=number, line_no=n, **_columns(line))
            self.oms.insert("sale_lines", store=STORE, sale_id=sale_id, line_no=n, **_columns(line))
        for n, tender in enumerate(basket.tenders, start=1):
            paid: dict[str, Value] = {"kind": tender.kind, "amount_minor": tender.amount_minor}
            self.hub.insert("tenders", sale=number, n=n, **paid)
            self.oms.insert("tenders", store=STORE, sale_id=sale_id, n=n, **paid)

    def close_books(self) -> None:
        """Levels, stream heads and watermarks, as they are in the end."""
        for sku, sku_id in self.sku_ids.items():
            self.hub.insert("skus", id=sku_id, sku=sku)
            self.hub.insert(
                "stock", sku_id=sku_id, sellable=self.levels[sku], last_seq=self.newest[sku]
            )
            self.oms.insert("levels", store=STORE, sku=sku, bucket="sellable", qty=self.levels[sku])
        for stream, seq in self.heads.items():
            self.hub.insert("streams", source=1, stream=stream, head_seq=seq, acked_seq=seq)
            self.oms.insert("watermarks", store=STORE, source=SOURCE, stream=stream, seq=seq)


def _columns(line: MappedLine) -> dict[str, Value]:
    override = line.override_price_minor
    return {
        "sku": line.sku,
        "gtin": line.gtin,
        "qty": line.qty,
        "scale": line.scale,
        "unit_price_minor": line.unit_price_minor if override is None else override,
        "gross_minor": line.net_minor + line.discount_minor,
        "discount_minor": line.discount_minor,
        "net_minor": line.net_minor,
    }


def write_shop(folder: Path, baskets: Sequence[MappedBasket]) -> tuple[Path, Path]:
    """The hub's and the cloud's database as a perfect replay leaves them."""
    hub_db, oms_db = folder / "hub.db", folder / "oms.db"
    with closing(sqlite3.connect(hub_db)) as hub, closing(sqlite3.connect(oms_db)) as oms:
        for migration in sorted((ROOT / "hub/storage/migrations").glob("*.sql")):
            hub.executescript(migration.read_text())
        oms.executescript((ROOT / "cloud_link/sandbox/schema.sql").read_text())
        writer = Writer(Database(hub), Database(oms))
        writer.hub.insert("hub", one=1, store=STORE, source=1)
        writer.hub.insert("sources", id=1, uri=SOURCE)
        for n, (sku, qty) in enumerate(opening_stock(baskets).items(), start=1):
            writer.move(sku, qty, "receive", ("receipt", 1, n))
        writer.event("stock", "com.storehub.goods.received.v1", {})
        for number, basket in enumerate(baskets, start=1):
            writer.sale(number, basket)
        writer.close_books()
        hub.commit()
        oms.commit()
    return hub_db, oms_db
