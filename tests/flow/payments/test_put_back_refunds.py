"""What was given back of a card payment, in hubs that were put back from older copies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.domain.payments.work import Hand, WorkKind
from hub.service.payments.commands import EndWork, LeaseWork, ProcessorSaid
from tests.support.copies import Copies, from_cloud
from tests.support.paying import PayingShop, rules
from tests.support.shop import Shop


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[Copies]:
    made = Copies(tmp_path)
    yield made
    for shop in made.made:
        shop.close()


def given_back(shop: Shop) -> None:
    """The processor gives back what is due."""
    for work in shop.internal(LeaseWork(Hand.PROCESSOR)):
        shop.internal(EndWork(work, ProcessorSaid("refunded")))


def standing(shop: Shop, payment: Any) -> tuple[Any, ...] | None:
    return shop.one(
        "SELECT state, refunded_minor FROM payments WHERE payment_id = ?", payment["payment_id"]
    )


def test_what_was_given_back_before_the_restore_counts_once(
    paying: PayingShop, copies: Copies
) -> None:
    copy = copies.take(paying)
    payment = paying.own(998)
    paying.report(payment, "approved", captured=True)
    paying.ok("till-1", "sale/commit", paying.selling(payment, qty=2))
    line = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "too many"}
    back = {"return_id": paying.id(), "sale_id": payment["sale_id"], "lines": [line]}
    paying.sign_in("till-1", "mia")
    paying.ok("till-1", "return/commit", back)
    given_back(paying)
    assert standing(paying, payment) == ("captured", 499)
    restored = copies.put_back(copy, paying, payments=rules())
    restored.internal(from_cloud(paying))
    given_back(restored)
    assert standing(restored, payment) == ("captured", 499)


def test_most_of_a_payment_that_was_given_back_before_the_restore_counts_once(
    paying: PayingShop, copies: Copies
) -> None:
    copy = copies.take(paying)
    payment = paying.own(1497)
    paying.report(payment, "approved", captured=True)
    paying.ok("till-1", "sale/commit", paying.selling(payment, qty=3))
    line = {"line_no": 1, "qty": 2, "disposition": "resellable", "reason": "too many"}
    back = {"return_id": paying.id(), "sale_id": payment["sale_id"], "lines": [line]}
    paying.sign_in("till-1", "mia")
    paying.ok("till-1", "return/commit", back)
    given_back(paying)
    restored = copies.put_back(copy, paying, payments=rules())
    restored.internal(from_cloud(paying))
    given_back(restored)
    assert standing(restored, payment) == ("captured", 998)
    assert restored.all("SELECT amount_minor, state FROM payment_refunds") == [(998, "done")]
    assert not restored.value("SELECT count(*) FROM audit WHERE action LIKE '%refund_refused'")
    restored.sign_in("till-1", "mia")
    rest = back | {"return_id": restored.id(), "lines": [line | {"qty": 1}]}
    restored.ok("till-1", "return/commit", rest)
    given_back(restored)
    assert standing(restored, payment) == ("refunded", 1497)


def test_a_return_told_again_that_never_reached_the_processor_is_given_back(
    paying: PayingShop, copies: Copies
) -> None:
    copy = copies.take(paying)
    payment = paying.own(1497)
    paying.report(payment, "approved", captured=True)
    paying.ok("till-1", "sale/commit", paying.selling(payment, qty=3))
    line = {"line_no": 1, "qty": 2, "disposition": "resellable", "reason": "too many"}
    back = {"return_id": paying.id(), "sale_id": payment["sale_id"], "lines": [line]}
    paying.sign_in("till-1", "mia")
    paying.ok("till-1", "return/commit", back)
    restored = copies.put_back(copy, paying, payments=rules())
    restored.internal(from_cloud(paying))
    (work,) = restored.internal(LeaseWork(Hand.PROCESSOR))
    assert (work.kind, work.amount_minor) == (WorkKind.LOOK_UP, 998), "it may have been sent"
    restored.internal(EndWork(work, ProcessorSaid("not-found")))
    (work,) = restored.internal(LeaseWork(Hand.PROCESSOR))
    assert work.kind is WorkKind.REFUND
    restored.internal(EndWork(work, ProcessorSaid("refunded")))
    assert standing(restored, payment) == ("captured", 998)


def test_a_hub_put_back_tells_again_who_gives_a_returns_money_back(
    paying: PayingShop, copies: Copies
) -> None:
    copy = copies.take(paying)
    payment = paying.own(998)
    paying.report(payment, "approved", captured=True)
    paying.ok("till-1", "sale/commit", paying.selling(payment, qty=2))
    line = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "too many"}
    back = {"return_id": paying.id(), "sale_id": payment["sale_id"], "lines": [line]}
    paying.sign_in("till-1", "mia")
    told = paying.ok("till-1", "return/commit", back)["refund"]
    assert [one["by"] for one in told] == ["hub"]
    restored = copies.put_back(copy, paying, payments=rules())
    restored.internal(from_cloud(paying))
    restored.sign_in("till-1", "mia")
    again = restored.ok("till-1", "return/commit", back)["refund"]
    assert again == told, "else the till gives it back, too"


def test_a_refund_in_doubt_of_what_went_back_before_the_restore_comes_to_an_end(
    paying: PayingShop, copies: Copies
) -> None:
    payment = paying.own(499)
    paying.report(payment, "approved", captured=True)
    paying.ok("till-1", "sale/commit", paying.selling(payment))
    paying.sign_in("till-1", "mia")
    paying.ok("till-1", "sale/void", {"sale_id": payment["sale_id"], "reason": "mistake"})
    (work,) = paying.internal(LeaseWork(Hand.PROCESSOR))
    paying.internal(EndWork(work, ProcessorSaid("unknown")))
    copy = copies.take(paying)
    paying.clock.advance(3600)
    given_back(paying)
    assert standing(paying, payment) == ("refunded", 499)
    restored = copies.put_back(copy, paying, payments=rules())
    restored.internal(from_cloud(paying))
    assert standing(restored, payment) == ("refunded", 499)
    restored.clock.advance(3600)
    given_back(restored)
    assert restored.value("SELECT state FROM payment_refunds") == "done"
    assert standing(restored, payment) == ("refunded", 499)
