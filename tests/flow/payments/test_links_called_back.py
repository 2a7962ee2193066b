"""A payment link for what isn't owed any more is called back, once and durably."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.app import paying
from hub.clock import SystemRandomness
from hub.contract.pages.payments import PaymentQuery
from hub.domain.payments.work import Hand, WorkKind
from hub.security.vault import PaymentVault
from hub.service.books import Books
from hub.service.caller import HUB
from hub.service.gate import ReadUnit
from hub.service.notices import PaymentChanged
from hub.service.pages import payments as page
from hub.service.payments import links as sending
from hub.storage import hubrow, linkrows
from tests.flow.payments.test_links import ask, link, links, owed, sent, told_paid
from tests.support.paying import rules
from tests.support.payingwork import HOUR_MS, MINUTE_MS, WorkingShop

LINK, UNLINK = WorkKind.LINK, WorkKind.UNLINK


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[WorkingShop]:
    vault = PaymentVault.open(tmp_path / "keys", b"m" * 32, b"c" * 32, SystemRandomness())
    made = WorkingShop(tmp_path, payments=rules(vault=vault, links=True))
    made.sign_in("till-3", "ben")
    yield made
    made.check_laws()
    made.close()


def close(shop: WorkingShop, payment: Any, how: str = "paid") -> None:
    body = {"payment_id": payment["payment_id"], "how": how, "reason": "cash"}
    tills = ("till-1", "till-2") if how == "written-off" else ("till-1",)
    for till in tills:
        shop.ok(till, "payment/close-receivable", body)


@pytest.mark.parametrize("how", ["paid", "written-off", "void"])
def test_a_link_is_called_back_when_nothing_is_owed_any_more(shop: WorkingShop, how: str) -> None:
    payment = owed(shop)
    key = sent(shop, payment).link_key
    assert shop.work(Hand.LINKS) == ()
    if how == "void":
        shop.sign_in("till-1", "mia")
        body = {"sale_id": payment["sale_id"], "reason": "mistake"}
        shop.ok("till-1", "sale/void", body)
    else:
        close(shop, payment, how)
    state = shop.row(payment).state
    assert paying.may_be_asked(PaymentChanged("p-1", "s-1", "till-1", "t-1", state, "card"))
    work = shop.next(Hand.LINKS)
    assert (work.kind, work.key, work.token) == (UNLINK, key, None)
    assert shop.work(Hand.LINKS) == ()
    assert shop.say(work, "reversed")
    assert not shop.say(work, "reversed")
    row = link(shop, payment)
    assert (row.state, row.recall, row.reason) == ("dropped", "done", sending.CALLED_BACK)
    assert len(shop.audited("payment.link_called_back")) == 1
    shop.wait(HOUR_MS)
    assert shop.work(Hand.LINKS) == ()
    assert shop.row(payment).state == state


def test_one_that_was_paid_before_is_money_as_any_that_comes_by_a_link(shop: WorkingShop) -> None:
    payment = owed(shop)
    sent(shop, payment)
    close(shop, payment)
    assert shop.say(shop.next(Hand.LINKS), "captured", psp_ref="pl-1")
    row = link(shop, payment)
    assert (row.state, row.psp_ref, row.paid_minor) == ("surplus", "pl-1", 499)
    assert told_paid(shop, payment) == {"done": 1}
    assert link(shop, payment).state == "surplus"
    assert len(shop.audited("payment.link_surplus")) == 1
    assert shop.work(Hand.LINKS) == ()


def test_the_clouds_word_that_it_was_paid_ends_calling_it_back(shop: WorkingShop) -> None:
    payment = owed(shop)
    sent(shop, payment)
    close(shop, payment)
    work = shop.next(Hand.LINKS)
    told_paid(shop, payment)
    assert not shop.say(work, "reversed")
    assert link(shop, payment).state == "surplus"
    shop.wait(HOUR_MS)
    assert shop.work(Hand.LINKS) == ()


def test_what_is_paid_by_one_that_was_called_back_is_a_persons_matter(shop: WorkingShop) -> None:
    payment = owed(shop)
    sent(shop, payment)
    close(shop, payment)
    shop.say(shop.next(Hand.LINKS), "reversed")
    told_paid(shop, payment)
    assert link(shop, payment).state == "surplus"


def test_it_is_called_back_under_its_key_until_that_is_answered(shop: WorkingShop) -> None:
    payment = owed(shop)
    sent(shop, payment)
    close(shop, payment)
    first = shop.next(Hand.LINKS)
    assert shop.say(first, "unknown")
    assert shop.work(Hand.LINKS) == ()
    shop.wait(HOUR_MS)
    second = shop.next(Hand.LINKS)
    shop.restart()
    shop.recover()
    shop.wait(3 * MINUTE_MS)  # whoever had it has died
    third = shop.next(Hand.LINKS)
    assert {first.key, second.key, third.key} == {link(shop, payment).link_key}
    assert not shop.say(second, "reversed")
    assert shop.say(third, "not-sent")
    shop.wait(HOUR_MS)
    assert shop.say(shop.next(Hand.LINKS), "reversed")
    assert link(shop, payment).tries == 1


@pytest.mark.parametrize("outcome", ["not-found", "declined"])
def test_an_oms_that_can_call_none_back_is_asked_once(shop: WorkingShop, outcome: str) -> None:
    payment = owed(shop)
    sent(shop, payment)
    close(shop, payment)
    assert shop.say(shop.next(Hand.LINKS), outcome)
    row = link(shop, payment)
    assert (row.state, row.recall, row.reason) == ("sent", "refused", sending.CANT_CALL_BACK)
    shop.wait(HOUR_MS)
    assert shop.work(Hand.LINKS) == ()
    told_paid(shop, payment)
    assert link(shop, payment).state == "surplus"


def test_an_oms_that_never_says_is_asked_a_bounded_number_of_times(shop: WorkingShop) -> None:
    payment = owed(shop)
    sent(shop, payment)
    close(shop, payment)
    asked = 0
    while link(shop, payment).recall == "wanted":
        shop.say(shop.next(Hand.LINKS), "unknown")
        asked += 1
        shop.wait(HOUR_MS)
    assert asked == linkrows.TRIES_MAX


def test_one_of_which_the_oms_never_said_whether_it_was_sent_is_called_back_too(
    shop: WorkingShop,
) -> None:
    payment = owed(shop)
    ask(shop, payment)
    while link(shop, payment).state != "refused":
        shop.say(shop.next(Hand.LINKS), "unknown")
        shop.wait(HOUR_MS)
    assert link(shop, payment).reason == sending.NEVER_SAID
    shop.sign_in("till-1", "anna")
    close(shop, payment)
    work = shop.next(Hand.LINKS)
    assert (work.kind, work.key) == (UNLINK, link(shop, payment).link_key)
    assert shop.say(work, "reversed")
    assert (link(shop, payment).state, shop.work(Hand.LINKS)) == ("dropped", ())


def test_one_that_the_oms_refused_needs_no_calling_back(shop: WorkingShop) -> None:
    payment = owed(shop)
    ask(shop, payment)
    shop.say(shop.next(Hand.LINKS), "declined", reason="no such address")
    close(shop, payment)
    assert shop.work(Hand.LINKS) == ()


def test_people_see_that_it_is_being_called_back_and_was(shop: WorkingShop) -> None:
    def seen() -> list[str]:
        unit = ReadUnit(shop.rows, HUB, shop.rules, Books("EUR"), shop.clock.wall_ms(), 0)
        found = page.one(unit, PaymentQuery(payment_id=payment["payment_id"]))
        return [one.state for one in found.links]

    payment = owed(shop)
    sent(shop, payment)
    assert seen() == ["sent"]
    close(shop, payment)
    assert seen() == ["calling-back"]
    shop.say(shop.next(Hand.LINKS), "reversed")
    assert seen() == ["called-back"]


@pytest.mark.parametrize("outcome", ["sent", "unknown"])
def test_one_that_is_on_its_way_is_called_back_as_soon_as_that_is_answered(
    shop: WorkingShop, outcome: str
) -> None:
    payment = owed(shop)
    ask(shop, payment)
    on_its_way = shop.next(Hand.LINKS)
    close(shop, payment)
    assert shop.work(Hand.LINKS) == ()
    assert shop.say(on_its_way, outcome)
    shop.wait(MINUTE_MS)
    assert shop.next(Hand.LINKS).kind is UNLINK


@pytest.mark.parametrize("outcome", ["not-sent", "declined"])
def test_one_that_turns_out_never_to_have_left_needs_no_calling_back(
    shop: WorkingShop, outcome: str
) -> None:
    payment = owed(shop)
    ask(shop, payment)
    on_its_way = shop.next(Hand.LINKS)
    close(shop, payment)
    assert shop.say(on_its_way, outcome)
    shop.wait(MINUTE_MS)
    assert shop.work(Hand.LINKS) == ()
    assert link(shop, payment).state in ("dropped", "refused")


def test_one_that_has_run_out_is_left_alone(shop: WorkingShop) -> None:
    payment = owed(shop)
    sent(shop, payment, expires_at_ms=shop.clock.wall_ms() + HOUR_MS)
    shop.wait(HOUR_MS)
    close(shop, payment)
    assert shop.work(Hand.LINKS) == ()


def test_the_other_links_are_called_back_when_one_is_paid(shop: WorkingShop) -> None:
    payment = owed(shop)
    sent(shop, payment)
    shop.wait(7 * 24 * HOUR_MS)  # no end was told of it
    shop.sign_in("till-1", "anna")
    ask(shop, payment)
    shop.say(shop.next(Hand.LINKS), "sent")
    first, second = links(shop, payment)
    told_paid(shop, payment, second.link_key)
    assert shop.row(payment).state == "recovered"
    work = shop.next(Hand.LINKS)
    assert (work.kind, work.key) == (UNLINK, first.link_key)


def test_a_hub_that_is_put_back_hears_first_what_it_told(shop: WorkingShop) -> None:
    payment = owed(shop)
    sent(shop, payment)
    close(shop, payment)
    shop.tx(lambda tx: hubrow.set_fence(tx, "restored"))
    assert shop.work(Hand.LINKS) == ()
    shop.tx(lambda tx: hubrow.set_fence(tx, ""))
    assert shop.next(Hand.LINKS).kind is UNLINK


def part_back(shop: WorkingShop, payment: Any, qty: int = 1) -> None:
    shop.sign_in("till-1", "mia")
    line = {"line_no": 1, "qty": qty, "disposition": "resellable", "reason": "unopened"}
    body = {"return_id": shop.id(), "sale_id": payment["sale_id"], "lines": [line]}
    shop.ok("till-1", "return/commit", body)


def test_one_that_asks_for_more_than_is_owed_by_now_is_replaced(shop: WorkingShop) -> None:
    payment = owed(shop, amount_minor=1497)
    sent(shop, payment)
    assert shop.payment(payment)["owed_minor"] == 1497
    part_back(shop, payment)
    assert shop.payment(payment)["owed_minor"] == 998
    work = shop.next(Hand.LINKS)
    assert (work.kind, work.amount_minor) == (UNLINK, 1497)
    assert shop.say(work, "reversed")
    another = shop.next(Hand.LINKS)
    assert (another.kind, another.amount_minor) == (LINK, 998)
    shop.say(another, "sent", url="https://pay.example/l/2")
    assert shop.work(Hand.LINKS) == ()
    part_back(shop, payment, 2)
    assert shop.row(payment).state == "voided"
    assert (work := shop.next(Hand.LINKS)).amount_minor == 998
    assert (work.kind, shop.say(work, "reversed")) == (UNLINK, True)
    assert shop.work(Hand.LINKS) == ()


def test_one_that_was_paid_whole_before_a_part_was_taken_off_is_a_persons_matter(
    shop: WorkingShop,
) -> None:
    payment = owed(shop, amount_minor=998)
    sent(shop, payment)
    part_back(shop, payment)
    assert shop.say(shop.next(Hand.LINKS), "captured", psp_ref="pl-1")
    [row] = [one for one in links(shop, payment) if one.psp_ref == "pl-1"]
    assert (row.state, row.paid_minor) == ("surplus", 998)
