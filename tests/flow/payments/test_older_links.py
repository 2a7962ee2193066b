"""Links that versions have sent which called none back: the newer version does, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.clock import SystemRandomness
from hub.domain.payments.work import Hand, WorkKind
from hub.security.vault import PaymentVault
from hub.service.payments import links as sending
from hub.service.payments import owing
from hub.storage import database, linkrows
from tests.flow.payments.test_links import link, owed, sent
from tests.flow.payments.test_links_called_back import close, part_back
from tests.flow.payments.test_links_in_doubt import on_its_way
from tests.support.paying import rules
from tests.support.payingwork import HOUR_MS, WorkingShop

NAME = "older_links_are_called_back"


@pytest.fixture
def older(tmp_path: Path) -> Iterator[WorkingShop]:
    vault = PaymentVault.open(tmp_path / "keys", b"m" * 32, b"c" * 32, SystemRandomness())
    made = WorkingShop(tmp_path, payments=rules(vault=vault, links=True))
    made.sign_in("till-3", "ben")
    yield made
    made.check_laws()
    made.close()


def upgraded(shop: WorkingShop) -> None:
    """As an older version left it, taken over by this one."""
    (step,) = [one for one in database.migrations() if one.name == NAME]
    shop.tx(lambda tx: tx.run("UPDATE payment_links SET recall = ''"))
    shop.tx(lambda tx: tx.run(step.sql))
    shop.restart()
    shop.recover()
    shop.sign_in("till-3", "ben")


def called_back(shop: WorkingShop, payment: Any) -> None:
    work = shop.next(Hand.LINKS)
    assert (work.kind, work.key) == (WorkKind.UNLINK, link(shop, payment).link_key)
    assert shop.say(work, "reversed")
    assert (link(shop, payment).state, link(shop, payment).recall) == ("dropped", "done")


@pytest.mark.parametrize("how", ["paid", "written-off"])
def test_a_link_that_was_sent_before_and_is_not_owed_any_more_is_called_back(
    older: WorkingShop, how: str
) -> None:
    payment = owed(older)
    sent(older, payment)
    close(older, payment, how)
    upgraded(older)
    called_back(older, payment)
    older.wait(HOUR_MS)
    assert older.work(Hand.LINKS) == ()


@pytest.mark.parametrize("reason", [owing.NOT_OWED, sending.NO_CONTACT, sending.NO_SALE])
def test_one_that_was_dropped_in_doubt_is_called_back(older: WorkingShop, reason: str) -> None:
    payment = owed(older)
    row = on_its_way(older, payment)
    close(older, payment)
    older.tx(lambda tx: linkrows.change(tx, row, state="dropped", reason=reason))
    upgraded(older)
    called_back(older, payment)


def test_one_of_which_nobody_ever_said_whether_it_was_sent_is_called_back(
    older: WorkingShop,
) -> None:
    payment = owed(older)
    row = on_its_way(older, payment)
    close(older, payment)
    tries = linkrows.TRIES_MAX
    older.tx(lambda tx: linkrows.change(tx, row, state="refused", tries=tries))
    upgraded(older)
    called_back(older, payment)


def test_one_that_asks_for_more_than_is_owed_by_now_is_replaced(older: WorkingShop) -> None:
    payment = owed(older, amount_minor=1497)
    sent(older, payment)
    part_back(older, payment)
    upgraded(older)
    work = older.next(Hand.LINKS)
    assert (work.kind, work.amount_minor) == (WorkKind.UNLINK, 1497)
    assert older.say(work, "reversed")
    another = older.next(Hand.LINKS)
    assert (another.kind, another.amount_minor) == (WorkKind.LINK, 998)


def test_one_that_is_owed_never_left_or_was_paid_is_left_alone(older: WorkingShop) -> None:
    asked_for = owed(older)
    sent(older, asked_for)
    never_left = owed(older)
    older.ok("till-1", "payment/send-link", {"payment_id": never_left["payment_id"]})
    close(older, never_left)
    paid = owed(older)
    row = sent(older, paid)
    close(older, paid)
    older.tx(lambda tx: linkrows.change(tx, row, state="settled", psp_ref="pl-1"))
    upgraded(older)
    states = [link(older, one).state for one in (asked_for, never_left, paid)]
    assert states == ["sent", "dropped", "settled"]
    assert older.work(Hand.LINKS) == ()
