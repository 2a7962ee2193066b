"""A link of which nobody here knows whether it was sent is called back, or asked for under its own
key, before another is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.domain.payments.work import Hand, WorkKind
from hub.service.payments import links as sending
from hub.service.payments.commands import (
    EndWork,
    Leased,
    LeaseWork,
    ProcessorSaid,
    RecoverPayments,
)
from hub.storage import linkrows
from hub.storage.linkrows import LinkRow
from tests.flow.payments.test_link_money import links_of, put_back, recovered, row_of
from tests.flow.payments.test_links import ask, link, links, owed
from tests.flow.payments.test_links_called_back import close, part_back
from tests.support.copies import Copies
from tests.support.paying import rules
from tests.support.payingwork import HOUR_MS, WorkingShop
from tests.support.shop import Shop

LINK, UNLINK = WorkKind.LINK, WorkKind.UNLINK


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[WorkingShop]:
    (tmp_path / "box").mkdir()
    made = WorkingShop(tmp_path / "box", payments=rules(links=True))
    made.sign_in("till-3", "ben")
    yield made
    made.check_laws()
    made.close()


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[Copies]:
    made = Copies(tmp_path)
    yield made
    for one in made.made:
        one.close()


def on_its_way(shop: WorkingShop, payment: Any) -> LinkRow:
    """A link whose sending nobody has answered."""
    ask(shop, payment)
    assert shop.say(shop.next(Hand.LINKS), "unknown")
    return links(shop, payment)[-1]


# Asked again -------------------------------------------------------------------------------------


def test_what_the_oms_does_not_know_yet_is_called_back_again(shop: WorkingShop) -> None:
    """Its request may still be on its way to the OMS when the recall has arrived."""
    payment = owed(shop)
    key = on_its_way(shop, payment).link_key
    close(shop, payment)
    shop.wait(HOUR_MS)
    assert shop.say(shop.next(Hand.LINKS), "not-found")
    assert (link(shop, payment).state, link(shop, payment).recall) == ("unknown", "wanted")
    assert shop.work(Hand.LINKS) == (), "not at once"
    shop.wait(HOUR_MS)
    again = shop.next(Hand.LINKS)
    assert (again.kind, again.key) == (UNLINK, key)
    assert shop.say(again, "reversed")
    assert (link(shop, payment).state, link(shop, payment).recall) == ("dropped", "done")


def test_what_the_oms_never_heard_of_is_gone_after_a_few_times(shop: WorkingShop) -> None:
    payment = owed(shop)
    on_its_way(shop, payment)
    close(shop, payment)
    times = 0
    while link(shop, payment).recall == "wanted":
        shop.wait(HOUR_MS)
        assert shop.say(shop.next(Hand.LINKS), "not-found")
        times += 1
    assert times == sending.GONE_TIMES
    assert (link(shop, payment).state, link(shop, payment).reason) == ("dropped", sending.GONE)
    shop.wait(HOUR_MS)
    assert shop.work(Hand.LINKS) == ()


def test_another_is_sent_for_one_that_the_oms_never_heard_of(shop: WorkingShop) -> None:
    payment = owed(shop, amount_minor=1497)
    on_its_way(shop, payment)
    part_back(shop, payment)
    for _ in range(sending.GONE_TIMES):
        shop.wait(HOUR_MS)
        shop.sign_in("till-1", "mia")
        assert shop.say(work := shop.next(Hand.LINKS), "not-found")
        assert (work.kind, work.amount_minor) == (UNLINK, 1497)
    another = shop.next(Hand.LINKS)
    assert (another.kind, another.amount_minor) == (LINK, 998)


def test_another_asks_for_what_is_left_when_the_one_under_way_has_not_left(
    shop: WorkingShop,
) -> None:
    payment = owed(shop, amount_minor=1497)
    ask(shop, payment)
    under_way = shop.next(Hand.LINKS)
    part_back(shop, payment)
    assert shop.say(under_way, "not-sent")
    shop.wait(HOUR_MS)
    another = shop.next(Hand.LINKS)
    assert (another.kind, another.amount_minor) == (LINK, 998)
    assert [one.state for one in links(shop, payment)] == ["dropped", "sending"]


def test_one_that_was_sent_and_whose_contact_is_forgotten_meanwhile_is_called_back(
    shop: WorkingShop,
) -> None:
    payment = owed(shop)
    key = on_its_way(shop, payment).link_key
    shop.ok("till-1", "payment/contact", {"payment_id": payment["payment_id"]})
    shop.wait(HOUR_MS)
    assert shop.work(Hand.LINKS) == ()
    work = shop.next(Hand.LINKS)
    assert (work.kind, work.key) == (UNLINK, key)
    assert shop.say(work, "reversed")
    assert link(shop, payment).state == "dropped"


# Copied ------------------------------------------------------------------------------------------


def leased(shop: Shop) -> tuple[Leased, ...]:
    found: tuple[Leased, ...] = shop.internal(LeaseWork(Hand.LINKS))
    return found


def said(shop: Shop, work: Leased, outcome: Any) -> None:
    assert shop.internal(EndWork(work, ProcessorSaid(outcome)))


def restored_from(copies: Copies, copy: Path, lost: WorkingShop) -> Shop:
    """The hub in the lost one's place, as it starts, and when it has heard what that one told."""
    restored = put_back(copies, copy, lost)
    restored.internal(RecoverPayments())
    recovered(restored, lost)
    return restored


def test_one_that_a_copy_has_as_not_sent_is_called_back_when_it_is_not_owed_any_more(
    shop: WorkingShop, copies: Copies
) -> None:
    payment = owed(shop)
    ask(shop, payment)
    copy = copies.take(shop)
    key = shop.next(Hand.LINKS).key  # the lost hub has sent it
    close(shop, payment)
    restored = restored_from(copies, copy, shop)
    (work,) = leased(restored)
    assert (work.kind, work.key) == (UNLINK, key)
    said(restored, work, "reversed")
    assert links_of(restored, payment) == ["dropped"]


def test_one_that_a_copy_has_as_not_sent_and_is_owed_is_asked_for_under_its_own_key(
    shop: WorkingShop, copies: Copies
) -> None:
    payment = owed(shop)
    ask(shop, payment)
    copy = copies.take(shop)
    before = shop.next(Hand.LINKS)
    restored = restored_from(copies, copy, shop)
    assert links_of(restored, payment) == ["unknown"]
    (work,) = leased(restored)
    assert (work.kind, work.key, work.amount_minor) == (LINK, before.key, before.amount_minor)
    assert work.first_sent_at_ms is not None
    said(restored, work, "not-sent")
    assert links_of(restored, payment) == ["wanted"]
    (row,) = linkrows.of_payment(restored.rows, row_of(restored, payment).id)
    assert row.sent_at_ms is not None, "that the lost one may have sent it stays true"


def test_one_that_a_copy_has_as_not_sent_is_called_back_before_another_asks_for_less(
    shop: WorkingShop, copies: Copies
) -> None:
    payment = owed(shop, amount_minor=1497)
    ask(shop, payment)
    copy = copies.take(shop)
    shop.next(Hand.LINKS)
    part_back(shop, payment)
    restored = restored_from(copies, copy, shop)
    (work,) = leased(restored)
    assert (work.kind, work.amount_minor) == (UNLINK, 1497)
    assert leased(restored) == ()
    said(restored, work, "reversed")
    (another,) = leased(restored)
    assert (another.kind, another.amount_minor) == (LINK, 998)


def test_money_that_came_by_one_that_a_copy_has_as_not_sent_is_in_the_book(
    shop: WorkingShop, copies: Copies
) -> None:
    payment = owed(shop)
    ask(shop, payment)
    copy = copies.take(shop)
    shop.next(Hand.LINKS)
    close(shop, payment)
    restored = restored_from(copies, copy, shop)
    (work,) = leased(restored)
    said(restored, work, "captured")
    assert links_of(restored, payment) == ["surplus"]
