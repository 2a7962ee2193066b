"""Surcharges that terminals add: charged, no part of the sale, given back in proportion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.contract.documents import VoidFacts
from hub.contract.pages.payments import PaymentQuery
from hub.domain.payments.exposure import Caps
from hub.domain.payments.states import PaymentEvent
from hub.domain.payments.work import WorkKind
from hub.service import paperwork
from hub.service.books import Books
from hub.service.caller import Caller, CallerKind
from hub.service.gate import ReadUnit
from hub.service.pages import payments as page
from hub.service.pages.paymentwords import SURCHARGED_MAX
from hub.service.payments import book
from hub.service.unit import Unit
from hub.storage import salerows
from hub.storage.salerows import SaleRow
from tests.flow.payments.test_settlement import admin
from tests.support.paying import CARD, PlainVault, rules
from tests.support.payingwork import WorkingShop
from tests.support.shop import five_cents
from tests.support.valuing import ValueShop

TEA_MINOR = 499


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[WorkingShop]:
    made = WorkingShop(tmp_path, payments=rules(surcharge_max_bp=300))
    yield made
    made.check_laws()
    made.close()


def surcharged(shop: WorkingShop, surcharge_minor: int = 15, qty: int = 2, **card: Any) -> Any:
    """A sale of two teas, paid with 9.98 to which the till's terminal added 0.15; captured."""
    payment = shop.own(qty * TEA_MINOR, device="till-2")
    said = CARD | {"surcharge_minor": surcharge_minor} | card
    shop.report(payment, "approved", device="till-2", card=said, captured=True)
    shop.sold(payment, qty=qty, device="till-2")
    return payment


def facts(shop: WorkingShop, payment: Any) -> dict[str, Any]:
    """What the cloud was told last of a payment."""
    sql = "SELECT data FROM outbox WHERE aggregate = ? ORDER BY id DESC LIMIT 1"
    told: dict[str, Any] = json.loads(shop.value(sql, payment["payment_id"]))
    return told


def bring_back(shop: WorkingShop, payment: Any, qty: int = 1, **changed: Any) -> Any:
    line = {"line_no": 1, "qty": qty, "disposition": "resellable", "reason": "unopened"}
    body = {"return_id": shop.id(), "sale_id": payment["sale_id"], "lines": [line]} | changed
    return shop.ok("till-2", "return/commit", body)


def reading(shop: WorkingShop) -> ReadUnit:
    """What the page reads, now."""
    now_ms, budget_ms = shop.tx(lambda tx: (tx.now_ms, tx.budget_ms))
    hub, books = Caller(CallerKind.HUB, "hub"), Books(shop.rules.currency)
    return ReadUnit(shop.rows, hub, shop.rules, books, now_ms, budget_ms)


def needs(shop: WorkingShop) -> dict[str, int]:
    """What people are shown of payments."""
    unit = reading(shop)
    return dict(page.status(shop.rows, shop.rules, unit.now_ms, unit.budget_ms).needs)


def test_the_card_is_charged_it_and_the_sale_is_paid_without(shop: WorkingShop) -> None:
    payment = surcharged(shop)
    row = shop.row(payment)
    assert (row.amount_minor, row.sale_minor, row.surcharge_minor) == (1013, 998, 15)
    view = shop.payment(payment)
    assert (view["amount_minor"], view["surcharge_minor"], view["tip_minor"]) == (998, 15, 0)
    told = facts(shop, payment)
    assert (told["amount_minor"], told["surcharge_minor"]) == (998, 15)
    assert shop.noted("payment.surcharge_unasked") == 0
    assert needs(shop) == {}
    sale = shop.ok("till-2", "sale/get", {"sale_id": payment["sale_id"]})
    assert (sale["total_minor"], sale["tenders"][0]["amount_minor"]) == (998, 998)


def test_nobody_but_a_terminal_adds_one(shop: WorkingShop) -> None:
    body = shop.starting(998, terminal="own", surcharge_minor=15)
    assert "surcharge_minor" in json.dumps(shop.no("till-1", "payment/start", body))
    for wrong in (-1, 1.5, "15"):
        payment = shop.own(998)
        said = {"payment_id": payment["payment_id"], "outcome": "approved"}
        said["card"] = {"surcharge_minor": wrong}
        assert shop.no("till-1", "payment/report", said)["code"] == "validation"
        shop.report(payment, "refused")


def test_a_gift_card_has_none(tmp_path: Path) -> None:
    shop = ValueShop(tmp_path)
    gift = shop.gift()
    said = {"payment_id": gift["payment_id"], "outcome": "approved"}
    said["card"] = {"surcharge_minor": 15}
    assert shop.no("till-1", "payment/report", said)["code"] == "forbidden"
    assert shop.row(gift).amount_minor == 499
    shop.close()


def test_a_repeat_adds_nothing(shop: WorkingShop) -> None:
    payment = shop.own(998)
    said: dict[str, Any] = {"card": CARD | {"surcharge_minor": 15}, "captured": True}
    view = shop.report(payment, "approved", **said)
    assert shop.report(payment, "approved", **said) == view
    stored = shop.start(998)
    shop.begin(stored)
    shop.end(stored, "approved-offline", surcharge_minor=15)
    shop.end(stored, "approved", surcharge_minor=15)
    assert (shop.row(stored).amount_minor, shop.row(stored).surcharge_minor) == (1013, 15)


@pytest.mark.parametrize(("max_bp", "unasked"), [(0, 1), (140, 1), (150, 0)])
def test_one_that_the_shop_does_not_allow_is_a_fact_that_people_see(
    tmp_path: Path, max_bp: int, unasked: int
) -> None:
    shop = WorkingShop(tmp_path, payments=rules(surcharge_max_bp=max_bp))
    payment = surcharged(shop)
    assert shop.row(payment).amount_minor == 1013
    assert not shop.row(payment).void_asked
    assert shop.noted("payment.surcharge_unasked") == unasked
    assert needs(shop) == ({"surcharge": 1} if unasked else {})
    bring_back(shop, payment, 2)
    shop.do(WorkKind.REFUND, "refunded")
    assert needs(shop) == {}, "it went back"
    later = surcharged(shop)
    shop.wait(8 * 24 * 3_600_000)
    assert needs(shop) == {}, "a week has passed"
    assert shop.row(later).surcharge_unasked == unasked
    shop.check_laws()
    shop.close()


def test_a_wrong_setting_of_a_terminal_hides_nothing_else_that_needs_people(
    tmp_path: Path,
) -> None:
    shop = WorkingShop(tmp_path)
    payments = [surcharged(shop) for _ in range(SURCHARGED_MAX + 2)]
    doubtful = shop.own(998)
    shop.report(doubtful, "unknown")
    shop.unit(lambda unit: book.move(unit, shop.row(doubtful), PaymentEvent.OUT_OF_REACH, "t"))
    assert needs(shop) == {"surcharge": SURCHARGED_MAX, "manual": 1}
    found = admin(shop, "settlement/reconcile", {})["differences"]
    for payment in payments:  # its own page says so of each
        asked = PaymentQuery(payment_id=payment["payment_id"])
        trouble = page.one(reading(shop), asked).payment.trouble
        assert trouble is not None
        assert trouble.kind == "surcharge"
    named = [one["payment_id"] for one in found if one["kind"] == "surcharge"]
    assert named == [one["payment_id"] for one in reversed(payments)]
    shop.check_laws()
    shop.close()


def test_one_with_a_tip_is_measured_by_all_that_the_card_was_asked_for(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(tips=True, surcharge_max_bp=1000))
    payment = shop.own(900, tip_minor=100)
    shop.report(payment, "approved", card={"tip_minor": 50, "surcharge_minor": 105})
    row = shop.row(payment)
    assert (row.amount_minor, row.tip_minor, row.surcharge_minor) == (1155, 150, 105)
    assert (row.sale_minor, row.surcharge_unasked) == (900, 0)
    shop.close()


def test_what_is_stored_is_presented_and_counted_with_it(tmp_path: Path) -> None:
    vault = PlainVault()
    shop = WorkingShop(tmp_path, payments=rules(vault=vault, caps=Caps(payment_minor=1000)))
    payment = shop.own(998)
    said: dict[str, Any] = {"card": {"surcharge_minor": 15}, "token": "tok_1"}
    shop.report(payment, "approved-offline", **said)
    assert shop.exposure_minor() == 1013
    shop.sold(payment, qty=2)
    assert shop.do(WorkKind.CHARGE, "captured", psp_ref="psp-1").amount_minor == 1013
    assert shop.row(payment).state == "captured"
    shop.check_laws()
    shop.close()


def test_a_void_gives_it_back(shop: WorkingShop) -> None:
    payment = surcharged(shop)
    body = {"sale_id": payment["sale_id"], "reason": "mistake"}
    (back,) = shop.ok("till-2", "sale/void", body)["refund"]
    assert (back["amount_minor"], back["surcharge_minor"], back["by"]) == (998, 15, "hub")
    assert shop.ok("till-2", "sale/void", body)["refund"] == [back], "a repeat says the same"
    assert shop.do(WorkKind.REFUND, "refunded").amount_minor == 1013
    assert shop.row(payment).state == "refunded"


def test_all_that_comes_back_brings_it_along_and_each_part_its_share(shop: WorkingShop) -> None:
    payment = surcharged(shop)
    (back,) = bring_back(shop, payment, 2)["refund"]
    assert (back["amount_minor"], back["surcharge_minor"]) == (998, 15)
    assert shop.do(WorkKind.REFUND, "refunded").amount_minor == 1013
    other = surcharged(shop)
    for share_minor in (8, 7):
        (back,) = bring_back(shop, other)["refund"]
        assert (back["amount_minor"], back["surcharge_minor"]) == (499, share_minor)
        assert shop.do(WorkKind.REFUND, "refunded").amount_minor == 499 + share_minor
    row = shop.row(other)
    assert (row.state, row.refunded_minor) == ("refunded", 1013)
    assert shop.work() == ()


def test_a_till_gives_back_at_its_own_terminal_what_it_is_told(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(processor=False))
    payment = surcharged(shop)
    parts = [bring_back(shop, payment)["refund"][0] for _ in range(2)]
    assert [(one["by"], one["amount_minor"], one["surcharge_minor"]) for one in parts] == [
        ("till", 499, 8),
        ("till", 499, 7),
    ]
    shop.close()


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    surcharge_minor=st.integers(0, 700),
    tip_minor=st.integers(0, 100),
    parts=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    cash_minor=st.integers(0, 498),
)
def test_whatever_comes_back_in_whatever_parts_all_of_it_goes_back_and_no_more(
    shop: WorkingShop, surcharge_minor: int, tip_minor: int, parts: list[int], cash_minor: int
) -> None:
    """The tip, too, with the last part; the rest of the sale was paid in cash."""
    total_minor = sum(parts) * TEA_MINOR
    payment = shop.own(total_minor - cash_minor, device="till-2")
    said = {"surcharge_minor": surcharge_minor, "tip_minor": tip_minor}
    shop.report(payment, "approved", device="till-2", card=said, captured=True)
    cash = [{"kind": "cash", "amount_minor": cash_minor}] if cash_minor else []
    tenders = [shop.tender(payment), *cash]
    shop.sold(payment, qty=sum(parts), device="till-2", tenders=tenders)
    told_minor = paid_minor = 0
    for qty in parts:
        for back in bring_back(shop, payment, qty)["refund"]:
            more = [back.get("surcharge_minor", 0), back.get("tip_minor", 0)]
            assert min(back["amount_minor"], *more) >= 0
            told_minor += back["amount_minor"] + sum(more)
        for work in shop.work():
            assert work.amount_minor > 0
            paid_minor += work.amount_minor
            assert shop.say(work, "refunded")
        assert paid_minor <= shop.row(payment).amount_minor
    row = shop.row(payment)
    assert paid_minor == row.refunded_minor == row.amount_minor
    assert told_minor == paid_minor + cash_minor
    assert row.state == "refunded"


def test_store_credit_is_given_for_the_goods_and_a_later_part_brings_its_own_share(
    tmp_path: Path,
) -> None:
    """The card isn't refunded by store credit: what was paid for using it stays."""
    shop = ValueShop(tmp_path)
    payment = shop.own(998, device="till-2")
    said = {"surcharge_minor": 15}
    shop.report(payment, "approved", device="till-2", card=said, captured=True)
    shop.sold(payment, qty=2, device="till-2")
    (credit,) = bring_back(shop, payment, refund_to="store-credit")["refund"]
    assert (credit["kind"], credit["amount_minor"]) == ("store_credit", 499)
    assert "surcharge_minor" not in credit
    (back,) = bring_back(shop, payment)["refund"]
    assert (back["amount_minor"], back["surcharge_minor"]) == (499, 7)
    shop.check_laws()
    shop.close()


def test_only_the_cash_of_a_split_sale_is_rounded(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(), cash_rounding=five_cents())
    payment = shop.own(500)
    shop.report(payment, "approved", card=CARD | {"surcharge_minor": 7}, captured=True)
    cash = {"kind": "cash", "amount_minor": 510}
    body = shop.selling(payment, qty=2) | {"tenders": [shop.tender(payment), cash]}
    done = shop.ok("till-1", "sale/commit", body)
    assert (done["change_minor"], done["rounding_minor"]) == (10, 2)
    assert shop.row(payment).amount_minor == 507
    shop.check_laws()
    shop.close()


def test_two_cards_of_a_sale_each_give_back_their_own(shop: WorkingShop) -> None:
    sale_id = shop.id()
    cards = []
    for amount_minor, surcharge_minor in ((400, 4), (598, 18)):
        payment = shop.own(amount_minor, device="till-2", sale_id=sale_id)
        said = {"surcharge_minor": surcharge_minor}
        shop.report(payment, "approved", device="till-2", card=said, captured=True)
        cards.append(payment)
    shop.sold(*cards, qty=2, device="till-2")
    first = bring_back(shop, cards[0])["refund"]
    assert [(one["amount_minor"], one["surcharge_minor"]) for one in first] == [(400, 4), (99, 3)]
    (last,) = bring_back(shop, cards[0])["refund"]
    assert (last["amount_minor"], last["surcharge_minor"]) == (499, 15)


def test_a_late_approval_goes_back_with_it(shop: WorkingShop) -> None:
    payment = shop.own(998)
    shop.report(payment, "refused")
    shop.report(payment, "approved", card={"surcharge_minor": 15, "psp_ref": "p"}, captured=True)
    assert shop.do(WorkKind.REFUND, "refunded").amount_minor == 1013


def doubted(shop: WorkingShop) -> Any:
    """A payment of 9.98 in doubt at its terminal, of which the processor says that it was made."""
    payment = shop.own(998)
    shop.report(payment, "unknown")
    assert shop.learn(payment, "captured", psp_ref="psp-1")
    assert shop.row(payment).amount_minor == 998, "a processor tells of no surcharge"
    return payment


def test_a_terminal_that_tells_after_the_processor_has_it_booked(shop: WorkingShop) -> None:
    payment = doubted(shop)
    said = {"surcharge_minor": 15, "psp_ref": "psp-1"}
    for _ in range(2):  # a repeat adds none
        view = shop.report(payment, "approved", card=said)
        assert (view["state"], view["amount_minor"], view["surcharge_minor"]) == (
            "captured",
            998,
            15,
        )
    told = facts(shop, payment)
    assert (told["state"], told["amount_minor"], told["surcharge_minor"]) == ("captured", 998, 15)
    assert shop.told(payment).count("captured") == 2
    shop.give_up(payment)
    assert shop.do(WorkKind.REFUND, "refunded").amount_minor == 1013


def test_one_told_when_the_money_goes_back_already_is_noted(shop: WorkingShop) -> None:
    payment = doubted(shop)
    shop.give_up(payment)
    shop.report(payment, "approved", card={"surcharge_minor": 15})
    assert shop.row(payment).amount_minor == 998
    assert shop.noted("payment.added_too_late") == 1
    assert shop.do(WorkKind.REFUND, "refunded").amount_minor == 998


# What is told of it elsewhere --------------------------------------------------------------------


def test_the_comparison_with_the_processor_counts_the_whole_and_names_what_is_not_allowed(
    tmp_path: Path,
) -> None:
    shop = WorkingShop(tmp_path)
    payment = surcharged(shop)
    line = {"kind": "payment", "amount_minor": 1013, "currency": "EUR", "at_ms": 0}
    line |= {"payment_id": payment["payment_id"], "psp_ref": "psp-1"}
    body = {"processor": "adyen", "name": "day.csv", "lines": [line]}
    assert admin(shop, "settlement/import", body)["verdicts"] == {"matched": 1}
    (one,) = admin(shop, "settlement/reconcile", {})["differences"]
    assert (one["kind"], one["owner"], one["amount_minor"]) == ("surcharge", "manager", 15)
    assert one["payment_id"] == payment["payment_id"]
    shop.close()


def test_the_papers_tell_it_apart_also_when_they_are_printed_again(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(), print_receipts=True)
    payment = surcharged(shop, tip_minor=50)
    body = {"sale_id": payment["sale_id"], "reason": "mistake", "print_receipt": True}
    shop.ok("till-2", "sale/void", body)
    documents = "SELECT document FROM print_jobs WHERE kind = 'void' ORDER BY id"
    (void,) = (json.loads(one) for (one,) in shop.all(documents))
    (back,) = void["refunds"]
    assert (back["amount_minor"], back["tip_minor"], back["surcharge_minor"]) == (998, 50, 15)
    again = shop.unit(lambda unit: paperwork.of_sale(unit, sale_of(unit, payment)))
    assert isinstance(again, VoidFacts)
    (copied,) = again.refunds
    assert (copied.tip_minor, copied.surcharge_minor) == (50, 15)
    shop.close()


def sale_of(unit: Unit, payment: Any) -> SaleRow:
    """The sale as it is written."""
    found = salerows.get(unit.tx, payment["sale_id"])
    assert found is not None
    return found
