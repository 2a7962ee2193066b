"""What the report of an outage says of cards that were accepted offline in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.domain.payments.states import PaymentState as S
from tests.support.cardrows import add_payment, payment_id
from tests.support.chronicled import Told, open_told


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    made = open_told(tmp_path)
    yield made
    made.shop.close()


def stored(told: Told, number: int, amount_minor: int, state: S = S.STORED) -> None:
    told.shop.tx(lambda tx: add_payment(tx, number, state, amount_minor=amount_minor, in_sale=1))


def becomes(told: Told, number: int, state: S) -> None:
    told.shop.run(
        "UPDATE payments SET state = ? WHERE payment_id = ?", str(state), payment_id(number)
    )


def test_an_outage_without_cards_says_nothing_of_them(told: Told) -> None:
    told.turns(False, "internet")
    told.passes(300)
    told.turns(True)
    told.passes(60)
    assert told.report().payments is None


def test_the_report_follows_what_becomes_of_payments_stored_in_it(told: Told) -> None:
    stored(told, 1, 100)  # before it
    told.passes(120)
    told.turns(False, "internet")
    told.passes(300)
    for number in range(2, 8):
        stored(told, number, number * 100)
    found = told.report().payments
    assert found is not None
    assert (found.stored, found.stored_minor) == (6, 2700)
    assert (found.waiting, found.waiting_minor) == (6, 2700)
    told.passes(60)
    told.turns(True)
    told.passes(120)
    stored(told, 8, 800)  # after it
    for number, state in ((2, S.CAPTURED), (3, S.SETTLED), (4, S.RECOVERY), (5, S.VOIDED)):
        becomes(told, number, state)
    becomes(told, 6, S.MANUAL)
    found = told.report().payments
    assert found is not None
    assert found.stored == 6
    assert (found.forwarded, found.forwarded_minor) == (2, 500)
    assert (found.declined, found.declined_minor) == (1, 400)
    assert (found.waiting, found.waiting_minor) == (2, 1300)
    assert found.given_back == 1


def test_payments_that_need_somebody_are_a_need_of_their_outage_until_they_are_decided(
    told: Told,
) -> None:
    told.turns(False, "internet")
    told.passes(300)
    stored(told, 1, 4799, S.MANUAL)
    told.passes(60)
    told.turns(True)
    told.passes(60)
    (need,) = told.report().needs
    assert (need.key, need.count, need.link) == ("payments", 1, "#/payments")
    assert told.outages()[0].needs_person == 1
    becomes(told, 1, S.ABANDONED)
    assert told.report().needs == ()
