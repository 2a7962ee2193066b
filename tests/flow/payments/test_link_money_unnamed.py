"""Money of payment links that the cloud tells without the processor's reference: its instant names
it, so that a second payment isn't taken for a repeat of the first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.payments.test_link_money import links_of, put_back, recovered, states
from tests.flow.payments.test_links import link, owed, sent, told_paid
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


def test_a_second_payment_without_a_reference_is_a_persons_matter(shop: WorkingShop) -> None:
    payment = owed(shop)
    sent(shop, payment)
    told_paid(shop, payment, psp_ref="", at_ms=1)
    assert shop.row(payment).state == "recovered"
    for _ in range(2):
        told_paid(shop, payment, psp_ref="", at_ms=2)
        assert states(shop, payment) == ["paid", "surplus"]
    (noted,) = shop.audited("payment.link_surplus")
    assert noted["amount_minor"] == 499


def test_what_is_told_again_without_a_reference_is_the_same_payment(shop: WorkingShop) -> None:
    payment = owed(shop)
    sent(shop, payment)
    for _ in range(3):
        told_paid(shop, payment, psp_ref="", at_ms=1)
    assert states(shop, payment) == ["paid"]
    told_paid(shop, payment, psp_ref="pl-1", at_ms=1)
    assert states(shop, payment) == ["paid"]
    assert link(shop, payment).psp_ref == "pl-1"
    told_paid(shop, payment, psp_ref="pl-1", at_ms=1)
    assert shop.noted("payment.link_surplus") == 0


def test_two_links_that_were_paid_at_the_same_instant_are_two_payments(shop: WorkingShop) -> None:
    payment = owed(shop)
    sent(shop, payment)
    told_paid(shop, payment, psp_ref="", at_ms=1)
    told_paid(shop, payment, "another-link", psp_ref="", at_ms=1)
    assert states(shop, payment) == ["paid", "surplus"]


def test_what_was_paid_without_a_reference_before_a_restore_is_counted_once(
    shop: WorkingShop, copies: Copies
) -> None:
    payment = owed(shop)
    sent(shop, payment)
    copy = copies.take(shop)
    told_paid(shop, payment, psp_ref="", at_ms=1)
    restored = put_back(copies, copy, shop)
    recovered(restored, shop)
    told_paid(restored, payment, psp_ref="", at_ms=1)
    assert "surplus" not in links_of(restored, payment)
    told_paid(restored, payment, psp_ref="", at_ms=2)
    assert sorted(links_of(restored, payment)) == ["paid", "surplus"]
