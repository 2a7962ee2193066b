"""Gift cards and store credit while their issuer can be asked: held, taken, let go, given back."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from hub.domain.payments.work import LOOK_UP_MAX_MS, Hand, WorkKind
from tests.support.payingwork import HOUR_MS, MINUTE_MS
from tests.support.valuing import GIFT, ValueShop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ValueShop]:
    made = ValueShop(tmp_path)
    yield made
    made.check_laws()
    made.close()


def test_a_gift_card_is_held_sold_and_taken(shop: ValueShop) -> None:
    payment = shop.gift()
    assert (payment["state"], payment["kind"], payment["waits_for"]) == (
        "intent",
        "gift_card",
        "issuer",
    )
    assert payment["last4"] == "0042"
    work = shop.next(Hand.ISSUER)
    assert work.kind is WorkKind.CHARGE
    assert work.token is not None
    assert shop.payment(payment)["state"] == "at_terminal"
    assert shop.say(work, "approved", balance_minor=1001)
    held = shop.payment(payment)
    assert (held["state"], held["tenderable"], held["balance_minor"]) == ("authorised", True, 1001)
    shop.sold(held)
    shop.issuer_says(WorkKind.CAPTURE, "captured")
    assert shop.payment(payment)["state"] == "captured"
    assert shop.told(payment) == ["authorised", "captured"]
    assert shop.work(Hand.ISSUER) == ()
    assert shop.work(Hand.PROCESSOR) == ()
    assert shop.work(Hand.TERMINAL) == ()


def test_the_cards_number_is_sealed_and_gone_once_it_was_asked(shop: ValueShop) -> None:
    payment = shop.gift(value={"pin": "9731"})
    assert shop.has_token(payment)
    work = shop.next(Hand.ISSUER)
    assert shop.has_token(payment)
    shop.say(work, "unknown")
    assert not shop.has_token(payment)
    tables = shop.all("SELECT name FROM sqlite_schema WHERE type = 'table'")
    for (table,) in tables:
        rows = str(shop.all(f"SELECT * FROM {table}"))
        assert GIFT not in rows, table
        assert "9731" not in rows.replace("000", ""), table


def test_a_cap_on_cards_is_no_cap_on_gift_cards(shop: ValueShop) -> None:
    shop.gift(200_00)
    assert shop.exposure_minor() == 0


def test_a_refusal_tells_what_is_left(shop: ValueShop) -> None:
    payment = shop.gift()
    shop.issuer_says(
        WorkKind.CHARGE,
        "declined",
        word="insufficient-value",
        balance_minor=120,
        reason="not so much",
    )
    refused = shop.payment(payment)
    assert (refused["state"], refused["decline_code"]) == ("refused", "insufficient-value")
    assert (refused["balance_minor"], refused["reason"]) == (120, "not so much")
    assert shop.work(Hand.ISSUER) == ()


def test_a_basket_waits_for_the_issuers_word(shop: ValueShop) -> None:
    basket = shop.basket("till-1", "tea")
    payment = shop.gift(basket_id=basket["basket_id"])
    work = shop.next(Hand.ISSUER)
    change = {"basket_id": basket["basket_id"], "version": basket["version"], "code": "tea"}
    assert shop.no("till-1", "basket/add-line", change | {"qty": 1})["code"] == "conflict"
    shop.say(work, "declined", word="blocked")
    assert shop.payment(payment)["state"] == "refused"
    assert shop.ok("till-1", "basket/add-line", change | {"qty": 1})


def test_no_answer_is_looked_up_and_found(shop: ValueShop) -> None:
    payment = shop.gift()
    shop.issuer_says(WorkKind.CHARGE, "unknown")
    assert shop.payment(payment)["state"] == "unknown"
    shop.issuer_says(WorkKind.LOOK_UP, "approved", balance_minor=1)
    assert shop.payment(payment)["state"] == "authorised"


def test_a_hold_that_is_not_known_twice_was_never_asked_for(shop: ValueShop) -> None:
    payment = shop.gift()
    shop.issuer_says(WorkKind.CHARGE, "unknown")
    shop.issuer_says(WorkKind.LOOK_UP, "not-found")
    assert shop.payment(payment)["state"] == "unknown"
    assert shop.work(Hand.ISSUER) == ()
    shop.wait(6_000)
    shop.issuer_says(WorkKind.LOOK_UP, "not-found")
    assert shop.payment(payment)["state"] == "abandoned"


def test_an_answer_between_begins_the_counting_anew(shop: ValueShop) -> None:
    payment = shop.gift()
    shop.issuer_says(WorkKind.CHARGE, "unknown")
    for said in ("not-found", "unknown", "not-found"):
        shop.issuer_says(WorkKind.LOOK_UP, said)
        shop.wait(MINUTE_MS)
    assert shop.payment(payment)["state"] == "unknown"


def test_nobody_is_asked_after_a_quarter_of_an_hour_but_after_two_days(shop: ValueShop) -> None:
    payment = shop.gift()
    shop.issuer_says(WorkKind.CHARGE, "unknown")
    shop.wait(HOUR_MS)
    shop.expire()
    assert shop.payment(payment)["state"] == "unknown"
    for _ in range(10):
        shop.issuer_says(WorkKind.LOOK_UP, "unknown")
        shop.wait(HOUR_MS)
    assert shop.payment(payment)["state"] == "unknown"
    shop.wait(LOOK_UP_MAX_MS)
    shop.issuer_says(WorkKind.LOOK_UP, "unknown")
    assert shop.payment(payment)["state"] == "manual"


def test_what_was_given_up_meanwhile_is_let_go_when_it_turns_out_held(shop: ValueShop) -> None:
    payment = shop.gift()
    work = shop.next(Hand.ISSUER)
    shop.give_up(payment)
    shop.say(work, "unknown")
    shop.issuer_says(WorkKind.LOOK_UP, "approved")
    shop.issuer_says(WorkKind.REVERSE, "reversed")
    assert shop.payment(payment)["state"] == "reversed"


def test_one_that_was_never_sent_is_over(shop: ValueShop) -> None:
    payment = shop.gift()
    shop.issuer_says(WorkKind.CHARGE, "not-sent", reason="no session")
    over = shop.payment(payment)
    assert (over["state"], over["reason"]) == ("abandoned", "no session")


def test_a_customer_does_not_wait_for_ever_for_a_line(shop: ValueShop) -> None:
    payment = shop.gift()
    shop.wait(MINUTE_MS + 1)
    shop.expire()
    assert shop.payment(payment)["state"] == "abandoned"
    assert not shop.has_token(payment)


def test_a_hub_that_dies_in_the_middle_looks_it_up(shop: ValueShop) -> None:
    asked, waiting = shop.gift(), None
    shop.next(Hand.ISSUER)
    waiting = shop.gift()
    assert shop.recover() == 1
    assert shop.payment(asked)["state"] == "unknown"
    assert shop.payment(waiting)["state"] == "abandoned"
    shop.issuer_says(WorkKind.LOOK_UP, "approved")
    assert shop.payment(asked)["state"] == "authorised"


def test_a_lease_that_nobody_ends_is_a_doubt(shop: ValueShop) -> None:
    payment = shop.gift()
    shop.next(Hand.ISSUER)
    shop.wait(3 * MINUTE_MS)
    shop.expire()
    assert shop.payment(payment)["state"] == "unknown"


def test_a_hold_that_expired_before_its_sale_is_owed(shop: ValueShop) -> None:
    payment = shop.held()
    shop.sold(payment)
    shop.issuer_says(WorkKind.CAPTURE, "declined", word="expired", reason="the hold has expired")
    owed = shop.payment(payment)
    assert (owed["state"], owed["decline_code"]) == ("recovery", "expired")


def test_a_void_gives_all_back_to_the_card(shop: ValueShop) -> None:
    payment = shop.taken()
    shop.sign_in("till-1", "mia")
    voided = shop.ok(
        "till-1", "sale/void", {"sale_id": payment["sale_id"], "reason": "customer left"}
    )
    (back,) = voided["refund"]
    assert (back["kind"], back["by"]) == ("gift_card", "hub")
    work = shop.issuer_says(WorkKind.REFUND, "refunded")
    assert work.amount_minor == 499
    assert shop.payment(payment)["state"] == "refunded"


def test_a_part_that_comes_back_goes_back_to_the_card_once(shop: ValueShop) -> None:
    payment = shop.taken(998)
    line = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "unused"}
    back = {"return_id": shop.id(), "sale_id": payment["sale_id"], "lines": [line]}
    done = shop.ok("till-1", "return/commit", back)
    assert done["refund"] == [
        {
            "kind": "gift_card",
            "amount_minor": 499,
            "payment_id": payment["payment_id"],
            "by": "hub",
            "by_person": False,
        }
    ]
    work = shop.issuer_says(WorkKind.REFUND, "unknown")
    shop.wait(HOUR_MS)
    again = shop.issuer_says(WorkKind.LOOK_UP, "refunded")
    assert (again.key, again.amount_minor) == (work.key, 499)
    assert shop.payment(payment)["refunded_minor"] == 499


def test_the_rest_is_paid_in_cash(shop: ValueShop) -> None:
    payment = shop.held(400)
    body = shop.selling(payment)
    body["tenders"].append({"kind": "cash", "amount_minor": 99})
    shop.ok("till-1", "sale/commit", body)
    assert shop.payment(payment)["in_sale"]


def test_a_tender_is_of_its_payments_kind(shop: ValueShop) -> None:
    payment = shop.held()
    body = shop.selling(payment)
    body["tenders"][0]["kind"] = "card"
    assert "another kind" in shop.no("till-1", "sale/commit", body)["detail"]
    body["tenders"][0] |= {"kind": "gift_card", "payment_id": shop.id()}
    assert shop.no("till-1", "sale/commit", body)["code"] == "not-found"
    card = shop.approved(sale_id=payment["sale_id"])
    body["tenders"][0] |= {"kind": "store_credit", "payment_id": card["payment_id"]}
    assert "another kind" in shop.no("till-1", "sale/commit", body)["detail"]


def test_a_till_can_not_tell_what_the_issuer_said(shop: ValueShop) -> None:
    payment = shop.gift()
    told = {"payment_id": payment["payment_id"], "outcome": "approved"}
    assert shop.no("till-1", "payment/report", told)["code"] == "forbidden"


def test_the_number_of_a_payment_card_is_refused(shop: ValueShop) -> None:
    body = shop.starting(value={"kind": "gift_card", "token": "4111111111111111"})
    refused = shop.no("till-1", "payment/start", body)
    assert refused["code"] == "card-data-refused"
    assert "4111" not in str(refused)


def test_whoever_tries_out_numbers_is_stopped(shop: ValueShop) -> None:
    for n in range(10):
        shop.gift(token=f"GUESS-{n:04}")
        shop.issuer_says(WorkKind.CHARGE, "declined", word="unknown-card")
    body = shop.starting(value={"kind": "gift_card", "token": "GUESS-0010"})
    assert shop.no("till-1", "payment/start", body)["code"] == "conflict"
    assert shop.gift(device="till-2")["state"] == "intent"
    shop.wait(HOUR_MS + 1)
    assert shop.gift()["state"] == "intent"


def test_a_shop_without_a_cloud_takes_none(tmp_path: Path) -> None:
    shop = ValueShop(tmp_path, processor=False)
    try:
        alone = shop.starting(value={"kind": "gift_card", "token": GIFT}, terminal="own")
        assert shop.no("till-1", "payment/start", alone)["code"] == "validation"
    finally:
        shop.close()


def test_a_gift_card_takes_no_tip(shop: ValueShop) -> None:
    body = shop.starting(value={"kind": "gift_card", "token": GIFT}, tip_minor=1)
    assert "takes no tip" in shop.no("till-1", "payment/start", body)["detail"]


def test_the_same_payment_twice_is_one(shop: ValueShop) -> None:
    body = shop.starting(value={"kind": "gift_card", "token": GIFT})
    first = shop.ok("till-1", "payment/start", body)
    again = shop.ok("till-1", "payment/start", body)
    assert first["id"] == again["id"]
    assert len(shop.work(Hand.ISSUER)) == 1


def test_store_credit_is_taken_alike(shop: ValueShop) -> None:
    payment = shop.held(kind="store_credit")
    assert payment["kind"] == "store_credit"
    shop.sold(payment)
    shop.issuer_says(WorkKind.CAPTURE, "captured")
    assert shop.payment(payment)["state"] == "captured"


# Repeats -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [{"token": "GC-7Q4K-9XWM-0043"}, {"pin": "9732"}, {"pin": None}])
def test_a_key_that_was_used_for_one_card_is_not_good_for_another(
    shop: ValueShop, other: dict[str, str | None]
) -> None:
    key = shop.id()
    value = {"kind": "gift_card", "token": GIFT, "pin": "9731"}
    body = shop.starting(499, value=value)
    first = shop.ok("till-1", "payment/start", body, key=key)
    assert shop.ok("till-1", "payment/start", body, key=key) == first
    another = body | {"value": value | other}
    for _ in range(2):
        assert (
            shop.no("till-1", "payment/start", another, key=key)["code"] == "idempotency-mismatch"
        )
    assert shop.no("till-1", "payment/start", another)["code"] == "conflict"
    assert shop.ok("till-1", "payment/start", body) == first
    (row,) = shop.all("SELECT hash FROM requests WHERE idk = ?", key)
    for known in (GIFT, "9731", sha256(GIFT.encode()).hexdigest()):
        assert known.encode() not in row[0]
        assert bytes.fromhex(known) not in row[0] if len(known) == 64 else True


def test_a_repeat_of_what_was_asked_before_cards_counted_gets_its_answer(shop: ValueShop) -> None:
    key = shop.id()
    body = shop.starting(499, value={"kind": "gift_card", "token": GIFT})
    first = shop.ok("till-1", "payment/start", body, key=key)
    shop.run("UPDATE requests SET hash = substr(hash, 1, 32)")
    shop.run("UPDATE payments SET hash = substr(hash, 1, 32)")
    assert shop.ok("till-1", "payment/start", body, key=key) == first
    assert shop.ok("till-1", "payment/start", body) == first
    more = shop.no("till-1", "payment/start", body | {"amount_minor": 500}, key=key)
    assert more["code"] == "idempotency-mismatch"


def test_requests_are_told_apart_the_same_by_a_hub_that_was_put_back(shop: ValueShop) -> None:
    key = shop.id()
    body = shop.starting(499, value={"kind": "gift_card", "token": GIFT})
    first = shop.ok("till-1", "payment/start", body, key=key)
    shop.restart()
    assert shop.ok("till-1", "payment/start", body, key=key) == first
