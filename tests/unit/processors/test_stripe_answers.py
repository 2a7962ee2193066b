"""What Stripe's answers mean, by its reference; nothing of a token or key is kept of its words."""

from __future__ import annotations

from typing import Any

import pytest

from cloud_link.payments.stripe_answers import (
    DECLINES,
    best_of,
    decline_code,
    failure_said,
    intent_said,
    refund_said,
)
from hub.domain.payments.declines import SOFT, DeclineCode

D = DeclineCode


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("requires_capture", "approved"),
        ("succeeded", "captured"),
        ("processing", "acked"),
        ("canceled", "reversed"),
        ("requires_payment_method", "declined"),
        ("requires_action", "declined"),
        ("something_new", "unknown"),
        (None, "unknown"),
    ],
)
def test_an_intent_says_where_the_money_is(status: str | None, outcome: str) -> None:
    assert intent_said({"id": "pi_1", "status": status}).outcome == outcome


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        (402, {"type": "card_error", "code": "card_declined"}, "declined"),
        (400, {"type": "invalid_request_error", "code": "parameter_missing"}, "not-sent"),
        (400, {"type": "idempotency_error"}, "unknown"),
        (409, {"code": "idempotency_key_in_use"}, "unknown"),
        (401, {}, "not-sent"),
        (403, {}, "not-sent"),
        (429, {"code": "rate_limit"}, "not-sent"),
        (424, {}, "unknown"),
        (500, {}, "unknown"),
        (503, {"message": "…"}, "unknown"),
        (400, {"code": "resource_missing", "param": "payment_method"}, "declined"),
    ],
)
def test_only_what_was_certainly_not_done_is_not_sent(
    status: int, error: dict[str, Any], outcome: str
) -> None:
    said = failure_said(status, error, 3000)
    assert said.outcome == outcome
    if outcome != "declined":
        assert said.not_before_ms == 3000


@pytest.mark.parametrize(
    ("code", "meant", "soft"),
    [
        ("insufficient_funds", D.INSUFFICIENT_FUNDS, True),
        ("do_not_honor", D.DO_NOT_HONOUR, True),
        ("issuer_not_available", D.ISSUER_UNAVAILABLE, True),
        ("lost_card", D.STOLEN_OR_LOST, False),
        ("expired_card", D.EXPIRED_CARD, False),
        ("fraudulent", D.FRAUD, False),
        ("authentication_required", D.AUTHENTICATION_NEEDED, False),
        ("never_heard_of", D.OTHER, False),
    ],
)
def test_decline_codes_are_ours(code: str, meant: DeclineCode, soft: bool) -> None:
    assert decline_code({"code": "card_declined", "decline_code": code}) in (meant, D.DO_NOT_HONOUR)
    found = DECLINES.get(code, D.OTHER)
    assert found is meant
    assert (found in SOFT) is soft


def test_a_reason_names_no_token_and_no_key() -> None:
    told = "No such PaymentMethod: 'pm_1AbCdEf'; key sk_test_abc123 of cus_9xyz"
    said = failure_said(400, {"message": told}, 0)
    for secret in ("pm_1AbCdEf", "sk_test_abc123", "cus_9xyz"):
        assert secret not in said.reason


@pytest.mark.parametrize(
    ("status", "reached"), [(401, False), (403, False), (429, False), (500, True)]
)
def test_who_is_not_let_in_has_not_been_told_anything_of_a_payment(
    status: int, *, reached: bool
) -> None:
    assert failure_said(status, {"message": "no"}, 0).reached is reached


def intent(number: int, status: str, key: str = "k1") -> dict[str, Any]:
    return {"id": f"pi_{number}", "status": status, "metadata": {"payment_id": "p", "key": key}}


@pytest.mark.parametrize(
    ("told", "taken_minor"),
    [
        ({"status": "requires_capture", "amount": 998, "amount_capturable": 1058}, 1058),
        ({"status": "succeeded", "amount": 998, "amount_received": 1058}, 1058),
        ({"status": "succeeded", "amount": 998}, 998),
        ({"status": "succeeded", "amount": 0, "amount_received": "1058"}, None),
        ({"status": "processing", "amount": 998}, None),
    ],
)
def test_an_intent_says_how_much_was_taken_in_all(
    told: dict[str, Any], taken_minor: int | None
) -> None:
    assert intent_said({"id": "pi_1"} | told).approved_minor == taken_minor


def test_of_several_intents_the_one_with_the_money_counts() -> None:
    bad, good = intent(1, "requires_payment_method"), intent(2, "requires_capture", "k2")
    said = best_of([bad, good], "k1")
    assert (said.outcome, said.psp_ref) == ("approved", "pi_2")
    two = best_of([good, intent(3, "succeeded")], "k1")
    assert (two.outcome, two.psp_ref) == ("captured", "pi_3")
    assert "pi_2" in two.reason


def test_the_decline_of_an_earlier_charge_is_not_this_ones() -> None:
    bad = intent(1, "requires_payment_method")
    assert best_of([bad], "k1").outcome == "declined"
    assert best_of([bad], "k2").outcome == "not-found"
    assert best_of([intent(1, "canceled")], "k2").outcome == "reversed"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("succeeded", "refunded"),
        ("pending", "acked"),
        ("failed", "declined"),
        ("canceled", "declined"),
        ("odd", "unknown"),
    ],
)
def test_a_refund_says_where_it_is(status: str, outcome: str) -> None:
    assert refund_said({"id": "re_1", "status": status}).outcome == outcome
