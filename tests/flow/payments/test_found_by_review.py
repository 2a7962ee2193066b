"""Ways in which card payments could go wrong: crowds, strangers, money without a sale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.contract.problems import Code
from hub.domain.payments.exposure import Caps
from hub.domain.payments.states import PaymentEvent
from hub.domain.payments.work import WorkKind
from hub.service.handlers.mirroring import TakeCopies, ToMirror, copy_of, to_mirror
from hub.service.payments import book, refunds
from hub.service.unit import Unit
from hub.storage import paymentpurge, paymentrows, paymentwork, secretrows
from tests.flow.payments.test_settlement import differences, imported, line
from tests.support.paying import CARD, PlainVault, rules
from tests.support.payingwork import HOUR_MS, WorkingShop, token_of

DAY_MS = 24 * HOUR_MS
WIDE = Caps(payment_minor=10**9, terminal_count=10**6, terminal_minor=10**12, store_minor=10**12)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[WorkingShop]:
    made = WorkingShop(tmp_path)
    yield made
    made.check_laws()
    made.close()


def refused(shop: WorkingShop, device: str, address: str, body: dict[str, Any]) -> str:
    """The code that this is refused with."""
    return str(shop.no(device, address, body)["code"])


# Money without a sale ----------------------------------------------------------------------------


def test_money_without_a_sale_goes_back_although_a_report_paid_it_out_first(
    shop: WorkingShop,
) -> None:
    payment = shop.own()
    shop.report(payment, "approved", card=CARD, captured=True)
    imported(shop, line(payment))
    assert shop.row(payment).state == "settled"
    shop.wait(25 * HOUR_MS)
    shop.expire()
    assert shop.row(payment).void_asked
    shop.do(WorkKind.REFUND, "refunded")
    assert shop.row(payment).state == "refunded"


def test_a_sale_may_still_be_paid_with_what_a_report_paid_out_first(shop: WorkingShop) -> None:
    payment = shop.own()
    shop.report(payment, "approved", card=CARD, captured=True)
    imported(shop, line(payment))
    shop.sold(payment)
    shop.wait(25 * HOUR_MS)
    shop.expire()
    assert (shop.row(payment).state, shop.row(payment).void_asked) == ("settled", 0)


def test_goods_whose_money_nobody_ever_captures_are_told_of(shop: WorkingShop) -> None:
    payment = shop.approved()
    shop.sold(payment)
    assert "not-captured" not in differences(shop)
    shop.do(WorkKind.CAPTURE, "not-found")
    shop.wait(8 * DAY_MS)
    assert differences(shop)["not-captured"] == "manager"


def test_money_that_its_till_never_gives_back_is_told_of(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(processor=False))
    payment = shop.approved()
    shop.give_up(payment)
    assert "not-given-back" not in differences(shop)
    shop.wait(8 * DAY_MS)
    assert differences(shop)["not-given-back"] == "manager"
    shop.report(payment, "reversed")
    assert "not-given-back" not in differences(shop)
    shop.close()


def test_a_sale_that_a_card_has_paid_is_finished_while_the_disk_is_nearly_full(
    shop: WorkingShop,
) -> None:
    payment, unwanted = shop.own(), shop.start(device="till-2")
    shop.gate.storage_full = True
    assert refused(shop, "till-1", "payment/start", shop.starting()) == Code.STORAGE_FULL
    cash = shop.sale({"code": "tea", "qty": 1, "unit_price_minor": 499}, total_minor=499)
    assert refused(shop, "till-1", "sale/commit", cash) == Code.STORAGE_FULL
    shop.report(payment, "approved", card=CARD)
    shop.sold(payment)
    assert shop.give_up(unwanted, "till-2")["state"] == "abandoned"


# Crowds ------------------------------------------------------------------------------------------


def crowd(shop: WorkingShop, many: int, *events: PaymentEvent, **facts: Any) -> None:
    """So many payments of others, each with these steps behind it."""

    def work(unit: Unit) -> None:
        for n in range(many):
            new = paymentrows.NewPayment(
                payment_id=f"crowd-{n}",
                hash=b"",
                sale_id=f"crowd-sale-{n}",
                basket_id="",
                device_id="till-2",
                staff_id=None,
                terminal_id=f"terminal-{n}",
                driven_by="till",
                custody="hub",
                amount_minor=100,
                currency="EUR",
                offline_allowed=True,
            )
            row = book.begin(unit, new, "test")
            for event in events:
                row = book.move(unit, row, event, "test")
            paymentrows.change(unit.tx, row, **facts)

    shop.unit(work)


def test_a_second_keeper_gets_the_newest_payment_however_many_wait(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(mirror="keeper", caps=WIDE))
    crowd(shop, 201, PaymentEvent.SENT, PaymentEvent.APPROVED_OFFLINE, mirrored=1, due_budget_ms=0)
    payment = shop.stored(token=token_of("new"))
    assert [one.row.payment_id for one in to_mirror(shop.rows, 4)] == [payment["payment_id"]]
    shop.close()


def test_refunds_that_were_refused_don_t_keep_others_from_being_wanted(shop: WorkingShop) -> None:
    steps = (PaymentEvent.SENT, PaymentEvent.APPROVED, PaymentEvent.CAPTURED)
    crowd(shop, 201, *steps, void_asked=1)

    def refuse_all(unit: Unit) -> None:
        for row in paymentwork.not_wanted_back(unit.tx, by_hub=False, limit=1000):
            refunds.want_rest(unit, row)
        unit.tx.run("UPDATE payment_refunds SET state = 'refused'")

    shop.unit(refuse_all)
    payment = shop.own()
    shop.report(payment, "approved", card=CARD, captured=True)
    shop.give_up(payment)
    assert [one.payment_id for one in shop.work()] == [payment["payment_id"]]


def test_what_a_till_may_begin_is_bounded(shop: WorkingShop) -> None:
    begun = 0
    while begun < 300:
        reply = shop.ask("till-1", "payment/start", shop.starting(offline="refuse"))
        if not reply.body["ok"]:
            assert reply.problem["code"] == Code.CONFLICT
            break
        begun += 1
    assert begun == 20
    assert shop.start(device="till-2")["state"] == "intent"


def test_payments_of_one_sale_are_bounded(shop: WorkingShop) -> None:
    body = shop.starting(terminal="own")
    begun = 0
    while begun < 150:
        reply = shop.ask("till-1", "payment/start", body | {"payment_id": shop.id()})
        if not reply.body["ok"]:
            break
        begun += 1
        shop.report(reply.result, "refused")
    assert begun == 50


def test_an_amount_that_no_shop_takes_is_refused(shop: WorkingShop) -> None:
    body = shop.starting(9_000_000_000_000_000, terminal="own")
    assert refused(shop, "till-1", "payment/start", body) == Code.VALIDATION


# Strangers ---------------------------------------------------------------------------------------


def test_a_till_can_t_sell_with_another_till_s_payment(shop: WorkingShop) -> None:
    payment = shop.approved()
    shop.sign_in("till-2", "anna")
    assert refused(shop, "till-2", "sale/commit", shop.selling(payment)) == Code.FORBIDDEN
    shop.sold(payment)


def test_a_till_can_t_hinder_another_till_s_sale_with_a_payment_for_it(shop: WorkingShop) -> None:
    payment = shop.approved()
    shop.sign_in("till-2", "anna")
    body = shop.starting(sale_id=payment["sale_id"], terminal="own")
    assert refused(shop, "till-2", "payment/start", body) == Code.CONFLICT
    shop.sold(payment)


def test_a_till_can_t_claim_another_payment_s_reference(shop: WorkingShop) -> None:
    payment = shop.approved()
    shop.sold(payment)
    mine = shop.own(device="till-2")
    shop.report(mine, "approved", device="till-2", card=CARD)
    assert shop.row(payment).psp_ref == CARD["psp_ref"]
    assert shop.row(mine).psp_ref == ""
    assert shop.noted("payment.foreign_ref") == 1


# What is long over -------------------------------------------------------------------------------


def test_payments_that_are_long_over_are_forgotten_and_nothing_that_needs_somebody(
    tmp_path: Path,
) -> None:
    shop = WorkingShop(tmp_path, payments=rules(caps=replace(WIDE, token_per_day=100)))
    over = shop.captured()
    partly = shop.kept(998)
    shop.do(WorkKind.CHARGE, "captured", psp_ref="psp-2")
    owed = shop.declined()
    waits = shop.own()
    shop.report(waits, "approved", card={}, captured=True)
    shop.give_up(waits)
    ended = shop.own()
    shop.report(ended, "refused")
    before = differences(shop)
    for payment in (over, partly, owed, waits, ended):
        shop.run(
            "UPDATE payments SET changed_at_ms = 1 WHERE payment_id = ?", payment["payment_id"]
        )

    def want(unit: Unit) -> None:
        refunds.want(unit, shop.row(partly), "rest", 100, "return")

    shop.unit(want)
    shop.housekeep()
    left = {one for (one,) in shop.all("SELECT payment_id FROM payments")}
    assert left == {one["payment_id"] for one in (partly, owed, waits)}
    assert differences(shop) == before  # no number of the terminal is missed
    steps = shop.value(
        "SELECT count(*) FROM payment_steps WHERE payment NOT IN (SELECT id FROM payments)"
    )
    assert steps == 0
    again = shop.starting(payment_id=over["payment_id"])
    assert refused(shop, "till-1", "payment/start", again) == Code.CONFLICT


def test_captured_money_that_reports_should_have_paid_out_isn_t_forgotten(
    shop: WorkingShop,
) -> None:
    payment, other = shop.captured(), shop.captured()
    imported(shop, line(other))
    for one in (payment, other):
        shop.run("UPDATE payments SET changed_at_ms = 1 WHERE payment_id = ?", one["payment_id"])
    shop.run("UPDATE settlement_files SET imported_at_ms = 1")
    shop.unit(lambda unit: paymentpurge.purge(unit.tx, 2))
    assert [one for (one,) in shop.all("SELECT payment_id FROM payments")] == [
        payment["payment_id"]
    ]
    assert shop.value("SELECT count(*) FROM settlement_files") == 0


# A copy of a lost hub's payments -----------------------------------------------------------------


def lost_copy(shop: WorkingShop) -> tuple[str, str]:
    """A copy of a payment that this hub has lost."""
    payment = shop.stored(token=token_of("lost"))
    row = shop.row(payment)
    token = secretrows.get(shop.rows, row.id)
    assert token is not None
    copy = (row.payment_id, copy_of(ToMirror(row, token), PlainVault()))

    def forget(unit: Unit) -> None:
        for table in ("payment_secrets", "payment_steps"):
            unit.tx.run(f"DELETE FROM {table} WHERE payment = ?", row.id)
        unit.tx.run("DELETE FROM payments WHERE id = ?", row.id)
        unit.tx.run("DELETE FROM outbox WHERE aggregate = ?", row.payment_id)

    shop.unit(forget)
    return copy


def test_copies_come_back_while_a_customer_stands_at_that_terminal(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path)
    copy = lost_copy(shop)
    at_terminal = shop.own()
    shop.internal(TakeCopies((copy,)))
    row = paymentrows.get(shop.rows, copy[0])
    assert row is not None
    assert (row.state, row.custody, shop.has_token({"payment_id": copy[0]})) == (
        "forward_unknown",
        "hub",
        True,
    )
    assert shop.row(at_terminal).state == "at_terminal"
    shop.close()


def test_a_copy_that_can_t_be_taken_in_keeps_no_other_away(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path)
    good = lost_copy(shop)
    bad = changed_copy(good, payment_id="other", amount_minor=-5)
    odd = changed_copy(good, payment_id="third", terminal_id=None)
    shop.internal(TakeCopies(((bad), (odd), good)))
    assert paymentrows.get(shop.rows, good[0]) is not None
    assert paymentrows.get(shop.rows, "other") is None
    assert paymentrows.get(shop.rows, "third") is None
    shop.close()


def changed_copy(copy: tuple[str, str], **changed: Any) -> tuple[str, str]:
    """A copy that says something else."""
    import base64
    import json

    from hub.service.handlers import mirroring

    plain = base64.b32decode(copy[1].translate(mirroring._FROM_LETTERS))
    facts = json.loads(plain) | changed
    text = base64.b32encode(json.dumps(facts).encode()).decode().translate(mirroring._TO_LETTERS)
    return facts["payment_id"], text


@pytest.mark.parametrize("changed", [{"amount_minor": 49900}, {"sale_id": "x"}, {"stamp": "ab"}])
def test_a_keeper_can_t_change_what_it_keeps(tmp_path: Path, changed: dict[str, Any]) -> None:
    shop = WorkingShop(tmp_path)
    copy = lost_copy(shop)
    shop.internal(TakeCopies((changed_copy(copy, **changed),)))
    assert paymentrows.get(shop.rows, copy[0]) is None
    shop.internal(TakeCopies((copy,)))
    assert paymentrows.get(shop.rows, copy[0]) is not None
    shop.close()


@pytest.mark.parametrize(("hours", "state"), [(1, "stored"), (21, "manual")])
def test_a_copy_is_as_old_as_its_payment(tmp_path: Path, hours: int, state: str) -> None:
    shop = WorkingShop(tmp_path)
    copy = lost_copy(shop)
    shop.wait(hours * HOUR_MS)
    shop.internal(TakeCopies((copy,)))
    back = {"payment_id": copy[0]}
    assert shop.row(back).forwards == 1
    shop.do(WorkKind.LOOK_UP, "not-found")
    assert shop.row(back).state == state
    shop.close()


def test_a_charge_that_the_processor_can_t_tell_of_for_two_days_comes_to_people(
    shop: WorkingShop,
) -> None:
    payment = shop.kept()
    shop.do(WorkKind.CHARGE, "unknown")
    for _ in range(9):
        shop.wait(HOUR_MS)
        shop.do(WorkKind.LOOK_UP, "unknown")
    assert shop.row(payment).state == "forward_unknown"
    shop.wait(40 * HOUR_MS)
    shop.do(WorkKind.LOOK_UP, "unknown")
    assert shop.row(payment).state == "manual"


def test_a_line_that_was_away_for_days_is_no_answer_of_the_processor(shop: WorkingShop) -> None:
    payment = shop.kept()
    shop.do(WorkKind.CHARGE, "unknown")
    shop.wait(72 * HOUR_MS)
    shop.do(WorkKind.LOOK_UP, "unknown")
    shop.wait(HOUR_MS)
    shop.do(WorkKind.LOOK_UP, "not-sent")
    assert shop.row(payment).state == "forward_unknown"
    shop.wait(HOUR_MS)
    shop.do(WorkKind.LOOK_UP, "captured", psp_ref="psp-1")
    assert shop.row(payment).state == "captured"


def test_a_till_that_reports_late_gains_no_time(shop: WorkingShop) -> None:
    payment = shop.own()
    shop.report(payment, "unknown")
    begun = shop.row(payment)
    shop.clock.advance(3600)
    shop.report(payment, "approved-offline", token="tok_late")
    stored = shop.row(payment)
    assert stored.state == "stored"
    assert (stored.stored_at_ms, stored.stored_budget_ms) == (
        begun.begun_at_ms,
        begun.begun_budget_ms,
    )


def test_a_till_tells_that_what_its_terminal_kept_was_declined(shop: WorkingShop) -> None:
    stored = shop.stored()
    shop.sold(stored)
    assert shop.row(stored).custody == "terminal"
    assert shop.report(stored, "refused", reason="stolen")["state"] == "recovery"
    unsold = shop.stored()
    assert shop.report(unsold, "refused", reason="stolen")["state"] == "voided"
