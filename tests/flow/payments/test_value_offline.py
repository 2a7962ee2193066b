"""Gift cards while the cloud can't be asked: as much as is set aside of them for this shop, no
more; recalls, and a hub that was put back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.domain.payments.work import Hand, WorkKind
from hub.storage import hubrow, valuerows
from tests.support.payingwork import MINUTE_MS
from tests.support.valuing import ACCOUNT, GIFT, ValueShop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ValueShop]:
    made = ValueShop(tmp_path)
    yield made
    made.check_laws()
    made.close()


def offline(shop: ValueShop, granted_minor: int = 1000) -> ValueShop:
    """The shop, with something set aside, and no line."""
    assert shop.allot(granted_minor)[0] == "done"
    shop.line = False
    return shop


def refused(shop: ValueShop, amount_minor: int = 499, **changed: Any) -> dict[str, Any]:
    """The problem of a payment beyond what is set aside."""
    body = shop.starting(amount_minor, value={"kind": "gift_card", "token": GIFT}, **changed)
    found = shop.no("till-1", "payment/start", body)
    assert found["code"] == "conflict", found
    return found


def test_what_is_set_aside_is_approved_at_once(shop: ValueShop) -> None:
    payment = offline(shop).gift()
    assert (payment["state"], payment["allotted"], payment["tenderable"]) == (
        "authorised",
        True,
        True,
    )
    assert shop.left_minor() == 501
    assert not shop.has_token(payment)
    assert shop.told(payment) == ["authorised"]
    shop.sold(payment)
    work = shop.next(Hand.ISSUER)
    assert (work.kind, work.account, work.account_epoch) == (WorkKind.CAPTURE, ACCOUNT, 1)
    shop.say(work, "captured")
    assert shop.payment(payment)["state"] == "captured"
    assert shop.left_minor() == 501


def test_beyond_it_the_answer_says_what_is_left(shop: ValueShop) -> None:
    offline(shop).gift(998)
    found = refused(shop)
    assert found["context"]["left_minor"] == 2
    assert "another tender" in found["detail"]


def test_a_card_without_an_allotment_waits_for_the_line(shop: ValueShop) -> None:
    shop.line = False
    assert refused(shop)["context"]["left_minor"] == 0
    offline(shop)
    other = {"kind": "gift_card", "token": "GC-ANOTHER-0001"}
    assert shop.no("till-1", "payment/start", shop.starting(value=other))["code"] == "conflict"
    other = {"kind": "store_credit", "token": GIFT}
    assert shop.no("till-1", "payment/start", shop.starting(value=other))["code"] == "conflict"


def test_a_till_may_want_the_issuers_own_word(shop: ValueShop) -> None:
    assert refused(offline(shop), offline="refuse")["context"]["left_minor"] == 0


def test_with_a_line_the_issuer_is_asked_first(shop: ValueShop) -> None:
    shop.allot(1000)
    blocked = shop.gift()
    shop.issuer_says(WorkKind.CHARGE, "declined", word="blocked")
    assert shop.payment(blocked)["state"] == "refused"
    beyond = shop.gift()
    shop.issuer_says(WorkKind.CHARGE, "declined", word="insufficient-value", balance_minor=0)
    spent = shop.payment(beyond)
    assert (spent["state"], spent["allotted"]) == ("authorised", True)
    assert shop.left_minor() == 501


def test_a_line_that_breaks_before_the_question_does_no_harm(shop: ValueShop) -> None:
    shop.allot(1000)
    payment = shop.gift()
    shop.issuer_says(WorkKind.CHARGE, "not-sent")
    assert shop.payment(payment)["allotted"]


def test_a_question_that_may_have_arrived_spends_nothing_here(shop: ValueShop) -> None:
    shop.allot(1000)
    payment = shop.gift()
    shop.issuer_says(WorkKind.CHARGE, "unknown")
    assert shop.payment(payment)["state"] == "unknown"
    assert shop.left_minor() == 1000


def test_what_was_given_up_is_free_again_at_once(shop: ValueShop) -> None:
    payment = offline(shop).gift()
    assert shop.give_up(payment)["state"] == "reversed"
    assert shop.left_minor() == 1000
    assert shop.work(Hand.ISSUER) == ()


def test_a_sale_that_is_voided_before_its_capture_is_sent_is_free_again(shop: ValueShop) -> None:
    payment = offline(shop).gift()
    shop.sold(payment)
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "sale/void", {"sale_id": payment["sale_id"], "reason": "mistake"})
    assert shop.payment(payment)["state"] == "reversed"
    assert shop.left_minor() == 1000


def test_a_void_after_its_capture_may_have_arrived_asks_the_issuer(shop: ValueShop) -> None:
    payment = offline(shop).gift()
    shop.sold(payment)
    shop.issuer_says(WorkKind.CAPTURE, "unknown")
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "sale/void", {"sale_id": payment["sale_id"], "reason": "mistake"})
    assert shop.left_minor() == 501
    shop.wait(MINUTE_MS)
    shop.issuer_says(WorkKind.REVERSE, "reversed")
    assert shop.payment(payment)["state"] == "reversed"
    assert shop.left_minor() == 1000


def test_what_the_issuer_took_meanwhile_is_given_back(shop: ValueShop) -> None:
    payment = offline(shop).gift()
    shop.sold(payment)
    shop.issuer_says(WorkKind.CAPTURE, "unknown")
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "sale/void", {"sale_id": payment["sale_id"], "reason": "mistake"})
    shop.wait(MINUTE_MS)
    shop.issuer_says(WorkKind.REVERSE, "captured")
    shop.issuer_says(WorkKind.REFUND, "refunded")
    assert shop.payment(payment)["state"] == "refunded"
    assert shop.left_minor() == 501


def test_a_capture_that_was_not_sent_leaves_the_void_here(shop: ValueShop) -> None:
    payment = offline(shop).gift()
    shop.sold(payment)
    shop.issuer_says(WorkKind.CAPTURE, "not-sent")
    assert shop.row(payment).forwards == 0


def test_an_issuer_that_has_not_heard_of_the_card_is_told_again(shop: ValueShop) -> None:
    payment = offline(shop).gift()
    shop.sold(payment)
    shop.issuer_says(WorkKind.CAPTURE, "not-found")
    assert shop.payment(payment)["state"] == "authorised"
    shop.wait(MINUTE_MS)
    shop.issuer_says(WorkKind.CAPTURE, "captured")


def test_a_line_that_comes_and_goes_while_it_is_begun_confuses_nobody(shop: ValueShop) -> None:
    answers = iter([True, False, False])
    terms = replace(shop.rules.payments, issuer_ready=lambda: next(answers))
    shop.gate.shop = replace(shop.rules, payments=terms)
    assert shop.gift()["state"] == "intent"


# Grants and recalls -------------------------------------------------------------------------------


def test_words_that_come_twice_or_late_change_nothing(shop: ValueShop) -> None:
    for granted in (1000, 2000, 1000, 2000):
        shop.allot(granted)
    assert shop.left_minor() == 2000
    offline(shop, 2000).gift(499)
    shop.allot(1500)
    assert shop.left_minor() == 1501


def test_a_recall_gives_back_what_is_not_spent_and_says_so_once(shop: ValueShop) -> None:
    offline(shop).gift()
    shop.allot(1000, 1000)
    assert shop.left_minor() == 0
    shop.allot(1000, 1000)
    (told,) = shop.told_of("gift_card.allotment_returned")
    assert (told["account_ref"], told["epoch"]) == (ACCOUNT, 1)
    assert (told["returned_minor"], told["spent_minor"]) == (501, 499)


def test_what_is_let_go_under_a_recall_goes_back_too(shop: ValueShop) -> None:
    payment = offline(shop).gift()
    shop.allot(1000, 1000)
    shop.give_up(payment)
    told = shop.told_of("gift_card.allotment_returned")
    assert [one["returned_minor"] for one in told] == [501, 1000]
    assert shop.left_minor() == 0


def test_data_that_is_not_the_contracts_is_refused(shop: ValueShop) -> None:
    shop.allot(10)
    assert shop.allot(20, kind="store_credit")[0] == "failed"
    assert shop.allot(20, currency="USD")[0] == "failed"
    assert shop.left_minor() == 10


def test_a_hash_that_looks_like_a_cards_number_is_none(shop: ValueShop) -> None:
    assert shop.allot(10, token_hash="4111111111111111" + "a" * 48)[0] == "done"


# Put back from a copy -----------------------------------------------------------------------------


def fenced(shop: ValueShop, fence: str) -> None:
    shop.tx(lambda tx: hubrow.set_fence(tx, fence))


def met(shop: ValueShop, epoch: int) -> None:
    """The cloud has given the hub a new epoch."""
    shop.run("UPDATE hub SET epoch = ?, fence = ''", epoch)


def test_a_hub_that_was_put_back_spends_only_what_is_granted_anew(shop: ValueShop) -> None:
    offline(shop)
    fenced(shop, "restored")
    refused(shop)
    met(shop, 2)
    refused(shop)
    shop.allot(1000, 1000, epoch=1)
    assert shop.told_of("gift_card.allotment_returned") == []
    refused(shop)
    shop.allot(600, epoch=2)
    assert shop.gift()["state"] == "authorised"
    assert shop.left_minor() == 101
    shop.allot(1000, epoch=1)
    assert shop.left_minor() == 101


def test_a_copy_lets_nothing_go_by_itself_that_may_have_been_taken(shop: ValueShop) -> None:
    payment = offline(shop).gift()
    shop.sold(payment)
    fenced(shop, "restored")
    shop.recover()
    met(shop, 2)
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "sale/void", {"sale_id": payment["sale_id"], "reason": "mistake"})
    assert shop.payment(payment)["state"] == "authorised"
    shop.issuer_says(WorkKind.REVERSE, "captured")
    shop.issuer_says(WorkKind.REFUND, "refunded")


def test_cards_with_nothing_left_make_room_for_others(
    shop: ValueShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valuerows, "ACCOUNTS_MAX", 1)
    assert shop.allot(499)[0] == "done"
    assert shop.allot(499, account_ref="acct-43", token="GC-43")[0] == "failed"
    shop.line = False
    shop.sold(shop.gift())
    assert shop.left_minor() == 0
    assert shop.allot(499, account_ref="acct-43", token="GC-43")[0] == "done"
