"""Money of payment links that comes twice, early, in another amount, or to a hub put back from a
copy: none is dropped, none is given back that was owed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.contract.settlement import ImportSettlement
from hub.domain.payments.states import PaymentState
from hub.domain.payments.work import Hand, WorkKind
from hub.service.caller import Caller, CallerKind
from hub.service.handlers.recovery import FinishRecovery, Recovered, RecoverEvents
from hub.service.payments import owing
from hub.service.payments.commands import LeaseWork
from hub.storage import linkrows, paymentrows, secretrows
from hub.storage.paymentrows import PaymentRow
from tests.flow.payments.test_links import CONTACT, ask, link, links, owed, sent, told_paid
from tests.support.copies import Copies, from_cloud
from tests.support.gatebench import now
from tests.support.paying import rules
from tests.support.payingwork import HOUR_MS, WorkingShop
from tests.support.shop import Shop


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


def paid_out(shop: Shop, payment: Any, psp_ref: str, amount_minor: int = 499) -> dict[str, int]:
    """The verdicts on a settlement report with one line."""
    line = {
        "kind": "payment",
        "payment_id": payment["payment_id"],
        "psp_ref": psp_ref,
        "amount_minor": amount_minor,
        "currency": "EUR",
        "at_ms": 1,
    }
    command = ImportSettlement.model_validate(
        {"processor": "oms", "name": f"report {psp_ref}", "lines": [line]}
    )
    done = now(shop.gate.run(Caller(CallerKind.CLI, "root"), command))
    verdicts: dict[str, int] = done.verdicts
    return verdicts


def states(shop: WorkingShop, payment: Any) -> list[str]:
    return [one.state for one in links(shop, payment)]


# Twice, and otherwise than was asked -------------------------------------------------------------


def test_a_link_that_is_paid_twice_is_a_persons_matter(shop: WorkingShop) -> None:
    payment = owed(shop)
    sent(shop, payment)
    told_paid(shop, payment, psp_ref="pl-1")
    assert shop.row(payment).state == "recovered"
    told_paid(shop, payment, psp_ref="pl-2")
    told_paid(shop, payment, psp_ref="pl-2")
    assert states(shop, payment) == ["paid", "surplus"]
    (noted,) = shop.audited("payment.link_surplus")
    assert (noted["psp_ref"], noted["amount_minor"]) == ("pl-2", 499)
    body = {"payment_id": payment["payment_id"], "how": "given-back", "reason": "in the portal"}
    shop.ok("till-1", "payment/settle-link", body)
    told_paid(shop, payment, psp_ref="pl-2")
    assert states(shop, payment) == ["paid", "settled"]


def test_each_money_that_was_not_owed_is_settled_by_itself(shop: WorkingShop) -> None:
    payment = owed(shop)
    sent(shop, payment)
    told_paid(shop, payment, psp_ref="pl-1", amount_minor=100)
    told_paid(shop, payment, psp_ref="pl-2", amount_minor=200)  # while somebody saw to the first
    body = {"payment_id": payment["payment_id"], "how": "given-back", "reason": "in the portal"}
    shop.ok("till-1", "payment/settle-link", body)
    assert states(shop, payment) == ["settled", "surplus"]
    (noted,) = shop.audited("payment.link_settled")
    assert (noted["psp_ref"], noted["amount_minor"]) == ("pl-1", 100)


def test_what_is_said_twice_of_one_links_money_says_nothing_of_another(
    shop: WorkingShop,
) -> None:
    payment = owed(shop)
    sent(shop, payment)
    told_paid(shop, payment, psp_ref="pl-1", amount_minor=100)
    told_paid(shop, payment, psp_ref="pl-2", amount_minor=200)
    first, second = (one.link_key for one in links(shop, payment))
    body = {"payment_id": payment["payment_id"], "how": "kept", "reason": "for the delivery"}
    for _ in range(2):
        shop.ok("till-1", "payment/settle-link", body | {"link_key": first})
        assert states(shop, payment) == ["settled", "surplus"]
    assert len(shop.audited("payment.link_settled")) == 1
    other = body | {"link_key": first, "how": "given-back"}
    assert shop.no("till-1", "payment/settle-link", other)["code"] == "conflict"
    shop.ok("till-1", "payment/settle-link", body | {"link_key": second})
    assert states(shop, payment) == ["settled", "settled"]


def test_what_the_oms_called_paid_and_was_another_amount_is_a_persons_matter(
    shop: WorkingShop,
) -> None:
    payment = owed(shop)
    ask(shop, payment)
    shop.say(shop.next(Hand.LINKS), "captured", psp_ref="pl-1")
    assert shop.row(payment).state == "recovered"
    told_paid(shop, payment, amount_minor=100)
    assert (link(shop, payment).state, link(shop, payment).paid_minor) == ("surplus", 100)


def test_what_the_oms_called_paid_without_a_reference_gets_it_with_the_word(
    shop: WorkingShop,
) -> None:
    payment = owed(shop)
    ask(shop, payment)
    shop.say(shop.next(Hand.LINKS), "captured")
    told_paid(shop, payment)
    assert (link(shop, payment).state, link(shop, payment).psp_ref) == ("paid", "pl-1")
    assert paid_out(shop, payment, "pl-1") == {"matched": 1}
    assert shop.row(payment).state == "recovered"


def test_what_the_oms_called_paid_without_a_reference_is_counted_once(shop: WorkingShop) -> None:
    payment = owed(shop)
    ask(shop, payment)
    work = shop.next(Hand.LINKS)
    close = {"payment_id": payment["payment_id"], "how": "paid", "reason": "cash"}
    shop.ok("till-1", "payment/close-receivable", close)
    shop.say(work, "captured")
    assert states(shop, payment) == ["surplus"]
    told_paid(shop, payment)
    told_paid(shop, payment)
    assert (link(shop, payment).state, link(shop, payment).psp_ref) == ("surplus", "pl-1")


# Told in another order ---------------------------------------------------------------------------


def test_a_links_money_that_is_paid_out_before_it_is_told_is_owed_to_nobody(
    shop: WorkingShop,
) -> None:
    payment = owed(shop)
    sent(shop, payment)
    assert paid_out(shop, payment, "pl-1") == {"matched": 1}
    assert shop.row(payment).state == "settled"
    told_paid(shop, payment)
    assert states(shop, payment) == ["paid"]
    assert shop.row(payment).state == "settled"


def test_a_links_money_that_comes_as_the_payments_outcome_first_is_owed_to_nobody(
    shop: WorkingShop,
) -> None:
    payment = owed(shop)
    sent(shop, payment)
    assert shop.learn(payment, "captured", psp_ref="pl-1")
    told_paid(shop, payment)
    assert states(shop, payment) == ["paid"]
    assert shop.row(payment).state == "captured"


# Goods that come back ----------------------------------------------------------------------------


def returned(shop: WorkingShop, payment: Any) -> None:
    line = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "too many"}
    back = {"return_id": shop.id(), "sale_id": payment["sale_id"], "lines": [line]}
    shop.ok("till-1", "return/commit", back)


def test_a_link_that_was_not_sent_yet_asks_for_what_is_owed_now(shop: WorkingShop) -> None:
    payment = owed(shop, amount_minor=998)
    ask(shop, payment)
    returned(shop, payment)
    assert shop.work(Hand.LINKS) == ()
    work = shop.next(Hand.LINKS)
    assert work.amount_minor == 499
    assert states(shop, payment) == ["dropped", "sending"]
    shop.say(work, "sent")
    told_paid(shop, payment, key=work.key)
    assert shop.row(payment).state == "recovered"


def test_what_was_taken_off_the_link_is_not_given_back_besides(shop: WorkingShop) -> None:
    payment = owed(shop, amount_minor=998)
    returned(shop, payment)
    sent(shop, payment)
    told_paid(shop, payment)
    assert shop.row(payment).state == "recovered"
    shop.expire()
    assert shop.noted("payment.refund_refused") == 0, "nobody is to hand it out in cash"
    assert [one.state for one in shop.refunds(payment)] == ["done"]
    assert shop.row(payment).refunded_minor == 499


# Hubs put back from copies -----------------------------------------------------------------------


def put_back(copies: Copies, copy: Path, lost: WorkingShop, **more: Any) -> Shop:
    return copies.put_back(copy, lost, payments=rules(links=True, **more))


def recovered(restored: Shop, lost: WorkingShop) -> None:
    restored.internal(from_cloud(lost))
    restored.internal(FinishRecovery({}, Recovered()))


def row_of(shop: Shop, payment: Any) -> PaymentRow:
    row = paymentrows.get(shop.rows, payment["payment_id"])
    assert row is not None
    return row


def links_of(shop: Shop, payment: Any) -> list[str]:
    return [one.state for one in linkrows.of_payment(shop.rows, row_of(shop, payment).id)]


def test_what_a_link_paid_before_a_restore_is_owed_to_nobody(
    shop: WorkingShop, copies: Copies
) -> None:
    copy = copies.take(shop)
    payment = owed(shop)
    sent(shop, payment)
    told_paid(shop, payment)
    restored = put_back(copies, copy, shop)
    recovered(restored, shop)
    told_paid(restored, payment)  # the log of commands goes on from the copy
    assert links_of(restored, payment) == ["paid"]
    assert paid_out(restored, payment, "pl-1") == {"matched": 1}
    assert row_of(restored, payment).state == "recovered"


def test_what_was_paid_out_before_a_restore_and_told_after_it_is_owed_to_nobody(
    shop: WorkingShop, copies: Copies
) -> None:
    payment = owed(shop)
    sent(shop, payment)
    copy = copies.take(shop)
    paid_out(shop, payment, "pl-1")
    restored = put_back(copies, copy, shop)
    recovered(restored, shop)
    told_paid(restored, payment)
    assert links_of(restored, payment) == ["paid"]


def test_what_a_link_paid_too_before_a_restore_is_a_persons_matter_again(
    shop: WorkingShop, copies: Copies
) -> None:
    payment = owed(shop)
    sent(shop, payment)
    copy = copies.take(shop)
    close = {"payment_id": payment["payment_id"], "how": "paid", "reason": "cash"}
    shop.ok("till-1", "payment/close-receivable", close)
    told_paid(shop, payment)
    restored = put_back(copies, copy, shop)
    recovered(restored, shop)
    told_paid(restored, payment)
    assert links_of(restored, payment) == ["surplus"]


def test_a_contact_of_what_was_captured_before_a_restore_is_destroyed(
    shop: WorkingShop, copies: Copies
) -> None:
    payment = shop.kept(contact=CONTACT)
    copy = copies.take(shop)
    shop.do(WorkKind.CHARGE, "captured", psp_ref="psp-1")
    restored = put_back(copies, copy, shop)
    recovered(restored, shop)
    assert row_of(restored, payment).state == "captured"
    assert secretrows.get(restored.rows, row_of(restored, payment).id, owing.CONTACT) is None


def test_a_hub_that_is_put_back_sends_no_link_before_it_has_heard_what_it_told(
    shop: WorkingShop, copies: Copies
) -> None:
    payment = owed(shop)
    ask(shop, payment)
    copy = copies.take(shop)
    close = {"payment_id": payment["payment_id"], "how": "paid", "reason": "cash"}
    shop.ok("till-1", "payment/close-receivable", close)
    restored = put_back(copies, copy, shop)
    assert restored.internal(LeaseWork(Hand.LINKS)) == ()
    recovered(restored, shop)
    assert restored.internal(LeaseWork(Hand.LINKS)) == ()
    assert links_of(restored, payment) == ["dropped"]


def test_a_hub_that_is_put_back_uses_no_links_key_for_another_amount(
    shop: WorkingShop, copies: Copies
) -> None:
    payment = owed(shop, amount_minor=998)
    copy = copies.take(shop)
    ask(shop, payment)
    before = shop.next(Hand.LINKS)
    restored = put_back(copies, copy, shop)
    recovered(restored, shop)
    restored.sign_in("till-1", "anna")
    line = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "too many"}
    back = {"return_id": shop.id(), "sale_id": payment["sale_id"], "lines": [line]}
    restored.ok("till-1", "return/commit", back)
    restored.ok("till-1", "payment/send-link", {"payment_id": payment["payment_id"]})
    (again,) = restored.internal(LeaseWork(Hand.LINKS))
    assert (before.amount_minor, again.amount_minor) == (998, 499)
    assert before.key != again.key


def test_nobody_is_asked_to_pay_for_a_sale_that_a_restored_hub_has_not_heard_of(
    tmp_path: Path, copies: Copies
) -> None:
    (tmp_path / "at-once").mkdir()
    lost = WorkingShop(tmp_path / "at-once", payments=rules(links=True, link_at_once=True))
    payment = lost.stored(contact=CONTACT, token="tok_xyz")
    copy = copies.take(lost)
    lost.sold(payment)
    lost.wait(25 * HOUR_MS)
    lost.expire()
    told = from_cloud(lost)
    pairs = [
        one for one in zip(told.events, told.times_ms, strict=True) if ".sale." not in one[0].type
    ]
    restored = put_back(copies, copy, lost, link_at_once=True)
    restored.internal(RecoverEvents(tuple(one for one, _ in pairs), tuple(at for _, at in pairs)))
    restored.internal(FinishRecovery({}, Recovered()))
    assert row_of(restored, payment).state == PaymentState.RECOVERY
    assert restored.internal(LeaseWork(Hand.LINKS)) == ()
    assert links_of(restored, payment) == ["dropped"]
    lost.close()


def test_a_hub_that_heard_of_a_link_it_lost_can_send_another(shop: WorkingShop) -> None:
    payment = owed(shop)
    told_paid(shop, payment, key=f"{payment['payment_id']}-link-2-499", amount_minor=100)
    assert shop.row(payment).state == "recovery"
    ask(shop, payment)
    assert states(shop, payment) == ["surplus", "wanted"]


def test_money_that_came_too_late_for_what_was_closed_goes_back_after_a_restore_too(
    shop: WorkingShop, copies: Copies
) -> None:
    copy = copies.take(shop)
    payment = owed(shop)
    close = {"payment_id": payment["payment_id"], "how": "paid", "reason": "cash"}
    shop.ok("till-1", "payment/close-receivable", close)
    assert shop.learn(payment, "approved", psp_ref="psp-7")
    assert (shop.row(payment).state, shop.row(payment).void_asked) == ("authorised", 1)
    restored = put_back(copies, copy, shop)
    recovered(restored, shop)
    (work,) = restored.internal(LeaseWork(Hand.PROCESSOR))
    assert work.kind is WorkKind.REVERSE, "it was paid in cash, too"


def test_a_receivable_is_asked_for_by_itself_once_for_all_copies(
    tmp_path: Path, copies: Copies
) -> None:
    (tmp_path / "at-once").mkdir()
    lost = WorkingShop(tmp_path / "at-once", payments=rules(links=True, link_at_once=True))
    payment = lost.kept(contact=CONTACT)
    copy = copies.take(lost)
    lost.wait(25 * HOUR_MS)
    lost.expire()
    before = lost.next(Hand.LINKS)
    restored = put_back(copies, copy, lost, link_at_once=True)
    recovered(restored, lost)
    assert row_of(restored, payment).state == PaymentState.RECOVERY
    (again,) = restored.internal(LeaseWork(Hand.LINKS))
    assert again.key == before.key
    lost.close()
