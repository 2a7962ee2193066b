"""What a till gives back at its own terminal after a return, and tells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.domain.payments.work import Hand
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Request
from hub.service.payments.commands import LeaseWork
from hub.storage import settlementrows
from tests.support.copies import Copies, from_cloud
from tests.support.gatebench import now
from tests.support.paying import CARD, PayingShop, rules
from tests.support.payingwork import WorkingShop

Given = list[tuple[int, str, str]]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[PayingShop]:
    """Without a processor: the terminals do all by themselves."""
    made = PayingShop(tmp_path, payments=rules(processor=False))
    yield made
    made.check_laws()
    made.close()


def bring_back(shop: PayingShop, payment: Any, qty: int = 1, device: str = "till-2") -> str:
    """A return of so many; its id."""
    shop.sign_in(device, "mia")
    line = {"line_no": 1, "qty": qty, "disposition": "resellable", "reason": "unopened"}
    body = {"return_id": shop.id(), "sale_id": payment["sale_id"], "lines": [line]}
    done = shop.ok(device, "return/commit", body)
    assert [one["by"] for one in done["refund"]] == ["till"]
    return str(body["return_id"])


def refunds_of(shop: PayingShop, payment: Any) -> Given:
    return shop.all(
        "SELECT amount_minor, state, giver FROM payment_refunds WHERE payment = ? ORDER BY id",
        shop.row(payment).id,
    )


def kept(shop: PayingShop, qty: int = 1) -> Any:
    """A sale paid with what the till's own terminal keeps."""
    payment = shop.stored(499 * qty)
    shop.sold(payment, qty=qty)
    return payment


def test_what_came_back_whole_and_is_declined_later_is_owed_by_nobody(shop: PayingShop) -> None:
    payment = kept(shop)
    bring_back(shop, payment)
    assert shop.payment(payment)["state"] == "stored", "the till's terminal has it"
    assert refunds_of(shop, payment) == [(499, "wanted", "till")]
    after = shop.report(payment, "refused", reason="no funds")
    assert after["state"] == "voided"
    assert shop.ok("till-1", "payment/list", {"which": "receivable"})["payments"] == []


def test_what_came_back_in_parts_and_is_declined_later_is_owed_by_nobody(
    shop: PayingShop,
) -> None:
    payment = kept(shop, 3)
    bring_back(shop, payment, 2)
    bring_back(shop, payment, 1)
    assert shop.report(payment, "refused", reason="no funds")["state"] == "voided"


def test_what_came_back_in_part_is_owed_without_that(shop: PayingShop) -> None:
    payment = kept(shop, 3)
    bring_back(shop, payment, 2)
    assert shop.report(payment, "refused", reason="no funds")["state"] == "recovery"
    bring_back_by_hub(shop, payment)
    assert shop.payment(payment)["state"] == "voided"


def bring_back_by_hub(shop: PayingShop, payment: Any) -> None:
    """The rest comes back when it is owed: nobody gives any money."""
    line = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "unopened"}
    body = {"return_id": shop.id(), "sale_id": payment["sale_id"], "lines": [line]}
    done = shop.ok("till-2", "return/commit", body)
    assert [one["by"] for one in done["refund"]] == ["hub"]


def test_a_terminal_that_lets_the_payment_go_ends_it(shop: PayingShop) -> None:
    payment = kept(shop)
    return_id = bring_back(shop, payment)
    told = {"return_id": return_id, "device": "till-2"}
    assert shop.report(payment, "reversed", **told)["state"] == "voided"
    with shop.unchanged():
        assert shop.report(payment, "reversed", **told)["state"] == "voided"
    assert shop.exposure_minor() == 0
    assert shop.told(payment) == ["stored", "voided"]


def test_an_approval_after_it_was_let_go_is_voided_again(shop: PayingShop) -> None:
    payment = kept(shop)
    return_id = bring_back(shop, payment)
    shop.report(payment, "reversed", return_id=return_id)
    after = shop.report(payment, "approved", card=CARD)
    assert (after["state"], after["void_asked"]) == ("authorised", True)
    assert shop.report(payment, "reversed")["state"] == "reversed"


def test_what_was_refunded_before_the_till_told_of_its_approval_goes_back_once(
    shop: PayingShop,
) -> None:
    payment = kept(shop)
    return_id = bring_back(shop, payment)
    after = shop.report(payment, "refunded", return_id=return_id)
    assert (after["state"], after["refunded_minor"]) == ("refunded", 499)
    with shop.unchanged():
        shop.report(payment, "approved", card=CARD, captured=True)
    assert refunds_of(shop, payment) == [(499, "done", "till")]


def test_what_was_refunded_after_it_was_told_to_be_declined_was_taken(shop: PayingShop) -> None:
    payment = kept(shop)
    return_id = bring_back(shop, payment)
    assert shop.report(payment, "refused")["state"] == "voided"
    after = shop.report(payment, "refunded", return_id=return_id)
    assert (after["state"], after["refunded_minor"]) == ("refunded", 499)


def test_a_voided_sales_refund_at_the_terminal_goes_back_once(shop: PayingShop) -> None:
    payment = kept(shop)
    shop.sign_in("till-2", "mia")
    shop.ok("till-2", "sale/void", {"sale_id": payment["sale_id"], "reason": "wrong goods"})
    gave_back: dict[str, Any] = {"card": {"psp_ref": "rf-7"}, "reason": "voided"}
    assert shop.report(payment, "refunded", **gave_back)["state"] == "refunded"
    with shop.unchanged():
        shop.report(payment, "refunded", **gave_back)
        shop.report(payment, "approved", card=CARD, captured=True)
    assert refunds_of(shop, payment) == [(499, "done", "till")]
    assert settlementrows.refund_of(shop.rows, "", "rf-7") == 499, "its line is matched"


@pytest.mark.parametrize("captured", [False, True])
def test_a_part_that_was_given_back_is_in_the_book(shop: PayingShop, captured: bool) -> None:
    payment = shop.own(998)
    shop.report(payment, "approved", card=CARD, captured=captured)
    shop.sold(payment, qty=2)
    first = bring_back(shop, payment)
    after = shop.report(payment, "refunded", return_id=first, card={"psp_ref": "rf-1"})
    assert (after["state"], after["refunded_minor"]) == ("captured", 499)
    with shop.unchanged():
        shop.report(payment, "refunded", return_id=first)
    second = bring_back(shop, payment, device="till-1")
    after = shop.report(payment, "refunded", return_id=second)
    assert (after["state"], after["refunded_minor"]) == ("refunded", 998)
    assert refunds_of(shop, payment) == [(499, "done", "till"), (499, "done", "till")]


def test_the_whole_goes_back_with_its_tip(shop: PayingShop) -> None:
    payment = shop.own()
    shop.report(payment, "approved", card=CARD | {"tip_minor": 50}, captured=True)
    shop.sold(payment)
    return_id = bring_back(shop, payment)
    after = shop.report(payment, "reversed", return_id=return_id)
    assert (after["state"], after["refunded_minor"]) == ("refunded", 549)


def test_a_refund_that_the_terminal_refused_is_a_persons(shop: PayingShop) -> None:
    payment = shop.approved()
    shop.sold(payment)
    return_id = bring_back(shop, payment)
    after = shop.report(payment, "refused", return_id=return_id, reason="no connection")
    assert (after["state"], after["refunded_minor"]) == ("authorised", 0)
    assert refunds_of(shop, payment) == [(499, "refused", "till")]
    assert shop.noted("payment.refund_refused") == 1
    done = shop.report(payment, "reversed", return_id=return_id)
    assert done["state"] == "reversed", "it worked in the end"


def test_nobody_else_tells_of_it(shop: PayingShop) -> None:
    payment = shop.approved()
    shop.sold(payment)
    return_id = bring_back(shop, payment)
    body = {"payment_id": payment["payment_id"], "outcome": "reversed"}
    problem = shop.no("till-3", "payment/report", body | {"return_id": return_id})
    assert (problem["code"], "till-2" in problem["detail"]) == ("forbidden", True)
    problem = shop.no("till-1", "payment/report", body | {"return_id": shop.id()})
    assert problem["code"] == "not-found"


def test_the_hub_sends_nothing_of_what_is_the_tills(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(processor=True))
    payment = kept(shop, 2)
    return_id = bring_back(shop, payment)
    shop.report(payment, "approved", card=CARD, captured=True)
    assert shop.work() == shop.work(Hand.TERMINAL) == ()
    assert refunds_of(shop, payment) == [(499, "wanted", "till")]
    shop.report(payment, "reversed", return_id=return_id)
    assert shop.row(payment).refunded_minor == 499
    shop.check_laws()
    shop.close()


def test_what_a_till_never_tells_is_in_the_report_of_differences(shop: PayingShop) -> None:
    payment = shop.own()
    shop.report(payment, "approved", card=CARD, captured=True)
    shop.sold(payment)
    return_id = bring_back(shop, payment)
    assert untold(shop) == []
    shop.clock.advance(6 * 86_400)
    [one] = untold(shop)
    assert "till-2" in one["what"]
    shop.report(payment, "reversed", return_id=return_id)
    assert untold(shop) == []


def untold(shop: PayingShop) -> list[dict[str, Any]]:
    return differences(shop, "refund-untold")


def refused(shop: PayingShop) -> list[dict[str, Any]]:
    return differences(shop, "refund-refused")


def differences(shop: PayingShop, kind: str) -> list[dict[str, Any]]:
    raw = json.dumps({"unsettled_after_days": 5}).encode()
    caller = Caller(CallerKind.CLI, "root")
    request = Request(caller, "settlement", "reconcile", raw, shop.id())
    found = json.loads(now(shop.gate.answer(request)))["result"]["differences"]
    return [one for one in found if one["kind"] == kind]


@pytest.mark.parametrize("told_first", [False, True])
@pytest.mark.parametrize("returned_first", [False, True])
def test_a_hub_put_back_still_leaves_it_to_the_till(
    shop: PayingShop, tmp_path: Path, *, told_first: bool, returned_first: bool
) -> None:
    copies = Copies(tmp_path)
    copy = copies.take(shop)
    payment = shop.own(998)
    shop.report(payment, "approved", card=CARD, captured=True)
    shop.sold(payment, qty=2)
    copy = copies.take(shop) if not returned_first else copy
    return_id = bring_back(shop, payment)
    if told_first:
        shop.report(payment, "reversed", return_id=return_id)
    restored = copies.put_back(copy, shop, payments=rules(processor=True))
    restored.internal(from_cloud(shop))
    assert restored.internal(LeaseWork(Hand.PROCESSOR)) == (), "the till has given it back"
    body = {"payment_id": payment["payment_id"], "outcome": "reversed", "return_id": return_id}
    for _ in range(2):
        after = restored.ok("till-1", "payment/report", body)
        assert (after["state"], after["refunded_minor"]) == ("captured", 499)
    restored.close()


@pytest.mark.parametrize("parts", [1, 2])
def test_a_hub_put_back_takes_a_tills_word_for_each_part_again(
    shop: PayingShop, tmp_path: Path, parts: int
) -> None:
    copies = Copies(tmp_path)
    copy = copies.take(shop)
    payment = shop.own(998)
    card = CARD | {"tip_minor": 100}
    shop.report(payment, "approved", card=card, captured=True)
    shop.sold(payment, qty=2)
    returns = [bring_back(shop, payment, 2 // parts) for _ in range(parts)]
    bodies = [
        {"payment_id": payment["payment_id"], "outcome": "refunded", "return_id": return_id}
        for return_id in returns
    ]
    for body in bodies:
        before = shop.ok("till-1", "payment/report", body)
    restored = copies.put_back(copy, shop, payments=rules(processor=False))
    restored.internal(from_cloud(shop))
    for body in bodies * 2:
        after = restored.ok("till-1", "payment/report", body)
        assert (after["state"], after["refunded_minor"]) == (
            before["state"],
            before["refunded_minor"],
        )
    restored.close()


def settled(shop: PayingShop, payment: Any, how: str, **more: Any) -> dict[str, Any]:
    body = {"payment_id": payment["payment_id"], "how": how, "reason": "the terminal's journal"}
    return shop.ask("till-2", "payment/settle-refund", body | more).body


def captured(shop: PayingShop) -> Any:
    payment = shop.own(998)
    shop.report(payment, "approved", card=CARD, captured=True)
    shop.sold(payment, qty=2)
    return payment


def test_a_person_says_that_a_till_which_is_gone_had_given_it_back(shop: PayingShop) -> None:
    payment = captured(shop)
    return_id = bring_back(shop, payment)
    assert settled(shop, payment, "given-back")["result"]["refunded_minor"] == 499
    assert refunds_of(shop, payment) == [(499, "done", "till")]
    with shop.unchanged():
        shop.report(payment, "refunded", return_id=return_id)
    assert settled(shop, payment, "given-back")["problem"]["code"] == "conflict"
    assert shop.noted("payment.refund_settled") == 1


def test_a_person_says_that_the_customer_got_it_in_cash(shop: PayingShop) -> None:
    payment = captured(shop)
    bring_back(shop, payment)
    shop.clock.advance(6 * 86_400)
    shop.sign_in("till-2", "mia")
    assert settled(shop, payment, "otherwise")["result"]["refunded_minor"] == 0
    assert untold(shop) == refused(shop) == []
    assert settled(shop, payment, "otherwise")["problem"]["code"] == "conflict"


def test_a_person_says_what_became_of_a_refund_that_was_refused(shop: PayingShop) -> None:
    payment = captured(shop)
    return_id = bring_back(shop, payment)
    shop.report(payment, "refused", return_id=return_id, reason="no connection")
    assert len(refused(shop)) == 1
    assert settled(shop, payment, "given-back")["result"]["refunded_minor"] == 499
    assert refused(shop) == []


def test_nobody_says_it_without_a_name(shop: PayingShop) -> None:
    payment = captured(shop)
    bring_back(shop, payment)
    body = {"payment_id": payment["payment_id"], "how": "otherwise", "reason": "cash"}
    assert shop.no("till-3", "payment/settle-refund", body)["code"] == "unauthenticated"
