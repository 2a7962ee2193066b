"""What becomes of payments that the processor declines, and of those that nobody wants any more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.work import WorkKind
from tests.support.payingwork import HOUR_MS, MINUTE_MS, TOKEN, WorkingShop

CHARGE, LOOK_UP, CAPTURE = WorkKind.CHARGE, WorkKind.LOOK_UP, WorkKind.CAPTURE


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[WorkingShop]:
    made = WorkingShop(tmp_path)
    yield made
    made.check_laws()
    made.close()


# Declines ----------------------------------------------------------------------------------------


def test_a_soft_decline_is_presented_again_later_under_a_new_key(shop: WorkingShop) -> None:
    payment = shop.declined(DeclineCode.INSUFFICIENT_FUNDS)
    row = shop.row(payment)
    assert (row.state, row.decline_code) == ("retry_wait", "insufficient-funds")
    assert shop.has_token(payment)
    assert shop.work() == ()
    shop.wait(HOUR_MS)
    again = shop.next()
    assert again.kind is CHARGE
    assert again.key != payment["payment_id"]
    assert shop.say(again, "captured", psp_ref="psp-2")
    assert shop.row(payment).state == "captured"


def test_a_hard_decline_is_a_receivable_and_the_sale_stands(shop: WorkingShop) -> None:
    payment = shop.declined(DeclineCode.STOLEN_OR_LOST)
    assert shop.row(payment).state == "recovery"
    assert not shop.has_token(payment)
    assert shop.ok("till-1", "sale/get", {"sale_id": payment["sale_id"]})
    assert shop.work() == ()


def test_soft_declines_end_after_few_tries_and_never_go_beyond_the_deadline(
    shop: WorkingShop,
) -> None:
    payment = shop.declined(DeclineCode.INSUFFICIENT_FUNDS)
    tries = 1
    while shop.row(payment).state == "retry_wait":
        shop.wait(HOUR_MS)
        for work in shop.work():
            tries += 1
            shop.say(work, "declined", code=DeclineCode.INSUFFICIENT_FUNDS)
    assert (shop.row(payment).state, tries) == ("recovery", 4)
    shop.sign_in("till-1")
    late = shop.kept()
    shop.wait(23 * HOUR_MS)
    shop.do(CHARGE, "declined", code=DeclineCode.INSUFFICIENT_FUNDS)
    assert shop.row(late).state == "recovery"


def test_a_decline_that_is_known_already_says_nothing_of_the_next_try(shop: WorkingShop) -> None:
    payment = shop.declined(DeclineCode.TRY_AGAIN)
    shop.wait(HOUR_MS)
    again = shop.do(CHARGE, "unknown")
    shop.wait(MINUTE_MS)
    shop.do(LOOK_UP, "declined", psp_ref="psp-1")
    assert shop.row(payment).declines == 1
    assert shop.next().key == again.key


def test_what_is_approved_after_a_decline_was_charged_once(shop: WorkingShop) -> None:
    payment = shop.declined(DeclineCode.TRY_AGAIN)
    shop.wait(HOUR_MS)
    shop.do(CHARGE, "approved", psp_ref="psp-2")
    assert shop.noted("payment.two_refs") == 0, "the first reference is that of the decline"
    shop.learn(payment, "approved", psp_ref="psp-1")
    assert shop.noted("payment.two_refs") == 1


def test_a_decline_told_late_starts_nothing_anew(shop: WorkingShop) -> None:
    payment = shop.declined(DeclineCode.TRY_AGAIN)
    shop.wait(HOUR_MS)
    work = shop.next()
    assert not shop.learn(payment, "declined", psp_ref="psp-1")
    assert shop.row(payment).state == "forwarding"
    assert shop.say(work, "approved", psp_ref="psp-2")
    assert not shop.learn(payment, "declined", psp_ref="psp-1")
    assert shop.row(payment).state == "authorised"


def test_an_approval_of_what_waits_for_another_try_ends_the_tries(shop: WorkingShop) -> None:
    payment = shop.declined(DeclineCode.TRY_AGAIN)
    assert shop.learn(payment, "captured", psp_ref="psp-1")
    assert shop.row(payment).state == "captured"
    shop.wait(HOUR_MS)
    assert shop.work() == ()


def test_an_authorisation_that_can_not_be_captured_is_a_receivable(shop: WorkingShop) -> None:
    payment = shop.kept()
    shop.do(CHARGE, "approved", psp_ref="psp-1")
    shop.do(CAPTURE, "declined", code=DeclineCode.TRY_AGAIN)
    assert shop.row(payment).state == "authorised"
    shop.wait(HOUR_MS)
    shop.do(CAPTURE, "declined", code=DeclineCode.CLOSED_ACCOUNT)
    assert shop.row(payment).state == "recovery"


def test_an_authorisation_that_somebody_else_let_go_is_a_receivable(shop: WorkingShop) -> None:
    payment = shop.kept()
    shop.do(CHARGE, "approved", psp_ref="psp-1")
    assert shop.learn(payment, "reversed")
    assert shop.row(payment).state == "recovery"


# Voids -------------------------------------------------------------------------------------------


def test_what_is_voided_on_its_way_is_looked_up_and_never_charged(shop: WorkingShop) -> None:
    payment = shop.kept()
    work = shop.next()
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "sale/void", {"sale_id": payment["sale_id"], "reason": "mistake"})
    assert shop.row(payment).state == "forwarding"
    assert shop.say(work, "unknown")
    shop.wait(MINUTE_MS)
    shop.do(LOOK_UP, "unknown")
    shop.wait(MINUTE_MS)
    shop.do(LOOK_UP, "not-found")
    assert shop.row(payment).state == "voided"
    assert shop.exposure_minor() == 0


def test_a_void_nobody_can_tell_of_for_two_days_is_a_persons_matter_and_stays_wanted(
    shop: WorkingShop,
) -> None:
    payment = shop.declined(DeclineCode.TRY_AGAIN)
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "sale/void", {"sale_id": payment["sale_id"], "reason": "mistake"})
    steps = shop.steps(payment)
    for _ in range(11):
        shop.do(LOOK_UP, "unknown")
        shop.wait(5 * HOUR_MS)
    row = shop.row(payment)
    assert (row.state, row.void_asked) == ("manual", 1)
    assert shop.work() == ()
    shop.sign_in("till-1", "mia")
    assert shop.steps(payment) == [*steps, "out_of_reach"], "a question without news is no step"
    assert shop.learn(payment, "captured", psp_ref="psp-1")
    shop.do(WorkKind.REFUND, "refunded")
    assert shop.row(payment).state == "refunded"


def test_a_line_that_was_away_for_two_days_is_no_answer(shop: WorkingShop) -> None:
    payment = shop.kept()
    shop.do(CHARGE, "unknown")
    for _ in range(20):
        shop.wait(3 * HOUR_MS)
        shop.do(LOOK_UP, "unknown", reached=False)
    shop.wait(HOUR_MS)
    steps = len(shop.steps(payment))
    for _ in range(8):
        shop.do(LOOK_UP, "unknown")
        shop.wait(HOUR_MS)
    assert shop.row(payment).state == "forward_unknown"
    assert len(shop.steps(payment)) == steps
    shop.do(LOOK_UP, "unknown")
    assert shop.row(payment).state == "manual"


def test_a_hub_that_stops_while_it_asks_has_asked_before_all_the_same(shop: WorkingShop) -> None:
    payment = shop.kept()
    shop.do(CHARGE, "unknown")
    for _ in range(8):
        shop.wait(5 * HOUR_MS)
        shop.do(LOOK_UP, "unknown")
        shop.wait(5 * HOUR_MS)
        assert shop.next().kind is LOOK_UP
        shop.recover()
    shop.do(LOOK_UP, "unknown")
    assert shop.row(payment).state == "manual"


def test_what_is_voided_between_two_tries_is_looked_up_and_never_charged(
    shop: WorkingShop,
) -> None:
    payment = shop.declined(DeclineCode.TRY_AGAIN)
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "sale/void", {"sale_id": payment["sale_id"], "reason": "mistake"})
    assert shop.row(payment).state == "void_pending"
    shop.do(LOOK_UP, "not-sent")
    assert shop.row(payment).state == "void_pending"
    assert shop.work() == ()
    shop.wait(MINUTE_MS)
    shop.do(LOOK_UP, "declined", psp_ref="psp-1")
    assert shop.row(payment).state == "voided"
    assert not shop.has_token(payment)


@pytest.mark.parametrize(
    ("answer", "kind", "back", "state"),
    [
        ("approved", WorkKind.REVERSE, "reversed", "reversed"),
        ("captured", WorkKind.REFUND, "refunded", "refunded"),
    ],
)
def test_what_is_voided_and_turns_out_taken_goes_back(
    shop: WorkingShop, answer: str, kind: WorkKind, back: str, state: str
) -> None:
    payment = shop.kept()
    work = shop.next()
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "sale/void", {"sale_id": payment["sale_id"], "reason": "mistake"})
    assert shop.say(work, answer, psp_ref="psp-1")
    given = shop.do(kind, back)
    assert given.amount_minor == 499
    assert shop.row(payment).state == state
    assert shop.work() == ()


def test_what_is_voided_and_declined_is_owed_by_nobody(shop: WorkingShop) -> None:
    payment = shop.kept()
    work = shop.next()
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "sale/void", {"sale_id": payment["sale_id"], "reason": "mistake"})
    assert shop.say(work, "declined", code=DeclineCode.INSUFFICIENT_FUNDS)
    assert shop.row(payment).state == "voided"


def test_an_authorisation_too_late_to_let_go_is_given_back(shop: WorkingShop) -> None:
    payment = shop.approved()
    shop.give_up(payment)
    shop.do(WorkKind.REVERSE, "captured")
    shop.do(WorkKind.REFUND, "refunded")
    assert shop.row(payment).state == "refunded"


def test_money_that_comes_after_it_was_given_up_goes_back_by_itself(shop: WorkingShop) -> None:
    payment = shop.stored(token=TOKEN)
    shop.give_up(payment)
    assert shop.row(payment).state == "voided"
    assert shop.learn(payment, "approved", psp_ref="psp-1")
    assert shop.noted("payment.late_approval") == 1
    shop.do(WorkKind.REVERSE, "reversed")
    assert shop.row(payment).state == "reversed"
    assert not shop.learn(payment, "approved", psp_ref="psp-1")
    assert shop.noted("payment.two_refs") == 0
    assert not shop.learn(payment, "approved", psp_ref="psp-2")
    assert shop.noted("payment.two_refs") == 1
