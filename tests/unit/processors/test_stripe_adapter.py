"""The Stripe adapter over a scripted wire: what it sends, and how it finds what it can't see."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cloud_link.errors import Transient
from cloud_link.payments.processor import Effect
from cloud_link.payments.stripe import PAGE, PAGES_MAX, StripeProcessor
from cloud_link.transport import HttpReply, HttpRequest

NOW_MS = 1_795_000_000_000
EFFECT = Effect(
    payment_id="0199f3a2-7e90-7b1d-8a4f-5c9d2e7f2a10",
    key="k1",
    amount_minor=1250,
    currency="EUR",
    token=b"pm_card_visa",
    first_sent_at_ms=NOW_MS,
)
Answer = Callable[[HttpRequest, str, dict[str, list[str]]], HttpReply | Exception]


class Wire:
    """Answers by the test's word, and remembers what was sent."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.sent: list[tuple[str, str, dict[str, list[str]], HttpRequest]] = []

    async def send(self, request: HttpRequest) -> HttpReply:
        parts = urlsplit(request.url)
        query = parse_qs((request.body or b"").decode() or parts.query)
        path = parts.path.removeprefix("/v1/")
        self.sent.append((request.method, path, query, request))
        found = self._answer(request, path, query)
        if isinstance(found, Exception):
            raise found
        return found

    async def close(self) -> None:
        return


def good(body: Any, status: int = 200) -> HttpReply:
    return HttpReply(status, {}, json.dumps(body).encode())


def intent(status: str, number: int = 1, created_s: int = NOW_MS // 1000) -> dict[str, Any]:
    told = {"payment_id": EFFECT.payment_id, "key": EFFECT.key}
    return {
        "id": f"pi_{number}",
        "status": status,
        "amount": 1250,
        "created": created_s,
        "metadata": told,
    }


def page(*rows: Any, more: bool = False) -> HttpReply:
    return good({"object": "list", "data": list(rows), "has_more": more})


def stripe(answer: Answer) -> tuple[StripeProcessor, Wire]:
    wire = Wire(answer)
    return StripeProcessor(wire, "rk_test_1"), wire


async def test_a_charge_is_one_request_with_key_and_metadata() -> None:
    adapter, wire = stripe(lambda *_: good(intent("requires_capture")))
    said = await adapter.charge(replace(EFFECT, token=b"cus_1/pm_2"))
    assert (said.outcome, said.psp_ref) == ("approved", "pi_1")
    [(method, path, form, request)] = wire.sent
    assert (method, path) == ("POST", "payment_intents")
    assert request.headers["Idempotency-Key"] == "k1"
    assert request.headers["Authorization"] == "Bearer rk_test_1"
    assert {name: one[0] for name, one in form.items()} == {
        "amount": "1250",
        "currency": "eur",
        "payment_method": "pm_2",
        "payment_method_types[]": "card",
        "customer": "cus_1",
        "capture_method": "manual",
        "confirm": "true",
        "off_session": "true",
        "metadata[payment_id]": EFFECT.payment_id,
        "metadata[key]": "k1",
    }


@pytest.mark.parametrize(
    ("failure", "charged", "found"),
    [
        (Transient("refused", unsent=True), "not-sent", "unknown"),
        (Transient("cut"), "unknown", "unknown"),
        (HttpReply(200, {}, b"<html>"), "unknown", "unknown"),
        (HttpReply(200, {}, b"[]"), "unknown", "unknown"),
        (HttpReply(302, {}, b""), "unknown", "unknown"),
        (HttpReply(502, {}, b"bad gateway"), "unknown", "unknown"),
        (good({"error": {"message": "no"}}, 401), "not-sent", "unknown"),
        (good({"data": "odd"}), "unknown", "unknown"),
    ],
)
async def test_bad_answers_are_told_for_what_they_are(
    failure: Any, charged: str, found: str
) -> None:
    adapter, _ = stripe(lambda *_: failure)
    assert (await adapter.charge(EFFECT)).outcome == charged
    assert (await adapter.look_up(EFFECT)).outcome == found
    assert (await adapter.refund(replace(EFFECT, psp_ref="pi_1"))).outcome in ("not-sent", charged)


async def test_what_the_search_does_not_see_yet_the_list_does() -> None:
    def answer(_: Any, path: str, query: Any) -> HttpReply:
        if path == "payment_intents/search":
            return page()
        assert path == "payment_intents"
        if "starting_after" not in query:
            return page({**intent("succeeded", 9), "metadata": {}}, more=True)
        return page(intent("requires_capture", 2))

    adapter, _ = stripe(answer)
    said = await adapter.look_up(EFFECT)
    assert (said.outcome, said.psp_ref) == ("approved", "pi_2")


async def test_the_list_is_walked_back_to_when_it_was_first_sent_and_no_further() -> None:
    def answer(_: Any, path: str, _query: Any) -> HttpReply:
        if path == "payment_intents/search":
            return good({"error": {"message": "not offered"}}, 400)
        old = {**intent("succeeded", 9, NOW_MS // 1000 - 700), "metadata": {}}
        return page(old, more=True)

    adapter, wire = stripe(answer)
    assert (await adapter.look_up(EFFECT)).outcome == "not-found"
    assert len([1 for _, path, _, _ in wire.sent if path == "payment_intents"]) == 1


async def test_a_list_that_does_not_end_says_nothing_unless_the_search_finds_it() -> None:
    hits: list[Any] = []

    def answer(_: Any, path: str, _query: Any) -> HttpReply:
        if path == "payment_intents/search":
            return page(*hits)
        return page({**intent("succeeded", 9), "metadata": {}}, more=True)

    adapter, wire = stripe(answer)
    said = await adapter.look_up(EFFECT)
    assert said.outcome == "unknown"
    assert str(PAGE * PAGES_MAX) in said.reason
    assert len(wire.sent) == PAGES_MAX + 1
    hits.append(intent("requires_capture"))
    assert (await adapter.look_up(EFFECT)).outcome == "approved"


async def test_what_is_known_by_its_reference_is_not_searched() -> None:
    adapter, wire = stripe(lambda *_: good(intent("requires_capture")))
    assert (await adapter.look_up(replace(EFFECT, psp_ref="pi_1"))).outcome == "approved"
    assert [path for _, path, _, _ in wire.sent] == ["payment_intents/pi_1"]


async def test_a_refund_beyond_what_was_captured_is_never_sent() -> None:
    given = [{"id": "re_1", "status": "succeeded", "amount": 1000, "metadata": {}}]

    def answer(request: HttpRequest, path: str, _query: Any) -> HttpReply:
        assert request.method == "GET"
        return page(*given) if path == "refunds" else good(intent("succeeded"))

    adapter, _ = stripe(answer)
    asked = replace(EFFECT, psp_ref="pi_1", key="r2", amount_minor=251)
    said = await adapter.refund(asked)
    assert said.outcome == "declined"
    given[0]["status"] = "failed"  # nothing went back then
    given.append({"id": "re_2", "status": "pending", "amount": 1000, "metadata": {"key": "r2"}})
    assert (await adapter.refund(asked)).psp_ref == "re_2"


async def test_a_capture_that_was_refused_asks_how_it_stands() -> None:
    status = "succeeded"

    def answer(request: HttpRequest, _path: str, _query: Any) -> HttpReply:
        if request.method == "POST":
            return good({"error": {"code": "payment_intent_unexpected_state"}}, 400)
        return good(intent(status))

    adapter, _ = stripe(answer)
    known = replace(EFFECT, psp_ref="pi_1")
    assert (await adapter.capture(known)).outcome == "captured"
    assert (await adapter.reverse(known)).outcome == "captured"
    status = "canceled"
    assert (await adapter.capture(known)).outcome == "declined"
    assert (await adapter.reverse(known)).outcome == "reversed"
    status = "requires_capture"
    assert (await adapter.capture(known)).outcome == "unknown"
    assert (await adapter.reverse(known)).outcome == "unknown"


@pytest.mark.parametrize(
    ("currency", "amount"), [("EUR", "1250"), ("JPY", "1250"), ("KWD", "1250"), ("ISK", "125000")]
)
async def test_amounts_are_counted_as_stripe_counts_them(currency: str, amount: str) -> None:
    adapter, wire = stripe(lambda *_: good(intent("requires_capture")))
    await adapter.charge(replace(EFFECT, currency=currency))
    assert wire.sent[0][2]["amount"] == [amount]
