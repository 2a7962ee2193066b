"""Copies of a shop that are put back, and tills that offer again what they were told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hub.contract.oms_envelope import CloudEvent
from hub.service.handlers.recovery import RecoverEvents
from hub.storage import relinkrows
from tests.support.gatebench import Reply
from tests.support.shop import Shop

TEA = {"code": "tea", "qty": 2, "unit_price_minor": 499}


class Copies:
    """Copies of a shop as they are put back: older, fenced, under a fork of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.made: list[Shop] = []

    def take(self, shop: Shop) -> Path:
        path = self._folder / f"copy-{len(list(self._folder.glob('copy-*')))}"
        path.mkdir()
        shop.core.conn.execute("VACUUM INTO ?", (str(path / "hub.db"),))
        return path

    def put_back(self, copy: Path, after: Shop, **rules: Any) -> Shop:
        """A hub over a copy, at the time of ``after``; ``rules``: what is set otherwise."""
        path = self._folder / f"box-{len(self.made)}"
        path.mkdir()
        (path / "hub.db").write_bytes((copy / "hub.db").read_bytes())
        shop = Shop(path, seed=100 + len(self.made), furnish=False, **rules)
        shop.clock.advance((after.clock.wall_ms() - shop.clock.wall_ms()) / 1000)
        fork = f"f{len(self.made)}"
        shop.tx(
            lambda tx: relinkrows.set_fork(tx, fork=fork, fence="restored", machine_hash="machine")
        )
        self.made.append(shop)
        return shop


class Till:
    """A device that keeps what it asked, as the kit does, and offers it again."""

    def __init__(self, shop: Shop, name: str = "till-1") -> None:
        self.shop = shop
        self.name = name
        self.kept: list[tuple[str, Any, str, str | None]] = []

    def ask(self, address: str, body: Any) -> Reply:
        key = self.shop.id()
        reply = self.shop.ask(self.name, address, body, key=key)
        assert reply.ok, reply.text
        self.kept.append((address, body, key, reply.body.get("record")))
        return reply

    def sell(self, *lines: Any, total_minor: int = 998, **more: Any) -> Reply:
        body = self.shop.sale(*(lines or (TEA,)), total_minor=total_minor, **more)
        return self.ask("sale/commit", body)

    def offer(self, shop: Shop, nth: int = -1) -> Reply:
        address, body, key, record = self.kept[nth]
        return shop.ask(self.name, address, body, key=key, record=record)


def told_events(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.all("SELECT event_id, type, aggregate, at_ms, data FROM outbox ORDER BY id")


def from_cloud(shop: Shop) -> RecoverEvents:
    """Everything that the cloud would tell a hub about another one."""
    rows = shop.all("SELECT o.*, s.uri FROM outbox o JOIN sources s ON s.id = o.source ORDER BY id")
    events = [
        CloudEvent(
            id=row[4],
            source=row[-1],
            type=row[5],
            stream=row[2],
            sequence=f"{row[3]:020d}",
            partitionkey=row[6],
            data=json.loads(row[8]),
        )
        for row in rows
    ]
    return RecoverEvents(tuple(events), tuple(row[7] for row in rows))


def facts_of(shop: Shop) -> dict[str, list[tuple[Any, ...]]]:
    """What the shop's rows say of sales, returns and stock, without what is this database's own."""
    return {
        "sales": shop.all(
            "SELECT sale_id, state, receipt_no, device_id, business_day, at_ms, total_minor,"
            " tax_minor, note, voided_at_ms FROM sales ORDER BY sale_id"
        ),
        "tenders": shop.all(
            "SELECT s.sale_id, n, kind, amount_minor, payment_id, token, approval_code,"
            " refunded_minor FROM tenders t JOIN sales s ON s.id = t.sale ORDER BY 1, 2"
        ),
        "returned": shop.all(
            "SELECT s.sale_id, line_no, returned_qty, returned_minor FROM sale_lines l"
            " JOIN sales s ON s.id = l.sale ORDER BY 1, 2"
        ),
        "returns": shop.all(
            "SELECT return_id, device_id, total_minor, tax_minor, refund, at_ms FROM returns"
            " ORDER BY return_id"
        ),
        "documents": shop.all(
            "SELECT document_id, kind, reference, device_id FROM documents ORDER BY document_id"
        ),
        "stock": shop.all(
            "SELECT k.sku, sellable, quarantine, damaged, held FROM stock s"
            " JOIN skus k ON k.id = s.sku_id ORDER BY 1"
        ),
        "days": shop.all("SELECT business_day, sales, total_minor, voided FROM day_totals"),
        "events": shop.all("SELECT DISTINCT event_id, type, at_ms FROM outbox ORDER BY 1"),
    }
