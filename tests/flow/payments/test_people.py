"""What people say of payments nobody can look up: two of them, each with what they saw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.contract.payments import DecidePayment
from hub.contract.problems import Refusal
from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.work import WorkKind
from hub.service.caller import Caller, CallerKind
from tests.support.gatebench import now
from tests.support.payingwork import HOUR_MS, MINUTE_MS, WorkingShop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[WorkingShop]:
    made = WorkingShop(tmp_path)
    made.sign_in("till-3", "ben")
    yield made
    made.check_laws()
    made.close()


def word(payment: Any, outcome: str, evidence: str = "line 7 of the report") -> dict[str, Any]:
    return {"payment_id": payment["payment_id"], "outcome": outcome, "evidence": evidence}


def close(payment: Any, how: str) -> dict[str, Any]:
    return {"payment_id": payment["payment_id"], "how": how, "reason": "moved away"}


def manual(shop: WorkingShop, *, sold: bool = True) -> Any:
    """A payment nobody can look up: forwarded in doubt long ago, or never told by its till."""
    if not sold:
        payment = shop.own()
        shop.wait(10 * MINUTE_MS)
        shop.expire()
        shop.wait(15 * MINUTE_MS)
        shop.expire()
    else:
        payment = shop.kept()
        shop.do(WorkKind.CHARGE, "unknown")
        shop.wait(20 * HOUR_MS)
        shop.do(WorkKind.LOOK_UP, "not-found")
        for till, who in (("till-1", "anna"), ("till-2", "mia"), ("till-3", "ben")):
            shop.sign_in(till, who)
    assert shop.row(payment).state == "manual"
    return payment


def test_one_word_is_not_enough_and_the_same_person_counts_once(shop: WorkingShop) -> None:
    payment = manual(shop)
    for _ in range(2):
        assert shop.ok("till-1", "payment/decide", word(payment, "approved"))["state"] == "manual"
    assert shop.ok("till-3", "payment/decide", word(payment, "approved"))["state"] == "authorised"
    words = shop.audited("payment.word")
    assert [(one["by"], one["evidence"]) for one in words] == [
        ("anna", "line 7 of the report"),
        ("anna", "line 7 of the report"),
        ("ben", "line 7 of the report"),
    ]
    assert shop.audited("payment.decided")[0]["by"] == ["anna", "ben"]
    shop.do(WorkKind.CAPTURE, "captured")


def test_words_that_differ_decide_nothing_until_two_agree(shop: WorkingShop) -> None:
    payment = manual(shop)
    shop.ok("till-1", "payment/decide", word(payment, "approved"))
    shop.ok("till-2", "payment/decide", word(payment, "never-done"))
    assert shop.row(payment).state == "manual"
    shop.ok("till-1", "payment/decide", word(payment, "never-done"))
    assert shop.row(payment).state == "recovery"


@pytest.mark.parametrize(
    ("sold", "outcome", "state"),
    [
        (True, "declined", "recovery"),
        (True, "never-done", "recovery"),
        (True, "approved", "authorised"),
        (False, "declined", "refused"),
        (False, "never-done", "abandoned"),
        (False, "approved", "authorised"),
    ],
)
def test_what_two_say_is_so(shop: WorkingShop, sold: bool, outcome: str, state: str) -> None:
    payment = manual(shop, sold=sold)
    shop.ok("till-1", "payment/decide", word(payment, outcome))
    assert shop.ok("till-2", "payment/decide", word(payment, outcome))["state"] == state
    problem = shop.no("till-2", "payment/decide", word(payment, outcome))
    assert problem["code"] == "conflict"


def test_a_word_said_before_something_else_happened_does_not_count(shop: WorkingShop) -> None:
    payment = manual(shop, sold=False)
    shop.ok("till-1", "payment/decide", word(payment, "never-done"))
    shop.give_up(payment)
    shop.ok("till-2", "payment/decide", word(payment, "never-done"))
    assert shop.row(payment).state == "manual"
    shop.ok("till-1", "payment/decide", word(payment, "never-done"))
    assert shop.row(payment).state == "abandoned"


def test_what_the_processor_has_two_people_can_decide_too(shop: WorkingShop) -> None:
    payment = shop.kept()
    shop.do(WorkKind.CHARGE, "acked")
    shop.ok("till-1", "payment/decide", word(payment, "declined"))
    assert shop.ok("till-2", "payment/decide", word(payment, "declined"))["state"] == "recovery"


def test_what_can_be_looked_up_nobody_decides(shop: WorkingShop) -> None:
    payment = shop.kept()
    assert shop.no("till-2", "payment/decide", word(payment, "declined"))["code"] == "conflict"
    unknown = {"payment_id": shop.id()}
    assert shop.no("till-2", "payment/decide", word(unknown, "declined"))["code"] == "not-found"


def test_above_their_maximum_a_cashier_needs_an_approval(shop: WorkingShop) -> None:
    payment = shop.own(6000)
    shop.wait(10 * MINUTE_MS)
    shop.expire()
    shop.wait(15 * MINUTE_MS)
    shop.expire()
    problem = shop.no("till-1", "payment/decide", word(payment, "never-done"))
    assert problem["code"] == "approval-required"
    subject = {"sale_id": payment["sale_id"], "amount_minor": 6000}
    approval = shop.approve("refund", subject)
    body = word(payment, "never-done") | {"approval_id": approval}
    assert shop.ok("till-1", "payment/decide", body)["state"] == "manual"
    assert shop.audited("payment.word_approved") == [{"approver": "mia"}]


def test_a_door_without_a_name_decides_nothing(shop: WorkingShop) -> None:
    payment = manual(shop)
    command = DecidePayment(payment_id=payment["payment_id"], outcome="declined", evidence="seen")
    for caller in (Caller(CallerKind.CLI, "root"), Caller(CallerKind.WEB, "technician-1")):
        with pytest.raises(Refusal, match="under their own name"):
            now(shop.gate.run(caller, command))
    named = Caller(CallerKind.WEB, "manager-1", "mia")
    now(shop.gate.run(named, command))
    shop.ok("till-2", "payment/decide", word(payment, "declined"))
    assert shop.row(payment).state == "manual"  # it was mia both times
    shop.ok("till-1", "payment/decide", word(payment, "declined"))
    assert shop.row(payment).state == "recovery"


def test_a_receivable_that_was_paid_otherwise_is_closed_by_one(shop: WorkingShop) -> None:
    payment = shop.declined(DeclineCode.FRAUD)
    view = shop.ok("till-1", "payment/close-receivable", close(payment, "paid"))
    assert view["state"] == "recovered"
    assert shop.told(payment)[-1] == "recovered"
    problem = shop.no("till-1", "payment/close-receivable", close(payment, "paid"))
    assert problem["code"] == "conflict"


def test_to_write_off_takes_two(shop: WorkingShop) -> None:
    payment = shop.declined(DeclineCode.FRAUD)
    view = shop.ok("till-1", "payment/close-receivable", close(payment, "written-off"))
    assert view["state"] == "recovery"
    view = shop.ok("till-2", "payment/close-receivable", close(payment, "written-off"))
    assert view["state"] == "written_off"
    assert shop.told(payment)[-1] == "written_off"


@pytest.mark.parametrize("how", ["paid", "written-off"])
def test_money_that_comes_after_a_receivable_was_closed_goes_back(
    shop: WorkingShop, how: str
) -> None:
    payment = shop.declined(DeclineCode.FRAUD)
    for till in ("till-1", "till-2"):
        shop.ask(till, "payment/close-receivable", close(payment, how))
    assert shop.learn(payment, "captured", psp_ref="psp-1")
    shop.do(WorkKind.REFUND, "refunded")
    assert shop.row(payment).state == "refunded"


def test_money_that_comes_while_it_is_owed_is_kept(shop: WorkingShop) -> None:
    payment = shop.declined(DeclineCode.FRAUD)
    assert shop.learn(payment, "captured", psp_ref="psp-1")
    assert shop.row(payment).state == "captured"
    assert shop.work() == ()


def test_nobody_owes_what_was_taken_back(shop: WorkingShop) -> None:
    payment = shop.declined(DeclineCode.FRAUD)
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "sale/void", {"sale_id": payment["sale_id"], "reason": "mistake"})
    assert shop.row(payment).state == "voided"
