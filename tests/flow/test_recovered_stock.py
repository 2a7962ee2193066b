"""Stock documents that the cloud told a restored hub before their device offers them again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hub.contract.oms_envelope import CloudEvent
from hub.contract.oms_events import STOCK_COUNTED, STOCK_MOVED
from hub.service.handlers.recovery import RecoverEvents
from tests.support.shop import Shop


def receive(shop: Shop) -> dict[str, Any]:
    return {
        "receipt_id": shop.id(),
        "reference": "D-17",
        "lines": [{"sku": "tea", "qty": 5}, {"sku": "milk", "qty": 2}],
    }


def adjust(shop: Shop) -> dict[str, Any]:
    return {"adjustment_id": shop.id(), "sku": "tea", "qty": 5, "reason": "found"}


def from_cloud(shop: Shop, type_: str, aggregate: str) -> CloudEvent:
    """The event about a document as the cloud gives it back."""
    row = shop.one(
        "SELECT event_id, data FROM outbox WHERE type = ? AND aggregate = ?", type_, aggregate
    )
    assert row is not None
    return CloudEvent(
        id=row[0],
        source="/stores/367/hubs/lost/7",
        type=type_,
        stream="stock",
        sequence=f"{1:020d}",
        partitionkey=aggregate,
        data=json.loads(row[1]),
    )


@pytest.mark.parametrize(
    ("address", "made"), [("stock/receive", receive), ("stock/adjust", adjust)]
)
def test_a_document_recovered_from_the_cloud_is_not_booked_again_when_its_device_offers_it(
    make_shop: Callable[..., Shop], address: str, made: Callable[[Shop], dict[str, Any]]
) -> None:
    lost, restored = make_shop(seed=1), make_shop(seed=2)
    for shop in (lost, restored):
        shop.sign_in("till-1", "mia")
    body = made(lost)
    document_id = body.get("receipt_id") or body["adjustment_id"]
    first = lost.ok("till-1", address, body)
    restored.internal(RecoverEvents((from_cloud(lost, STOCK_MOVED, document_id),), (0,)))
    assert restored.level("tea")["sellable"] == 25

    again = restored.ask("till-1", address, body)

    assert again.result == first
    assert restored.level("tea")["sellable"] == 25, "the goods came once"
    assert again.seq > 0
    assert len(restored.all("SELECT 1 FROM outbox WHERE aggregate = ?", document_id)) == 1


@pytest.mark.parametrize("opened_here", [True, False])
def test_a_count_recovered_from_the_cloud_is_not_booked_again_when_its_device_offers_it(
    make_shop: Callable[..., Shop], opened_here: bool
) -> None:
    lost, restored = make_shop(seed=1), make_shop(seed=2)
    count_id = lost.id()
    begin = {"count_id": count_id, "sku": "tea"}
    end = {"count_id": count_id, "counted_qty": 17}
    for shop in (lost, restored):
        shop.sign_in("till-1", "mia")
    opened = lost.ok("till-1", "stock/open-count", begin)
    if opened_here:
        restored.ok("till-1", "stock/open-count", begin)
    first = lost.ok("till-1", "stock/close-count", end)
    restored.internal(RecoverEvents((from_cloud(lost, STOCK_COUNTED, "tea"),), (0,)))
    assert restored.level("tea")["sellable"] == 17

    assert restored.ok("till-1", "stock/open-count", begin) == opened
    assert restored.ok("till-1", "stock/close-count", end) == first
    assert restored.level("tea")["sellable"] == 17, "three were missing, not six"
    other = restored.no("till-1", "stock/close-count", end | {"counted_qty": 16})
    assert other["code"] == "conflict"


def test_a_document_that_was_sent_anew_is_recovered_once(make_shop: Callable[..., Shop]) -> None:
    lost, restored = make_shop(seed=1), make_shop(seed=2)
    body = receive(lost)
    lost.ok("till-1", "stock/receive", body)
    told = from_cloud(lost, STOCK_MOVED, body["receipt_id"])
    anew = told.model_copy(
        update={
            "id": lost.id(),
            "sequence": f"{2:020d}",
            "data": told.data | {"original_id": told.id},
        }
    )
    restored.internal(RecoverEvents((anew,), (0,)))
    restored.ok("till-1", "stock/receive", body)
    assert restored.level("tea")["sellable"] == 25


def test_what_the_book_lacks_when_a_count_comes_back_is_told_to_the_cloud(
    make_shop: Callable[..., Shop],
) -> None:
    lost, restored = make_shop(seed=1), make_shop(seed=2)
    for shop in (lost, restored):
        shop.sign_in("till-1", "mia")
    count_id = lost.id()
    lost.ok("till-1", "stock/open-count", {"count_id": count_id, "sku": "tea"})
    lost.ok("till-1", "stock/close-count", {"count_id": count_id, "counted_qty": 0})
    gone = {"adjustment_id": restored.id(), "sku": "tea", "qty": -12, "reason": "broken"}
    restored.ok("till-1", "stock/adjust", gone)

    restored.internal(RecoverEvents((from_cloud(lost, STOCK_COUNTED, "tea"),), (0,)))

    assert restored.level("tea")["sellable"] == 0
    known = from_cloud(lost, STOCK_COUNTED, "tea").id
    told = [
        (one["from"], one["to"], one["qty"])
        for (data,) in restored.all(
            "SELECT data FROM outbox WHERE event_id <> ? ORDER BY id", known
        )
        for one in json.loads(data).get("movements", ())
    ]
    assert told[-2:] == [("sellable", "shrink", 12), ("shrink", "sellable", 12)]
