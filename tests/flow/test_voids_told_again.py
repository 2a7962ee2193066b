"""A void that a till repeated under another key comes back to a hub that was put back, too."""

from __future__ import annotations

import pytest

from tests.support.copies import Copies, Till, facts_of, from_cloud, told_events
from tests.support.shop import Shop

DAY_S = 86_400.0


def voided(shop: Shop, till: Till) -> dict[str, str]:
    """A sale before the copy's time, voided twice after it; the till keeps its second word only."""
    body = {"sale_id": till.kept[0][1]["sale_id"], "reason": "changed their mind"}
    first = till.ask("sale/void", body)
    again = till.ask("sale/void", body)
    assert again.result | {"receipt_printed": False} == first.result | {"receipt_printed": False}
    till.kept = till.kept[2:]
    return body


@pytest.fixture
def till(shop: Shop) -> Till:
    shop.sign_in("till-1", "mia")
    made = Till(shop)
    made.sell(tenders=[shop.card(998)])
    return made


def test_it_is_taken_in_as_it_was_after_its_day_though_nobody_may_void_any_more(
    shop: Shop, copies: Copies, till: Till
) -> None:
    copy = copies.take(shop)
    voided(shop, till)
    shop.clock.advance(DAY_S)
    restored = copies.put_back(copy, shop)
    restored.run("DELETE FROM sign_ins")
    answer = till.offer(restored)
    assert answer.ok, answer.text
    assert facts_of(restored) == facts_of(shop)
    assert told_events(restored) == told_events(shop)
    assert restored.internal(from_cloud(shop)).failed == 0
    assert facts_of(restored) == facts_of(shop), "and the cloud's word changes nothing"


def test_without_the_hubs_own_word_it_is_judged_as_new(
    shop: Shop, copies: Copies, till: Till
) -> None:
    copy = copies.take(shop)
    body = voided(shop, till)
    shop.clock.advance(DAY_S)
    restored = copies.put_back(copy, shop)
    restored.sign_in("till-1", "mia")
    assert "only today's" in restored.no("till-1", "sale/void", body)["detail"]
    assert restored.internal(from_cloud(shop)).failed == 0
    assert restored.ok("till-1", "sale/void", body)["sale_id"] == body["sale_id"]


def test_what_came_back_from_the_cloud_is_the_hubs_own_word_again(
    shop: Shop, copies: Copies, till: Till
) -> None:
    copy = copies.take(shop)
    body = voided(shop, till)
    restored = copies.put_back(copy, shop)
    restored.internal(from_cloud(shop))
    restored.sign_in("till-1", "mia")
    later = Till(restored)
    later.ask("sale/void", body)
    shop.clock.advance(DAY_S)
    once_more = copies.put_back(copy, shop)
    assert later.offer(once_more).ok
    assert facts_of(once_more)["sales"] == facts_of(shop)["sales"]


def test_a_void_from_before_its_event_was_noted_is_answered_as_ever(shop: Shop, till: Till) -> None:
    body = voided(shop, till)
    shop.run("UPDATE sales SET void_outbox_id = NULL")
    assert shop.ask("till-1", "sale/void", body).body.get("record") is None
