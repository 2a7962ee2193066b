"""Mending that changes rows: done and written down in one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.contract.problems import Refusal
from hub.service import auditlog
from hub.service.caller import Caller, CallerKind
from hub.service.handlers.mending import NoteAction, ResendParked
from hub.service.handlers.parking import ParkPoison
from hub.storage import audit, hubrow, outbox
from tests.support.gatebench import now
from tests.support.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    try:
        yield shop
    finally:
        shop.close()


def sell_some(shop: Shop, count: int) -> list[int]:
    """Sales; the work numbers of their first events."""
    shop.product("milk", price_minor=100)
    shop.stock_up("milk", 100)
    shop.sign_in("till-1")
    numbers = []
    for _ in range(count):
        before = outbox.last_id(shop.rows)
        shop.sell("till-1", "milk", 1, 100)
        numbers.append(before + 1)
    return numbers


def resend(shop: Shop) -> int:
    """As a technician has it done."""
    caller = Caller(CallerKind.WEB, "technician-12345678")
    return int(now(shop.gate.internal(caller, ResendParked())))


def notes(shop: Shop) -> list[tuple[str, str]]:
    return [(row.action, row.subject) for row in audit.walk(shop.rows)]


def test_all_that_the_cloud_refused_is_sent_again_in_order_and_noted(shop: Shop) -> None:
    numbers = sell_some(shop, 3)
    for number in numbers[:2]:
        assert shop.internal(ParkPoison(number, "poison-event", "can't be read"))
    assert outbox.count_parked(shop.rows) == 2
    last = outbox.last_id(shop.rows)
    assert resend(shop) == 2
    assert outbox.count_parked(shop.rows) == 0
    again = [outbox.get(shop.rows, last + n) for n in (1, 2)]
    originals = [json.loads(row.data)["original_id"] for row in again if row is not None]
    assert len(set(originals)) == 2
    assert [one for one, _ in notes(shop)].count("outbox.resent") == 2
    assert resend(shop) == 0


def test_a_hub_that_was_replaced_sends_nothing_again(shop: Shop) -> None:
    (number,) = sell_some(shop, 1)
    shop.internal(ParkPoison(number, "poison-event", "can't be read"))
    shop.tx(lambda tx: hubrow.set_fence(tx, "superseded"))
    with pytest.raises(Refusal, match="superseded"):
        resend(shop)
    assert outbox.count_parked(shop.rows) == 1


def test_what_is_noted_of_an_action_is_part_of_the_chain_and_holds_no_card(shop: Shop) -> None:
    shop.internal(NoteAction("outbox.retry", "asked", ""))
    shop.internal(NoteAction("outbox.retry", "failed", "card 4111 1111 1111 1111 " + "x" * 999))
    asked, ended = audit.walk(shop.rows)
    assert (asked.action, asked.subject, asked.data) == (
        "action.asked",
        "outbox.retry",
        '{"outcome":"asked"}',
    )
    assert ended.action == "action.ended"
    assert "4111 1111 1111 1111" not in ended.data
    assert len(ended.data) < 400
    assert auditlog.verify(shop.rows).broken_seq is None
