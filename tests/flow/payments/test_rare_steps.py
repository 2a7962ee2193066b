"""Steps that chance takes too seldom in the simulated shops: each is walked on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.work import WorkKind
from tests.support.payingwork import HOUR_MS, WorkingShop

CHARGE, LOOK_UP = WorkKind.CHARGE, WorkKind.LOOK_UP


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[WorkingShop]:
    made = WorkingShop(tmp_path)
    yield made
    made.check_laws()
    made.close()


def took(shop: WorkingShop, payment: Any, before: str, event: str) -> bool:
    """Whether the payment has taken this step of the table."""
    steps = shop.payment(payment)["steps"]
    return (before, event) in {(one["before"], one["event"]) for one in steps}


def void(shop: WorkingShop, payment: Any) -> None:
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "sale/void", {"sale_id": payment["sale_id"], "reason": "mistake"})


def test_a_retry_that_was_not_sent_is_let_go_when_its_sale_is_void(shop: WorkingShop) -> None:
    payment = shop.declined(DeclineCode.TRY_AGAIN)
    shop.wait(HOUR_MS)
    retry = shop.next()
    assert retry.kind is CHARGE
    void(shop, payment)
    assert shop.say(retry, "not-sent")
    assert took(shop, payment, "forwarding", "let_go_void")
    shop.wait(HOUR_MS)
    shop.do(LOOK_UP, "not-found")
    assert shop.row(payment).state == "voided"


def test_a_retry_whose_line_stays_away_until_the_deadline_is_owed(shop: WorkingShop) -> None:
    payment = shop.declined(DeclineCode.TRY_AGAIN)
    shop.wait(24 * HOUR_MS)
    shop.expire()
    assert took(shop, payment, "retry_wait", "deadline")
    assert shop.row(payment).state == "recovery"


def test_a_void_at_a_terminal_ends_when_that_was_declined(shop: WorkingShop) -> None:
    payment = shop.stored()
    shop.sold(payment)
    void(shop, payment)
    assert shop.learn(payment, "declined")
    assert took(shop, payment, "void_pending", "declined")
    assert shop.row(payment).state == "voided"


def test_a_void_that_nobody_can_tell_of_comes_to_people(shop: WorkingShop) -> None:
    payment = shop.declined(DeclineCode.TRY_AGAIN)
    void(shop, payment)
    for _ in range(11):
        shop.do(LOOK_UP, "unknown")
        shop.wait(5 * HOUR_MS)
    assert took(shop, payment, "void_pending", "out_of_reach")
    assert shop.row(payment).void_asked


def test_what_a_lost_terminal_never_did_two_people_say(shop: WorkingShop) -> None:
    payment = shop.stored()
    shop.wait(24 * HOUR_MS)
    shop.expire()
    assert shop.row(payment).state == "lost"
    for till, who in (("till-1", "anna"), ("till-2", "mia")):
        shop.sign_in(till, who)
        said = {"outcome": "never-done", "evidence": "the terminal's journal"}
        shop.ok(till, "payment/decide", {"payment_id": payment["payment_id"], **said})
    assert took(shop, payment, "lost", "never_done")
    assert shop.row(payment).state == "abandoned"
