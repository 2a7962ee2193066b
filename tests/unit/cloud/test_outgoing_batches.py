"""What goes into a request, and in which order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.contract.oms_envelope import CloudEvent
from hub.service.outgoing import Limits, MustPark, Outgoing, next_batch
from hub.storage import hubrow, outbox, relinkrows
from hub.storage.rows import Tx
from tests.support.quickdb import open_quickly

LIMITS = Limits(200, 262_144)


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Tx]:
    conn = open_quickly(tmp_path / "hub.db")
    made = Tx(conn, 1_767_261_600_000, 0)
    hubrow.found(made, "367", "hub-test", "m" * 64, "f1")
    yield made
    conn.close()


def write(tx: Tx, stream: str, aggregate: str, **data: Any) -> int:
    source, _ = hubrow.source_and_fence(tx)
    row = tx.one("SELECT count(*) FROM outbox")
    assert row is not None
    return outbox.append(
        tx,
        source=source,
        stream=stream,
        event_id=f"event-{row[0]}",
        type_="com.storehub.cash.moved.v1",
        aggregate=aggregate,
        data=json.dumps(data, ensure_ascii=False, separators=(",", ":")),
    )


def batch(tx: Tx, limits: Limits = LIMITS, **acked: int) -> Outgoing:
    uri = hubrow.get(tx).source_uri
    found = next_batch(tx, "367", {(uri, name): seq for name, seq in acked.items()}, limits)
    assert isinstance(found, Outgoing)
    return found


def events(found: Outgoing) -> list[CloudEvent]:
    return [CloudEvent.model_validate(one) for one in json.loads(found.body)]


def test_money_goes_before_sales_before_stock_before_telemetry(tx: Tx) -> None:
    for stream in ("telemetry", "stock", "sales", "orders", "payments"):
        write(tx, stream, "a")
    found = events(batch(tx))
    assert [one.stream for one in found] == ["payments", "orders", "sales", "stock", "telemetry"]


def test_the_stored_data_is_sent_as_it_is_and_odd_names_are_quoted(tx: Tx) -> None:
    write(tx, "sales", 'a "quoted" Käse', note='"}],[{"', emoji="🧀")
    (event,) = events(batch(tx))
    assert event.partitionkey == event.subject == 'a "quoted" Käse'
    assert event.data == {"note": '"}],[{"', "emoji": "🧀"}
    assert event.time == "2026-01-01T10:00:00.000Z"
    assert event.seq == 1


def test_a_batch_ends_at_its_events_and_at_its_bytes_but_takes_one_at_least(tx: Tx) -> None:
    for number in range(5):
        write(tx, "sales", f"a{number}", text="x" * 1000)
    few = batch(tx, Limits(3, 262_144))
    assert (len(few.sent), few.full) == (3, True)
    small = batch(tx, Limits(200, 100))
    assert (len(small.sent), small.full) == (1, True)
    rest = batch(tx, sales=3)
    assert [one.seq for one in rest.sent] == [4, 5]
    assert not rest.full


def test_events_of_a_parked_aggregate_wait_and_its_resends_do_not(tx: Tx) -> None:
    first = write(tx, "payments", "p-1", n=1)
    write(tx, "payments", "p-1", n=2)
    write(tx, "payments", "p-2", n=3)
    row = outbox.get(tx, first)
    assert row is not None
    outbox.park(tx, row, "marker-1", "com.storehub.outbox.parked.v1", "{}", "poison")
    marker = batch(tx)
    assert [one.event_id for one in marker.sent] == ["marker-1"]
    uri = hubrow.get(tx).source_uri
    waits = next_batch(tx, "367", {(uri, "payments"): 1}, LIMITS)
    assert waits == MustPark(first + 1, "p-1")
    write(tx, "sales", "p-1", original_id="event-0")
    resent = batch(tx, payments=3)
    assert [one.lane[1] for one in resent.sent] == ["sales"]


def test_rows_that_are_gone_are_stood_in_for_by_markers(tx: Tx) -> None:
    for number in range(4):
        write(tx, "sales", "a", n=number)
    tx.run("DELETE FROM outbox WHERE seq IN (1, 2)")
    found = batch(tx)
    assert (found.missing, [one.seq for one in found.sent]) == (2, [1, 2, 3, 4])
    markers = events(found)[:2]
    assert {one.type for one in markers} == {"com.storehub.outbox.parked.v1"}
    assert len({one.id for one in markers}) == 2
    assert batch(tx).body == found.body


def test_a_rehomed_event_keeps_its_id_and_takes_a_new_place(tx: Tx) -> None:
    for number in range(3):
        write(tx, "sales", "a", n=number)
    old = hubrow.get(tx).source_uri
    outbox.set_acked(tx, old, "sales", 1)
    source = relinkrows.set_fork(tx, fork="f2", fence="restored", machine_hash="m" * 64)
    assert relinkrows.rehome(tx, source) == 2
    write(tx, "sales", "a", n=3)
    found = batch(tx)
    new = hubrow.get(tx).source_uri
    assert new != old
    assert [(one.lane[0], one.seq, one.event_id) for one in found.sent[:2]] == [
        (new, 1, "event-1"),
        (new, 2, "event-2"),
    ]
    assert [one.seq for one in found.sent] == [1, 2, 3]
