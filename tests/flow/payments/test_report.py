"""What terminals say: each outcome once, corrections, lateness, and what may never be denied."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.domain.payments.exposure import DAY_MS, Caps
from hub.domain.payments.states import PaymentEvent
from hub.service.payments import book
from hub.storage import paymentrows
from tests.support.paying import CARD, PayingShop, rules

TOKEN = "tok_7f3a9c"


@pytest.mark.parametrize(
    ("outcome", "state", "told"),
    [
        ("approved", "authorised", ["authorised"]),
        ("approved-offline", "stored", ["stored"]),
        ("refused", "refused", []),
        ("not-done", "abandoned", []),
        ("unknown", "unknown", ["unknown"]),
    ],
)
def test_an_outcome_is_taken_in_once(
    paying: PayingShop, outcome: str, state: str, told: list[str]
) -> None:
    payment = paying.own()
    assert paying.report(payment, outcome, card=CARD)["state"] == state
    with paying.unchanged():
        assert paying.report(payment, outcome, card=CARD)["state"] == state
    assert paying.told(payment) == told


def test_the_hubs_own_terminal_tells_the_same(paying: PayingShop) -> None:
    for outcome, state in (
        ("approved", "authorised"),
        ("approved-offline", "stored"),
        ("refused", "refused"),
        ("not-done", "abandoned"),
        ("unknown", "unknown"),
    ):
        payment = paying.start()
        paying.begin(payment)
        assert paying.end(payment, outcome) == state
        with paying.unchanged():
            assert paying.end(payment, outcome) == state


def test_what_is_captured_at_once_is_the_shops_money(paying: PayingShop) -> None:
    payment = paying.own()
    done = paying.report(payment, "approved", card=CARD, captured=True)
    assert (done["state"], done["tenderable"]) == ("captured", True)
    assert paying.told(payment) == ["authorised", "captured"]


def test_offline_payments_are_numbered_without_gaps_at_each_terminal(paying: PayingShop) -> None:
    numbers = [paying.stored()["offline_seq"] for _ in range(2)]
    paying.approved()
    numbers.append(paying.stored()["offline_seq"])
    assert numbers == [1, 2, 3]
    assert paying.stored(device="till-2")["offline_seq"] == 1


def test_a_token_is_kept_sealed_and_gone_when_it_is_not_needed(paying: PayingShop) -> None:
    payment = paying.stored(token=TOKEN)
    assert (payment["custody"], payment["approved_offline"]) == ("hub", True)
    sealed = paying.one("SELECT sealed FROM payment_secrets")
    assert sealed is not None
    assert TOKEN.encode() not in bytes(sealed[0])
    assert paying.give_up(payment)["state"] == "voided"
    assert paying.value("SELECT count(*) FROM payment_secrets") == 0
    assert paying.told(payment) == ["stored", "voided"]
    for (name,) in paying.all("SELECT name FROM sqlite_schema WHERE type = 'table'"):
        assert TOKEN not in str(paying.all(f"SELECT * FROM {name}")), name


def test_without_a_vault_a_token_is_refused_and_the_terminal_may_keep_it(tmp_path: Path) -> None:
    shop = PayingShop(tmp_path, payments=rules(vault=None))
    payment = shop.own()
    body = {"payment_id": payment["payment_id"], "outcome": "approved-offline", "token": TOKEN}
    with shop.unchanged():
        assert shop.no("till-1", "payment/report", body)["code"] == "conflict"
    assert shop.report(payment, "approved-offline")["custody"] == "terminal"


def test_card_numbers_are_refused_wherever_they_are_typed(paying: PayingShop) -> None:
    payment = paying.own()
    body = {"payment_id": payment["payment_id"], "outcome": "approved-offline"}
    number = "4111111111111111"
    with paying.unchanged():
        for field in ({"token": number}, {"reason": number}, {"card": {"psp_ref": number}}):
            problem = paying.no("till-1", "payment/report", body | field)
            assert problem["code"] == "card-data-refused"
            assert number not in json.dumps(problem)
        give_up = {"payment_id": payment["payment_id"], "reason": number}
        assert paying.no("till-1", "payment/give-up", give_up)["code"] == "card-data-refused"


def test_only_the_till_that_asked_its_terminal_tells_of_it(paying: PayingShop) -> None:
    own, hubs = paying.own(), paying.start()
    with paying.unchanged():
        for device, payment in (("till-2", own), ("till-1", hubs)):
            body = {"payment_id": payment["payment_id"], "outcome": "approved"}
            assert paying.no(device, "payment/report", body)["code"] == "forbidden"


def test_a_report_needs_nobody_to_be_signed_in(paying: PayingShop) -> None:
    payment = paying.own()
    paying.run("DELETE FROM sign_ins")
    assert paying.report(payment, "approved")["state"] == "authorised"


# Doubt -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["approved", "approved-offline", "refused", "not-done"])
@pytest.mark.parametrize("person_asked", [False, True])
def test_a_doubt_is_cleared_by_a_later_report(
    paying: PayingShop, outcome: str, person_asked: bool
) -> None:
    payment = paying.own()
    paying.report(payment, "unknown")
    assert paying.exposure_minor() == 499
    if person_asked:
        out_of_reach(paying, payment["payment_id"])
    after = paying.report(payment, outcome)
    expected = {"approved": "authorised", "approved-offline": "stored", "refused": "refused"}
    assert after["state"] == expected.get(outcome, "abandoned")
    told = {"approved": "authorised", "approved-offline": "stored"}.get(outcome, "voided")
    assert paying.told(payment) == ["unknown", told], "the cloud hears how the doubt ended"


def out_of_reach(shop: PayingShop, payment_id: str) -> None:
    """Nobody could be asked in time."""
    row = paymentrows.get(shop.rows, payment_id)
    assert row is not None
    shop.unit(lambda unit: book.move(unit, row, PaymentEvent.OUT_OF_REACH, "hub"))


def test_an_attempt_that_is_over_says_nothing_but_that_money_was_taken(paying: PayingShop) -> None:
    payment = paying.start()
    paying.begin(payment)
    with paying.unchanged():
        assert paying.end(payment, "refused", attempt=7) == "at_terminal"
    assert paying.end(payment, "approved", attempt=7) == "authorised"


# Late --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ended", ["refused", "not-done"])
def test_an_approval_of_what_had_ended_goes_back_by_itself(paying: PayingShop, ended: str) -> None:
    payment = paying.own()
    paying.report(payment, ended)
    after = paying.report(payment, "approved", card=CARD)
    assert (after["state"], after["void_asked"], after["tenderable"]) == ("authorised", True, False)
    assert after["waits_for"] == "processor"
    assert paying.noted("payment.late_approval") == 1


@pytest.mark.parametrize("token", [None, TOKEN])
def test_what_is_stored_after_all_is_voided(paying: PayingShop, token: str | None) -> None:
    payment = paying.own()
    paying.report(payment, "not-done")
    more = {"token": token} if token else {}
    after = paying.report(payment, "approved-offline", **more)
    assert after["state"] == ("voided" if token else "void_pending")


def test_a_terminal_that_approves_offline_unasked_is_believed_and_its_payment_voided(
    paying: PayingShop,
) -> None:
    payment = paying.own(offline="refuse")
    after = paying.report(payment, "approved-offline")
    assert (after["state"], after["void_asked"], after["offline_seq"]) == ("void_pending", True, 1)
    assert paying.noted("payment.offline_not_allowed") == 1
    assert paying.exposure_minor() == 499, "it is at risk all the same"


def test_the_same_card_is_accepted_offline_so_often_a_day(tmp_path: Path) -> None:
    shop = PayingShop(tmp_path, payments=rules(caps=Caps(token_per_day=2, stop_age_ms=2 * DAY_MS)))
    states = [shop.stored(token=TOKEN)["state"] for _ in range(3)]
    assert states == ["stored", "stored", "voided"]
    assert shop.stored(token="tik_of_another_card")["state"] == "stored"
    shop.clock.advance(86_401)
    shop.sign_in("till-1")
    payment = shop.own()
    after = shop.report(payment, "approved-offline", token=TOKEN)
    assert (after["state"], after["reason"]) == ("stored", "")
    shop.check_laws()


def test_what_is_known_is_not_denied_by_a_later_word(paying: PayingShop) -> None:
    payment = paying.approved()
    for outcome in ("unknown", "approved-offline"):
        with paying.unchanged():
            assert paying.report(payment, outcome)["state"] == "authorised"
    assert paying.report(payment, "refused")["state"] == "authorised"
    assert paying.noted("payment.denied") == 1


def test_a_second_transaction_under_one_payment_is_noted(paying: PayingShop) -> None:
    payment = paying.approved()
    paying.report(payment, "approved", card=CARD | {"psp_ref": "psp-2"})
    assert paying.audited("payment.two_refs") == [
        {"psp_ref": "psp-1", "other": "psp-2", "by": "till-1"}
    ]
    assert paying.told(payment) == ["authorised"]


# Giving up ---------------------------------------------------------------------------------------


def test_what_was_not_sent_is_over_when_it_is_given_up(paying: PayingShop) -> None:
    payment = paying.start()
    assert paying.give_up(payment)["state"] == "abandoned"
    assert paying.begin(payment) is None
    with paying.unchanged():
        assert paying.give_up(payment)["state"] == "abandoned"


@pytest.mark.parametrize(
    ("outcome", "state"),
    [("approved", "authorised"), ("approved-offline", "void_pending"), ("refused", "refused")],
)
def test_what_is_given_up_at_the_terminal_goes_back_if_it_was_taken(
    paying: PayingShop, outcome: str, state: str
) -> None:
    payment = paying.start()
    paying.begin(payment)
    given_up = paying.give_up(payment)
    assert (given_up["state"], given_up["void_asked"]) == ("at_terminal", True)
    assert paying.end(payment, outcome) == state
    assert not paying.payment(payment)["tenderable"]


def test_only_whoever_looks_after_the_shop_gives_up_anothers_payment(paying: PayingShop) -> None:
    payment = paying.approved(device="till-2")
    with paying.unchanged():
        body = {"payment_id": payment["payment_id"]}
        assert paying.no("till-1", "payment/give-up", body)["code"] in (
            "forbidden",
            "approval-required",
        )
    mine = paying.approved()
    assert paying.give_up(mine, device="till-2")["void_asked"]
    assert paying.noted("payment.given_up") == 1


def test_a_till_gives_back_by_its_own_terminal_what_nobody_else_can(tmp_path: Path) -> None:
    shop = PayingShop(tmp_path, payments=rules(processor=False))
    payment = shop.approved()
    body = {"payment_id": payment["payment_id"], "outcome": "reversed"}
    assert shop.no("till-1", "payment/report", body)["code"] == "conflict"
    assert shop.give_up(payment)["waits_for"] == "terminal"
    assert shop.report(payment, "reversed")["state"] == "reversed"
    with shop.unchanged():
        assert shop.report(payment, "reversed")["state"] == "reversed"
    stored = shop.stored()
    assert shop.give_up(stored)["state"] == "void_pending"
    assert shop.report(stored, "reversed")["state"] == "voided"
    captured = shop.own()
    shop.report(captured, "approved", captured=True)
    shop.give_up(captured)
    after = shop.report(captured, "reversed")
    assert (after["state"], after["refunded_minor"]) == ("refunded", 499)
    shop.check_laws()


# The cloud ---------------------------------------------------------------------------------------


def test_the_cloud_is_told_who_where_and_how_much_and_never_of_a_token(paying: PayingShop) -> None:
    payment = paying.own()
    paying.report(payment, "approved-offline", card=CARD, token=TOKEN)
    [told] = paying.events("com.storehub.payment.stored.v1")
    assert {name: told[name] for name in ("payment_id", "sale_id", "amount_minor", "state")} == {
        "payment_id": payment["payment_id"],
        "sale_id": payment["sale_id"],
        "amount_minor": 499,
        "state": "stored",
    }
    assert (told["custody"], told["offline_seq"], told["last4"]) == ("hub", 1, "4242")
    assert TOKEN not in json.dumps(told)
    assert paying.value("SELECT stream FROM outbox WHERE aggregate = ?", payment["payment_id"]) == (
        "payments"
    )


def test_a_box_that_another_has_replaced_writes_down_what_its_terminal_says(
    paying: PayingShop,
) -> None:
    payment = paying.start()
    paying.begin(payment)
    paying.run("UPDATE hub SET fence = 'superseded'")
    assert paying.end(payment, "approved") == "authorised"
    assert paying.told(payment) == []
    assert paying.noted("payment.untold") == 1
