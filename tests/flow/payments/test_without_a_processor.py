"""Shops whose terminals do all by themselves: the hub keeps the book."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.service.payments.commands import ExpirePayments
from tests.support.paying import PayingShop, rules


@pytest.mark.parametrize("processor", [False, True])
def test_what_was_sold_a_day_ago_is_captured_by_the_terminals_acquirer(
    tmp_path: Path, processor: bool
) -> None:
    shop = PayingShop(tmp_path, payments=rules(processor=processor))
    payment = shop.approved()
    shop.sold(payment)
    shop.clock.advance(86_399)
    shop.internal(ExpirePayments())
    assert shop.payment(payment)["state"] == "authorised"
    shop.clock.advance(1)
    shop.internal(ExpirePayments())
    expected = "authorised" if processor else "captured"
    assert shop.payment(payment)["state"] == expected
    with shop.unchanged():
        assert shop.internal(ExpirePayments()) == 0
    listed = shop.ok("till-1", "payment/list", {"which": "open"})["payments"]
    assert len(listed) == int(processor)
    shop.check_laws()
