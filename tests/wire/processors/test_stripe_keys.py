"""Idempotency keys as an independent stand-in knows them: replays, and the error for a misuse."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cloud_link.payments.processor import Effect
from cloud_link.payments.stripe import Form, StripeProcessor
from cloud_link.transport import AiohttpTransport, TlsFiles
from hub.domain.payments.declines import DeclineCode
from scripts.rig.stripe_peers import KEY

pytestmark = pytest.mark.may_leak  # a peer of its own


@pytest.fixture
async def adapter(keyed_url: str) -> AsyncIterator[StripeProcessor]:
    made = StripeProcessor(AiohttpTransport(TlsFiles(), 5.0), KEY, keyed_url)
    yield made
    await made.close()


def charge_of(amount_minor: int, source: str = "tok_visa") -> Form:
    return [("amount", str(amount_minor)), ("currency", "eur"), ("source", source)]


async def test_a_repeat_under_its_key_is_the_same_charge(adapter: StripeProcessor) -> None:
    first = await adapter._post("charges", charge_of(1250), "k1")
    again = await adapter._post("charges", charge_of(1250), "k1")
    other = await adapter._post("charges", charge_of(1250), "k2")
    assert first.said is None
    assert first.body["id"] == again.body["id"] != other.body["id"]


async def test_a_key_of_something_else_says_nothing_of_what_was_done(
    adapter: StripeProcessor,
) -> None:
    await adapter._post("charges", charge_of(1250), "k1")
    misused = await adapter._post("charges", charge_of(1251), "k1")
    assert misused.body["type"] == "idempotency_error"
    assert misused.said is not None
    assert misused.said.outcome == "unknown"


async def test_a_decline_under_a_key_is_the_same_decline_again(adapter: StripeProcessor) -> None:
    codes = set()
    for _ in range(2):
        refused = await adapter._post("charges", charge_of(1250, "tok_chargeDeclined"), "k1")
        assert refused.said is not None
        assert refused.said.outcome == "declined"
        codes.add(refused.said.code)
    funds = charge_of(1250, "tok_chargeDeclinedInsufficientFunds")
    refused = await adapter._post("charges", funds, "k2")
    assert refused.said is not None
    assert refused.said.code is DeclineCode.INSUFFICIENT_FUNDS
    assert len(codes) == 1


async def test_a_charge_without_an_intent_is_given_back_in_parts_once_each(
    adapter: StripeProcessor,
) -> None:
    made = await adapter._post("charges", charge_of(1000), "k1")
    ref = made.body["id"]

    def part(key: str, amount_minor: int) -> Effect:
        return Effect("p1", key, amount_minor, "EUR", psp_ref=ref)

    first = await adapter.refund(part("r1", 400))
    assert first.outcome == "refunded"
    assert (await adapter.refund(part("r1", 400))).psp_ref == first.psp_ref
    assert (await adapter.look_up_refund(part("r1", 400))).psp_ref == first.psp_ref
    assert (await adapter.look_up_refund(part("r2", 400))).outcome == "not-found"
    assert (await adapter.refund(part("r2", 601))).outcome == "declined"
    assert (await adapter.refund(part("r3", 600))).outcome == "refunded"
    assert (await adapter.refund(part("r4", 1))).outcome == "declined"


async def test_a_key_that_is_not_accepted_is_not_sent(keyed_url: str) -> None:
    made = StripeProcessor(AiohttpTransport(TlsFiles(), 5.0), "rk_test_x", keyed_url)
    refused = await made._post("charges", charge_of(1250), "k1")
    assert refused.said is not None
    assert refused.said.outcome == "not-sent"
    assert "rk_test_x" not in refused.said.reason
    await made.close()
