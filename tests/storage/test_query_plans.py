"""No statement of the shop's day reads a table that grows from its beginning to its end."""

from __future__ import annotations

import re
from pathlib import Path

from hub.service.handlers.printing import (
    BeginPrint,
    EndPrint,
    ExpirePrinting,
    RecoverPrinting,
)
from hub.storage import printrows
from tests.storage.freeze import trade
from tests.support import ordering
from tests.support.shop import Shop

GROWING = (
    *("audit", "barcodes", "basket_lines", "baskets", "documents", "holds", "journals"),
    *(
        "orders",
        "orders_forgotten",
        "order_lines",
        "order_steps",
        "movements",
        "outbox",
        "prices",
        "print_copies",
        "print_jobs",
        "products",
        "requests",
    ),
    *("return_lines", "returns"),
    *("sale_lines", "sales", "skus", "stock", "tenders"),
)
ORDERED_BY_KEY = re.compile(r"ORDER BY (?:m\.|k\.)?(?:seq|id)(?: DESC)? LIMIT", re.I)
"""Reading along the primary key up to a limit is a scan in name only."""


def test_every_statement_of_a_day_finds_its_rows_by_an_index(tmp_path: Path) -> None:
    shop = Shop(tmp_path, print_receipts=True, has_drawer=lambda _device: True)
    seen: set[str] = set()
    for conn in (shop.core.conn, shop.rows._conn):
        conn.set_trace_callback(seen.add)
    trade(shop)
    body = {"sale_id": shop.value("SELECT sale_id FROM sales")}
    shop.ok("till-1", "sale/get", body)
    shop.ok("till-1", "sale/list")
    shop.ok("till-1", "basket/list")
    shop.ok("till-1", "approval/list")
    shop.ok("till-1", "catalog/look-up", {"code": "4006381333931"})
    shop.ok("till-1", "hub/info")
    shop.sign_in("till-1", "mia")
    tea = {"code": "tea", "qty": 50, "unit_price_minor": 499}
    override = shop.sale(tea, total_minor=50 * 499) | {"stock_override": {"reason": "seen"}}
    shop.ok("till-1", "sale/commit", override)
    print_and_ask(shop)
    serve_online(shop)
    shop.run("UPDATE streams SET acked_seq = head_seq")
    for days in (40, 400):
        shop.clock.advance(days * 86_400)
        shop.housekeep()
    for conn in (shop.core.conn, shop.rows._conn):
        conn.set_trace_callback(None)

    scans = {}
    for sql in sorted(seen):
        if not re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE)", sql) or _by_the_test(sql):
            continue
        for row in shop.core.conn.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall():
            found = re.match(r"SCAN (\w+)", row[3])
            if found and _table(sql, found[1]) in GROWING and not _bounded(sql, row[3]):
                scans[sql] = row[3]
    shop.close()
    assert len(seen) > 100
    assert not scans


def test_what_a_sale_asks_of_the_print_queue_costs_as_many_drawers_as_wait(tmp_path: Path) -> None:
    """However many receipts wait while the printers are off."""
    shop = Shop(tmp_path, print_receipts=True, has_drawer=lambda _device: True)
    shop.product("tea", 499, stock=50)
    shop.sign_in("till-1")
    tea = {"code": "tea", "qty": 1, "unit_price_minor": 499}
    for number in range(4):
        shop.ok("till-1", "sale/commit", shop.sale(tea, total_minor=499, print_receipt=number > 0))
    seen: list[str] = []
    shop.rows._conn.set_trace_callback(seen.append)
    found = [printrows.count_open(shop.rows, kicks=kicks) for kicks in (True, False)]
    shop.rows._conn.set_trace_callback(None)
    assert found == [4, 3]
    for sql in seen:
        (plan,) = shop.core.conn.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
        assert "SEARCH print_jobs USING" in plan[3]
        assert "print_jobs_open (priority" in plan[3]
    shop.close()


def print_and_ask(shop: Shop) -> None:
    """A receipt that is printed, one that nobody knows about, and a copy."""
    tea = {"code": "tea", "qty": 1, "unit_price_minor": 499}
    override = {"stock_override": {"reason": "seen"}, "print_receipt": True}
    for _ in range(2):
        shop.ok("till-1", "sale/commit", shop.sale(tea, total_minor=499) | override)
    jobs = [row.job_id for row in printrows.waiting(shop.rows) if row.kind == "sale"]
    for job_id in jobs:
        shop.internal(BeginPrint(job_id, "counter"))
    shop.internal(EndPrint(jobs[1], 1, "printed"))
    shop.ok("till-1", "print/settle", {"job_id": jobs[0], "answer": "again"})
    shop.internal(RecoverPrinting())
    shop.internal(ExpirePrinting())
    for state in ("open", "ambiguous", "all"):
        shop.ok("till-1", "print/list", {"state": state})


def serve_online(shop: Shop) -> None:
    """An order that is short, changed, filled and given out, and one that is cancelled."""
    shop.stock_up("tea", 60)
    for name in ("o-1", "o-2"):
        ordering.tell(shop, "order.assigned", ordering.order(name, {"tea": 100, "none": 1}))
    shop.stock_up("tea", 200)
    shop.housekeep()
    for version, more in enumerate(
        ({"note": "x"}, {"state": "ready"}, {"state": "handed_over"}), 2
    ):
        data = {"order_id": "o-1", "version": version, **more}
        ordering.tell(shop, "order.changed", data)
    ordering.tell(shop, "order.cancelled", {"order_id": "o-2", "version": 2})
    for which in ("open", "short", "all"):
        shop.ok("till-1", "order/list", {"which": which})
    shop.ok("till-1", "order/get", {"order_id": "o-1"})


def _bounded(sql: str, plan: str) -> bool:
    """Whether what is scanned stays small: live baskets, those ended within a week, open
    orders and what they lack, a page."""
    return (
        plan.endswith(("baskets_live", "print_jobs_open", "orders_open", "order_lines_short"))
        or "FROM baskets WHERE state IN ('closed'" in sql
        or ORDERED_BY_KEY.search(sql) is not None
    )


def _table(sql: str, name: str) -> str:
    """The table behind an alias."""
    found = re.search(rf"\b(\w+) (?:AS )?{name}\b", sql)
    return found[1] if found and found[1].lower() in GROWING else name


def _by_the_test(sql: str) -> bool:
    """Statements of the test's own furnishing."""
    return "DELETE FROM prices" in sql or "sqlite_schema" in sql or sql.endswith("FROM sales")
