"""Beginning card payments: once each, within the caps, before any terminal is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.domain.payments.exposure import HOUR_MS, Caps
from tests.support.paying import CARD, PayingShop, rules

# Begun -------------------------------------------------------------------------------------------


def test_a_payment_is_on_disk_before_the_terminal_is_asked(paying: PayingShop) -> None:
    payment = paying.start(2500)
    assert (payment["state"], payment["terminal_id"], payment["driven_by"]) == (
        "intent",
        "terminal-1",
        "hub",
    )
    assert (payment["tenderable"], payment["offline_allowed"]) == (False, True)
    assert paying.exposure_minor() == 2500
    paying.restart()
    asked = paying.begin(payment)
    assert (asked.amount_minor, asked.currency, asked.offline_allowed) == (2500, "EUR", True)
    assert paying.begin(payment) is None
    assert paying.end(payment, "approved", psp_ref="p-1") == "authorised"
    assert paying.payment(payment)["tenderable"]
    assert paying.told(payment) == ["authorised"]
    assert paying.exposure_minor() == 0


def test_a_tills_own_terminal_is_asked_at_once(paying: PayingShop) -> None:
    payment = paying.own()
    assert (payment["state"], payment["terminal_id"]) == ("at_terminal", "till-1")
    assert paying.report(payment, "approved")["state"] == "authorised"


def test_a_terminal_has_one_payment_in_hand(paying: PayingShop) -> None:
    first = paying.start(terminal="terminal-1")
    second = paying.start(device="till-2", terminal="terminal-1")
    assert paying.begin(first) is not None
    assert paying.begin(second) is None
    assert paying.end(first, "refused", reason="no money") == "refused"
    assert paying.begin(second) is not None


def test_a_repeat_finds_the_payment_and_another_request_under_its_id_is_refused(
    paying: PayingShop,
) -> None:
    body = paying.starting(499, terminal="own")
    first = paying.ask("till-1", "payment/start", body, key="a-key-that-stays")
    with paying.unchanged():
        assert (
            paying.ask("till-1", "payment/start", body, key="a-key-that-stays").text == first.text
        )
        assert paying.ok("till-1", "payment/start", body) == first.result
        for changed in ({"amount_minor": 500}, {"sale_id": paying.id()}, {"offline": "refuse"}):
            problem = paying.no("till-1", "payment/start", body | changed)
            assert (problem["code"], problem["context"]["sale_id"]) == ("conflict", body["sale_id"])
        other = paying.ask(
            "till-1", "payment/start", body | {"amount_minor": 1}, key="a-key-that-stays"
        )
        assert other.code == "idempotency-mismatch"
    assert first.seq == 0, "a device needn't keep it: a restored hub would ask the terminal again"


def test_two_tills_with_one_payment_id_have_one_payment(paying: PayingShop) -> None:
    body = paying.starting(499, terminal="terminal-1")
    first = paying.ok("till-1", "payment/start", body)
    assert paying.ok("till-2", "payment/start", body)["id"] == first["id"]
    assert paying.value("SELECT count(*) FROM payments") == 1


def test_whoever_is_not_signed_in_takes_no_cards(paying: PayingShop) -> None:
    paying.run("DELETE FROM sign_ins")
    with paying.unchanged():
        assert paying.no("till-1", "payment/start", paying.starting())["code"] == "unauthenticated"


def test_a_terminal_that_is_none_is_named_with_those_that_are(paying: PayingShop) -> None:
    paying.peripheral("printer-1")
    with paying.unchanged():
        for name in ("printer-1", "nothing-here"):
            problem = paying.no("till-1", "payment/start", paying.starting(terminal=name))
            assert problem["code"] == "not-found"
            assert problem["context"]["terminals"] == ["terminal-1", "terminal-2"]
    paying.sign_in("till-3")
    with paying.unchanged():
        problem = paying.no("till-3", "payment/start", paying.starting())
        assert "own" in problem["detail"]


def test_a_payment_for_a_sale_that_is_written_is_refused(paying: PayingShop) -> None:
    card = paying.card(499)
    body = paying.selling(tenders=[card])
    paying.ok("till-1", "sale/commit", body)
    for changed in ({"sale_id": body["sale_id"]}, {"payment_id": card["payment_id"]}):
        problem = paying.no("till-1", "payment/start", paying.starting(499) | changed)
        assert (problem["code"], problem["context"]["sale_id"]) == ("conflict", body["sale_id"])


def test_a_payment_of_a_basket_is_no_more_than_is_left_to_pay(paying: PayingShop) -> None:
    basket = paying.basket("till-1", "tea", "wine")
    ids = {"basket_id": basket["basket_id"], "sale_id": paying.id()}
    assert paying.no("till-1", "payment/start", paying.starting(3000, **ids))["code"] == "conflict"
    paying.approved(2000, **ids)
    problem = paying.no("till-1", "payment/start", paying.starting(1000, **ids))
    assert problem["context"] == {"total_minor": 2999, "taken_minor": 2000}
    paying.approved(999, **ids)
    other = paying.starting(1, basket_id=basket["basket_id"])
    assert paying.no("till-2", "payment/start", other)["context"]["owner"] == "till-1"
    unknown = paying.starting(1, basket_id=paying.id())
    assert paying.no("till-1", "payment/start", unknown)["code"] == "not-found"


def test_the_payments_of_a_basket_are_for_one_sale(paying: PayingShop) -> None:
    basket = paying.basket("till-1", "tea", "wine")
    first = paying.approved(499, basket_id=basket["basket_id"])
    body = paying.starting(500, basket_id=basket["basket_id"])
    problem = paying.no("till-1", "payment/start", body)
    assert problem["context"] == {
        "payment_id": first["payment_id"],
        "sale_id": first["sale_id"],
    }
    paying.ok("till-1", "payment/start", body | {"sale_id": first["sale_id"]})


def test_one_payment_of_a_sale_is_under_way_at_a_time(paying: PayingShop) -> None:
    first = paying.start(400)
    body = paying.starting(99, sale_id=first["sale_id"])
    problem = paying.no("till-1", "payment/start", body)
    assert (problem["code"], problem["context"]["payment_id"]) == ("conflict", first["payment_id"])
    paying.give_up(first)
    assert paying.ok("till-1", "payment/start", body)["state"] == "intent"


def test_a_till_reports_what_its_terminal_has_in_hand_before_it_goes_on(paying: PayingShop) -> None:
    first = paying.own()
    problem = paying.no("till-1", "payment/start", paying.starting(terminal="own"))
    assert problem["context"] == {"payment_id": first["payment_id"], "state": "at_terminal"}
    assert paying.report(first, "unknown")["state"] == "unknown"
    assert paying.own()["state"] == "at_terminal"


# Caps --------------------------------------------------------------------------------------------


def shop_with(tmp_path: Path, **caps: Any) -> PayingShop:
    return PayingShop(tmp_path, payments=rules(caps=Caps(**caps)))


@pytest.mark.parametrize(
    ("caps", "before", "why"),
    [
        ({"payment_minor": 498}, 0, "payment-cap"),
        ({"terminal_count": 1}, 1, "terminal-count"),
        ({"terminal_minor": 997}, 1, "terminal-cap"),
        ({"store_minor": 997}, 1, "store-cap"),
    ],
)
def test_beyond_a_cap_a_payment_goes_on_online_only(
    tmp_path: Path, caps: dict[str, int], before: int, why: str
) -> None:
    shop = shop_with(tmp_path, **caps)
    for _ in range(before):
        shop.stored()
    payment = shop.own()
    assert (payment["offline_allowed"], payment["offline_refused"]) == (False, [why])
    assert shop.payment(payment)["offline_refused"] == [why], "and it is known later, too"
    exposed = shop.exposure_minor()
    assert exposed == before * 499, "what is online only risks nothing"
    assert shop.report(payment, "approved")["tenderable"]
    shop.check_laws()


def test_what_is_begun_counts_before_its_outcome_is_known(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, store_minor=900)
    first, second = shop.start(), shop.start(device="till-2")
    assert (first["offline_allowed"], second["offline_allowed"]) == (True, False)
    shop.give_up(first)
    assert shop.start(device="till-2")["offline_allowed"]


def test_the_oldest_payment_stops_the_next_ones(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, stop_age_ms=2 * HOUR_MS, warn_age_ms=HOUR_MS)
    shop.stored()
    view = shop.ok("till-1", "payment/exposure")
    assert (view["meter"], view["store_count"], view["store_minor"]) == ("clear", 1, 499)
    shop.clock.advance(3600)
    assert shop.ok("till-1", "payment/exposure")["meter"] == "near"
    shop.clock.advance(3600)
    view = shop.ok("till-1", "payment/exposure")
    assert (view["meter"], view["bars"], view["oldest_age_ms"]) == ("full", ["too-old"], 7_200_000)
    assert view["next_expiry_in_ms"] == 22 * HOUR_MS
    assert shop.start()["offline_refused"] == ["too-old"]


def test_the_exposure_of_a_terminal_is_told_apart(paying: PayingShop) -> None:
    paying.stored()
    paying.stored(device="till-2")
    view = paying.ok("till-1", "payment/exposure", {"terminal": "till-2"})
    assert (view["store_count"], view["terminal_count"], view["terminal_minor"]) == (2, 1, 499)


def test_a_clock_in_doubt_or_a_setting_keeps_payments_online(
    tmp_path: Path, paying: PayingShop
) -> None:
    paying.run("UPDATE hub SET clock_suspect = 'it jumped'")
    assert paying.start()["offline_refused"] == ["clock-suspect"]
    (tmp_path / "off").mkdir()
    off = PayingShop(tmp_path / "off", payments=rules(offline=False))
    assert off.start()["offline_refused"] == ["switched-off"]
    assert off.ok("till-1", "payment/exposure")["bars"] == ["switched-off"]


def test_a_till_may_ask_for_online_only(paying: PayingShop) -> None:
    payment = paying.start(offline="refuse")
    assert (payment["offline_allowed"], payment["offline_refused"]) == (False, [])


# Permission --------------------------------------------------------------------------------------


def test_beyond_the_persons_maximum_it_is_online_only_until_a_manager_says_yes(
    paying: PayingShop,
) -> None:
    assert paying.start(8000)["offline_allowed"]
    body = paying.starting(8001)
    assert paying.ok("till-1", "payment/start", body)["offline_refused"] == ["not-permitted"]
    again = paying.starting(8001)
    subject = {"sale_id": again["sale_id"], "amount_minor": 8001}
    approval = paying.approve("offline.accept", subject)
    allowed = paying.ok("till-1", "payment/start", again | {"approval_id": approval})
    assert allowed["offline_allowed"]


def test_an_approval_of_another_sale_begins_nothing(paying: PayingShop) -> None:
    subject = {"sale_id": paying.id(), "amount_minor": 9000}
    approval = paying.approve("offline.accept", subject)
    with paying.unchanged():
        body = paying.starting(8001) | {"approval_id": approval}
        assert paying.no("till-1", "payment/start", body)["code"] == "conflict"


def test_an_approval_is_kept_where_it_would_not_help(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, payment_minor=9000)
    body = shop.starting(9001)
    subject = {"sale_id": body["sale_id"], "amount_minor": 9001}
    approval = shop.approve("offline.accept", subject)
    payment = shop.ok("till-1", "payment/start", body | {"approval_id": approval})
    assert payment["offline_refused"] == ["payment-cap"]
    state = shop.value("SELECT state FROM approvals WHERE approval_id = ?", approval)
    assert state == "approved"


def test_a_kiosk_takes_cards_online_only(paying: PayingShop) -> None:
    payment = paying.own(device="kiosk-1")
    assert payment["offline_refused"] == ["not-permitted"]
    paying.report(payment, "approved", device="kiosk-1", card=CARD)
    done = paying.sold(payment, device="kiosk-1")
    assert done["total_minor"] == 499
    given_up = paying.own(device="kiosk-1")
    assert paying.give_up(given_up, device="kiosk-1")["void_asked"]


# Looking -----------------------------------------------------------------------------------------


def test_payments_are_listed_newest_first_and_page_by_page(paying: PayingShop) -> None:
    made = [paying.approved(device="till-2")["payment_id"] for _ in range(3)]
    first = paying.ok("till-1", "payment/list", {"limit": 2})
    assert [one["payment_id"] for one in first["payments"]] == made[:0:-1]
    rest = {"limit": 2, "before_id": first["next_before_id"]}
    page = paying.ok("till-1", "payment/list", rest)
    assert [one["payment_id"] for one in page["payments"]] == made[:1]
    assert "next_before_id" not in page
    open_ones = paying.ok("till-1", "payment/list", {"which": "open"})["payments"]
    assert [one["payment_id"] for one in open_ones] == made
    assert not paying.ok("till-1", "payment/list", {"which": "receivable"})["payments"]


def test_a_payment_that_nobody_began_is_not_found(paying: PayingShop) -> None:
    nothing = {"payment_id": paying.id()}
    assert paying.no("till-1", "payment/get", nothing)["code"] == "not-found"
    assert paying.no("till-1", "payment/give-up", nothing)["code"] == "not-found"
    report = nothing | {"outcome": "approved"}
    assert paying.no("till-1", "payment/report", report)["code"] == "not-found"
