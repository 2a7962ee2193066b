"""Giving money of card payments back: in parts, once each, never more than was taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.contract.problems import Refusal
from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.work import Hand, WorkKind
from hub.service.books import Books
from hub.service.caller import HUB
from hub.service.payments import refunds
from hub.service.unit import Unit
from hub.storage import settlementrows
from hub.storage.rows import Tx
from tests.support.paying import rules
from tests.support.payingwork import HOUR_MS, WorkingShop

REFUND, LOOK_UP = WorkKind.REFUND, WorkKind.LOOK_UP


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[WorkingShop]:
    made = WorkingShop(tmp_path)
    yield made
    made.check_laws()
    made.close()


def give_back(shop: WorkingShop, payment: Any, qty: int = 1) -> str:
    """A return of so many of what was sold for a payment; its id."""
    shop.sign_in("till-1", "mia")
    return_id = shop.id()
    line = {"line_no": 1, "qty": qty, "disposition": "quarantine", "reason": "dented"}
    body = {"return_id": return_id, "sale_id": payment["sale_id"], "lines": [line]}
    shop.ok("till-1", "return/commit", body)
    return return_id


def want(shop: WorkingShop, payment: Any, refund_id: str, amount_minor: int) -> None:
    """Have a part of a payment given back."""

    def work(tx: Tx) -> None:
        unit = Unit(tx, HUB, shop.rules, Books(shop.rules.currency), shop.ids)
        refunds.want(unit, shop.row(payment), refund_id, amount_minor, "test")

    shop.tx(work)


def test_a_part_goes_back_and_the_payment_stands(shop: WorkingShop) -> None:
    payment = shop.captured(998)
    give_back(shop, payment)
    work = shop.next()
    assert (work.kind, work.amount_minor, work.psp_ref) == (REFUND, 499, "psp-1")
    assert work.key == work.refund_id != ""
    assert shop.say(work, "refunded", psp_ref="rf-1")
    row = shop.row(payment)
    assert (row.state, row.refunded_minor) == ("captured", 499)
    assert shop.told(payment)[-1] == "refunded"
    give_back(shop, payment)
    shop.do(REFUND, "refunded", psp_ref="rf-2")
    row = shop.row(payment)
    assert (row.state, row.refunded_minor) == ("refunded", 998)
    assert shop.work() == ()


def test_a_refund_waits_until_the_money_is_there(shop: WorkingShop) -> None:
    payment = shop.kept(998)
    give_back(shop, payment)
    assert [one.kind for one in shop.work()] == [WorkKind.CHARGE]
    shop.recover()
    shop.do(LOOK_UP, "captured", psp_ref="psp-1")
    shop.do(REFUND, "refunded")
    assert shop.row(payment).refunded_minor == 499


def test_a_refund_in_doubt_is_looked_up_before_it_is_sent_again_under_its_key(
    shop: WorkingShop,
) -> None:
    payment = shop.captured(998)
    give_back(shop, payment)
    sent = shop.do(REFUND, "unknown")
    assert shop.work() == ()
    shop.wait(25 * HOUR_MS)
    shop.do(LOOK_UP, "not-found")
    again = shop.next()
    assert (again.kind, again.key) == (REFUND, sent.key)
    assert again.first_sent_at_ms is not None
    assert not shop.say(sent, "refunded")
    assert shop.say(again, "acked")
    shop.wait(HOUR_MS)
    shop.do(LOOK_UP, "refunded")
    assert shop.row(payment).refunded_minor == 499


def test_a_refund_whose_lease_is_over_is_in_doubt(shop: WorkingShop) -> None:
    payment = shop.captured(998)
    give_back(shop, payment)
    late = shop.next()
    shop.wait(121_000)
    assert shop.next().kind is LOOK_UP
    assert not shop.say(late, "refunded")
    assert shop.row(payment).refunded_minor == 0


def test_a_refund_that_never_left_is_sent_as_if_for_the_first_time(shop: WorkingShop) -> None:
    payment = shop.captured(998)
    give_back(shop, payment)
    shop.do(REFUND, "not-sent")
    shop.wait(HOUR_MS)
    assert shop.next().first_sent_at_ms is None


def test_a_refund_that_is_refused_is_a_persons_matter(shop: WorkingShop) -> None:
    payment = shop.captured(998)
    give_back(shop, payment)
    shop.do(REFUND, "declined", code=DeclineCode.TRY_AGAIN)
    shop.wait(HOUR_MS)
    shop.do(REFUND, "declined", code=DeclineCode.CLOSED_ACCOUNT, reason="closed")
    (refund,) = shop.refunds(payment)
    assert (refund.state, refund.reason) == ("refused", "closed")
    assert shop.audited("payment.refund_refused")[0]["amount_minor"] == 499
    assert shop.work() == ()


def test_a_refund_refused_for_now_is_refused_for_good_at_the_bound(shop: WorkingShop) -> None:
    payment = shop.captured(998)
    give_back(shop, payment)
    for _ in range(refunds.TRIES_MAX):
        shop.do(REFUND, "declined", code=DeclineCode.ISSUER_UNAVAILABLE)
        shop.wait(HOUR_MS)
    assert shop.refunds(payment)[0].state == "refused"


def test_never_more_is_wanted_than_is_left(shop: WorkingShop) -> None:
    payment = shop.captured(998)
    first = shop.id()
    want(shop, payment, first, 600)
    want(shop, payment, first, 600)
    with pytest.raises(Refusal, match="398 can still"):
        want(shop, payment, shop.id(), 399)
    want(shop, payment, shop.id(), 398)
    assert [one.amount_minor for one in shop.refunds(payment)] == [600, 398]


def test_never_more_is_sent_than_is_left_whoever_wanted_it(shop: WorkingShop) -> None:
    payment = shop.captured(998)
    want(shop, payment, shop.id(), 600)
    want(shop, payment, shop.id(), 398)
    shop.run("UPDATE payment_refunds SET amount_minor = 998 WHERE amount_minor = 398")
    assert [one.amount_minor for one in shop.work()] == [600]
    assert [one.state for one in shop.refunds(payment)] == ["sending", "refused"]


def test_a_void_gives_back_what_parts_have_left(shop: WorkingShop) -> None:
    payment = shop.captured(998)
    want(shop, payment, shop.id(), 300)
    shop.do(REFUND, "refunded")
    shop.run("UPDATE payments SET void_asked = 1")
    shop.do(REFUND, "refunded")
    assert [one.amount_minor for one in shop.refunds(payment)] == [300, 698]
    assert shop.row(payment).state == "refunded"
    assert shop.work() == ()


def test_nothing_goes_back_of_what_was_never_taken(shop: WorkingShop) -> None:
    payment = shop.kept(998)
    give_back(shop, payment)
    shop.sign_in("till-1", "mia")
    shop.do(WorkKind.CHARGE, "declined", code=DeclineCode.FRAUD)
    assert shop.row(payment).state == "recovery"
    body = {"payment_id": payment["payment_id"], "how": "paid", "reason": "in cash"}
    shop.ok("till-1", "payment/close-receivable", body)
    shop.expire()
    assert shop.refunds(payment)[0].state == "refused"


def test_money_given_back_by_somebody_else_is_known_when_it_is_looked_up(
    shop: WorkingShop,
) -> None:
    payment = shop.kept()
    shop.do(WorkKind.CHARGE, "unknown")
    shop.wait(HOUR_MS)
    shop.do(LOOK_UP, "refunded", psp_ref="psp-1")
    row = shop.row(payment)
    assert (row.state, row.refunded_minor) == ("refunded", 499)
    assert shop.noted("payment.refunded_elsewhere") == 1


def test_word_of_a_refund_has_what_is_in_doubt_looked_up_at_once(shop: WorkingShop) -> None:
    payment = shop.captured(998)
    give_back(shop, payment)
    assert not shop.learn(payment, "refunded")
    shop.do(REFUND, "unknown")
    assert shop.work() == ()
    assert shop.learn(payment, "refunded")
    assert shop.next().kind is LOOK_UP


def test_a_terminal_gives_a_part_back_where_there_is_no_processor(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(processor=False))
    payment = shop.start(998)
    shop.begin(payment)
    shop.end(payment, "approved", terminal_ref="t-1")
    shop.sold(payment, qty=2)
    give_back(shop, payment)
    work = shop.next(Hand.TERMINAL)
    assert (work.kind, work.amount_minor, work.terminal_ref) == (REFUND, 499, "t-1")
    assert shop.tell(work, "not-done")
    shop.wait(HOUR_MS)
    assert shop.tell(shop.next(Hand.TERMINAL), "approved")
    row = shop.row(payment)
    assert (row.state, row.refunded_minor) == ("captured", 499)
    shop.check_laws()
    shop.close()


def test_refunds_of_other_terminals_do_not_crowd_one_out(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(processor=False))
    shop.product("mint", 1, stock=1000)
    payments = [shop.at_hub("approved", captured=True) for _ in range(2)]
    shop.sold(payments[0])
    shop.sold(payments[1])
    shop.tx(lambda tx: tx.run("UPDATE payments SET terminal_id = 'terminal-2' WHERE id = 1"))
    for number in range(210):
        want(shop, payments[0], f"part-{number}", 1)
    want(shop, payments[1], "the-one", 5)
    work = shop.next(Hand.TERMINAL, terminals=("terminal-1",))
    assert work.refund_id == "the-one"
    shop.close()


def test_a_terminal_is_not_asked_again_for_what_is_known_to_have_gone_back(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(processor=False))
    payment = shop.at_hub("approved", captured=True, terminal_ref="t-1")
    shop.sold(payment)
    give_back(shop, payment)
    assert shop.tell(shop.next(Hand.TERMINAL), "unknown")
    # As the cloud tells it a hub that was put back from a copy of before.
    sql = "UPDATE payments SET state = 'refunded', refunded_minor = amount_minor"
    shop.tx(lambda tx: tx.run(sql))
    shop.wait(HOUR_MS)
    assert shop.work(Hand.TERMINAL) == (), "it remembers only its last transactions"
    assert [one.state for one in shop.refunds(payment)] == ["done"]
    shop.close()


def test_nobody_is_told_to_hand_out_what_was_never_taken(shop: WorkingShop) -> None:
    payment = shop.kept(998)
    shop.do(WorkKind.CHARGE, "declined", code=DeclineCode.FRAUD)
    give_back(shop, payment)
    body = {"payment_id": payment["payment_id"], "how": "written-off", "reason": "is gone"}
    shop.sign_in("till-1", "anna")
    shop.sign_in("till-3", "ben")
    for till in ("till-1", "till-3"):
        shop.ok(till, "payment/close-receivable", body)
    shop.expire()
    assert [one.state for one in shop.refunds(payment)] == ["refused"]
    assert shop.noted("payment.refund_refused") == 0
    assert settlementrows.refused_refunds(shop.rows, 0) == []
