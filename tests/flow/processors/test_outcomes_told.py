"""Outcomes that the cloud tells late: taken in once, in the transaction of the cursor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.contract.oms import Command as CloudCommand
from hub.domain.payments.work import Hand
from hub.service.handlers.cloud import Applied, ApplyCommands
from hub.service.payments.commands import EndWork, Leased, LeaseWork, ProcessorSaid
from hub.storage import hubrow
from tests.support.paying import PayingShop


@pytest.fixture
def shop(tmp_path: Path) -> PayingShop:
    return PayingShop(tmp_path)


def told(shop: PayingShop, number: int, **data: Any) -> Applied:
    command = CloudCommand(
        cursor=f"c-{number}",
        id=f"cmd-{number}",
        type="payment.outcome",
        data=data,
        issued_at_ms=1,
    )
    found: Applied = shop.internal(ApplyCommands((command,), f"c-{number}"))
    return found


def acked(shop: PayingShop) -> dict[str, Any]:
    """A payment that the processor has taken over without an outcome."""
    payment: dict[str, Any] = shop.stored(token="tok_first")
    shop.sold(payment)
    work: tuple[Leased, ...] = shop.internal(LeaseWork(Hand.PROCESSOR))
    [one] = work
    assert shop.internal(EndWork(one, ProcessorSaid("acked", psp_ref="psp-9")))
    assert shop.row(payment).state == "forwarded"
    return payment


def test_an_approval_that_comes_late_is_taken_in_once(shop: PayingShop) -> None:
    payment = acked(shop)
    said = {"payment_id": payment["payment_id"], "status": "approved", "psp_ref": "psp-9"}
    assert told(shop, 1, **said).counts == {"done": 1}
    assert shop.row(payment).state == "authorised"
    steps = len(shop.payment(payment)["steps"])
    assert told(shop, 2, **said).counts == {"done": 1}
    assert len(shop.payment(payment)["steps"]) == steps
    assert hubrow.get(shop.rows).commands_cursor == "c-2"


def test_a_decline_that_comes_late_makes_a_receivable(shop: PayingShop) -> None:
    payment = acked(shop)
    said = {"payment_id": payment["payment_id"], "status": "declined", "code": "fraud"}
    told(shop, 1, **said)
    row = shop.row(payment)
    assert (row.state, row.decline_code) == ("recovery", "fraud")


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "approved"},
        {"payment_id": "p", "status": "approved"},
        {"payment_id": "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f2a10", "status": "perhaps"},
        {"payment_id": "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f2a10", "status": "approved", "more": 1},
    ],
)
def test_what_is_not_the_contracts_fails_and_holds_nothing_up(
    shop: PayingShop, wrong: dict[str, Any]
) -> None:
    assert told(shop, 1, **wrong).counts == {"failed": 1}
    assert hubrow.get(shop.rows).commands_cursor == "c-1"
    assert shop.noted("cloud.command_failed") == 1


def test_a_payment_that_nobody_knows_changes_nothing(shop: PayingShop) -> None:
    said = {"payment_id": "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f2a10", "status": "approved"}
    assert told(shop, 1, **said).counts == {"done": 1}
