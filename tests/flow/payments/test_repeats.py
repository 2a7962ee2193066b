"""Whatever a till asks about cards is asked again after a crash, and done once."""

from __future__ import annotations

from typing import Any

import pytest

from hub.service.payments import book
from tests.support.paying import CARD, PayingShop

TOKEN = "tok_7f3a9c"


class Journal:
    """A till that writes down what it asks, and asks all of it again."""

    def __init__(self, shop: PayingShop, device: str = "till-1") -> None:
        self.shop = shop
        self.device = device
        self.asked: list[tuple[str, dict[str, Any], str, str]] = []

    def ask(self, address: str, body: dict[str, Any]) -> Any:
        key = self.shop.id()
        reply = self.shop.ask(self.device, address, body, key=key)
        self.asked.append((address, body, key, reply.text))
        return reply.body.get("result")

    def again(self) -> None:
        """The same requests with the same keys get the same answers, but what can end otherwise."""
        for address, body, key, text in self.asked:
            assert self.shop.ask(self.device, address, body, key=key).text == text

    def under_other_keys(self) -> None:
        """The till has lost its journal's keys: nothing is done twice all the same."""
        for address, body, _key, _text in self.asked:
            self.shop.ask(self.device, address, body)


def a_days_work(till: Journal, shop: PayingShop) -> None:
    """Each way a payment can go at a till."""
    for outcome, more in (
        ("approved", {"card": CARD}),
        ("approved", {"card": CARD | {"psp_ref": "psp-9"}, "captured": True}),
        ("approved-offline", {}),
        ("approved-offline", {"token": TOKEN}),
        ("refused", {"reason": "no money"}),
        ("not-done", {}),
        ("unknown", {}),
    ):
        payment = till.ask("payment/start", shop.starting(499, terminal="own"))
        till.ask("payment/report", {"payment_id": payment["payment_id"], "outcome": outcome} | more)
        if outcome.startswith("approved"):
            till.ask("sale/commit", shop.selling(payment))
        else:
            till.ask("payment/give-up", {"payment_id": payment["payment_id"]})
    paid = till.ask("payment/start", shop.starting(499, terminal="own"))
    report = {"payment_id": paid["payment_id"], "outcome": "approved-offline", "token": "tok_2"}
    till.ask("payment/report", report)
    till.ask("sale/commit", shop.selling(paid))
    line = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "unopened"}
    back = {"return_id": shop.id(), "sale_id": paid["sale_id"], "lines": [line]}
    till.ask("return/commit", back)


def test_a_days_requests_asked_again_after_a_crash_change_nothing(paying: PayingShop) -> None:
    till = Journal(paying)
    a_days_work(till, paying)
    paying.restart()
    with paying.unchanged():
        till.again()
    with paying.unchanged():
        till.under_other_keys()


@pytest.mark.parametrize("nth", range(0, 27, 3))
def test_a_till_that_dies_anywhere_goes_on_from_its_journal(paying: PayingShop, nth: int) -> None:
    """The hub dies after the n-th request; the till repeats that one and goes on."""
    till = Journal(paying)

    class Dies(Journal):
        def ask(self, address: str, body: dict[str, Any]) -> Any:
            result = super().ask(address, body)
            if len(self.asked) == nth + 1:
                paying.restart()
                self.again()
            return result

    till = Dies(paying)
    a_days_work(till, paying)
    states = paying.all("SELECT state, in_sale, void_asked, offline_seq FROM payments ORDER BY id")
    assert states == [
        ("authorised", 1, 0, None),
        ("captured", 1, 0, None),
        ("stored", 1, 0, 1),
        ("stored", 1, 0, 2),
        ("refused", 0, 0, None),
        ("abandoned", 0, 0, None),
        ("unknown", 0, 1, None),
        ("voided", 1, 1, 3),
    ]
    assert paying.value("SELECT count(*) FROM payment_secrets") == 1


def test_a_request_that_fails_in_the_middle_leaves_nothing(
    paying: PayingShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = paying.own()

    def fails(*_args: object) -> None:
        raise RuntimeError("the disk")

    body = {"payment_id": payment["payment_id"], "outcome": "approved-offline", "token": TOKEN}
    with paying.unchanged():
        monkeypatch.setattr(book, "_tell_cloud", fails)
        assert not paying.ask("till-1", "payment/report", body).ok
        monkeypatch.undo()
    assert paying.ok("till-1", "payment/report", body)["state"] == "stored"


def test_every_event_has_an_id_of_its_own_that_the_step_makes(paying: PayingShop) -> None:
    payment = paying.own()
    paying.report(payment, "unknown")
    paying.report(payment, "approved", captured=True)
    paying.give_up(payment)
    paying.report(payment, "reversed")
    told = [(one["state"], one["step"]) for one in paying.events() if "step" in one]
    assert told == [("unknown", 3), ("authorised", 4), ("captured", 5), ("refunded", 7)]
    ids = paying.all("SELECT event_id FROM outbox WHERE stream = 'payments'")
    assert len(set(ids)) == len(ids) == 4
