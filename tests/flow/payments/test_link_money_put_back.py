"""What was paid by a link, and came back before that, in hubs put back from older copies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.domain.payments.work import Hand, WorkKind
from hub.service.payments.commands import EndWork, ExpirePayments, LeaseWork, ProcessorSaid
from hub.storage import refundrows
from tests.flow.payments.test_link_money import links_of, put_back, recovered, row_of
from tests.flow.payments.test_links import owed, sent, told_paid
from tests.support.copies import Copies
from tests.support.paying import rules
from tests.support.payingwork import WorkingShop


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


def test_a_link_that_is_called_back_and_was_paid_before_the_restore_is_counted_once(
    shop: WorkingShop, copies: Copies
) -> None:
    payment = owed(shop)
    sent(shop, payment)
    copy = copies.take(shop)
    told_paid(shop, payment, psp_ref="pl-1")
    restored = put_back(copies, copy, shop)
    recovered(restored, shop)
    (work,) = restored.internal(LeaseWork(Hand.LINKS))
    assert work.kind is WorkKind.UNLINK
    restored.internal(EndWork(work, ProcessorSaid("captured", psp_ref="pl-1")))
    told_paid(restored, payment, psp_ref="pl-1")
    assert sorted(links_of(restored, payment)) == ["dropped", "paid"]
    assert not restored.all("SELECT 1 FROM audit WHERE action = 'payment.link_surplus'")


def test_what_came_back_before_a_link_was_paid_waits_for_nobody_after_a_restore(
    shop: WorkingShop, copies: Copies
) -> None:
    payment = owed(shop, amount_minor=998)
    line = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "too many"}
    back = {"return_id": shop.id(), "sale_id": payment["sale_id"], "lines": [line]}
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "return/commit", back)
    copy = copies.take(shop)
    sent(shop, payment)
    told_paid(shop, payment, psp_ref="pl-1", amount_minor=499)
    assert shop.row(payment).state == "recovered"
    restored = put_back(copies, copy, shop)
    restored.tx(refundrows.doubt_copied)
    recovered(restored, shop)
    told_paid(restored, payment, psp_ref="pl-1", amount_minor=499)
    restored.internal(ExpirePayments())
    assert row_of(restored, payment).state == "recovered"
    assert restored.all("SELECT state, reason FROM payment_refunds") == [
        ("done", "taken off what was asked for by the link")
    ]
    assert row_of(restored, payment).refunded_minor == 499
