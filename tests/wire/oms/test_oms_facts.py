"""What events do to the OMS's own books."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from pysqlite3 import dbapi2

from hub.contract.oms_events import RETURN_COMPLETED, SALE_COMPLETED, SALE_VOIDED
from hub.contract.publish import order_samples
from tests.wire.oms.cloud_room import IDS, Cloud, sale_data


def _query(cloud: Cloud, sql: str) -> list[tuple[Any, ...]]:
    """Read the database as an independent comparer would."""
    with closing(dbapi2.connect(f"file:{cloud.state}/oms.db?mode=ro", uri=True)) as db:
        return list(db.execute(sql).fetchall())


async def test_a_sale_is_in_the_books_with_lines_tenders_and_levels(cloud: Cloud) -> None:
    hub = await cloud.bench.new_hub()
    sale_id = IDS.uuid7()
    await hub.send(hub.event(SALE_COMPLETED, sale_data(sale_id), stream="sales"))
    assert _query(cloud, "SELECT sale_id, total_minor, state FROM sales") == [
        (sale_id, 300, "completed")
    ]
    assert _query(cloud, "SELECT sale_id, line_no, sku, qty, net_minor FROM sale_lines") == [
        (sale_id, 1, "APPLE", 2, 300)
    ]
    assert _query(cloud, "SELECT kind, amount_minor FROM tenders") == [("cash", 300)]
    assert _query(cloud, "SELECT sku, bucket, qty FROM levels") == [("APPLE", "sellable", -2)]
    assert _query(cloud, "SELECT source, stream, seq FROM events") == [(hub.source, "sales", 1)]
    (sale,) = (await cloud.admin("sales"))["sales"]
    assert (sale["sale_id"], len(sale["sale_lines"]), len(sale["tenders"])) == (sale_id, 1, 1)
    assert (await cloud.admin("stats"))["revenue_minor"] == 300
    assert (await cloud.admin("levels?sku=APPLE"))["levels"] == {"APPLE": {"sellable": -2}}


async def test_an_instant_beyond_what_a_database_holds_is_taken(cloud: Cloud) -> None:
    hub = await cloud.bench.new_hub()
    late = sale_data(IDS.uuid7()) | {"occurred_at_ms": 1 << 70}
    body = await hub.send(hub.event(SALE_COMPLETED, late, stream="sales"))
    assert body["results"][0]["status"] == "applied"


async def test_a_sale_offered_again_to_a_restored_hub_counts_once(cloud: Cloud) -> None:
    lost = await cloud.bench.new_hub()
    sale_id = IDS.uuid7()
    await lost.send(lost.event(SALE_COMPLETED, sale_data(sale_id), stream="sales"))
    restored = await cloud.bench.new_hub(reason="restored", incarnation=lost.reply.incarnation)
    again = restored.event(SALE_COMPLETED, sale_data(sale_id, seq=9), stream="sales")
    body = await restored.send(again)
    assert body["results"] == [
        {"id": again["id"], "status": "duplicate", "parked_for": None, "problem": None}
    ]
    assert _query(cloud, "SELECT count(*), sum(total_minor) FROM sales") == [(1, 300)]
    # Levels as of the restored hub's heads hold the sale, though its event came by another source.
    levels = {"APPLE": {"sellable": -2}}
    assert (await restored.digest(restored.at(sales=1), levels))["status"] == "equal"
    assert (await restored.digest(restored.at(sales=0), {}))["status"] == "equal"


async def test_another_sale_under_a_known_id_is_kept_and_rejected(cloud: Cloud) -> None:
    hub = await cloud.bench.new_hub()
    sale_id = IDS.uuid7()
    first = hub.event(SALE_COMPLETED, sale_data(sale_id), stream="sales")
    other = hub.event(SALE_COMPLETED, sale_data(sale_id, qty=3, seq=2), stream="sales")
    body = await hub.send(first, other)
    assert [row["status"] for row in body["results"]] == ["applied", "rejected"]
    assert sale_id in body["results"][1]["problem"]["detail"]
    assert body["acked"] == {hub.source: {"sales": 2}}
    assert _query(cloud, "SELECT total_minor FROM sales") == [(300,)]
    assert _query(cloud, "SELECT status FROM events ORDER BY event") == [
        ("applied",),
        ("rejected",),
    ]
    assert _query(cloud, "SELECT qty FROM levels") == [(-5,)]


async def test_a_void_undoes_its_sale_even_when_it_comes_first(cloud: Cloud) -> None:
    hub = await cloud.bench.new_hub()
    late, early = IDS.uuid7(), IDS.uuid7()
    back = [sale_data(late)["movements"][0] | {"from": "customer", "to": "sellable", "seq": 2}]
    void = {"reason": "wrong till", "staff_id": "900"}
    await hub.send(
        hub.event(SALE_COMPLETED, sale_data(late), stream="sales"),
        hub.event(SALE_VOIDED, {"sale_id": late, "movements": back, **void}, stream="sales"),
        hub.event(SALE_VOIDED, {"sale_id": early, **void}, stream="sales"),
        hub.event(SALE_COMPLETED, sale_data(early, sku="PEAR"), stream="sales"),
    )
    assert _query(cloud, "SELECT DISTINCT state FROM sales") == [("voided",)]
    assert _query(cloud, "SELECT qty FROM levels WHERE sku='APPLE'") == [(0,)]


async def test_a_return_is_in_the_books(cloud: Cloud) -> None:
    hub = await cloud.bench.new_hub()
    sale_id = IDS.uuid7()
    back = {
        "return_id": IDS.uuid7(),
        "sale_id": sale_id,
        "lines": [
            {
                "line_no": 1,
                "sku": "APPLE",
                "qty": 1,
                "refund_minor": 150,
                "tax_minor": 5,
                "disposition": "quarantine",
            }
        ],
        "tenders": [{"kind": "cash", "amount_minor": 150}],
        "total_minor": 150,
        "movements": [
            {
                "seq": 2,
                "sku": "APPLE",
                "qty": 1,
                "from": "customer",
                "to": "quarantine",
                "type": "return_quarantine",
                "ref_line": "1",
            }
        ],
    }
    body = await hub.send(
        hub.event(SALE_COMPLETED, sale_data(sale_id), stream="sales"),
        hub.event(RETURN_COMPLETED, back, stream="sales"),
        hub.event(RETURN_COMPLETED, back, stream="sales"),
    )
    assert [row["status"] for row in body["results"]] == ["applied", "applied", "duplicate"]
    assert _query(cloud, "SELECT bucket, qty FROM levels ORDER BY bucket") == [
        ("quarantine", 1),
        ("sellable", -2),
    ]
    assert _query(cloud, "SELECT amount_minor FROM refunds") == [(150,)]


async def test_an_order_is_open_until_the_hub_says_how_it_ended(cloud: Cloud) -> None:
    hub = await cloud.bench.new_hub()
    for order_id in ("o-1", "o-2"):
        lines = [{"line_no": 1, "sku": "APPLE", "qty": 1}]
        order = {"type": "order.assigned", "data": {"order_id": order_id, "lines": lines}}
        await cloud.admin("commands", order)
    gone = order_samples.event("handed_over") | {"order_id": "o-1"}
    done = hub.event("com.storehub.fulfilment.handed_over.v1", gone, stream="orders")
    await hub.send(done)
    again = await cloud.bench.new_hub()
    assert [order.order_id for order in again.reply.open_orders] == ["o-2"]
    assert again.reply.open_orders[0].lines[0].sku == "APPLE"
