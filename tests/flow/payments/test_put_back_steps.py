"""Steps that a hub put back from a copy is told of, beside those that it has taken itself since."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.domain.payments.work import Hand, WorkKind
from hub.service.payments.commands import EndWork, LeaseWork, ProcessorSaid
from tests.flow.payments.test_link_money import recovered, row_of
from tests.support.copies import Copies
from tests.support.paying import rules
from tests.support.payingwork import WorkingShop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[WorkingShop]:
    (tmp_path / "box").mkdir()
    made = WorkingShop(tmp_path / "box")
    yield made
    made.check_laws()
    made.close()


def test_a_step_whose_number_was_taken_meanwhile_stands_behind_it(
    shop: WorkingShop, tmp_path: Path
) -> None:
    copies = Copies(tmp_path)
    payment = shop.kept()
    shop.do(WorkKind.CHARGE, "approved")
    shop.sign_in("till-1", "mia")
    copy = copies.take(shop)
    shop.do(WorkKind.CAPTURE, "declined")
    restored = copies.put_back(copy, shop, payments=rules())
    restored.sign_in("till-1", "mia")
    void = {"sale_id": payment["sale_id"], "reason": "mistake"}
    restored.ok("till-1", "sale/void", void)
    recovered(restored, shop)
    for work in restored.internal(LeaseWork(Hand.PROCESSOR)):
        restored.internal(EndWork(work, ProcessorSaid("approved")))
    number = row_of(restored, payment).id
    steps = restored.all("SELECT event FROM payment_steps WHERE payment = ? ORDER BY n", number)
    events = [event for (event,) in steps]
    assert events.index("told") == events.index("void_asked") + 1
    restored.check_laws()
    restored.close()
