"""Unsent events that move to another source aren't safe before the cloud has them there."""

from __future__ import annotations

from hub.service.handlers.cloud import EnterFork, MarkAcked
from hub.storage import outbox
from tests.support.copies import Copies, Till
from tests.support.shop import Shop


def fork(shop: Shop, name: str) -> None:
    shop.internal(EnterFork(name, "a" * 64, "it is a copy", True))


def ack_all(shop: Shop, *streams: str) -> None:
    """The cloud has what waits in these streams, or in all."""
    marks = shop.all(
        "SELECT s.uri, t.stream, t.head_seq FROM streams t JOIN sources s ON s.id = t.source"
    )
    shop.internal(MarkAcked(tuple(one for one in marks if not streams or one[1] in streams)))


def test_a_sale_whose_event_has_moved_is_safe_when_the_cloud_has_it(
    shop: Shop, copies: Copies
) -> None:
    before = outbox.last_id(shop.rows)
    ack_all(shop)
    assert outbox.safe_id(shop.rows) == before
    till = Till(shop)
    first = till.sell()
    box = copies.put_back(copies.take(shop), shop)
    fork(box, "f7")
    again = till.offer(box)
    assert (again.seq, again.result) == (first.seq, first.result)
    assert outbox.safe_id(box.rows) == before < again.seq
    fork(box, "f8")  # and once more, before any of it was sent
    assert outbox.safe_id(box.rows) == before
    ack_all(box, "stock", "telemetry")
    assert outbox.safe_id(box.rows) == before
    ack_all(box)
    assert outbox.safe_id(box.rows) == outbox.last_id(box.rows) > again.seq


def test_what_is_told_after_a_move_is_as_safe_as_ever(shop: Shop, copies: Copies) -> None:
    ack_all(shop)
    Till(shop).sell()
    box = copies.put_back(copies.take(shop), shop)
    fork(box, "f7")
    ack_all(box)
    safe = outbox.safe_id(box.rows)
    later = Till(box).sell()
    assert outbox.safe_id(box.rows) == safe < later.seq
    ack_all(box)
    assert outbox.safe_id(box.rows) >= later.seq
