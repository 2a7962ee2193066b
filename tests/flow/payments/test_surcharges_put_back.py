"""Surcharges in hubs that were put back from older copies: known again, and given back once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.domain.payments.work import Hand, WorkKind
from hub.service.payments.commands import EndWork, LeaseWork, ProcessorSaid, TerminalSaid
from tests.flow.payments.test_surcharges import TEA_MINOR, bring_back, doubted, surcharged
from tests.support.copies import Copies, from_cloud
from tests.support.paying import TERMINALS, rules
from tests.support.payingwork import WorkingShop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[WorkingShop]:
    made = WorkingShop(tmp_path, payments=rules(surcharge_max_bp=300))
    yield made
    made.check_laws()
    made.close()


def test_a_hub_put_back_has_it_although_the_terminal_told_late(
    shop: WorkingShop, tmp_path: Path
) -> None:
    copies = Copies(tmp_path)
    payment = doubted(shop)
    copy = copies.take(shop)
    shop.report(payment, "approved", card={"surcharge_minor": 15})
    restored = copies.put_back(copy, shop, payments=rules())
    restored.internal(from_cloud(shop))
    sql = "SELECT state, amount_minor, surcharge_minor FROM payments WHERE payment_id = ?"
    assert restored.one(sql, payment["payment_id"]) == ("captured", 1013, 15)
    with restored.unchanged():
        assert restored.internal(from_cloud(shop)).applied == 0
    restored.check_laws()
    restored.close()


def given_back(shop: Any) -> list[int]:
    """The processor gives back what is due."""
    found = shop.internal(LeaseWork(Hand.PROCESSOR))
    for work in found:
        shop.internal(EndWork(work, ProcessorSaid("refunded")))
    return [work.amount_minor for work in found]


def test_a_hub_put_back_has_it_from_the_cloud_and_gives_back_the_same(
    shop: WorkingShop, tmp_path: Path
) -> None:
    copies = Copies(tmp_path)
    copy = copies.take(shop)
    payment = surcharged(shop)
    line = {"line_no": 1, "qty": 1, "disposition": "quarantine", "reason": "dented"}
    body = {"return_id": shop.id(), "sale_id": payment["sale_id"], "lines": [line]}
    told = shop.ok("till-2", "return/commit", body)["refund"]
    assert given_back(shop) == [507]
    restored = copies.put_back(copy, shop, payments=rules(surcharge_max_bp=100))
    restored.internal(from_cloud(shop))
    sql = (
        "SELECT amount_minor, surcharge_minor, surcharge_unasked, refunded_minor FROM payments"
        " WHERE payment_id = ?"
    )
    assert restored.one(sql, payment["payment_id"]) == (1013, 15, 1, 507)
    restored.sign_in("till-2", "mia")
    assert restored.ok("till-2", "return/commit", body)["refund"] == told
    given_back(restored)
    more = body | {"return_id": restored.id()}
    (last,) = restored.ok("till-2", "return/commit", more)["refund"]
    assert (last["amount_minor"], last["surcharge_minor"]) == (499, 7)
    assert given_back(restored) == [506]
    assert restored.one(sql, payment["payment_id"]) == (1013, 15, 1, 1013)
    for one in copies.made:
        one.check_laws()
        one.close()


def test_a_terminal_of_the_hub_gives_each_part_back_with_its_share(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(processor=False))
    payment = shop.start(3 * TEA_MINOR, device="till-2")
    shop.begin(payment)
    shop.end(payment, "approved", surcharge_minor=10, captured=True)
    shop.sold(payment, qty=3, device="till-2")
    copies = Copies(tmp_path)
    copy = copies.take(shop)
    for share_minor in (3, 4, 3):
        bring_back(shop, payment)
        work = shop.next(Hand.TERMINAL)
        assert (work.kind, work.amount_minor) == (WorkKind.REFUND, TEA_MINOR + share_minor)
        assert shop.tell(work, "approved")
    assert shop.row(payment).state == "refunded"
    restored = copies.put_back(copy, shop, payments=rules(processor=False))
    restored.internal(from_cloud(shop))
    terminals = LeaseWork(Hand.TERMINAL, terminals=tuple(TERMINALS.values()))
    assert restored.internal(terminals) == (), "a terminal isn't asked for it twice"
    sql = "SELECT state, refunded_minor FROM payments WHERE payment_id = ?"
    assert restored.one(sql, payment["payment_id"]) == ("refunded", 3 * TEA_MINOR + 10)
    for one in (shop, restored):
        one.check_laws()
        one.close()


def test_a_terminal_of_a_lost_hub_is_not_asked_again_for_what_it_gave_back(
    tmp_path: Path,
) -> None:
    shop = WorkingShop(tmp_path, payments=rules(processor=False))
    payment = shop.start(3 * TEA_MINOR, device="till-2")
    shop.begin(payment)
    shop.end(payment, "approved", surcharge_minor=10, captured=True)
    shop.sold(payment, qty=3, device="till-2")
    copies = Copies(tmp_path)
    copy = copies.take(shop)
    bring_back(shop, payment, 2)
    assert shop.tell(shop.next(Hand.TERMINAL), "approved")
    restored = copies.put_back(copy, shop, payments=rules(processor=False))
    restored.internal(from_cloud(shop))
    terminals = LeaseWork(Hand.TERMINAL, terminals=tuple(TERMINALS.values()))
    assert restored.internal(terminals) == ()
    restored.sign_in("till-2", "mia")
    line = {"line_no": 1, "qty": 1, "disposition": "quarantine", "reason": "dented"}
    body = {"return_id": restored.id(), "sale_id": payment["sale_id"], "lines": [line]}
    (back,) = restored.ok("till-2", "return/commit", body)["refund"]
    assert (back["amount_minor"], back["surcharge_minor"]) == (TEA_MINOR, 3)
    (work,) = restored.internal(terminals)
    assert work.amount_minor == TEA_MINOR + 3
    restored.internal(EndWork(work, TerminalSaid("approved")))
    sql = "SELECT state, refunded_minor FROM payments WHERE payment_id = ?"
    assert restored.one(sql, payment["payment_id"]) == ("refunded", 3 * TEA_MINOR + 10)
    for one in (shop, restored):
        one.check_laws()
        one.close()
