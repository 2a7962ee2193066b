"""Beginning card payments: once each, within the caps, before any terminal is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paying import PayingShop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[PayingShop]:
    made = PayingShop(tmp_path)
    yield made
    made.check_laws()
    made.close()


def test_a_payment_is_on_disk_before_the_terminal_is_asked(shop: PayingShop) -> None:
    payment = shop.start(2500)
    assert (payment["state"], payment["terminal_id"], payment["driven_by"]) == (
        "intent",
        "terminal-1",
        "hub",
    )
    assert (payment["tenderable"], payment["offline_allowed"]) == (False, True)
    asked = shop.begin(payment)
    assert (asked.amount_minor, asked.currency, asked.offline_allowed) == (2500, "EUR", True)
    assert shop.begin(payment) is None
    assert shop.end(payment, "approved", psp_ref="p-1") == "authorised"
    assert shop.payment(payment)["tenderable"]
    assert shop.told(payment) == ["authorised"]


def test_a_tills_own_terminal_is_asked_at_once(shop: PayingShop) -> None:
    payment = shop.own()
    assert (payment["state"], payment["terminal_id"]) == ("at_terminal", "till-1")
    assert shop.report(payment, "approved")["state"] == "authorised"
    assert shop.exposure_minor() == 0
