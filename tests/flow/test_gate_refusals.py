"""What a device may send wrongly: the documented code, nothing changed, nothing quoted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.contract.base import MAX_MESSAGE_BYTES
from tests.support.shop import Shop

CARD = "4111111111111111"
LINE = {"code": "tea", "qty": 1, "unit_price_minor": 499}


def wrong(shop: Shop, **changed: Any) -> dict[str, Any]:
    return shop.sale(LINE, total_minor=499) | changed


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"tea"',
        b"\xff\xfe\x00",
        b'{"sale_id": "\xed\xa0\x80"}',
        b'{"idempotency_key": "\\ud800xxxxxxxx"}',
        b"[" * 100_000,
        b'{"idempotency_key":' + b"[" * 100_000,
        b'{"correlation": 1, "a": NaN}',
        b"{} {}",
    ],
    ids=range(12),
)
def test_what_is_no_message_is_refused(shop: Shop, body: bytes) -> None:
    with shop.unchanged():
        assert shop.no("till-1", "sale/commit", body)["code"] == "validation"


def test_a_message_beyond_the_bound_is_refused(shop: Shop) -> None:
    body = b'{"note": "' + b"x" * MAX_MESSAGE_BYTES + b'"}'
    with shop.unchanged():
        assert shop.no("till-1", "sale/commit", body)["code"] == "too-large"


def test_wrong_fields_are_refused_and_named_but_never_quoted(shop: Shop) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"a-typo": 1}, "a-typo"),
        ({CARD: 1}, "(a field)"),
        ({"x" * 10_000: 1}, "(a field)"),
        ({"sale_id": "MY-SECRET"}, "sale_id"),
        ({"sale_id": shop.id().upper()}, "sale_id"),
        ({"total_minor": "499"}, "total_minor"),
        ({"total_minor": 499.0}, "total_minor"),
        ({"total_minor": -1}, "total_minor"),
        ({"total_minor": 10**20}, "total_minor"),
        ({"total_minor": True}, "total_minor"),
        ({"lines": []}, "basket_id"),
        ({"lines": [LINE] * 501}, "lines"),
        ({"lines": [LINE | {"qty": 0}]}, "qty"),
        ({"lines": [LINE | {"qty": -1}]}, "qty"),
        ({"lines": [LINE | {"qty": 1.5}]}, "qty"),
        ({"lines": [LINE | {"qty": 10**10}]}, "qty"),
        ({"lines": [LINE | {"discount_minor": 5}]}, "reason"),
        ({"tenders": [{"kind": "cheque", "amount_minor": 499}]}, "kind"),
        ({"tenders": [{"kind": "card", "amount_minor": 499}]}, "payment_id"),
        ({"tenders": [shop.card(499) | {"last4": "12345"}]}, "last4"),
        ({"note": "x" * 501}, "note"),
        ({"basket_id": shop.id(), "version": 1}, "basket_id"),
    ]
    for changed, field in cases:
        with shop.unchanged():
            found = shop.no("till-1", "sale/commit", wrong(shop, **changed))
        assert found["code"] == "validation", changed
        assert field in found["detail"], changed
        assert "MY-SECRET" not in json.dumps(found)
        assert CARD not in json.dumps(found)


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("sale/commit", {"note": f"paid with {CARD}"}),
        ("sale/commit", {"note": "4111 1111 1111 1111"}),
        ("sale/commit", {"note": f"%B{CARD}^DOE/JOHN^2912101?"}),
        ("sale/commit", {"lines": [LINE | {"discount_minor": 1, "reason": CARD}]}),
        ("sale/commit", {"tenders": [{"kind": "cash", "amount_minor": 499, "token": CARD}]}),
        (
            "sale/commit",
            {"tenders": [{"kind": "cash", "amount_minor": 499, "token": f";{CARD}=29"}]},
        ),
        ("sale/commit", {"stock_override": {"reason": CARD}}),
        ("sale/void", {"sale_id": "0198b0c0-0000-7000-8000-000000000001", "reason": CARD}),
        ("staff/sign-in", {"staff_id": CARD, "pin": "1234"}),
        ("stock/receive", {"reference": CARD}),
        ("stock/adjust", {"reason": CARD}),
        ("basket/suspend", {"label": CARD}),
        ("basket/abandon", {"reason": CARD}),
        ("basket/discount-line", {"reason": CARD}),
        ("basket/override-price", {"reason": CARD}),
        ("approval/request", {"reason": CARD}),
        ("return/commit", {"reason": CARD}),
    ],
)
def test_a_card_number_is_refused_wherever_it_is_typed(
    shop: Shop, address: str, body: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    head = {"basket_id": shop.id(), "version": 1}
    full: dict[str, dict[str, Any]] = {
        "sale/commit": shop.sale(LINE, total_minor=499),
        "stock/receive": {"receipt_id": shop.id(), "lines": [{"sku": "tea", "qty": 1}]},
        "stock/adjust": {"adjustment_id": shop.id(), "sku": "tea", "qty": 1},
        "basket/suspend": head,
        "basket/abandon": head,
        "basket/discount-line": head | {"line_no": 1, "discount_minor": 1},
        "basket/override-price": head | {"line_no": 1, "unit_price_minor": 1},
        "approval/request": {"approval_id": shop.id(), "permission": "refund", "subject": {}},
    }
    request = full.get(address, {}) | body
    if address == "return/commit":
        back = {"line_no": 1, "qty": 1, "disposition": "damaged", "reason": body["reason"]}
        request = {"return_id": shop.id(), "sale_id": shop.id(), "lines": [back]}

    with shop.unchanged():
        reply = shop.ask("till-1", address, request)

    assert reply.code == "card-data-refused"
    assert CARD not in reply.text
    assert CARD not in caplog.text
    assert not shop.value("SELECT count(*) FROM requests WHERE reply LIKE '%card-data%'")


def test_article_numbers_that_look_like_cards_are_sold(shop: Shop) -> None:
    shop.product("puzzle", 100, stock=1, gtin="4111111111111")
    line = {"code": "04111111111111", "qty": 1, "unit_price_minor": 100}

    assert shop.ask("till-1", "sale/commit", shop.sale(line, total_minor=100)).ok


def test_what_is_not_offered_is_not_found(shop: Shop) -> None:
    for address in ("sale/steal", "nothing/at-all", "device/revoke", "hub/trust-clock"):
        with shop.unchanged():
            assert shop.no("till-1", address)["code"] == "not-found"


# Keys --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "short", "x" * 65, "with\nnewline", "Schlüssel123", ""])
def test_a_change_needs_a_proper_key(shop: Shop, key: str | None) -> None:
    body = wrong(shop)
    if key == "":
        body["idempotency_key"] = 12345678
        key = None
    with shop.unchanged():
        assert shop.no("till-1", "sale/commit", body, key=key)["code"] == "validation"


def test_the_key_may_come_in_the_body(shop: Shop) -> None:
    body = wrong(shop)
    with_key = body | {"idempotency_key": "till-1-00001", "correlation": "c1"}

    first = shop.ask("till-1", "sale/commit", with_key, key=None)
    again = shop.ask("till-1", "sale/commit", body, key="till-1-00001")

    assert first.ok
    assert again.text == first.text


def test_an_old_key_is_refused_and_one_of_tomorrow_too(shop: Shop) -> None:
    old = shop.id()
    shop.clock.advance(31 * 86_400)
    shop.sign_in("till-1")
    with shop.unchanged():
        found = shop.no("till-1", "sale/commit", wrong(shop), key=old)
    assert found["code"] == "idempotency-expired"

    shop.clock.jump_wall(3 * 86_400)
    ahead = shop.id()
    shop.clock.jump_wall(-3 * 86_400)
    with shop.unchanged():
        found = shop.no("till-1", "sale/commit", wrong(shop), key=ahead)
    assert found["code"] == "idempotency-expired"


def test_what_was_answered_is_answered_again_though_the_clock_was_set_back(shop: Shop) -> None:
    key = shop.id()
    body = wrong(shop)
    first = shop.ask("till-1", "sale/commit", body, key=key)
    shop.clock.jump_wall(-2 * 86_400)
    assert shop.ask("till-1", "sale/commit", body, key=key).text == first.text


def test_a_hub_with_a_wrong_clock_still_sells(shop: Shop) -> None:
    key = shop.id()
    shop.clock.jump_wall(-10 * 365 * 86_400)
    shop.run("UPDATE hub SET clock_suspect = 'behind the last trusted instant'")

    assert shop.ask("till-1", "sale/commit", wrong(shop), key=key).ok


def test_the_same_request_gets_the_same_reply(shop: Shop) -> None:
    key, body = shop.id(), wrong(shop)
    first = shop.ask("till-1", "sale/commit", body, key=key)
    shop.clock.advance(86_400)
    with shop.unchanged():
        again = shop.ask("till-1", "sale/commit", body, key=key)
    assert first.ok
    assert again.text == first.text


def test_fields_at_their_defaults_are_no_other_request(shop: Shop) -> None:
    key, body = shop.id(), wrong(shop)
    first = shop.ask("till-1", "sale/commit", body, key=key)
    more = body | {"note": "", "print_receipt": False, "stock_override": None}

    assert shop.ask("till-1", "sale/commit", more, key=key).text == first.text


def test_another_request_under_a_used_key_is_refused_and_the_hub_goes_on(shop: Shop) -> None:
    key, body = shop.id(), wrong(shop)
    first = shop.ask("till-1", "sale/commit", body, key=key)
    for other in (body | {"note": "x"}, wrong(shop)):
        with shop.unchanged():
            found = shop.no("till-1", "sale/commit", other, key=key)
        assert found["code"] == "idempotency-mismatch"
        assert not found["retryable"]
    assert shop.no("till-1", "staff/sign-out", key=key)["code"] == "idempotency-mismatch"
    assert shop.ask("till-1", "sale/commit", body, key=key).text == first.text
    assert shop.core.fatal is None


def test_keys_belong_to_their_device(shop: Shop) -> None:
    key = shop.id()
    assert shop.ask("till-1", "sale/commit", wrong(shop), key=key).ok
    assert shop.ask("till-2", "sale/commit", wrong(shop), key=key).ok


def test_a_refusal_is_remembered_a_passing_one_is_not(shop: Shop) -> None:
    key = shop.id()
    body = shop.sale({"code": "rare", "qty": 2, "unit_price_minor": 1000}, total_minor=2000)
    first = shop.ask("till-1", "sale/commit", body, key=key)
    assert first.code == "insufficient-stock"
    shop.stock_up("rare", 5)
    assert shop.ask("till-1", "sale/commit", body, key=key).text == first.text
    assert shop.ask("till-1", "sale/commit", body).ok

    late, fresh = shop.id(), wrong(shop)
    deadline = shop.clock.monotonic_s() - 1
    assert (
        shop.no("till-1", "sale/commit", fresh, key=late, deadline_s=deadline)["code"] == "expired"
    )
    assert shop.ask("till-1", "sale/commit", fresh, key=late).ok


def test_a_key_lives_as_long_as_it_is_promised(shop: Shop) -> None:
    body = wrong(shop)
    first = shop.ask("till-1", "sale/commit", body, key="plain-key-1")
    shop.clock.advance(29 * 86_400)
    shop.housekeep()
    assert shop.ask("till-1", "sale/commit", body, key="plain-key-1").text == first.text
    shop.clock.advance(2 * 86_400)
    shop.housekeep()
    assert not shop.value("SELECT count(*) FROM requests WHERE idk = 'plain-key-1'")
    with shop.unchanged():
        again = shop.ask("till-1", "sale/commit", body, key="plain-key-1")
    assert again.result["receipt_no"] == first.result["receipt_no"]
    assert again.seq == first.seq


# The hub's own state -----------------------------------------------------------------------------


def test_a_full_disk_stops_new_work_but_not_answers(shop: Shop) -> None:
    key, body = shop.id(), wrong(shop)
    first = shop.ask("till-1", "sale/commit", body, key=key)
    basket = shop.basket("till-1", "tea")
    shop.gate.storage_full = True

    with shop.unchanged():
        found = shop.no("till-1", "sale/commit", wrong(shop))
        assert (found["code"], found["retryable"]) == ("storage-full", True)
        assert shop.ask("till-1", "sale/commit", body, key=key).text == first.text
        other = shop.no("till-1", "sale/commit", wrong(shop), key=key)
        assert other["code"] == "idempotency-mismatch"
        assert shop.ask("till-1", "stock/levels", {"skus": ["tea"]}).ok
    assert shop.ask_change("till-1", basket, "abandon").ok


def test_a_full_queue_is_busy(shop: Shop) -> None:
    shop.core.queue_limit = 0
    with shop.unchanged():
        found = shop.no("till-1", "sale/commit", wrong(shop))
    assert (found["code"], found["retryable"]) == ("busy", True)
    assert found["retry_after_ms"] > 0


def test_a_superseded_hub_takes_nothing_in_but_repeats_its_answers(shop: Shop) -> None:
    key, body = shop.id(), wrong(shop)
    first = shop.ask("till-1", "sale/commit", body, key=key)
    shop.run("UPDATE hub SET fence = 'superseded'")
    with shop.unchanged():
        assert shop.no("till-1", "sale/commit", wrong(shop))["code"] == "superseded"
        assert shop.ask("till-1", "sale/commit", body, key=key).text == first.text
        assert shop.ask("till-1", "stock/levels", {"skus": ["tea"]}).ok


def test_a_fault_of_the_hub_keeps_its_secrets(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.run("UPDATE staff SET pin_hash = 'damaged'")
    shop.run("UPDATE roles SET permissions = 'no json'")
    with shop.unchanged():
        found = shop.no("till-1", "sale/commit", wrong(shop, note="my-private-words"))
    assert (found["code"], found["retryable"]) == ("unavailable", True)
    assert found["instance"] in caplog.text
    assert "my-private-words" not in caplog.text + json.dumps(found)


def test_no_pin_is_ever_written_down(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    shop.ok("till-3", "staff/sign-in", {"staff_id": "mia", "pin": "2468"})
    shop.no("till-3", "staff/sign-in", {"staff_id": "mia", "pin": "987654321"})
    found = shop.no("till-3", "staff/sign-in", {"staff_id": "mia", "pin": "987654321012345"})
    assert "987654321" not in caplog.text + json.dumps(found)
    for (name,) in shop.all("SELECT name FROM sqlite_schema WHERE type = 'table'"):
        for row in shop.all(f"SELECT * FROM {name}"):
            assert "987654321" not in repr(row)
