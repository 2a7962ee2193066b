"""The technician's pages in a shop with a hundred thousand of everything: no query of theirs reads
a growing table from its beginning to its end, and page after page is the whole list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hub.contract.base import Incoming
from hub.contract.pages.cloud import CommandsQuery, EventQuery, EventsQuery, ParkedQuery
from hub.contract.pages.devices import DeviceQuery, DevicesQuery
from hub.contract.pages.history import (
    LinkHistoryQuery,
    OutageQuery,
    OutagesQuery,
    SalesHistoryQuery,
    SpeedHistoryQuery,
)
from hub.contract.pages.orders import OrderQuery, OrdersQuery
from hub.contract.pages.payments import AllPaymentsQuery, PaymentQuery, PaymentsQuery
from hub.contract.pages.printing import EndedQuery, JobQuery, PrintingQuery
from hub.contract.pages.sales import (
    BasketQuery,
    BasketsQuery,
    DaysQuery,
    SaleQuery,
    SalesQuery,
)
from hub.contract.pages.stock import CountsQuery, LedgerQuery, ProductQuery, ProductsQuery
from hub.contract.problems import Refusal
from hub.documents.templates import Template
from hub.service.books import Books
from hub.service.caller import HUB
from hub.service.gate import ReadUnit
from hub.service.pages import (
    cloud,
    devices,
    history,
    orders,
    outages,
    payments,
    printing,
    sales,
    stock,
    support,
)
from hub.service.shop import Shop
from hub.storage.readers import LoopReader
from tests.storage import pagerows
from tests.storage.pagerows import DAYS, FEW, MANY, sku, uuid

GROWING = (
    *("audit", "barcodes", "basket_lines", "baskets", "documents", "holds", "movements", "outbox"),
    *("prices", "products", "requests", "return_lines", "returns", "sale_lines", "sales"),
    *("skus", "stock", "tenders", "commands", "day_totals", "parked", "print_jobs"),
    *("payments", "payment_steps", "orders", "order_lines", "order_steps"),
)
ALONG_A_KEY = re.compile(
    r"ORDER BY (?:\w\.)?(?:seq|id|number|outbox_id)(?: DESC)? LIMIT"
    r"|SELECT max\((?:id|seq)\) FROM"
    r"|parked WHERE resent_at_ms IS NULL",
    re.I,
)
"""Reading along the primary key up to a limit is a scan in name only; what is parked is few."""
SMALL = re.compile(
    r"FROM (?:devices|certificates|payment_words)"
    r"|FROM payments(?: p)?\s+WHERE state NOT IN .* (?:ORDER|GROUP) BY",
    re.S,
)
"""A shop's devices, the certificates of one, what people said of a payment; and payments that still
need something, which the caps keep few."""
FEW_OPEN = ("baskets_live", "payments_open", "orders_open")
SHOP = Shop(
    store="367",
    name="Corner Shop",
    hub_name="hub",
    currency="EUR",
    zone=ZoneInfo("Europe/Berlin"),
    timezone="Europe/Berlin",
    version="0",
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("pages") / "hub.db"
    pagerows.write(path)
    return path


@pytest.fixture
def reader(database: Path) -> Iterator[LoopReader]:
    with LoopReader(database) as rows:
        yield rows


def unit_of(rows: LoopReader) -> ReadUnit:
    return ReadUnit(rows, HUB, SHOP, Books("EUR"), 1_795_000_000_000, 0)


ASKED: tuple[tuple[Callable[[ReadUnit, Any], Any], Incoming], ...] = (
    (devices.listed, DevicesQuery(q="till", limit=200)),
    (devices.one, DeviceQuery(device_id="till-01")),
    (stock.products, ProductsQuery(limit=200)),
    (stock.products, ProductsQuery(cursor="SKU-099000")),
    (stock.products, ProductsQuery(q="SKU-0001")),
    (stock.products, ProductsQuery(q="00000000000042")),
    (stock.products, ProductsQuery(q="thing numb")),
    (stock.product, ProductQuery(sku=sku(7))),
    (stock.ledger, LedgerQuery(sku=sku(7), limit=200)),
    (stock.counts, CountsQuery(limit=200)),
    (sales.days, DaysQuery()),
    (sales.listed, SalesQuery(limit=200)),
    (sales.listed, SalesQuery(day="2026-02-03", limit=200)),
    (sales.listed, SalesQuery(day="2026-02-03", q="001-", limit=200)),
    (sales.listed, SalesQuery(q="0", limit=200)),
    (sales.listed, SalesQuery(q="003-0012")),
    (sales.listed, SalesQuery(q=uuid(500))),
    (sales.one, SaleQuery(sale_id=uuid(500))),
    (sales.baskets, BasketsQuery(limit=200)),
    (sales.baskets, BasketsQuery(state="open")),
    (sales.basket, BasketQuery(basket_id=uuid(5))),
    (cloud.events, EventsQuery(limit=200)),
    (cloud.events, EventsQuery(stream="telemetry", limit=200)),
    (cloud.events, EventsQuery(state="waiting", limit=200)),
    (cloud.event, EventQuery(outbox_id=99_001)),
    (cloud.parked, ParkedQuery(limit=200)),
    (cloud.commands, CommandsQuery(limit=200)),
    (history.link, LinkHistoryQuery()),
    (history.speed, SpeedHistoryQuery(hours=168)),
    (history.sales, SalesHistoryQuery(hours=168)),
    (outages.listed, OutagesQuery(limit=2)),
    (outages.one, OutageQuery(outage_id=uuid(1))),
    (outages.one, OutageQuery(outage_id=uuid(3))),
    (payments.overview, PaymentsQuery()),
    (payments.listed, AllPaymentsQuery(limit=200)),
    (payments.listed, AllPaymentsQuery(which="offline", limit=200)),
    (payments.listed, AllPaymentsQuery(which="failed", limit=200)),
    (payments.listed, AllPaymentsQuery(which="back", limit=200)),
    (payments.one, PaymentQuery(payment_id=uuid(500))),
    (
        lambda unit, _: payments.status(unit.rows, unit.shop, unit.now_ms, unit.budget_ms),
        PaymentsQuery(),
    ),
    (orders.listed, OrdersQuery(limit=200)),
    (orders.listed, OrdersQuery(which="short", limit=50)),
    (orders.listed, OrdersQuery(q="W-0001", limit=50)),
    (orders.listed, OrdersQuery(q="W-0001", limit=50, cursor="150")),
    (orders.listed, OrdersQuery(q="order-7")),
    (orders.one, OrderQuery(order_id="order-7")),
    (printing.overview, PrintingQuery()),
    (printing.ended, EndedQuery(limit=200)),
    (printing.ended, EndedQuery(which="failed", limit=200)),
    (printing.ended, EndedQuery(which="drawers", limit=200)),
    (
        lambda unit, query: printing.one(unit, query, Template("Corner Shop")),
        JobQuery(job_id=uuid(500)),
    ),
)


def test_no_page_reads_a_growing_table_from_end_to_end(reader: LoopReader) -> None:
    seen: set[str] = set()
    conn = reader._conn
    conn.set_trace_callback(seen.add)
    unit = unit_of(reader)
    for read, query in ASKED:
        read(unit, query)
    support.read(unit)
    conn.set_trace_callback(None)
    assert len(seen) > 60

    scans = {}
    for sql in sorted(seen):
        if not re.match(r"\s*SELECT", sql):
            continue
        for row in conn.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall():
            found = re.match(r"SCAN (\w+)", row[3])
            is_few = row[3].endswith(FEW_OPEN) or ALONG_A_KEY.search(sql)
            if found and _table(sql, found[1]) in GROWING and not is_few:
                scans[sql] = row[3]
            if "TEMP B-TREE FOR ORDER BY" in row[3] and not SMALL.search(sql):
                scans[sql] = row[3]
    assert not scans


def _table(sql: str, name: str) -> str:
    found = re.search(rf"\b(\w+) (?:AS )?{name}\b", sql)
    return found[1] if found and found[1].lower() in GROWING else name


def pages(read: Callable[..., Any], rows: LoopReader, query: Any, field: str) -> list[Any]:
    """The whole list, page by page."""
    found: list[Any] = []
    while True:
        page = read(unit_of(rows), query)
        found += getattr(page, field)
        if page.next_cursor is None:
            return found
        query = query.model_copy(update={"cursor": page.next_cursor})


def test_a_day_s_sales_are_all_found_newest_first(reader: LoopReader) -> None:
    query = SalesQuery(day="2026-02-03", limit=37)
    found = [one.sale_id for one in pages(sales.listed, reader, query, "sales")]
    assert len(found) == len(set(found)) == MANY // DAYS
    assert found == sorted(found, reverse=True)
    page = sales.listed(unit_of(reader), query)
    assert page.day is not None
    assert page.day.total_minor == 499_000


def test_receipts_that_begin_so_are_all_found_once(reader: LoopReader) -> None:
    query = SalesQuery(q="003-0012", limit=17)
    found = [one.receipt_no for one in pages(sales.listed, reader, query, "sales")]
    assert found == [f"003-{n:06d}" for n in range(1299, 1199, -1)]


def test_what_was_printed_is_listed_once_whatever_ended_at_the_same_instant(
    reader: LoopReader,
) -> None:
    found = pages(printing.ended, reader, EndedQuery(which="failed", limit=33), "jobs")
    assert len(found) == len({one.job_id for one in found}) == 996
    assert [one.number for one in found] == sorted((one.number for one in found), reverse=True)
    assert {one.device_name for one in found} == {"Till 1"}
    page = printing.overview(unit_of(reader), PrintingQuery())
    assert (page.counts.queued, page.counts.ambiguous) == (160, 160)
    assert len(page.open) == len(page.ambiguous) == 100
    assert page.last_ended == MANY - 400


def test_all_payments_are_found_once_also_where_few_fit(reader: LoopReader) -> None:
    found = pages(payments.listed, reader, AllPaymentsQuery(which="back", limit=200), "payments")
    assert len(found) == (MANY - 400) // 4
    ids = [one.id for one in found]
    assert ids == sorted(set(ids), reverse=True)
    page = payments.overview(unit_of(reader), PaymentsQuery())
    assert len(page.people) == 100
    assert not {one.id for one in page.people} & {one.id for one in page.open}


def test_all_orders_are_found_once_open_ones_first(reader: LoopReader) -> None:
    found = pages(orders.listed, reader, OrdersQuery(limit=150), "orders")
    assert len({one.order_id for one in found}) == len(found) == FEW
    assert [one.open for one in found] == [True] * 400 + [False] * (FEW - 400)
    assert found[0].order_id == f"order-{FEW - 399}"
    assert found[400].order_id == f"order-{FEW - 400}"
    short = pages(orders.listed, reader, OrdersQuery(which="short", limit=50), "orders")
    assert len(short) == orders.listed(unit_of(reader), OrdersQuery()).counts.short == 133
    named = pages(orders.listed, reader, OrdersQuery(q="W-0012", limit=30), "orders")
    assert [one.number for one in named] == [f"W-{n:06d}" for n in range(1200, 1300)]


def test_a_product_s_ledger_ends_where_it_began(reader: LoopReader) -> None:
    query = LedgerQuery(sku=sku(7), limit=3)
    found = pages(stock.ledger, reader, query, "entries")
    assert len(found) == MANY // FEW
    assert [one.sellable_after for one in found] == list(range(-20, 0))
    assert all(one.receipt_no and one.sale_id and one.device_id for one in found)


def test_a_cursor_of_another_product_is_refused(reader: LoopReader) -> None:
    page = stock.ledger(unit_of(reader), LedgerQuery(sku=sku(7), limit=3))
    with pytest.raises(Refusal):
        stock.ledger(unit_of(reader), LedgerQuery(sku=sku(8), cursor=page.next_cursor))


def test_live_baskets_with_the_same_instant_all_come_once(reader: LoopReader) -> None:
    found = [
        one.basket_id for one in pages(sales.baskets, reader, BasketsQuery(limit=7), "baskets")
    ]
    assert len(found) == len(set(found)) == 200
    suspended = pages(sales.baskets, reader, BasketsQuery(state="suspended", limit=9), "baskets")
    assert len(suspended) == 100


def test_what_waits_comes_stream_by_stream_in_the_order_it_goes(reader: LoopReader) -> None:
    query = EventsQuery(state="waiting", limit=23)
    found = [(one.stream, one.seq) for one in pages(cloud.events, reader, query, "events")]
    assert len(found) == len(set(found)) == 301
    assert [stream for stream, _ in found] == sorted(
        (stream for stream, _ in found), key=("sales", "stock", "telemetry").index
    )
    for stream in ("sales", "stock", "telemetry"):
        places = [seq for name, seq in found if name == stream]
        assert places == sorted(places)


def test_counts_under_way_are_those_not_ended(reader: LoopReader) -> None:
    page = stock.counts(unit_of(reader), CountsQuery(limit=200))
    assert len(page.under_way) == 100
    assert len(pages(stock.counts, reader, CountsQuery(limit=100), "tasks")) == 499


def test_only_the_newest_thousand_commands_are_kept(reader: LoopReader) -> None:
    found = pages(cloud.commands, reader, CommandsQuery(limit=200), "commands")
    assert [one.command_id for one in found] == [f"c{n}" for n in range(1499, 499, -1)]


def test_a_product_is_found_by_each_of_its_names(reader: LoopReader) -> None:
    for text in ("SKU-000042", "sku-000042", "00000000000042", "thing 42"):
        page = stock.products(unit_of(reader), ProductsQuery(q=text))
        assert sku(42) in [one.sku for one in page.products], text
    many = stock.products(unit_of(reader), ProductsQuery(q="SKU-", limit=10))
    assert len(many.products) == 10
    assert many.more
