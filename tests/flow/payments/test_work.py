"""What is done about stored payments: once at a time, under one key, and never on a guess."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.work import Hand, WorkKind
from tests.support.paying import rules
from tests.support.payingwork import HOUR_MS, MINUTE_MS, TOKEN, WorkingShop

CHARGE, LOOK_UP, CAPTURE = WorkKind.CHARGE, WorkKind.LOOK_UP, WorkKind.CAPTURE


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[WorkingShop]:
    made = WorkingShop(tmp_path)
    yield made
    made.check_laws()
    made.close()


# Presenting --------------------------------------------------------------------------------------


def test_a_stored_payment_is_presented_once_its_sale_is_written(shop: WorkingShop) -> None:
    payment = shop.stored(token=TOKEN)
    assert shop.work() == ()
    shop.sold(payment)
    work = shop.next()
    assert (work.kind, work.key, work.amount_minor) == (CHARGE, payment["payment_id"], 499)
    assert (work.fence, work.first_sent_at_ms) == (1, None)
    assert work.token is not None
    assert TOKEN not in repr(work)
    assert shop.row(payment).state == "forwarding"
    assert shop.work() == ()
    assert shop.say(work, "approved", psp_ref="psp-1", approval_code="OK1")
    assert not shop.has_token(payment)
    shop.do(CAPTURE, "captured")
    assert shop.told(payment) == ["stored", "authorised", "captured"]
    assert shop.row(payment).psp_ref == "psp-1"


def test_a_shop_without_a_processor_presents_nothing(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(processor=False))
    shop.kept()
    assert shop.work() == ()
    shop.close()
    (tmp_path / "training").mkdir()
    shop = WorkingShop(tmp_path / "training", training=True)
    shop.kept()
    assert shop.work() == ()
    shop.close()


def test_what_was_stored_first_is_presented_first_and_refunds_come_last(shop: WorkingShop) -> None:
    back = shop.captured(998)
    line = {"line_no": 1, "qty": 1, "disposition": "quarantine", "reason": "dented"}
    taken_back = {"return_id": shop.id(), "sale_id": back["sale_id"], "lines": [line]}
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "return/commit", taken_back)
    first = shop.stored(token=TOKEN)
    shop.wait(MINUTE_MS)
    second = shop.stored(token=TOKEN[::-1])
    shop.sold(second)
    shop.sold(first)
    assert [one.payment_id for one in shop.work(limit=1)] == [first["payment_id"]]
    found = shop.work()
    assert [one.kind for one in found] == [CHARGE, WorkKind.REFUND]
    assert [one.payment_id for one in found] == [second["payment_id"], back["payment_id"]]


def test_what_never_left_this_box_is_presented_again_as_if_for_the_first_time(
    shop: WorkingShop,
) -> None:
    payment = shop.kept()
    work = shop.do(CHARGE, "not-sent", reason="no link")
    row = shop.row(payment)
    assert (row.state, row.forwards, row.sent_at_ms) == ("stored", 0, None)
    assert shop.work() == ()
    shop.wait(MINUTE_MS)
    again = shop.next()
    assert (again.kind, again.key, again.fence > work.fence) == (CHARGE, work.key, True)


def test_a_charge_in_doubt_is_looked_up_and_never_just_repeated(shop: WorkingShop) -> None:
    payment = shop.kept()
    work = shop.do(CHARGE, "unknown")
    assert shop.row(payment).state == "forward_unknown"
    assert shop.has_token(payment)
    shop.wait(MINUTE_MS)
    asked = shop.do(LOOK_UP, "unknown")
    assert asked.first_sent_at_ms is not None
    shop.wait(MINUTE_MS)
    shop.do(LOOK_UP, "not-found")
    again = shop.next()
    assert (again.kind, again.key) == (CHARGE, work.key)
    assert shop.row(payment).forwards == 2


def test_a_look_up_that_finds_it_ends_the_doubt(shop: WorkingShop) -> None:
    payment = shop.kept()
    shop.do(CHARGE, "unknown")
    shop.wait(MINUTE_MS)
    shop.do(LOOK_UP, "captured", psp_ref="psp-1")
    assert shop.row(payment).state == "captured"
    assert shop.told(payment) == ["stored", "unknown", "authorised", "captured"]


def test_past_the_key_s_time_a_charge_that_is_not_found_is_a_person_s_matter(
    shop: WorkingShop,
) -> None:
    payment = shop.kept()
    shop.do(CHARGE, "unknown")
    shop.wait(20 * HOUR_MS)
    shop.do(LOOK_UP, "not-found")
    assert shop.row(payment).state == "manual"
    assert not shop.has_token(payment)
    assert shop.work() == ()
    assert shop.exposure_minor() == 499


def test_what_the_processor_has_taken_over_is_asked_after(shop: WorkingShop) -> None:
    payment = shop.kept()
    shop.do(CHARGE, "acked", psp_ref="psp-1")
    assert (shop.row(payment).state, shop.work()) == ("forwarded", ())
    shop.wait(MINUTE_MS)
    shop.do(LOOK_UP, "acked")
    shop.wait(MINUTE_MS)
    shop.do(LOOK_UP, "approved")
    assert shop.row(payment).state == "authorised"


# Leases ------------------------------------------------------------------------------------------


def test_a_lease_that_is_over_leaves_a_doubt(shop: WorkingShop) -> None:
    payment = shop.kept()
    late = shop.next()
    shop.wait(121_000)
    asked = shop.next()
    assert asked.kind is LOOK_UP
    assert not shop.say(late, "declined")
    assert not shop.say(late, "not-sent")
    assert shop.row(payment).state == "forward_unknown"
    assert shop.say(asked, "unknown")
    assert shop.row(payment).state == "forward_unknown"


def test_of_a_lease_that_is_over_an_approval_is_learned_all_the_same(shop: WorkingShop) -> None:
    payment = shop.kept()
    late = shop.next()
    shop.wait(121_000)
    shop.expire()
    assert not shop.say(late, "approved", psp_ref="psp-1")
    assert shop.row(payment).state == "authorised"
    assert not shop.say(late, "approved", psp_ref="psp-1")
    assert shop.told(payment) == ["stored", "unknown", "authorised"]


def test_the_same_answer_twice_counts_once(shop: WorkingShop) -> None:
    payment = shop.kept()
    work = shop.next()
    assert shop.say(work, "declined", code=DeclineCode.INSUFFICIENT_FUNDS)
    assert not shop.say(work, "declined", code=DeclineCode.INSUFFICIENT_FUNDS)
    assert shop.row(payment).declines == 1


# At terminals ------------------------------------------------------------------------------------


def test_a_terminal_in_doubt_is_asked_until_it_tells(shop: WorkingShop) -> None:
    payment = shop.at_hub("unknown")
    assert shop.work(Hand.TERMINAL, terminals=("terminal-2",)) == ()
    work = shop.next(Hand.TERMINAL)
    assert (work.kind, work.terminal_id) == (WorkKind.ASK, "terminal-1")
    assert shop.tell(work, "unknown")
    assert shop.work(Hand.TERMINAL) == ()
    shop.wait(MINUTE_MS)
    assert shop.tell(shop.next(Hand.TERMINAL), "approved", psp_ref="psp-1", captured=True)
    assert shop.row(payment).state == "captured"


def test_that_a_terminal_knows_nothing_counts_when_it_says_so_twice_in_a_row(
    shop: WorkingShop,
) -> None:
    payment = shop.at_hub("unknown")
    for outcome in ("not-done", "unknown", "not-done"):
        shop.wait(MINUTE_MS)
        assert shop.tell(shop.next(Hand.TERMINAL), outcome)
        assert shop.row(payment).state == "unknown"
    shop.wait(MINUTE_MS)
    assert shop.tell(shop.next(Hand.TERMINAL), "not-done")
    assert shop.row(payment).state == "abandoned"


def test_what_a_terminal_keeps_is_asked_after_and_taken_back_there(shop: WorkingShop) -> None:
    payment = shop.at_hub("approved-offline")
    shop.sold(payment)
    work = shop.next(Hand.TERMINAL)
    assert work.kind is WorkKind.ASK
    assert shop.tell(work, "approved-offline")
    assert shop.row(payment).state == "stored"
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "sale/void", {"sale_id": payment["sale_id"], "reason": "mistake"})
    assert shop.row(payment).state == "void_pending"
    shop.wait(HOUR_MS)
    work = shop.next(Hand.TERMINAL)
    assert work.kind is WorkKind.REVERSE
    assert shop.tell(work, "unknown")
    shop.wait(HOUR_MS)
    assert shop.tell(shop.next(Hand.TERMINAL), "approved")
    assert shop.row(payment).state == "voided"


def test_what_a_terminal_kept_and_was_declined_is_a_receivable(shop: WorkingShop) -> None:
    payment = shop.at_hub("approved-offline")
    shop.sold(payment)
    assert shop.tell(shop.next(Hand.TERMINAL), "refused", reason="declined by the issuer")
    assert shop.row(payment).state == "recovery"


def test_without_a_processor_a_terminal_lets_go_and_gives_back(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(processor=False))
    let_go = shop.at_hub("approved")
    shop.give_up(let_go)
    work = shop.next(Hand.TERMINAL)
    assert work.kind is WorkKind.REVERSE
    assert shop.tell(work, "approved")
    assert shop.row(let_go).state == "reversed"
    taken = shop.at_hub("approved", captured=True)
    shop.give_up(taken)
    work = shop.next(Hand.TERMINAL)
    assert work.kind is WorkKind.REFUND
    assert shop.tell(work, "unknown")
    shop.wait(HOUR_MS)
    again = shop.next(Hand.TERMINAL)  # a question after the payment would find the payment
    assert (again.kind, again.key) == (WorkKind.REFUND, work.key)
    assert shop.tell(again, "approved")
    assert shop.row(taken).state == "refunded"
    shop.check_laws()
    shop.close()
