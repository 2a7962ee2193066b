"""Card payments in hubs that were put back from older copies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.work import Hand, WorkKind
from hub.service.handlers.recovery import FinishRecovery, Recovered
from hub.service.payments.commands import EndWork, ExpirePayments, LeaseWork, ProcessorSaid
from tests.support.copies import Copies, Till, from_cloud
from tests.support.paying import CARD, PayingShop, rules
from tests.support.payingwork import HOUR_MS, WorkingShop
from tests.support.shop import Shop


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[Copies]:
    made = Copies(tmp_path)
    yield made
    for shop in made.made:
        shop.check_laws()
        shop.close()


def row_of(shop: Shop, payment: Any) -> tuple[Any, ...] | None:
    return shop.one(
        "SELECT state, in_sale, void_asked, amount_minor, sale_id, offline_seq, psp_ref, last4"
        " FROM payments WHERE payment_id = ?",
        payment["payment_id"],
    )


def test_a_sale_is_told_again_whose_payment_nobody_knows(
    paying: PayingShop, copies: Copies
) -> None:
    copy = copies.take(paying)
    payment = paying.approved()
    till = Till(paying)
    till.ask("sale/commit", paying.selling(payment))
    restored = copies.put_back(copy, paying)
    assert till.offer(restored).ok
    tenders = restored.ok("till-1", "sale/get", {"sale_id": payment["sale_id"]})["tenders"]
    assert tenders[0]["payment_id"] == payment["payment_id"]
    assert row_of(restored, payment) is None
    restored.internal(from_cloud(paying))
    found = row_of(restored, payment)
    assert found is not None
    assert found[:2] == ("authorised", 1), "the cloud knows it, and the sale has it"


def test_the_cloud_tells_a_restored_hub_of_its_payments(paying: PayingShop, copies: Copies) -> None:
    copy = copies.take(paying)
    sold, refused = paying.approved(), paying.own()
    paying.report(refused, "refused")
    stored = paying.stored(token="tok_1")
    voided = paying.stored(token="tok_2")
    paying.give_up(voided)
    doubtful = paying.own()
    paying.report(doubtful, "unknown")
    paying.sold(sold)
    restored = copies.put_back(copy, paying)
    told = restored.internal(from_cloud(paying))
    assert told.failed == 0
    assert row_of(restored, sold) == row_of(paying, sold)
    assert row_of(restored, refused) is None, "nothing was taken: nobody was told"
    found = row_of(restored, stored)
    assert found is not None
    assert found[0] == "forward_unknown", "it may have been presented since: it is looked up first"
    assert found[5] == 1
    after = row_of(restored, voided)
    assert after is not None
    assert after[0] == "voided"
    assert (row_of(restored, doubtful) or ("",))[0] == "unknown"
    assert restored.value("SELECT offline_seq FROM terminal_sequences") == 2
    with restored.unchanged():
        again = restored.internal(from_cloud(paying))
        assert again.applied == 0


def test_what_the_copy_has_goes_on_where_the_cloud_knows_more(
    paying: PayingShop, copies: Copies
) -> None:
    payment = paying.own()
    copy = copies.take(paying)
    paying.report(payment, "approved", card=CARD, captured=True)
    restored = copies.put_back(copy, paying)
    restored.internal(from_cloud(paying))
    found = row_of(restored, payment)
    assert found is not None
    assert (found[0], found[6], found[7]) == ("captured", "psp-1", "4242")
    assert restored.value("SELECT count(*) FROM payment_steps") == 4
    numbers = [n for (n,) in restored.all("SELECT n FROM payment_steps ORDER BY n")]
    assert numbers == [1, 2, 3, 4]


def test_a_step_that_the_book_has_is_not_taken_again_however_far_it_has_come(
    paying: PayingShop, copies: Copies
) -> None:
    payment = paying.own()
    paying.report(payment, "refused")
    copy = copies.take(paying)
    paying.report(payment, "approved-offline", card={})
    assert paying.payment(payment)["state"] == "void_pending"
    restored = copies.put_back(copy, paying)
    again = {"payment_id": payment["payment_id"], "outcome": "approved-offline"}
    restored.ok("till-1", "payment/report", again)  # the till is sooner than the cloud
    before = row_of(restored, payment)
    restored.internal(from_cloud(paying))
    assert row_of(restored, payment) == before
    sql = "SELECT event, before, after FROM payment_steps ORDER BY n DESC LIMIT 1"
    assert restored.one(sql) == ("void_deferred", "stored", "void_pending")


def test_two_payments_under_one_number_since_the_restore_keep_what_they_have(
    paying: PayingShop, copies: Copies
) -> None:
    copy = copies.take(paying)
    first = paying.stored()
    restored = copies.put_back(copy, paying)
    assert isinstance(restored, Shop)
    body = {"payment_id": restored.id(), "sale_id": restored.id(), "amount_minor": 99}
    restored.ok("till-1", "payment/start", body | {"terminal": "own"})
    report = {"payment_id": body["payment_id"], "outcome": "approved-offline"}
    assert restored.ok("till-1", "payment/report", report)["offline_seq"] == 1
    restored.internal(from_cloud(paying))
    found = row_of(restored, first)
    assert found is not None
    assert (found[0], found[5]) == ("stored", None)


def test_voids_and_returns_that_are_told_again_give_back_once(
    paying: PayingShop, copies: Copies
) -> None:
    voided, returned = paying.approved(), paying.approved(998)
    copy = copies.take(paying)
    till, second = Till(paying), Till(paying, "till-2")
    till.ask("sale/commit", paying.selling(voided))
    till.ask("sale/commit", paying.selling(returned, qty=2))
    second.ask("sale/void", {"sale_id": voided["sale_id"], "reason": "no"})
    line = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "unopened"}
    back = {"return_id": paying.id(), "sale_id": returned["sale_id"], "lines": [line]}
    second.ask("return/commit", back)
    restored = copies.put_back(copy, paying, payments=rules())
    for nth in range(2):
        assert till.offer(restored, nth).ok
    for nth in range(2):
        assert second.offer(restored, nth).ok
    found = row_of(restored, voided)
    assert found is not None
    assert found[:3] == ("authorised", 1, 1)
    ids = "SELECT refund_id, amount_minor FROM payment_refunds"
    assert restored.all(ids) == paying.all(ids) != [], "under the same key at the processor"


@pytest.fixture
def working(tmp_path: Path) -> Iterator[WorkingShop]:
    (tmp_path / "working").mkdir()
    made = WorkingShop(tmp_path / "working")
    yield made
    made.check_laws()
    made.close()


def put_back(copies: Copies, copy: Path, lost: WorkingShop) -> Shop:
    """A hub over the copy that has heard what the cloud knows of the lost one's payments."""
    restored = copies.put_back(copy, lost, payments=rules())
    restored.internal(from_cloud(lost))
    return restored


def ended(restored: Shop, outcome: Any) -> None:
    """Whatever is to be done is done so."""
    for work in restored.internal(LeaseWork(Hand.PROCESSOR)):
        restored.internal(EndWork(work, ProcessorSaid(outcome, psp_ref="psp-9")))


def test_what_was_not_presented_in_time_is_a_receivable_after_a_restore_too(
    working: WorkingShop, copies: Copies
) -> None:
    copy = copies.take(working)
    payment = working.kept()
    working.wait(24 * HOUR_MS)
    working.expire()
    assert working.row(payment).state == "recovery"
    restored = put_back(copies, copy, working)
    ended(restored, "not-found")
    ended(restored, "not-found")
    restored.clock.advance(25 * 3600)
    restored.internal(ExpirePayments())
    assert (row_of(restored, payment) or ("",))[0] == "recovery"


def test_what_had_expired_before_the_copy_s_next_fact_is_a_receivable_at_once(
    working: WorkingShop, copies: Copies
) -> None:
    payment = working.kept()
    copy = copies.take(working)
    working.wait(24 * HOUR_MS)
    working.expire()
    restored = put_back(copies, copy, working)
    assert (row_of(restored, payment) or ("",))[0] == "recovery"
    assert restored.value("SELECT count(*) FROM payment_secrets") == 0


@pytest.mark.parametrize("outcome", ["declined", "captured"])
def test_what_was_declined_before_a_restore_is_looked_up(
    working: WorkingShop, copies: Copies, outcome: str
) -> None:
    copy = copies.take(working)
    payment = working.kept()
    working.do(WorkKind.CHARGE, "declined", code=DeclineCode.FRAUD)
    assert working.row(payment).state == "recovery"
    restored = put_back(copies, copy, working)
    assert (row_of(restored, payment) or ("",))[0] == "forward_unknown", "it may have gone on"
    ended(restored, outcome)
    assert restored.value("SELECT count(*) FROM audit WHERE action = 'payment.two_refs'") == 0
    after = "recovery" if outcome == "declined" else "captured"
    assert (row_of(restored, payment) or ("",))[0] == after


def test_a_kept_payment_that_was_declined_is_a_receivable_after_a_restore_too(
    working: WorkingShop, copies: Copies
) -> None:
    payment = working.stored()
    working.sold(payment)
    copy = copies.take(working)
    working.report(payment, "refused")
    assert working.row(payment).state == "recovery"
    restored = put_back(copies, copy, working)
    assert (row_of(restored, payment) or ("",))[0] == "recovery"


def test_a_receivable_that_was_closed_is_closed_after_a_restore_too(
    working: WorkingShop, copies: Copies
) -> None:
    copy = copies.take(working)
    payment = working.kept()
    working.do(WorkKind.CHARGE, "declined", code=DeclineCode.FRAUD)
    body = {"payment_id": payment["payment_id"], "how": "paid", "reason": "came back with cash"}
    working.sign_in("till-3", "anna")
    working.ok("till-3", "payment/close-receivable", body)
    restored = put_back(copies, copy, working)
    assert (row_of(restored, payment) or ("",))[0] == "recovered"


def test_a_till_tells_again_of_a_payment_that_the_cloud_has_yet_to_name(
    paying: PayingShop, copies: Copies
) -> None:
    copy = copies.take(paying)
    payment = paying.own()
    till = Till(paying)
    body = {"payment_id": payment["payment_id"], "outcome": "approved-offline"}
    till.ask("payment/report", body)
    restored = copies.put_back(copy, paying)
    problem = till.offer(restored).problem
    assert (problem["code"], problem["context"]) == ("busy", {"waits_for": payment["payment_id"]})
    restored.internal(from_cloud(paying))
    assert till.offer(restored).ok


def test_what_no_cloud_knows_of_is_not_waited_for(paying: PayingShop, copies: Copies) -> None:
    copy = copies.take(paying)
    payment = paying.own()
    till = Till(paying)
    till.ask("payment/report", {"payment_id": payment["payment_id"], "outcome": "approved"})
    restored = copies.put_back(copy, paying)
    restored.internal(FinishRecovery({}, Recovered()))
    assert till.offer(restored).problem["code"] == "not-found"
