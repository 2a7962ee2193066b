"""What the processor tells that a card was charged in all: a tip or a surcharge of its terminal
that nobody else has told of is in the book, and goes back where everything does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.contract.oms import Command as CloudCommand
from hub.domain.payments.work import Hand, WorkKind
from hub.service.handlers.cloud import Applied, ApplyCommands
from hub.service.payments.commands import ExpirePayments, LeaseWork
from tests.flow.payments.test_tips import bring_back, facts
from tests.support.copies import Copies, from_cloud
from tests.support.paying import CARD, rules
from tests.support.payingwork import WorkingShop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[WorkingShop]:
    made = WorkingShop(tmp_path, payments=rules(tips=True, surcharge_max_bp=300))
    yield made
    made.check_laws()
    made.close()


def told(shop: WorkingShop, payment: Any, **data: Any) -> Applied:
    """What the cloud tells by itself."""
    body = {"payment_id": payment["payment_id"], "status": "captured"} | data
    number = shop.id()
    command = CloudCommand(
        cursor=number, id=f"cmd-{number}", type="payment.outcome", data=body, issued_at_ms=1
    )
    found: Applied = shop.internal(ApplyCommands((command,), number))
    return found


def asked(shop: WorkingShop) -> Any:
    """A payment of 9.98 that the till's terminal has in hand, and of which its till never tells."""
    return shop.own(998)


def sums(shop: WorkingShop, payment: Any) -> tuple[str, int, int, int, int]:
    row = shop.row(payment)
    added = row.amount_minor, row.tip_minor, row.surcharge_minor
    return (row.state, *added, row.refunded_minor)


def test_a_tip_that_only_the_cloud_tells_of_is_in_the_book_once(shop: WorkingShop) -> None:
    payment = asked(shop)
    for _ in range(2):
        assert told(shop, payment, approved_minor=1058).counts == {"done": 1}
    assert sums(shop, payment) == ("captured", 1058, 60, 0, 0)
    assert facts(shop, payment)["tip_minor"] == 60
    assert shop.noted("payment.tip") == 1
    shop.sold(payment, qty=2)
    assert shop.payment(payment)["amount_minor"] == 998


def test_a_cloud_that_tells_no_amount_is_taken_as_before(shop: WorkingShop) -> None:
    payment = asked(shop)
    told(shop, payment)
    assert sums(shop, payment) == ("captured", 998, 0, 0, 0)


def test_less_than_was_asked_for_is_noted_and_no_part_is_approved(shop: WorkingShop) -> None:
    payment = asked(shop)
    for _ in range(2):
        told(shop, payment, approved_minor=500)
    assert sums(shop, payment) == ("captured", 998, 0, 0, 0)
    assert shop.noted("payment.approved_less") == 1


def test_a_surcharge_above_what_the_shop_allows_is_shown_as_one_of_a_report(
    shop: WorkingShop,
) -> None:
    for surcharge_minor, unasked in ((30, 0), (31, 1)):
        payment = asked(shop)
        taken_minor = 998 + surcharge_minor
        told(shop, payment, approved_minor=taken_minor, surcharge_minor=surcharge_minor)
        assert sums(shop, payment) == ("captured", taken_minor, 0, surcharge_minor, 0)
        assert shop.row(payment).surcharge_unasked == unasked
        assert shop.noted("payment.surcharge_unasked") == unasked


def test_a_tills_later_word_adds_nothing_and_says_what_was_a_surcharge(shop: WorkingShop) -> None:
    payment = asked(shop)
    told(shop, payment, approved_minor=1073)
    card = CARD | {"tip_minor": 60, "surcharge_minor": 15}
    for _ in range(2):
        shop.report(payment, "approved", card=card, captured=True)
        assert sums(shop, payment) == ("captured", 1073, 60, 15, 0)


def test_a_clouds_later_word_adds_nothing_to_a_tills(shop: WorkingShop) -> None:
    payment = asked(shop)
    shop.report(payment, "approved", card=CARD | {"tip_minor": 60}, captured=True)
    told(shop, payment, approved_minor=1058)
    assert sums(shop, payment) == ("captured", 1058, 60, 0, 0)


def test_what_was_given_up_goes_back_with_the_tip(shop: WorkingShop) -> None:
    payment = asked(shop)
    shop.give_up(payment)
    told(shop, payment, approved_minor=1058)
    assert shop.do(WorkKind.REFUND, "refunded").amount_minor == 1058
    assert sums(shop, payment) == ("refunded", 1058, 60, 0, 1058)


@pytest.mark.parametrize("is_given", [False, True])
def test_a_tip_that_is_told_when_all_goes_back_goes_back_too(
    shop: WorkingShop, *, is_given: bool
) -> None:
    payment = asked(shop)
    shop.give_up(payment)
    told(shop, payment)
    work = shop.next()
    assert work.amount_minor == 998
    if is_given:
        assert shop.say(work, "refunded")
        assert shop.row(payment).state == "refunded"
    told(shop, payment, approved_minor=1058)
    if not is_given:
        assert shop.say(work, "refunded")
    assert shop.do(WorkKind.REFUND, "refunded").amount_minor == 60
    assert sums(shop, payment) == ("refunded", 1058, 60, 0, 1058)
    told(shop, payment, approved_minor=1058)
    assert shop.work() == ()


def test_a_tip_that_is_told_after_everything_came_back_in_parts_goes_back(
    shop: WorkingShop,
) -> None:
    payment = asked(shop)
    told(shop, payment)
    shop.sold(payment, qty=2)
    for _ in range(2):
        bring_back(shop, payment, 1)
        assert shop.do(WorkKind.REFUND, "refunded").amount_minor == 499
    told(shop, payment, approved_minor=1058)
    assert shop.do(WorkKind.REFUND, "refunded").amount_minor == 60
    assert sums(shop, payment) == ("refunded", 1058, 60, 0, 1058)


def test_a_tip_that_is_told_between_two_parts_goes_back_with_the_last(shop: WorkingShop) -> None:
    payment = asked(shop)
    told(shop, payment)
    shop.sold(payment, qty=2)
    bring_back(shop, payment, 1)
    shop.do(WorkKind.REFUND, "refunded")
    told(shop, payment, approved_minor=1058)
    assert shop.work() == ()
    (back,) = bring_back(shop, payment, 1)["refund"]
    assert (back["amount_minor"], back["tip_minor"]) == (499, 60)
    assert shop.do(WorkKind.REFUND, "refunded").amount_minor == 559
    assert shop.row(payment).state == "refunded"


def test_what_the_processor_says_when_it_is_asked_counts_as_well(shop: WorkingShop) -> None:
    payment = asked(shop)
    told(shop, payment, status="approved")
    shop.give_up(payment)
    shop.do(WorkKind.REVERSE, "captured", approved_minor=1058)
    assert shop.do(WorkKind.REFUND, "refunded").amount_minor == 1058


def test_what_no_hand_of_the_hub_can_give_back_besides_is_a_persons(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(processor=False))
    payment = asked(shop)
    shop.give_up(payment)
    shop.report(payment, "approved", card=CARD, captured=True)
    shop.report(payment, "refunded")
    told(shop, payment, approved_minor=1058)
    shop.internal(ExpirePayments())
    assert shop.noted("payment.refund_refused") == 1
    shop.sign_in("till-2", "mia")
    body = {"payment_id": payment["payment_id"], "how": "given-back", "reason": "slip 4"}
    assert shop.ok("till-2", "payment/settle-refund", body)["refunded_minor"] == 1058
    assert sums(shop, payment) == ("refunded", 1058, 60, 0, 1058)
    shop.check_laws()
    shop.close()


def test_a_hub_put_back_looks_up_whether_the_tip_went_back(
    shop: WorkingShop, tmp_path: Path
) -> None:
    copies = Copies(tmp_path)
    copy = copies.take(shop)
    payment = asked(shop)
    shop.give_up(payment)
    told(shop, payment)
    shop.do(WorkKind.REFUND, "refunded")
    told(shop, payment, approved_minor=1058)
    restored = copies.put_back(copy, shop, payments=rules(processor=True))
    restored.internal(from_cloud(shop))
    (work,) = restored.internal(LeaseWork(Hand.PROCESSOR))
    assert (work.kind, work.amount_minor) == (WorkKind.LOOK_UP, 60)
    restored.close()
