"""What a till gives back after a return, when it goes another way than one thinks: refused while
the payment is kept, told late, told by the cloud to a hub that was put back, said by people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.contract.settlement import ImportSettlement
from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.work import Hand, WorkKind
from hub.service.caller import Caller, CallerKind
from hub.service.handlers.recovery import RecoverEvents
from hub.service.payments.commands import ExpirePayments, LeaseWork
from tests.flow.payments.test_links import told_paid
from tests.flow.payments.test_till_refunds import (
    bring_back,
    captured,
    differences,
    kept,
    refunds_of,
    refused,
    settled,
    untold,
)
from tests.support.copies import Copies, from_cloud
from tests.support.gatebench import now
from tests.support.paying import CARD, PayingShop, rules
from tests.support.payingwork import WorkingShop
from tests.support.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[PayingShop]:
    """Without a processor: the terminals do all by themselves."""
    made = PayingShop(tmp_path, payments=rules(processor=False))
    yield made
    made.check_laws()
    made.close()


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[Copies]:
    made = Copies(tmp_path)
    yield made
    for one in made.made:
        one.close()


def test_a_part_that_a_till_gave_back_before_the_hub_captured_leaves_the_rest_to_be_captured(
    tmp_path: Path,
) -> None:
    shop = WorkingShop(tmp_path, payments=rules(processor=True))
    payment = kept(shop, 2)
    return_id = bring_back(shop, payment)
    shop.report(payment, "approved", card=CARD)
    after = shop.report(payment, "refunded", return_id=return_id)
    assert (after["state"], after["refunded_minor"]) == ("authorised", 499)
    shop.do(WorkKind.CAPTURE, "captured")
    with shop.unchanged():
        shop.report(payment, "refunded", return_id=return_id)
    row = shop.row(payment)
    assert (row.state, row.refunded_minor) == ("captured", 499)
    shop.check_laws()
    shop.close()


# Refused -----------------------------------------------------------------------------------------


def test_what_a_terminal_would_not_let_go_and_is_declined_later_is_owed_by_nobody(
    shop: PayingShop,
) -> None:
    payment = kept(shop)
    return_id = bring_back(shop, payment)
    shop.report(payment, "refused", return_id=return_id, reason="it can't void what it keeps")
    assert refused(shop) == [], "nobody hands out what hasn't come yet"
    assert shop.report(payment, "refused", reason="no funds")["state"] == "voided"


def test_what_a_terminal_would_not_let_go_and_somebody_gave_in_cash_is_owed(
    shop: PayingShop,
) -> None:
    payment = kept(shop)
    return_id = bring_back(shop, payment)
    shop.report(payment, "refused", return_id=return_id, reason="it can't void what it keeps")
    assert settled(shop, payment, "given-back")["problem"]["code"] == "conflict"
    assert settled(shop, payment, "otherwise")["result"]["state"] == "stored"
    assert shop.report(payment, "refused", reason="no funds")["state"] == "recovery"


def test_a_till_can_not_say_that_a_person_gave_the_money(shop: PayingShop) -> None:
    payment = captured(shop)
    return_id = bring_back(shop, payment)
    shop.report(payment, "refused", return_id=return_id, reason="Given otherwise: no")
    assert len(refused(shop)) == 1


def test_what_a_till_gave_back_although_somebody_gave_it_in_cash_is_noted(
    shop: PayingShop,
) -> None:
    payment = captured(shop)
    return_id = bring_back(shop, payment)
    settled(shop, payment, "otherwise")
    for _ in range(2):
        after = shop.report(payment, "refunded", return_id=return_id)
        assert after["refunded_minor"] == 499
    assert shop.noted("payment.refund_given_twice") == 1
    [one] = differences(shop, "refund-given-twice")
    assert (one["owner"], one["amount_minor"]) == ("manager", 499)
    assert one["payment_id"] == payment["payment_id"]
    assert "till-1" in one["what"]
    shop.clock.advance(60 * 86_400)
    assert differences(shop, "refund-given-twice") == []


def test_what_is_said_twice_of_one_refund_says_nothing_of_another(shop: PayingShop) -> None:
    payment = captured(shop)
    bring_back(shop, payment)
    bring_back(shop, payment)
    first, second = shop.all("SELECT refund_id FROM payment_refunds ORDER BY id")
    for _ in range(2):
        done = settled(shop, payment, "given-back", refund_id=first[0])
        assert done["result"]["refunded_minor"] == 499
    assert refunds_of(shop, payment) == [(499, "done", "till"), (499, "wanted", "till")]
    other = settled(shop, payment, "otherwise", refund_id=first[0])
    assert other["problem"]["code"] == "conflict"
    assert settled(shop, payment, "otherwise", refund_id=second[0])["ok"]
    assert refunds_of(shop, payment)[1] == (499, "refused", "till")


def test_what_the_processor_paid_although_somebody_gave_it_in_cash_is_a_difference(
    shop: PayingShop,
) -> None:
    payment = captured(shop)
    bring_back(shop, payment)
    [(refund_id,)] = shop.all("SELECT refund_id FROM payment_refunds")
    line = {"kind": "refund", "payment_id": refund_id, "amount_minor": 499, "currency": "EUR"}
    assert paid_out(shop, line, "before") == {"matched": 1}
    settled(shop, payment, "otherwise")
    assert paid_out(shop, line, "since") == {"unknown-refund": 1}


def paid_out(shop: PayingShop, line: dict[str, Any], name: str) -> dict[str, int]:
    told = {"processor": name, "name": name, "lines": [line | {"at_ms": 1}]}
    command = ImportSettlement.model_validate(told)
    verdicts: dict[str, int] = now(shop.gate.run(Caller(CallerKind.CLI, "root"), command)).verdicts
    return verdicts


# Nobody knew, or it was paid otherwise -----------------------------------------------------------


def lost(shop: PayingShop) -> None:
    """The terminal doesn't tell for a day."""
    shop.clock.advance(25 * 3600)
    shop.internal(ExpirePayments())


def test_a_terminal_that_is_found_and_lets_go_what_came_back_has_never_taken_it(
    shop: PayingShop,
) -> None:
    payment = kept(shop)
    return_id = bring_back(shop, payment)
    lost(shop)
    assert shop.payment(payment)["state"] == "lost"
    assert shop.report(payment, "reversed", return_id=return_id)["state"] == "abandoned"
    assert shop.told(payment) == ["stored", "lost", "voided"]
    assert shop.exposure_minor() == 0
    after = shop.report(payment, "approved", card=CARD)
    assert (after["state"], after["void_asked"]) == ("authorised", True)


def test_a_terminal_that_is_found_and_lets_a_voided_sales_payment_go_ends_it(
    shop: PayingShop,
) -> None:
    payment = kept(shop)
    shop.sign_in("till-2", "mia")
    shop.ok("till-2", "sale/void", {"sale_id": payment["sale_id"], "reason": "wrong goods"})
    lost(shop)
    assert shop.payment(payment)["state"] == "lost"
    for _ in range(2):
        assert shop.report(payment, "reversed")["state"] == "abandoned"


def test_what_nobody_could_give_back_when_the_goods_came_is_a_persons(shop: PayingShop) -> None:
    payment = kept(shop, 2)
    lost(shop)
    shop.sign_in("till-2", "mia")
    line = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "unopened"}
    body = {"return_id": shop.id(), "sale_id": payment["sale_id"], "lines": [line]}
    done = shop.ok("till-2", "return/commit", body)
    assert [one["by"] for one in done["refund"]] == ["hub"]
    shop.report(payment, "approved", card=CARD, captured=True)
    shop.internal(ExpirePayments())
    assert [one["amount_minor"] for one in refused(shop)] == [499]
    shop.sign_in("till-2", "mia")
    assert settled(shop, payment, "given-back")["result"]["refunded_minor"] == 499


def given_by_nobody(shop: PayingShop, qty: int = 1) -> tuple[Any, dict[str, Any]]:
    """A payment that the hub was to give a part back of, or all, and can't; the return."""
    payment = kept(shop, 2)
    lost(shop)
    shop.sign_in("till-2", "mia")
    line = {"line_no": 1, "qty": qty, "disposition": "resellable", "reason": "unopened"}
    body = {"return_id": shop.id(), "sale_id": payment["sale_id"], "lines": [line]}
    (view,) = shop.ok("till-2", "return/commit", body)["refund"]
    assert (view["by"], view["by_person"]) == ("hub", False)
    shop.report(payment, "approved", card=CARD, captured=True)
    refusal = shop.no("till-2", "payment/report", refunded(payment, body))
    whole = qty == 2  # else it is tried until its time comes
    who = "a person sees to it" if whole else "The hub gives this money back itself"
    assert who in refusal["detail"]
    shop.internal(ExpirePayments())
    shop.sign_in("till-2", "mia")
    return payment, body


def refunded(payment: Any, returned: dict[str, Any]) -> dict[str, Any]:
    return body_of(payment, "refunded", return_id=returned["return_id"])


def test_a_till_hears_that_a_person_sees_to_what_the_hub_can_not_give_back(
    shop: PayingShop,
) -> None:
    payment, body = given_by_nobody(shop)
    (view,) = shop.ok("till-2", "return/commit", body)["refund"]
    assert (view["by"], view["by_person"]) == ("hub", True)
    problem = shop.no("till-2", "payment/report", refunded(payment, body))
    assert "a person sees to it" in problem["detail"]
    assert settled(shop, payment, "given-back", refund_id=problem["context"]["refund_id"])["ok"]
    (view,) = shop.ok("till-2", "return/commit", body)["refund"]
    assert view["by_person"] is False, "it went back"
    assert "has gone back" in shop.no("till-2", "payment/report", refunded(payment, body))["detail"]


def test_a_till_hears_that_a_person_gave_what_the_hub_could_not(shop: PayingShop) -> None:
    payment, body = given_by_nobody(shop)
    assert settled(shop, payment, "otherwise")["ok"]
    (view,) = shop.ok("till-2", "return/commit", body)["refund"]
    assert view["by_person"] is True
    problem = shop.no("till-2", "payment/report", refunded(payment, body))
    assert "in another way" in problem["detail"]


def test_a_till_hears_the_same_of_what_comes_back_at_once(shop: PayingShop) -> None:
    payment, body = given_by_nobody(shop, 2)
    (view,) = shop.ok("till-2", "return/commit", body)["refund"]
    assert (view["by"], view["by_person"]) == ("hub", True)
    problem = shop.no("till-2", "payment/report", refunded(payment, body))
    assert "a person sees to it" in problem["detail"]
    assert shop.report(payment, "refunded")["state"] == "refunded"
    (view,) = shop.ok("till-2", "return/commit", body)["refund"]
    assert view["by_person"] is False, "it went back"


def test_a_till_hears_that_a_person_sees_to_what_the_processor_refused(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(processor=True))
    payment = captured(shop)
    shop.sign_in("till-2", "mia")
    line = {"line_no": 1, "qty": 2, "disposition": "resellable", "reason": "unopened"}
    body = {"return_id": shop.id(), "sale_id": payment["sale_id"], "lines": [line]}
    shop.ok("till-2", "return/commit", body)
    problem = shop.no("till-2", "payment/report", refunded(payment, body))
    assert "The hub gives this money back itself" in problem["detail"]
    shop.do(WorkKind.REFUND, "declined", code=DeclineCode.FRAUD)
    (view,) = shop.ok("till-2", "return/commit", body)["refund"]
    assert (view["by"], view["by_person"]) == ("hub", True)
    problem = shop.no("till-2", "payment/report", refunded(payment, body))
    assert "a person sees to it" in problem["detail"]
    assert settled(shop, payment, "given-back", refund_id=problem["context"]["refund_id"])["ok"]
    (view,) = shop.ok("till-2", "return/commit", body)["refund"]
    assert view["by_person"] is False
    shop.check_laws()
    shop.close()


def test_a_refund_of_what_was_paid_otherwise_says_nothing_of_its_card(shop: PayingShop) -> None:
    payment = kept(shop, 2)
    shop.report(payment, "refused", reason="no funds")
    body = {"payment_id": payment["payment_id"], "how": "paid", "reason": "cash"}
    shop.ok("till-2", "payment/close-receivable", body)
    return_id = bring_back(shop, payment)
    with shop.unchanged():
        after = shop.report(payment, "refunded", return_id=return_id)
    assert (after["state"], after["void_asked"]) == ("recovered", False)


def test_what_came_back_of_what_was_paid_otherwise_is_asked_about_and_settled(
    shop: PayingShop,
) -> None:
    payment = kept(shop, 3)
    bring_back(shop, payment, 2)
    shop.report(payment, "refused", reason="no funds")
    body = {"payment_id": payment["payment_id"], "how": "paid", "reason": "cash"}
    shop.ok("till-2", "payment/close-receivable", body)
    shop.internal(ExpirePayments())
    [one] = refused(shop)
    assert one["next_step"].startswith("Has the customer paid this, too"), "perhaps only the rest"
    assert settled(shop, payment, "otherwise")["ok"]
    assert refused(shop) == []


def test_what_a_terminal_would_not_let_go_a_link_does_not_ask_for(tmp_path: Path) -> None:
    shop = PayingShop(tmp_path, payments=rules(processor=False, links=True))
    payment = kept(shop, 3)
    return_id = bring_back(shop, payment, 2)
    shop.report(payment, "refused", return_id=return_id, reason="it can't void what it keeps")
    assert shop.report(payment, "refused", reason="no funds")["state"] == "recovery"
    told_paid(shop, payment, amount_minor=499)
    assert shop.row(payment).state == "recovered"
    shop.internal(ExpirePayments())
    assert refused(shop) == [], "nobody is to hand out what was never paid"
    shop.check_laws()
    shop.close()


# Put back ----------------------------------------------------------------------------------------


def put_back(shop: PayingShop, copies: Copies, copy: Path, first: str = "", **how: Any) -> Shop:
    """A hub from the copy, which the cloud has told all; ``first``: the stream that it begins
    with."""
    restored = copies.put_back(copy, shop, payments=rules(**({"processor": False} | how)))
    told = from_cloud(shop)
    pairs = list(zip(told.events, told.times_ms, strict=True))
    if first:
        pairs.sort(key=lambda one: one[0].stream != first)
    events, times_ms = zip(*pairs, strict=True)
    restored.internal(RecoverEvents(events, times_ms))
    return restored


def body_of(payment: Any, outcome: str, **more: Any) -> dict[str, Any]:
    return {"payment_id": payment["payment_id"], "outcome": outcome} | more


def test_the_till_where_the_goods_came_back_tells_a_hub_that_was_put_back(
    shop: PayingShop, copies: Copies
) -> None:
    copy = copies.take(shop)
    payment = captured(shop)
    return_id = bring_back(shop, payment, device="till-2")
    restored = put_back(shop, copies, copy)
    restored.clock.advance(6 * 86_400)
    [one] = differences_of(restored)
    assert " a till was to" in one["what"], "the cloud doesn't know which"
    after = restored.ok(
        "till-2", "payment/report", body_of(payment, "refunded", return_id=return_id)
    )
    assert after["refunded_minor"] == 499


def differences_of(shop: Shop) -> list[dict[str, Any]]:
    return differences(shop, "refund-untold")  # type: ignore[arg-type]


@pytest.mark.parametrize("first", ["sales", "payments"])
def test_what_the_cloud_knows_to_have_gone_back_no_till_has_to_tell_again(
    shop: PayingShop, copies: Copies, first: str
) -> None:
    copy = copies.take(shop)
    payment = captured(shop)
    return_id = bring_back(shop, payment)
    shop.report(payment, "refunded", return_id=return_id)
    restored = put_back(shop, copies, copy, first)
    restored.clock.advance(6 * 86_400)
    assert differences_of(restored) == []
    second = bring_back(restored, payment, device="till-1")  # type: ignore[arg-type]
    after = restored.ok("till-1", "payment/report", body_of(payment, "refunded", return_id=second))
    assert (after["state"], after["refunded_minor"]) == ("refunded", 998)


@pytest.mark.parametrize("first", ["sales", "payments"])
def test_what_came_back_before_the_restore_is_owed_by_nobody_whatever_is_told_first(
    shop: PayingShop, copies: Copies, first: str
) -> None:
    copy = copies.take(shop)
    payment = kept(shop)
    bring_back(shop, payment)
    restored = put_back(shop, copies, copy, first)
    after = restored.ok("till-1", "payment/report", body_of(payment, "refused"))
    assert after["state"] == "voided"


@pytest.mark.parametrize("first", ["sales", "payments"])
def test_what_the_hub_was_to_give_back_it_does_whatever_is_told_first(
    paying: PayingShop, copies: Copies, first: str
) -> None:
    copy = copies.take(paying)
    payment = captured(paying)
    paying.sign_in("till-2", "mia")
    line = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "unopened"}
    body = {"return_id": paying.id(), "sale_id": payment["sale_id"], "lines": [line]}
    paying.ok("till-2", "return/commit", body)
    restored = put_back(paying, copies, copy, first, processor=True)
    (work,) = restored.internal(LeaseWork(Hand.PROCESSOR))
    assert (work.kind, work.amount_minor) == (WorkKind.LOOK_UP, 499)


@pytest.mark.parametrize("first", ["sales", "payments"])
def test_a_voided_sales_payment_goes_back_whatever_is_told_first(
    paying: PayingShop, copies: Copies, first: str
) -> None:
    copy = copies.take(paying)
    payment = paying.approved()
    paying.sold(payment)
    paying.sign_in("till-2", "mia")
    paying.ok("till-2", "sale/void", {"sale_id": payment["sale_id"], "reason": "wrong goods"})
    restored = put_back(paying, copies, copy, first, processor=True)
    (work,) = restored.internal(LeaseWork(Hand.PROCESSOR))
    assert work.kind is WorkKind.REVERSE, "a customer isn't charged for what was voided"


def test_a_refund_of_a_return_that_was_told_counts_for_itself_only(shop: PayingShop) -> None:
    payment = captured(shop)
    first, _ = bring_back(shop, payment), bring_back(shop, payment)
    shop.report(payment, "refunded", return_id=first)
    assert refunds_of(shop, payment) == [(499, "done", "till"), (499, "wanted", "till")]
    shop.clock.advance(6 * 86_400)
    assert len(untold(shop)) == 1
